//! The DICOM JSON model (PS3.18 annex F): QIDO-RS answers, metadata, modality worklists.

use super::tree::{Value, View};
use crate::content::{Field, Scope};

/// Hands on the data set that `values` belong to.
pub(super) fn emit(values: &[Value], view: &View<'_>, scope: &mut Scope<'_>) {
    let known = |value: &Value| view.name(value.tag).tag.as_ref();
    if !values.iter().any(|v| known(v).is_some()) {
        return;
    }
    scope.begin("dicom");
    for value in values {
        if let Some(rule) = known(value) {
            scope.field(Field::declared(rule, view.text(value)));
        }
    }
    scope.end();
}
