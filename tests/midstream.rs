//! A capture may begin in the middle of a connection, and a SPAN port may show only one side. A
//! record that is complete in the remaining traffic is still found, in every protocol.
//!
//! Each conversation of the fixtures is sent again without its handshake and first turns, and then
//! with one side only. The whole conversation shows which patients to expect, and where.

mod common;

use common::conversations::{Conversation, Sent, captures, conversations};
use phitap::decode::Side;
use phitap::exposure::FindingEvent;
use phitap::flow::Direction;
use phitap::pipeline::test_harness::TestHarness;
use phitap::rules::RuleSet;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

/// Length of a segment, bytes.
const SEGMENT: usize = 1460;
/// Most places at which a conversation is cut.
const MAX_CUTS: usize = 12;

/// Captures whose rest cannot be interpreted without the beginning, with the reason.
const NEEDS_BEGINNING: &[(&str, &str)] = &[
    ("hl7-astm", "a frame is passed on with the next one, so that its record seems to begin later"),
    ("http-x12-837", "the header of a request is sent before the server agrees to its body"),
    ("other-cassandra", "a statement that is executed was prepared before"),
    ("other-imap-parts", "the parts of a message were described before"),
    ("other-kafka", "answers are found by the requests before them"),
    ("other-mailbox", "the length of a message that is appended is sent before it"),
    ("other-mysql-attributes", "a statement that is executed was prepared before"),
    ("other-mysql-cached", "columns that the client knows are not described again"),
    ("other-mysql-load", "the file is asked for before it is sent"),
    ("other-mysql-results", "one connection is compressed, and one prepares its statements before"),
    ("other-postgres-asyncpg", "a statement is described once"),
    ("other-postgres-binary", "a statement is described once"),
    ("other-postgres-copy", "the statement names the columns before"),
    ("other-redis-fields", "an answer does not say what was asked"),
    ("other-redis-hash", "an answer does not say what was asked"),
    ("other-rsync", "the lists of files and the checksums are agreed on before"),
    ("other-serialized", "one short answer of Redis is not recognised as such"),
    ("other-tds-procedure", "a procedure that is called was created before"),
    ("other-telnet-curses", "the labels of a screen are painted once"),
    ("other-telnet-lookup", "the prompt that asks for a patient is shown once"),
    ("other-telnet-rolls", "the names of the columns are shown once"),
];

/// Captures of which one side alone cannot be interpreted, with the reason.
const NEEDS_BOTH: &[(&str, &str)] = &[
    ("other-cassandra", "the server numbers the statements that the client executes"),
    ("other-kafka", "the request says how its answer is laid out"),
    ("other-mysql-attributes", "the server numbers the statements that the client executes"),
    ("other-mysql-cached", "the client prepares what the server does not describe again"),
    ("other-mysql-load", "the server asks for the file"),
    (
        "other-mysql-results",
        "the client says that it compresses, and the server numbers statements",
    ),
    ("other-postgres-binary", "the client asks which form the values have"),
    ("other-postgres-copy", "the statement names the columns"),
    ("other-redis-fields", "an answer does not say what was asked"),
    ("other-redis-hash", "an answer does not say what was asked"),
    ("other-rsync", "both sides agree on how files are sent"),
    ("other-serialized", "one short answer of Redis is not recognised as such"),
    ("other-telnet-curses", "what the user types tells one screen from the next"),
];

/// The beginning of a conversation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Front {
    Handshake,
    /// Without the handshake.
    Cut,
}

/// The segments of the turns from `first` on, of one side or both, each with its turn.
fn send(
    conversation: &Conversation,
    first: usize,
    only: Option<Side>,
    front: Front,
) -> Vec<(usize, Sent)> {
    let client = conversation.client;
    let mut next = [1000u32, 5000];
    let mut sent = Vec::new();
    let mut push = |turn, from: Side, seq, ack, flags, payload: &[u8]| {
        if only.is_none_or(|only| only == from) {
            sent.push((turn, Sent { from, seq, ack, flags, payload: payload.to_vec() }));
        }
    };
    if front == Front::Handshake {
        let [c, s] = [client, client.other()].map(|side| next[side.index()].wrapping_sub(1));
        push(0, client, c, 0, 0x02, b"");
        push(0, client.other(), s, c + 1, 0x12, b"");
        push(0, client, c + 1, s + 1, 0x10, b"");
    }
    for (turn, (side, bytes)) in conversation.turns.iter().enumerate() {
        let (this, other) = (side.index(), side.other().index());
        for piece in bytes.chunks(SEGMENT) {
            if turn >= first {
                push(turn, *side, next[this], next[other], 0x18, piece);
            }
            next[this] = next[this].wrapping_add(piece.len() as u32);
        }
    }
    for side in [client, client.other()] {
        push(usize::MAX, side, next[side.index()], next[side.other().index()], 0x11, b"");
    }
    sent
}

/// A patient of the whole conversation.
struct Expected {
    protocol: &'static str,
    /// The turn in which the first record begins.
    turn: usize,
    direction: Direction,
    /// Pseudonyms that identify the patient.
    tokens: BTreeSet<String>,
}

