//! What a receiver says of an error in words (MSA-3, ERR-7 and ERR-8; HL7 v2.5.1 chapters 2.14.8 and 2.14.5): some
//! systems name the patient in it. Acknowledgments have no patient of their own.

use super::value::Syntax;
use crate::content::extract::texts;
use crate::content::{Media, Scope};

/// Reads the text fields of a segment as a document of their own.
pub fn read(syntax: &Syntax, fields: &[&str], numbers: &[usize], scope: &mut Scope<'_>) {
    for number in numbers {
        let text = syntax.undo(fields.get(*number).copied().unwrap_or(""));
        if texts::is_informative(&text) {
            let media = Media::Type { content_type: "text/plain; charset=utf-8", name: "" };
            scope.whole(&media, text.as_bytes());
        }
    }
}
