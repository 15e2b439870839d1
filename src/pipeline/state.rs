//! The file of `--state`: exposures that are remembered across restarts.
//!
//! It is JSON and replaced as a whole. It belongs to one key, because ids and pseudonyms of another
//! key cannot be compared. It holds addresses, counts and pseudonyms, never a value.

use super::log::complain;
use crate::exposure::{EventId, KnownExposure};
use crate::flow::Transport;
use crate::identify::Token;
use crate::output::metrics::Metrics;
use crate::output::write_atomically;
use crate::time::Timestamp;
use crossbeam_channel::{Sender, bounded};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

/// Version of the format.
const VERSION: u32 = 1;
/// Largest file read, bytes: about four times the largest [`crate::exposure::Exposures::known`].
const MAX_FILE: u64 = 64 << 20;
/// Readable by its owner only.
const MODE: u32 = 0o600;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Without a persistent key, ids would change with each start.
    #[error(
        "--state needs a persistent key: give one with --key-file, or as the systemd credential phitap.key"
    )]
    NoKey,
    /// The file cannot be read.
    #[error("cannot read {path}: {source}; check who may read it", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Another process holds the lock.
    #[error("another phitap uses {path}; choose another file with --state", path = .path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
}

#[derive(Serialize, Deserialize)]
struct Content {
    version: u32,
    key_id: String,
    exposures: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    id: String,
    client: IpAddr,
    server: SocketAddr,
    transport: String,
    protocol: String,
    /// Nanoseconds since 1970.
    first: i64,
    last: i64,
    severity: u8,
    flows: u64,
    findings: u64,
    records: u64,
    patients: u64,
    tokens: Vec<String>,
    kinds: Vec<u64>,
    operations: Vec<String>,
}

impl From<&KnownExposure> for Entry {
    fn from(known: &KnownExposure) -> Self {
        let hex = |token: &Token| token.bytes().iter().map(|b| format!("{b:02x}")).collect();
        Self {
            id: format!("{:032x}", known.id.0),
            client: known.client,
            server: known.server,
            transport: known.transport.as_str().to_owned(),
            protocol: known.protocol.to_owned(),
            first: known.first.0,
            last: known.last.0,
            severity: known.severity,
            flows: known.flows,
            findings: known.findings,
            records: known.records,
            patients: known.patients,
            tokens: known.tokens.iter().map(hex).collect(),
            kinds: known.kinds.clone(),
            operations: known.operations.iter().map(|o| o.to_string()).collect(),
        }
    }
}

impl Entry {
    /// Converts an entry; none if it contains something that this version does not know.
    fn known(self) -> Option<KnownExposure> {
        let transport = [Transport::Tcp, Transport::Udp];
        Some(KnownExposure {
            id: EventId(u128::from_str_radix(&self.id, 16).ok()?),
            client: self.client,
            server: self.server,
            transport: transport.into_iter().find(|t| t.as_str() == self.transport)?,
            protocol: KnownExposure::protocol_named(&self.protocol)?,
            first: Timestamp(self.first),
            last: Timestamp(self.last),
            severity: self.severity.min(100),
            flows: self.flows,
            findings: self.findings,
            records: self.records,
            patients: self.patients,
            tokens: self.tokens.iter().filter_map(|text| token(text)).collect(),
            kinds: self.kinds,
            operations: self.operations.into_iter().map(Into::into).collect(),
        })
    }
}

fn token(text: &str) -> Option<Token> {
    let mut bytes = [0; 12];
    if text.len() != 2 * bytes.len() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(Token::from_bytes(bytes))
}

/// The file, and a thread that writes it, so that a hanging disk does not delay detection.
pub struct StateFile {
    sender: Option<Sender<Vec<KnownExposure>>>,
    thread: Option<JoinHandle<()>>,
    _lock: File,
}

impl StateFile {
    /// Opens the file at `path` and returns the known exposures. A file of another key, or a
    /// damaged one, is renamed, with a message.
    ///
    /// # Errors
    /// The file cannot be read, or another process uses it.
    pub fn open(
        path: &Path,
        key_id: &str,
        metrics: Arc<Metrics>,
    ) -> Result<(Self, Vec<KnownExposure>), StateError> {
        let io = |source| StateError::Io { path: path.to_owned(), source };
        let lock = lock(path)?;
        let known = match read(path).map_err(io)?.map(|text| parse(&text, key_id)) {
            None => Vec::new(),
            Some(Ok(known)) => known,
            Some(Err(why)) => {
                put_aside(path, &why).map_err(io)?;
                Vec::new()
            }
        };
        let (sender, inbox) = bounded::<Vec<KnownExposure>>(1);
        let (path, key_id) = (path.to_owned(), key_id.to_owned());
        let run = move || {
            let mut failing = false;
            for known in inbox {
                let result = write_atomically(&path, &text(&known, &key_id), MODE)
                    .map_err(|error| error.of_option("--state").while_running());
                metrics.sensor().state_saved(result.is_ok());
                match &result {
                    Err(error) if !failing => complain(&error.to_string()),
                    Ok(()) if failing => complain(&format!("{}: written again", path.display())),
                    _ => {}
                }
                failing = result.is_err();
            }
        };
        let thread = std::thread::Builder::new().name("state".into()).spawn(run).map_err(io)?;
        Ok((Self { sender: Some(sender), thread: Some(thread), _lock: lock }, known))
    }

