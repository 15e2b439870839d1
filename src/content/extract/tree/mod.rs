//! What is kept of a document while it is read: the values that may matter, under their names, up
//! to the end of the object that tells whose they are.
//!
//! FHIR allows any order of keys, so `resourceType` may come last; and whether `name` is a patient's
//! is told by what stands beside it. Each object that ends either hands on a record, or leaves what
//! it holds to the object around it, or drops it.

mod dicom;
mod fhir;
mod grid;
mod names;
mod subjects;
mod values;

use super::numbers::Place;
use super::record::{CandidateRecord, Marks, Meaning};
use crate::content::{Reason, Scope};
use crate::rules::{About, Kind, NamePart, Said};
use grid::{Grid, Role};
pub use names::NamePool;
use names::{Link, Names, PLAIN};
use subjects::{Subject, Subjects};
use zeroize::Zeroizing;

/// Values kept at a time.
const MAX_VALUES: usize = 4096;

/// Bytes of values kept at a time.
const MAX_TEXT: usize = 256 << 10;

/// An object that holds values.
#[derive(Clone, Copy)]
struct Node {
    /// The object around it; itself at the top.
    pub parent: u32,
    /// The name it stands under.
    pub name: u16,
}

/// A value that may matter.
#[derive(Clone)]
struct Value {
    /// The object it stands in.
    pub node: u32,
    /// Its name.
    pub name: u16,
    /// The DICOM element it belongs to, or [`PLAIN`].
    pub tag: u16,
    /// What its name means there.
    pub meaning: Option<Meaning>,
    start: u32,
    end: u32,
}

/// An open object or array.
struct Frame {
    object: bool,
    /// The name it stands under; elements of an array bear that of the array.
    name: u16,
    /// It stands in an array.
    element: bool,
    /// The object itself, or the one around an array.
    node: u32,
    values: usize,
    text: usize,
    /// Kinds of which a person has one, held so far.
    singles: u16,
    marks: Marks,
    /// What holds for everything inside.
    inherited: Marks,
    /// The DICOM element it belongs to, or [`PLAIN`].
    tag: u16,
    /// It has keys that are DICOM tags.
    has_tags: bool,
    resource: Resource,
    /// It stands in a resource that is nobody's: parts of data types lead to nothing there.
    idle: bool,
    /// The name of the next value.
    next: u16,
    next_meaning: Option<Meaning>,
    /// The place of the next value.
    place: Place,
    /// What the name it stands under means.
    own: Option<Meaning>,
    role: Role,
    /// Its cells are wrapped in objects.
    object_cells: bool,
    /// Rows it has held.
    rows: u32,
    /// It has given its column's name or its cell's value.
    done: bool,
    /// What its label says its answer is, and the answer.
    label: Option<Meaning>,
    answer: Option<Zeroizing<String>>,
    /// It holds answers that were labelled.
    pairs: bool,
    /// What the type of the resource says of somebody's health, and of whose.
    health: Marks,
    subject: Subject,
    /// Names of the resource: its id, and the URL beside it.
    id: Option<u64>,
    url: Option<u64>,
}

