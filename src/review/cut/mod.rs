//! `phitap cut`: extracts the packets of exposures, flows, services, patients or times from their captures, as
//! self-contained evidence: a pcapng with the ids of events as comments, and a manifest of hashes.
//!
//! For an exposure, everything between its client and its service is cut, so that it can be replayed, and so are the
//! flows that showed whom the service answers, up to that moment; of a service that
//! announces its files at other ports (FTP, TFTP) everything between the two hosts, but what belongs to other services
//! that were recognised. For a service, all its flows are cut. For a patient, only the packets of the patient's records
//! are cut, so that no other people's data is passed on.

mod fragments;
mod manifest;
mod selector;

#[cfg(test)]
mod tests;

use super::source::{self, Filter, Results};
use super::{Answer, Cut, ReviewError, report_losses};
use crate::capture::{Batch, Packet, STDIN_NAME, Source as _, Status, Timeline};
use crate::decode::{Decoder, FlowKey, Outcome};
use crate::output::pcapng::Writer;
use crate::output::text::count;
use crate::protocol::announces_flows;
use fragments::Fragments;
use manifest::{Hashed, Manifest, SourceFile};
use selector::Selectors;
use std::collections::{BTreeSet, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Most flows whose selection is remembered; beyond it all are checked again.
const MAX_FLOWS: usize = 1 << 20;
/// Most fragments held while a capture is read, bytes.
const FRAGMENT_MEMORY: usize = 64 << 20;
/// Event ids in the comment of one packet.
const MAX_IDS: usize = 16;

/// Why packets could not be cut.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    /// Nothing selected has packets.
    #[error(
        "nothing to cut: {0}; phitap query shows what is there (live runs leave no capture to cut from)"
    )]
    Nothing(&'static str),
    /// A capture has moved.
    #[error("{path}: {source}; give the folder of the captures with --captures", path = .path.display())]
    Gone {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A capture was no file.
    #[error(
        "{0} is not a regular file: packets that came through a pipe are gone; save the capture as a file, and replay that"
    )]
    Stream(String),
    /// A capture has changed.
    #[error(
        "{path} has changed since it was read: its SHA-256 is {found}, and was {known}; cut from the file \
         that was read", path = .path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// Its recorded hash.
        known: String,
        /// Its current hash.
        found: String,
    },
    /// A capture cannot be read.
    #[error("{0}")]
    Fault(String),
    /// The result cannot be written.
    #[error("{path}: {source}; choose a new file in a folder that you may write to", path = .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// No recipient could decrypt the result.
    #[error("{0:?} is not a recipient; give an age public key (age1...)")]
    Recipient(String),
}

pub(super) fn answer(
    cut: &Cut,
    out: &mut dyn Write,
    note: &mut dyn FnMut(String),
) -> Result<Answer, ReviewError> {
    let results = source::read(&cut.source, &cut.filter)?;
    let mut worst = report_losses(&cut.source, &results.losses, note);
    let picks = Selectors::of(&results, cut, &other_services(cut, &results)?)?;
    if picks.is_proven_elsewhere(&results) {
        note(
            "a service counts as open to anyone, and these results do not name the flows that showed it: replayed alone, \
             an exposure may be less severe; --server and --port cut all flows of a service"
                .into(),
        );
    }
    let sources = verified(cut, &results, &picks, note)?;
    let fail = |source| CutError::Write { path: cut.output.clone(), source };
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&cut.output);
    let written = Hashed::new(BufWriter::new(file.map_err(fail)?));
    let made = sealed(cut, written, &mut |to| packets(cut, &picks, &sources, to));
    let (sealed, plain, counts) = match made {
        Ok(made) => made,
        Err(error) => {
            // Incomplete evidence is removed.
            let _ = std::fs::remove_file(&cut.output);
            return Err(error.into());
        }
    };
    let total: u64 = counts.packets.iter().sum();
    if total == 0 {
        let _ = std::fs::remove_file(&cut.output);
        return Err(CutError::Nothing("no packet of the captures belongs to it").into());
    }
    if counts.fragments > 0 {
        note(format!(
            "at least {} of IP datagrams left out: there was no room for more",
            count(counts.fragments, "fragment")
        ));
        worst = Answer::Partial;
    }
    if counts.proofs > 0 {
        note(format!(
            "{} of other clients included: they showed whom the service answers, which makes the severity (\"proofs\" in \
             the manifest)",
            count(counts.proofs, "packet")
        ));
    }
    let manifest = Manifest::new(cut, &results, &picks, &sources, &counts.packets, &sealed, &plain);
    let path = manifest.write(&cut.output)?;
    writeln!(
        out,
        "{} of {} written to {}, manifest {}",
        count(total, "packet"),
        count(sources.len() as u64, "capture"),
        cut.output.display(),
        path.display()
    )?;
    Ok(worst)
}

