//! A part of a summary as an event carries it: JSON, compressed (RFC 1951), in base64 (RFC 4648).
//! It comes from a network and may be forged.

use super::access::{SeenAccess, ServiceKey, WireService};
use super::fact::{Fact, FactKey, FlowId, Pair, ProtocolName, Seen};
use super::sketch::HashedSet;
use super::summary::{Form, RunNumbers, Section, Share, Sketched, Summary};
use crate::identify::{StrongTrait, Token, TraitSet};
use crate::rules::{Kind, KindSet};
use crate::time::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr};

/// Format version. It changes with the meaning of a field and with the hash of issuers.
pub const VERSION: u32 = 1;
/// Most facts in a part.
pub const MAX_PART_FACTS: usize = 256;
/// Most sketches in a part, about 40 kB each.
const MAX_PART_SKETCHES: usize = 8;
/// Most services in a part, some 40 kB each at most.
const MAX_PART_SERVICES: usize = 16;
/// Longest data of a part, bytes in base64.
const MAX_DATA: usize = 768 << 10;
/// Longest JSON of a part, bytes; and its largest expansion, as bytes of JSON per byte of data
/// beyond the first ones. Pseudonyms and registers expand 3 to 14 times.
const MAX_JSON: u64 = 4 << 20;
const MAX_RATIO: u64 = 64;
const FREE_JSON: u64 = 64 << 10;
/// Most entries read from a list of facts, sketches or names.
const MAX_READ: usize = 4_096;
/// Longest name of a key, a run or a sensor, bytes.
const MAX_NAME: usize = 128;

/// A part of a summary.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// [`VERSION`].
    pub version: u32,
    /// Number of facts in `data`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub facts: u64,
    /// The facts, or whom services answer: base64 of compressed JSON.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub data: String,
    /// The run that `figures` belong to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub run: String,
    /// What the run has read so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figures: Option<RunNumbers>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero(n: &u64) -> bool {
    *n == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_none(score: &u8) -> bool {
    *score == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_false(of: &bool) -> bool {
    !*of
}

/// Why a part was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PartError {
    /// It has another version.
    #[error("version {0} of summaries; this phitap reads version {VERSION}")]
    Version(u32),
    /// It is damaged or forged.
    #[error("damaged")]
    Damaged,
}

#[derive(Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Data {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    facts: Vec<WireFact>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    sketches: Vec<WireSketch>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    services: Vec<WireService>,
}

