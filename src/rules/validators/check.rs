//! Shared by validators: digits, weighted sums, check-digit schemes, calendar dates.

/// The digits of a number of exactly `N`.
pub(super) fn digits<const N: usize>(text: &[u8]) -> Option<[u32; N]> {
    let mut digits = [0; N];
    if text.len() != N {
        return None;
    }
    for (slot, byte) in digits.iter_mut().zip(text) {
        if !byte.is_ascii_digit() {
            return None;
        }
        *slot = u32::from(byte - b'0');
    }
    Some(digits)
}

/// The number formed by at most 15 digits.
pub(super) fn number(digits: &[u32]) -> u64 {
    digits.iter().fold(0, |n, d| n * 10 + u64::from(*d))
}

/// The number formed by two digits.
pub(super) fn two(tens: u32, ones: u32) -> u32 {
    tens * 10 + ones
}

/// Sum of digits times weights, as far as there are weights.
pub(super) fn weighted(digits: &[u32], weights: &[i32]) -> i32 {
    digits.iter().zip(weights).map(|(d, w)| *d as i32 * w).sum()
}

/// What must be added to a sum to reach a multiple of `modulus`.
pub(super) fn complement(sum: i32, modulus: i32) -> u32 {
    (-sum).rem_euclid(modulus) as u32
}

/// Luhn (ISO/IEC 7812-1 annex B): every second digit from the right, starting beside the check
/// digit, counts twice.
pub(super) fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, d)| match (i % 2, d * 2) {
            (0, _) => *d,
            (_, twice) if twice > 9 => twice - 9,
            (_, twice) => twice,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// ISO 7064 MOD 11,10, the check digit last.
pub(super) fn mod_11_10(digits: &[u32]) -> bool {
    let Some((check, rest)) = digits.split_last() else { return false };
    let mut carry = 10;
    for d in rest {
        let sum = (carry + d) % 10;
        carry = if sum == 0 { 10 } else { sum } * 2 % 11;
    }
    (carry + check) % 10 == 1
}

/// The dihedral scheme of J. Verhoeff (1969), the check digit last.
pub(super) fn verhoeff(digits: &[u32]) -> bool {
    /// Powers of the permutation (1 5 8 9 4 2 7 0)(3 6).
    const PERMUTE: [[u8; 10]; 8] = {
        let first = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
        let mut rows = [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]; 8];
        let mut row = 1;
        while row < 8 {
            let mut at = 0;
            while at < 10 {
                rows[row][at] = first[rows[row - 1][at] as usize];
                at += 1;
            }
            row += 1;
        }
        rows
    };
    // Rotations are 0 to 4, reflections 5 to 9.
    let times = |a: u32, b: u32| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => 5 + (a + b) % 5,
        (false, true) => 5 + (a + 5 - b) % 5,
        (false, false) => (a + 5 - b) % 5,
    };
    let mut state = 0;
    for (i, d) in digits.iter().rev().enumerate() {
        let row = PERMUTE.get(i % 8);
        let Some(p) = row.and_then(|row| row.get(*d as usize)) else { return false };
        state = times(state, u32::from(*p));
    }
    state == 0
}

/// Whether the date exists.
pub(super) fn date(year: u32, month: u32, day: u32) -> bool {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// The same for a year without century: in the last century or in this one.
pub(super) fn short_date(year: u32, month: u32, day: u32) -> bool {
    date(1900 + year, month, day) || date(2000 + year, month, day)
}

/// Whether all digits are equal.
pub(super) fn uniform(digits: &[u32]) -> bool {
    digits.iter().all(|d| digits.first() == Some(d))
}

/// A letter's place in the alphabet, from 0.
pub(super) fn ordinal(letter: u8) -> Option<u32> {
    letter.is_ascii_uppercase().then(|| u32::from(letter - b'A'))
}
