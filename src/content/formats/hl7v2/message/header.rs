//! What MSH, MSA and EVN say of a message: sender, receiver, type, acknowledgment.

use super::super::value::{Delimiters, Syntax, pieces, raw_pieces, split};
use super::super::{display, types};
use super::{Charset, Columns, Fields, Message};
use crate::content::{Direction, Scope, ServiceFacts};
use crate::syntax::hl7v2::is_delimiter;

/// Fields of MSH that are read, up to MSH-12.
const USED_FIELDS: usize = 12;

impl Message {
    /// MSH (chapter 2.14.9).
    pub(super) fn header(&mut self, raw: &[u8], scope: &mut Scope<'_>) {
        let Some(&field) = raw.get(3).filter(|b| is_delimiter(**b)) else { return };
        let mut undecoded = raw_pieces(raw, field);
        let encoding = undecoded.nth(1).unwrap_or(&[]);
        let country = undecoded.nth(14).unwrap_or(&[]);
        let declared = undecoded.next().unwrap_or(&[]);
        let Syntax { delimiters, charset } =
            scope.counters.syntax.declared(field, [encoding, country, declared]);
        self.delimiters = delimiters;
        self.charset = if self.unicode { Charset::UNICODE } else { charset };
        let text = self.charset.decode(raw, self.delimiters.escape_byte());
        let fields: Fields<'_> = split(&text, self.delimiters.field, USED_FIELDS);
        // MSH-1 is the separator itself: MSH-n is the piece before n.
        let get = |n: usize| fields.get(n - 1).copied().unwrap_or("");
        let first = |n: usize| self.namespace(get(n));
        let named = [first(3), first(4), first(5), first(6)];
        let version = first(12);

        let component = self.delimiters.component;
        let processing = pieces(get(11), component).next().unwrap_or("").trim();
        self.answer = false;
        self.test = matches!(processing, "T" | "D");
        let mut kind = pieces(get(9), component);
        let code = kind.next().map(str::trim).filter(|c| is_code(c, 3)).unwrap_or("");
        let event = kind.next().map(str::trim).filter(|c| is_code(c, 4)).unwrap_or("");
        self.eventless = event.is_empty() && !code.is_empty() && code != "ACK";
        let eventless = self.eventless;
        let mut operation = String::with_capacity(code.len() + 1 + event.len());
        operation.push_str(code);
        if !event.is_empty() {
            operation.push('^');
            operation.push_str(event);
        }
        scope.set_operation(&operation);

        self.columns = Columns::default();
        self.display = display::Lines::default();
        if !eventless {
            scope.message(types::label(code, event));
        }

        let answer = code == "ACK" || scope.direction() == Direction::ServerToClient;
        let facts = scope.facts().messages();
        if code != "ACK" || facts.types.is_empty() {
            ServiceFacts::add_shared(&mut facts.types, &operation);
        }
        if !eventless {
            let counted = if code == "ACK" { code } else { &operation };
            ServiceFacts::count(&mut facts.messages, counted);
        }
        // The facts are the client's view: in a response sender and receiver are swapped.
        if !answer || facts.sending_application.is_none() && facts.sending_facility.is_none() {
            let [application, facility, to_application, to_facility] = named;
            ServiceFacts::set(&mut facts.sending_application, application);
            ServiceFacts::set(&mut facts.sending_facility, facility);
            ServiceFacts::set(&mut facts.receiving_application, to_application);
            ServiceFacts::set(&mut facts.receiving_facility, to_facility);
            ServiceFacts::set(&mut facts.version, version);
            if matches!(processing, "P" | "T" | "D") {
                ServiceFacts::set(&mut facts.processing_id, processing);
            }
        }
    }

    /// MSA-1 (table 0008).
    pub(super) fn acknowledgment(&self, code: &str, scope: &mut Scope<'_>) {
        let code = code.split(self.delimiters.component).next().unwrap_or("").trim();
        if matches!(code, "AA" | "AE" | "AR" | "CA" | "CE" | "CR") {
            ServiceFacts::count(&mut scope.facts().messages().acknowledgments, code);
        }
    }

    /// HD: the namespace, or the universal id.
    fn namespace<'t>(&self, field: &'t str) -> &'t str {
        let Delimiters { component, subcomponent, .. } = self.delimiters;
        pieces(field, component)
            .flat_map(|part| pieces(part, subcomponent))
            .find(|p| !p.is_empty() && *p != "\"\"")
            .unwrap_or("")
    }

    pub(super) fn event(&mut self, event: &str, scope: &mut Scope<'_>) {
        if is_code(event.trim(), 4) && !event.trim().is_empty() {
            let operation = format!("{}^{}", scope.operation(), event.trim());
            scope.message(types::label(scope.operation(), event.trim()));
            scope.set_operation(&operation);
            let facts = scope.facts().messages();
            ServiceFacts::add_shared(&mut facts.types, &operation);
            ServiceFacts::count(&mut facts.messages, &operation);
        }
        self.eventless = false;
    }
}

/// Message codes and trigger events, which exclude other texts.
fn is_code(text: &str, max: usize) -> bool {
    text.len() <= max && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}