fn tokens(finding: &FindingEvent) -> BTreeSet<String> {
    finding.finding.identifiers.iter().map(|i| i.token.to_string()).collect()
}

fn run(
    lab: &TestHarness,
    conversation: &Conversation,
    sent: Vec<(usize, Sent)>,
) -> Vec<FindingEvent> {
    let sent: Vec<Sent> = sent.into_iter().map(|(_, sent)| sent).collect();
    lab.run(&conversation.packets(&sent))
}

fn expected(lab: &TestHarness, conversation: &Conversation) -> Vec<Expected> {
    let sent = send(conversation, 0, None, Front::Handshake);
    let turns: Vec<usize> = sent.iter().map(|(turn, _)| *turn).collect();
    let mut found: BTreeMap<String, Expected> = BTreeMap::new();
    for event in run(lab, conversation, sent) {
        let first = usize::try_from(event.finding.packets.first.number).expect("a number");
        let patient = Expected {
            protocol: event.protocol,
            turn: turns[first - 1],
            direction: event.finding.direction,
            tokens: tokens(&event),
        };
        let before = found.insert(event.finding.patient.to_string(), patient);
        if let (Some(before), Some(now)) =
            (before, found.get_mut(&event.finding.patient.to_string()))
        {
            now.turn = now.turn.min(before.turn);
        }
    }
    found.into_values().collect()
}

/// Counts of expected and missed patients.
#[derive(Default)]
struct Tally {
    /// By protocol: expected and missed patients.
    protocols: BTreeMap<&'static str, (u32, u32)>,
    /// By capture.
    missed: BTreeMap<String, String>,
}

impl Tally {
    fn count(&mut self, capture: &Path, patient: &Expected, found: &[FindingEvent], what: &str) {
        let is_there = found.iter().any(|event| !tokens(event).is_disjoint(&patient.tokens));
        let (expected, missed) = self.protocols.entry(patient.protocol).or_default();
        *expected += 1;
        if !is_there {
            *missed += 1;
            let capture = capture.file_stem().expect("a name").to_string_lossy().into_owned();
            let protocol = patient.protocol;
            let _ = writeln!(
                self.missed.entry(capture).or_default(),
                "{protocol}: {what}, turn {}",
                patient.turn
            );
        }
    }

    /// Fails if a capture outside the exceptions misses a patient, or if an exception misses none.
    fn check(&self, exceptions: &[(&str, &str)]) {
        assert!(self.protocols.len() >= 20, "{:#?}", self.protocols);
        let known: BTreeSet<&str> = exceptions.iter().map(|(capture, _)| *capture).collect();
        let missed: BTreeSet<&str> = self.missed.keys().map(String::as_str).collect();
        let new: Vec<&String> =
            missed.difference(&known).map(|capture| &self.missed[*capture]).collect();
        assert!(new.is_empty(), "{:#?}\n{new:#?}", self.protocols);
        assert_eq!(missed, known, "these are read by now");
    }
}

#[test]
fn a_connection_joined_at_any_turn_shows_whose_records_are_left() {
    let lab =
        TestHarness::new(RuleSet::shipped().expect("shipped rules"), true).expect("random bytes");
    let mut tally = Tally::default();
    for path in captures() {
        for conversation in conversations(&path) {
            let all = expected(&lab, &conversation);
            let turns = conversation.turns.len();
            let step = turns.div_ceil(MAX_CUTS);
            for cut in (0..turns).filter(|turn| *turn < MAX_CUTS / 2 || turn % step == 0) {
                let left: Vec<&Expected> =
                    all.iter().filter(|patient| patient.turn >= cut).collect();
                if left.is_empty() {
                    continue;
                }
                let found = run(&lab, &conversation, send(&conversation, cut, None, Front::Cut));
                for patient in left {
                    let what = format!("{} from turn {cut}", conversation.name);
                    tally.count(&path, patient, &found, &what);
                }
            }
        }
    }
    tally.check(NEEDS_BEGINNING);
}

#[test]
fn one_side_of_a_connection_shows_whose_records_it_sends() {
    let lab =
        TestHarness::new(RuleSet::shipped().expect("shipped rules"), true).expect("random bytes");
    let mut tally = Tally::default();
    for path in captures() {
        for conversation in conversations(&path) {
            let all = expected(&lab, &conversation);
            let client = conversation.client;
            for (side, direction) in
                [(client, Direction::ClientToServer), (client.other(), Direction::ServerToClient)]
            {
                let sent: Vec<&Expected> =
                    all.iter().filter(|patient| patient.direction == direction).collect();
                if sent.is_empty() {
                    continue;
                }
                for front in [Front::Handshake, Front::Cut] {
                    let found = run(&lab, &conversation, send(&conversation, 0, Some(side), front));
                    for patient in &sent {
                        let what = format!("{} {direction:?} alone, {front:?}", conversation.name);
                        tally.count(&path, patient, &found, &what);
                    }
                }
            }
        }
    }
    tally.check(NEEDS_BOTH);
}
