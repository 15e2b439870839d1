//! Values of options, parsed alike from arguments and from the file.

use crate::config::{Backend, Detail, Keep, LogFormat, Timestamps};
use crate::decode::Checksums;
use crate::net::Cidr;
use crate::output::{self, FORMATS};
use crate::severity::Severity;
use crate::time::Span;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use serde::de::{Deserialize, Deserializer, Error as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

/// Longest duration of an option, seconds: ten years.
const MAX_PERIOD: u64 = 3_653 * 86_400;

/// The name of an output format.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FormatName(pub &'static str);

impl FromStr for FormatName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        output::format(text).map(|f| Self(f.name)).ok_or_else(|| {
            let names: Vec<&str> = format_names().map(|(name, _)| name).collect();
            format!("there is no format {text:?}; choose one of {}", names.join(", "))
        })
    }
}

/// All names that `--format` accepts, each with its format; an alias follows the name of its
/// format.
fn format_names() -> impl Iterator<Item = (&'static str, &'static output::Format)> {
    let names =
        |f: &'static output::Format| std::iter::once(f.name).chain(f.aliases.iter().copied());
    FORMATS.iter().flat_map(move |f| names(f).map(move |name| (name, f)))
}

pub(super) fn format_parser() -> impl TypedValueParser<Value = FormatName> {
    // Aliases are listed as values, because clap lists and suggests only those.
    let value = |(name, f): (&'static str, &'static output::Format)| match name == f.name {
        true => PossibleValue::new(name).help(f.about),
        false => PossibleValue::new(name).help(format!("the same as {}", f.name)),
    };
    PossibleValuesParser::new(format_names().map(value)).try_map(|text| text.parse())
}

/// Where to listen: `127.0.0.1:9187`, `[::1]:9187`, `localhost:9187`, `:9187` or `9187`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listen(pub SocketAddr);

impl FromStr for Listen {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Self(address));
        }
        // No other name is accepted, so that nothing has to be resolved.
        let port = text.strip_prefix("localhost").unwrap_or(text);
        match port.strip_prefix(':').unwrap_or(port).parse() {
            Ok(port) => Ok(Self(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))),
            Err(_) => {
                Err(format!("{text:?} is no address to listen at; write it like 127.0.0.1:9187"))
            }
        }
    }
}

/// A size in bytes: `512MiB`, `2GiB`, `1.5GB`, `1073741824`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size(pub u64);

impl FromStr for Size {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let fault = || format!("{text:?} is no size; write it like 512MiB or 2GiB");
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit: u64 = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "kb" => 1_000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            "tb" => 1_000_000_000_000,
            "k" | "kib" => 1 << 10,
            "m" | "mib" => 1 << 20,
            "g" | "gib" => 1 << 30,
            "t" | "tib" => 1 << 40,
            _ => return Err(fault()),
        };
        if let Ok(whole) = number.parse::<u64>() {
            return whole.checked_mul(unit).map(Self).ok_or_else(fault);
        }
        let bytes = number.parse::<f64>().map_err(|_| fault())? * unit as f64;
        if bytes < u64::MAX as f64 { Ok(Self(bytes as u64)) } else { Err(fault()) }
    }
}

/// A duration: `30s`, `5min`, `12h`, `30d`, or seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Period(pub Duration);

impl Period {
    /// As packet time.
    pub fn span(self) -> Span {
        Span::seconds(i64::try_from(self.0.as_secs()).unwrap_or(i64::MAX))
    }
}

impl FromStr for Period {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let fault =
            || format!("{text:?} is no length of time; write it like 30s, 5min, 12h or 30d");
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "s" | "sec" => 1,
            "m" | "min" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "w" => 7 * 86_400,
            _ => return Err(fault()),
        };
        let seconds = number.parse::<u64>().ok().and_then(|n| n.checked_mul(unit));
        let seconds = seconds.filter(|n| *n <= MAX_PERIOD).ok_or_else(fault)?;
        Ok(Self(Duration::from_secs(seconds)))
    }
}

/// Retention by age, size or both: `90d`, `10GiB`, `90d,10GiB`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeepFor(pub Keep);

impl FromStr for KeepFor {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let mut keep = Keep::default();
        for part in text.split(',').map(str::trim) {
            let twice = match age(part) {
                Some(age) => keep.age.replace(age).is_some(),
                None => {
                    let size: Size = part.parse().map_err(|_| {
                        format!("{part:?} is no age and no size; write 90d, 12h or 10GiB")
                    })?;
                    if size.0 < MIN_KEPT {
                        return Err(format!(
                            "{part:?} is too little to keep: write {}MiB or more, and an age with its unit (90d, 12h, 30m)",
                            MIN_KEPT >> 20
                        ));
                    }
                    keep.bytes.replace(size.0).is_some()
                }
            };
            if twice {
                return Err(format!("{text:?} says the same twice; write one age and one size"));
            }
        }
        Ok(Self(keep))
    }
}

