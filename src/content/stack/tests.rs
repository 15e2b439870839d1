use super::table::*;
use crate::content::Media;
use crate::content::testing::{Lines, rules};
use crate::content::{ContentCounters, Direction, Reason, ServiceFacts, Want};
use crate::protocol::{Ending, Hint};

fn hint<'a>(media: Media<'a>, codings: &'a [&'a str]) -> Hint<'a> {
    Hint { direction: Direction::ClientToServer, media, operation: "PUT", codings, layer: "http" }
}

#[test]
fn slots_are_used_again_and_capped() {
    let (mut sink, mut facts, mut tally) =
        (Lines::default(), ServiceFacts::default(), ContentCounters::default());
    let mut env = Env { rules: rules(), sink: &mut sink, facts: &mut facts, tally: &mut tally };
    let mut contents = Contents::default();
    let first = contents.open(&hint(Media::Unknown, &[]));
    let second = contents.open(&hint(Media::Unknown, &[]));
    assert_ne!(first, second);
    contents.close(first, Ending::Complete, &mut env);
    contents.close(first, Ending::Complete, &mut env);
    assert_eq!(contents.open(&hint(Media::Unknown, &[])), first);
    for _ in 2..MAX_OPEN {
        assert_ne!(contents.open(&hint(Media::Unknown, &[])), NO_ROOM);
    }
    let refused = contents.open(&hint(Media::Unknown, &[]));
    assert_eq!(refused, NO_ROOM);
    assert_eq!(contents.data(refused, b"{}", &mut env), Want::NOTHING);
    contents.close(refused, Ending::Complete, &mut env);
    for id in contents.all() {
        contents.close(id, Ending::Cut, &mut env);
    }
    assert_ne!(contents.open(&hint(Media::Unknown, &[])), NO_ROOM);
    assert_eq!(tally.given_up, [(Reason::Limit, 1)]);
}

#[test]
fn nobody_wants_noise_or_an_unknown_coding() {
    let (mut sink, mut facts, mut tally) =
        (Lines::default(), ServiceFacts::default(), ContentCounters::default());
    let mut env = Env { rules: rules(), sink: &mut sink, facts: &mut facts, tally: &mut tally };
    let mut contents = Contents::default();
    let id = contents.open(&hint(Media::Unknown, &[]));
    let noise = [0x90; crate::content::PROBE_BYTES];
    assert_eq!(contents.data(id, &noise[1..], &mut env), Want::ALL);
    assert_eq!(contents.data(id, &noise, &mut env), Want::NOTHING);
    let id = contents.open(&hint(Media::Unknown, &["gzip", "compress"]));
    assert_eq!(contents.data(id, b"{", &mut env), Want::NOTHING);
}
