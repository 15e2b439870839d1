//! Names that give the structure of a document in whatever format: tables, labels and answers, types, versions.

use super::{Tree, events, grid};
use crate::content::Scope;

/// The meaning of some names, wherever they are.
#[derive(Clone, Copy, Default)]
pub struct Use {
    /// Holds the names of columns, or that of one.
    pub header: bool,
    pub column: bool,
    /// Holds a row, or the value of a cell.
    pub row: bool,
    /// Holds the only row, or all of them.
    pub list: bool,
    pub cell: bool,
    /// Gives the meaning of its neighbour under [`Use::answer`].
    pub label: bool,
    pub answer: bool,
    /// Holds a list of answers to questions, or one.
    pub answers: bool,
    /// Holds the questions of a form, or refers to one.
    pub question: bool,
    /// The number of a question in its form.
    pub code: bool,
    /// Holds the name of an event, and a function with its name.
    pub event: bool,
    pub function: bool,
    /// Holds the description of a form, and its title.
    pub form: bool,
    pub title: bool,
    /// Holds a date, under a name that says which.
    pub date: bool,
    /// Gives the record that a labelled value belongs to.
    pub group: bool,
    /// Gives the kind of the object.
    pub typed: bool,
    /// Gives the kind of a number in a list of identifiers, or the number behind who issued it.
    pub number_type: bool,
    pub extension: bool,
    /// Comes between a name and its value.
    pub wrapper: bool,
    /// The same, of properties that say what kind of text or date they hold.
    pub holder: bool,
    /// Gives the kind of animal that the object is about.
    pub species: bool,
    /// The number of an entry in a list of identifiers, whose kind is beside it.
    pub number: bool,
    /// Holds the object as it is before or behind a change.
    pub version: bool,
    /// The address of an object.
    pub address: bool,
}

/// Whether a name gives the kind of the object that it is in: GraphQL, Elasticsearch, JSON:API and their kin, tokens of SMART
/// App Launch.
fn is_type(text: &str) -> bool {
    matches!(
        text,
        "__typename"
            | "@type"
            | "fhirUser"
            | "_index"
            | "_type"
            | "type"
            | "entityType"
            | "entity_type"
            | "entity"
            | "entityName"
            | "IDType"
            | "idType"
            | "id_type"
            | "identifierType"
            | "IdentifierType"
            | "NumberType"
            | "recordType"
            | "record_type"
            | "objectType"
            | "collection"
            | "table"
            | "_collection"
    )
}

/// Whether a name gives the class of the object that it is in, as libraries write it: Jackson, Json.NET, Spring Data, jsonpickle,
/// JSON-LD.
pub fn is_class(text: &str) -> bool {
    matches!(text, "@class" | "$type" | "_class" | "__class__" | "@type")
}

/// The name of a class without its package, assembly and what it is made for: `Clinic.Patient, Clinic` is `Patient`.
pub fn class_name(text: &str) -> &str {
    let name = text.split([',', '`', '[', '<']).next().unwrap_or(text).trim();
    name.rsplit(['.', '$', '+', '\\', ':', '/']).next().unwrap_or(name)
}

/// Whether a name gives the meaning of its neighbour under one of [`is_answer`].
fn is_label(text: &str) -> bool {
    matches!(
        text,
        "name"
                    | "key"
                    | "field"
                    | "label"
                    | "question"
                    | "attribute"
                    | "fieldName"
                    | "field_name"
                    | "displayName"
                    | "Key"
                    | "Name"
                    | "NAME"
                    // Questions of forms.
                    | "title"
                    | "heading"
                    | "prompt"
                    | "questionText"
                    | "question_text"
                    | "Question"
                    | "Label"
                    | "Text"
    )
}

/// Whether a name holds the answer to a label.
fn is_answer(text: &str) -> bool {
    matches!(
        text,
        "value"
                    | "answer"
                    | "val"
                    | "Value"
                    | "valueString"
                    | "valueDate"
                    | "response"
                    // What a change made of it.
                    | "new"
                    | "newValue"
                    | "new_value"
                    | "after"
                    | "Answer"
                    | "answerText"
                    | "answer_text"
                    | "simple_text"
    )
}

