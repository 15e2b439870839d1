//! The end of an object: its values become a record, are left to the enclosing object, or are dropped.

use super::Tree;
use super::frame::{Frame, Resource, View};
use super::grid::Role;
use super::names::{Name, PLAIN};
use super::subjects::{Claim, PatientNames, Subject};
use super::{dicom, fhir, labelled, values};
use crate::content::extract::fhir as record;
use crate::content::extract::record::{CandidateRecord, Marks, Meaning};
use crate::content::{Mark, Scope};
use crate::rules::{Kind, NamePart};

/// The subject of a resource.
enum Standard {
    /// A FHIR Patient.
    Patient,
    /// Any other FHIR resource, which refers to its patient.
    Resource,
    /// A CDA document.
    Document,
    /// A patient of HL7 version 3, and a query for one.
    Registration,
    Query,
}

/// Properties of a resource from outside its own fields.
#[derive(Default)]
pub(super) struct ResourceContext {
    /// Its id, and the URL beside it.
    pub id: Option<u64>,
    pub url: Option<u64>,
    /// Its marks, and those about a person's health that its type implies.
    pub marks: Marks,
    pub health: Marks,
}

impl Standard {
    fn of(resource: &str) -> Self {
        match resource {
            "Patient" => Self::Patient,
            "ClinicalDocument" => Self::Document,
            "parameterList" => Self::Query,
            // FHIR types begin with a capital (FHIR R4 2.1.0).
            _ if resource.starts_with(|c: char| c.is_ascii_lowercase()) => Self::Registration,
            _ => Self::Resource,
        }
    }
}

/// Types of FHIR that are no resources (FHIR R4 2.24).
const DATATYPES: [&str; 14] = [
    "HumanName",
    "Address",
    "ContactPoint",
    "Identifier",
    "CodeableConcept",
    "Coding",
    "Reference",
    "Period",
    "Quantity",
    "Attachment",
    "Annotation",
    "Narrative",
    "Meta",
    "Extension",
];

/// The bit of a birth date among those of [`single`](super::single).
const BIRTH: u16 = 16;

/// Whether a value is the name of a part of a composition, not of a person.
fn names_a_part(name: &Name, meaning: &Meaning) -> bool {
    let named = name.use_.label || name.use_.wrapper;
    named && meaning.rule.kind == Kind::Name && meaning.part == NamePart::Whole && !meaning.patient
}

impl Tree {
    /// The value is the type of a FHIR resource.
    pub(super) fn begin_resource(&mut self, text: &str, scope: &Scope<'_>) {
        let Some(top) = self.frames.last_mut() else { return };
        // Some programs give the types of parts, too.
        if DATATYPES.contains(&text) {
            return;
        }
        top.standard = scope.rules().fhir.is_clinical(text);
        top.resource = Resource::Of(text.into());
        // Lists of resources are resources too (FHIR R4, Bundle, Parameters).
        top.idle = !top.standard && !matches!(text, "Bundle" | "Parameters");
        top.labelled = text == "Parameters";
        if let Some(about) = scope.rules().keys.context(text) {
            top.marks = top.marks.and(Marks::about(about));
            top.health = Marks::about(about).health();
        }
    }

    /// What a part of a resource says of whom the whole is about.
    pub fn mark_person(&mut self, marks: Marks) {
        let person = |f: &&mut Frame| matches!(f.resource, Resource::Of(_));
        if let Some(frame) = self.frames.iter_mut().find(person) {
            frame.marks = frame.marks.and(marks);
        }
    }

    /// Whether an array is the only row of a table, or all rows, by its name.
    fn is_list(&self, frame: &Frame) -> bool {
        self.names.get(frame.name).use_.list
    }