    /// Writes the exposures, unless the last write is still running.
    pub fn save(&self, known: Vec<KnownExposure>) {
        if let Some(sender) = &self.sender {
            let _ = sender.try_send(known);
        }
    }

    /// Writes the exposures and waits until they are written.
    pub fn close(mut self, known: Vec<KnownExposure>) {
        if let Some(sender) = self.sender.take() {
            let _ = sender.send(known);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Locks a file beside it, since each write replaces the file itself.
fn lock(path: &Path) -> Result<File, StateError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let open = OpenOptions::new().create(true).append(true).mode(MODE).open(&name);
    let file = open.map_err(|source| StateError::Io { path: name, source })?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Err(rustix::io::Errno::WOULDBLOCK) => Err(StateError::Locked { path: path.to_owned() }),
        // A file system without locks is no reason to lose the state.
        _ => Ok(file),
    }
}

fn read(path: &Path) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    // Input that is too long or not UTF-8 is not valid JSON either.
    bytes.truncate(MAX_FILE as usize);
    Ok(Some(String::from_utf8(bytes).unwrap_or_default()))
}

/// The known exposures, or why the text cannot be used.
fn parse(text: &str, key_id: &str) -> Result<Vec<KnownExposure>, String> {
    let content: Content = serde_json::from_str(text)
        .map_err(|e| format!("is damaged (line {}, column {})", e.line(), e.column()))?;
    if content.version != VERSION {
        return Err(format!("is of version {}, not {VERSION}", content.version));
    }
    if content.key_id != key_id {
        return Err(format!("belongs to key {}, not {key_id}", content.key_id));
    }
    Ok(content.exposures.into_iter().filter_map(Entry::known).collect())
}

fn put_aside(path: &Path, why: &str) -> io::Result<()> {
    let mut old = path.as_os_str().to_owned();
    old.push(".old");
    std::fs::rename(path, &old)?;
    let (path, old) = (path.display(), Path::new(&old).display());
    complain(&format!("{path} {why}: exposures get new ids; it is kept as {old}"));
    Ok(())
}

fn text(known: &[KnownExposure], key_id: &str) -> Vec<u8> {
    let exposures = known.iter().map(Entry::from).collect();
    let content = Content { version: VERSION, key_id: key_id.to_owned(), exposures };
    // Numbers and strings only: serialising cannot fail.
    serde_json::to_vec(&content).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(n: u8) -> KnownExposure {
        KnownExposure {
            id: EventId(u128::from(n) << 100 | 7),
            client: [10, 1, 7, n].into(),
            server: ([10, 1, 2, 3], 104).into(),
            transport: Transport::Tcp,
            protocol: "dicom",
            first: Timestamp(1_772_360_102_000_000_000),
            last: Timestamp(1_772_360_202_000_000_000),
            severity: 63,
            flows: 2,
            findings: 3,
            records: 4,
            patients: 2,
            tokens: vec![Token::from_bytes([n; 12]), Token::from_bytes([0xfe; 12])],
            kinds: vec![3, 0, 2],
            operations: vec!["C-FIND".into()],
        }
    }

    fn open(path: &Path, key_id: &str) -> Result<(StateFile, Vec<KnownExposure>), StateError> {
        StateFile::open(path, key_id, Arc::new(Metrics::new().expect("metrics")))
    }

    #[test]
    fn what_was_written_is_known_to_the_next_run_of_the_same_key() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("state.json");
        let (state, nothing) = open(&path, "k1").expect("opens");
        assert!(nothing.is_empty());
        assert!(matches!(open(&path, "k1").err(), Some(StateError::Locked { .. })));
        state.close(vec![known(1), known(2)]);
        let mode = std::os::unix::fs::MetadataExt::mode(&path.metadata().expect("written"));
        assert_eq!(mode & 0o777, 0o600);
        let (state, again) = open(&path, "k1").expect("opens");
        assert_eq!(again, [known(1), known(2)]);
        state.close(again);

        let (state, of_other) = open(&path, "k2").expect("opens");
        assert!(of_other.is_empty());
        state.close(Vec::new());
        assert!(folder.path().join("state.json.old").exists(), "it is kept");
    }

    #[test]
    fn a_damaged_file_is_put_aside_whatever_is_in_it() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("state.json");
        let good = text(&[known(1)], "k1");
        for cut in (0..good.len()).step_by(7) {
            std::fs::write(&path, &good[..cut]).expect("written");
            let (state, known) = open(&path, "k1").expect("opens");
            assert!(known.is_empty(), "{cut}");
            drop(state);
        }
        for bytes in
            [&b"\xff\xfe"[..], b"[]", b"{\"version\":9,\"key_id\":\"k1\",\"exposures\":[]}"]
        {
            std::fs::write(&path, bytes).expect("written");
            assert!(open(&path, "k1").expect("opens").1.is_empty());
            assert!(!path.exists());
        }
    }

    #[test]
    fn entries_that_this_version_does_not_know_are_left_out() {
        let mut content: serde_json::Value =
            serde_json::from_slice(&text(&[known(1), known(2)], "k1")).expect("JSON");
        content["exposures"][0]["protocol"] = "carrier-pigeon".into();
        content["exposures"][1]["tokens"] = serde_json::json!(["zz", "\u{fc}".repeat(12)]);
        let known = parse(&content.to_string(), "k1").expect("good");
        assert_eq!((known.len(), known[0].tokens.len()), (1, 0));
    }
}
