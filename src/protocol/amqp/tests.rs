use super::super::recorder::{COMPLETE, Piece, play, texts};
use Piece::{Client, ClientGap, Server};
use proptest::prelude::*;

fn frame(kind: u8, channel: u16, body: &[u8]) -> Vec<u8> {
    let size = (body.len() as u32).to_be_bytes();
    [&[kind][..], &channel.to_be_bytes(), &size, body, b"\xce"].concat()
}

fn publish(channel: u16, parts: &[&[u8]]) -> Vec<u8> {
    let size: usize = parts.iter().map(|p| p.len()).sum();
    let method = frame(1, channel, b"\0\x3c\0\x28\0\0\x03adt\x05in.a1\0");
    let header =
        [&b"\0\x3c\0\0"[..], &(size as u64).to_be_bytes(), b"\x80\0\x0aapplication"].concat();
    let header = [&header[..header.len() - 12], b"\x09text/json"].concat();
    let bodies: Vec<u8> = parts.iter().flat_map(|p| frame(3, channel, p)).collect();
    [method, frame(2, channel, &header), bodies].concat()
}

#[test]
fn what_is_published_and_delivered() {
    let start_ok =
        [&b"\0\x0a\0\x0b\0\0\0\0\x05PLAIN\0\0\0\x09\0anna\0pwd"[..], b"\x05en_US"].concat();
    let client =
        [b"AMQP\0\0\x09\x01".to_vec(), frame(1, 0, &start_ok), publish(1, &[b"{\"a\"", b":1}"])]
            .concat();
    let deliver = frame(1, 1, b"\0\x3c\0\x3c\x03tag\0\0\0\0\0\0\0\x01\0\x03adt\x02in");
    let header = frame(2, 1, &[&b"\0\x3c\0\0"[..], &3u64.to_be_bytes(), b"\0\0"].concat());
    let server = [
        frame(1, 0, b"\0\x0a\0\x0a\0\x09"),
        frame(8, 0, b""),
        deliver,
        header,
        frame(3, 1, b"xyz"),
    ]
    .concat();
    let pieces = [Client(&client), Server(&server)];
    let text = |t: &str| (t.to_owned(), COMPLETE);
    assert_eq!(texts(&pieces), [text("{\"a\":1}"), text("xyz")]);
    let (mut sink, _) = play(&pieces, 9);
    assert!(sink.facts.credentials_in_clear);
    assert_eq!(sink.facts.files().user.as_deref(), Some("anna"));
    assert_eq!(sink.contents[0].media, "text/json");
}

#[test]
fn headers_of_a_message_are_an_object() {
    let text = |name: &str, value: &str| {
        let len = (value.len() as u32).to_be_bytes();
        [&[name.len() as u8][..], name.as_bytes(), b"S", &len, value.as_bytes()].concat()
    };
    let inner = [&b"\x03age"[..], b"b\xff", b"\x02onV", b"\x01at\x01"].concat();
    let table = [
        text("family", "M\u{fc}ller \"x\""),
        [&b"\x01n"[..], b"F", &(inner.len() as u32).to_be_bytes(), &inner].concat(),
        [&b"\x01l"[..], b"A", &14u32.to_be_bytes(), b"I\0\0\0\x07l\0\0\0\0\0\0\0\x09"].concat(),
    ]
    .concat();
    let method = frame(1, 1, b"\0\x3c\0\x28\0\0\x03adt\x02in\0");
    let header = |table: &[u8]| {
        let len = (table.len() as u32).to_be_bytes();
        frame(2, 1, &[&b"\0\x3c\0\0\0\0\0\0\0\0\0\x02\x20\0"[..], &len, table].concat())
    };
    let expected =
        "{\"family\":\"Müller \\\"x\\\"\",\"n\":{\"age\":-1,\"on\":null,\"a\":true},\"l\":[7,9]}";
    let sent =
        [b"AMQP\0\0\x09\x01".to_vec(), method.clone(), header(&table), frame(3, 1, b"ok")].concat();
    assert_eq!(
        texts(&[Client(&sent)]),
        [(expected.to_owned(), COMPLETE), ("ok".to_owned(), COMPLETE)]
    );
    // Cut anywhere, the table is nothing, and the body is read.
    for cut in 0..table.len() {
        let sent = [
            b"AMQP\0\0\x09\x01".to_vec(),
            method.clone(),
            header(&table[..cut]),
            frame(3, 1, b"ok"),
        ]
        .concat();
        let got = texts(&[Client(&sent)]);
        assert_eq!(got.last(), Some(&("ok".to_owned(), COMPLETE)), "{cut}");
    }
}

#[test]
fn gaps_and_the_middle() {
    let first = publish(1, &[b"abc"]);
    let client = [&b"rest of a frame\xce"[..], &first].concat();
    let cut = publish(2, &[b"lost", b"parts"]);
    let at = cut.len() - 4;
    let got = texts(&[
        ClientGap(7),
        Client(&client),
        Client(&cut[..at]),
        ClientGap(2),
        Client(&cut[at + 2..]),
        Client(&publish(3, &[b"next"])),
    ]);
    assert_eq!(got[0], ("abc".to_owned(), COMPLETE));
    assert_eq!(got.last(), Some(&("next".to_owned(), COMPLETE)));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1usize..50) {
        play(&[Client(b"AMQP\0\0\x09\x01"), Client(&bytes), Server(&publish(1, &[b"x"])), Server(&bytes), ClientGap(3), Client(&frame(1, 1, &bytes)), Client(&frame(2, 1, &bytes))], size);
    }
}
