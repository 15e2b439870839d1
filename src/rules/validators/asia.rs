//! Numbers of Asia, the Pacific and Africa.

use super::check::{
    complement, date, digits, luhn, number, ordinal, short_date, two, uniform, verhoeff, weighted,
};

/// Medicare card of Australia; the tenth digit counts its issues, an eleventh the persons on it.
pub(super) fn au_medicare(text: &[u8]) -> bool {
    let Some((head, person)) = text.split_first_chunk::<10>() else { return false };
    let person = matches!(person, [] | [b'1'..=b'9']);
    person
        && digits::<10>(head).is_some_and(|d| {
            let sum = weighted(&d[..8], &[1, 3, 7, 9, 1, 3, 7, 9]) as u32;
            matches!(d[0], 2..=6) && sum % 10 == d[8] && d[9] != 0
        })
}

/// Healthcare identifier of Australia: ISO/IEC 7812 under an issuer's prefix.
fn au_healthcare(text: &[u8], prefix: u64) -> bool {
    digits::<16>(text).is_some_and(|d| number(&d[..6]) == prefix && luhn(&d))
}

/// Individual healthcare identifier.
pub(super) fn au_ihi(text: &[u8]) -> bool {
    au_healthcare(text, 800_360)
}

/// Healthcare identifiers of providers and organisations.
pub(super) fn au_hpi(text: &[u8]) -> bool {
    au_healthcare(text, 800_361) || au_healthcare(text, 800_362)
}

/// Tax file number of Australia.
pub(super) fn au_tfn(text: &[u8]) -> bool {
    let weights = [1, 4, 3, 7, 5, 8, 6, 9, 10];
    match (digits::<9>(text), digits::<8>(text)) {
        (Some(d), _) => weighted(&d, &weights) % 11 == 0,
        (None, Some(d)) => weighted(&d, &weights) % 11 == 0,
        (None, None) => false,
    }
}

/// National health index of New Zealand, of both forms (HISO 10046).
pub(super) fn nz_nhi(text: &[u8]) -> bool {
    /// Without I and O; the first letter counts as 1.
    const ALPHABET: &[u8; 24] = b"ABCDEFGHJKLMNPQRSTUVWXYZ";
    let Ok(code) = <&[u8; 7]>::try_from(text) else { return false };
    let letter = |b: u8| ALPHABET.iter().position(|l| *l == b).map(|p| p as i32 + 1);
    let digit = |b: u8| b.is_ascii_digit().then(|| i32::from(b - b'0'));
    let old = code[6].is_ascii_digit();
    let mut sum = 0;
    for (i, byte) in code[..6].iter().enumerate() {
        let value = match i {
            0..3 => letter(*byte),
            5 if !old => letter(*byte),
            _ => digit(*byte),
        };
        let Some(value) = value else { return false };
        sum += value * (7 - i as i32);
    }
    if old {
        sum % 11 != 0 && Some((11 - sum % 11) % 10) == digit(code[6])
    } else {
        // The check letter is 24 minus the remainder, counted from 1.
        Some(24 - sum % 24) == letter(code[6])
    }
}

/// Aadhaar of India: does not begin with 0 or 1, is no palindrome, Verhoeff.
pub(super) fn in_aadhaar(text: &[u8]) -> bool {
    digits::<12>(text).is_some_and(|d| d[0] >= 2 && !d.iter().eq(d.iter().rev()) && verhoeff(&d))
}

