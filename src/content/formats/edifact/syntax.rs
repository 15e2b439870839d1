//! Delimiters, release character and character set of an interchange (ISO 9735-1, 5 and 9; annex A).

use crate::content::formats::hl7v2::charset::Charset;
use crate::syntax::Match;
use memchr::memchr2;
use std::borrow::Cow;

/// `UNA` and six characters.
pub const UNA: usize = 9;
/// Elements of a segment, and components of an element, that are read.
const MAX_PARTS: usize = 64;

/// How segments are written.
#[derive(Clone, Copy)]
pub struct Syntax {
    component: u8,
    element: u8,
    release: Option<u8>,
    repetition: Option<u8>,
    terminator: u8,
    /// By UNA.
    declared: bool,
    charset: Charset,
}

impl Default for Syntax {
    fn default() -> Self {
        Self {
            component: b':',
            element: b'+',
            release: Some(b'?'),
            repetition: None,
            terminator: b'\'',
            declared: false,
            charset: Charset::Undeclared,
        }
    }
}

impl Syntax {
    /// By UNA.
    pub fn declared(una: &[u8]) -> Self {
        let [component, element, _decimal, release, repetition, terminator] =
            una.get(3..UNA).and_then(|d| d.try_into().ok()).unwrap_or(*b":+.? '");
        // A space means an unused character.
        let used = |b: u8| Some(b).filter(|b| *b != b' ');
        Self {
            component,
            element,
            release: used(release),
            repetition: used(repetition),
            terminator,
            declared: true,
            charset: Charset::Undeclared,
        }
    }

    /// From UNB: the character set, and the separators of level B if there is no UNA.
    pub fn begin(&mut self, unb: &[u8]) {
        if !self.declared {
            *self = Self::default();
            let (element, component) = (unb.get(3), unb.get(8));
            if let (Some(&element), Some(&component)) = (element, component)
                && element.is_ascii_control()
            {
                self.element = element;
                self.component = component;
                self.release = None;
                self.terminator = 0x1C;
            }
        }
        // Each interchange may have its own UNA.
        self.declared = false;
        let set = match unb.get(4..8) {
            Some(b"UNOC") => "8859/1",
            Some(b"UNOD") => "8859/2",
            Some(b"UNOE") => "8859/5",
            Some(b"UNOF") => "8859/7",
            Some(b"UNOG") => "8859/3",
            Some(b"UNOH") => "8859/4",
            Some(b"UNOI") => "8859/6",
            Some(b"UNOJ") => "8859/8",
            Some(b"UNOK") => "8859/9",
            Some(b"UNOL") => "8859/15",
            Some(b"UNOW" | b"UNOY") => "UNICODE UTF-8",
            _ => "",
        };
        self.charset = Charset::declared([set].into_iter());
    }

    /// Whether `byte` ends the segment after `before`.
    pub fn ends(&self, before: &[u8], byte: u8) -> bool {
        // Before UNB has been read whole, level B shows by its separator.
        let level_b = before.starts_with(b"UNB") && before.get(3).is_some_and(u8::is_ascii_control);
        byte == if level_b && !self.declared { 0x1C } else { self.terminator }
    }

    /// Whether another segment begins with `ahead`, so that the apostrophe in front ends the one before: a line break, or
    /// a name and a separator. `quoted`: an apostrophe before was text, and the next one may close the quotation.
    pub fn continues(&self, ahead: &[u8], quoted: bool) -> Match {
        const NAME: usize = 3;
        let separator = |b: u8| {
            b == self.element
                || b == self.component
                || b == self.terminator
                || b.is_ascii_whitespace()
        };
        for (at, &byte) in ahead.iter().enumerate() {
            let fits = match at {
                0 if byte.is_ascii_whitespace() || byte.is_ascii_control() => {
                    return Match::Yes(());
                }
                0 if byte == self.terminator => {
                    return if quoted { Match::No } else { Match::Yes(()) };
                }
                0 => byte.is_ascii_uppercase(),
                1 | 2 => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
                _ => separator(byte) || ahead.starts_with(b"UNA"),
            };
            if !fits {
                return Match::No;
            }
        }
        if ahead.len() > NAME { Match::Yes(()) } else { Match::More }
    }

