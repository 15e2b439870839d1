//! Compounds of NFS 4 (RFC 7530 16.2), 4.1 (RFC 8881) and 4.2 (RFC 7862). They are read up to the bytes of a file, or
//! to the first unknown operation.

use super::MAX_HANDLE;
use super::message::{DataOf, Message, PendingCall, Step, handle, name};
use super::xdr::Xdr;
use crate::protocol::files::Handle;
use crate::syntax::ElementError;

/// Operations of a compound.
const MAX_OPERATIONS: u32 = 64;
/// Longest tag, owner and list of attributes, bytes.
const MAX_TAG: usize = 1024;
/// Length of a state id (RFC 7530 9.1.4).
const STATEID: usize = 16;

/// Operations (RFC 8881 16.2.1, RFC 7862 12).
const ACCESS: u32 = 3;
const CLOSE: u32 = 4;
const COMMIT: u32 = 5;
const GETATTR: u32 = 9;
const GETFH: u32 = 10;
const LOOKUP: u32 = 15;
const LOOKUPP: u32 = 16;
const OPEN: u32 = 18;
const OPEN_CONFIRM: u32 = 20;
const PUTFH: u32 = 22;
const PUTPUBFH: u32 = 23;
const PUTROOTFH: u32 = 24;
const READ: u32 = 25;
const RESTOREFH: u32 = 31;
const SAVEFH: u32 = 32;
const SETATTR: u32 = 34;
const WRITE: u32 = 38;
const SEQUENCE: u32 = 53;
const READ_PLUS: u32 = 68;

/// The operations of a call.
pub(super) fn call(
    message: &mut Message,
    xdr: &mut Xdr<'_>,
    asked: PendingCall,
) -> Result<(), ElementError> {
    xdr.opaque(MAX_TAG)?;
    let _minor = xdr.u32()?;
    let count = xdr.u32()?;
    let (mut current, mut saved): (Option<Handle>, Option<Handle>) = (None, None);
    let mut called = None;
    for _ in 0..count.min(MAX_OPERATIONS) {
        match xdr.u32()? {
            PUTFH => current = Some(handle(xdr)?),
            PUTPUBFH | PUTROOTFH | LOOKUPP => current = None,
            SAVEFH => saved = current,
            RESTOREFH => current = saved,
            GETATTR => bitmap(xdr)?,
            ACCESS => {
                xdr.u32()?;
            }
            SEQUENCE => {
                xdr.bytes(32)?;
            }
            OPEN_CONFIRM => {
                xdr.bytes(STATEID + 4)?;
            }
            SETATTR => {
                xdr.bytes(STATEID)?;
                attributes(xdr)?;
            }
            LOOKUP => (current, called) = (None, Some(name(xdr)?)),
            OPEN => {
                if let Some(name) = open(xdr)? {
                    (current, called) = (None, Some(name));
                }
            }
            // The reply names the handle of the file that was last looked up or opened.
            GETFH => {
                if let Some(name) = called.take() {
                    message.step(Step::Lookup(name));
                    message.asked = Some(asked);
                }
            }
            READ | READ_PLUS => {
                xdr.bytes(STATEID)?;
                let at = xdr.u64()?;
                xdr.u32()?;
                let Some(file) = current else { return Ok(()) };
                message.step(Step::Read(file, at));
                message.asked = Some(asked);
                return Ok(());
            }
            WRITE => {
                xdr.bytes(STATEID)?;
                let at = xdr.u64()?;
                let _stable = xdr.u32()?;
                let Some(file) = current else { return Ok(()) };
                return message.bytes(xdr, DataOf::Write(file, at));
            }
            COMMIT => {
                xdr.bytes(12)?;
            }
            CLOSE => {
                xdr.bytes(4 + STATEID)?;
                if let Some(file) = current {
                    message.step(Step::Close(file));
                }
            }
            _ => return Ok(()),
        }
    }
    Ok(())
}

