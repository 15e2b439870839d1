//! Recognises program text in a page: `<code>` and similar elements, and the listings of documentation generators and
//! highlighters (Sphinx, DocBook, Texinfo, Doxygen, Pandoc).

use super::super::markup::Attributes;

/// Prefixes of the classes of listings.
const LISTINGS: [&str; 8] = [
    "highlight",
    "programlisting",
    "sourcecode",
    "codehilite",
    "literal-block",
    "prettyprint",
    "code-block",
    "doctest",
];

/// Classes that make a listing of `<pre>` only.
const PREFORMATTED: [&str; 4] = ["example", "src", "screen", "fragment"];

/// Whether the current text is part of a program.
#[derive(Default)]
pub(super) struct Code {
    /// In an element for a piece of a program inside a sentence.
    inline: bool,
    /// An element around the listing has announced it.
    announced: bool,
    listing: bool,
}

/// Whether one of the classes of an element is that of a listing.
fn is_listing(attributes: Attributes<'_>, preformatted: bool) -> bool {
    let Some(classes) = attributes.get("class") else { return false };
    classes.split_ascii_whitespace().any(|class| {
        let known = LISTINGS.iter().any(|name| {
            class.get(..name.len()).is_some_and(|front| front.eq_ignore_ascii_case(name))
        });
        known || (preformatted && PREFORMATTED.contains(&class))
    })
}

const fn is_inline(name: &str) -> bool {
    matches!(name.as_bytes(), b"code" | b"kbd" | b"samp" | b"tt" | b"var")
}

impl Code {
    /// An element begins.
    pub(super) fn start(&mut self, name: &str, attributes: Attributes<'_>) {
        match name {
            "div" => self.announced = is_listing(attributes, false),
            "pre" => self.listing = self.announced || is_listing(attributes, true),
            name if is_inline(name) => self.inline = true,
            // The end of a paragraph also ends elements without an end tag.
            "p" | "h1" | "h2" | "h3" | "li" | "dd" | "dt" => *self = Self::default(),
            "td" | "th" | "tr" | "table" => self.inline = false,
            _ => {}
        }
    }

    /// An element ends.
    pub(super) fn end(&mut self, name: &str) {
        match name {
            "pre" => *self = Self::default(),
            name if is_inline(name) => self.inline = false,
            _ => {}
        }
    }

    /// Whether text here is part of a program.
    pub(super) const fn holds(&self) -> bool {
        self.inline || self.listing
    }
}
