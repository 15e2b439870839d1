use super::*;

fn binary(extra: usize) -> Vec<u8> {
    let len = (12 + extra) as u16;
    [SIGNATURE, b"\x21\x11", &len.to_be_bytes(), &vec![7; 12 + extra]].concat()
}

#[test]
fn headers_of_both_versions() {
    let lines = [
        &b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 2575\r\n"[..],
        b"PROXY TCP6 2001:db8::1 2001:db8::2 56324 2575\r\n",
        b"PROXY UNKNOWN\r\n",
        &binary(0),
        &binary(7),
    ];
    for line in lines {
        let followed = [line, b"\x0bMSH|"].concat();
        assert_eq!(header(&followed), Match::Yes(line.len()));
        for cut in 0..line.len().min(FIXED - 1) {
            assert_eq!(header(&line[..cut]), Match::More, "{cut}");
        }
    }
    for no in [&b"PROXY SCTP 1 2 3\r\n"[..], b"PROXIES", b"GET / HTTP/1.1\r\n", b"PROXY TCP4 1\n"] {
        assert_eq!(header(no), Match::No);
    }
    assert_eq!(header(&[b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat()), Match::No);
}
