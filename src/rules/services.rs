//! `[[service]]`: what responses reveal about a web service: a directory listing, a bucket, a
//! search index, a database. `[[secret]]`: names under which forms and queries carry secrets.

use super::compile::Compiler;
use super::entry::section_entry;
use super::error::LoadError;
use super::keys::names;
use super::samples::Samples;
use super::sections::Section;
use super::{RuleSet, fold};
use crate::closed_set::closed_set;
use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind};
use serde::Deserialize;
use smallvec::SmallVec;
use std::collections::HashMap;
use std::sync::Arc;

/// Most text of all services, bytes; it is compiled into one automaton.
const MAX_TEXTS: usize = 64 << 10;

section_entry! {
    /// An entry as written in the file.
    pub(in crate::rules) struct Entry {
        kind: ServiceKind,
        /// Product name in events; the title unless given.
        product: Option<String>,
        /// The path must be one of these; `*` at either end matches any text.
        #[serde(default)]
        path: Vec<String>,
        /// The `Server` header must contain one of these.
        #[serde(default)]
        server: Vec<String>,
        /// The first bytes of the body must contain all of these, in any case.
        #[serde(default)]
        all: Vec<String>,
        /// They must contain one of these.
        #[serde(default)]
        any: Vec<String>,
    }
}

section_entry! {
    /// Names of form fields and query parameters.
    pub(in crate::rules) struct SecretEntry {
        names: Vec<String>,
        /// Whether it gives access, as an API key does; otherwise a person types it.
        #[serde(default)]
        key: bool,
    }
}

closed_set! {
    /// Kinds of web services, as in `phi.service.interfaces`.
    #[derive(Deserialize, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
    #[serde(rename_all = "kebab-case")]
    pub enum ServiceKind {
        /// Lists the files of a folder.
        Directory = "directory",
        /// Lists the objects of a bucket or container.
        Bucket = "bucket",
        /// Searches an index.
        SearchIndex = "search-index",
        /// Answers queries of a database.
        Database = "database",
        /// Serves FHIR.
        Fhir = "fhir",
        /// Serves DICOM over HTTP.
        Dicomweb = "dicomweb",
        /// An image archive or viewer.
        Pacs = "pacs",
        /// An electronic health record system.
        Ehr = "ehr",
        /// An integration engine, which forwards messages.
        IntegrationEngine = "integration-engine",
    }
}

closed_set! {
    /// Kinds of secrets that crossed in clear, as in `phi.service.credentials`.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
    pub enum Secret {
        /// HTTP Basic.
        Basic = "basic",
        /// HTTP Bearer.
        Bearer = "bearer",
        /// A key in a header.
        ApiKey = "api-key",
        /// A cookie that identifies a session.
        SessionCookie = "session-cookie",
        /// HTTP Basic, for a proxy.
        ProxyPassword = "proxy-password",
        /// In the user information of a URL.
        UrlPassword = "url-password",
        /// In the query of a URL.
        Query = "query",
        /// In a form or a document that was sent.
        Form = "form",
    }
}

/// A service that can be recognised by its responses.
#[derive(Debug)]
pub struct ServiceRule {
    /// Unique id.
    pub id: String,
    /// Kind of service.
    pub kind: ServiceKind,
    /// Product name in events.
    pub product: Arc<str>,
    path: Vec<String>,
    server: Vec<String>,
    /// Indexes of texts.
    all: Vec<usize>,
    any: Vec<usize>,
}

/// A response of a web service.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The requested path without the query.
    pub path: &'a str,
    /// The `Server` header.
    pub server: &'a str,
    /// The first bytes of the body.
    pub head: &'a [u8],
}

impl ServiceRule {
    fn takes(&self, answer: &Answer<'_>, found: &[usize]) -> bool {
        let has = |text: &usize| found.contains(text);
        let server = || answer.server.to_ascii_lowercase();
        self.all.iter().all(has)
            && (self.any.is_empty() || self.any.iter().any(has))
            && (self.path.is_empty() || self.path.iter().any(|p| is_path(p, answer.path)))
            && (self.server.is_empty() || self.server.iter().any(|s| server().contains(s)))
    }
}

/// Whether `path` matches `pattern`.
fn is_path(pattern: &str, path: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(_), Some(_)) => path.contains(pattern.trim_matches('*')),
        (Some(end), None) => path.ends_with(end),
        (None, Some(start)) => path.starts_with(start),
        (None, None) => path == pattern,
    }
}

