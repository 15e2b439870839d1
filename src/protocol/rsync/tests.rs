use super::super::Want;
use super::super::recorder::{
    COMPLETE, CUT, Piece as Said, Recorder, contents, play, play_with, seen,
};
use super::*;
use Said::{Client, Server, ServerGap};
use proptest::prelude::*;
use std::io::Write as _;

const CLIENT: &[u8] = b"@RSYNCD: 31.0 md5 md4\nresults\n";
const SERVER: &[u8] = b"@RSYNCD: 31.0 md5 md4\nWelcome\n@RSYNCD: OK\n";

fn arguments(options: &[&str]) -> Vec<u8> {
    let all: Vec<u8> = options.iter().flat_map(|o| [o.as_bytes(), b"\0"].concat()).collect();
    [all, b".\0results/\0\0".to_vec()].concat()
}

/// Frames of data of at most `size` bytes, with a message between.
fn frames(data: &[u8], size: usize) -> Vec<u8> {
    let framed = |code: u8, data: &[u8]| {
        let len = (data.len() as u32).to_le_bytes();
        [&len[..3], &[code], data].concat()
    };
    let mut all = b"\x81\xff\x03md5s\xdf\x10\x6b".to_vec();
    for piece in data.chunks(size) {
        all.extend(framed(7, piece));
        all.extend(framed(7 + 42, b""));
    }
    all
}

const LIST: &[u8] = b"\xac\x01\x01.\0\0\x10kname.csv\0x\0\xf0s\x99L\x1e\xa4\x81\0\0\xff\x01";
const NEW: &[u8] = b"\x01\0\xa0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// A new file, its data in literals of `size` bytes.
fn file(data: &[u8], size: usize) -> Vec<u8> {
    let mut all = NEW.to_vec();
    for piece in data.chunks(size) {
        all.extend((piece.len() as u32).to_le_bytes());
        all.extend(piece);
    }
    all.extend([0; 4]);
    all.extend(b"0123456789abcdef");
    all
}

/// The same, packed already.
fn packed(tokens: &[u8]) -> Vec<u8> {
    let mut all = NEW.to_vec();
    for piece in tokens.chunks(300) {
        all.extend([0x40 | (piece.len() >> 8) as u8, piece.len() as u8]);
        all.extend(piece);
    }
    all.push(0);
    all.extend(b"0123456789abcdef");
    all
}

#[test]
fn files_are_fetched_and_sent() {
    let client = [CLIENT, &arguments(&["--server", "--sender", "-logDtpre.iLsfxCIvu"])].concat();
    let stream = [LIST, &file(b"mrn,name\n7,Doe\n", 9), &file(b"second", 100), &[0xff]].concat();
    for size in [7, 30, 4000] {
        let server = [SERVER, &frames(&stream, size)].concat();
        let (got, sink) = contents(&[Client(&client), Server(&server)]);
        assert_eq!(
            got,
            [seen("READ", b"mrn,name\n7,Doe\n", 0, COMPLETE), seen("READ", b"second", 0, COMPLETE),]
        );
        let path = sink.facts.files.and_then(|f| f.path);
        assert_eq!(path.as_deref(), Some("/results"));
        assert_eq!(sink.facts.authentication, Authentication::None);
    }
    // The capture may show the server first.
    let server = [SERVER, &frames(&stream, 30)].concat();
    let (sink, _) = play(&[Server(&server), Client(&client)], 40);
    assert_eq!(sink.contents[1].bytes, b"second");
    // The other way.
    let client = [CLIENT, &arguments(&["--server", "-logDtpre.iLsfxCIvu"]), &frames(&stream, 50)];
    let (got, _) = contents(&[Server(SERVER), Client(&client.concat())]);
    assert_eq!(got[0], seen("WRITE", b"mrn,name\n7,Doe\n", 0, COMPLETE));
}

#[test]
fn packed_files_are_unpacked() {
    let data = b"mrn,name\n7,Doe\n".repeat(60);
    let client = [CLIENT, &arguments(&["--server", "--sender", "-logDtprze.iLsfxCIvu"])].concat();
    // One stream of zstd over both files.
    let zstd =
        ruzstd::encoding::compress_to_vec(&data[..], ruzstd::encoding::CompressionLevel::Fastest);
    let stream = [LIST, &packed(&zstd)].concat();
    let server = [SERVER, &frames(&stream, 70)].concat();
    let (got, _) = contents(&[Client(&client), Server(&server)]);
    assert_eq!(got, [seen("READ", &data, 0, COMPLETE)]);
    // Deflate, of which the sender leaves out what ends a run; the content undoes it.
    let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    deflate.write_all(&data).expect("in memory");
    deflate.flush().expect("in memory");
    let mut run = deflate.get_ref().clone();
    assert!(run.ends_with(b"\0\0\xff\xff"));
    run.truncate(run.len() - 4);
    let server = [SERVER, &frames(&[LIST, &packed(&run)].concat(), 70)].concat();
    let (got, sink) = contents(&[Client(&client), Server(&server)]);
    assert_eq!(sink.contents[0].codings, ["deflate"]);
    let mut plain = Vec::new();
    let mut decoder = flate2::read::DeflateDecoder::new(&got[0].1[..]);
    std::io::Read::read_to_end(&mut decoder, &mut plain).expect("in memory");
    assert_eq!(plain, data);
    // LZ4, in a block for each token.
    let options = ["--server", "--sender", "-logDtprze.iLs", "--compress-choice=lz4"];
    let client = [CLIENT, &arguments(&options)].concat();
    let block = lz4_flex::block::compress(&data);
    let server = [SERVER, &frames(&[LIST, &packed(&block)].concat(), 70)].concat();
    let (got, _) = contents(&[Client(&client), Server(&server)]);
    assert_eq!(got, [seen("READ", &data, 0, COMPLETE)]);
    let broken = [&block[..block.len() / 2], &[0xff; 9]].concat();
    let server = [SERVER, &frames(&[LIST, &packed(&broken)].concat(), 70)].concat();
    let (got, sink) = contents(&[Client(&client), Server(&server)]);
    assert_eq!((got, sink.anomalies), (vec![seen("READ", b"", 0, CUT)], vec![Reason::Malformed]));
}

