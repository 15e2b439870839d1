//! What is kept of a document while it is read: the values that may matter, under their names, up to the end
//! of the object that shows whose they are.
//!
//! FHIR allows any order of keys, so `resourceType` may come last; and whether `name` is that of a patient
//! depends on its neighbours. Each object that ends either yields a record, leaves what it holds to the
//! object around it, or drops it.

mod close;
mod composition;
mod dicom;
mod events;
mod fhir;
mod frame;
mod grid;
mod kin;
mod labelled;
mod names;
mod patch;
mod path;
mod questions;
mod quiet;
mod registrations;
mod request;
mod structure;
mod subjects;
mod values;

use super::numbers::ListPosition;
use super::record::{CandidateRecord, Marks, Meaning};
use crate::content::stack::media;
use crate::content::{Reason, Scope};
use crate::rules::{About, ContextScope, Kind, NamePart};
use frame::{Frame, Node, Resource, Value, View, single};
use grid::{Grid, Role};
pub use labelled::words;
pub use names::NamePool;
use names::{Link, Names, PLAIN};
use questions::Questions;
use registrations::Registrations;
use subjects::{Subject, Subjects};

/// Values kept at a time.
const MAX_VALUES: usize = 4096;

/// Objects and arrays around a row of a list at the top: `{"results": [{...}]}`.
const MAX_ROOT: usize = 3;

/// What a document about a patient is called, for names that mean something under it.
const PATIENT: &str = "patient";

/// Bytes of values kept at a time.
const MAX_TEXT: usize = 256 << 10;

/// What is kept of a document.
pub struct Tree {
    content: &'static str,
    names: Names,
    frames: Vec<Frame>,
    nodes: Vec<Node>,
    values: Vec<Value>,
    text: zeroize::Zeroizing<String>,
    /// What the path says of the whole document.
    pub around: Marks,
    /// What names in it say of the whole document, apart from people in another role.
    document: Marks,
    loose: CandidateRecord,
    grid: Grid,
    subjects: Subjects,
    registrations: Registrations,
    questions: Questions,
    /// Labels accompany their answers anywhere (`<field name="dob">1970-01-01</field>`).
    pairs: bool,
    /// It describes an interface and is about no person.
    describes: bool,
    /// A value found no room: counted once a document.
    full: bool,
    /// The place of values without a name.
    top: ListPosition,
    /// The FHIR type of what the document changes, as its path says (`PATCH /fhir/Patient/7`).
    target: Option<Box<str>>,
    /// The path says that each object is one of a person, so what one shows is a name.
    shows_people: bool,
    /// It is a dump of a database: labels and columns are mixed, and the meaning of the path may change.
    dump: bool,
    /// What the path of the document says of it, whatever tables it contains.
    stated: Marks,
    /// The object that begins next is a row.
    row: bool,
    /// Whether it is a composition of openEHR.
    composition: composition::Composition,
    /// It is the claims of a token: without a word of patients or a birth date, they are about a user.
    claims: bool,
}

impl Tree {
    /// For a document of this format.
    pub fn new(content: &'static str) -> Self {
        Self {
            content,
            names: Names::default(),
            frames: Vec::new(),
            nodes: Vec::new(),
            values: Vec::new(),
            text: zeroize::Zeroizing::default(),
            around: Marks::default(),
            document: Marks::default(),
            loose: CandidateRecord::default(),
            grid: Grid::default(),
            subjects: Subjects::default(),
            registrations: Registrations::default(),
            questions: Questions::default(),
            pairs: content == "xml",
            describes: false,
            full: false,
            top: ListPosition::TOP,
            target: None,
            shows_people: false,
            dump: false,
            stated: Marks::default(),
            row: false,
            composition: composition::Composition::default(),
            claims: false,
        }
    }

    /// For the claims of a token.
    pub fn of_claims() -> Self {
        Self { claims: true, ..Self::new("json") }
    }

    /// Takes what the path of the document says of it.
    pub fn set_path(&mut self, path: &str, scope: &Scope<'_>) {
        self.around = media::about(path, scope);
        self.stated = self.around;
        self.shows_people = media::ends_at_person(path);
        self.target = patch::target(path);
    }

