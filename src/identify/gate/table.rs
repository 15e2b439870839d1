//! Results for recent texts. Connections to one service repeat the same host, banner and titles, and judging a text
//! costs far more than a look-up.
//!
//! Texts are recognised by a hash of 128 bits with random seeds. Of the text only the shown form is kept.

use super::text::Text;
use super::{Gate, Key};
use crate::protocol::{ServiceFacts, TextKind};
use crate::rules::RuleSet;
use foldhash::quality::{RandomState, SeedableRandomState};
use hashbrown::HashMap;
use std::hash::BuildHasher as _;
use std::sync::Arc;

/// Texts kept by a worker.
const MAX_TEXTS: usize = 4096;
/// Hashes of parts kept for all texts together: 4 MiB.
const MAX_PARTS: usize = 1 << 19;

/// Facts of services kept by a worker.
const MAX_FACTS: usize = 1024;

/// A text as it is shown in a flow without identifiers of its own.
#[derive(Default)]
pub(super) struct Verdict {
    /// Hashes of its parts: the entry is valid only if none of them is an identifier.
    pub parts: Box<[u64]>,
    /// Its form once no further identifier is waited for; `None` if that is the original text.
    pub settled: Option<Box<str>>,
    /// Its form before that.
    pub unsettled: Option<Box<str>>,
    /// Whether the two differ.
    pub withheld: bool,
}

/// Recent texts of one worker.
#[derive(Default)]
pub struct Texts {
    judged: HashMap<u128, Arc<Verdict>, foldhash::fast::FixedState>,
    /// Hashes in `judged`.
    parts: usize,
    /// What is shown of facts of flows that ended without an identifier, by a hash of the facts.
    facts: HashMap<u128, Arc<ServiceFacts>, foldhash::fast::FixedState>,
    seeds: [RandomState; 2],
}

impl Texts {
    /// The rules were replaced.
    pub fn forget(&mut self) {
        self.judged.clear();
        self.facts.clear();
        self.parts = 0;
    }

    /// What may be shown of the facts of a flow that has ended, and in which no identifier was found.
    pub fn settled_facts(
        &mut self,
        facts: &ServiceFacts,
        key: &Key,
        rules: &RuleSet,
    ) -> Arc<ServiceFacts> {
        let hash = self.hash(facts);
        if let Some(shown) = self.facts.get(&hash) {
            if shown.counts_as(facts) {
                return Arc::clone(shown);
            }
            let mut shown = ServiceFacts::clone(shown);
            shown.count_as(facts);
            return Arc::new(shown);
        }
        let shown = Gate::new(key).facts(facts, true, rules, self);
        if self.facts.len() >= MAX_FACTS {
            self.facts.clear();
        }
        self.facts.insert(hash, Arc::clone(&shown));
        shown
    }

    fn hash(&self, of: impl std::hash::Hash) -> u128 {
        let [high, low] = self.seeds.each_ref().map(|seed| u128::from(seed.hash_one(&of)));
        high << 64 | low
    }

    /// The entry of `text`, whose parts are hashed by `hasher`.
    pub(super) fn judge(
        &mut self,
        kind: TextKind,
        text: &str,
        rules: &RuleSet,
        hasher: &SeedableRandomState,
    ) -> Arc<Verdict> {
        let key = self.hash((kind, text));
        if let Some(judged) = self.judged.get(&key) {
            return Arc::clone(judged);
        }
        let judged = Arc::new(judge(kind, text, rules, hasher));
        if self.judged.len() >= MAX_TEXTS || self.parts + judged.parts.len() > MAX_PARTS {
            self.forget();
        }
        self.parts += judged.parts.len();
        self.judged.insert(key, Arc::clone(&judged));
        judged
    }
}

fn judge(kind: TextKind, text: &str, rules: &RuleSet, hasher: &SeedableRandomState) -> Verdict {
    let mut masked = Text::new(kind, text, rules);
    let mut parts = Vec::new();
    masked.clues(&mut |clue| {
        parts.push(hasher.hash_one(clue));
        false
    });
    parts.sort_unstable();
    parts.dedup();
    let settled = masked.shown().map(String::into_boxed_str);
    let withheld = masked.withhold();
    let unsettled = masked.shown().map(String::into_boxed_str);
    Verdict { parts: parts.into(), settled, unsettled, withheld }
}
