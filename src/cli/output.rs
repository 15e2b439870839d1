//! Parses `--output [KIND:]TARGET[,KEY=VALUE]...` from arguments and from the file.

use super::Options;
use super::error::{ConfigError, usage};
use super::values::{FormatName, Period, Size};
use crate::destination::{
    Address, Destination, HttpApi, Remote, Rotation, Service, SpoolSettings, Target, Transport,
};
use crate::output::FORMATS;
use crate::remote::{SaslMechanism, TlsFiles};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// Most outputs of one run.
pub(super) const MAX_OUTPUTS: usize = 16;
/// Longest name of an output, characters.
const MAX_NAME: usize = 32;
/// Smallest size at which a file is rotated, bytes.
const MIN_ROTATED: u64 = 64 << 10;
/// Default facility of syslog messages: local0.
const LOCAL0: u8 = 16;
/// Default number of events per HTTP request.
const BATCH: usize = 500;
/// Most events per HTTP request.
const MAX_BATCH: usize = 10_000;

/// One `--output`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputArg(pub Destination);

/// The parameters after the target.
struct Parameters(BTreeMap<String, String>);

impl Parameters {
    fn take(&mut self, key: &str) -> Option<String> {
        self.0.remove(key)
    }

    fn parsed<T: FromStr<Err = String>>(&mut self, key: &str) -> Result<Option<T>, String> {
        let value = self.take(key);
        value.map(|text| text.parse().map_err(|error| format!("{key}: {error}"))).transpose()
    }

    fn path(&mut self, key: &str) -> Option<PathBuf> {
        self.take(key).map(PathBuf::from)
    }

    /// Fails if any parameter is left.
    fn end(self, kind: &str) -> Result<(), String> {
        match self.0.keys().next() {
            Some(key) => Err(format!("{kind} outputs have no parameter {key:?}")),
            None => Ok(()),
        }
    }
}

impl FromStr for OutputArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (target, mut parameters) = split(text)?;
        let name = parameters.take("name").unwrap_or_default();
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if name.len() > MAX_NAME || !name.chars().all(fits) || name.starts_with('-') {
            return Err(format!(
                "name={name}: a name has {MAX_NAME} characters at most, of a-z, 0-9, - and _"
            ));
        }
        let format = parameters.parsed::<FormatName>("format")?.map(|format| format.0);
        let (kind, rest) = kind_of(&target)?;
        let target = match kind {
            "stdout" => Target::Stdout,
            "file" => file(rest, &mut parameters)?,
            "unix" => Target::Unix { path: nonempty(rest, "a path")?.into() },
            _ => remote(kind, rest, &mut parameters)?,
        };
        if target.is_delivered() && matches!(format, Some("summary" | "csv")) {
            return Err(format!(
                "{kind} outputs take events one by one: choose a format of lines, such as ecs, ocsf or cef"
            ));
        }
        parameters.end(kind)?;
        Ok(Self(Destination { name, format, target }))
    }
}

/// The topic of Kafka where none is given.
pub(super) const KAFKA_TOPIC: &str = "phitap-events";
/// Kinds of outputs.
const KINDS: [&str; 8] = ["stdout", "file", "unix", "syslog", "nats", "kafka", "http", "https"];

/// Splits off the kind of a target; without a known kind it is a path.
fn kind_of(text: &str) -> Result<(&'static str, &str), String> {
    if text == "stdout" || text == "-" {
        return Ok(("stdout", ""));
    }
    let Some((word, rest)) = text.split_once(':').filter(|(word, _)| is_scheme(word)) else {
        return Ok(("file", text));
    };
    match KINDS.iter().find(|kind| word.eq_ignore_ascii_case(kind)) {
        Some(&"stdout") if !rest.is_empty() => Err("nothing follows stdout:".to_owned()),
        Some(kind) => Ok((kind, rest)),
        None => Err(format!(
            "unknown kind of output {word:?}; choose one of {}, or write file:{text} for a file of this name",
            KINDS.join(", ")
        )),
    }
}

