//! Names of events and of functions, which say whom what comes with them is about: `{"event": "patient.created", "data":
//! {...}}`, `{"function": {"name": "lookup_patient", "arguments": {...}}}`.

use super::Tree;
use super::labelled::words;
use crate::content::Scope;
use crate::content::extract::record::Marks;
use crate::rules::About;

/// Objects around such a name.
const MAX_DEPTH: usize = 8;

/// Longest name, bytes.
const MAX_NAME: usize = 64;

/// Whether a name holds that of an event or a function.
pub(super) fn is_event(text: &str) -> bool {
    matches!(
        text,
        "event"
            | "event_type"
            | "eventType"
            | "eventName"
            | "event_name"
            | "operationName"
            | "function_name"
            | "tool_name"
            | "toolName"
            | "messageType"
            | "topic"
    )
}

/// Whether a name holds a function: its `name` is that of the function.
pub(super) fn is_function(text: &str) -> bool {
    matches!(text, "function" | "functionCall" | "function_call" | "tool" | "tool_call")
}

impl Tree {
    /// Whether the next value is the name of an event or a function.
    pub(super) fn names_event(&self) -> bool {
        let Some(top) = self.frames.last().filter(|top| top.object) else { return false };
        let next = self.names.get(top.next);
        self.frames.len() <= MAX_DEPTH
            && (next.use_.event || self.names.get(top.name).use_.function && &*next.text == "name")
    }

    /// Notes the name of an event: two words or more, one of which is a word for a patient.
    pub(super) fn note_event(&mut self, text: &str, scope: &Scope<'_>) {
        if !self.names_event() || text.len() > MAX_NAME || text.contains(char::is_whitespace) {
            return;
        }
        let keys = &scope.rules().keys;
        let patient = |word: &str| keys.context(word) == Some(About::Patient);
        if words(text).count() > 1 && words(text).any(patient) {
            self.document = self.document.and(Marks::PATIENT.ahead());
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    #[test]
    fn an_event_says_whom_it_is_about() {
        let data = r#"{"first_name": "Jane", "last_name": "Roe", "date_of_birth": "1970-01-31"}"#;
        let line = "http>json:~json [PatientContext] name=Roe^Jane birth_date=1970-01-31";
        for (event, known) in [
            (r#""event": "patient.created", "data""#, true),
            (r#""eventType": "PatientUpdated", "payload""#, true),
            (r#""event": "user.created", "data""#, false),
            (r#""event": "patient", "data""#, false),
        ] {
            let read = records("application/json", format!("{{{event}: {data}}}").as_bytes());
            assert_eq!(read.iter().any(|found| found == line), known, "{event}: {read:?}");
        }
        let call = format!(
            r#"{{"toolCalls": [{{"function": {{"name": "lookup_patient", "arguments": {data}}}}}]}}"#
        );
        assert_eq!(records("application/json", call.as_bytes()), [line]);
    }
}
