//! Destination of an output: a file or standard output, with errors that name it.
//!
//! A reader that goes away (`phitap ... | head`) ends the run quietly, with exit status 0, as it does
//! for other filters; see [`WriteError::is_closed_pipe`]. Any other failure is an error with
//! exit status 1.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Bytes buffered before they are written.
const BUFFER: usize = 256 << 10;
/// Mode of new files: they name hosts, and with `--reveal` people.
pub(super) const MODE: u32 = 0o600;

/// A write that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {name}: {source}{}", remedy(.source, .option, *.later))]
pub struct WriteError {
    /// The file, or `standard output`.
    pub name: String,
    /// The option that chooses the file.
    option: &'static str,
    /// Whether the file could be written when the run began.
    later: bool,
    /// The system's error.
    pub source: io::Error,
}

impl WriteError {
    /// `source` happened at `name`.
    ///
    /// An error that already names its file keeps that name.
    pub fn new(name: impl Into<String>, source: io::Error) -> Self {
        match source.downcast::<Self>() {
            Ok(named) => named,
            Err(source) => Self { name: name.into(), option: "--output", later: false, source },
        }
    }

    /// Names the option that chooses the file.
    pub const fn of_option(mut self, option: &'static str) -> Self {
        self.option = option;
        self
    }

    /// Says what may have changed since the run began.
    pub const fn while_running(mut self) -> Self {
        self.later = true;
        self
    }

    /// Whether the reader went away, which is no error of ours.
    pub fn is_closed_pipe(&self) -> bool {
        self.source.kind() == io::ErrorKind::BrokenPipe
    }
}

fn remedy(error: &io::Error, option: &str, later: bool) -> String {
    let text = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::FileTooLarge => "free some space",
        io::ErrorKind::QuotaExceeded => "raise the quota",
        // The sandbox names folders by their inodes.
        io::ErrorKind::PermissionDenied if later => {
            let text = "; check who may write there; if the folder was made anew, restart phitap, \
                        whose sandbox allows the former one";
            return text.to_owned();
        }
        io::ErrorKind::PermissionDenied => return "; check who may write there".to_owned(),
        io::ErrorKind::NotFound => return "; create the folder first".to_owned(),
        io::ErrorKind::IsADirectory => return "; name a file in it".to_owned(),
        _ => return String::new(),
    };
    format!("; {text}, or choose another place with {option}")
}

/// Destination of an output.
pub struct Sink {
    name: String,
    writer: BufWriter<Box<dyn Write + Send>>,
}

impl Sink {
    /// The file at `path`, emptied, readable by its owner only if new; standard output if `None`.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(path: Option<&Path>) -> Result<Self, WriteError> {
        let Some(path) = path else {
            return Ok(Self::new("standard output", Box::new(io::stdout())));
        };
        let name = path.display().to_string();
        match create(path) {
            Ok(file) => Ok(Self::new(name, Box::new(file))),
            Err(source) => Err(WriteError::new(name, source)),
        }
    }

    /// Writes to `writer`, which messages call `name`.
    pub fn new(name: impl Into<String>, writer: Box<dyn Write + Send>) -> Self {
        Self { name: name.into(), writer: BufWriter::with_capacity(BUFFER, writer) }
    }

    /// What messages call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The error, with the name of what was written.
    fn named(&self, error: io::Error) -> io::Error {
        io::Error::new(error.kind(), WriteError::new(self.name.clone(), error))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes).map_err(|error| self.named(error))
    }
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.write_all(bytes).map_err(|error| self.named(error))
    }
    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush().map_err(|error| self.named(error))
    }
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(MODE).open(path)
}

/// Replaces the file at `path` by `content`, with these permissions: a reader sees the old or the new content, never
/// a part.
///
/// # Errors
/// If it cannot be written; the old file is then unchanged.
pub fn write_atomically(path: &Path, content: &[u8], mode: u32) -> Result<(), WriteError> {
    let fail = |source| WriteError::new(path.display().to_string(), source);
    if is_device(path) {
        return create(path).and_then(|mut file| file.write_all(content)).map_err(fail);
    }
    let (mut file, temporary) = beside(path, mode).map_err(fail)?;
    let mut write = || {
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    write().map_err(|e| {
        let _ = std::fs::remove_file(&temporary);
        fail(e)
    })
}

/// A file that is written when its content is whole: a reader sees the old or the new content, and a disk that is full
/// leaves no part of it behind.
pub struct WholeFile {
    path: PathBuf,
    option: &'static str,
    content: Vec<u8>,
}

impl WholeFile {
    /// The file at `path`, which `option` chooses; it is written by `flush`.
    ///
    /// # Errors
    /// If it cannot be written, as far as that can be known before.
    pub fn new(path: &Path, option: &'static str) -> Result<Self, WriteError> {
        check_replaceable(path).map_err(|error| error.of_option(option))?;
        Ok(Self { path: path.to_owned(), option, content: Vec::new() })
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.content.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.content.is_empty() {
            return Ok(());
        }
        let content = std::mem::take(&mut self.content);
        write_atomically(&self.path, &content, MODE)
            .map_err(|error| io::Error::new(error.source.kind(), error.of_option(self.option)))
    }
}

/// Whether [`write_atomically`] can replace the file at `path`, as far as that can be known before.
///
/// # Errors
/// Why it cannot.
pub fn check_replaceable(path: &Path) -> Result<(), WriteError> {
    let check = || {
        if path.is_dir() {
            return Err(io::Error::from_raw_os_error(libc::EISDIR));
        }
        if is_device(path) {
            return OpenOptions::new().write(true).open(path).map(|_| ());
        }
        beside(path, MODE).and_then(|(_, temporary)| std::fs::remove_file(temporary))
    };
    check().map_err(|source| WriteError::new(path.display().to_string(), source))
}

/// A new file in the folder of `path`, which can take its place, and its path.
fn beside(path: &Path, mode: u32) -> io::Result<(File, PathBuf)> {
    let Some(file_name) = path.file_name() else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a file name"));
    };
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(file_name);
    temporary.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(temporary);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode).custom_flags(libc::O_NOFOLLOW);
    Ok((options.open(&temporary)?, temporary))
}