/// Whether a word has the form of a scheme (RFC 3986 section 3.1), and so must be a kind.
fn is_scheme(word: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    word.starts_with(|c: char| c.is_ascii_alphabetic()) && word.chars().all(fits)
}

/// Splits target and parameters. A comma starts a parameter only if a word and `=` follow, so paths
/// may contain commas.
fn split(text: &str) -> Result<(String, Parameters), String> {
    let mut target = String::new();
    let mut parameters: BTreeMap<String, String> = BTreeMap::new();
    let mut last: Option<String> = None;
    for (at, part) in text.split(',').enumerate() {
        let is_key = |key: &str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase());
        match part.split_once('=').filter(|(key, _)| at > 0 && is_key(key)) {
            Some((key, value)) => {
                if parameters.insert(key.to_owned(), value.to_owned()).is_some() {
                    return Err(format!("{key} is given twice"));
                }
                last = Some(key.to_owned());
            }
            None => {
                let to = last.as_ref().and_then(|key| parameters.get_mut(key));
                let to = to.unwrap_or(&mut target);
                if at > 0 {
                    to.push(',');
                }
                to.push_str(part);
            }
        }
    }
    Ok((target, Parameters(parameters)))
}

fn nonempty(text: &str, what: &str) -> Result<String, String> {
    if text.is_empty() { Err(format!("name {what}")) } else { Ok(text.to_owned()) }
}

fn file(path: &str, parameters: &mut Parameters) -> Result<Target, String> {
    let path = nonempty(path, "a file")?.into();
    let bytes = parameters.parsed::<Size>("rotate")?.map(|size| size.0);
    let age = parameters.parsed::<Period>("every")?.map(|period| period.0);
    let keep = parameters
        .take("keep")
        .map(|text| text.parse().map_err(|_| format!("keep={text}: write a number of files")));
    let keep = keep.transpose()?;
    if bytes == Some(0) || age.is_some_and(|age| age.is_zero()) {
        return Err("rotate and every are more than 0".to_owned());
    }
    if let Some(bytes) = bytes.filter(|bytes| *bytes < MIN_ROTATED) {
        return Err(format!(
            "rotate={bytes} would begin a file every {bytes} bytes: write a unit, as in rotate=100MiB, and {}KiB at least",
            MIN_ROTATED >> 10
        ));
    }
    let rotates = bytes.is_some() || age.is_some();
    if keep.is_some() && !rotates {
        return Err("keep goes with rotate=SIZE or every=TIME".to_owned());
    }
    Ok(Target::File { path, rotation: rotates.then_some(Rotation { bytes, age, keep }) })
}

fn remote(kind: &str, rest: &str, parameters: &mut Parameters) -> Result<Target, String> {
    let service = match kind {
        "syslog" => syslog(rest, parameters)?,
        "nats" => nats(rest, parameters)?,
        "kafka" => kafka(rest, parameters)?,
        _ => http(kind, rest, parameters)?,
    };
    let (certificate, key) = (parameters.path("cert"), parameters.path("key"));
    let certificate = match (certificate, key) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => return Err("cert and key belong together: give both".to_owned()),
    };
    let tls = TlsFiles { ca: parameters.path("ca"), certificate };
    let credentials = parameters.path("credentials");
    let has_tls = match &service {
        Service::Syslog { transport, .. } => *transport == Transport::Tls,
        Service::Http { tls, .. } | Service::Kafka { tls, .. } => *tls,
        Service::Nats { .. } => true,
    };
    if tls.is_given() && !has_tls {
        return Err("ca, cert and key need TLS: write tls:// or https://".to_owned());
    }
    let takes_credentials = !matches!(service, Service::Syslog { .. });
    if credentials.is_some() && !takes_credentials {
        return Err(
            "syslog has no credentials; it may ask for a certificate (cert, key)".to_owned()
        );
    }
    let in_clear = match &service {
        Service::Http { tls: false, address, .. } => !is_here(address),
        Service::Kafka { tls: false, brokers, .. } => !brokers.iter().all(is_here),
        _ => false,
    };
    if credentials.is_some() && in_clear {
        return Err("credentials would cross the network in cleartext: write https:// or kafka:tls://, or use a proxy on this machine".to_owned());
    }
    Ok(Target::Remote(Remote { service, credentials, tls }))
}

