//! JSON in a function call, as pages request it from servers of other origins (`callback({...});`, JSONP), and JSON
//! behind a prefix that keeps them from it (`)]}',`).

use crate::content::stack::media;
use crate::content::{Document, Ending, Extent, Format, Media, Nested, Scope, Want};

/// Longest name of a function, bytes.
const MAX_NAME: usize = 64;

/// JSON in a call.
pub struct Jsonp;

/// What services write in front of JSON so that no page of another origin can run it as a program.
const GUARDS: [&[u8]; 5] = [b")]}',", b")]}'", b"while(1);", b"for(;;);", b"{}&&"];

/// Offset of the JSON behind one of [`GUARDS`].
fn guarded(head: &[u8]) -> Option<usize> {
    let guard = GUARDS.iter().find(|guard| head.starts_with(guard))?.len();
    let rest = head.get(guard..)?;
    let space = rest.len() - rest.trim_ascii_start().len();
    matches!(rest.get(space), Some(b'{' | b'[')).then_some(guard + space)
}

/// Offset of the JSON: behind a name and a parenthesis, and perhaps an empty comment (`/**/cb({`).
fn start(head: &[u8]) -> Option<usize> {
    if let Some(at) = guarded(head) {
        return Some(at);
    }
    let blank = head.len() - head.trim_ascii_start().len();
    let rest = head.get(blank..)?;
    let comment = if rest.starts_with(b"/**/") { 4 } else { 0 };
    let rest = rest.get(comment..)?;
    let name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$' | b'.');
    let len = rest.iter().take(MAX_NAME + 1).take_while(|b| name(b)).count();
    if len == 0 || len > MAX_NAME || rest.get(len) != Some(&b'(') {
        return None;
    }
    let inner = rest.get(len + 1..)?;
    let space = inner.len() - inner.trim_ascii_start().len();
    let data = matches!(
        inner.get(space..)?,
        [b'{', b'"' | b' ' | b'\n' | b'\r' | b'\t', ..] | [b'[', b'{' | b' ' | b'\n', ..]
    );
    data.then_some(blank + comment + len + 1 + space)
}

impl Format for Jsonp {
    fn name(&self) -> &'static str {
        "jsonp"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        media::says(media, "javascript", &["js"]) && start(head).is_some()
            || media::says(media, "json", &["json"]) && guarded(head).is_some()
    }

    fn is_text(&self) -> bool {
        true
    }

    fn open(&self, media: &Media<'_>) -> Box<dyn Document> {
        let path = media::path(media).unwrap_or_default();
        let media = Media::Type { content_type: "application/json", name: &path };
        Box::new(Call { head: Vec::new(), nested: Nested::new(&media), open: false })
    }
}

struct Call {
    head: Vec<u8>,
    nested: Nested,
    /// The JSON has begun.
    open: bool,
}

impl Document for Call {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        if self.open {
            return self.nested.data(bytes, scope);
        }
        self.head.extend_from_slice(bytes);
        match start(&self.head) {
            Some(at) => {
                self.open = true;
                let head = std::mem::take(&mut self.head);
                self.nested.data(head.get(at..).unwrap_or_default(), scope)
            }
            None if self.head.len() > 2 * MAX_NAME => Want::NOTHING,
            None => Want::ALL,
        }
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        if self.open {
            self.nested.end(ending, scope);
        }
    }

    fn memory(&self) -> usize {
        self.head.capacity() + self.nested.memory()
    }
}

#[cfg(test)]
mod tests {
    use crate::content::testing::records;

    #[test]
    fn a_call_with_data_and_a_program() {
        let line = "http>jsonp>json:~json [PatientContext] patient_id=H-77 name=Roe^Jane birth_date=1970-01-31";
        let data = r#"{"patient":{"mrn":"H-77","last_name":"Roe","first_name":"Jane","dob":"1970-01-31"}}"#;
        for call in [format!("cb123({data});"), format!("/**/ jQuery.cb_1( [{data}] )")] {
            let call = call.replace("/**/ ", "/**/");
            assert_eq!(records("application/javascript", call.as_bytes()), [line], "{call}");
        }
        for guard in [")]}',\n", "while(1);", "for(;;);"] {
            let guarded = format!("{guard}{data}");
            assert_eq!(records("application/json", guarded.as_bytes()), [line], "{guard}");
        }
        let program = format!("function a() {{}}\nvar x = {data};\n");
        assert_eq!(records("application/javascript", program.as_bytes()), [""; 0]);
    }
}
