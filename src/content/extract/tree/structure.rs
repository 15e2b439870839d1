//! Names that give the structure of a document in whatever format: tables, labels and answers, types, versions.

use super::{Tree, grid};
use crate::content::Scope;

/// The meaning of some names, wherever they are.
#[derive(Clone, Copy, Default)]
pub struct Use {
    /// Holds the names of columns, or that of one.
    pub header: bool,
    pub column: bool,
    /// Holds a row, or the value of a cell.
    pub row: bool,
    pub cell: bool,
    /// Gives the meaning of its neighbour under [`Use::answer`].
    pub label: bool,
    pub answer: bool,
    /// Gives the record that a labelled value belongs to.
    pub group: bool,
    /// Gives the kind of the object.
    pub typed: bool,
    /// Comes between a name and its value.
    pub wrapper: bool,
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
            | "recordType"
            | "record_type"
            | "objectType"
            | "collection"
            | "table"
            | "_collection"
    )
}

impl Use {
    /// What a name means.
    pub fn of(text: &str) -> Self {
        Self {
            header: grid::is_header(text),
            column: grid::is_column(text),
            row: grid::is_row(text),
            cell: grid::is_cell(text),
            label: matches!(
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
            ),
            answer: matches!(
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
            ),
            group: matches!(text, "record" | "record_id" | "subject_id" | "entity_id"),
            typed: is_type(text),
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
            species: false,
            number: matches!(text, "ID" | "Id" | "number"),
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
            || self.group
            || self.typed
            || self.wrapper
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
        let only = name.use_.wrapper || name.use_.number || name.use_.address || name.use_.version;
        // `<Patient ID="77">`
        let only = only && !text.eq_ignore_ascii_case("id");
        name.means_something() && !(only && name.meaning.is_none())
    }
}