/// The results of a reply.
pub(super) fn reply(message: &mut Message, xdr: &mut Xdr<'_>) -> Result<(), ElementError> {
    let _status = xdr.u32()?;
    xdr.opaque(MAX_TAG)?;
    let count = xdr.u32()?;
    for _ in 0..count.min(MAX_OPERATIONS) {
        let operation = xdr.u32()?;
        // The first one that fails is the last.
        if xdr.u32()? != 0 {
            return Ok(());
        }
        match operation {
            PUTFH | PUTPUBFH | PUTROOTFH | LOOKUPP | LOOKUP | SAVEFH | RESTOREFH => {}
            GETATTR => attributes(xdr)?,
            ACCESS => {
                xdr.bytes(8)?;
            }
            SEQUENCE => {
                xdr.bytes(36)?;
            }
            OPEN_CONFIRM | CLOSE => {
                xdr.bytes(STATEID)?;
            }
            SETATTR => bitmap(xdr)?,
            GETFH => {
                let found = handle(xdr)?;
                message.step(Step::Found(Some(found)));
            }
            OPEN => opened(xdr)?,
            READ => {
                let end = xdr.bool()?;
                return message.bytes(xdr, DataOf::Read { end });
            }
            READ_PLUS => {
                let end = xdr.bool()?;
                // Only the first segment, and no hole (RFC 7862 15.10).
                if xdr.u32()? == 0 || xdr.u32()? != 0 {
                    return Ok(());
                }
                xdr.u64()?;
                return message.bytes(xdr, DataOf::Read { end });
            }
            _ => return Ok(()),
        }
    }
    Ok(())
}

/// Arguments of OPEN (RFC 7530 16.16.1, RFC 8881 18.16.1); the name, if there is one.
fn open(xdr: &mut Xdr<'_>) -> Result<Option<String>, ElementError> {
    // Number, access and deny, the client.
    xdr.bytes(4 + 8 + 8)?;
    xdr.opaque(MAX_TAG)?;
    // OPEN4_CREATE, and how.
    if xdr.bool()? {
        match xdr.u32()? {
            0 | 1 => attributes(xdr)?,
            2 => {
                xdr.bytes(8)?;
            }
            3 => {
                xdr.bytes(8)?;
                attributes(xdr)?;
            }
            _ => return Err(ElementError::Malformed),
        }
    }
    match xdr.u32()? {
        0 | 3 => Ok(Some(name(xdr)?)),
        1 => xdr.u32().map(|_| None),
        2 => {
            xdr.bytes(STATEID)?;
            Ok(Some(name(xdr)?))
        }
        5 => xdr.bytes(STATEID).map(|_| None),
        4 | 6 => Ok(None),
        _ => Err(ElementError::Malformed),
    }
}

/// Results of OPEN.
fn opened(xdr: &mut Xdr<'_>) -> Result<(), ElementError> {
    // State, change of the folder, flags.
    xdr.bytes(STATEID + 20 + 4)?;
    bitmap(xdr)?;
    // A delegation.
    match xdr.u32()? {
        0 => {}
        kind @ (1 | 2) => {
            xdr.bytes(STATEID + 4)?;
            if kind == 2 {
                xdr.bytes(12)?;
            }
            xdr.bytes(12)?;
            xdr.opaque(MAX_TAG)?;
        }
        3 => {
            // WND4_CONTENTION and WND4_RESOURCE are followed by more.
            if matches!(xdr.u32()?, 1 | 2) {
                xdr.u32()?;
            }
        }
        _ => return Err(ElementError::Malformed),
    }
    Ok(())
}

fn bitmap(xdr: &mut Xdr<'_>) -> Result<(), ElementError> {
    let words = xdr.u32()? as usize;
    if words > MAX_HANDLE {
        return Err(ElementError::Malformed);
    }
    xdr.bytes(4 * words).map(|_| ())
}

fn attributes(xdr: &mut Xdr<'_>) -> Result<(), ElementError> {
    /// Longest list of attributes, bytes: names of users and access lists are the longest.
    const MAX_ATTRIBUTES: usize = 16 << 10;
    bitmap(xdr)?;
    xdr.opaque(MAX_ATTRIBUTES).map(|_| ())
}