    /// Takes what the names of a database and of a table of it say of the rows that follow.
    pub fn in_table(&mut self, path: &str, scope: &Scope<'_>) {
        self.dump = true;
        self.around = self.stated.and(media::about(path, scope));
    }

    /// The object that begins next is a row of a table.
    pub fn begin_row(&mut self) {
        self.row = true;
    }

    /// Whether its path may say what a list at the top changes (JSON Patch).
    pub const fn awaits_patch(&self) -> bool {
        self.target.is_some()
    }

    /// Whether nothing that was read has a bearing on what follows, apart from [`Tree::awaits_patch`].
    pub fn is_fresh(&self) -> bool {
        self.frames.is_empty()
            && !self.describes
            && !self.full
            && !self.grid.is_known()
            && !self.grid.is_waiting()
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        self.names.memory()
            + self.frames.capacity() * size_of::<Frame>()
            + self.nodes.capacity() * size_of::<Node>()
            + self.values.capacity() * size_of::<Value>()
            + self.text.capacity()
            + self.grid.memory()
            + self.subjects.memory()
            + self.registrations.memory()
            + self.questions.memory()
    }

    /// What an object or array that begins is to a table.
    fn role(&mut self, object: bool) -> Role {
        let Some(top) = self.frames.last_mut() else { return Role::Plain };
        // All rows, and not the only one.
        if top.role == Role::Row && self.names.get(top.name).use_.list && self.grid.is_blank() {
            top.role = Role::Plain;
        }
        let of = self.names.get(top.next).use_;
        let role = match (object, top.role) {
            (true, Role::Header) => Role::Column,
            (true, Role::Row) if top.object_cells => Role::Cell,
            (false, Role::Plain) if top.object && of.header => Role::Header,
            (false, Role::Plain) if top.object && of.row && self.grid.is_known() => Role::Row,
            // The first row may be the names.
            (false, Role::Plain)
                if !top.object
                    && (self.grid.is_known()
                        || top.rows == 0
                        || self.grid.waits_at(self.frames.len())) =>
            {
                Role::Row
            }
            // What a row holds beside cells keeps its place.
            (_, Role::Row) => {
                self.grid.push("");
                Role::Plain
            }
            _ => Role::Plain,
        };
        if matches!(role, Role::Header | Role::Row) {
            self.grid.clear();
        }
        role
    }

    /// An object or array begins.
    pub fn open(&mut self, object: bool) {
        let role = self.role(object);
        let own = self.frames.last().and_then(|f| f.next_meaning.clone());
        let next_node = self.nodes.len() as u32;
        // Values in an array have its position.
        let place = self.frames.last().map_or(self.top, |f| f.place);
        let (name, element, node, inherited, tag) = match self.frames.last() {
            None => (PLAIN, false, next_node, Marks::default(), PLAIN),
            Some(top) => {
                let name = self.names.get(top.next);
                // Values below `patients` are about patients, below `doctor` about others.
                let said = if top.object { name.inside.inherited() } else { Marks::default() };
                let inherited = if said == Marks::default() { top.inherited } else { said };
                // `{"entity": "Patient", "before": {...}, "after": {...}}`
                let version = top.subject && name.use_.version;
                let inherited = if version { inherited.and(Marks::PATIENT) } else { inherited };
                (top.next, !top.object, top.node, inherited, top.tag)
            }
        };
        let under = self.names.get(name);
        let (tag, name_is_tag) = match under {
            n if n.dicom_tag.is_some() => (name, true),
            _ => (tag, false),
        };
        let root = self.frames.is_empty();
        let kin = self.begins_kin(name);
        if object || root {
            self.nodes.push(Node { parent: node.min(next_node), name });
        }
        self.frames.push(Frame {
            object,
            name,
            element,
            quiet: under.quiet_around,
            node: if object || root { next_node } else { node },
            values: self.values.len(),
            text: self.text.len(),
            singles: 0,
            marks: Marks::default(),
            inherited,
            tag: if name_is_tag || tag != PLAIN { tag } else { PLAIN },
            has_tags: false,
            resource: Resource::None,
            standard: false,
            refers: false,
            group: None,
            subject: false,
            class: false,
            row: object && std::mem::take(&mut self.row),
            strange: false,
            kin,
            labelled: self.frames.last().is_some_and(|top| top.labelled && !under.holds_resources),
            patch: false,
            idle: self.frames.last().is_some_and(|top| top.idle && !under.holds_resources),
            // Values in an array have its name.
            wraps: false,
            next: if object { PLAIN } else { name },
            next_meaning: if object { None } else { own.clone() },
            place,
            own,
            role,
            object_cells: role == Role::Row
                && self.frames.last().is_some_and(|around| around.object),
            rows: 0,
            done: false,
            label: None,
            answer: None,
            answered: None,
            pairs: false,
            health: Marks::default(),
            linked: false,
            code: None,
            id: None,
            url: None,
        });
    }