/// Whether it is this machine.
pub(super) fn is_here(address: &Address) -> bool {
    address.host == "localhost"
        || address.host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// `HOST`, `HOST:PORT`, `[ADDRESS]:PORT`.
fn address(text: &str, default: u16) -> Result<Address, String> {
    let fault = || format!("{text:?} is no HOST:PORT");
    if text.contains('@') {
        return Err("no user and no password in an address: give credentials=FILE".to_owned());
    }
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':').or(rest.is_empty().then_some(""))),
        None => match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') => (host, Some(port)),
            _ => (text, Some("")),
        },
    };
    let port = match port.ok_or_else(fault)? {
        "" => default,
        port => port.parse().map_err(|_| fault())?,
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
    if host.is_empty() || !host.chars().all(fits) || port == 0 {
        return Err(fault());
    }
    Ok(Address { host: host.to_owned(), port })
}

fn syslog(rest: &str, parameters: &mut Parameters) -> Result<Service, String> {
    let fault = || format!("syslog:{rest}: write syslog:udp://HOST, tcp://HOST:PORT or tls://HOST");
    let (scheme, rest) = rest.split_once("://").ok_or_else(fault)?;
    let transport = Transport::ALL.into_iter().find(|t| t.as_str() == scheme).ok_or_else(fault)?;
    // Default ports: RFC 5426 section 3.3 (also used for TCP, where RFC 6587 has none), RFC 5425
    // section 4.1.
    let port = if transport == Transport::Tls { 6514 } else { 514 };
    let facility = match parameters.take("facility") {
        None => LOCAL0,
        Some(text) => text
            .parse()
            .ok()
            .filter(|facility| *facility < 24)
            .ok_or_else(|| format!("facility={text}: write a number from 0 to 23"))?,
    };
    Ok(Service::Syslog { transport, address: address(rest.trim_end_matches('/'), port)?, facility })
}

fn nats(rest: &str, parameters: &mut Parameters) -> Result<Service, String> {
    let servers: Vec<String> = rest.split(';').map(server_of_nats).collect();
    if servers.iter().any(String::is_empty) {
        return Err("name a server: nats://HOST:4222".to_owned());
    }
    if servers.iter().any(|server| server.contains('@')) {
        return Err("no user and no password in an address: give credentials=FILE".to_owned());
    }
    let subject = parameters.take("subject").unwrap_or_else(|| "phitap.events".to_owned());
    let token = |token: &str| {
        !token.is_empty() && !token.contains(|c: char| c.is_whitespace() || c == '*' || c == '>')
    };
    if !subject.split('.').all(token) {
        return Err(format!(
            "subject={subject}: write words with dots between, such as phitap.events"
        ));
    }
    Ok(Service::Nats { servers, subject })
}

/// `nats://HOST` was split at its colon; other schemes are complete.
fn server_of_nats(text: &str) -> String {
    let text = text.trim_end_matches('/');
    if text.starts_with("//") { format!("nats:{text}") } else { text.to_owned() }
}

fn kafka(rest: &str, parameters: &mut Parameters) -> Result<Service, String> {
    let (tls, rest) = match rest.split_once("://") {
        Some(("tls", rest)) => (true, rest),
        Some(_) => return Err("write kafka:HOST:PORT or kafka:tls://HOST:PORT".to_owned()),
        None => (false, rest.trim_start_matches("//")),
    };
    let brokers = rest.split(';').map(broker_of_kafka).collect::<Result<_, _>>()?;
    let sasl = match parameters.take("sasl") {
        None => SaslMechanism::default(),
        Some(text) => sasl_of_kafka(&text).map_err(|fault| format!("sasl={text}: {fault}"))?,
    };
    let topic = parameters.take("topic").unwrap_or_else(|| KAFKA_TOPIC.to_owned());
    let topic = topic_of_kafka(&topic).map_err(|fault| format!("topic={fault}"))?;
    Ok(Service::Kafka { brokers, tls, topic, sasl })
}

