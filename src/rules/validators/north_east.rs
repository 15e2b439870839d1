//! Numbers of northern and eastern Europe and Turkey.

use super::check::{complement, date, digits, luhn, number, short_date, two, uniform, weighted};

/// Personal or coordination number (day plus 60) of Sweden, with or without century.
pub(super) fn se_pnr(text: &[u8]) -> bool {
    let day = |day: u32| if day > 60 { day - 60 } else { day };
    if let Some(d) = digits::<12>(text) {
        let year = number(&d[..4]) as u32;
        return date(year, two(d[4], d[5]), day(two(d[6], d[7]))) && luhn(&d[2..]);
    }
    digits::<10>(text).is_some_and(|d| {
        short_date(two(d[0], d[1]), two(d[2], d[3]), day(two(d[4], d[5]))) && luhn(&d)
    })
}

/// Birth number of Norway, with D numbers (day plus 40) and H numbers (month plus 40).
pub(super) fn no_fnr(text: &[u8]) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let first = complement(weighted(&d[..9], &[3, 7, 6, 1, 8, 9, 4, 5, 2]), 11);
        let second = complement(weighted(&d[..10], &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]), 11);
        let less = |n: u32| if n > 40 { n - 40 } else { n };
        let (day, month, year) = (two(d[0], d[1]), less(two(d[2], d[3])), two(d[4], d[5]));
        let century = match number(&d[6..9]) {
            0..500 => 1900,
            500..750 if year >= 54 => 1800,
            500.. if year < 40 => 2000,
            900.. => 1900,
            _ => return false,
        };
        first == d[9] && second == d[10] && date(century + year, month, less(day))
    })
}

/// Birth date and century of a Danish number; its check digit is not used since 2007.
pub(super) fn dk_cpr(text: &[u8]) -> bool {
    digits::<10>(text).is_some_and(|d| {
        let year = two(d[4], d[5]);
        let century = match d[6] {
            0..=3 => 1900,
            4 | 9 if year >= 37 => 1900,
            5..=8 if year >= 58 => 1800,
            _ => 2000,
        };
        date(century + year, two(d[2], d[3]), two(d[0], d[1]))
    })
}

/// Identity code of Finland, with the century signs of 2023.
pub(super) fn fi_hetu(text: &[u8]) -> bool {
    let Ok(code) = <&[u8; 11]>::try_from(text) else { return false };
    let (Some(d), Some(serial)) = (digits::<6>(&code[..6]), digits::<3>(&code[7..10])) else {
        return false;
    };
    let century = match code[6] {
        b'+' => 1800,
        b'-' | b'U'..=b'Y' => 1900,
        b'A'..=b'F' => 2000,
        _ => return false,
    };
    let checked = number(&d) * 1000 + number(&serial);
    date(century + two(d[4], d[5]), two(d[2], d[3]), two(d[0], d[1]))
        && (2..900).contains(&number(&serial))
        && b"0123456789ABCDEFHJKLMNPRSTUVWXY".get((checked % 31) as usize) == Some(&code[10])
}

/// Personal number of Iceland; organisations have the day plus 40.
pub(super) fn is_kennitala(text: &[u8]) -> bool {
    digits::<10>(text).is_some_and(|d| {
        let century = match d[9] {
            9 => 1900,
            0 => 2000,
            _ => return false,
        };
        date(century + two(d[4], d[5]), two(d[2], d[3]), two(d[0], d[1]))
            && weighted(&d, &[3, 2, 7, 6, 5, 4, 3, 2, 1]) % 11 == 0
    })
}

/// The check digit of Estonia and Lithuania: a second row of weights where the first gives ten.
fn baltic_check(d: &[u32; 11]) -> bool {
    let first = weighted(&d[..10], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11;
    let check = match first {
        10 => weighted(&d[..10], &[3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11 % 10,
        check => check,
    };
    check as u32 == d[10]
}

fn baltic_date(d: &[u32; 11]) -> bool {
    let century = match d[0] {
        1..=8 => 1800 + (d[0] - 1) / 2 * 100,
        _ => return false,
    };
    date(century + two(d[1], d[2]), two(d[3], d[4]), two(d[5], d[6]))
}

/// Personal code of Estonia.
pub(super) fn ee_ik(text: &[u8]) -> bool {
    digits::<11>(text).is_some_and(|d| baltic_date(&d) && baltic_check(&d))
}

/// Personal code of Lithuania; one that starts with 9 has no date.
pub(super) fn lt_ak(text: &[u8]) -> bool {
    digits::<11>(text).is_some_and(|d| (d[0] == 9 || baltic_date(&d)) && baltic_check(&d))
}

/// Personal code of Latvia: with a birth date, or 32 and none since July 2017.
pub(super) fn lv_pk(text: &[u8]) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let sum = weighted(&d[..10], &[10, 5, 8, 4, 2, 1, 6, 3, 7, 9]);
        let year = 1800 + d[6] * 100 + two(d[4], d[5]);
        let dated = two(d[0], d[1]) == 32 || date(year, two(d[2], d[3]), two(d[0], d[1]));
        d[0] <= 3 && dated && ((1 + sum) % 11 % 10) as u32 == d[10]
    })
}