    /// The name of the next value.
    pub fn key(&mut self, text: &str, scope: &mut Scope<'_>) {
        self.names.begin(&mut scope.counters.names, scope.rules);
        let (index, place) = self.names.look_up(text, scope.rules());
        if self.frames.len() <= 2 {
            self.note_context(text);
            // The description of an interface has examples, not people (OpenAPI 3.1 4.8.1, Swagger 2.0).
            self.describes |=
                self.frames.len() == 1 && matches!(text, "openapi" | "swagger" | "asyncapi");
        }
        self.document = self.document.and(self.names.get(index).document);
        let subject = self.is_subject_id(text);
        // In a record of a standard, `text` has a meaning of its own.
        let holds = self.names.get(index).use_.holder && self.may_hold();
        let Some(top) = self.frames.last_mut() else { return };
        let name = self.names.get(index);
        top.has_tags |= name.dicom_tag.is_some();
        top.next = index;
        top.place = place;
        top.next_meaning = name.meaning.clone();
        top.wraps = false;
        // A wrapper, or the number of a row under the name of its column (pandas).
        let number = || !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // Servers of images write names as DICOM JSON does, also under their keywords.
        let alphabetic = top.tag == PLAIN && text == "Alphabetic";
        let wraps = (name.use_.wrapper || holds || number()) && !name.tag_value;
        // `"dob": {"date": "1970-01-31"}`, `<birthday><date>`.
        let date = || {
            let own = top.own.as_ref().is_some_and(|own| own.rule.kind == Kind::BirthDate);
            name.use_.date && own
        };
        if top.own.is_some() && (wraps || alphabetic || date()) {
            // Parts of a name, each in a message of its own (protocol buffers in JSON).
            let part = top.own.as_ref().is_some_and(|own| own.part != NamePart::Whole);
            top.wraps = !name.fhir || part && self.content == "json" || holds;
            if !name.fhir {
                top.next = top.name;
            }
            top.next_meaning = top.own.clone();
        }
        if top.subject && (text == "identifier" || top.class && matches!(text, "id" | "Id")) {
            // `{"@type": "Patient", "identifier": "77"}` (JSON-LD), `{"@class": "org.x.Patient", "id": "77"}`.
            let parent = self.names.find(PATIENT, scope.rules());
            let name = if text == "Id" { "id" } else { text };
            top.next_meaning = self.names.pair(parent, name, scope.rules());
        }
        if top.name != PLAIN {
            // A name of its own in this place outweighs what it means anywhere.
            let mut parent = top.name;
            let name = self.names.get(parent);
            let around = self.composition.label_of(&name.text);
            if let Some(around) = around.or(name.is_patient(top.kin).then_some(PATIENT)) {
                parent = self.names.find(around, scope.rules());
            }
            if let Some(meaning) = self.names.pair(parent, text, scope.rules()) {
                top.next_meaning = Some(meaning);
            }
        }
        // `"prescription": {"name": "Aspirin"}`
        let general =
            |m: &Meaning| m.rule.kind == Kind::Name && m.part == NamePart::Whole && !m.patient;
        if self.names.get(top.name).thing && top.next_meaning.as_ref().is_some_and(general) {
            top.next_meaning = None;
        }
        if subject {
            let parent = self.names.find(PATIENT, scope.rules());
            top.next_meaning = self.names.pair(parent, "id", scope.rules());
        }
        if top.kin {
            top.next_meaning = kin::of(top.next_meaning.take(), &scope.rules().keys);
        }
    }