/// Smallest size of a store or a spool, bytes.
const MIN_KEPT: u64 = 1 << 20;

/// A positive number of days, hours or minutes; none if the text has another form.
fn age(text: &str) -> Option<Span> {
    let unit = match text.as_bytes().last()? {
        b'd' => 86_400,
        b'h' => 3_600,
        b'm' => 60,
        _ => return None,
    };
    let number: i64 = text.get(..text.len() - 1)?.parse().ok().filter(|n| *n > 0)?;
    let seconds = number.checked_mul(unit).filter(|seconds| *seconds <= MAX_AGE)?;
    Some(Span::seconds(seconds))
}

/// Longest retention, seconds: a hundred years.
const MAX_AGE: i64 = 100 * 366 * 86_400;

fn parse_severity(text: &str) -> Result<Severity, String> {
    let found = Severity::ALL.into_iter().find(|s| s.as_str() == text);
    found.ok_or_else(|| format!("{text:?} is no severity; choose low, medium, high or critical"))
}

pub(super) fn severity_parser() -> impl TypedValueParser<Value = Severity> {
    let values = Severity::ALL.iter().map(|s| PossibleValue::new(s.as_str()));
    PossibleValuesParser::new(values).try_map(|text| parse_severity(&text))
}

pub(super) fn severity<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Severity>, D::Error> {
    let text = String::deserialize(from)?;
    parse_severity(&text).map(Some).map_err(D::Error::custom)
}

fn parse_detail(text: &str) -> Result<Detail, String> {
    let found = Detail::ALL.into_iter().find(|d| d.as_str() == text);
    found.ok_or_else(|| {
        format!("{text:?} is no level of detail; choose exposures, patients or flows")
    })
}

pub(super) fn detail_parser() -> impl TypedValueParser<Value = Detail> {
    let values = Detail::ALL.iter().map(|d| PossibleValue::new(d.as_str()));
    PossibleValuesParser::new(values).try_map(|text| parse_detail(&text))
}

pub(super) fn detail<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Detail>, D::Error> {
    let text = String::deserialize(from)?;
    parse_detail(&text).map(Some).map_err(D::Error::custom)
}

fn parse_checksums(text: &str) -> Result<Checksums, String> {
    let found = Checksums::ALL.into_iter().find(|c| c.as_str() == text);
    found.ok_or_else(|| format!("{text:?} is no way to treat checksums; choose accept or strict"))
}

pub(super) fn checksums_parser() -> impl TypedValueParser<Value = Checksums> {
    let values = Checksums::ALL.iter().map(|c| PossibleValue::new(c.as_str()));
    PossibleValuesParser::new(values).try_map(|text| parse_checksums(&text))
}

pub(super) fn checksums<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Checksums>, D::Error> {
    let text = String::deserialize(from)?;
    parse_checksums(&text).map(Some).map_err(D::Error::custom)
}

/// Defines an enum of words, parsed from arguments and from the file.
macro_rules! words {
    ($($type:ident, $parse:ident, $parser:ident, $file:ident, $what:literal;)*) => {$(
        fn $parse(text: &str) -> Result<$type, String> {
            $type::ALL.into_iter().find(|value| value.as_str() == text).ok_or_else(|| {
                let words = $type::ALL.map($type::as_str).join(" or ");
                format!("{text:?} is no {}; choose {words}", $what)
            })
        }

        pub(super) fn $parser() -> impl TypedValueParser<Value = $type> {
            let values = $type::ALL.iter().map(|value| PossibleValue::new(value.as_str()));
            PossibleValuesParser::new(values).try_map(|text| $parse(&text))
        }

        pub(super) fn $file<'de, D: Deserializer<'de>>(from: D) -> Result<Option<$type>, D::Error> {
            $parse(&String::deserialize(from)?).map(Some).map_err(D::Error::custom)
        }
    )*};
}

words! {
    Backend, parse_backend, backend_parser, backend, "backend";
    LogFormat, parse_log_format, log_format_parser, log_format, "format of messages";
    Timestamps, parse_timestamps, timestamps_parser, timestamps, "source of time stamps";
}

pub(super) fn cidrs<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Cidr>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    let parse = |text: &String| {
        text.parse().map_err(|fault| D::Error::custom(format!("{text:?}: {fault}")))
    };
    texts.iter().map(parse).collect()
}

/// A value written as text or as a whole number.
#[derive(serde::Deserialize)]
#[serde(untagged, expecting = "expected text or a whole number")]
enum Scalar {
    Number(u64),
    Text(String),
}

macro_rules! from_text {
    ($($type:ty),*) => {$(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = match Scalar::deserialize(from)? {
                    Scalar::Number(number) => number.to_string(),
                    Scalar::Text(text) => text,
                };
                text.parse().map_err(D::Error::custom)
            }
        }
    )*};
}

from_text!(FormatName, KeepFor, Listen, Period, Size);
