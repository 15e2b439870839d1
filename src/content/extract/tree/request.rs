//! Requests inside a FHIR Bundle: `{"request": {"method": "GET", "url": "Patient?family=Roe&birthdate=1970-01-31"}}`
//! in a batch or transaction (FHIR R4 3.1.0.11) is the same query as the target of an HTTP request.

use super::Tree;
use crate::content::{Media, Scope};

impl Tree {
    /// Reads `text` as the target of a request, if the next value is one.
    pub(super) fn request(&self, text: &str, scope: &mut Scope<'_>) {
        let Some(top) = self.frames.last() else { return };
        let url = &*self.names.get(top.next).text == "url";
        if url && self.names.get(top.name).request && text.contains('?') {
            scope.whole(&Media::Target, text.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    #[test]
    fn a_batch_asks_for_a_patient() {
        let batch = r#"{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET",
            "url":"Patient?family=Roe&given=Jane&birthdate=1970-01-31"}},{"request":{"method":"GET","url":"metadata"}}]}"#;
        assert_eq!(
            records("application/fhir+json", batch.as_bytes()),
            [
                "http>json>target:~target [Query] [PatientContext] name=Roe^Jane birth_date=1970-01-31"
            ]
        );
    }
}
