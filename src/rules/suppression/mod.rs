//! `[[suppression]]`: findings that are known and accepted, by whom, why, and until when.
//!
//! An entry selects findings by client, service, alert rule and patient. Each is a list, one of
//! which must match, and all given lists must match. It expires by packet time, so that a capture
//! gives the same result on any day.

use crate::net::Cidr;
use crate::rules::compile::Compiler;
use crate::rules::entry::section_entry;
use crate::rules::error::LoadError;
use crate::rules::samples::Samples;
use crate::rules::sections::Section;
use crate::time::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

section_entry! {
    /// An entry as written in the file.
    pub(in crate::rules) struct Entry {
        /// Address blocks of clients.
        #[serde(default, deserialize_with = "texts")]
        client: Vec<Cidr>,
        /// Addresses, ports and host names of services.
        #[serde(default, deserialize_with = "texts")]
        service: Vec<Target>,
        /// Ids of alert rules.
        #[serde(default)]
        rule: Vec<String>,
        /// Patient tokens as in events; they are valid for one key.
        #[serde(default, deserialize_with = "texts")]
        patient: Vec<Pseudonym>,
        /// Who is responsible for it.
        owner: String,
        /// Why it is accepted.
        reason: String,
        /// The last day on which it is valid (UTC).
        expires: Day,
    }
}

/// Parses each text of a list; an error names the entry at fault.
fn texts<'de, D, T>(from: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: fmt::Display,
{
    let all = Vec::<String>::deserialize(from)?;
    let read = |text: &String| {
        text.parse().map_err(|fault| D::Error::custom(format!("{text:?}: {fault}")))
    };
    all.iter().map(read).collect()
}

/// A service, by address or by host name.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Target {
    /// `10.1.2.0/24`, `10.1.2.9:104`, `[2001:db8::9]:104`.
    Net(Cidr, Option<u16>),
    /// `:104`, at any address.
    Port(u16),
    /// `pacs.example.org`, `pacs.example.org:8042`; in lower case.
    Host(String, Option<u16>),
}

impl FromStr for Target {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FAULT: &str =
            "no service; write it like 10.1.2.9:104, 10.1.2.0/24, :104 or pacs.example.org";
        let port = |text: &str| text.parse().map_err(|_| FAULT);
        if let Ok(net) = text.parse() {
            return Ok(Self::Net(net, None));
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            let longest = if address.is_ipv4() { 32 } else { 128 };
            let net = Cidr::new(address.ip(), longest).map_err(|_| FAULT)?;
            return Ok(Self::Net(net, Some(address.port())));
        }
        let (host, at) = match text.rsplit_once(':') {
            Some(("", number)) => return Ok(Self::Port(port(number)?)),
            Some((host, number)) => (host, Some(port(number)?)),
            None => (text, None),
        };
        let named = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
        // Only digits and dots: probably a mistyped address.
        let letters = host.contains(char::is_alphabetic);
        if !letters || !host.chars().all(named) {
            return Err(FAULT);
        }
        Ok(Self::Host(host.to_lowercase(), at))
    }
}

impl Target {
    fn fits(&self, seen: &SuppressionQuery<'_>) -> bool {
        let at = |port: &Option<u16>| port.is_none_or(|port| port == seen.server.port());
        match self {
            Self::Net(net, port) => net.contains(seen.server.ip()) && at(port),
            Self::Port(port) => *port == seen.server.port(),
            Self::Host(host, port) => {
                at(port)
                    && seen.host.is_some_and(|name| {
                        let name = name.rsplit_once(':').map_or(name, |(name, _)| name);
                        name.to_lowercase() == *host
                    })
            }
        }
    }
}

/// `p_` and 20 characters of base32, as `phi.patient.token` shows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Pseudonym([u8; 12]);

impl FromStr for Pseudonym {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FAULT: &str = "no pseudonym of a patient; copy it from phi.patient.token (p_...)";
        let digits = text.strip_prefix("p_").filter(|d| d.len() == 20).ok_or(FAULT)?;
        let mut bytes = [0; 12];
        let (mut bits, mut held, mut at) = (0u32, 0, 0);
        for c in digits.bytes() {
            let digit = match c {
                b'a'..=b'z' => c - b'a',
                b'2'..=b'7' => c - b'2' + 26,
                _ => return Err(FAULT),
            };
            bits = (bits << 5) | u32::from(digit);
            held += 5;
            if held >= 8 {
                held -= 8;
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = (bits >> held) as u8;
                }
                at += 1;
            }
        }
        Ok(Self(bytes))
    }
}

