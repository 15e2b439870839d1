//! Reads certificates into facts.

use super::Certificate;
use crate::protocol::ServiceFacts;
use crate::time::Timestamp;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use x509_parser::asn1_rs::Tag;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// Longest certificate that is read, bytes: those with hundreds of names have some 20 kB.
const MAX_CERTIFICATE: usize = 32 << 10;

/// Reads the first certificate in `der`; `None` if it is none.
pub(super) fn read(der: &[u8]) -> Option<Certificate> {
    if der.len() > MAX_CERTIFICATE {
        return None;
    }
    let (_, found) = X509Certificate::from_der(der).ok()?;
    let of = &found.tbs_certificate;
    let mut certificate = Certificate {
        subject: text_of(&of.subject),
        issuer: text_of(&of.issuer),
        self_signed: of.subject.as_raw() == of.issuer.as_raw(),
        expires: time(of.validity.not_after.timestamp()),
        fingerprint: digits(&Sha256::digest(found.as_raw())),
        ..Certificate::default()
    };
    certificate.not_before = time(of.validity.not_before.timestamp()).to_string();
    certificate.not_after = certificate.expires.to_string();
    if let Ok(Some(names)) = of.subject_alternative_name() {
        for name in &names.value.general_names {
            if let GeneralName::DNSName(name) = name {
                ServiceFacts::add(&mut certificate.names, name);
            }
        }
    }
    Some(certificate)
}

/// The common name, or else the organisation or its unit.
fn text_of(name: &X509Name<'_>) -> Option<String> {
    let mut parts = name
        .iter_common_name()
        .chain(name.iter_organization())
        .chain(name.iter_organizational_unit());
    let mut text = None;
    ServiceFacts::set(&mut text, &parts.find_map(string)?);
    text
}

/// The text of an attribute in any string type (X.520 DirectoryString).
fn string(of: &AttributeTypeAndValue<'_>) -> Option<String> {
    let bytes = of.as_slice();
    let text: String = match of.attr_value().tag() {
        Tag::BmpString => {
            let pairs = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(pairs).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
        // Everyone who still writes T.61 writes Latin 1.
        Tag::T61String => bytes.iter().map(|byte| char::from(*byte)).collect(),
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String | Tag::NumericString => {
            String::from_utf8_lossy(bytes).into_owned()
        }
        _ => return None,
    };
    Some(text).filter(|text| !text.trim().is_empty())
}

fn time(seconds: i64) -> Timestamp {
    Timestamp(seconds.saturating_mul(1_000_000_000))
}

fn digits(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
