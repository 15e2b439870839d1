//! Files in calls and replies: NFS 2 (RFC 1094), NFS 3 (RFC 1813), and MOUNT. NFS 4 is in [`super::compound`].

use super::rpc::{self, Head, Protection};
use super::xdr::Xdr;
use super::{MAX_HANDLE, compound};
use crate::protocol::files::{Handle, MAX_NAME};
use crate::syntax::ElementError;

/// Operations of a compound that are kept.
pub(super) const MAX_STEPS: usize = 16;
/// Longest name that is read, bytes.
pub(super) const MAX_NAME_READ: usize = 4096;
/// Length of file attributes of NFS 2 and 3.
const ATTRIBUTES_2: usize = 68;
const ATTRIBUTES_3: usize = 84;

/// An action that a message requests or answers.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// A request for the handle of a file.
    Lookup(String),
    /// The answer.
    Found(Option<Handle>),
    /// A request for bytes from this offset on.
    Read(Handle, u64),
    /// A request to commit written data.
    Commit(Handle),
    /// The file is closed.
    Close(Handle),
    /// A folder is mounted.
    Mount(String),
}

/// The file bytes in a message.
#[derive(Debug, PartialEq)]
pub(super) struct Data {
    /// Their offset in the message.
    pub(super) at: usize,
    pub(super) len: usize,
    pub(super) of: DataOf,
}

#[derive(Debug, PartialEq)]
pub(super) enum DataOf {
    /// Written to a file at this offset.
    Write(Handle, u64),
    /// Read, and whether they reach the end of the file.
    Read { end: bool },
}

/// Properties of a call that its reply needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct PendingCall {
    pub(super) version: u32,
    pub(super) procedure: u32,
    pub(super) protection: Protection,
}

/// The parts of interest of a message.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) xid: u32,
    pub(super) steps: Vec<Step>,
    pub(super) data: Option<Data>,
    /// It is a call whose reply is of interest.
    pub(super) asked: Option<PendingCall>,
    /// It is a call.
    pub(super) call: bool,
    /// Its protection, if it is a call.
    pub(super) protection: Option<Protection>,
}

impl Message {
    pub(super) fn step(&mut self, step: Step) {
        if self.steps.len() < MAX_STEPS {
            self.steps.push(step);
        }
    }

    /// Reads the front of a message of `size` bytes. `asked`: properties of the call that a reply answers.
    pub(super) fn read(
        data: &[u8],
        size: Option<usize>,
        asked: impl FnOnce(u32) -> Option<PendingCall>,
    ) -> Result<Self, ElementError> {
        let mut xdr = Xdr::new(data);
        let mut message = Self::default();
        match Head::read(&mut xdr)? {
            Head::Call { xid, program, version, procedure, protection } => {
                message.xid = xid;
                message.call = true;
                message.protection = Some(protection);
                if matches!(protection, Protection::Closed(_)) {
                    return Ok(message);
                }
                let asked = PendingCall { version, procedure, protection };
                match (program, version, procedure) {
                    (rpc::NFS, 2, _) => message.call_2(&mut xdr, asked)?,
                    (rpc::NFS, 3, _) => message.call_3(&mut xdr, asked)?,
                    (rpc::NFS, 4, 1) => compound::call(&mut message, &mut xdr, asked)?,
                    // MNT (RFC 1813 5.2.1)
                    (rpc::MOUNT, 1..=3, 1) => message.step(Step::Mount(name(&mut xdr)?)),
                    _ => {}
                }
            }
            Head::Reply { xid, success } => {
                message.xid = xid;
                let asked = asked(xid);
                if !success {
                    return Ok(message);
                }
                if asked.is_some_and(|a| a.protection == Protection::Integrity) {
                    xdr.bytes(8)?;
                }
                match asked {
                    Some(PendingCall { version: 2, procedure, .. }) => {
                        message.reply_2(&mut xdr, procedure)?;
                    }
                    Some(PendingCall { version: 3, procedure, .. }) => {
                        message.reply_3(&mut xdr, procedure)?;
                    }
                    Some(_) => compound::reply(&mut message, &mut xdr)?,
                    None => message.guess(&xdr, size)?,
                }
            }
        }
        Ok(message)
    }

    /// Whether `data` begins with a reply of `size` bytes that contains file bytes.
    pub(super) fn is_read_reply(data: &[u8], size: usize) -> Result<bool, ElementError> {
        let reply = matches!(data.get(4..8), Some([0, 0, 0, 1]));
        Ok(reply && Self::read(data, Some(size), |_| None)?.data.is_some())
    }

    /// A reply to an unseen call: one with file bytes has a matching length.
    fn guess(&mut self, xdr: &Xdr<'_>, size: Option<usize>) -> Result<(), ElementError> {
        let mut words = xdr.clone();
        let (status, second, third) = (words.u32()?, words.u32()?, words.u32()?);
        if status != 0 {
            return Ok(());
        }
        // Attributes of a regular file follow, or a compound without a tag.
        let mut xdr = xdr.clone();
        match (second, third) {
            (1, 1) => self.reply_3(&mut xdr, READ)?,
            (0, 1..=MAX_GUESSED) => compound::reply(self, &mut xdr)?,
            _ => return Ok(()),
        }
        self.steps.clear();
        let fits = |data: &Data| {
            let end = data.at + data.len.next_multiple_of(4);
            data.len > 0 && size.is_some_and(|size| end <= size && size - end < MAX_BEHIND)
        };
        self.data = self.data.take().filter(fits);
        Ok(())
    }

