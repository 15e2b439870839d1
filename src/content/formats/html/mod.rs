//! HTML: tables with headings, labelled values, filled-in forms, data in scripts.

mod choices;
mod code;
mod fragment;
mod named;
mod rows;
mod script;
mod shown;
#[cfg(test)]
mod tests;

use super::dicom::TagRows;
use super::hl7v2::FieldLines;
use super::markup::{Attributes, Markup, Receiver};
use super::shown_messages::ShownMessages;
use crate::content::extract::labels::{Labels, is_greeting};
use crate::content::extract::people_columns::PeopleColumns;
use crate::content::extract::record::CandidateRecord;
use crate::content::extract::table::{LINE_BREAK, TableColumns};
use crate::content::stack::media;
use crate::content::{Document, Ending, Extent, Format, Media, Scope, Want};
use crate::rules::RuleSet;
use choices::Choices;
use code::Code;
use fragment::may_be_fragment;
pub use fragment::{is_element, is_fragment};
use named::Hints;
use script::Script;
use shown::Shown;

/// Columns of a table.
const MAX_COLUMNS: usize = 64;

/// Levels of nested tables.
const MAX_TABLES: usize = 8;

/// Longest text of one cell or element, bytes.
const MAX_RUN: usize = 1024;

/// HTML pages.
pub struct Html;

impl Format for Html {
    fn name(&self) -> &'static str {
        "html"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
        let starts =
            |tag: &[u8]| head.get(..tag.len()).is_some_and(|h| h.eq_ignore_ascii_case(tag));
        let declared = media::says(media, "html", &["html", "htm"]);
        (declared && memchr::memchr(b'<', head).is_some())
            || starts(b"<!doctype html")
            || starts(b"<html")
            || (may_be_fragment(media) && is_fragment(head))
            || (starts(b"<?xml") && memchr::memmem::find(head, b"<html").is_some())
    }

    fn is_text(&self) -> bool {
        true
    }

    fn cost(&self) -> u64 {
        4
    }

    fn open(&self, media: &Media<'_>) -> Box<dyn Document> {
        Box::new(HtmlDocument {
            markup: Markup::html(),
            page: Page {
                labels: Labels::new("html"),
                tables: Vec::new(),
                run: zeroize::Zeroizing::default(),
                empty: false,
                heading: false,
                hidden: false,
                script: None,
                named: None,
                item: false,
                roles: Vec::new(),
                code: Code::default(),
                choices: None,
                shown: Shown::default(),
                messages: ShownMessages::default(),
                header: 0,
            },
            path: media::path(media),
        })
    }
}

struct HtmlDocument {
    markup: Markup,
    page: Page,
    path: Option<Box<str>>,
}

struct Page {
    labels: Labels,
    tables: Vec<Table>,
    /// Text since the last tag that breaks it.
    run: zeroize::Zeroizing<String>,
    /// The last tag began an element for a value, and no text came behind it.
    empty: bool,
    /// It is in a heading or title.
    heading: bool,
    /// It is a choice that was not selected.
    hidden: bool,
    script: Option<Script>,
    /// The meaning of the next text, from the enclosing element.
    named: Option<Box<str>>,
    /// A patient of microdata has begun.
    item: bool,
    /// Roles of the open elements without a meaning of their own, since the first one with a role.
    roles: Vec<Option<&'static str>>,
    /// Whether its text is part of a program.
    code: Code,
    /// The open selection list of patients.
    choices: Option<Choices>,
    shown: Shown,
    messages: ShownMessages,
    /// Elements that may still be in the header of a patient's record.
    header: u8,
}

/// Elements at the beginning of the header of a patient's record whose classes name their values.
const MAX_HEADER: u8 = 24;

/// Levels of nested elements with roles.
const MAX_ROLES: usize = 256;

/// Longest label in an element of its own, bytes.
const MAX_LABEL: usize = 72;

/// Most columns that one cell may span.
const MAX_SPAN: usize = 16;

/// A cell of a table.
#[derive(Default)]
struct Cell {
    text: zeroize::Zeroizing<String>,
    heading: bool,
    /// Number of columns that it spans.
    span: usize,
    /// The heading of its column, from an attribute of the cell.
    column: Option<Box<str>>,
}

