//! The DICOM JSON model (PS3.18 annex F) and the native XML model (PS3.19 A.1): QIDO-RS answers,
//! metadata, worklists.

use super::names::is_name_part;
use super::{Value, View};
use crate::content::{Field, Scope};

/// Hands on the data set that `values` belong to.
pub(super) fn emit(values: &[Value], view: &View<'_>, scope: &mut Scope<'_>) {
    let known = |value: &Value| view.name(value.tag).tag.as_ref();
    if !values.iter().any(|v| known(v).is_some()) {
        return;
    }
    scope.begin("dicom");
    let mut name = zeroize::Zeroizing::new(String::new());
    for (at, value) in values.iter().enumerate() {
        let Some(rule) = known(value) else { continue };
        if !is_name_part(&view.name(value.name).text) {
            scope.field(Field::declared(rule, view.text(value)));
            continue;
        }
        // XML has the parts of a name apart (PS3.19 A.1.6).
        if !name.is_empty() {
            name.push('^');
        }
        name.push_str(view.text(value));
        if values.get(at + 1).is_none_or(|next| next.node != value.node) {
            scope.field(Field::declared(rule, &name));
            name.clear();
        }
    }
    scope.end();
}
