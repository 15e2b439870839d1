//! Names and addresses in parts, one field each, joined as HL7 writes them (`Family^Given^Middle^Suffix^Prefix`,
//! `Street^Other^City^State^Postcode`).

use crate::content::{Field, Mark, MarkSet, Scope};
use crate::rules::{FieldRule, Health, Kind, Part};
use smallvec::SmallVec;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Names and addresses joined at the same time: the patient's and those of relatives.
const MAX_GROUPS: usize = 6;
/// Longest part, bytes.
const MAX_PART: usize = 256;
/// Components of a name or address.
const COMPONENTS: usize = 5;
/// Fields of one person that are passed on.
const MAX_FIELDS: u32 = 256;

/// A record that is passed on field by field. It starts with the first field.
#[derive(Default)]
pub struct Person {
    groups: SmallVec<[Group; 2]>,
    begun: bool,
    marks: MarkSet,
    fields: u32,
}

struct Group {
    kind: Kind,
    /// The rule of the first part, by the order of the components.
    rule: Arc<FieldRule>,
    first: usize,
    slots: [Zeroizing<String>; COMPONENTS],
    particle: Zeroizing<String>,
    house: Zeroizing<String>,
}

impl Part {
    /// Its index in the value; `None` if it belongs to no other part.
    const fn slot(self) -> Option<usize> {
        Some(match self {
            Self::Whole => return None,
            Self::Family | Self::Particle | Self::Street | Self::House => 0,
            Self::Given | Self::Line => 1,
            Self::Middle | Self::City => 2,
            Self::Suffix | Self::State => 3,
            Self::Prefix | Self::Postcode => 4,
        })
    }
}

impl Person {
    /// Whether nothing has been added yet.
    pub fn is_empty(&self) -> bool {
        !self.begun && self.groups.is_empty()
    }

    /// Whether a name or part of one was added.
    pub fn is_named(&self) -> bool {
        self.groups.iter().any(|g| g.kind == Kind::Name)
    }

    /// A field of the person.
    pub fn add(
        &mut self,
        content: &'static str,
        rule: &Arc<FieldRule>,
        part: Part,
        value: &str,
        scope: &mut Scope<'_>,
    ) {
        self.add_as(content, rule.kind, rule, part, value, scope);
    }

    /// A field of the person that is of another kind than its rule says.
    pub fn add_as(
        &mut self,
        content: &'static str,
        kind: Kind,
        rule: &Arc<FieldRule>,
        part: Part,
        value: &str,
        scope: &mut Scope<'_>,
    ) {
        let value = value.trim();
        if value.is_empty() || self.fields >= MAX_FIELDS {
            return;
        }
        self.fields += 1;
        self.begin(content, scope);
        match part.slot() {
            Some(slot) => self.part(kind, rule, part, slot, value),
            None => scope.field(Field::declared(rule, value).with_kind(kind)),
        }
    }

    /// A whole field under another kind, or with an issuer.
    pub fn add_field(&mut self, content: &'static str, field: Field<'_>, scope: &mut Scope<'_>) {
        if field.value.is_blank() || self.fields >= MAX_FIELDS {
            return;
        }
        self.fields += 1;
        self.begin(content, scope);
        scope.field(field);
    }

    fn begin(&mut self, content: &'static str, scope: &mut Scope<'_>) {
        if !std::mem::replace(&mut self.begun, true) {
            scope.begin(content);
            self.marks.iter().for_each(|mark| scope.mark(mark));
        }
    }

    fn part(&mut self, kind: Kind, rule: &Arc<FieldRule>, part: Part, slot: usize, value: &str) {
        let mut at = self.groups.iter().rposition(|g| g.kind == kind);
        // Another family name behind a given name begins another name of the person: in another script, or a former
        // name.
        if part == Part::Family
            && let Some(group) = at.and_then(|at| self.groups.get(at))
            && let (Some(family), Some(given)) = (group.slots.first(), group.slots.get(1))
            && !family.is_empty()
            && !given.is_empty()
            && **family != *value
        {
            at = None;
        }
        if at.is_none() && self.groups.len() >= MAX_GROUPS {
            return;
        }
        let at = at.unwrap_or(self.groups.len());
        if at == self.groups.len() {
            self.groups.push(Group {
                kind,
                rule: Arc::clone(rule),
                first: slot,
                slots: Default::default(),
                particle: Zeroizing::default(),
                house: Zeroizing::default(),
            });
        }
        let Some(group) = self.groups.get_mut(at) else { return };
        if slot < group.first {
            (group.rule, group.first) = (Arc::clone(rule), slot);
        }
        let text = match part {
            Part::Particle => &mut group.particle,
            Part::House => &mut group.house,
            _ => match group.slots.get_mut(slot) {
                Some(text) => text,
                None => return,
            },
        };
        if text.is_empty() {
            text.push_str(cut(value));
        } else if matches!(part, Part::Given | Part::Line)
            && **text != *value
            && text.len() + value.len() < MAX_PART
        {
            text.push(' ');
            text.push_str(value);
        }
    }

    /// A mark about the person's health.
    pub fn mark(&mut self, health: Health, scope: &mut Scope<'_>) {
        self.put(Mark::from(health), scope);
    }

    /// A mark, once.
    pub fn put(&mut self, mark: Mark, scope: &mut Scope<'_>) {
        if self.marks.insert(mark) && self.begun {
            scope.mark(mark);
        }
    }

    /// The record is complete; another may follow.
    pub fn end(&mut self, scope: &mut Scope<'_>) {
        let groups = std::mem::take(&mut self.groups);
        for (at, group) in groups.iter().enumerate() {
            // A family name alone behind a complete name adds nothing.
            let before = groups.iter().take(at).any(|other| other.kind == group.kind);
            if before && group.slots.get(1).is_none_or(|given| given.is_empty()) {
                continue;
            }
            let value = group.join();
            scope.field(Field::declared(&group.rule, &value).with_kind(group.kind));
        }
        if std::mem::take(&mut self.begun) {
            scope.end();
        }
        self.marks = MarkSet::EMPTY;
        self.fields = 0;
    }
}

impl Group {
    fn join(&self) -> Zeroizing<String> {
        let mut joined = Zeroizing::new(String::new());
        let used = self.slots.iter().rposition(|s| !s.is_empty()).map_or(1, |at| at + 1);
        for (i, slot) in self.slots.iter().enumerate().take(used) {
            if i > 0 {
                joined.push('^');
            } else if !self.particle.is_empty() {
                joined.push_str(&self.particle);
                joined.push(' ');
            }
            joined.push_str(slot);
            if i == 0 && !self.house.is_empty() {
                joined.push(' ');
                joined.push_str(&self.house);
            }
        }
        joined
    }
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(MAX_PART);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or("")
}
