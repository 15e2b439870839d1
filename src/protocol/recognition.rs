//! Which protocol the first bytes of a stream speak.

use super::{PROTOCOLS, Probe, Protocol, Speaker, encrypted};

/// What is known of a stream by its first bytes.
pub(super) enum Answer {
    /// It speaks this protocol: who speaks like this, and bytes to pass over.
    Protocol(&'static dyn Protocol, Speaker, usize),
    /// It cannot be read.
    Encrypted,
    /// Not enough bytes to tell.
    More,
    /// No protocol has it.
    None,
}

/// Asks every protocol. `begun`: the flow was seen from its first packet, and these are its first bytes.
pub(super) fn ask(bytes: &[u8], at_start: bool, begun: bool) -> Answer {
    let mut more = false;
    match encrypted::probe(bytes, at_start) {
        Probe::Yes { .. } => return Answer::Encrypted,
        Probe::More => more = true,
        Probe::No => {}
    }
    let fits = |p: &&&dyn Protocol| if begun { !p.needs_middle() } else { !p.needs_begin() };
    for &protocol in PROTOCOLS.iter().filter(fits) {
        match protocol.probe(bytes, at_start) {
            Probe::Yes { speaker, offset } => return Answer::Protocol(protocol, speaker, offset),
            Probe::More => more = true,
            Probe::No => {}
        }
    }
    if more { Answer::More } else { Answer::None }
}