/// Whether a name holds an answer in an object that gives its type: `"value": {"stringValue": "77"}` (OpenTelemetry).
pub fn is_typed_answer(text: &str) -> bool {
    matches!(text, "stringValue" | "intValue" | "doubleValue" | "StringValue" | "IntValue")
}

/// Whether a name holds the title of a form.
fn is_title(text: &str) -> bool {
    matches!(
        text,
        "title"
            | "formTitle"
            | "form_title"
            | "QuestionnaireName"
            | "questionnaire_name"
            | "survey_title"
            | "formName"
            | "form_name"
            | "FormName"
            | "surveyName"
    )
}

impl Use {
    /// What a name means.
    pub fn of(text: &str) -> Self {
        Self {
            header: grid::is_header(text),
            column: grid::is_column(text),
            row: grid::is_row(text) || grid::is_list(text),
            list: grid::is_list(text),
            cell: grid::is_cell(text),
            label: is_label(text),
            answer: is_answer(text),
            answers: matches!(text, "answers" | "Answers" | "answer" | "responses"),
            question: matches!(text, "fields" | "questions" | "field" | "question"),
            event: events::is_event(text),
            function: events::is_function(text),
            form: matches!(text, "definition" | "form" | "survey" | "questionnaire"),
            title: is_title(text),
            code: matches!(
                text,
                "id" | "ref" | "questionId" | "question_id" | "fieldId" | "field_id" | "fieldID"
            ),
            date: matches!(
                text,
                "date" | "point" | "iso" | "iso8601" | "full_date" | "fullDate" | "exact"
            ),
            group: matches!(text, "record" | "record_id" | "subject_id" | "entity_id"),
            typed: is_type(text) || is_class(text),
            number_type: text == "Type",
            extension: text == "extension",
            // MongoDB Extended JSON 2, values of Firestore and DynamoDB, XML written as JSON.
            wrapper: text.starts_with('$')
                || matches!(
                    text,
                    "value"
                        | "_value"
                        | "#text"
                        | "@value"
                        | "_text"
                        | "stringValue"
                        | "timestampValue"
                        | "integerValue"
                        | "doubleValue"
                        | "S"
                        | "N"
                ),
            // Properties of Notion (Notion API, Property values).
            holder: matches!(
                text,
                "title" | "rich_text" | "text" | "content" | "plain_text" | "start" | "formula"
            ),
            species: false,
            number: matches!(text, "ID" | "Id" | "number" | "Number"),
            address: matches!(text, "uri" | "href"),
            version: matches!(
                text,
                "before"
                    | "after"
                    | "old"
                    | "new"
                    | "oldValue"
                    | "newValue"
                    | "previous"
                    | "current"
            ),
        }
    }

    /// Whether it has any of these meanings.
    pub const fn any(self) -> bool {
        self.header
            || self.column
            || self.row
            || self.cell
            || self.label
            || self.answer
            || self.answers
            || self.question
            || self.code
            || self.title
            || self.form
            || self.event
            || self.function
            || self.date
            || self.group
            || self.typed
            || self.number_type
            || self.wrapper
            || self.holder
            || self.species
            || self.number
            || self.version
            || self.address
    }
}

impl Tree {
    /// Whether `text` as a name means anything.
    pub fn knows(&mut self, text: &str, scope: &mut Scope<'_>) -> bool {
        self.names.begin(&mut scope.counters.names, scope.rules);
        let index = self.names.find(text, scope.rules());
        self.names.get(index).means_something()
    }

    /// Whether `text` as the name of an attribute means anything. Wrappers of JSON (`S`, `N`) are none
    /// there: an attribute gives the kind of the text.
    pub fn knows_attribute(&mut self, text: &str, scope: &mut Scope<'_>) -> bool {
        self.names.begin(&mut scope.counters.names, scope.rules);
        let index = self.names.find(text, scope.rules());
        let name = self.names.get(index);
        let use_ = name.use_;
        let form = use_.question || use_.answers || use_.code || use_.title || use_.date;
        let form = form || use_.number_type || use_.form || use_.event || use_.function;
        let only =
            use_.wrapper || use_.holder || use_.number || use_.address || use_.version || form;
        // `<Patient ID="77">`
        let only = only && !text.eq_ignore_ascii_case("id");
        name.means_something() && !(only && name.meaning.is_none())
    }
}