/// `HOST` or `HOST:PORT` of a Kafka broker.
pub(super) fn broker_of_kafka(text: &str) -> Result<Address, String> {
    address(text, 9092)
}

/// How a user and a password are shown to a Kafka broker.
pub(super) fn sasl_of_kafka(text: &str) -> Result<SaslMechanism, String> {
    let known = SaslMechanism::ALL.into_iter().find(|sasl| sasl.as_str() == text);
    known.ok_or_else(|| {
        let all = SaslMechanism::ALL.map(SaslMechanism::as_str).join(", ");
        format!("choose one of {all}")
    })
}

/// The name of a topic of Kafka.
pub(super) fn topic_of_kafka(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if text.is_empty() || text.len() > 249 || !text.chars().all(fits) {
        return Err(format!("{text}: a topic has letters, digits, dots, - and _"));
    }
    Ok(text.to_owned())
}

fn http(kind: &str, rest: &str, parameters: &mut Parameters) -> Result<Service, String> {
    // Accepts `http:https://HOST` as well as `https://HOST`.
    let url = if rest.starts_with("//") { format!("{kind}:{rest}") } else { rest.to_owned() };
    let fault = || format!("{url:?} is not an HTTP address; write https://HOST/PATH");
    let (scheme, rest) = url.split_once("://").ok_or_else(fault)?;
    let tls = match scheme {
        "https" => true,
        "http" => false,
        _ => return Err(fault()),
    };
    let slash = rest.find('/').unwrap_or(rest.len());
    let (host, path) = rest.split_at(slash);
    let path = if path.is_empty() { "/" } else { path };
    if !path.bytes().all(|b| b.is_ascii_graphic()) || path.contains('#') {
        return Err(fault());
    }
    let api = match parameters.take("api") {
        None => HttpApi::Webhook,
        Some(text) => {
            HttpApi::ALL.into_iter().find(|api| api.as_str() == text).ok_or_else(|| {
                let all = HttpApi::ALL.map(HttpApi::as_str).join(", ");
                format!("api={text}: choose one of {all}")
            })?
        }
    };
    let index = parameters.take("index");
    if index.as_ref().is_some_and(|index| {
        index.is_empty() || !index.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
    }) {
        return Err("index is the name of an index".to_owned());
    }
    if api == HttpApi::Webhook && index.is_some() {
        return Err(
            "a webhook has no index; choose api=elasticsearch, opensearch or splunk".to_owned()
        );
    }
    let batch = match parameters.take("batch") {
        None => BATCH,
        Some(text) => text
            .parse()
            .ok()
            .filter(|batch| (1..=MAX_BATCH).contains(batch))
            .ok_or_else(|| format!("batch={text}: write a number from 1 to {MAX_BATCH}"))?,
    };
    let address = address(host, if tls { 443 } else { 80 })?;
    Ok(Service::Http { tls, address, path: path.to_owned(), api, index, batch })
}

/// Names that metrics use for other outputs.
const RESERVED: [&str; 4] = ["page", "report", "assets", "store"];
/// Default format of events that are sent to a receiver one by one.
const LINES: &str = "ecs";
/// Default and smallest size of an output's spool, bytes.
const SPOOL: u64 = 1 << 30;
const MIN_SPOOL: u64 = 1 << 20;

