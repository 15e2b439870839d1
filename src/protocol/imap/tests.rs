use super::super::recorder::{COMPLETE, Piece, play, texts};
use Piece::{Client, ClientGap, Server, ServerGap};
use flate2::{Compress, Compression, FlushCompress};
use proptest::prelude::*;

const HELLO: &[u8] = b"* OK [CAPABILITY IMAP4rev1] Dovecot ready.\r\n";

#[test]
fn messages_that_are_fetched_and_appended() {
    let got = texts(&[
        Server(HELLO),
        Client(b"a1 LOGIN anna secret\r\n"),
        Server(b"a1 OK Logged in\r\n"),
        Client(b"a2 FETCH 1:2 (UID BODY.PEEK[])\r\n"),
        Server(b"* 1 FETCH (UID 7 BODY[] {12}\r\nSubject: a\r\n FLAGS (\\Seen))\r\n* 2 FETCH (BODY[HEADER] {3}\r\nB: )\r\na2 OK done\r\n"),
        Client(b"a3 APPEND Sent (\\Seen) {10}\r\n"),
        Server(b"+ go\r\n"),
        Client(b"Subject: c\r\na4 LOGOUT\r\n"),
    ]);
    let all = ["Subject: a\r\n", "B: ", "Subject: c"];
    assert_eq!(got, all.map(|t| (t.to_owned(), COMPLETE)));
}

#[test]
fn what_is_refused_does_not_come() {
    let got = texts(&[
        Server(HELLO),
        Client(b"a1 APPEND Sent {10}\r\n"),
        Server(b"a1 NO [TRYCREATE] no such mailbox\r\n"),
        Client(b"a2 APPEND INBOX {3}\r\n"),
        Server(b"+ go\r\n"),
        Client(b"B: \r\n"),
        Server(b"a2 OK\r\n"),
    ]);
    assert_eq!(got.last(), Some(&("B: ".to_owned(), COMPLETE)));
}

#[test]
fn what_is_known_of_the_service() {
    let (mut sink, _) = play(&[Server(HELLO), Client(b"a1 LOGIN \"anna\" secret\r\n")], 3);
    assert_eq!(sink.facts.files().user.as_deref(), Some("anna"));
    assert_eq!(sink.facts.software.as_deref(), Some("Dovecot ready."));
    assert!(sink.facts.credentials_in_clear);
}

#[test]
fn compressed_connections_are_inflated() {
    let pack = |packer: &mut Compress, text: &[u8]| {
        let mut out = Vec::with_capacity(1000);
        packer.compress_vec(text, &mut out, FlushCompress::Sync).expect("room");
        out
    };
    let (mut up, mut down) = (
        Compress::new(Compression::default(), false),
        Compress::new(Compression::default(), false),
    );
    let ask = pack(&mut up, b"a3 UID FETCH 1 BODY[]\r\n");
    let first = pack(&mut down, b"* 1 FETCH (BODY[] {12}\r\nSubje");
    let second = pack(
        &mut down,
        b"ct: a\r\n)\r\n* 2 FETCH (BODY[] {3}\r\nB: )\r\n* 3 FETCH (BODY[] {3}\r\nC: )\r\na3 OK\r\n",
    );
    let got = texts(&[
        Server(HELLO),
        Client(b"a2 COMPRESS DEFLATE\r\n"),
        Server(b"a2 OK DEFLATE active\r\n"),
        Client(&ask),
        Server(&first),
        Server(&second),
    ]);
    assert_eq!(got, ["Subject: a\r\n", "B: ", "C: "].map(|t| (t.to_owned(), COMPLETE)));
}

#[test]
fn gaps_and_the_middle() {
    let got = texts(&[
        ServerGap(3),
        Server(b"tail)\r\n* 12 FETCH (BODY[] {20}\r\nSubject: a"),
        ServerGap(10),
        Server(b")\r\n* 13 FETCH (RFC822 {2}\r\nxy)\r\n"),
    ]);
    assert_eq!(got[0].0, "Subject: a");
    assert_eq!(got.last(), Some(&("xy".to_owned(), COMPLETE)));
}