/// PESEL of Poland; the month encodes the century.
pub(super) fn pl_pesel(text: &[u8]) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let month = two(d[2], d[3]);
        let century = match month / 20 {
            4 => 1800,
            n => 1900 + n * 100,
        };
        date(century + two(d[0], d[1]), month % 20, two(d[4], d[5]))
            && complement(weighted(&d[..10], &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]), 10) == d[10]
    })
}

/// Birth number of the Czech Republic and Slovakia; nine digits, without a check, before 1954.
pub(super) fn cz_rc(text: &[u8]) -> bool {
    let dated = |d: &[u32], year: u32, long: bool| {
        let month = two(d[2], d[3]) % 50;
        // Since 2004, month plus 20 if the numbers of a day ran out.
        let month = if long && month > 20 { month - 20 } else { month };
        date(year, month, two(d[4], d[5]))
    };
    if let Some(d) = digits::<9>(text) {
        let year = two(d[0], d[1]);
        return year <= 53 && dated(&d, 1900 + year, false)
            || year >= 80 && dated(&d, 1800 + year, false);
    }
    digits::<10>(text).is_some_and(|d| {
        let year = two(d[0], d[1]);
        let year = if year < 54 { 2000 + year } else { 1900 + year };
        dated(&d, year, true) && number(&d[..9]) % 11 % 10 == u64::from(d[9])
    })
}

/// Health insurance number (TAJ) of Hungary.
pub(super) fn hu_taj(text: &[u8]) -> bool {
    digits::<9>(text).is_some_and(|d| {
        !uniform(&d) && weighted(&d[..8], &[3, 7, 3, 7, 3, 7, 3, 7]) % 10 == d[8] as i32
    })
}

/// Personal code of Romania: sex and century, date, county.
pub(super) fn ro_cnp(text: &[u8]) -> bool {
    digits::<13>(text).is_some_and(|d| {
        let century = match d[0] {
            3 | 4 => 1800,
            5 | 6 => 2000,
            0 => return false,
            _ => 1900,
        };
        let check = weighted(&d[..12], &[2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
        let county = matches!(two(d[7], d[8]), 1..=48 | 51 | 52 | 70 | 80..=83);
        county
            && date(century + two(d[1], d[2]), two(d[3], d[4]), two(d[5], d[6]))
            && (if check == 10 { 1 } else { check }) as u32 == d[12]
    })
}

/// Citizen's number of Bulgaria; the month encodes the century.
pub(super) fn bg_egn(text: &[u8]) -> bool {
    digits::<10>(text).is_some_and(|d| {
        let (century, month) = match two(d[2], d[3]) {
            month @ 41.. => (2000, month - 40),
            month @ 21.. => (1800, month - 20),
            month => (1900, month),
        };
        date(century + two(d[0], d[1]), month, two(d[4], d[5]))
            && (weighted(&d[..9], &[2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11 % 10) as u32 == d[9]
    })
}

/// Citizen's number of the countries of former Yugoslavia: day, month, three digits of the year.
pub(super) fn jmbg(text: &[u8]) -> bool {
    digits::<13>(text).is_some_and(|d| {
        let year = number(&d[4..7]) as u32;
        let year = if year < 800 { 2000 + year } else { 1000 + year };
        let sum = weighted(&d[..12], &[7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]);
        date(year, two(d[2], d[3]), two(d[0], d[1])) && complement(sum, 11) % 10 == d[12]
    })
}

/// Taxpayer's number of a person in Ukraine.
pub(super) fn ua_rntrc(text: &[u8]) -> bool {
    digits::<10>(text).is_some_and(|d| {
        let sum = weighted(&d[..9], &[-1, 5, 7, 9, 4, 6, 10, 5, 7]);
        (sum.rem_euclid(11) % 10) as u32 == d[9]
    })
}

/// Taxpayer's number of a person in Russia.
pub(super) fn ru_inn(text: &[u8]) -> bool {
    digits::<12>(text).is_some_and(|d| {
        let first = weighted(&d[..10], &[7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10;
        let second = weighted(&d[..11], &[3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11 % 10;
        !uniform(&d) && first as u32 == d[10] && second as u32 == d[11]
    })
}

/// Pension and health insurance number (SNILS) of Russia; low numbers have no check.
pub(super) fn ru_snils(text: &[u8]) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let sum = weighted(&d[..9], &[9, 8, 7, 6, 5, 4, 3, 2, 1]) % 101;
        number(&d[..9]) > 1_001_998 && (sum % 100) as u32 == two(d[9], d[10])
    })
}

/// Identity number of Turkey.
pub(super) fn tr_tckn(text: &[u8]) -> bool {
    digits::<11>(text).is_some_and(|d| {
        let tenth = weighted(&d[..9], &[7, -1, 7, -1, 7, -1, 7, -1, 7]).rem_euclid(10) as u32;
        let eleventh = d[..10].iter().sum::<u32>() % 10;
        d[0] != 0 && tenth == d[9] && eleventh == d[10]
    })
}