/// Kind, token, hashes of the issuer.
type WireStrong = (Kind, String, u64, u64);
/// Token, tokens of the two words.
type WireName = (String, Option<(String, String)>);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireFact {
    c: SocketAddr,
    s: SocketAddr,
    t: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    i: Option<u32>,
    b: i64,
    p: String,
    #[serde(rename = "w")]
    patient: String,
    f: i64,
    l: i64,
    n: u32,
    v: u8,
    #[serde(default, skip_serializing_if = "is_none")]
    u: u8,
    #[serde(default, skip_serializing_if = "is_false")]
    o: bool,
    k: Vec<Kind>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ids: Vec<WireStrong>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    names: Vec<WireName>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    births: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSketch {
    c: IpAddr,
    s: SocketAddr,
    t: u8,
    p: String,
    f: i64,
    l: i64,
    v: u8,
    #[serde(default, skip_serializing_if = "is_none")]
    u: u8,
    #[serde(default, skip_serializing_if = "is_false")]
    o: bool,
    patients: WireSet,
    findings: WireSet,
    flows: WireSet,
    records: WireSet,
    kinds: BTreeMap<Kind, WireSet>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WireSet {
    Members(Vec<u64>),
    Registers(String),
}

fn token(text: &str) -> Option<Token> {
    Token::parse(text)
}

impl From<&Fact> for WireFact {
    fn from(fact: &Fact) -> Self {
        let Fact { key, seen } = fact;
        let text = |token: &Token| token.to_string();
        Self {
            c: key.flow.client,
            s: key.flow.server,
            t: key.flow.transport,
            i: key.flow.initial,
            b: key.flow.started.0,
            p: key.protocol.as_str().to_owned(),
            patient: text(&key.patient),
            f: seen.first.0,
            l: seen.last.0,
            n: seen.records,
            v: seen.severity,
            u: seen.unproven,
            o: seen.proven,
            k: seen.kinds.iter().collect(),
            ids: seen
                .traits
                .strong
                .iter()
                .map(|s| (s.kind, text(&s.token), s.issuer.0, s.issuer.1))
                .collect(),
            names: seen
                .traits
                .names
                .iter()
                .map(|(name, words)| (text(name), words.map(|[a, b]| (text(&a), text(&b)))))
                .collect(),
            births: seen.traits.births.iter().map(text).collect(),
        }
    }
}

impl WireFact {
    fn read(self) -> Option<Fact> {
        let lists = [self.k.len(), self.ids.len(), self.names.len(), self.births.len()];
        let scores = self.v.max(self.u);
        if lists.into_iter().any(|len| len > MAX_READ) || !matches!(self.t, 6 | 17) || scores > 100
        {
            return None;
        }
        let strong = self.ids.into_iter().map(|(kind, text, name, universal)| {
            Some(StrongTrait { kind, token: token(&text)?, issuer: (name, universal) })
        });
        let names = self.names.into_iter().map(|(name, words)| {
            let words = match words {
                Some((a, b)) => Some([token(&a)?, token(&b)?]),
                None => None,
            };
            Some((token(&name)?, words))
        });
        let births = self.births.iter().map(|text| token(text));
        let traits = TraitSet::new(
            strong.collect::<Option<_>>()?,
            names.collect::<Option<_>>()?,
            births.collect::<Option<_>>()?,
        );
        Some(Fact {
            key: FactKey {
                protocol: ProtocolName::new(&self.p)?,
                flow: FlowId {
                    client: self.c,
                    server: self.s,
                    transport: self.t,
                    initial: self.i,
                    started: Timestamp(self.b),
                },
                patient: token(&self.patient)?,
            },
            seen: Seen {
                first: Timestamp(self.f),
                last: Timestamp(self.l),
                records: self.n,
                kinds: self.k.into_iter().collect::<KindSet>(),
                severity: self.v,
                unproven: self.u,
                proven: self.o,
                traits,
            },
        })
    }
}

impl From<&HashedSet> for WireSet {
    fn from(set: &HashedSet) -> Self {
        match set {
            HashedSet::Exact(members) => Self::Members(members.iter().copied().collect()),
            HashedSet::Sketch(registers) => Self::Registers(BASE64.encode(registers.as_slice())),
        }
    }
}

impl WireSet {
    fn read(&self) -> Option<HashedSet> {
        match self {
            Self::Members(members) if members.len() <= MAX_READ => {
                let mut set = HashedSet::default();
                members.iter().for_each(|hash| set.insert(*hash));
                Some(set)
            }
            Self::Members(_) => None,
            Self::Registers(text) => HashedSet::of_registers(&BASE64.decode(text).ok()?),
        }
    }
}

impl WireSketch {
    fn new(pair: &Pair, of: &Sketched) -> Self {
        Self {
            c: pair.client,
            s: pair.server,
            t: pair.transport,
            p: pair.protocol.as_str().to_owned(),
            f: of.first.0,
            l: of.last.0,
            v: of.severity,
            u: of.unproven,
            o: of.proven,
            patients: (&of.patients).into(),
            findings: (&of.findings).into(),
            flows: (&of.flows).into(),
            records: (&of.records).into(),
            kinds: of.kinds.iter().map(|(kind, set)| (*kind, set.into())).collect(),
        }
    }

    fn read(&self) -> Option<(Pair, Sketched)> {
        if !matches!(self.t, 6 | 17) || self.v.max(self.u) > 100 {
            return None;
        }
        let pair = Pair {
            client: self.c,
            server: self.s,
            transport: self.t,
            protocol: ProtocolName::new(&self.p)?,
        };
        let kinds = self.kinds.iter().map(|(kind, set)| Some((*kind, set.read()?)));
        let sketched = Sketched {
            first: Timestamp(self.f),
            last: Timestamp(self.l),
            severity: self.v,
            unproven: self.u,
            proven: self.o,
            patients: self.patients.read()?,
            findings: self.findings.read()?,
            flows: self.flows.read()?,
            records: self.records.read()?,
            kinds: kinds.collect::<Option<_>>()?,
        };
        Some((pair, sketched))
    }
}

fn pack(data: &Data) -> String {
    pack_json(&serde_json::to_vec(data).unwrap_or_default())
}

fn pack_json(json: &[u8]) -> String {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(4));
    // Writing to memory cannot fail.
    let _ = encoder.write_all(json);
    BASE64.encode(encoder.finish().unwrap_or_default())
}

fn unpack(text: &str) -> Option<Data> {
    if text.len() > MAX_DATA {
        return None;
    }
    let packed = BASE64.decode(text).ok()?;
    let mut json = Vec::new();
    let most = MAX_JSON.min(FREE_JSON + MAX_RATIO * packed.len() as u64);
    DeflateDecoder::new(&*packed).take(most + 1).read_to_end(&mut json).ok()?;
    if json.len() as u64 > most {
        return None;
    }
    serde_json::from_slice(&json).ok()
}

/// The contents of a part.
#[derive(Default)]
pub struct Opened {
    /// Its facts.
    pub facts: Vec<Fact>,
    /// Its sketches.
    pub sketches: Sketches,
    /// Whom services answer.
    pub services: Vec<(ServiceKey, SeenAccess)>,
}

/// Sketches of exposures.
#[derive(Default)]
pub struct Sketches(Vec<(Pair, Sketched)>);

impl Sketches {
    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Opened {
    /// The exposures that have sketches.
    pub fn pairs(&self) -> impl Iterator<Item = Pair> + '_ {
        self.sketches.0.iter().map(|(pair, _)| *pair)
    }

    /// Adds the sketches to a summary.
    pub fn add_sketches(&self, key_id: &str, into: &mut Summary) {
        if self.sketches.is_empty() {
            return;
        }
        if let Some((section, Share { sketched, .. })) = into.section(key_id) {
            self.sketches
                .0
                .iter()
                .for_each(|(pair, sketch)| section.add_sketch(*pair, sketch, sketched));
        }
    }
}

/// Serialises a fact for a store.
pub fn fact_to_json(key: &FactKey, seen: &Seen) -> Vec<u8> {
    let fact = Fact { key: *key, seen: seen.clone() };
    serde_json::to_vec(&WireFact::from(&fact)).unwrap_or_default()
}

/// Reverses [`fact_to_json`]; none if the data is damaged.
pub fn fact_from_json(json: &[u8]) -> Option<Fact> {
    serde_json::from_slice::<WireFact>(json).ok()?.read()
}

impl Part {
    /// A part with these facts, at most [`MAX_PART_FACTS`].
    pub fn of_facts<'a>(facts: impl Iterator<Item = (&'a FactKey, &'a Seen)>) -> Self {
        let wire = |(key, seen): (&FactKey, &Seen)| {
            WireFact::from(&Fact { key: *key, seen: seen.clone() })
        };
        let data =
            Data { facts: facts.take(MAX_PART_FACTS).map(wire).collect(), ..Data::default() };
        let facts = data.facts.len() as u64;
        Self { version: VERSION, facts, data: pack(&data), ..Self::default() }
    }

    /// A part that says whom a service answers.
    pub fn of_service(key: &ServiceKey, seen: &SeenAccess) -> Self {
        Self::of_services([(key, seen)])
    }

    fn of_services<'a>(
        services: impl IntoIterator<Item = (&'a ServiceKey, &'a SeenAccess)>,
    ) -> Self {
        let services = services.into_iter().map(|(key, seen)| WireService::new(key, seen));
        let data = Data { services: services.collect(), ..Data::default() };
        Self { version: VERSION, data: pack(&data), ..Self::default() }
    }

    /// A part with the given JSON, valid or not, for tests and fuzz targets.
    pub fn of_json(json: &[u8]) -> Self {
        let facts = serde_json::from_slice::<Data>(json).map_or(0, |data| data.facts.len() as u64);
        Self { version: VERSION, facts, data: pack_json(json), ..Self::default() }
    }

    /// A part with the numbers of a run.
    pub fn of_run(run: String, figures: RunNumbers) -> Self {
        Self { version: VERSION, run, figures: Some(figures), ..Self::default() }
    }

    /// Decodes the part. `key_id` and `sensor` are those of its event.
    ///
    /// # Errors
    /// The part has another version or is damaged.
    pub fn open(&self, key_id: &str, sensor: &str) -> Result<Opened, PartError> {
        if self.version != VERSION {
            return Err(PartError::Version(self.version));
        }
        if [key_id, sensor, &*self.run].into_iter().any(|name| name.len() > MAX_NAME) {
            return Err(PartError::Damaged);
        }
        if self.data.is_empty() {
            return if self.facts == 0 { Ok(Opened::default()) } else { Err(PartError::Damaged) };
        }
        let data = unpack(&self.data).ok_or(PartError::Damaged)?;
        if data.facts.len() > MAX_READ
            || data.sketches.len() > MAX_READ
            || data.services.len() > MAX_READ
            || data.facts.len() as u64 != self.facts
            || key_id.is_empty()
        {
            return Err(PartError::Damaged);
        }
        let facts = data.facts.into_iter().map(WireFact::read).collect::<Option<_>>();
        let sketches = data.sketches.iter().map(WireSketch::read).collect::<Option<_>>();
        let services = data.services.into_iter().map(WireService::read).collect::<Option<_>>();
        match (facts, sketches, services) {
            (Some(facts), Some(sketches), Some(services)) => {
                Ok(Opened { facts, sketches: Sketches(sketches), services })
            }
            _ => Err(PartError::Damaged),
        }
    }

    /// Adds the part to a summary and returns the number of new facts. `key_id` and `sensor` are
    /// those of its event.
    ///
    /// # Errors
    /// The part has another version or is damaged; nothing was added.
    pub fn read(&self, key_id: &str, sensor: &str, into: &mut Summary) -> Result<u64, PartError> {
        let opened = self.open(key_id, sensor)?;
        let new = opened.facts.iter().filter(|fact| into.add(key_id, fact)).count() as u64;
        opened.add_sketches(key_id, into);
        for (service, seen) in &opened.services {
            into.add_service(key_id, *service, seen);
        }
        if let Some(figures) = self.figures {
            into.add_run((sensor.to_owned(), self.run.clone()), figures);
        }
        Ok(new)
    }
}

