//! Ports of data connections in commands and replies. The addresses are not used: behind address translation they are
//! wrong, and transfers between two servers are not followed.

/// The port in `h1,h2,h3,h4,p1,p2` (PORT, reply 227; RFC 959 4.1.2).
pub fn host_port(text: &[u8]) -> Option<u16> {
    let from = text.iter().position(u8::is_ascii_digit)?;
    let text = text.get(from..)?;
    let end = text.iter().position(|b| !b.is_ascii_digit() && *b != b',').unwrap_or(text.len());
    let mut numbers = text.get(..end)?.split(|b| *b == b',').map(number::<u8>);
    let mut port = [0; 2];
    for at in 0..6 {
        let value = numbers.next()??;
        if let Some(slot) = usize::checked_sub(at, 4).and_then(|at| port.get_mut(at)) {
            *slot = value;
        }
    }
    valid(u16::from_be_bytes(port))
}

/// The port in `|1|10.0.0.1|5000|` (EPRT) or `|||5000|` (reply 229; RFC 2428 2, 3). Any printable
/// character may replace the bar.
pub fn extended(text: &[u8]) -> Option<u16> {
    let text = match text.iter().position(|b| *b == b'(') {
        Some(open) => text.get(open + 1..)?,
        None => text,
    };
    let (bar, rest) = text.split_first()?;
    if bar.is_ascii_alphanumeric() {
        return None;
    }
    let mut parts = rest.split(|b| b == bar).skip(2);
    valid(number(parts.next()?)?)
}

fn number<N: std::str::FromStr>(digits: &[u8]) -> Option<N> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn valid(port: u16) -> Option<u16> {
    (port != 0).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_in_all_notations() {
        assert_eq!(host_port(b"10,1,2,3,19,137"), Some(5001));
        assert_eq!(host_port(b"Entering Passive Mode (10,1,2,3,19,137)."), Some(5001));
        assert_eq!(host_port(b"Passive Mode 10,1,2,3,19,137"), Some(5001));
        assert_eq!(extended(b"|1|10.1.2.3|5001|"), Some(5001));
        assert_eq!(extended(b"|2|fe80::1|5001|"), Some(5001));
        assert_eq!(extended(b"Entering Extended Passive Mode (|||5001|)"), Some(5001));
        for bad in [&b""[..], b"1,2,3,4,5", b"1,2,3,4,256,1", b"1,2,3,4,0,0", b"1,2,3,4,5,x"] {
            assert_eq!(host_port(bad), None, "{bad:?}");
        }
        for bad in [&b""[..], b"|||", b"||||", b"|||65536|", b"(", b"1|1|5|"] {
            assert_eq!(extended(bad), None, "{bad:?}");
        }
    }
}
