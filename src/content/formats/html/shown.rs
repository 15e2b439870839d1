//! Resources of FHIR, messages and dumps of PHP that a page shows as text, in an element `<pre>`. A dump may also be the
//! first text of a page.

use super::super::markup::Attributes;
use super::TokenHandler;
use crate::content::extract::embedded;
use crate::content::{Ending, Media};

/// Longest resource that a page shows, bytes.
const MAX_SHOWN: usize = 1 << 20;

/// The class of the part of a page in which a server of FHIR shows a resource.
const SHOWN: &str = "responseBodyTable";

/// A resource that a server of FHIR shows in a page, in colours: HAPI FHIR, `<div class="responseBodyTable">`.
pub(super) struct Shown {
    /// The page has such a part.
    announced: bool,
    /// An element of text has begun, which may be such a part.
    awaited: bool,
    /// A heading says that the page is part of a manual.
    pub(super) examples: bool,
    /// No element `<pre>` is around the text.
    bare: bool,
    /// The text of the element that is open.
    pub(super) text: Option<zeroize::Zeroizing<String>>,
}

impl Default for Shown {
    fn default() -> Self {
        // The text of a page may begin with a dump.
        Self { announced: false, awaited: true, examples: false, bare: true, text: None }
    }
}

impl TokenHandler<'_, '_> {
    /// Whether an element begins in a resource that the page shows.
    pub(super) fn begins_shown(&mut self, name: &str, attributes: Attributes<'_>) -> bool {
        // Text in no element `<pre>` ends with the next part of the page.
        let part = matches!(name, "html" | "body" | "div" | "table" | "p" | "form" | "h1" | "pre");
        if part && std::mem::take(&mut self.page.shown.bare) {
            self.end_shown();
        }
        if name == "div" && attributes.get("class").is_some_and(|class| class.starts_with(SHOWN)) {
            self.page.shown.announced = true;
        } else if name == "pre" {
            self.end_run();
            let announced = self.page.shown.announced;
            self.page.shown.awaited = !announced;
            self.page.shown.bare = false;
            self.page.shown.text = announced.then(zeroize::Zeroizing::default);
        }
        self.page.shown.text.is_some()
    }

    /// Takes the next text, if it is that of a resource.
    pub(super) fn takes_shown(&mut self, text: &str) -> bool {
        if self.page.shown.awaited && !text.trim().is_empty() {
            self.page.shown.awaited = false;
            let example = self.page.code.holds() || self.page.shown.examples;
            let shows = shows_resource(text) || shows_message(text) || shows_dump(text);
            if shows && !example {
                self.page.shown.text = Some(zeroize::Zeroizing::default());
            }
        }
        if let Some(shown) = &mut self.page.shown.text {
            if shown.len() + text.len() <= MAX_SHOWN {
                shown.push_str(text);
            }
            return true;
        }
        false
    }

    /// Reads the resource that the page shows.
    pub(super) fn end_shown(&mut self) {
        let Some(shown) = self.page.shown.text.take() else { return };
        let text = shown.trim();
        let content_type = match text.as_bytes().first() {
            Some(b'{') => "application/fhir+json",
            Some(b'<') => "application/fhir+xml",
            _ => {
                if shows_dump(text) {
                    let media = Media::Type { content_type: "text/plain", name: "" };
                    self.scope.whole(&media, text.as_bytes());
                } else if let Some(mut message) = embedded::message(text.as_bytes()) {
                    message.data(text.as_bytes(), self.scope);
                    message.end(Ending::Complete, self.scope);
                }
                return;
            }
        };
        self.scope.whole(&Media::Type { content_type, name: "" }, text.as_bytes());
    }
}

/// Whether a text begins like a message; the name of a first segment may be in an element of its own.
fn shows_message(text: &str) -> bool {
    let text = text.trim_start();
    text == "MSH" || embedded::message(text.as_bytes()).is_some()
}

/// Whether a text begins like a resource of FHIR: its type comes first, as servers write it.
fn shows_resource(text: &str) -> bool {
    const NEAR: usize = 64;
    let text = text.trim_start();
    let end = (0..=NEAR.min(text.len())).rfind(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let head = text.get(..end).unwrap_or("");
    head.starts_with('{') && head.contains("\"resourceType\"")
        || head.starts_with('<') && head.contains("xmlns=\"http://hl7.org/fhir\"")
}

/// Whether a text begins like one that `print_r` or `var_dump` of PHP printed.
fn shows_dump(text: &str) -> bool {
    let text = text.trim_start();
    let begins = |front: &str, signs: &[char]| {
        text.strip_prefix(front).is_some_and(|rest| signs.is_empty() || rest.starts_with(signs))
    };
    let object = || text.lines().next().is_some_and(|line| line.trim_end().ends_with(" Object"));
    begins("Array", &['\n', '\r', ' ']) && text.contains("=>")
        || (begins("object(", &[]) || begins("array(", &[])) && text.contains("=>")
        || text.contains("] => ") && object()
}