impl AsRef<str> for Cell {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

#[derive(Default)]
struct Table {
    columns: TableColumns,
    /// The cells of the row so far.
    row: Vec<Cell>,
    in_cell: bool,
    headed: bool,
    /// No row is below the headings yet; the only one; and what rows below other headings said of the same person.
    single: bool,
    first: Option<Vec<Cell>>,
    held: Option<CandidateRecord>,
    /// Rows that may have a column for each person.
    people: PeopleColumns<Cell>,
    /// Elements of a data set.
    tags: TagRows,
    /// Fields of HL7 v2, one in each row.
    fields: FieldLines,
}

struct TokenHandler<'a, 'b> {
    page: &'a mut Page,
    scope: &'a mut Scope<'b>,
}

impl TokenHandler<'_, '_> {
    /// The run of text ends here.
    fn end_run(&mut self) {
        if self.page.run.trim().is_empty() {
            self.page.run.clear();
            return;
        }
        let mut run = std::mem::take(&mut self.page.run);
        let code = self.page.code.holds();
        if self.named(&run) || self.page.messages.line(run.trim().as_bytes(), !code, self.scope) {
        } else if self.page.heading {
            self.page.shown.examples |= self.scope.rules.words.is_documentation(&run);
            self.page.labels.title(&run, self.scope);
        } else if let Some(table) = self.page.tables.last_mut().filter(|t| t.in_cell) {
            if let Some(cell) = table.row.last_mut() {
                if !cell.text.is_empty() {
                    cell.text.push(LINE_BREAK);
                }
                cell.text.push_str(run.trim());
            }
        } else if code {
            self.page.labels.code(&run, self.scope);
        } else {
            self.page.labels.cell(&run, self.scope);
        }
        // The next run takes its place: a page has thousands.
        run.clear();
        self.page.run = run;
    }
}

/// Whether a text is a label alone, and no heading (`Patient`).
fn is_label(text: &str, rules: &RuleSet) -> bool {
    let text = text.trim().trim_end_matches([':', '：', '*', ' ']);
    text.len() <= MAX_LABEL && rules.keys.get(text).is_some() && rules.keys.context(text).is_none()
}

/// Whether `text` is printable ASCII without consecutive blanks.
fn is_spaced(text: &str) -> bool {
    // To the end in any case, as many bytes are then tested at once.
    let bytes = text.as_bytes();
    let plain = bytes.iter().fold(true, |plain, b| plain & matches!(b, b' '..=b'~'));
    let pairs = bytes.iter().zip(bytes.get(1..).unwrap_or_default());
    plain && !pairs.fold(false, |twice, (a, b)| twice | ((*a == b' ') & (*b == b' ')))
}

impl Receiver for TokenHandler<'_, '_> {
    fn start(&mut self, name: &str, attributes: Attributes<'_>, closed: bool) {
        let mut lower = [0u8; 16];
        let name = lower_case(name, &mut lower);
        self.page.empty = !closed && holds_values(name);
        // These are inline elements of a run of text.
        if matches!(
            name,
            "b" | "i" | "u" | "em" | "a" | "font" | "small" | "mark" | "wbr" | "sup" | "sub"
        ) {
            return;
        }
        // `Dear <strong>Jane Roe</strong>,`
        if name == "strong" && is_greeting(&self.page.run, &self.scope.rules.words) {
            return;
        }
        if self.begins_shown(name, attributes) {
            return;
        }
        let inside = self.page.header > 0;
        let hints = Hints::of(name, attributes, self.page.item, inside, self.scope.rules);
        self.page.header = self.page.header.saturating_sub(1);
        if hints.subject {
            self.end_run();
            self.page.labels.introduce();
            self.page.header = MAX_HEADER;
        }
        let name = self.hinted(name, &hints);
        // A selection list without an end ends here.
        if matches!(name, "table" | "tr" | "td" | "th" | "form" | "div" | "input") {
            self.page.hidden = false;
            if let Some(mut choices) = self.page.choices.take() {
                choices.end(self.scope);
            }
        }
        match name {
            "table" => {
                self.end_run();
                if self.page.tables.len() < MAX_TABLES {
                    self.page.tables.push(Table::default());
                }
            }
            "tr" => self.end_row(),
            "td" | "th" => {
                self.end_run();
                if let Some(table) = self.page.tables.last_mut()
                    && table.row.len() < MAX_COLUMNS
                {
                    let span = attributes.get("colspan").and_then(|n| n.trim().parse().ok());
                    let span = span.unwrap_or(1).clamp(1, MAX_SPAN);
                    let column = hints.column.or(hints.name).map(|column| column.as_ref().into());
                    let heading = name == "th";
                    table.row.push(Cell { heading, span, column, ..Cell::default() });
                    table.in_cell = true;
                }
            }
            name if is_heading(name) => {
                self.end_run();
                self.page.heading = true;
            }
            "input" => {
                self.end_run();
                self.input(attributes);
            }
            "select" | "datalist" => {
                self.end_run();
                let patients = name == "select" && self.page.labels.awaits_patient();
                self.page.choices = Choices::of(attributes, patients, self.scope.rules);
                self.page.hidden = name == "select" || self.page.choices.is_some();
            }
            "option" => {
                self.end_run();
                self.page.hidden = !attributes.iter().any(|(name, _)| name == "selected");
                if let Some(choices) = &mut self.page.choices {
                    choices.begin(attributes, self.scope);
                    self.page.hidden = true;
                }
            }
            "script" if !closed => {
                self.end_run();
                let kind = attributes.get("type").unwrap_or_default();
                self.page.script = Some(Script::new(&kind));
            }
            _ => self.end_run(),
        }
        if !closed {
            self.page.code.start(name, attributes);
        }
    }