/// Services and names of secrets.
#[derive(Debug, Default)]
pub struct ServiceRules {
    services: Vec<ServiceRule>,
    /// Texts in responses, in any case; compiled from `listed`.
    texts: Option<AhoCorasick>,
    listed: Vec<String>,
    /// By folded name: whether it gives access.
    secrets: HashMap<String, bool, foldhash::fast::FixedState>,
}

impl ServiceRules {
    /// The services that a response shows.
    pub fn shown<'a>(&'a self, answer: &Answer<'_>) -> impl Iterator<Item = &'a ServiceRule> {
        let mut found: SmallVec<[usize; 8]> = SmallVec::new();
        for hit in self.texts.iter().flat_map(|texts| texts.find_overlapping_iter(answer.head)) {
            let text = hit.pattern().as_usize();
            if !found.contains(&text) {
                found.push(text);
            }
        }
        self.services.iter().filter(move |s| !found.is_empty() && s.takes(answer, &found))
    }

    /// Whether a form field or query parameter carries a secret. The inner value says whether it is
    /// a key that gives access.
    pub fn secret(&self, name: &str) -> Option<bool> {
        self.secrets.get(&fold(name)).copied()
    }
}

impl ServiceRules {
    /// The index of a text in responses, added if it is new.
    fn number(&mut self, text: &str) -> usize {
        self.listed.iter().position(|listed| listed == text).unwrap_or_else(|| {
            self.listed.push(text.to_owned());
            self.listed.len() - 1
        })
    }
}

/// `[[service]]`.
pub(in crate::rules) struct Services;

impl Section for Services {
    const NAME: &'static str = "service";
    type Entry = Entry;

    fn subject(entry: &Entry) -> String {
        let lists = [&entry.path, &entry.server, &entry.all, &entry.any];
        let texts: Vec<&str> = lists.into_iter().flatten().map(String::as_str).collect();
        texts.join(", ")
    }
    fn compile(entry: &Entry, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        if entry.all.iter().chain(&entry.any).all(String::is_empty) {
            return to.fault("give `all` or `any`: texts in the response");
        }
        let rules = &mut *to.rules.services;
        let service = ServiceRule {
            id: entry.common.id.clone(),
            kind: entry.kind,
            product: entry.product.as_ref().unwrap_or(&entry.common.title).as_str().into(),
            all: entry.all.iter().map(|text| rules.number(text)).collect(),
            any: entry.any.iter().map(|text| rules.number(text)).collect(),
            path: entry.path.clone(),
            server: entry.server.iter().map(|s| s.to_ascii_lowercase()).collect(),
        };
        rules.services.push(service);
        if rules.listed.iter().map(String::len).sum::<usize>() > MAX_TEXTS {
            return to.fault("the texts of all services together are too large");
        }
        Ok(())
    }
    fn finish(rules: &mut RuleSet) {
        let rules = &mut *rules.services;
        // Within MAX_TEXTS, the automaton stays below all limits of its builder.
        rules.texts = AhoCorasickBuilder::new()
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::DFA))
            .build(&rules.listed)
            .ok();
    }
    /// A sample is a response: `/path | Server header | first bytes`.
    fn takes(entry: &Entry, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let mut parts = sample.splitn(3, " | ");
        let (path, server, head) = (parts.next()?, parts.next()?, parts.next()?);
        let server = if server == "-" { "" } else { server };
        let answer = Answer { path, server, head: head.as_bytes() };
        Some(with.rules.services.shown(&answer).any(|service| service.id == entry.common.id))
    }
}

/// `[[secret]]`.
pub(in crate::rules) struct Secrets;

impl Section for Secrets {
    const NAME: &'static str = "secret";
    type Entry = SecretEntry;

    fn subject(entry: &SecretEntry) -> String {
        entry.names.join(", ")
    }
    fn compile(entry: &SecretEntry, to: &mut Compiler<'_>) -> Result<(), LoadError> {
        for name in &entry.names {
            to.claim(fold(name))?;
            to.rules.services.secrets.insert(fold(name), entry.key);
        }
        Ok(())
    }
    /// A sample is the name of a field or parameter.
    fn takes(entry: &SecretEntry, sample: &str, with: &Samples<'_>) -> Option<bool> {
        let named = names(&entry.names, sample);
        Some(named && with.rules.services.secret(sample) == Some(entry.key))
    }
}