/// The outputs of a run, each with its format and a unique name.
pub(super) fn destinations(options: &Options) -> Result<Vec<Destination>, ConfigError> {
    let stdout = Destination { name: String::new(), format: None, target: Target::Stdout };
    let mut all: Vec<Destination> = options.output.iter().map(|arg| arg.0.clone()).collect();
    if all.is_empty() {
        all.push(stdout);
    }
    if all.len() > MAX_OUTPUTS {
        return Err(usage(format!("there may be {MAX_OUTPUTS} outputs at most")));
    }
    if all.iter().filter(|output| output.target == Target::Stdout).count() > 1 {
        return Err(usage("standard output can be an output once"));
    }
    let chosen = options.format.map(|format| format.0);
    let mut names: BTreeSet<String> = BTreeSet::new();
    for name in all.iter().map(|output| &output.name).filter(|name| !name.is_empty()) {
        if RESERVED.contains(&name.as_str()) || !names.insert(name.clone()) {
            return Err(usage(format!("name={name}: choose another name, this one is taken")));
        }
    }
    for output in &mut all {
        let lines = |format: &&'static str| {
            !output.target.is_delivered() || !matches!(*format, "summary" | "csv")
        };
        let default = if output.target.is_delivered() { LINES } else { FORMATS[0].name };
        let format = output.format.or(chosen.filter(lines)).unwrap_or(default);
        output.format = Some(format);
        if output.name.is_empty() {
            let base = if output.target.is_delivered() { output.target.kind() } else { format };
            let further = (2..).map(|n| format!("{base}-{n}"));
            let mut candidates = std::iter::once(base.to_owned()).chain(further);
            output.name = candidates.find(|name| !names.contains(name)).unwrap_or_default();
            names.insert(output.name.clone());
        }
    }
    Ok(all)
}

/// Settings of the spool.
pub(super) fn spool(
    options: &Options,
    outputs: &[Destination],
) -> Result<Option<SpoolSettings>, ConfigError> {
    let Some(folder) = &options.spool else {
        return match options.spool_keep {
            Some(_) => Err(usage(
                "--spool-keep limits a spool on disk, and none is given: add --spool DIR",
            )),
            None => Ok(None),
        };
    };
    if !outputs.iter().any(|output| output.target.is_delivered()) {
        return Err(usage("--spool keeps events for receivers: name one with --output"));
    }
    let keep = options.spool_keep.map(|keep| keep.0).unwrap_or_default();
    let bytes = keep.bytes.unwrap_or(SPOOL);
    if bytes < MIN_SPOOL {
        return Err(usage(format!("a spool needs at least {}MiB", MIN_SPOOL >> 20)));
    }
    let age = keep.age.map(|age| Duration::from_secs_f64(age.as_secs_f64()));
    Ok(Some(SpoolSettings { folder: folder.clone(), bytes, age }))
}