impl Summary {
    /// Whom services answer, as parts, for one key.
    pub fn service_parts(&self, key_id: &str) -> Vec<Part> {
        let services = self.services.iter().filter(|((of, _), _)| of == key_id);
        let services: Vec<_> = services.map(|((_, key), seen)| (key, seen)).collect();
        services.chunks(MAX_PART_SERVICES).map(|part| Part::of_services(part.to_vec())).collect()
    }
}

impl Section {
    /// The exposures held as sketches only.
    pub fn sketched_pairs(&self) -> Vec<Pair> {
        match &self.0 {
            Form::Facts(_) => Vec::new(),
            Form::Sketches(sketches) => sketches.keys().copied().collect(),
        }
    }

    /// The sketches of an exposure held as sketches only.
    pub fn part_of(&self, pair: &Pair) -> Option<Part> {
        let Form::Sketches(sketches) = &self.0 else { return None };
        let sketches = vec![WireSketch::new(pair, sketches.get(pair)?)];
        let data = Data { sketches, ..Data::default() };
        Some(Part { version: VERSION, data: pack(&data), ..Part::default() })
    }

    /// The whole summary as parts.
    pub fn parts(&self) -> Vec<Part> {
        match &self.0 {
            Form::Facts(facts) => {
                let facts: Vec<_> = facts.iter().collect();
                let parts = facts.chunks(MAX_PART_FACTS);
                parts.map(|part| Part::of_facts(part.iter().copied())).collect()
            }
            Form::Sketches(sketches) => {
                let sketches: Vec<_> = sketches.iter().collect();
                let part = |part: &[(&Pair, &Sketched)]| {
                    let sketches = part.iter().map(|(pair, of)| WireSketch::new(pair, of));
                    let data = Data { sketches: sketches.collect(), ..Data::default() };
                    Part { version: VERSION, data: pack(&data), ..Part::default() }
                };
                sketches.chunks(MAX_PART_SKETCHES).map(part).collect()
            }
        }
    }
}
