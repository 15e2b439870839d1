//! Files of evidence: accessible to their owner only, and encrypted if recipients are named.

use crate::config::EvidenceSettings;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Files of one exposure: several runs may have the same id.
const MAX_OF_ONE: u32 = 100;

/// A file, with an optional encryption layer.
pub(super) enum Sealed {
    /// In cleartext.
    Plain(BufWriter<File>),
    /// Only recipients can open it.
    #[cfg(feature = "age")]
    Encrypted(Box<age::stream::StreamWriter<BufWriter<File>>>),
}

impl Sealed {
    /// A new file of the exposure `id`; one of an earlier run stays.
    pub fn create(settings: &EvidenceSettings, id: &str) -> io::Result<(Self, PathBuf)> {
        let ending = if settings.recipients.is_empty() { "pcapng" } else { "pcapng.age" };
        for n in 0..MAX_OF_ONE {
            let name = match n {
                0 => format!("{id}.{ending}"),
                n => format!("{id}.{n}.{ending}"),
            };
            let path = settings.folder.join(name);
            match new(&path) {
                Ok(file) => return Ok((Self::over(file, &settings.recipients)?, path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("there are too many files of this exposure"))
    }

    #[cfg(feature = "age")]
    fn over(file: File, recipients: &[String]) -> io::Result<Self> {
        let file = BufWriter::new(file);
        if recipients.is_empty() {
            return Ok(Self::Plain(file));
        }
        let recipients = parsed(recipients)?;
        let to = recipients.iter().map(|recipient| recipient as &dyn age::Recipient);
        let encryptor = age::Encryptor::with_recipients(to)
            .map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self::Encrypted(Box::new(encryptor.wrap_output(file)?)))
    }

    #[cfg(not(feature = "age"))]
    fn over(file: File, recipients: &[String]) -> io::Result<Self> {
        match recipients.first() {
            None => Ok(Self::Plain(BufWriter::new(file))),
            Some(_) => Err(io::Error::other("this phitap was built without the feature age")),
        }
    }

    /// Writes the rest, and the end.
    pub fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(mut file) => file.flush(),
            #[cfg(feature = "age")]
            Self::Encrypted(stream) => stream.finish()?.flush(),
        }
    }
}

impl Write for Sealed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            #[cfg(feature = "age")]
            Self::Encrypted(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            #[cfg(feature = "age")]
            Self::Encrypted(stream) => stream.flush(),
        }
    }
}

fn new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(feature = "age")]
fn parsed(recipients: &[String]) -> io::Result<Vec<age::x25519::Recipient>> {
    let of = |text: &String| {
        text.parse::<age::x25519::Recipient>().map_err(|_| io::Error::other(no_recipient(text)))
    };
    recipients.iter().map(of).collect()
}

#[cfg(feature = "age")]
fn no_recipient(text: &str) -> String {
    format!("{text:?} is not a recipient; give an age public key (age1...)")
}

/// Whether files could be encrypted for these recipients.
///
/// # Errors
/// The invalid recipient.
#[cfg(feature = "age")]
pub fn check_recipients(recipients: &[String]) -> io::Result<()> {
    parsed(recipients).map(drop)
}

/// Whether files could be encrypted for these recipients.
///
/// # Errors
/// If there are any.
#[cfg(not(feature = "age"))]
pub fn check_recipients(recipients: &[String]) -> io::Result<()> {
    match recipients {
        [] => Ok(()),
        _ => Err(io::Error::other("this phitap was built without the feature age")),
    }
}

/// Whether files can be made in the folder.
pub(super) fn probe(settings: &EvidenceSettings) -> io::Result<()> {
    check_recipients(&settings.recipients)?;
    let path = settings.folder.join(format!(".phitap-{}", std::process::id()));
    drop(new(&path)?);
    std::fs::remove_file(&path)
}
