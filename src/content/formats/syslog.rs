//! Log messages: `key=value` pairs, labelled values in the text, and embedded documents.

use crate::content::extract::labels::Labels;
use crate::content::formats::hl7v2::carried;
use crate::content::stack::media;
use crate::content::{Document, Ending, Extent, Format, Media, Reason, Scope, Want};
use zeroize::Zeroizing;

/// Longest message read, bytes.
const MAX_MESSAGE: usize = 64 << 10;

/// Most words of a name without quotes.
const MAX_WORDS: usize = 4;

/// A message of syslog (RFC 5424, RFC 3164).
pub struct Syslog;

impl Format for Syslog {
    fn name(&self) -> &'static str {
        "syslog"
    }

    fn probe(&self, media: &Media<'_>, _head: &[u8], _extent: Extent) -> bool {
        media::essence(media).eq_ignore_ascii_case("application/syslog")
    }

    fn is_hasty(&self) -> bool {
        true
    }

    // A collector receives thousands of short messages: no other format needs to be asked about them.
    fn at_once(&self, media: &Media<'_>, _head: &[u8]) -> bool {
        self.probe(media, &[], Extent::Beginning)
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Message { text: Zeroizing::default() })
    }
}

struct Message {
    text: Zeroizing<Vec<u8>>,
}

impl Document for Message {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        let room = MAX_MESSAGE.saturating_sub(self.text.len());
        self.text.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        if bytes.len() > room {
            scope.give_up(Reason::Limit);
            return Want::NOTHING;
        }
        Want::ALL
    }

    fn gap(&mut self, _len: u64, _scope: &mut Scope<'_>) -> Want {
        // The text behind a gap may be the value of another key.
        Want::NOTHING
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        let bytes = std::mem::take(&mut self.text);
        let text = Zeroizing::new(match std::str::from_utf8(&bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => String::from_utf8_lossy(&bytes).into_owned(),
        });
        read(&text, scope);
    }

    fn memory(&self) -> usize {
        self.text.capacity()
    }
}

fn read(text: &str, scope: &mut Scope<'_>) {
    let mut text = text.split_once('>').map_or(text, |(_, text)| text);
    // Looking for one byte is quicker than for what begins with it, of which most messages have nothing.
    let [bar, tag, brace] = [b'|', b'<', b'{'].map(|byte| text.as_bytes().contains(&byte));
    let whole = text;
    let find = |what: &str, has: bool| if has { whole.find(what) } else { None };
    // Programs log what they send and receive. A CR is written as `#015` by some receivers.
    if let Some(at) = find("MSH|^~", bar) {
        let message = Zeroizing::new(text.get(at..).unwrap_or("").replace("#015", "\r"));
        scope.whole(&Media::Hl7v2, message.as_bytes());
        text = text.get(..at).unwrap_or("");
    } else if let Some(at) = bar.then(|| carried::patient_segment(text.as_bytes())).flatten() {
        let segment = Zeroizing::new(text.get(at..).unwrap_or("").replace("#015", "\r"));
        scope.whole(&Media::Hl7v2, segment.as_bytes());
        text = text.get(..at).unwrap_or("");
    } else if let Some(at) = find("<?xml ", tag).or_else(|| find("<AuditMessage", tag)) {
        // Audit messages (RFC 5425, IHE ITI-20).
        let xml = Media::Type { content_type: "application/xml", name: "" };
        scope.whole(&xml, text.get(at..).unwrap_or("").as_bytes());
        text = text.get(..at).unwrap_or("");
    } else if let Some(at) = find("{\"", brace).or_else(|| find("{ \"", brace)) {
        let json = Media::Type { content_type: "application/json", name: "" };
        scope.whole(&json, text.get(at..).unwrap_or("").as_bytes());
        text = text.get(..at).unwrap_or("");
    }
    let mut labels = Labels::new("syslog");
    let mut prose = Zeroizing::new(String::with_capacity(text.len()));
    let mut from = 0;
    while let Some(equals) = text.get(from..).and_then(|t| t.find('=')).map(|at| from + at) {
        let before = text.get(from..equals).unwrap_or("");
        let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        let key = before.trim_end_matches(part).len();
        let (key, rest) = (before.get(key..).unwrap_or(""), before.get(..key).unwrap_or(""));
        prose.push_str(rest);
        let (value, used) = value(text.get(equals + 1..).unwrap_or(""));
        labels.pair(key, value, scope);
        // The texts on either side of a pair do not belong together.
        prose.push_str("  ");
        from = equals + 1 + used;
    }
    prose.push_str(text.get(from..).unwrap_or(""));
    for line in prose.lines() {
        labels.line(line, scope);
    }
    labels.emit(scope);
}