/// The services that no filter excludes, where a selected exposure needs them: its files cross at ports of their own,
/// among which those of other services are not.
fn other_services(cut: &Cut, results: &Results) -> Result<BTreeSet<SocketAddr>, ReviewError> {
    let mut found = BTreeSet::new();
    if !results.exposures.iter().any(|e| announces_flows(&e.protocol)) {
        return Ok(found);
    }
    let all = match source::is_stream(&cut.source) {
        true => None,
        false => Some(source::read(&cut.source, &Filter { patients: 0, ..Filter::default() })?),
    };
    for service in &all.as_ref().unwrap_or(results).services {
        if !announces_flows(&service.protocol) {
            found.insert(service.server);
        }
    }
    Ok(found)
}

/// Packets taken from each capture.
#[derive(Default)]
struct CutCounters {
    packets: Vec<u64>,
    /// Fragments that found no room.
    fragments: u64,
    /// Packets that are there only for what they show of a service.
    proofs: u64,
}

/// SHA-256 and size of a written file.
type WrittenFile = (String, u64);

/// Writes through `write`, encrypted if recipients are named. Returns hash and size of the file, and of the content
/// before encryption.
fn sealed(
    cut: &Cut,
    mut file: Hashed<BufWriter<File>>,
    write: &mut dyn FnMut(&mut dyn Write) -> Result<CutCounters, CutError>,
) -> Result<(WrittenFile, WrittenFile, CutCounters), CutError> {
    let fail = |source| CutError::Write { path: cut.output.clone(), source };
    if cut.recipients.is_empty() {
        let counts = write(&mut file)?;
        let sealed = file.finish().map_err(fail)?;
        return Ok((sealed.clone(), sealed, counts));
    }
    encrypted(cut, file, write)
}

#[cfg(feature = "age")]
fn encrypted(
    cut: &Cut,
    mut file: Hashed<BufWriter<File>>,
    write: &mut dyn FnMut(&mut dyn Write) -> Result<CutCounters, CutError>,
) -> Result<(WrittenFile, WrittenFile, CutCounters), CutError> {
    let fail = |source| CutError::Write { path: cut.output.clone(), source };
    let recipients: Vec<age::x25519::Recipient> = cut
        .recipients
        .iter()
        .map(|text| text.parse().map_err(|_| CutError::Recipient(text.clone())))
        .collect::<Result<_, _>>()?;
    let to = recipients.iter().map(|recipient| recipient as &dyn age::Recipient);
    let encryptor = age::Encryptor::with_recipients(to)
        .map_err(|error| fail(io::Error::other(error.to_string())))?;
    let stream = encryptor.wrap_output(&mut file).map_err(fail)?;
    let mut plain = Hashed::new(stream);
    let counts = write(&mut plain)?;
    let (stream, hash) = plain.into_inner();
    stream.finish().map_err(fail)?;
    Ok((file.finish().map_err(fail)?, hash, counts))
}

#[cfg(not(feature = "age"))]
fn encrypted(
    cut: &Cut,
    _: Hashed<BufWriter<File>>,
    _: &mut dyn FnMut(&mut dyn Write) -> Result<CutCounters, CutError>,
) -> Result<(WrittenFile, WrittenFile, CutCounters), CutError> {
    Err(CutError::Recipient(cut.recipients.first().cloned().unwrap_or_default()))
}

/// Checks that the captures are unchanged, as far as the run recorded hashes. Returns their current
/// paths.
fn verified(
    cut: &Cut,
    results: &Results,
    picks: &Selectors,
    note: &mut dyn FnMut(String),
) -> Result<Vec<SourceFile>, CutError> {
    let mut sources = Vec::new();
    for name in picks.files() {
        let path = place(name, cut.captures.as_deref());
        let gone = |source| CutError::Gone { path: path.clone(), source };
        // Events name it, and may be forged: opening a pipe would wait for a writer, and a device may never end.
        let piped = name == STDIN_NAME && cut.captures.is_none();
        if piped || !std::fs::metadata(&path).map_err(gone)?.is_file() {
            return Err(CutError::Stream(name.to_owned()));
        }
        let mut file = File::open(&path).map_err(gone)?;
        let mut hashed = Hashed::new(io::sink());
        io::copy(&mut file, &mut hashed).map_err(gone)?;
        let (found, bytes) = hashed.finish().map_err(gone)?;
        let known = known_hash(results, name);
        match &known {
            Some(known) if *known != found => {
                return Err(CutError::Changed { path, known: known.clone(), found });
            }
            Some(_) => {}
            None => note(format!(
                "{}: the run did not record its hash (--store does), so changes cannot be detected",
                path.display()
            )),
        }
        sources.push(SourceFile {
            name: name.to_owned(),
            path,
            sha256: found,
            bytes,
            verified: known.is_some(),
        });
    }
    Ok(sources)
}

