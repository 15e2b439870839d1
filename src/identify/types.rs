//! Output of this stage: owned, small, without raw values.

use super::record::Identity;
use crate::capture::PacketSpan;
use crate::content::{Evidence, MarkSet};
use crate::flow::Direction;
use crate::phi::{Phi, PhiBuf};
use crate::protocol::ServiceFacts;
use crate::rules::{Kind, KindSet};
use crate::time::Timestamp;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A keyed pseudonym: the first 96 bits of BLAKE3, keyed per deployment, over the kind, the issuer and the normalised
/// value. Nothing can be looked up without the key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token(pub(in crate::identify) [u8; 12]);

impl Token {
    /// An existing pseudonym, from its bytes.
    pub const fn from_bytes(bytes: [u8; 12]) -> Self {
        Self(bytes)
    }

    /// The pseudonym's bytes.
    pub const fn bytes(&self) -> &[u8; 12] {
        &self.0
    }

    /// The pseudonym of something that is no person, from a keyed hash of it.
    pub fn of_hash(hash: &[u8; 32]) -> Self {
        let mut bytes = [0; 12];
        bytes.copy_from_slice(&hash[..12]);
        Self(bytes)
    }

    /// A pseudonym from its text, without prefix.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != TOKEN_TEXT {
            return None;
        }
        let mut all: u128 = 0;
        for character in text.bytes() {
            let digit = match character {
                b'a'..=b'z' => character - b'a',
                b'2'..=b'7' => character - b'2' + 26,
                _ => return None,
            };
            all = all << 5 | u128::from(digit);
        }
        // Zero bits fill the last character.
        let bytes = (all >> 4).to_be_bytes();
        let token = Self(bytes[4..].try_into().ok()?);
        (all & 15 == 0).then_some(token)
    }

    /// Its first bits, which suffice to look it up.
    #[inline]
    pub(in crate::identify) const fn front(self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

/// It is a keyed hash already: its first bits are as distinct as all of them.
impl Hash for Token {
    fn hash<H: Hasher>(&self, to: &mut H) {
        to.write_u64(self.front());
    }
}

/// Characters of a token.
const TOKEN_TEXT: usize = 20;

impl Token {
    /// Base32 (RFC 4648 alphabet in lower case); the prefix (`p_`, `i_`) is the writer's.
    pub fn text(&self) -> [u8; TOKEN_TEXT] {
        const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let mut text = [0; TOKEN_TEXT];
        // Zero bits fill the last character.
        // The last half are the low fifty bits, the first half those above them: shifts of one word each
        // are cheaper than those of a number of 128 bits.
        let all = self.0.iter().fold(0, |value, byte| (value << 8) | u128::from(*byte)) << 4;
        let (high, low) = ((all >> 50) as u64, all as u64);
        let (front, back) = text.split_at_mut(TOKEN_TEXT / 2);
        for (at, character) in front.iter_mut().rev().enumerate() {
            *character = ALPHABET[(high >> (5 * at)) as usize & 31];
        }
        for (at, character) in back.iter_mut().rev().enumerate() {
            *character = ALPHABET[(low >> (5 * at)) as usize & 31];
        }
        text
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.text()).unwrap_or_default())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({self})")
    }
}

/// The part of a value that may be shown. Made only by `identify`, which knows whether `--reveal` was given.
#[derive(Clone)]
pub struct DisplayValue(DisplayForm);

#[derive(Clone)]
enum DisplayForm {
    Masked(Arc<str>),
    /// Still a raw value, and wiped like one.
    Revealed(PhiBuf),
}

impl DisplayValue {
    /// A mask.
    pub(in crate::identify) fn mask(text: Arc<str>) -> Self {
        Self(DisplayForm::Masked(text))
    }
    /// The value itself.
    pub(in crate::identify) fn reveal(value: Phi<'_>) -> Self {
        Self(DisplayForm::Revealed(value.to_buf()))
    }
    /// The text for outputs: masked, or the value itself under `--reveal`.
    pub fn text(&self) -> &str {
        match &self.0 {
            DisplayForm::Masked(text) => text,
            DisplayForm::Revealed(value) => value.as_phi().expose(),
        }
    }
    /// Whether the text is masked.
    pub const fn masked(&self) -> bool {
        matches!(self.0, DisplayForm::Masked(_))
    }
}

/// The pseudonyms that distinguish a patient from others, for [`super::People`].
#[derive(Clone, Default)]
pub struct Traits(pub(in crate::identify) Arc<Identity>);

/// Records of a patient of a flow that contained nothing new.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Repeated {
    /// The patient's pseudonym in the flow.
    pub patient: Token,
    /// Records that were not passed on before.
    pub new: u32,
    /// Records of the patient in the flow so far.
    pub total: u32,
}

/// One identifier of a patient.
#[derive(Clone)]
pub struct Identifier {
    /// Its kind.
    pub kind: Kind,
    /// The part that may be shown.
    pub shown: DisplayValue,
    /// Its pseudonym.
    pub token: Token,
    /// Its pseudonym regardless of its issuer, if it has one.
    pub unissued: Token,
    /// Where it was found.
    pub field: Arc<str>,
    /// The rule that named it.
    pub rule: Arc<str>,
    /// 0 to 1.
    pub confidence: f32,
    /// Why it is an identifier.
    pub evidence: Evidence,
}

/// All that is known so far of one patient in one flow. Passed on when the patient's first record is complete, and
/// again whenever a later record adds identifiers.
#[derive(Clone)]
pub struct Finding {
    /// Index of the patient within the flow, from 0, in the order of appearance.
    pub ordinal: u32,
    /// False the first time.
    pub update: bool,
    /// Packet time of the record that caused it: of the last packet that carried any of it.
    pub time: Timestamp,
    /// The packets that carried the patient's records in this flow so far.
    pub packets: PacketSpan,
    /// The patient's pseudonym.
    pub patient: Token,
    /// Traits by which the patient is recognised in other flows.
    pub traits: Traits,
    /// Every identifier so far, in the order of appearance.
    pub identifiers: Arc<Vec<Identifier>>,
    /// Every kind of identifier so far.
    pub kinds: KindSet,
    /// Kinds that the patient's last finding did not have.
    pub new_kinds: KindSet,
    /// Records of this patient in this flow so far.
    pub records: u32,
    /// Records that were not passed on before, with a finding or by [`super::Patients::take_records`].
    pub new_records: u32,
    /// The rule that makes it an alert (`rules/policy.toml`).
    pub alert: Arc<crate::rules::AlertRule>,
    /// Direction of the record.
    pub direction: Direction,
    /// `C-FIND`, `ADT^A01`, `GET`...
    pub operation: Arc<str>,
    /// Layers outside in.
    pub carrier: Arc<[&'static str]>,
    /// Marks of the patient's records.
    pub marks: MarkSet,
    /// The facts when the record was complete. Facts from later in the same packet are not included: a finding must
    /// not depend on segmentation.
    pub facts: Arc<ServiceFacts>,
}

#[cfg(test)]
impl Token {
    /// For tests of later stages.
    pub(crate) const fn of(bytes: [u8; 12]) -> Self {
        Self(bytes)
    }
}

#[cfg(test)]
impl DisplayValue {
    /// For tests of later stages.
    pub(crate) fn of(text: &str, masked: bool) -> Self {
        if masked { Self::mask(text.into()) } else { Self::reveal(Phi::new(text)) }
    }
}
