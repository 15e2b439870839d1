//! Calls and replies of ONC RPC (RFC 5531), and their protection by RPCSEC_GSS (RFC 2203).

use super::xdr::Xdr;
use crate::syntax::ElementError;

/// Programs (RFC 5531 13).
pub(super) const NFS: u32 = 100_003;
pub(super) const MOUNT: u32 = 100_005;

/// Longest credentials and verifiers, bytes (RFC 5531 8.2).
const MAX_AUTH: usize = 400;
/// `RPCSEC_GSS` (RFC 2203 3).
const GSS: u32 = 6;
/// `RPCSEC_GSS_DATA` (RFC 2203 5): a call, rather than a step of the handshake.
const GSS_DATA: u32 = 0;

/// Protection of a call and its reply (RFC 2203 5.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Protection {
    /// The client only claims an identity (AUTH_SYS), or none.
    None,
    /// It authenticates.
    Proven,
    /// It authenticates, and the values lie between a sequence number and a checksum.
    Integrity,
    /// The values are encrypted, or the call is a step of the handshake.
    Closed(bool),
}

/// The header of a message.
#[derive(Clone, Copy, Debug)]
pub(super) enum Head {
    Call { xid: u32, program: u32, version: u32, procedure: u32, protection: Protection },
    Reply { xid: u32, success: bool },
}

impl Head {
    /// Reads the header; arguments or results follow.
    pub(super) fn read(xdr: &mut Xdr<'_>) -> Result<Self, ElementError> {
        let xid = xdr.u32()?;
        if xdr.bool()? {
            // MSG_ACCEPTED and SUCCESS (RFC 5531 9).
            if xdr.u32()? != 0 {
                return Ok(Self::Reply { xid, success: false });
            }
            xdr.u32()?;
            xdr.opaque(MAX_AUTH)?;
            return Ok(Self::Reply { xid, success: xdr.u32()? == 0 });
        }
        if xdr.u32()? != 2 {
            return Err(ElementError::Malformed);
        }
        let (program, version, procedure) = (xdr.u32()?, xdr.u32()?, xdr.u32()?);
        let flavor = xdr.u32()?;
        let credentials = xdr.opaque(MAX_AUTH)?;
        xdr.u32()?;
        xdr.opaque(MAX_AUTH)?;
        let protection = if flavor == GSS { gss(credentials) } else { Protection::None };
        if protection == Protection::Integrity {
            xdr.bytes(8)?;
        }
        Ok(Self::Call { xid, program, version, procedure, protection })
    }
}

/// By the credentials of a call (RFC 2203 5).
fn gss(credentials: &[u8]) -> Protection {
    let mut xdr = Xdr::new(credentials);
    let mut next = || xdr.u32().unwrap_or(u32::MAX);
    let (_version, procedure, _number, service) = (next(), next(), next(), next());
    match (procedure, service) {
        (GSS_DATA, 1) => Protection::Proven,
        (GSS_DATA, 2) => Protection::Integrity,
        (procedure, _) => Protection::Closed(procedure == GSS_DATA),
    }
}
