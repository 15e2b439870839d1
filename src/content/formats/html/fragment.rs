//! Fragments of pages, which begin with an element of the body.

use crate::content::Media;
use crate::content::stack::media;

/// Elements that begin a fragment of a page inside another format (FHIR R4, Narrative).
const FRAGMENTS: [&[u8]; 13] = [
    b"div", b"p", b"table", b"span", b"ul", b"dl", b"body", b"h1", b"h2", b"h3", b"section", b"b",
    b"article",
];

/// Whether `head` begins with the tag of this name.
fn begins(head: &[u8], name: &[u8]) -> bool {
    head.strip_prefix(b"<")
        .and_then(|head| Some((head.get(..name.len())?, head.get(name.len())?)))
        .is_some_and(|(tag, next)| {
            tag.eq_ignore_ascii_case(name) && (next.is_ascii_whitespace() || *next == b'>')
        })
}

/// Whether a string begins like a fragment of a page.
pub fn is_fragment(head: &[u8]) -> bool {
    FRAGMENTS.iter().any(|tag| begins(head, tag))
}

/// Whether a payload with this declaration may be a fragment, as scripts of pages fetch them (htmx, Turbo, LiveView).
pub(super) fn may_be_fragment(media: &Media<'_>) -> bool {
    match media {
        Media::Unknown => true,
        Media::Type { content_type, .. } => {
            content_type.is_empty() && !media::suffix(media).eq_ignore_ascii_case("xml")
        }
        _ => false,
    }
}

/// Names of elements that pages have, in lower case (WHATWG HTML, sections 4 and 16).
const ELEMENTS: [&[u8]; 76] = [
    b"a",
    b"abbr",
    b"address",
    b"article",
    b"aside",
    b"audio",
    b"b",
    b"base",
    b"big",
    b"blockquote",
    b"body",
    b"br",
    b"button",
    b"canvas",
    b"caption",
    b"center",
    b"code",
    b"col",
    b"dd",
    b"details",
    b"div",
    b"dl",
    b"dt",
    b"em",
    b"embed",
    b"fieldset",
    b"figure",
    b"font",
    b"footer",
    b"form",
    b"frame",
    b"frameset",
    b"h1",
    b"h2",
    b"h3",
    b"h4",
    b"h5",
    b"h6",
    b"head",
    b"header",
    b"hr",
    b"html",
    b"i",
    b"iframe",
    b"img",
    b"input",
    b"label",
    b"legend",
    b"li",
    b"link",
    b"main",
    b"map",
    b"meta",
    b"nav",
    b"ol",
    b"option",
    b"p",
    b"pre",
    b"s",
    b"script",
    b"section",
    b"select",
    b"small",
    b"span",
    b"strong",
    b"style",
    b"sup",
    b"svg",
    b"table",
    b"tbody",
    b"td",
    b"th",
    b"title",
    b"tr",
    b"u",
    b"ul",
];

/// Whether pages have elements of this name.
pub fn is_element(name: &[u8]) -> bool {
    ELEMENTS.iter().any(|element| element.eq_ignore_ascii_case(name))
}