    /// Whether the next string or number may matter.
    pub fn wants(&mut self) -> bool {
        if self.is_quiet() {
            return self.wants_quietly();
        }
        let Some(top) = self.frames.last() else { return false };
        let name = self.names.get(top.next);
        match top.role {
            Role::Header => return true,
            Role::Row => return self.grid.wants(),
            Role::Column => return name.use_.column || name.use_.answer || self.asks_or_answers(),
            Role::Cell => return name.use_.cell && self.grid.wants(),
            Role::Plain => {}
        }
        let pairs = top.object && (top.element || self.pairs);
        if self.asks_or_answers() || self.answers_around() {
            return true;
        }
        if name.use_.typed
            || name.use_.address
            || name.use_.species
            || (pairs
                && (name.use_.label || name.use_.answer || name.use_.group || name.use_.number))
        {
            return true;
        }
        if let Some(tag) = self.tag_of_value() {
            return self.names.get(tag).tag_wanted;
        }
        // What else an element has describes it: `{"vr": "PN", "name": "Patient's Name", "Value": ["Doe^Jane"]}`.
        if top.object && self.names.get(top.name).describes_element() {
            return false;
        }
        if name.operation {
            return self.is_operation();
        }
        top.next_meaning.is_some() || name.fhir || name.resource_type || self.link().is_some()
    }

    /// What the next value says about the subject of a resource.
    fn link(&self) -> Option<Link> {
        let top = self.frames.last().filter(|top| top.object)?;
        let link = self.names.get(top.next).link?;
        let under = self.names.get(top.name).link;
        let tells = match link {
            Link::Url => true,
            Link::Id => under == Some(Link::Resource) || !matches!(top.resource, Resource::None),
            Link::Reference => true,
            Link::Resource => false,
        };
        tells.then_some(link)
    }

    /// Notes what `text` says about the subject of a resource.
    fn tie(&mut self, link: Link, text: &str) {
        let around = self.frames.len().saturating_sub(2);
        match (link, self.frames.get_mut(around..)) {
            (Link::Id, Some([.., top])) => top.id = Some(subjects::hash(text)),
            (Link::Url, Some([.., top])) => top.url = subjects::name(text),
            (Link::Reference, Some([.., top])) => top.refers |= Subject::is_patient(text),
            _ => {}
        }
    }

    /// A value that is not wanted, and not `null`.
    pub fn passed(&mut self) {
        if let Some(top) = self.frames.last_mut() {
            if matches!(top.role, Role::Row | Role::Header) {
                self.grid.push("");
            }
            top.marks = top.marks.and(self.names.get(top.next).marks);
        }
    }

    /// A value that is not wanted, but may be a number that needs no words near by.
    pub fn number(&mut self, text: &str, scope: &mut Scope<'_>) {
        self.passed();
        let Some(top) = self.frames.last() else { return };
        if top.role != Role::Plain {
            return;
        }
        let Some(meaning) = top.place.meaning(text, scope) else { return };
        // Each number of a list belongs to another person.
        let held = self.values.get(top.values..).unwrap_or_default().iter();
        let again = held.filter_map(|v| v.meaning.as_ref().map(|m| (v.name, m)));
        let again = again.filter(|(name, _)| *name == top.next);
        let again = again.into_iter().any(|(_, m)| m.rule.id == meaning.rule.id);
        if top.object && !again {
            let room = self.values.len() < MAX_VALUES && self.text.len() + text.len() <= MAX_TEXT;
            let start = self.text.len() as u32;
            if let Some(top) = self.frames.last_mut().filter(|_| room) {
                self.text.push_str(text);
                let before = top.next_meaning.replace(meaning);
                self.keep(start, start + text.len() as u32);
                if let Some(top) = self.frames.last_mut() {
                    top.next_meaning = before;
                }
            }
            return;
        }
        let mut record = CandidateRecord::default();
        record.mark(top.inherited);
        record.add(&meaning, 0, text);
        record.mark_from_afar(self.around);
        record.emit(self.content, scope);
    }

    /// No value: it keeps its place in a list.
    pub fn null(&mut self) {
        let Some(top) = self.frames.last() else { return };
        if matches!(top.role, Role::Row | Role::Header) {
            self.grid.push("");
        } else if top.next_meaning.is_some() && self.values.len() < MAX_VALUES {
            let at = self.text.len() as u32;
            self.keep(at, at);
        }
    }

