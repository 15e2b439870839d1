use super::super::recorder::{Piece, play};
use super::super::{DriverEvent, Position, Probe, Protocol};
use super::JetDirect;
use Piece::Client;
use proptest::prelude::*;

fn recognised(bytes: &[u8]) -> bool {
    let of = |size| {
        let (sink, events) = play(&[Client(bytes)], size);
        let known = events.contains(&DriverEvent::Recognised("jetdirect"));
        if known {
            assert_eq!(sink.contents[0].bytes, bytes, "all of it, in pieces of {size}");
        }
        known
    };
    let whole = of(usize::MAX);
    for size in [1, 2, 3, 7, 100] {
        assert_eq!(of(size), whole, "in pieces of {size}");
    }
    whole
}

#[test]
fn jobs_are_known_by_their_language() {
    for job in [
        &b"^XA^FDx^FS^XZ"[..],
        b"\r\n~DGR:A.GRF,1,1,00\n^XA^XZ",
        b"\x1b%-12345X@PJL\r\n@PJL ENTER LANGUAGE=PCL\r\n",
        b"%!PS-Adobe-3.0\n",
        b"\x04%!PS\n",
        b"\x1bE\x1b&l1Otext",
        b"\x1b&l1O",
        b"\x1b*p300x400Y",
        b") HP-PCL XL;2;0;\n",
        b"\x1b@hello\n",
        b"\x1ba\x01\x1bt\x10hello\n",
        b"\nN\nq609\nA50,0,0,1,1,1,N,\"x\"\nP1\n",
        b"SIZE 40 mm,30 mm\r\nCLS\r\nTEXT 1,1,\"1\",0,1,1,\"x\"\r\nPRINT 1\r\n",
        b"! 0 200 200 210 1\r\nTEXT 4 0 30 40 x\r\nPRINT\r\n",
    ] {
        assert!(recognised(job), "{job:?}");
    }
}

#[test]
fn conversations_are_no_jobs() {
    for text in [
        &b"NICK anna\r\nUSER anna\r\n"[..],
        b"QUIT\r\n",
        b"SIZE file.txt\r\n",
        b"\x1b[2J\x1b[1;1Hlogin: ",
        b"\x1b(B\x1b[m",
        b"! hello\r\n",
        b"N\nA new page\n",
        b"q\n",
    ] {
        assert!(!recognised(text), "{text:?}");
    }
}

#[test]
fn a_job_is_found_in_the_middle() {
    let data = b"raster\0\xff\x1b%-12345X@PJL JOB\r\n";
    assert!(matches!(JetDirect.probe(data, Position::Midstream), Probe::Yes { offset: 8, .. }));
    assert_eq!(JetDirect.probe(b"raster", Position::Midstream), Probe::No);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), size in 1usize..50) {
        play(&[Client(b"\x1bE\x1b&l"), Client(&bytes), Piece::ClientGap(3), Client(&bytes), Piece::Server(&bytes)], size);
    }
}