enum Resource {
    None,
    /// Of a type that no rule names.
    Other,
    Person(Box<str>),
}

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
    loose: CandidateRecord,
    grid: Grid,
    subjects: Subjects,
    /// Labels stand beside their answers anywhere (`<field name="dob">1970-01-01</field>`).
    pairs: bool,
    /// A value found no room: counted once a document.
    full: bool,
    /// The place of values without a name.
    top: Place,
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
            loose: CandidateRecord::default(),
            grid: Grid::default(),
            subjects: Subjects::default(),
            pairs: content == "xml",
            full: false,
            top: Place::TOP,
        }
    }

    /// Whether `text` as a name means anything.
    pub fn knows(&mut self, text: &str, scope: &mut Scope<'_>) -> bool {
        self.names.begin(&mut scope.tally.names, scope.rules);
        let index = self.names.find(text, scope.rules());
        self.names.get(index).means_something()
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
    }

    /// What an object or array that begins is to a table.
    fn role(&mut self, object: bool) -> Role {
        let Some(top) = self.frames.last() else { return Role::Plain };
        let of = self.names.get(top.next).use_;
        let role = match (object, top.role) {
            (true, Role::Header) => Role::Column,
            (true, Role::Row) if top.object_cells => Role::Cell,
            (false, Role::Plain) if top.object && of.header => Role::Header,
            (false, Role::Plain) if top.object && of.row && self.grid.is_known() => Role::Row,
            // The first row may be the names.
            (false, Role::Plain) if !top.object && (self.grid.is_known() || top.rows == 0) => {
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
        // Values in an array stand where it does.
        let place = self.frames.last().map_or(self.top, |f| f.place);
        let (name, element, node, inherited, tag) = match self.frames.last() {
            None => (PLAIN, false, next_node, Marks::default(), PLAIN),
            Some(top) => {
                let name = self.names.get(top.next);
                // What stands under `patients` is about patients, under `doctor` about others.
                let said = if top.object { name.inside.inherited() } else { Marks::default() };
                let inherited = if said == Marks::default() { top.inherited } else { said };
                (top.next, !top.object, top.node, inherited, top.tag)
            }
        };
        let under = self.names.get(name);
        let (tag, name_is_tag) = match under {
            n if n.dicom_tag.is_some() => (name, true),
            _ => (tag, false),
        };
        if object {
            self.nodes.push(Node { parent: node.min(next_node), name });
        }
        self.frames.push(Frame {
            object,
            name,
            element,
            node: if object { next_node } else { node },
            values: self.values.len(),
            text: self.text.len(),
            singles: 0,
            marks: Marks::default(),
            inherited,
            tag: if name_is_tag || tag != PLAIN { tag } else { PLAIN },
            has_tags: false,
            resource: Resource::None,
            idle: self.frames.last().is_some_and(|top| top.idle && !under.holds_resources),
            // Values in an array bear its name.
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
            pairs: false,
            health: Marks::default(),
            subject: Subject::Unsaid,
            id: None,
            url: None,
        });
    }

    /// The name of the next value.
    pub fn key(&mut self, text: &str, scope: &mut Scope<'_>) {
        self.names.begin(&mut scope.tally.names, scope.rules);
        let (index, place) = self.names.look_up(text, scope.rules());
        let Some(top) = self.frames.last_mut() else { return };
        let name = self.names.get(index);
        top.has_tags |= name.dicom_tag.is_some();
        top.next = index;
        top.place = place;
        top.next_meaning = name.meaning.clone();
        // A wrapper, or the number of a row under the name of its column (pandas).
        let number = || !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if top.own.is_some() && (name.use_.wrapper || number()) && !name.tag_value {
            if !name.fhir {
                top.next = top.name;
            }
            top.next_meaning = top.own.clone();
        }
        if top.name != PLAIN {
            // A name of its own in this place outweighs what it means anywhere.
            let parent = top.name;
            if let Some(meaning) = self.names.pair(parent, text, scope.rules()) {
                top.next_meaning = Some(meaning);
            }
        }
    }

    /// Whether the next string or number may matter.
    pub fn wants(&mut self) -> bool {
        let Some(top) = self.frames.last() else { return false };
        let name = self.names.get(top.next);
        match top.role {
            Role::Header => return true,
            Role::Row => return self.grid.wants(),
            Role::Column => return name.use_.column,
            Role::Cell => return name.use_.cell && self.grid.wants(),
            Role::Plain => {}
        }
        let pairs = top.object && (top.element || self.pairs);
        if name.use_.typed || (pairs && (name.use_.label || name.use_.answer)) {
            return true;
        }
        if top.tag != PLAIN && name.tag_value {
            return self.names.get(top.tag).tag_wanted;
        }
        top.next_meaning.is_some() || name.fhir || name.resource_type || self.link().is_some()
    }

    /// What the next value tells of whose a resource is.
    fn link(&self) -> Option<Link> {
        let top = self.frames.last().filter(|top| top.object)?;
        let link = self.names.get(top.next).link?;
        let under = self.names.get(top.name).link;
        let tells = match link {
            Link::Url => true,
            Link::Id => under == Some(Link::Resource) || !matches!(top.resource, Resource::None),
            Link::Reference => under == Some(Link::Subject),
            Link::Resource | Link::Subject => false,
        };
        tells.then_some(link)
    }

    /// Notes what `text` tells of whose a resource is.
    fn tie(&mut self, link: Link, text: &str) {
        let around = self.frames.len().saturating_sub(2);
        match (link, self.frames.get_mut(around..)) {
            (Link::Id, Some([.., top])) => top.id = Some(subjects::hash(text)),
            (Link::Url, Some([.., top])) => top.url = subjects::name(text),
            (Link::Reference, Some([around, _])) => around.subject = Subject::of(text),
            _ => {}
        }
    }

    /// What a part of a resource says of whom the whole is about.
    pub fn mark_person(&mut self, marks: Marks) {
        let person = |f: &&mut Frame| matches!(f.resource, Resource::Person(_));
        if let Some(frame) = self.frames.iter_mut().find(person) {
            frame.marks = frame.marks.and(marks);
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
        // Each number of a list is somebody else's.
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
        let Some(top) = self.frames.last_mut() else { return };
        let name = self.names.get(top.next);
        self.values.push(Value {
            node: top.node,
            name: top.next,
            tag: if name.tag_value { top.tag } else { PLAIN },
            meaning: top.next_meaning.clone(),
            start,
            end,
        });
    }

    /// A value that is wanted.
    pub fn value(&mut self, text: &str, scope: &mut Scope<'_>) {
        let Some(top) = self.frames.last_mut() else { return };
        if top.role != Role::Plain {
            // Of what is said of a column, the first name counts.
            if !std::mem::replace(&mut top.done, true)
                || matches!(top.role, Role::Row | Role::Header)
            {
                self.grid.push(text);
            }
            return;
        }
        self.passed();
        if let Some(link) = self.link() {
            self.tie(link, text);
        }
        let Some(top) = self.frames.last_mut() else { return };
        let name = self.names.get(top.next);
        if name.use_.typed
            && Marks::about(scope.rules().keys.said(text).map_or(About::Nothing, Said::ahead))
                == Marks::PATIENT
        {
            top.marks = top.marks.and(Marks::PATIENT);
        }
        if top.object && (top.element || self.pairs) {
            if name.use_.label && top.label.is_none() {
                top.label = scope.rules().keys.get(text).map(Meaning::from);
            } else if name.use_.answer {
                top.answer = Some(Zeroizing::new(text.to_owned()));
            }
        }
        if name.resource_type {
            let known = scope.rules().fhir.is_person(text);
            top.resource = if known { Resource::Person(text.into()) } else { Resource::Other };
            // Lists of resources are resources, too (FHIR R4, Bundle, Parameters).
            top.idle = !known && !matches!(text, "Bundle" | "Parameters");
            if let Some(about) = scope.rules().keys.context(text) {
                top.marks = top.marks.and(Marks::about(about));
                top.health = Marks::about(about).health();
            }
            return;
        }
        let wanted = top.next_meaning.is_some() || (name.fhir && !top.idle) || name.tag_value;
        if text.is_empty() || !wanted {
            return;
        }
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

    /// What the end of an object or array means to a table.
    fn close_role(&mut self, frame: &Frame, scope: &mut Scope<'_>) {
        let depth = self.frames.len();
        self.grid.leave(depth);
        match frame.role {
            Role::Plain => {}
            Role::Column | Role::Cell => {
                if !frame.done {
                    self.grid.push("");
                }
            }
            Role::Header => {
                // `schema: { fields: [...] }` is about what stands beside the schema.
                let within = self.frames.last().is_some_and(|f| self.names.get(f.name).use_.header);
                self.grid.name(depth - usize::from(within), scope.rules());
            }
            Role::Row if self.grid.is_known() => {
                self.grid.record(frame.inherited, &mut self.loose);
                self.loose.mark_from_afar(self.around);
                self.loose.emit(self.content, scope);
            }
            Role::Row => self.grid.name(depth, scope.rules()),
        }
        if let Some(around) = self.frames.last_mut().filter(|_| frame.role == Role::Row) {
            around.rows = around.rows.saturating_add(1);
        }
    }

    /// A label and its answer (`{"name": "dob", "value": "1970-01-31"}`) are a value of what stands
    /// around their list; whether that is what this object is.
    fn pair(&mut self, frame: &mut Frame, scope: &mut Scope<'_>) -> bool {
        let (Some(label), Some(answer)) = (frame.label.take(), frame.answer.take()) else {
            return false;
        };
        if !matches!(frame.resource, Resource::None) {
            return false;
        }
        self.drop_values(frame);
        let Some(around) = self.frames.last_mut() else { return false };
        around.pairs = true;
        around.role = Role::Plain;
        let before = around.next_meaning.replace(label);
        self.value(&answer, scope);
        if let Some(around) = self.frames.last_mut() {
            around.next_meaning = before;
        }
        true
    }

    /// The innermost object or array ends.
    pub fn close(&mut self, scope: &mut Scope<'_>) {
        let Some(mut frame) = self.frames.pop() else { return };
        self.close_frame(&mut frame, scope);
        if self.frames.is_empty() {
            self.subjects.finish(scope);
        }
    }

    fn close_frame(&mut self, frame: &mut Frame, scope: &mut Scope<'_>) {
        self.close_role(frame, scope);
        if frame.health != Marks::default() {
            self.subjects.health(frame.subject, frame.health, scope);
        }
        if self.pair(frame, scope) {
            return;
        }
        if let Some(around) = self.frames.last_mut()
            && around.object
        {
            // A name says something of the record around it, unless what stood there was empty.
            around.marks = around.marks.and(self.names.get(frame.name).marks);
        }
        if self.values.len() == frame.values {
            self.drop_values(frame);
            return;
        }
        let list =
            !frame.object && self.frames.last().is_none_or(|around| frame.pairs && !around.object);
        if list || (frame.object && !self.leave(frame)) {
            self.emit(frame, scope);
            self.drop_values(frame);
            return;
        }
        if let Some(around) = self.frames.last_mut() {
            around.singles |= frame.singles;
            if !self.names.get(frame.name).component {
                around.marks = around.marks.and(frame.marks);
            }
        }
    }

    /// The document ends, perhaps in the middle: what is open is all there will be.
    pub fn finish(&mut self, scope: &mut Scope<'_>) {
        while !self.frames.is_empty() {
            self.close(scope);
        }
        self.names.end(&mut scope.tally.names);
    }

    /// Whether what an object holds is left to the object around it.
    fn leave(&self, frame: &Frame) -> bool {
        if !matches!(frame.resource, Resource::None) {
            return false;
        }
        let Some(around) = self.frames.last() else { return false };
        if frame.tag != PLAIN {
            return true;
        }
        if frame.has_tags {
            return false;
        }
        let name = self.names.get(frame.name);
        // A list of patients stands for several, whatever else its name may mean.
        let conflict = around.singles & frame.singles != 0;
        let patients = (frame.element || conflict) && name.inside.has(Marks::PATIENT);
        if name.component && !patients && self.frames.iter().any(|f| f.object) {
            return true;
        }
        if frame.element || name.inside.is_other() || frame.inherited.is_other() {
            return false;
        }
        // Both have a name, or a number, or a birth date: two people.
        !conflict
    }

    /// Hands on what an object holds.
    fn emit(&mut self, frame: &mut Frame, scope: &mut Scope<'_>) {
        let values = self.values.get(frame.values..).unwrap_or_default();
        let view = View { nodes: &self.nodes, names: &self.names, text: &self.text };
        match &frame.resource {
            Resource::Other => {}
            Resource::Person(resource) if &**resource == "Patient" => {
                // In XML, the element of the resource stands between.
                let url = self.frames.iter().rev().take(3).find_map(|around| around.url);
                let names = [frame.id, url];
                let said = self.subjects.said(names);
                let marks = frame.marks.and(said);
                let kept = fhir::emit(resource, frame.node, values, marks, &view, scope);
                self.subjects.patient(names, kept, said);
            }
            Resource::Person(resource) => {
                fhir::emit(resource, frame.node, values, frame.marks, &view, scope);
            }
            Resource::None if frame.has_tags => dicom::emit(values, &view, scope),
            Resource::None => {
                // Lists beside each other: the first of each belong together, and so on.
                let rows = values::rows(values);
                for row in 0..rows {
                    self.loose.mark(frame.marks.and(frame.inherited));
                    let of_row = values::of_row(values, rows, row);
                    for (value, meaning) in of_row {
                        self.loose.add(meaning, value.node, view.text(value));
                    }
                    self.loose.mark_from_afar(self.around);
                    self.loose.emit(self.content, scope);
                }
            }
        }
    }

    fn drop_values(&mut self, frame: &Frame) {
        self.values.truncate(frame.values);
        self.text.truncate(frame.text);
        if frame.object {
            self.nodes.truncate(frame.node as usize);
        }
    }
}

/// What the writers of records see.
struct View<'a> {
    nodes: &'a [Node],
    names: &'a Names,
    text: &'a str,
}

impl<'a> View<'a> {
    /// The text of a value.
    pub fn text(&self, value: &Value) -> &'a str {
        self.text.get(value.start as usize..value.end as usize).unwrap_or("")
    }
    /// A name.
    pub fn name(&self, index: u16) -> &'a names::Name {
        self.names.get(index)
    }
    /// An object.
    pub fn node(&self, index: u32) -> Option<Node> {
        self.nodes.get(index as usize).copied()
    }
}

/// The bit of a kind of which a person has one, with the part of it that a name holds.
fn single(meaning: &Meaning) -> u16 {
    match (meaning.rule.kind, meaning.part) {
        (Kind::Name, NamePart::Whole) => 1,
        (Kind::Name, NamePart::Family) => 2,
        (Kind::Name, NamePart::Given) => 4,
        (Kind::PatientId, _) => 8,
        (Kind::BirthDate, NamePart::Whole) => 16,
        (Kind::Ssn, _) => 32,
        (Kind::Sex, _) => 64,
        _ => 0,
    }
}