/// My Number of Japan (ordinance 85 of 2014, article 5).
pub(super) fn jp_my_number(text: &[u8]) -> bool {
    digits::<12>(text).is_some_and(|d| {
        let rest = weighted(&d[..11], &[6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
        !uniform(&d) && (if rest <= 1 { 0 } else { 11 - rest }) as u32 == d[11]
    })
}

/// Number of a Japanese health insurer.
pub(super) fn jp_insurer(text: &[u8]) -> bool {
    digits::<8>(text).is_some_and(|d| luhn(&d))
}

/// Resident registration number of Korea, with the check digit used until October 2020.
pub(super) fn kr_rrn(text: &[u8]) -> bool {
    digits::<13>(text).is_some_and(|d| {
        let century = match d[6] {
            1 | 2 | 5 | 6 => 1900,
            3 | 4 | 7 | 8 => 2000,
            _ => 1800,
        };
        let sum = weighted(&d[..12], &[2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]);
        date(century + two(d[0], d[1]), two(d[2], d[3]), two(d[4], d[5]))
            && two(d[7], d[8]) <= 96
            && (11 - sum % 11) as u32 % 10 == d[12]
    })
}

/// Resident identity number of China (GB 11643-1999), with a province of GB/T 2260.
pub(super) fn cn_ric(text: &[u8]) -> bool {
    let Some((check, body)) = text.split_last() else { return false };
    digits::<17>(body).is_some_and(|d| {
        let province = matches!(
            two(d[0], d[1]),
            11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83
        );
        let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
        let at = (weighted(&d, &weights) % 11) as usize;
        province
            && date(number(&d[6..10]) as u32, two(d[10], d[11]), two(d[12], d[13]))
            && b"10X98765432".get(at) == Some(check)
    })
}

/// Identity card and resident certificate of Taiwan.
pub(super) fn tw_id(text: &[u8]) -> bool {
    /// Places of issue in the order of their numbers, from 10.
    const PLACES: &[u8; 26] = b"ABCDEFGHJKLMNPQRSTUVXYWZIO";
    let Some((place, rest)) = text.split_first() else { return false };
    let Some(place) = PLACES.iter().position(|p| p == place) else { return false };
    digits::<9>(rest).is_some_and(|d| {
        let place = place as i32 + 10;
        let sum = place / 10 + place % 10 * 9 + weighted(&d, &[8, 7, 6, 5, 4, 3, 2, 1, 1]);
        matches!(d[0], 1 | 2 | 8 | 9) && sum % 10 == 0
    })
}

/// Identity card of Hong Kong; a single letter counts as if a blank preceded it.
pub(super) fn hk_hkid(text: &[u8]) -> bool {
    let (letters, rest) = match text {
        [a, rest @ ..] if rest.len() == 7 => ([Some(36), ordinal(*a).map(|o| o + 10)], rest),
        [a, b, rest @ ..] if rest.len() == 7 => {
            ([ordinal(*a).map(|o| o + 10), ordinal(*b).map(|o| o + 10)], rest)
        }
        _ => return false,
    };
    let ([Some(first), Some(second)], Some((check, body))) = (letters, rest.split_last()) else {
        return false;
    };
    // O is not used, because it looks like a zero.
    if text.iter().take(2).any(|b| *b == b'O') {
        return false;
    }
    digits::<6>(body).is_some_and(|d| {
        let sum = (9 * first + 8 * second) as i32 + weighted(&d, &[7, 6, 5, 4, 3, 2]);
        b"0123456789A".get(complement(sum, 11) as usize) == Some(check)
    })
}

/// Identity card and foreigner's number of Singapore.
pub(super) fn sg_nric(text: &[u8]) -> bool {
    let Ok(&[series, ref rest @ .., check]) = <&[u8; 9]>::try_from(text) else { return false };
    let (offset, letters) = match series {
        b'S' => (0, b"JZIHGFEDCBA"),
        b'T' => (4, b"JZIHGFEDCBA"),
        b'F' => (0, b"XWUTRQPNMLK"),
        b'G' => (4, b"XWUTRQPNMLK"),
        b'M' => (3, b"XWUTRQPNJLK"),
        _ => return false,
    };
    digits::<7>(rest).is_some_and(|d| {
        let at = (offset + weighted(&d, &[2, 7, 6, 5, 4, 3, 2])) % 11;
        // The series of 2022 counts backwards.
        let at = if series == b'M' { 10 - at } else { at };
        let letters = if series == b'M' { b"KLJNPQRTUWX" } else { letters };
        letters.get(at as usize) == Some(&check)
    })
}

/// Identity card of Thailand.
pub(super) fn th_pin(text: &[u8]) -> bool {
    digits::<13>(text).is_some_and(|d| {
        let sum = weighted(&d[..12], &[13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
        matches!(d[0], 1..=8) && (11 - sum % 11) as u32 % 10 == d[12]
    })
}

/// Birth date and place of birth of an identity card of Malaysia; it has no check digit.
pub(super) fn my_nric(text: &[u8]) -> bool {
    digits::<12>(text).is_some_and(|d| {
        let place = matches!(
            two(d[6], d[7]),
            1..=16 | 21..=68 | 71 | 72 | 74..=79 | 82..=93 | 98 | 99
        );
        place && short_date(two(d[0], d[1]), two(d[2], d[3]), two(d[4], d[5]))
    })
}

/// Province and birth date (plus 40 in women's day) of an identity number of Indonesia.
pub(super) fn id_nik(text: &[u8]) -> bool {
    digits::<16>(text).is_some_and(|d| {
        let province = matches!(
            two(d[0], d[1]),
            11..=19 | 21 | 31..=36 | 51..=53 | 61..=65 | 71..=76 | 81 | 82 | 91..=97
        );
        province && short_date(two(d[10], d[11]), two(d[8], d[9]), two(d[6], d[7]) % 40)
    })
}

/// Province and sex of an identity card of Pakistan; it has no check digit.
pub(super) fn pk_cnic(text: &[u8]) -> bool {
    digits::<13>(text).is_some_and(|d| matches!(d[0], 1..=7) && d[12] != 0)
}

/// Identity number of Israel; leading zeros may be omitted.
pub(super) fn il_id(text: &[u8]) -> bool {
    let mut padded = *b"000000000";
    let at = padded.len().saturating_sub(text.len());
    let Some(slot) = padded.get_mut(at..).filter(|s| s.len() == text.len() && at <= 4) else {
        return false;
    };
    slot.copy_from_slice(text);
    digits::<9>(&padded).is_some_and(|d| number(&d) != 0 && luhn(&d))
}

/// Identity number of South Africa: birth date, citizenship, Luhn.
pub(super) fn za_id(text: &[u8]) -> bool {
    digits::<13>(text).is_some_and(|d| {
        short_date(two(d[0], d[1]), two(d[2], d[3]), two(d[4], d[5])) && d[10] <= 2 && luhn(&d)
    })
}
