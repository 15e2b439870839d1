//! Numbers of North, Central and South America.

use super::check::{complement, date, digits, luhn, number, short_date, two, uniform, weighted};

/// US social security number: areas, groups and serials in use (20 CFR 422.103, POMS RM 10201).
pub(super) fn us_ssn(text: &[u8]) -> bool {
    digits::<9>(text).is_some_and(|d| {
        let area = number(&d[..3]);
        !matches!(area, 0 | 666 | 900..) && two(d[3], d[4]) != 0 && number(&d[5..]) != 0
    })
}

/// US individual taxpayer number: 9xx, and the groups in use (IRM 3.21.263).
pub(super) fn us_itin(text: &[u8]) -> bool {
    digits::<9>(text)
        .is_some_and(|d| d[0] == 9 && matches!(two(d[3], d[4]), 70..=88 | 90..=92 | 94..=99))
}

/// Medicare beneficiary identifier: classes by position, no S, L, O, I, B, Z (CMS, MBI format).
pub(super) fn us_mbi(text: &[u8]) -> bool {
    let letter = |b: u8| b.is_ascii_uppercase() && !b"SLOIBZ".contains(&b);
    let fits = |(class, b): (u8, &u8)| match class {
        b'C' => (b'1'..=b'9').contains(b),
        b'A' => letter(*b),
        b'X' => letter(*b) || b.is_ascii_digit(),
        _ => b.is_ascii_digit(),
    };
    text.len() == 11 && b"CAXNAXNAANN".iter().copied().zip(text).all(fits)
}

/// National provider identifier: Luhn with the card issuer prefix 80840 (45 CFR 162.406).
pub(super) fn us_npi(text: &[u8]) -> bool {
    digits::<10>(text).is_some_and(|d| {
        let mut card = [8, 0, 8, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        card[5..].copy_from_slice(&d);
        matches!(d[0], 1 | 2) && luhn(&card)
    })
}

/// Registration of a prescriber with the DEA (21 CFR 1301).
pub(super) fn us_dea(text: &[u8]) -> bool {
    let Some((&[class, initial], number)) = text.split_first_chunk::<2>() else { return false };
    let letters = matches!(class, b'A'..=b'H' | b'J'..=b'N' | b'P'..=b'U' | b'X')
        && (initial.is_ascii_uppercase() || initial == b'9');
    letters
        && digits::<7>(number)
            .is_some_and(|d| (d[0] + d[2] + d[4] + 2 * (d[1] + d[3] + d[5])) % 10 == d[6])
}

/// Social insurance number of Canada.
pub(super) fn ca_sin(text: &[u8]) -> bool {
    digits::<9>(text).is_some_and(|d| !matches!(d[0], 0 | 8) && luhn(&d))
}

/// Personal health number of British Columbia.
pub(super) fn ca_bc_phn(text: &[u8]) -> bool {
    digits::<10>(text).is_some_and(|d| {
        let weights = [2, 4, 8, 5, 10, 9, 7, 3];
        let sum: u32 = d[1..9].iter().zip(weights).map(|(d, w)| d * w % 11).sum();
        d[0] == 9 && (11 - sum % 11) % 11 == d[9]
    })
}

/// Health card of Ontario; the version letters after it are not checked.
pub(super) fn ca_on_hcn(text: &[u8]) -> bool {
    let Some((head, version)) = text.split_first_chunk::<10>() else { return false };
    let letters = version.len() <= 2 && version.iter().all(u8::is_ascii_uppercase);
    letters && digits::<10>(head).is_some_and(|d| d[0] != 0 && luhn(&d))
}

/// Health insurance number of Québec: three letters of the name and one of the given name, year,
/// month (plus 50 for women), day. The check of the last two places is not published.
pub(super) fn ca_qc_ramq(text: &[u8]) -> bool {
    let Some((name, rest)) = text.split_first_chunk::<4>() else { return false };
    name.iter().all(u8::is_ascii_uppercase)
        && digits::<8>(rest).is_some_and(|d| {
            let month = two(d[2], d[3]);
            short_date(
                two(d[0], d[1]),
                if month > 50 { month - 50 } else { month },
                two(d[4], d[5]),
            )
        })
}

/// Population registry code of Mexico (RENAPO).
pub(super) fn mx_curp(text: &[u8]) -> bool {
    const STATES: &str = "AS BC BS CC CH CL CM CS DF DG GR GT HG JC MC MN MS NE NL NT OC PL QR QT SL SP SR \
                          TC TL TS VZ YN ZS";
    /// `Ñ` has a value between `N` and `O`, but does not occur.
    fn value(byte: u8) -> Option<i32> {
        match byte {
            b'0'..=b'9' => Some(i32::from(byte - b'0')),
            b'A'..=b'N' => Some(i32::from(byte - b'A') + 10),
            b'O'..=b'Z' => Some(i32::from(byte - b'A') + 11),
            _ => None,
        }
    }
    let Ok(code) = <&[u8; 18]>::try_from(text) else { return false };
    let Some(d) = digits::<6>(&code[4..10]) else { return false };
    let century = if code[16].is_ascii_digit() { 1900 } else { 2000 };
    let letters = code[..4].iter().chain(&code[13..16]).all(u8::is_ascii_uppercase);
    let state = STATES.split(' ').any(|s| s.as_bytes() == &code[11..13]);
    let sum: Option<i32> =
        code[..17].iter().zip(2..=18).map(|(b, i)| Some(value(*b)? * (20 - i))).sum();
    letters
        && state
        && matches!(code[10], b'H' | b'M' | b'X')
        && date(century + two(d[0], d[1]), two(d[2], d[3]), two(d[4], d[5]))
        && code[17].is_ascii_digit()
        && sum.is_some_and(|s| complement(s, 10) == u32::from(code[17] - b'0'))
}

/// Natural person's number of Brazil.
pub(super) fn br_cpf(text: &[u8]) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let first = complement(weighted(&d[..9], &[10, 9, 8, 7, 6, 5, 4, 3, 2]), 11) % 10;
        let second = complement(weighted(&d[..10], &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]), 11) % 10;
        !uniform(&d) && first == d[9] && second == d[10]
    })
}