/// The value that `text` starts with, and its length there.
fn value(text: &str) -> (&str, usize) {
    if let Some(quote @ ('"' | '\'')) = text.chars().next() {
        let inner = text.get(1..).unwrap_or("");
        let mut escaped = false;
        for (at, c) in inner.char_indices() {
            if c == quote && !escaped {
                return (inner.get(..at).unwrap_or(""), at + 2);
            }
            escaped = c == '\\' && !escaped;
        }
        return (inner, text.len());
    }
    let ends = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | ']' | ')' | '|' | '&');
    let mut end = text.find(ends).unwrap_or(text.len());
    // A name has several words, for as long as they look like its own.
    for _ in 1..MAX_WORDS {
        let named = |w: &str| {
            w.starts_with(char::is_uppercase)
                && w.chars().all(|c| c.is_alphabetic() || matches!(c, '-' | '\'' | '.'))
        };
        let last = text.get(..end).unwrap_or("").rsplit(' ').next().unwrap_or("");
        let gap = text.get(end..).unwrap_or("");
        let next = gap.strip_prefix(", ").or_else(|| gap.strip_prefix(' '));
        let Some(next) = next.filter(|_| named(last)) else { break };
        let word = next.get(..next.find(ends).unwrap_or(next.len())).unwrap_or("");
        if !named(word) || word.contains('=') {
            break;
        }
        end = text.len() - next.len() + word.len();
    }
    (text.get(..end).unwrap_or(""), end)
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    fn log(text: &str) -> Vec<String> {
        records("application/syslog", text.as_bytes())
    }

    #[test]
    fn pairs_labels_and_documents() {
        for text in [
            "<13>Nov 21 20:17:50 ws1 ehr: opened chart patient=\"King, Ashley\" mrn=H0497280 dob=1973-07-03 user=drqn",
            "<13>1 2026-11-21T20:17:50Z ws1 ehr - - [x@1 patient=\"King, Ashley\" mrn=\"H0497280\" dob=\"1973-07-03\"] opened",
            "<13>ehr: patient=King, Ashley mrn=H0497280, dob=1973-07-03 opened by drqn",
        ] {
            assert_eq!(
                log(text),
                [
                    "http>syslog:~syslog [PatientContext] name=King, Ashley patient_id=H0497280 birth_date=1973-07-03"
                ],
                "{text}"
            );
        }
        assert_eq!(
            log("<13>ehr: Patient: Eva Roe, MRN: 77"),
            ["http>syslog:~syslog [PatientContext] name=Eva Roe patient_id=77"]
        );
        assert_eq!(
            log("<13>ehr: got {\"mrn\":\"7\",\"dob\":\"1970-01-01\"}"),
            ["http>syslog>json:~json [PatientContext] patient_id=7 birth_date=1970-01-01"]
        );
        assert_eq!(log("<13>switch: port 12 up name=eth0 state=up"), Vec::<String>::new());
    }

    #[test]
    fn a_patient_segment_without_a_message() {
        let got = log("<134>Apr 11 08:30:12 engine mirth: PID|1||77^^^H^MR||Roe^Jane||19700131|F");
        assert_eq!(
            got,
            ["http>syslog>hl7v2:hl7v2 patient_id=77 name=Roe^Jane birth_date=19700131 sex=F"]
        );
        assert_eq!(log("<134>engine: PID|started|by|root"), [""; 0]);
    }

    #[test]
    fn patients_of_audit_messages_and_nobody_else() {
        let audit = "<85>1 2026-11-21T20:17:50Z ws1 pacs 1 IHE+RFC-3881 - \u{feff}<?xml version=\"1.0\"?>\
            <AuditMessage><EventIdentification EventActionCode=\"R\"/>\
            <ActiveParticipant UserID=\"drqn\" UserName=\"Quinn, Dana\" UserIsRequestor=\"true\"/>\
            <ParticipantObjectIdentification ParticipantObjectID=\"1.2.3\" ParticipantObjectTypeCode=\"2\" \
            ParticipantObjectTypeCodeRole=\"3\"><ParticipantObjectName>CT</ParticipantObjectName>\
            </ParticipantObjectIdentification>\
            <ParticipantObjectIdentification ParticipantObjectID=\"77^^^CLINIC&amp;1.2&amp;ISO\" \
            ParticipantObjectTypeCode=\"1\" ParticipantObjectTypeCodeRole=\"1\">\
            <ParticipantObjectName>Roe^Eva</ParticipantObjectName>\
            </ParticipantObjectIdentification></AuditMessage>";
        assert_eq!(log(audit), ["http>syslog>xml:audit patient_id=77 name=Roe^Eva"]);
        let login = audit.split("<ParticipantObjectIdentification").next().unwrap_or("");
        assert_eq!(log(login), Vec::<String>::new());
    }

    #[test]
    fn a_message_may_be_cut_anywhere() {
        let text = "<13>a b=\"c\\\" d' e='f\" Ü=Ä Ö, SS {\"x\":1} MSH|^~\\&|";
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            log(&text[..end]);
        }
    }
}
