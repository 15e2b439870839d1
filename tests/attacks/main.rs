//! Attacks that try to exhaust the sensor. Each runs beside a hospital's traffic, whose findings
//! must be complete, and has ceilings for CPU time per megabyte and for resident memory. Only
//! attacks that `SECURITY.md` lists are tested here.

// Prints measurements beside their limits.
#![allow(clippy::print_stdout)]

#[path = "../common/mod.rs"]
mod common;
mod evasions;
mod lies;
mod linear;
mod messages;
mod packets;
mod payloads;
mod repeats;
mod results;
mod run;
mod segments;

use packets::Capture;
use run::{Attack, withstood};
use std::io::Write as _;

/// A number of items, smaller in builds without optimisation.
const fn many(release: u32) -> u32 {
    if cfg!(debug_assertions) { release / 4 } else { release }
}

#[test]
fn floods_of_connections_that_never_speak() {
    let mut capture = Capture::new();
    for n in 0..many(80_000) {
        capture.syn(n);
    }
    withstood(&Attack::new("syn flood", capture));
}

#[test]
fn half_open_gaps() {
    let mut capture = Capture::new();
    for n in 0..many(40_000) {
        let mut flow = capture.flow(n, 2575);
        flow.say(b"\x0bMSH|^~\\&|");
        flow.lose(100);
        flow.say(&[b'x'; 1000]);
    }
    withstood(&Attack::new("gaps", capture).memory_mib(96));
}

#[test]
fn segments_in_reverse_order_with_one_byte_each() {
    let mut capture = Capture::new();
    let mut flow = capture.flow(1, 2575);
    flow.say(b"\x0b");
    flow.say_backwards(&vec![b'x'; many(16_000) as usize], 1);
    withstood(&Attack::new("reordering", capture));
}

#[test]
fn fragments_that_never_become_whole() {
    let mut capture = Capture::new();
    for n in 0..many(80_000) {
        // The offset is so large that allocating for all of it would soon exhaust memory.
        capture.fragment(n, 65_000, &[b'x'; 64]);
    }
    withstood(&Attack::new("fragments", capture).memory_mib(96));
}

#[test]
fn drips_of_one_byte() {
    let mut capture = Capture::new();
    let mut flow = capture.flow(1, 80);
    flow.say(b"POST / HTTP/1.1\r\nContent-Type: text/csv\r\nContent-Length: 100000\r\n\r\n");
    for byte in b"mrn,name\n1,\"".iter().chain(&vec![b'x'; many(20_000) as usize]) {
        flow.say(&[*byte]);
    }
    withstood(&Attack::new("drips", capture));
}

#[test]
fn bombs_in_every_coding_and_in_one_another() {
    for (name, media, coding, body) in payloads::bombs() {
        let mut capture = Capture::new();
        capture.flow(1, 80).post(media, coding, &body);
        withstood(&Attack::new(name, capture));
    }
}

#[test]
fn bombs_in_many_connections_share_what_is_in_reserve() {
    for (name, media, coding, body) in payloads::bombs().into_iter().take(4) {
        let mut capture = Capture::new();
        for n in 0..100 {
            capture.flow(n, 80).post(media, coding, body.get(..1200).unwrap_or(&body));
        }
        withstood(&Attack::new(name, capture));
    }
}

#[test]
fn contents_inside_each_other() {
    for (name, media, body) in payloads::nested() {
        let mut capture = Capture::new();
        capture.flow(1, 80).post(media, "", &body);
        withstood(&Attack::new(name, capture));
    }
}

#[test]
fn files_that_lie_about_counts_or_refer_to_themselves() {
    for (name, media, body) in lies::files() {
        let mut capture = Capture::new();
        capture.flow(1, 80).post(media, "", &body);
        withstood(&Attack::new(name, capture));
        // A few bytes, compressed, expand to all of it.
        let mut capture = Capture::new();
        capture.flow(1, 80).post(media, "gzip", &payloads::gzip(&body));
        withstood(&Attack::new(name, capture));
    }
}

#[test]
fn messages_that_lie_about_lengths_and_counts() {
    for (name, port, turns) in lies::conversations() {
        let mut capture = Capture::new();
        capture.conversation(port, &turns);
        withstood(&Attack::new(name, capture));
    }
}

#[test]
fn what_was_sent_once_and_is_read_again_and_again() {
    for (name, media, body) in repeats::files() {
        let mut capture = Capture::new();
        capture.flow(1, 80).post(media, "", &body);
        withstood(&Attack::new(name, capture));
    }
    for (name, port, turns) in repeats::conversations() {
        let mut capture = Capture::new();
        capture.conversation(port, &turns);
        withstood(&Attack::new(name, capture));
    }
}

#[test]
fn floods_of_datagrams_from_invented_addresses() {
    for (name, port, datagram) in lies::FLOODS {
        let mut capture = Capture::new();
        for n in 0..many(20_000) {
            capture.datagram(n, *port, &datagram(n));
        }
        withstood(&Attack::new(name, capture));
    }
}