/// Health card of Brazil, provisional ones included (Ministério da Saúde).
pub(super) fn br_cns(text: &[u8]) -> bool {
    digits::<15>(text).is_some_and(|d| {
        let sum: u32 = d.iter().zip((1..=15).rev()).map(|(d, w)| d * w).sum();
        matches!(d[0], 1 | 2 | 7..=9) && sum.is_multiple_of(11)
    })
}

/// Tax and labour number of a person in Argentina.
pub(super) fn ar_cuit(text: &[u8]) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let check = complement(weighted(&d[..10], &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]), 11);
        let check = if check == 10 { 9 } else { check };
        matches!(two(d[0], d[1]), 20 | 23..=27) && check == d[10]
    })
}

/// National number of Chile, K for ten.
pub(super) fn cl_rut(text: &[u8]) -> bool {
    let Some((check, body)) = text.split_last() else { return false };
    if !(7..=8).contains(&body.len()) || !body.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let weights = [2, 3, 4, 5, 6, 7, 2, 3];
    let sum = body.iter().rev().zip(weights).map(|(b, w)| i32::from(b - b'0') * w).sum();
    b"0123456789K".get(complement(sum, 11) as usize) == Some(check)
}

/// Identity card of Ecuador: a province or abroad, a natural person.
pub(super) fn ec_ci(text: &[u8]) -> bool {
    digits::<10>(text)
        .is_some_and(|d| matches!(two(d[0], d[1]), 1..=24 | 30 | 50) && d[2] <= 6 && luhn(&d))
}

/// Identity document of Peru with its check digit or letter.
pub(super) fn pe_dni(text: &[u8]) -> bool {
    let Some((check, body)) = text.split_last() else { return false };
    digits::<8>(body).is_some_and(|d| {
        let at = (weighted(&d, &[3, 2, 7, 6, 5, 4, 3, 2]) % 11) as usize;
        b"65432110987".get(at) == Some(check) || b"KJIHGFEDCBA".get(at) == Some(check)
    })
}

/// Identity card of Uruguay.
pub(super) fn uy_ci(text: &[u8]) -> bool {
    digits::<8>(text).is_some_and(|d| {
        !uniform(&d) && complement(weighted(&d[..7], &[2, 9, 8, 7, 6, 3, 4]), 10) == d[7]
    })
}

/// Identity card of the Dominican Republic.
pub(super) fn do_cedula(text: &[u8]) -> bool {
    digits::<11>(text).is_some_and(|d| !uniform(&d) && luhn(&d))
}