/// The current path of a capture.
fn place(name: &str, folder: Option<&Path>) -> PathBuf {
    let path = Path::new(name);
    match (folder, path.file_name()) {
        (Some(folder), Some(file)) => folder.join(file),
        _ => path.to_owned(),
    }
}

/// The SHA-256 that a run recorded when it read a capture.
fn known_hash(results: &Results, name: &str) -> Option<String> {
    results.runs.iter().find_map(|run| {
        let files = run.event.pointer("/phi/run/inputs/files")?.as_array()?;
        let of = files.iter().find(|file| file["name"] == name)?;
        of["sha256"].as_str().map(str::to_owned)
    })
}

/// Decodes the captures packet by packet: the index of the source, the packet, the number of the datagram if it is a
/// fragment, and what it holds. A frame may hold several packets (802.11 A-MSDU).
fn scan(
    sources: &[SourceFile],
    decoder: &mut Decoder,
    mut take: impl FnMut(usize, &Packet, u64, Outcome),
) -> Result<(), CutError> {
    each_packet(sources, |at, packet, bytes| {
        let mut next = Some(decoder.decode(packet.time, packet.link, bytes, packet.len));
        while let Some(outcome) = next {
            take(at, packet, decoder.datagram(), outcome);
            next = decoder.next_subframe(packet.time, bytes);
        }
        Ok(())
    })
}

/// Reads the captures one after another.
fn each_packet(
    sources: &[SourceFile],
    mut take: impl FnMut(usize, &Packet, &[u8]) -> Result<(), CutError>,
) -> Result<(), CutError> {
    let mut batch = Batch::default();
    for (at, of) in sources.iter().enumerate() {
        let mut timeline = Timeline::open(&[&of.path]);
        while !timeline.settle() {}
        loop {
            batch.clear();
            if timeline.fill(&mut batch) != Status::More {
                break;
            }
            for packet in &batch.packets {
                take(at, packet, batch.bytes(packet))?;
            }
        }
        if let Some(fault) = timeline.take_faults().first().filter(|_| timeline.readable() == 0) {
            return Err(CutError::Fault(fault.to_string()));
        }
    }
    Ok(())
}

/// Copies the selected packets, in the order of the captures.
fn packets(
    cut: &Cut,
    picks: &Selectors,
    sources: &[SourceFile],
    to: &mut dyn Write,
) -> Result<CutCounters, CutError> {
    let fail = |source| CutError::Write { path: cut.output.clone(), source };
    let fragments = Fragments::of(sources, picks)?;
    let mut writer = Writer::begin(to).map_err(fail)?;
    let mut counts =
        CutCounters { packets: vec![0; sources.len()], fragments: fragments.left_out, proofs: 0 };
    let events = picks.events();
    let mut decoder = fragments::decoder();
    let mut decisions: HashMap<FlowKey, Vec<usize>> = HashMap::new();
    each_packet(sources, |at, packet, bytes| {
        let Some((of, taken)) = sources.get(at).zip(counts.packets.get_mut(at)) else {
            return Ok(());
        };
        if decisions.len() >= MAX_FLOWS {
            decisions.clear();
        }
        let mut ids: Vec<&str> = Vec::new();
        let mut next = Some(decoder.decode(packet.time, packet.link, bytes, packet.len));
        while let Some(outcome) = next {
            match outcome {
                Outcome::Segment(decoded) | Outcome::Whole(decoded, _) => {
                    let of_flow = decisions
                        .entry(decoded.key)
                        .or_insert_with(|| picks.of_flow(&of.name, &decoded.key));
                    ids.extend(picks.ids(of_flow, packet, decoded.len > 0));
                }
                Outcome::Held => ids.extend(fragments.ids(at, packet.number)),
                Outcome::Skipped(_) => {}
            }
            next = decoder.next_subframe(packet.time, bytes);
        }
        if !ids.is_empty() {
            ids.sort_unstable();
            ids.dedup();
            ids.truncate(MAX_IDS);
            writer.packet(&of.name, packet, bytes, &ids).map_err(fail)?;
            *taken += 1;
            counts.proofs += u64::from(!ids.iter().any(|id| events.contains(id)));
        }
        Ok(())
    })?;
    writer.flush().map_err(fail)?;
    Ok(counts)
}