    fn end(&mut self, name: &str) {
        let mut lower = [0u8; 16];
        let name = lower_case(name, &mut lower);
        if self.page.shown.text.is_some() {
            if name == "pre" {
                self.end_shown();
            }
            return;
        }
        self.end_element(name);
        self.page.code.end(name);
    }

    fn raw(&mut self, bytes: &[u8]) {
        if let Some(script) = &mut self.page.script {
            script.data(bytes, self.scope);
        }
    }

    fn text(&mut self, text: &str) {
        self.page.empty &= text.trim().is_empty();
        if self.takes_shown(text) {
            return;
        }
        if self.page.hidden {
            if let Some(choices) = &mut self.page.choices {
                choices.text(text);
            }
            return;
        }
        let mut room = MAX_RUN.saturating_sub(self.page.run.len()).min(text.len());
        while !text.is_char_boundary(room) {
            room -= 1;
        }
        let text = text.get(..room).unwrap_or("");
        if !self.page.run.is_empty() && text.starts_with(|c: char| c.is_whitespace()) {
            self.page.run.push(' ');
        }
        if is_spaced(text) {
            self.page.run.push_str(text.trim_ascii());
        } else {
            for (i, word) in text.split_whitespace().enumerate() {
                if i > 0 {
                    self.page.run.push(' ');
                }
                self.page.run.push_str(word);
            }
        }
        if text.ends_with(|c: char| c.is_whitespace()) {
            self.page.run.push(' ');
        }
    }
}

impl TokenHandler<'_, '_> {
    /// An element ends.
    fn end_element(&mut self, mut name: &str) {
        if matches!(name, "div" | "span")
            && let Some(role) = self.page.roles.pop().flatten()
        {
            name = role;
        }
        // `<p>Accession #: <span></span></p>`: the label before it has no value.
        let empty = std::mem::take(&mut self.page.empty) && holds_values(name);
        if empty && self.page.tables.last().is_none_or(|table| !table.in_cell) {
            self.end_run();
            self.page.labels.forget();
            return;
        }
        match name {
            "b" | "i" | "u" | "em" | "font" | "small" | "mark" => self.end_label(),
            "a" | "sup" | "sub" => {}
            "tr" => self.end_row(),
            "td" | "th" => {
                self.end_run();
                if let Some(table) = self.page.tables.last_mut() {
                    table.in_cell = false;
                }
            }
            "table" => {
                self.end_row();
                self.release();
                self.page.labels.forget();
                self.end_rows();
                if let Some(mut table) = self.page.tables.pop() {
                    table.tags.end(self.scope);
                    table.fields.end(self.scope);
                }
            }
            name if is_heading(name) => {
                self.end_run();
                self.page.heading = false;
            }
            "select" | "datalist" => {
                self.end_run();
                self.page.hidden = false;
                if let Some(mut choices) = self.page.choices.take() {
                    choices.end(self.scope);
                    self.page.labels.forget();
                }
            }
            "option" => {
                self.end_run();
                self.page.hidden = true;
                if let Some(choices) = &mut self.page.choices {
                    choices.end(self.scope);
                }
            }
            "script" => {
                if let Some(mut script) = self.page.script.take() {
                    script.end(self.scope);
                }
            }
            // A card or a section is about one person.
            "article" | "section" | "dl" | "form" | "fieldset" | "li" => {
                self.end_run();
                self.page.labels.forget();
            }
            _ => self.end_run(),
        }
    }
}

impl TokenHandler<'_, '_> {
    /// Takes the attributes of an element. Returns as which element it counts.
    fn hinted<'n>(&mut self, name: &'n str, hints: &Hints<'_>) -> &'n str {
        let page = &mut *self.page;
        let generic = matches!(name, "div" | "span");
        if generic
            && (hints.role.is_some() || !page.roles.is_empty())
            && page.roles.len() < MAX_ROLES
        {
            page.roles.push(hints.role);
        }
        if let Some(patient) = hints.item {
            self.end_run();
            self.page.item = patient;
            if patient {
                self.page.labels.emit(self.scope);
                self.page.labels.category("patient", self.scope);
            }
        }
        let field = matches!(name, "input" | "select" | "textarea" | "label" | "td" | "th");
        if let Some(what) = hints.name.as_deref().filter(|_| !field) {
            self.end_run();
            match hints.value.as_deref() {
                Some(value) => self.page.labels.pair(what, value, self.scope),
                None => self.page.named = Some(what.into()),
            }
        }
        hints.read_data(self.page.labels.around(), self.scope);
        hints.role.filter(|_| generic).unwrap_or(name)
    }