#[test]
fn blocks_that_the_receiver_has_are_holes() {
    let client = [CLIENT, &arguments(&["--server", "--sender", "-tre.iLs"])].concat();
    let mut stream = LIST.to_vec();
    stream.extend(b"\x01\0\x80\x02\0\0\0\xbc\x02\0\0\x02\0\0\0\x64\0\0\0");
    stream.extend(
        [&[3, 0, 0, 0][..], b"new", &(-1i32).to_le_bytes(), &[4, 0, 0, 0], b"more"].concat(),
    );
    stream.extend([0; 4]);
    let server = [SERVER, &frames(&stream, 70)].concat();
    let (sink, _) = play(&[Client(&client), Server(&server)], 11);
    assert_eq!((&sink.contents[0].bytes[..], sink.contents[0].gaps), (&b"newmore"[..], 700));
    assert_eq!(sink.contents[0].ending, CUT);
}

#[test]
fn logins_are_challenged_and_lists_name_no_module() {
    let client =
        [b"@RSYNCD: 31.0 md5\nsecret\nward aGFzaA\n", &arguments(&["--server"])[..]].concat();
    let server = b"@RSYNCD: 31.0 md5\n@RSYNCD: AUTHREQD Y2hhbGxlbmdl\n@RSYNCD: OK\n";
    let (_, sink) = contents(&[Client(&client), Server(server)]);
    assert_eq!(sink.facts.authentication, Authentication::Digest);
    assert_eq!(sink.facts.files.and_then(|f| f.user).as_deref(), Some("ward"));
    let (_, sink) = contents(&[
        Client(b"@RSYNCD: 31.0\n#list\n"),
        Server(b"@RSYNCD: 31.0\nlab\t\n@RSYNCD: EXIT\n"),
    ]);
    assert!(sink.facts.files.is_none());
}

#[test]
fn a_hole_costs_the_file_that_it_is_in() {
    let client = [CLIENT, &arguments(&["--server", "--sender", "-tre.iLs"])].concat();
    let first = file(&[b'a'; 600], 600);
    let stream = [LIST, &first, &file(b"second", 100), &file(b"third", 100)].concat();
    let server = [SERVER, &frames(&stream, 200)].concat();
    // Inside a literal in the second frame, and across frames.
    let at = SERVER.len() + 10 + 208 + 4 + 50;
    let (start, rest) = server.split_at(at);
    for lost in [30usize, 180] {
        let pieces =
            [Client(&client), Server(start), ServerGap(lost as u64), Server(&rest[lost..])];
        let (sink, _) = play(&pieces, 50);
        let last = sink.contents.last().expect("a file");
        assert_eq!(last.bytes, b"third", "{lost} bytes lost");
        assert!(sink.contents[0].ending == CUT, "{lost} bytes lost");
    }
    let sink = Recorder { want: Some(|_| Want::NOTHING), ..Recorder::default() };
    let (sink, _) = play_with(&[Client(&client), Server(&server)], 50, sink);
    assert_eq!(sink.contents.len(), 3);
}

#[test]
fn both_ends_greet() {
    for len in 1..=GREETING.len() {
        assert_eq!(Rsync.probe(&CLIENT[..len], Position::Start), Probe::More);
    }
    assert_eq!(Rsync.probe(SERVER, Position::Start), Probe::yes(Speaker::Any));
    assert_eq!(Rsync.probe(b"@RSYNC 31", Position::Start), Probe::No);
    assert_eq!(Rsync.probe(b"@RSYNCD: x", Position::Start), Probe::No);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        flips in proptest::collection::vec((0usize..900, any::<u8>()), 0..8),
        size in 1usize..200,
        z: bool,
    ) {
        let options = if z { "-logDtprze.iLs" } else { "-logDtpre.iLs" };
        let client = [CLIENT, &arguments(&["--server", "--sender", options]), &bytes].concat();
        let stream = [LIST, &file(b"one", 9), &packed(b"\x28\xb5\x2f\xfdabc"), &bytes].concat();
        let mut server = [SERVER, &frames(&stream, 40)].concat();
        for (at, byte) in flips {
            let len = server.len();
            server[at % len] = byte;
        }
        play(&[Client(&client), Server(&server), ServerGap(5), Server(&server)], size);
    }
}