/// A day of the calendar (UTC).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Day(time::Date);

impl Day {
    /// The first moment after the day.
    pub fn end(self) -> Timestamp {
        let next = self.0.next_day().unwrap_or(time::Date::MAX);
        let seconds = next.midnight().assume_utc().unix_timestamp();
        Timestamp(seconds.saturating_mul(1_000_000_000))
    }
    /// Whether the day has passed.
    pub fn is_over(self, now: Timestamp) -> bool {
        now >= self.end()
    }
}

impl FromStr for Day {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FAULT: &str = "no day; write it like 2026-12-31";
        let mut parts = text.split('-');
        let mut part = |len: usize| {
            parts.next().filter(|p| p.len() == len && p.bytes().all(|b| b.is_ascii_digit()))
        };
        let (Some(year), Some(month), Some(day)) = (part(4), part(2), part(2)) else {
            return Err(FAULT);
        };
        if parts.next().is_some() {
            return Err(FAULT);
        }
        let month: u8 = month.parse().map_err(|_| FAULT)?;
        let month = time::Month::try_from(month).map_err(|_| FAULT)?;
        let (year, day) = (year.parse().map_err(|_| FAULT)?, day.parse().map_err(|_| FAULT)?);
        time::Date::from_calendar_date(year, month, day).map(Self).map_err(|_| "no such day")
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.0.to_calendar_date();
        write!(f, "{year:04}-{:02}-{day:02}", u8::from(month))
    }
}

/// Accepts a TOML date or a string.
impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected a day such as 2026-12-31")]
        enum DayForm {
            Text(String),
            Date(toml::value::Datetime),
        }
        let text = match DayForm::deserialize(from)? {
            DayForm::Text(text) => text,
            DayForm::Date(date) => date.to_string(),
        };
        text.parse().map_err(|fault| D::Error::custom(format!("{text:?}: {fault}")))
    }
}

/// A finding to check against suppressions.
#[derive(Clone, Copy)]
pub struct SuppressionQuery<'a> {
    /// The client.
    pub client: IpAddr,
    /// The service.
    pub server: SocketAddr,
    /// The host name that the client used.
    pub host: Option<&'a str>,
    /// The alert rule.
    pub rule: &'a str,
    /// The patient's token, and the token of the same person in an earlier flow.
    pub patient: [Option<&'a [u8; 12]>; 2],
}

/// A compiled entry.
#[derive(Clone, Debug)]
pub struct Suppression {
    /// Its id.
    pub id: Arc<str>,
    /// Who is responsible for it.
    pub owner: String,
    /// Why it is accepted.
    pub reason: String,
    /// The last day on which it is valid.
    pub expires: Day,
    /// File and line.
    pub source: (String, usize),
    clients: Vec<Cidr>,
    services: Vec<Target>,
    rules: Vec<String>,
    patients: Vec<Pseudonym>,
}

impl Suppression {
    /// Whether it covers a finding, regardless of the day.
    pub fn covers(&self, seen: &SuppressionQuery<'_>) -> bool {
        fn any<T>(list: &[T], fits: impl FnMut(&T) -> bool) -> bool {
            list.is_empty() || list.iter().any(fits)
        }
        any(&self.clients, |net| net.contains(seen.client))
            && any(&self.services, |target| target.fits(seen))
            && any(&self.rules, |rule| rule == seen.rule)
            && any(&self.patients, |p| seen.patient.iter().flatten().any(|t| **t == p.0))
    }

    /// Whether it covers everything between a client and a service, for any rule and patient.
    pub fn is_whole(&self) -> bool {
        self.rules.is_empty() && self.patients.is_empty()
    }