    /// Reads a text whose element gives its meaning, unless it has a label of its own or is one.
    fn named(&mut self, run: &str) -> bool {
        let Some(name) = self.page.named.take() else { return false };
        let rules = self.scope.rules;
        let own =
            run.contains([':', '：']) || is_label(run, rules) || Labels::has_inline(run, rules);
        if !own {
            self.page.labels.pair(&name, run, self.scope);
        }
        !own
    }

    /// A different font ends here: its text may be the label of what follows.
    fn end_label(&mut self) {
        let in_cell = self.page.tables.last().is_some_and(|table| table.in_cell);
        if !in_cell && !self.page.heading && is_label(&self.page.run, self.scope.rules) {
            self.end_run();
        }
    }

    /// A filled-in field of a form.
    fn input(&mut self, attributes: Attributes<'_>) {
        let kind = attributes.get("type").unwrap_or_default();
        let shown = ["", "text", "tel", "email", "date", "number", "hidden", "search"];
        let Some(value) = attributes.get("value").filter(|v| !v.is_empty()) else {
            // An empty field is no value for its label.
            self.page.labels.forget();
            return;
        };
        if shown.iter().any(|s| s.eq_ignore_ascii_case(&kind)) {
            let keys = &self.scope.rules.keys;
            let known = |name: &&str| keys.get(name).is_some() || keys.context(name).is_some();
            let own = ["name", "id", "aria-label", "placeholder"].map(|a| attributes.get(a));
            match own.iter().flatten().find(|name| known(&name.as_ref())) {
                Some(name) => self.page.labels.pair(name, &value, self.scope),
                // The text before it is its label; hidden fields have none.
                None if !kind.eq_ignore_ascii_case("hidden") => {
                    self.page.labels.answer(&value, self.scope);
                }
                None => {}
            }
        }
        self.page.labels.forget();
    }
}

/// Whether an element is a heading, or the title of a card (`mat-card-title`).
fn is_heading(name: &str) -> bool {
    matches!(name, "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "title" | "caption" | "legend")
        || name.ends_with("-title")
}

/// Whether pages put values into elements of this name, beside their labels.
fn holds_values(name: &str) -> bool {
    matches!(
        name,
        "span" | "b" | "strong" | "em" | "dd" | "output" | "p" | "div" | "bdi" | "code" | "time"
    )
}

/// `name` in lower case, if it is short enough to be that of a known element.
fn lower_case<'a>(name: &str, room: &'a mut [u8; 16]) -> &'a str {
    let Some(room) = room.get_mut(..name.len()) else { return "" };
    room.copy_from_slice(name.as_bytes());
    room.make_ascii_lowercase();
    std::str::from_utf8(room).unwrap_or("")
}

impl Document for HtmlDocument {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        if let Some(path) = self.path.take() {
            self.page.labels.mark(media::about(&path, scope));
        }
        self.markup.read(bytes, &mut TokenHandler { page: &mut self.page, scope });
        Want::ALL
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        let mut turn = TokenHandler { page: &mut self.page, scope };
        self.markup.finish(&mut turn);
        turn.end_shown();
        turn.end_row();
        turn.release();
        turn.end_run();
        while !turn.page.tables.is_empty() {
            turn.end_rows();
            let Some(mut table) = turn.page.tables.pop() else { break };
            table.tags.end(turn.scope);
            table.fields.end(turn.scope);
        }
        if let Some(mut script) = turn.page.script.take() {
            script.end(turn.scope);
        }
        self.page.messages.end(ending, scope);
        self.page.labels.emit(scope);
    }

    fn memory(&self) -> usize {
        self.markup.memory()
            + self.page.run.capacity()
            + self.page.labels.memory()
            + self.page.messages.memory()
            + self.page.script.as_ref().map_or(0, Script::memory)
            + self.page.shown.text.as_ref().map_or(0, |text| text.capacity())
            + self.page.tables.len() * 1024
            + self.page.roles.capacity()
    }
}