    /// Whether `byte` takes its meaning from the next one.
    pub fn releases(&self, byte: u8) -> bool {
        self.release == Some(byte)
    }

    /// Text in UTF-8.
    pub fn decode<'b>(&self, bytes: &'b [u8]) -> Cow<'b, str> {
        self.charset.decode(bytes, 0)
    }

    /// Splits at a delimiter that is not released.
    fn split<'t>(&self, text: &'t str, delimiter: u8) -> impl Iterator<Item = &'t str> + use<'t> {
        // Without a release character, the delimiter is looked for alone.
        let release = self.release.unwrap_or(delimiter);
        let mut rest = Some(text);
        std::iter::from_fn(move || {
            let text = rest?;
            let mut from = 0;
            loop {
                let found = memchr2(delimiter, release, text.as_bytes().get(from..)?);
                let Some(at) = found.map(|at| from + at) else { return rest.take() };
                if text.as_bytes().get(at) == Some(&delimiter) {
                    rest = text.get(at + 1..);
                    return text.get(..at);
                }
                // Past the character that is released; at the end there is none.
                from = (at + 2).min(text.len());
            }
        })
        .take(MAX_PARTS)
    }

    /// Without release characters.
    fn plain<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let Some(release) = self.release.map(char::from) else { return Cow::Borrowed(text) };
        if !text.contains(release) {
            return Cow::Borrowed(text);
        }
        let mut plain = String::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            plain.extend(if c == release { chars.next() } else { Some(c) });
        }
        Cow::Owned(plain)
    }
}

/// A segment, split into its components.
pub struct Segment<'t> {
    components: Vec<Component<'t>>,
    syntax: &'t Syntax,
}

/// One component, and the element and repetition that it is of.
struct Component<'t> {
    element: usize,
    repetition: usize,
    text: &'t str,
}

/// One repetition of an element.
pub struct Repetition<'s, 't> {
    components: &'s [Component<'t>],
    syntax: &'t Syntax,
}

impl<'t> Segment<'t> {
    /// The segment `text`, without its terminator.
    pub fn new(text: &'t str, syntax: &'t Syntax) -> Self {
        let mut components = Vec::new();
        // No text holds NUL.
        let delimiter = syntax.repetition.unwrap_or(0);
        for (element, text) in syntax.split(text, syntax.element).enumerate() {
            for (repetition, text) in syntax.split(text, delimiter).enumerate() {
                let parts = syntax.split(text, syntax.component);
                components.extend(parts.map(|text| Component { element, repetition, text }));
            }
        }
        Self { components, syntax }
    }

    /// The number of its last element; 0 is its name.
    pub fn len(&self) -> usize {
        self.components.last().map_or(0, |c| c.element)
    }

    /// A component, from 1, of the first repetition of an element.
    pub fn get(&self, element: usize, component: usize) -> Cow<'t, str> {
        self.repetitions(element).next().map_or(Cow::Borrowed(""), |r| r.get(component))
    }

    /// The repetitions of an element; one if there is no character for them.
    pub fn repetitions(&self, element: usize) -> impl Iterator<Item = Repetition<'_, 't>> {
        let from = self.components.partition_point(|c| c.element < element);
        let to = self.components.partition_point(|c| c.element <= element);
        let components = self.components.get(from..to).unwrap_or_default();
        let syntax = self.syntax;
        components
            .chunk_by(|a, b| a.repetition == b.repetition)
            .map(move |components| Repetition { components, syntax })
    }
}

impl<'t> Repetition<'_, 't> {
    /// A component, from 1.
    pub fn get(&self, component: usize) -> Cow<'t, str> {
        let part = component.checked_sub(1).and_then(|at| self.components.get(at));
        self.syntax.plain(part.map_or("", |c| c.text))
    }
    /// All components, with `separator` between them.
    pub fn whole(&self, separator: &str) -> String {
        let mut whole = String::new();
        for part in self.components {
            if !whole.is_empty() {
                whole.push_str(separator);
            }
            whole.push_str(&self.syntax.plain(part.text));
        }
        whole
    }
}