    /// The effect of the end of an object or array on a table.
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
                // `schema: { fields: [...] }` describes the neighbours of the schema.
                let within = self.frames.last().is_some_and(|f| self.names.get(f.name).use_.header);
                self.grid.name(depth - usize::from(within), false, scope.rules());
                while self.grid.take_up() {
                    self.grid.record(frame.inherited, &mut self.loose, scope);
                    self.loose.mark_from_afar(self.around);
                    self.loose.emit(self.content, scope);
                }
            }
            // The only row has a cell for each column.
            Role::Row if !frame.element && self.is_list(frame) && !self.grid.is_filled() => {
                self.grid.clear();
            }
            Role::Row if self.grid.is_known() => {
                self.grid.record(frame.inherited, &mut self.loose, scope);
                self.loose.mark_from_afar(self.around);
                self.loose.emit(self.content, scope);
            }
            Role::Row => {
                // `"rows": [[...], ...]`: the columns may be named behind it.
                let around = depth.checked_sub(2).and_then(|at| self.frames.get(at));
                self.grid.name(depth, around.is_some_and(|f| f.object), scope.rules());
            }
        }
        if let Some(around) = self.frames.last_mut().filter(|_| frame.role == Role::Row) {
            around.rows = around.rows.saturating_add(1);
        }
    }

    /// Whether this object is a label with its answer (`{"name": "dob", "value": "1970-01-31"}`), which is a value of
    /// the object around their list.
    fn pair(&mut self, frame: &mut Frame, scope: &mut Scope<'_>) -> bool {
        if self.dump && frame.strange {
            self.drop_values(frame);
            return true;
        }
        let (Some(label), Some(answer)) = (frame.label.take(), frame.answer.take()) else {
            return false;
        };
        if !matches!(frame.resource, Resource::None)
            || frame.labelled
            || self.frames.iter().any(|around| around.standard)
        {
            return false;
        }
        self.drop_values(frame);
        self.part(frame.group, scope);
        let Some(around) = self.frames.last_mut() else { return false };
        around.pairs = true;
        around.role = Role::Plain;
        let before = around.next_meaning.replace(label);
        self.value(&answer, scope);
        if let Some(around) = self.frames.last_mut() {
            around.next_meaning = before;
            // It is under a name that is a label elsewhere (`<field>`).
            around.label = None;
            around.strange = false;
        }
        true
    }

    /// The next labelled value belongs to the record that `group` names; another record in the same list is complete
    /// (REDCap exports `{"record": "1", "field_name": "dob", "value": "1970-01-31"}`).
    fn part(&mut self, group: Option<u64>, scope: &mut Scope<'_>) {
        let Some(mut around) = self.frames.pop() else { return };
        let before = around.group;
        if group.is_some() {
            around.group = group;
            // Records of the participants of a study.
            around.marks = around.marks.and(Marks::CARE);
        }
        if group.is_some() && before.is_some_and(|before| Some(before) != group) {
            self.emit(&mut around, scope);
            self.values.truncate(around.values);
            self.text.truncate(around.text);
            around.singles = 0;
        }
        self.frames.push(around);
    }

    /// The innermost object or array ends.
    pub fn close(&mut self, scope: &mut Scope<'_>) {
        let Some(mut frame) = self.frames.pop() else { return };
        self.close_frame(&mut frame, scope);
        if self.frames.is_empty() {
            self.end_questions(scope);
            self.subjects.finish(scope);
            self.registrations.finish(scope);
        }
    }

    fn close_frame(&mut self, frame: &mut Frame, scope: &mut Scope<'_>) {
        self.close_role(frame, scope);
        self.show_linked(frame, scope);
        if self.unwrap_text(frame, scope) {
            return self.drop_values(frame);
        }
        if self.close_question(frame) || self.pair(frame, scope) {
            return;
        }
        if let Some(around) = self.frames.last_mut()
            && around.object
        {
            // A name describes the record around it, unless its value was empty.
            around.marks = around.marks.and(self.names.get(frame.name).marks);
            // `"patientName": {"first": "Jane", "last": "Roe"}`
            let own = frame.own.as_ref().is_some_and(|own| own.patient);
            if own && self.values.len() > frame.values {
                around.marks = around.marks.and(Marks::PATIENT);
            }
        }
        if self.values.len() == frame.values {
            if frame.health != Marks::default() {
                let claim = Claim { subject: Subject::Unsaid, fields: Vec::new() };
                self.subjects.claim(claim, frame.marks, frame.health, scope);
            }
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
            // The subject of a nested object says nothing about the person around it: a patient may be allergic to
            // cats.
            let own = around.singles != 0;
            around.singles |= frame.singles;
            around.pairs |= frame.pairs && !frame.object;
            around.refers |= frame.refers;
            around.patch |= frame.patch;
            let component = self.names.get(frame.name).component;
            let marks = if own { frame.marks.of_somebody() } else { frame.marks };
            let marks = if component { marks.of_nobody() } else { marks };
            around.marks = around.marks.and(marks);
        }
    }

    /// Whether a record of a standard is open.
    fn in_standard(&self) -> bool {
        self.frames.iter().any(|around| around.standard)
    }

    /// Whether the values of an object are left to the enclosing object.
    fn leave(&self, frame: &Frame) -> bool {
        if !matches!(frame.resource, Resource::None) {
            return false;
        }
        let Some(around) = self.frames.last() else { return false };
        if frame.tag != PLAIN || frame.labelled || frame.patch || frame.kin {
            return true;
        }
        if self.is_wrapper(frame) {
            return true;
        }
        if frame.row {
            return false;
        }
        if self.is_composition() {
            let name = self.names.get(frame.name);
            return !(name.inside.is_other() || frame.inherited.is_other());
        }
        if frame.has_tags {
            return false;
        }
        // The subject of a resource is known at its end.
        if frame.refers {
            return true;
        }
        let name = self.names.get(frame.name);
        if name.component && self.frames.iter().any(|around| around.standard) {
            return true;
        }
        if self.completes_person(frame) {
            return true;
        }
        // A list of patients means several, whatever else its name may mean.
        let conflict = around.singles & frame.singles != 0;
        if self.is_new_value(conflict) {
            return true;
        }
        // Names of one person: `"names": [{"givenName": ...}]`. A different name belongs to another person.
        if name.names && self.frames.iter().any(|f| f.object) {
            return !conflict;
        }
        // `"value": [{...}, {...}]` of OData: each has a name or number, and a birth date.
        let both = around.singles & frame.singles;
        if frame.element && both & BIRTH != 0 && both & !BIRTH != 0 && !self.in_standard() {
            return false;
        }
        let patients = (frame.element || conflict) && name.inside.has(Mark::PatientContext);
        if name.component && !patients && self.frames.iter().any(|f| f.object) {
            return true;
        }
        if frame.element || name.inside.is_other() || frame.inherited.is_other() {
            return false;
        }
        // Both have a name, or a number, or a birth date: two people.
        !conflict
    }

    /// Whether everything in an object belongs to the object that has the name of what it wraps.
    fn is_wrapper(&self, frame: &Frame) -> bool {
        let values = self.values.get(frame.values..).unwrap_or_default();
        frame.own.is_some() && values.iter().all(|value| value.node < frame.node)
    }

    /// Whether the name that has the meaning of what is wrapped here is none of a standard, whose type may come last.
    pub(super) fn may_hold(&self) -> bool {
        let outermost = self.frames.iter().rev().take_while(|frame| frame.own.is_some()).last();
        outermost.is_some_and(|frame| !self.names.get(frame.name).fhir) && !self.in_standard()
    }

    /// The object that has the name of a wrapped value: what is wrapped belongs to the object around all wrappers.
    pub(super) fn holder(&self, top: &Frame) -> Option<u32> {
        let rule = |meaning: &Option<Meaning>| meaning.as_ref().map(|m| m.rule.id.clone());
        let own = rule(&top.next_meaning);
        let wrapper = |frame: &&Frame| frame.own.is_some() && rule(&frame.own) == own;
        let wrapper = self.frames.iter().rev().take_while(wrapper).filter(|f| f.object).last()?;
        self.nodes.get(wrapper.node as usize).map(|node| node.parent)
    }

    /// Whether the ended object is, or is part of, the value of a JSON Patch operation.
    fn is_new_value(&self, conflict: bool) -> bool {
        match self.frames.as_slice() {
            [list, operation, ..] if !list.object && operation.object => {
                let next = self.names.get(operation.next);
                &*next.text == "value" && (operation.patch || !conflict)
            }
            [_, list, operation, ..] if !list.object && operation.patch => {
                &*self.names.get(operation.next).text == "value"
            }
            _ => false,
        }
    }

    /// Passes on the values of an object.
    fn emit(&mut self, frame: &mut Frame, scope: &mut Scope<'_>) {
        if self.describes || self.emit_target(frame, scope) {
            return;
        }
        let values = self.values.get(frame.values..).unwrap_or_default();
        let view = View { nodes: &self.nodes, names: &self.names, text: &self.text };
        match &frame.resource {
            Resource::Of(resource) if &**resource == "Parameters" => {
                let marks = self.around;
                let edits = labelled::parameters(frame.node, values, &view, marks, scope);
                for (resource, edits) in edits {
                    self.apply(&resource, &edits, scope);
                }
            }
            Resource::Of(resource) => {
                let read = fhir::read(resource, frame.node, values, &view, scope);
                // In XML, the element of the resource is in between.
                let url = self.frames.iter().rev().take(3).find_map(|around| around.url);
                let (id, marks, health) = (frame.id, frame.marks, frame.health);
                let resource = resource.clone();
                self.pass_on(&resource, read, ResourceContext { id, url, marks, health }, scope);
            }
            Resource::None if frame.patch => self.emit_patch(frame, scope),
            Resource::None if frame.has_tags => dicom::emit(values, &view, scope),
            // Inside a record of a standard, only its rules apply.
            Resource::None if self.frames.iter().any(|around| around.standard) => {}
            Resource::None => {
                // Parallel lists: the first values of each belong together, and so on.
                let rows = values::rows(values);
                let composition = self.is_composition();
                for row in 0..rows {
                    self.loose.mark(frame.marks.and(frame.inherited));
                    if composition {
                        self.loose.mark(Marks::PATIENT);
                    }
                    let of_row = values::of_row(values, rows, row);
                    for (value, meaning) in of_row {
                        if composition && names_a_part(view.name(value.name), meaning) {
                            continue;
                        }
                        self.loose.add(meaning, value.node, view.text(value));
                    }
                    // A user who views a patient is not that patient.
                    let user = self.claims && self.frames.is_empty() && !frame.subject;
                    if user && !self.loose.has(Kind::BirthDate) && !self.loose.names_patient() {
                        self.loose = CandidateRecord::default();
                        continue;
                    }
                    if !frame.inherited.is_other() {
                        self.loose.mark_from_afar(self.document);
                    }
                    self.loose.mark_from_afar(self.around);
                    self.loose.emit(self.content, scope);
                }
            }
        }
    }

    /// Passes on a document without a type as the patient whom its path names (JSON Merge Patch, RFC 7396: `PATCH
    /// /fhir/Patient/7`), if it is written like one.
    fn emit_target(&mut self, frame: &Frame, scope: &mut Scope<'_>) -> bool {
        const PATIENT: &str = "Patient";
        let whole = self.frames.is_empty() && frame.object && !frame.patch;
        let untyped = matches!(frame.resource, Resource::None);
        if !whole || !untyped || self.target.as_deref() != Some(PATIENT) {
            return false;
        }
        let values = self.values.get(frame.values..).unwrap_or_default();
        let view = View { nodes: &self.nodes, names: &self.names, text: &self.text };
        let read = fhir::read(PATIENT, frame.node, values, &view, scope);
        let has = |kind: fn(Kind) -> bool| read.own.fields.iter().any(|f| kind(f.kind));
        let person = has(|kind| kind == Kind::Name) && has(Kind::is_strong_id);
        if person {
            let marks = frame.marks;
            let context = ResourceContext { marks, ..ResourceContext::default() };
            self.pass_on(PATIENT, read, context, scope);
        }
        person
    }

    /// Passes on the fields of a resource.
    pub(super) fn pass_on(
        &mut self,
        resource: &str,
        read: fhir::Read,
        around: ResourceContext,
        scope: &mut Scope<'_>,
    ) {
        let fields = read.own.fields;
        let ResourceContext { id, url, marks, health } = around;
        match Standard::of(resource) {
            Standard::Document => record::put("ccda", marks, fields.iter(), scope),
            Standard::Registration => self.registrations.patient(fields, marks, scope),
            // A PDQ or PIX query (ITI-47, ITI-45).
            Standard::Query => {
                self.registrations.query(fields, marks.and(Marks::QUERY));
            }
            Standard::Patient => {
                let own = [id, url].into_iter().flatten().collect();
                let names = PatientNames { own, linked: read.same };
                self.subjects.patient(names, fields, marks, scope);
            }
            Standard::Resource => {
                if let Some(url) = url {
                    self.subjects.other(url);
                }
                let claim = Claim { subject: read.subject, fields };
                self.subjects.claim(claim, marks, health, scope);
            }
        }
        for claim in read.others {
            self.subjects.claim(claim, marks, Marks::default(), scope);
        }
    }

    fn drop_values(&mut self, frame: &Frame) {
        self.values.truncate(frame.values);
        self.text.truncate(frame.text);
        if frame.object || self.frames.is_empty() {
            self.nodes.truncate(frame.node as usize);
        }
    }
}