    /// Whether it covers a sample: words such as `client=10.1.2.3`, `service=10.1.2.9:104`,
    /// `host=pacs`, `rule=hl7-patient`, `patient=p_...`. None if the text is no sample.
    pub fn covers_sample(&self, sample: &str) -> Option<bool> {
        let mut client = IpAddr::from([0, 0, 0, 0]);
        let mut server = SocketAddr::from(([0, 0, 0, 0], 0));
        let (mut host, mut rule, mut patient) = (None, "", None);
        for word in sample.split_whitespace() {
            match word.split_once('=')? {
                ("client", text) => client = text.parse().ok()?,
                ("service", text) => server = text.parse().ok()?,
                ("host", text) => host = Some(text),
                ("rule", text) => rule = text,
                ("patient", text) => patient = Some(text.parse::<Pseudonym>().ok()?),
                _ => return None,
            }
        }
        let patient = [patient.as_ref().map(|p| &p.0), None];
        Some(self.covers(&SuppressionQuery { client, server, host, rule, patient }))
    }
}

/// All suppressions, ordered by id.
#[derive(Clone, Debug, Default)]
pub struct Suppressions(Vec<Suppression>);

impl Suppressions {
    /// All of them.
    pub fn all(&self) -> &[Suppression] {
        &self.0
    }
    /// The first that covers a finding at `now`. Otherwise the first that did until it expired, as
    /// an error.
    pub fn find(
        &self,
        seen: &SuppressionQuery<'_>,
        now: Timestamp,
    ) -> Option<Result<&Suppression, &Suppression>> {
        let mut over = None;
        for suppression in self.0.iter().filter(|s| s.covers(seen)) {
            if !suppression.expires.is_over(now) {
                return Some(Ok(suppression));
            }
            over.get_or_insert(suppression);
        }
        over.map(Err)
    }
    /// Whether a suppression names this host, which is then no secret.
    pub fn names_host(&self, host: &str) -> bool {
        let host = host.rsplit_once(':').map_or(host, |(name, _)| name).to_lowercase();
        let named = |target: &Target| matches!(target, Target::Host(name, _) if *name == host);
        self.0.iter().any(|s| s.services.iter().any(named))
    }
    /// Suppressions that have expired.
    pub fn expired(&self, now: Timestamp) -> impl Iterator<Item = &Suppression> {
        self.0.iter().filter(move |s| s.expires.is_over(now))
    }
}

/// `[[suppression]]`.
pub(in crate::rules) struct Accepted;

impl Accepted {
    /// The criteria in an entry.
    fn criteria(entry: &Entry) -> Vec<&'static str> {
        let criteria = [
            ("client", entry.client.len()),
            ("service", entry.service.len()),
            ("rule", entry.rule.len()),
            ("patient", entry.patient.len()),
        ];
        criteria.iter().filter(|(_, n)| *n > 0).map(|(name, _)| *name).collect()
    }
}

impl Section for Accepted {
    const NAME: &'static str = "suppression";
    type Entry = Entry;

    fn subject(entry: &Entry) -> String {
        format!("by {} until {}", Self::criteria(entry).join(", "), entry.expires)
    }
    fn compile(entry: &Entry, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        for (key, text) in [("owner", &entry.owner), ("reason", &entry.reason)] {
            if text.trim().is_empty() {
                return to.fault(format!("{key} is empty: somebody must answer for it"));
            }
        }
        let alerts: Vec<&str> = to.rules.policy.alerts.iter().map(|a| a.id.as_str()).collect();
        if let Some(unknown) = entry.rule.iter().find(|r| !alerts.contains(&r.as_str())) {
            let alerts = alerts.join(", ");
            return to.fault(format!("rule {unknown:?} is no alert; the alerts are {alerts}"));
        }
        if Self::criteria(entry).is_empty() {
            return to.fault("it covers everything: name a client, a service, a rule or a patient");
        }
        let suppression = Suppression {
            id: entry.common.id.as_str().into(),
            owner: entry.owner.clone(),
            reason: entry.reason.clone(),
            expires: entry.expires,
            source: to.source.clone(),
            clients: entry.client.clone(),
            services: entry.service.clone(),
            rules: entry.rule.clone(),
            patients: entry.patient.clone(),
        };
        Arc::make_mut(&mut to.rules.suppressions).0.push(suppression);
        Ok(())
    }
    /// A sample is a finding: `client=10.1.2.3 service=10.1.2.9:104 rule=hl7-patient`.
    fn takes(entry: &Entry, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let all = with.rules.suppressions.all();
        all.iter().find(|own| *own.id == *entry.common.id)?.covers_sample(sample)
    }
}

#[cfg(test)]
mod tests;