/// Parses outputs in the file: one, or a list.
pub(super) fn outputs<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<OutputArg>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    let texts = match OneOrMany::deserialize(from)? {
        OneOrMany::One(text) => vec![text],
        OneOrMany::Many(texts) => texts,
    };
    texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::load::parse;

    fn target(text: &str) -> Target {
        text.parse::<OutputArg>().unwrap_or_else(|error| panic!("{text}: {error}")).0.target
    }

    fn service(text: &str) -> Service {
        match target(text) {
            Target::Remote(remote) => remote.service,
            other => panic!("{text}: {other:?}"),
        }
    }

    fn at(host: &str, port: u16) -> Address {
        Address { host: host.to_owned(), port }
    }

    #[test]
    fn each_kind_is_read_with_the_port_of_its_standard() {
        let file = |path: &str| Target::File { path: path.into(), rotation: None };
        assert_eq!(target("events.json"), file("events.json"));
        assert_eq!(target("a,b.json"), file("a,b.json"));
        assert_eq!(target("file:nats:x"), file("nats:x"));
        assert_eq!(target("-"), Target::Stdout);
        assert_eq!(target("unix:/run/a.sock"), Target::Unix { path: "/run/a.sock".into() });
        let rotation = Rotation {
            bytes: Some(100 << 20),
            age: Some(Duration::from_secs(86_400)),
            keep: Some(7),
        };
        let path = "e.json".into();
        let rotated = Target::File { path, rotation: Some(rotation) };
        assert_eq!(target("file:e.json,rotate=100MiB,every=1d,keep=7"), rotated);
        for (text, transport, address) in [
            ("syslog:udp://siem", Transport::Udp, at("siem", 514)),
            ("syslog:tcp://10.0.0.1:601/", Transport::Tcp, at("10.0.0.1", 601)),
            ("syslog:tls://[2001:db8::7]", Transport::Tls, at("2001:db8::7", 6514)),
        ] {
            assert_eq!(service(text), Service::Syslog { transport, address, facility: 16 });
        }
        let servers = vec!["nats://a:4222".to_owned(), "tls://b".to_owned()];
        let subject = "phitap.ward.3".to_owned();
        let nats = service("nats://a:4222;tls://b,subject=phitap.ward.3");
        assert_eq!(nats, Service::Nats { servers, subject });
        let brokers = vec![at("k1", 9092), at("k2", 9093)];
        let topic = "phitap-events".to_owned();
        let sasl = SaslMechanism::Plain;
        let plain =
            Service::Kafka { brokers: brokers.clone(), tls: false, topic: topic.clone(), sasl };
        assert_eq!(service("kafka:k1;k2:9093"), plain);
        let sasl = SaslMechanism::ScramSha512;
        let over_tls = "kafka:tls://k1;k2:9093,ca=/ca.pem,credentials=/c,sasl=scram-sha-512";
        assert_eq!(service(over_tls), Service::Kafka { brokers, tls: true, topic, sasl });
        let Service::Http { tls, address, path, api, index, batch } =
            service("https://search:9200/base?a=1,api=opensearch,index=i,batch=9")
        else {
            panic!("no HTTP")
        };
        assert!(tls && api == HttpApi::Opensearch && batch == 9);
        assert_eq!((address, path.as_str()), (at("search", 9200), "/base?a=1"));
        assert_eq!(index.as_deref(), Some("i"));
    }

    #[test]
    fn a_mistyped_kind_is_refused_with_the_kinds_there_are_and_file_takes_any_name() {
        let file = |path: &str| Target::File { path: path.into(), rotation: None };
        for text in ["bogus:x", "sylog:udp://siem", "tcp://siem:514", "C:\\events.json", "stdout:x"]
        {
            let error = text.parse::<OutputArg>().expect_err(text);
            assert!(error.contains("stdout") && error.len() < 200, "{text}: {error}");
        }
        let error = "sylog:udp://siem".parse::<OutputArg>().expect_err("no such kind");
        assert!(error.contains("syslog, nats") && error.contains("file:sylog:udp"), "{error}");
        for path in ["C:\\events.json", "bogus:x", "syslog:x"] {
            assert_eq!(target(&format!("file:{path}")), file(path));
        }
        // None of these looks like a kind.
        for path in ["./bogus:x", "/var/log/a:b", "2026-03-02T08:00.json", "a b:c", ":x"] {
            assert_eq!(target(path), file(path));
        }
        let http = service("HTTPS://search/base");
        assert!(matches!(http, Service::Http { tls: true, .. }), "{http:?}");
    }

    #[test]
    fn outputs_of_the_file_are_one_or_a_list_and_each_gets_a_name_and_a_format() {
        let one = parse("output = \"events.json\"\n").expect("one");
        assert_eq!(destinations(&one).expect("good")[0].name, "summary");
        let text = "format = \"csv\"\nspool = \"s\"\nspool-keep = \"2d,5MiB\"\noutput = [\"a.csv\", \
                    \"unix:/a\", \"unix:/b,format=cef\", \"unix:/c,name=c\"]\n";
        let options = parse(text).expect("a list");
        let all = destinations(&options).expect("good");
        let named: Vec<_> = all.iter().map(|of| (of.name.as_str(), of.format)).collect();
        let expected = [
            ("csv", Some("csv")),
            ("unix", Some("ecs")),
            ("unix-2", Some("cef")),
            ("c", Some("ecs")),
        ];
        assert_eq!(named, expected);
        let spool = spool(&options, &all).expect("good").expect("a spool");
        assert_eq!((spool.bytes, spool.age), (5 << 20, Some(Duration::from_secs(2 * 86_400))));
        let (line, reason) = parse("quiet = true\noutput = [\"nats://me@h\"]\n").expect_err("no");
        assert!(line == 2 && reason.contains("credentials=FILE"), "{line}: {reason}");
    }
}
