//! Numbers of western, central and southern Europe.

use super::check::{
    complement, date, digits, luhn, mod_11_10, number, ordinal, short_date, two, uniform, verhoeff,
    weighted,
};

/// NHS number (NHS Data Dictionary, modulus 11).
pub(super) fn gb_nhs(text: &[u8]) -> bool {
    digits::<10>(text)
        .is_some_and(|d| complement(weighted(&d[..9], &[10, 9, 8, 7, 6, 5, 4, 3, 2]), 11) == d[9])
}

/// Health and care number of Northern Ireland: the NHS check, with its own range.
pub(super) fn gb_hc(text: &[u8]) -> bool {
    gb_nhs(text)
        && digits::<10>(text)
            .is_some_and(|d| (320_000_001..=399_999_999).contains(&number(&d[..9])))
}

/// Community health index of Scotland: a birth date and the NHS check.
pub(super) fn gb_chi(text: &[u8]) -> bool {
    gb_nhs(text)
        && digits::<10>(text)
            .is_some_and(|d| short_date(two(d[4], d[5]), two(d[2], d[3]), two(d[0], d[1])))
}

/// National insurance number: prefixes in use (HMRC NIM39110).
pub(super) fn gb_nino(text: &[u8]) -> bool {
    let Ok(&[first, second, ref rest @ ..]) = <&[u8; 9]>::try_from(text) else { return false };
    first.is_ascii_uppercase()
        && second.is_ascii_uppercase()
        && !b"DFIQUV".contains(&first)
        && !b"DFIOQUV".contains(&second)
        && !matches!(&[first, second], b"BG" | b"GB" | b"KN" | b"NK" | b"NT" | b"TN" | b"ZZ")
        && rest[..6].iter().all(u8::is_ascii_digit)
        && matches!(rest[6], b'A'..=b'D')
}

/// Personal public service number of Ireland; the second letter counts if it is a person's.
pub(super) fn ie_pps(text: &[u8]) -> bool {
    let Some((number, letters)) = text.split_first_chunk::<7>() else { return false };
    let (check, second) = match letters {
        [check] | [check, b'T' | b'W' | b'X'] => (check, 0),
        [check, letter @ b'A'..=b'I'] => (check, i32::from(letter - b'A') + 1),
        _ => return false,
    };
    digits::<7>(number).is_some_and(|d| {
        let sum = weighted(&d, &[8, 7, 6, 5, 4, 3, 2]) + 9 * second;
        b"WABCDEFGHIJKLMNOPQRSTUV".get((sum % 23) as usize) == Some(check)
    })
}

/// German health insurance number, unchangeable part (§ 290 SGB V).
pub(super) fn de_kvnr(text: &[u8]) -> bool {
    let Some((letter, rest)) = text.split_first() else { return false };
    let Some(letter) = ordinal(*letter).map(|o| o + 1) else { return false };
    digits::<9>(rest).is_some_and(|d| {
        let body = [letter / 10, letter % 10].into_iter().chain(d[..8].iter().copied());
        let cross = |(i, d): (usize, u32)| {
            let product = d * (1 + i as u32 % 2);
            product / 10 + product % 10
        };
        body.enumerate().map(cross).sum::<u32>() % 10 == d[8]
    })
}

/// Lifelong number of a German doctor (KBV, Arztnummer).
pub(super) fn de_lanr(text: &[u8]) -> bool {
    digits::<9>(text)
        .is_some_and(|d| complement(weighted(&d[..6], &[4, 9, 4, 9, 4, 9]), 10) == d[6])
}

/// Tax identification number of Germany: among the first ten digits one occurs twice or three
/// times; ISO 7064 MOD 11,10.
pub(super) fn de_idnr(text: &[u8]) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let count = |digit: u32| d[..10].iter().filter(|d| **d == digit).count();
        let mut repeated = (0..10).map(count).filter(|n| *n > 1);
        d[0] != 0
            && repeated.next().is_some_and(|n| n <= 3)
            && repeated.next().is_none()
            && mod_11_10(&d)
    })
}

/// Social insurance number of Austria (§ 31 ASVG).
pub(super) fn at_svnr(text: &[u8]) -> bool {
    digits::<10>(text).is_some_and(|d| {
        d[0] != 0 && weighted(&d, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]) % 11 == d[3] as i32
    })
}

/// AHV number of Switzerland: an EAN-13 with country code 756.
pub(super) fn ch_ahv(text: &[u8]) -> bool {
    digits::<13>(text).is_some_and(|d| {
        let sum = weighted(&d, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]);
        number(&d[..3]) == 756 && sum % 10 == 0
    })
}

/// Citizen service number of the Netherlands; a leading zero may be omitted.
pub(super) fn nl_bsn(text: &[u8]) -> bool {
    let mut padded = *b"000000000";
    let at = padded.len().saturating_sub(text.len());
    let Some(slot) = padded.get_mut(at..).filter(|s| s.len() == text.len() && at <= 1) else {
        return false;
    };
    slot.copy_from_slice(text);
    digits::<9>(&padded).is_some_and(|d| {
        let sum = weighted(&d, &[9, 8, 7, 6, 5, 4, 3, 2, -1]);
        number(&d) != 0 && sum % 11 == 0
    })
}