/// Each is a separate exposure. Nothing pays for announcing all of them at once.
#[test]
fn a_datagram_about_a_patient_from_each_of_many_addresses() {
    let mut capture = Capture::new();
    for n in 0..many(20_000) {
        let text = format!("<34>1 2026-03-01T00:00:00Z a b - - - MRN: {n} Name: Roe");
        capture.datagram(n, 514, text.as_bytes());
    }
    let size = capture.len();
    let outcome = withstood(&Attack::new("datagrams with patients", capture).cpu_factor(4.0));
    assert!(outcome.written < 18 * size + (600 << 10), "{} of {size}", outcome.written);
}

/// Every protocol is asked for its own, and a payload is looked for.
#[test]
fn floods_of_connections_joined_in_their_middle() {
    for (name, piece) in [
        ("middles, blank lines", "\n"),
        ("middles, JSON", "{\"a\":1,"),
        ("middles, mail", "From: a\r\n"),
        ("middles, nulls", "\0"),
    ] {
        let data: String = piece.chars().cycle().take(100).collect();
        let mut capture = Capture::new();
        for n in 0..many(20_000) {
            capture.middle(n, data.as_bytes());
        }
        withstood(&Attack::new(name, capture));
    }
}

#[test]
fn many_keys_and_many_connections_between_two_hosts() {
    let mut capture = Capture::new();
    let keys: String = (0..many(40_000)).map(|n| format!("\"k{n}\":{n},")).collect();
    capture.flow(1, 80).post("application/json", "", format!("{{{keys}\"z\":0}}").as_bytes());
    for n in 0..many(20_000) {
        capture
            .flow_between([10, 9, 9, 9], 1024 + (n % 60_000) as u16, 80)
            .say(b"GET / HTTP/1.1\r\n\r\n");
    }
    withstood(&Attack::new("hash tables", capture));
}

#[test]
fn a_body_that_never_ends() {
    let mut capture = Capture::new();
    let mut flow = capture.flow(1, 80);
    flow.say(b"POST / HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length: 10000000000\r\n\r\n");
    for _ in 0..many(4_000) {
        flow.say(&[b'x'; 1400]);
    }
    withstood(&Attack::new("large body", capture));
}

/// More than two rounds of the sequence numbers.
#[test]
fn a_body_of_ten_gigabytes_is_passed_over_and_what_follows_is_read() {
    const SEGMENT: usize = 32 << 10;
    const SIZE: u64 = 10 << 30;
    let events = run::streamed("10 GiB body", |input| {
        let mut capture = Capture::new();
        let head = format!(
            "POST /disc.iso HTTP/1.1\r\nHost: a\r\nContent-Type: application/octet-stream\r\n\
             Content-Length: {SIZE}\r\n\r\n"
        );
        let mut flow = capture.flow(1, 80);
        flow.say(head.as_bytes());
        flow.say_again(&[b'x'; SEGMENT], SIZE / SEGMENT as u64, input)?;
        flow.post(
            "application/x-www-form-urlencoded",
            "",
            b"patient_name=Roe%2C+Jane&mrn=4711&dob=1960-02-29",
        );
        input.write_all(&flow.take())
    });
    let found = events.iter().filter(|event| common::is(event, "phi-finding")).count();
    assert_eq!(found, 1, "the patient behind the body");
}

#[test]
fn a_hundred_thousand_patients_in_one_connection() {
    let mut capture = Capture::new();
    let mut flow = capture.flow(1, 2575);
    for n in 0..many(100_000) {
        flow.say(payloads::admission(n).as_bytes());
    }
    // Each is a finding, which is the program's purpose, so the CPU allowance is larger.
    withstood(&Attack::new("patients", capture).cpu_factor(8.0).memory_mib(256));
}

#[test]
fn compressed_rows_do_not_become_a_flood_of_events() {
    let rows: String = (0..200_000).map(|n| format!("{n:06},Roe{n},1970-01-01\n")).collect();
    let body = payloads::brotli(format!("mrn,last_name,dob\n{rows}").as_bytes());
    let mut capture = Capture::new();
    capture.flow(1, 80).post("text/csv", "br", &body);
    let size = capture.len();
    let outcome = withstood(&Attack::new("brotli rows", capture));
    assert!(outcome.written < 20 * size + (300 << 10), "{} of {size}", outcome.written);
}

#[test]
fn invented_patients_from_invented_addresses() {
    let mut capture = Capture::new();
    for n in 0..many(40_000) {
        capture.flow(n, 2575).say(payloads::admission(n).as_bytes());
    }
    let size = capture.len();
    // Each is a separate exposure, which is the program's purpose.
    let outcome = withstood(&Attack::new("invented patients", capture).cpu_factor(8.0));
    assert!(outcome.written < 20 * size + (300 << 10), "{} of {size}", outcome.written);
}

#[test]
fn invented_addresses_do_not_keep_out_services_that_are_there() {
    let mut capture = Capture::new();
    for n in 0..many(140_000) {
        capture.request(n);
    }
    // The hospital's services come later, with its findings.
    let outcome = withstood(&Attack::new("invented addresses", capture).first().memory_mib(512));
    assert!(outcome.services > 0);
}