/// Whether `path` is a device or a pipe, or names an open file (`/dev/stdout`): written to, never replaced.
fn is_device(path: &Path) -> bool {
    let names_open_file =
        ["/dev", "/proc"].iter().any(|folder| path.starts_with(folder)) && path.is_symlink();
    names_open_file || std::fs::metadata(path).is_ok_and(|of| !of.is_file() && !of.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn new_files_are_for_their_owner_only_and_old_ones_are_emptied() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("events.json");
        for text in ["a longer first text\n", "short\n"] {
            let mut sink = Sink::open(Some(&path)).expect("open");
            sink.write_all(text.as_bytes()).and_then(|()| sink.flush()).expect("write");
            assert_eq!(std::fs::read_to_string(&path).expect("read"), text);
        }
        let mode = std::fs::metadata(&path).expect("meta").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn errors_name_the_file_and_the_remedy() {
        let missing = Path::new("/nonexistent/folder/events.json");
        let error = Sink::open(Some(missing)).err().expect("cannot open").to_string();
        assert!(error.contains("/nonexistent/folder/events.json"), "{error}");
        assert!(error.contains("create the folder"), "{error}");
    }

    #[test]
    fn a_full_disk_is_an_error_and_a_closed_pipe_is_another() {
        let mut sink = Sink::open(Some(Path::new("/dev/full"))).expect("open");
        let source = sink.write_all(b"x").and_then(|()| sink.flush()).expect_err("full");
        let error = WriteError::new(sink.name(), source);
        assert!(!error.is_closed_pipe());
        assert!(error.to_string().contains("/dev/full"), "{error}");
        assert!(error.to_string().contains("free some space"), "{error}");

        let (reader, writer) = io::pipe().expect("pipe");
        drop(reader);
        let mut sink = Sink::new("standard output", Box::new(writer));
        let source = sink.write_all(b"x").and_then(|()| sink.flush()).expect_err("closed");
        assert!(WriteError::new(sink.name(), source).is_closed_pipe());
    }

    #[test]
    fn replacing_leaves_no_temporary_file_behind() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("metrics.prom");
        write_atomically(&path, b"one\n", 0o644).expect("write");
        write_atomically(&path, b"two\n", 0o644).expect("write");
        assert_eq!(std::fs::read(&path).expect("read"), b"two\n");
        assert_eq!(std::fs::read_dir(dir.path()).expect("list").count(), 1);
        let nowhere = dir.path().join("none").join("metrics.prom");
        assert!(write_atomically(&nowhere, b"x", 0o600).is_err());
    }

    #[test]
    fn a_whole_file_replaces_the_old_one_or_leaves_it_and_names_its_option() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("report.html");
        std::fs::write(&path, "old").expect("write");
        let mut file = WholeFile::new(&path, "--report").expect("replaceable");
        file.flush().and_then(|()| file.write_all(b"ne")).expect("held");
        file.write_all(b"w").expect("held");
        assert_eq!(std::fs::read(&path).expect("read"), b"old", "until it is whole");
        file.flush().and_then(|()| file.flush()).expect("written");
        assert_eq!(std::fs::read(&path).expect("read"), b"new");
        assert_eq!(std::fs::read_dir(dir.path()).expect("list").count(), 1);
        let full = Path::new("/dev/full");
        let mut file = WholeFile::new(full, "--report").expect("a device");
        let source = file.write_all(b"x").and_then(|()| file.flush()).expect_err("full");
        let error = WriteError::new("another", source).to_string();
        assert!(error.contains("/dev/full") && error.ends_with("with --report"), "{error}");
    }

    #[test]
    fn what_cannot_be_replaced_is_known_before_and_a_device_is_written_to() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("metrics.prom");
        check_replaceable(&path).expect("a new file");
        assert_eq!(std::fs::read_dir(dir.path()).expect("list").count(), 0);
        std::fs::write(&path, "old").expect("write");
        check_replaceable(&path).expect("an old file");
        assert_eq!(std::fs::read(&path).expect("read"), b"old");
        for (path, remedy) in [(dir.path(), "file in it"), (&path.join("x"), "")] {
            let error = check_replaceable(path).expect_err("no place for a file").to_string();
            assert!(error.contains(remedy), "{error}");
        }
        for device in ["/dev/null", "/dev/full"] {
            check_replaceable(Path::new(device)).expect("a device");
        }
        write_atomically(Path::new("/dev/null"), b"x", 0o600).expect("write");
        assert!(write_atomically(Path::new("/dev/full"), b"x", 0o600).is_err());
        let link = dir.path().join("to-null");
        std::os::unix::fs::symlink("/dev/null", &link).expect("link");
        write_atomically(&link, b"x", 0o600).expect("write");
        assert!(link.is_symlink() && !Path::new("/dev/null").is_file());
    }
}
