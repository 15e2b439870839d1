//! LOGIN7 (MS-TDS 2.2.6.4): what a client shows to be let in.

use crate::protocol::Authentication;

/// Offset of `OptionFlags2`, and its bit for a login by Windows (`fIntSecurity`).
const OPTIONS_2: usize = 25;
const INTEGRATED: u8 = 0x80;
/// Offset of `OptionFlags3`, and its bit for further features (`fExtension`).
const OPTIONS_3: usize = 27;
const EXTENDED: u8 = 0x10;
/// Offset of the length of the password, characters.
const PASSWORD: usize = 46;
/// Offset of where the offset of the features is.
const EXTENSION: usize = 56;
/// Feature: a token of Entra ID (`FEDAUTH`).
const TOKEN: u8 = 0x02;
/// End of the features.
const END: u8 = 0xFF;
/// Features that are looked at.
const MAX_FEATURES: usize = 32;

/// By which means the client of a login authenticates; `None` if by a name alone.
pub(super) fn authentication(login: &[u8]) -> Authentication {
    let has = |at: usize, bit: u8| login.get(at).is_some_and(|flags| flags & bit != 0);
    if has(OPTIONS_2, INTEGRATED) {
        return Authentication::Digest;
    }
    match short(login, PASSWORD) {
        Some(0) if has(OPTIONS_3, EXTENDED) && has_token(login).unwrap_or(true) => {
            Authentication::Bearer
        }
        Some(0) => Authentication::None,
        _ => Authentication::Basic,
    }
}

/// Whether a token is among the features; none if they are not all there.
fn has_token(login: &[u8]) -> Option<bool> {
    let at = usize::from(short(login, EXTENSION)?);
    let mut at = usize::try_from(long(login, at)?).ok()?;
    for _ in 0..MAX_FEATURES {
        match *login.get(at)? {
            END => return Some(false),
            TOKEN => return Some(true),
            _ => at = at.checked_add(5)?.checked_add(long(login, at + 1)? as usize)?,
        }
    }
    None
}

fn short(login: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*login.get(at..)?.first_chunk()?))
}

fn long(login: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*login.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A login with these options, a password of so many characters, and features.
    fn login(options: [u8; 4], password: u8, features: &[u8]) -> Vec<u8> {
        let mut login = vec![0; 94];
        login[24..28].copy_from_slice(&options);
        login[PASSWORD] = password;
        login[EXTENSION] = 94;
        login.extend(98u32.to_le_bytes());
        login.extend(features);
        login
    }

    #[test]
    fn a_login_shows_a_password_a_token_or_nothing_or_leaves_it_to_windows() {
        let columns = [4, 1, 0, 0, 0, 1];
        let token = [TOKEN, 2, 0, 0, 0, 7, 7];
        let of = |features: &[&[u8]]| [features.concat(), vec![END]].concat();
        for (options, password, features, expected) in [
            ([0; 4], 8, of(&[]), Authentication::Basic),
            ([0; 4], 0, of(&[]), Authentication::None),
            ([0, INTEGRATED, 0, 0], 0, of(&[]), Authentication::Digest),
            ([0, 0, 0, EXTENDED], 8, of(&[&columns]), Authentication::Basic),
            ([0, 0, 0, EXTENDED], 0, of(&[&columns]), Authentication::None),
            ([0, 0, 0, EXTENDED], 0, of(&[&columns, &token]), Authentication::Bearer),
        ] {
            let login = login(options, password, &features);
            assert_eq!(authentication(&login), expected, "{options:?} {password} {features:?}");
        }
    }

    #[test]
    fn a_login_that_is_cut_proves_nothing_open() {
        let whole = login([0, 0, 0, EXTENDED], 0, &[4, 1, 0, 0, 0, 1, END]);
        for len in 0..whole.len() {
            let found = authentication(&whole[..len]);
            // Without its flags it looks like one without features, and has no password to look at either.
            assert!(len < PASSWORD || found != Authentication::None, "{len} bytes");
        }
        let lies = login([0, 0, 0, EXTENDED], 0, &[4, 0xFF, 0xFF, 0xFF, 0xFF]);
        assert_eq!(authentication(&lies), Authentication::Bearer);
        let endless = login([0, 0, 0, EXTENDED], 0, &[4, 0, 0, 0, 0].repeat(1_000));
        assert_eq!(authentication(&endless), Authentication::Bearer);
    }
}