    /// Keeps a value under its name.
    fn keep(&mut self, start: u32, end: u32) {
        let tag = self.tag_of_value().unwrap_or(PLAIN);
        let Some(top) = self.frames.last() else { return };
        let outer = if top.wraps { self.holder(top) } else { None };
        self.values.push(Value {
            node: outer.unwrap_or(top.node),
            name: top.next,
            tag,
            meaning: top.next_meaning.clone(),
            start,
            end,
        });
    }

    /// A value that is wanted.
    pub fn value(&mut self, text: &str, scope: &mut Scope<'_>) {
        if self.is_quiet() {
            return self.quiet_value(text, scope);
        }
        if self.answers_column() {
            self.begin_pairs(scope);
        }
        if self.note_question(text, scope) {
            return;
        }
        if self.answers_around() {
            return self.answer_around(text);
        }
        let Some(top) = self.frames.last_mut() else { return };
        if top.role != Role::Plain {
            // Of what is said of a column, the first name counts that means something.
            if !std::mem::replace(&mut top.done, true)
                || matches!(top.role, Role::Row | Role::Header)
            {
                self.grid.push(text);
            } else if top.role == Role::Column {
                self.grid.rename(text, scope.rules());
            }
            return;
        }
        self.passed();
        self.request(text, scope);
        self.classify(text, scope);
        let Some(name) = self.frames.last().map(|top| self.names.get(top.next)) else { return };
        if name.resource_type {
            return self.begin_resource(text, scope);
        }
        let (operation, fhir) = (name.operation, name.fhir);
        let tag_value = name.tag_value || self.tag_of_value().is_some();
        if fhir {
            self.show_in_document(text, scope);
        }
        let Some(top) = self.frames.last_mut() else { return };
        top.patch |= operation && patch::is_operation(&self.names.get(top.next).text, text);
        let wanted = top.next_meaning.is_some() || (fhir && !top.idle) || tag_value || operation;
        let (name, around) = (&*self.names.get(top.next).text, &*self.names.get(top.name).text);
        let internal = values::is_internal((name, around), top.next_meaning.as_ref(), text);
        if !text.is_empty() && wanted && !internal {
            self.keep_text(text, scope);
        }
    }

    /// Keeps a value under the name and the meaning that it has here.
    fn keep_text(&mut self, text: &str, scope: &mut Scope<'_>) {
        let Some(top) = self.frames.last_mut() else { return };
        let date = top.next_meaning.as_ref().and_then(|m| values::date(m.rule.kind, text));
        let text = date.as_deref().map_or(text, String::as_str);
        if self.values.len() >= MAX_VALUES || self.text.len() + text.len() > MAX_TEXT {
            if !std::mem::replace(&mut self.full, true) {
                scope.give_up(Reason::Limit);
            }
            return;
        }
        let start = self.text.len() as u32;
        self.text.push_str(text);
        top.singles |= top.next_meaning.as_ref().map_or(0, single);
        self.keep(start, start + text.len() as u32);
    }

    /// What a value says of the object that contains it: its type, its label, its group.
    fn classify(&mut self, text: &str, scope: &mut Scope<'_>) {
        let Some(top) = self.frames.last() else { return };
        let of = self.names.get(top.next).use_;
        if of.species || of.typed || self.names.get(top.name).use_.species {
            self.note_species(text, scope);
        }
        if let Some(link) = self.link() {
            self.tie(link, text);
        }
        self.note_label(text, scope);
        if of.address {
            self.note_address(text);
        }
        if !of.typed {
            return;
        }
        if self.frames.len() == 1 {
            self.note_type(text);
        }
        let Some(top) = self.frames.last_mut() else { return };
        let is_class = structure::is_class(&self.names.get(top.next).text);
        let name = if is_class { structure::class_name(text) } else { text };
        if scope.rules().keys.scope_of(name).map(ContextScope::ahead) == Some(About::Patient)
            || Subject::is_patient(name)
        {
            top.marks = top.marks.and(Marks::PATIENT);
            top.subject = true;
            top.class = is_class;
        }
    }

    /// The document ends, perhaps in the middle: what is open is all there will be.
    pub fn finish(&mut self, scope: &mut Scope<'_>) {
        while !self.frames.is_empty() {
            self.close(scope);
        }
        self.names.end(&mut scope.counters.names);
    }
}
