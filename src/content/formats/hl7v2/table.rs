//! Tabular responses (chapter 5.5.1): RDF names the columns, each RDT is a row, and each row a patient.

use super::value::{MAX_REPETITIONS, Syntax, pieces};
use crate::content::extract::record::Meaning;
use crate::content::{Evidence, Field, Scope};
use crate::phi::Phi;
use crate::rules::{Hl7Type, Kind};

/// Columns that are read.
const MAX_COLUMNS: usize = 128;

/// Takes a cell with the field of a segment.
type Declared<'a> = dyn FnMut([u8; 3], u16, &str, &mut Scope<'_>) + 'a;

/// The columns of the following rows.
#[derive(Default)]
pub struct Columns(Vec<Option<Column>>);

/// The content of a column.
enum Column {
    /// The field of a segment (`@PID.5`).
    Field([u8; 3], u16),
    /// A value under a local name.
    Named(Meaning, Hl7Type),
}

impl Columns {
    /// RDF: its second field names the columns, `name^type^width` each.
    pub fn define(&mut self, syntax: &Syntax, fields: &[&str], scope: &Scope<'_>) {
        let d = &syntax.delimiters;
        let columns = fields.get(2).copied().unwrap_or("");
        self.0 = pieces(columns, d.repetition)
            .take(MAX_COLUMNS)
            .map(|column| {
                let mut parts = pieces(column, d.component);
                let name = parts.next().unwrap_or("").trim();
                if let Some((segment, number, _)) = super::query::target_of(name) {
                    return Some(Column::Field(segment, number));
                }
                let key = scope.rules.keys.get(name)?;
                let datatype = match (parts.next().unwrap_or("").trim(), key.rule.kind) {
                    ("XPN" | "PN", _) => Hl7Type::XPN,
                    ("CX" | "CK", _) => Hl7Type::CX,
                    ("XAD" | "AD", _) => Hl7Type::XAD,
                    ("XTN" | "TN", _) => Hl7Type::XTN,
                    ("TS" | "DTM" | "DT", _) => Hl7Type::TS,
                    (_, Kind::Name) => Hl7Type::XPN,
                    _ => Hl7Type::ST,
                };
                Some(Column::Named(Meaning::from(key), datatype))
            })
            .collect();
    }

    /// Whether the rows can identify a person.
    pub fn is_informative(&self) -> bool {
        self.0.iter().any(Option::is_some)
    }

    /// RDT: the cells of one row. `declared` passes on the field of a segment.
    pub fn row(
        &self,
        syntax: &Syntax,
        fields: &[&str],
        scope: &mut Scope<'_>,
        declared: &mut Declared<'_>,
    ) {
        for (column, cell) in self.0.iter().zip(fields.iter().skip(1)) {
            let Some(column) = column else { continue };
            for raw in pieces(cell, syntax.delimiters.repetition).take(MAX_REPETITIONS) {
                match column {
                    Column::Field(segment, number) => declared(*segment, *number, raw, scope),
                    Column::Named(meaning, datatype) => {
                        let rule = &meaning.rule;
                        syntax.read(*datatype, rule.kind, raw, &mut |value| {
                            scope.field(Field {
                                kind: value.kind,
                                value: Phi::new(value.text),
                                name: &rule.field,
                                rule: &rule.id,
                                issuer: value.issuer,
                                authority: value.authority,
                                confidence: rule.confidence,
                                evidence: Evidence::Labelled,
                            });
                        });
                    }
                }
            }
        }
    }
}