/// National register or bis number of Belgium; from birth year 2000 on, a 2 is put in front for the
/// check.
pub(super) fn be_nn(text: &[u8]) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let (body, check) = (number(&d[..9]), number(&d[9..]));
        let month = two(d[2], d[3]);
        // Bis numbers add 20 or 40 to the month, which is 0 if the birth date is unknown.
        let dated = matches!(month, 0..=12 | 20..=32 | 40..=52) && two(d[4], d[5]) <= 31;
        dated && body != 0 && [body, 2_000_000_000 + body].iter().any(|n| 97 - n % 97 == check)
    })
}

/// Matricule of Luxembourg: birth date and number, then a Luhn and a Verhoeff digit over both.
pub(super) fn lu_matricule(text: &[u8]) -> bool {
    digits::<13>(text).is_some_and(|d| {
        let mut last = [0; 12];
        last[..11].copy_from_slice(&d[..11]);
        last[11] = d[12];
        date(number(&d[..4]) as u32, two(d[4], d[5]), two(d[6], d[7]))
            && luhn(&d[..12])
            && verhoeff(&last)
    })
}

/// NIR of France with its key; departments of Corsica have a letter.
pub(super) fn fr_nir(text: &[u8]) -> bool {
    let Ok(mut nir) = <[u8; 15]>::try_from(text) else { return false };
    match &nir[5..7] {
        b"2A" => nir[5..7].copy_from_slice(b"19"),
        b"2B" => nir[5..7].copy_from_slice(b"18"),
        _ => {}
    }
    digits::<15>(&nir).is_some_and(|d| 97 - number(&d[..13]) % 97 == number(&d[13..]))
}

/// Check letters of Spanish numbers.
const ES_LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";

/// Identity document of a Spaniard or a foreigner in Spain.
pub(super) fn es_dni(text: &[u8]) -> bool {
    let Ok(&[first, ref rest @ .., letter]) = <&[u8; 9]>::try_from(text) else { return false };
    let first = match first {
        b'0'..=b'9' => u64::from(first - b'0'),
        b'X'..=b'Z' => u64::from(first - b'X'),
        _ => return false,
    };
    digits::<7>(rest).is_some_and(|d| {
        let n = first * 10_000_000 + number(&d);
        ES_LETTERS.get((n % 23) as usize) == Some(&letter)
    })
}

/// Tax code of a person in Italy (DM 23 December 1976), with letters for digits where codes would collide.
pub(super) fn it_cf(text: &[u8]) -> bool {
    /// Values of letters, and of the digits with the same index, in odd places.
    const ODD: [u32; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24,
        23,
    ];
    let Ok(code) = <&[u8; 16]>::try_from(text) else { return false };
    let digit = |at: usize| match code.get(at) {
        Some(b @ b'0'..=b'9') => Some(u32::from(b - b'0')),
        Some(b) => b"LMNPQRSTUV".iter().position(|l| l == b).map(|p| p as u32),
        None => None,
    };
    let pair = |at: usize| Some(two(digit(at)?, digit(at + 1)?));
    let letter = |at: usize| code.get(at).is_some_and(u8::is_ascii_uppercase);
    let month = b"ABCDEHLMPRST".iter().position(|m| *m == code[8]);
    let (Some(year), Some(month), Some(day)) = (pair(6), month, pair(9)) else { return false };
    let day = if day > 40 { day - 40 } else { day };
    let sum: Option<u32> = code[..15]
        .iter()
        .enumerate()
        .map(|(i, b)| {
            let value = ordinal(*b).or_else(|| b.is_ascii_digit().then(|| u32::from(b - b'0')))?;
            if i % 2 == 1 { Some(value) } else { ODD.get(value as usize).copied() }
        })
        .sum();
    (0..6).chain([11]).all(letter)
        && (12..15).all(|at| digit(at).is_some())
        && short_date(year, month as u32 + 1, day)
        && sum.is_some_and(|s| Some(s % 26) == ordinal(code[15]))
}

/// Tax number of Portugal.
pub(super) fn pt_nif(text: &[u8]) -> bool {
    digits::<9>(text).is_some_and(|d| {
        d[0] != 0 && complement(weighted(&d[..8], &[9, 8, 7, 6, 5, 4, 3, 2]), 11) % 10 == d[8]
    })
}

/// Social security number of Greece: birth date and Luhn.
pub(super) fn gr_amka(text: &[u8]) -> bool {
    digits::<11>(text)
        .is_some_and(|d| short_date(two(d[4], d[5]), two(d[2], d[3]), two(d[0], d[1])) && luhn(&d))
}

/// Personal identification number of Croatia.
pub(super) fn hr_oib(text: &[u8]) -> bool {
    digits::<11>(text).is_some_and(|d| !uniform(&d) && mod_11_10(&d))
}