#[test]
fn a_mailbox_of_text_is_not_taken_for_messages() {
    let got = texts(&[
        Server(HELLO),
        Client(b"a1 LIST \"\" *\r\n"),
        Server(b"* LIST () \".\" {5}\r\nINBOX\r\na1 OK\r\n"),
    ]);
    assert_eq!(got, []);
}

#[test]
fn parts_are_read_by_what_was_said_of_them() {
    let header = "Content-Type: text/plain; charset=koi8-r\r\n\r\n";
    let fetched = [
        format!("* 3 FETCH (UID 7 RFC822.HEADER {{{}}}\r\n{header} FLAGS ())\r\n", header.len()),
        "* 4 FETCH (BODYSTRUCTURE (\"text\" \"html\" NIL NIL NIL \"base64\" 4 1))\r\n".to_owned(),
        "* 3 FETCH (BODY[TEXT] {2}\r\nab UID 7)\r\n* 4 FETCH (BODY[1] {4}\r\nYWI=)\r\n".to_owned(),
        // Some fields of the header do not change what is known of the body.
        "* 6 FETCH (BODYSTRUCTURE (\"text\" \"html\" NIL NIL NIL \"base64\" 4 1) \
            BODY[HEADER.FIELDS (SUBJECT)] {12}\r\nSubject: a\r\n)\r\n* 6 FETCH (BODY[TEXT] {4}\r\nYWI=)\r\n"
            .to_owned(),
        "* 5 FETCH (BODY[1] {2}\r\ncd)\r\n* 4 FETCH (BINARY[1] {2}\r\nab)\r\n".to_owned(),
    ];
    let got = texts(&[Server(HELLO), Server(fetched.concat().as_bytes())]);
    let got: Vec<&str> = got.iter().map(|(text, _)| text.as_str()).collect();
    assert_eq!(
        got,
        [
            header,
            "Content-Type: text/plain; charset=koi8-r\r\nContent-Transfer-Encoding: 8bit\r\n\r\nab",
            "Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nYWI=",
            "Subject: a\r\n",
            "Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nYWI=",
            "cd",
            "ab",
        ]
    );
}

#[test]
fn pieces_of_a_message_are_one() {
    let got = texts(&[
        Server(HELLO),
        Server(b"* 3 FETCH (BODY[]<0> {6}\r\nA: b\r\n)\r\na2 OK\r\n* 3 FETCH (FLAGS ())\r\n"),
        Server(b"* 3 FETCH (BODY[]<6> {4}\r\n\r\nab)\r\n* 3 FETCH (BODY[]<10> {2}\r\ncd)\r\n"),
        // Another message, another part, and one that does not follow.
        Server(b"* 4 FETCH (BODY[]<12> {2}\r\nef)\r\n* 4 FETCH (BODY[1]<0> {2}\r\ngh)\r\n"),
        Server(b"* 4 FETCH (BODY[2]<2> {2}\r\nij)\r\n* 4 FETCH (BODY[]<0> {4}\r\nC: d)\r\n"),
    ]);
    let got: Vec<&str> = got.iter().map(|(text, _)| text.as_str()).collect();
    assert_eq!(got, ["A: b\r\n\r\nabcd", "ef", "gh", "ij", "C: d"]);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1usize..50) {
        play(&[Server(HELLO), Client(b"a1 COMPRESS DEFLATE\r\n"), Server(b"a1 OK\r\n"), Client(&bytes), Server(&bytes), ServerGap(3), Server(&bytes)], size);
        play(&[Server(HELLO), Server(b"* 1 FETCH (BODY[] {99999999999}\r\n"), Server(&bytes), ClientGap(3), Client(&bytes)], size);
    }
}