    fn call_2(&mut self, xdr: &mut Xdr<'_>, asked: PendingCall) -> Result<(), ElementError> {
        match asked.procedure {
            LOOKUP_2 | CREATE_2 => {
                xdr.bytes(32)?;
                self.step(Step::Lookup(name(xdr)?));
                self.asked = Some(asked);
            }
            READ => {
                let file = hash(xdr.bytes(32)?);
                self.step(Step::Read(file, u64::from(xdr.u32()?)));
                self.asked = Some(asked);
            }
            WRITE_2 => {
                let file = hash(xdr.bytes(32)?);
                let (_begin, at, _total) = (xdr.u32()?, xdr.u32()?, xdr.u32()?);
                self.bytes(xdr, DataOf::Write(file, u64::from(at)))?;
            }
            _ => {}
        }
        Ok(())
    }

    fn call_3(&mut self, xdr: &mut Xdr<'_>, asked: PendingCall) -> Result<(), ElementError> {
        match asked.procedure {
            LOOKUP_3 | CREATE_3 => {
                xdr.opaque(MAX_HANDLE)?;
                self.step(Step::Lookup(name(xdr)?));
                self.asked = Some(asked);
            }
            READ => {
                let file = handle(xdr)?;
                self.step(Step::Read(file, xdr.u64()?));
                self.asked = Some(asked);
            }
            WRITE_3 => {
                let file = handle(xdr)?;
                let at = xdr.u64()?;
                let (_count, stable) = (xdr.u32()?, xdr.u32()?);
                // FILE_SYNC: nothing is left to commit (RFC 1813 3.3.7).
                if stable == 2 && at == 0 {
                    self.step(Step::Commit(file));
                }
                self.bytes(xdr, DataOf::Write(file, at))?;
            }
            COMMIT_3 => {
                let file = handle(xdr)?;
                self.step(Step::Commit(file));
            }
            _ => {}
        }
        Ok(())
    }

    fn reply_2(&mut self, xdr: &mut Xdr<'_>, procedure: u32) -> Result<(), ElementError> {
        let done = xdr.u32()? == 0;
        match procedure {
            READ if done => {
                xdr.bytes(ATTRIBUTES_2)?;
                // NFS 2 does not indicate the end of a file.
                self.bytes(xdr, DataOf::Read { end: false })?;
            }
            LOOKUP_2 | CREATE_2 => {
                let found = if done { Some(hash(xdr.bytes(32)?)) } else { None };
                self.step(Step::Found(found));
            }
            _ => {}
        }
        Ok(())
    }

    fn reply_3(&mut self, xdr: &mut Xdr<'_>, procedure: u32) -> Result<(), ElementError> {
        let done = xdr.u32()? == 0;
        match procedure {
            READ if done => {
                if xdr.bool()? {
                    xdr.bytes(ATTRIBUTES_3)?;
                }
                xdr.u32()?;
                let end = xdr.bool()?;
                self.bytes(xdr, DataOf::Read { end })?;
            }
            LOOKUP_3 if done => {
                let found = handle(xdr)?;
                self.step(Step::Found(Some(found)));
            }
            CREATE_3 if done => {
                let found = if xdr.bool()? { Some(handle(xdr)?) } else { None };
                self.step(Step::Found(found));
            }
            LOOKUP_3 | CREATE_3 => self.step(Step::Found(None)),
            _ => {}
        }
        Ok(())
    }

    /// Opaque bytes of a file are next.
    pub(super) fn bytes(&mut self, xdr: &mut Xdr<'_>, of: DataOf) -> Result<(), ElementError> {
        let len = xdr.u32()? as usize;
        self.data = Some(Data { at: xdr.position(), len, of });
        Ok(())
    }
}

/// Operations of a compound whose call was not seen.
const MAX_GUESSED: u32 = 8;
/// Bytes behind the file bytes of such a reply.
const MAX_BEHIND: usize = 256;

/// Procedures (RFC 1094 2.2, RFC 1813 3.3).
const READ: u32 = 6;
const LOOKUP_2: u32 = 4;
const WRITE_2: u32 = 8;
const CREATE_2: u32 = 9;
const LOOKUP_3: u32 = 3;
const WRITE_3: u32 = 7;
const CREATE_3: u32 = 8;
const COMMIT_3: u32 = 21;

/// A file handle, by a hash: handles are opaque and of variable length.
pub(super) fn handle(xdr: &mut Xdr<'_>) -> Result<Handle, ElementError> {
    Ok(hash(xdr.opaque(MAX_HANDLE)?))
}

fn hash(handle: &[u8]) -> Handle {
    use std::hash::{BuildHasher as _, Hasher as _};
    let of = |seed: u64| {
        let mut hasher = foldhash::quality::FixedState::with_seed(seed).build_hasher();
        hasher.write(handle);
        hasher.finish()
    };
    (0, (u128::from(of(1)) << 64 | u128::from(of(2))).to_be_bytes())
}

/// A name, cut to what is kept.
pub(super) fn name(xdr: &mut Xdr<'_>) -> Result<String, ElementError> {
    let name = xdr.opaque(MAX_NAME_READ)?;
    let name = name.get(..name.len().min(MAX_NAME)).unwrap_or(name);
    Ok(String::from_utf8_lossy(name).into_owned())
}
