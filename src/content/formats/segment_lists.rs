//! Segments of X12 and EDIFACT in JSON, as libraries convert them: `{"segments": [{"name": "NM1", "elements": ["IL", "1",
//! "ROE"]}]}`, `[["NM1", "IL"]]`, `{"NM1": ["IL"]}`, `{"NM1": {"NM101": "IL"}}`, `[{"code": "NM101", "value": "IL"}]`,
//! `["NM1*IL*1*ROE"]`. An element may be an array of its components.

use super::json::is_among;
use super::json::tokens::{Receiver, Tokens, want_after};
use crate::content::{Document, Ending, Reason, Scope, Want};
use zeroize::Zeroizing;

/// Longest name of a member that is compared, bytes.
const MAX_KEY: usize = 16;
/// Levels of objects and arrays that are distinguished.
const MAX_DEPTH: usize = 64;
/// Elements of a segment.
const MAX_ELEMENTS: usize = 128;
/// Longest segment, bytes.
const MAX_SEGMENT: usize = 16 << 10;

/// Members with the name of a segment, with its elements, and with one element and its name.
const NAMES: [&str; 6] = ["name", "id", "tag", "segment", "segmentId", "segmentName"];
const ELEMENTS: [&str; 4] = ["elements", "fields", "values", "data"];
const CODES: [&str; 3] = ["code", "element", "elementId"];
const VALUE: &str = "value";

/// Reads segments one by one.
pub trait SegmentReader: Default + Send {
    /// Between elements, and behind a segment, in a text that is a whole segment.
    const ELEMENT: char;
    const TERMINATOR: char;
    /// The text of an element of several components.
    fn composite(components: &[Zeroizing<String>]) -> Zeroizing<String>;
    /// The text of an element that has no parts.
    fn element(text: &str) -> Zeroizing<String>;
    /// Takes the name of a segment and its elements.
    fn segment(&mut self, parts: &[&str], scope: &mut Scope<'_>);
    /// The document ends.
    fn end(&mut self, scope: &mut Scope<'_>);
    /// Bytes of heap held, roughly.
    fn memory(&self) -> usize;
}

/// A document with segments.
#[derive(Default)]
pub struct SegmentLists<R> {
    tokens: Tokens,
    segments: Segments<R>,
}

/// An open object or array.
#[derive(Default)]
struct Level {
    object: bool,
    /// The segment that an object names.
    name: String,
    /// The elements of an array, or of one in this object.
    elements: Option<Elements>,
    /// The components of an element that is an array.
    components: Option<Vec<Zeroizing<String>>>,
    /// Their length.
    bytes: usize,
    /// An array has an item already.
    started: bool,
    /// The element whose value the object holds.
    code: String,
    value: Zeroizing<String>,
}

/// Elements of a segment by number; 0 is unused.
#[derive(Default)]
struct Elements {
    list: Vec<Zeroizing<String>>,
    bytes: usize,
    cut: bool,
}

impl Elements {
    fn set(&mut self, number: usize, text: &str) {
        if number > MAX_ELEMENTS || self.bytes + text.len() > MAX_SEGMENT {
            self.cut = true;
            return;
        }
        if self.list.len() <= number {
            self.list.resize(number + 1, Zeroizing::default());
        }
        self.bytes += text.len();
        if let Some(element) = self.list.get_mut(number) {
            text.clone_into(element);
        }
    }

    fn push(&mut self, text: &str) {
        self.set(self.list.len().max(1), text);
    }
}

#[derive(Default)]
struct Segments<R> {
    reader: R,
    open: Vec<Level>,
    /// Levels beyond those that are distinguished.
    deeper: usize,
    key: String,
    /// The segment whose elements are members of their own, and the number of the last one.
    single: (String, Elements, usize),
}

/// Whether a text is the name of a segment.
fn is_segment(text: &str) -> bool {
    let mut bytes = text.bytes();
    (2..=3).contains(&text.len())
        && bytes.next().is_some_and(|b| b.is_ascii_uppercase())
        && bytes.all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// The segment and the number of `NM101`.
fn element(code: &str) -> Option<(&str, usize)> {
    let (name, number) = code.split_at_checked(code.len().checked_sub(2)?)?;
    let digits = number.bytes().all(|b| b.is_ascii_digit());
    let number = number.parse().ok().filter(|number| (1..=MAX_ELEMENTS).contains(number))?;
    (is_segment(name) && digits).then_some((name, number))
}

impl<R: SegmentReader> Segments<R> {
    fn emit(&mut self, name: &str, elements: &Elements, scope: &mut Scope<'_>) {
        let behind = elements.list.iter().skip(1).map(|element| element.trim());
        let parts: Vec<&str> = std::iter::once(name).chain(behind).collect();
        self.reader.segment(&parts, scope);
        if elements.cut {
            scope.give_up(Reason::Limit);
        }
    }

    /// An element on its own: the next one of the segment, or the first of another.
    fn single(&mut self, code: &str, text: &str, scope: &mut Scope<'_>) {
        let Some((name, number)) = element(code) else { return };
        if self.single.0 != name || number <= self.single.2 {
            self.flush(scope);
            name.clone_into(&mut self.single.0);
        }
        self.single.1.set(number, &R::element(text));
        self.single.2 = number;
    }

    /// The segment of elements on their own is complete.
    fn flush(&mut self, scope: &mut Scope<'_>) {
        let (name, elements, _) = std::mem::take(&mut self.single);
        if !name.is_empty() {
            self.emit(&name, &elements, scope);
        }
    }

    /// A whole segment in a text.
    fn whole(&mut self, text: &str, scope: &mut Scope<'_>) -> bool {
        let text = text.trim().trim_end_matches(R::TERMINATOR);
        let Some((name, rest)) = text.split_once(R::ELEMENT).filter(|(name, _)| is_segment(name))
        else {
            return false;
        };
        let mut elements = Elements::default();
        for part in rest.split(R::ELEMENT).take(MAX_ELEMENTS) {
            elements.push(part);
        }
        self.emit(name, &elements, scope);
        true
    }

    fn close(&mut self, scope: &mut Scope<'_>) {
        let Some(level) = self.open.pop() else { return };
        if !level.code.is_empty() {
            self.single(&level.code, &level.value, scope);
            return;
        }
        self.flush(scope);
        if let Some(components) = level.components {
            let around = self.open.last_mut().and_then(|around| around.elements.as_mut());
            if let Some(elements) = around {
                elements.push(&R::composite(&components));
            }
            return;
        }
        let Some(elements) = level.elements else { return };
        if !level.name.is_empty() {
            self.emit(&level.name, &elements, scope);
        } else if let Some(around) = self.open.last_mut().filter(|around| around.object) {
            // The name of the segment is a member beside it.
            around.elements = Some(elements);
        }
    }

    fn value(&mut self, text: &str, scope: &mut Scope<'_>) {
        if self.deeper > 0 || self.open.is_empty() || self.whole(text, scope) {
            return;
        }
        let Some(level) = self.open.last_mut() else { return };
        if !level.object {
            let first = !std::mem::replace(&mut level.started, true);
            if let Some(components) = &mut level.components {
                level.bytes += text.len();
                if components.len() < MAX_ELEMENTS && level.bytes <= MAX_SEGMENT {
                    components.push(Zeroizing::new(text.to_owned()));
                }
                return;
            }
            match &mut level.elements {
                Some(elements) => elements.push(&R::element(text)),
                None if first && is_segment(text) => {
                    text.clone_into(&mut level.name);
                    level.elements = Some(Elements::default());
                }
                None => {}
            }
        } else if element(&self.key).is_some() {
            let key = std::mem::take(&mut self.key);
            self.single(&key, text, scope);
        } else if is_among(&NAMES, &self.key) && is_segment(text) {
            text.clone_into(&mut level.name);
        } else if is_among(&CODES, &self.key) && element(text).is_some() {
            text.clone_into(&mut level.code);
        } else if self.key.eq_ignore_ascii_case(VALUE) && text.len() <= MAX_SEGMENT {
            text.clone_into(&mut level.value);
        }
    }

    fn memory(&self) -> usize {
        let held = |elements: &Elements| elements.bytes + elements.list.len() * 24;
        let open = self.open.iter().map(|level| {
            size_of::<Level>()
                + level.value.len()
                + 2 * level.bytes
                + level.elements.as_ref().map_or(0, held)
        });
        self.reader.memory() + open.sum::<usize>() + held(&self.single.1)
    }
}

struct Reader<'a, 'b, R> {
    segments: &'a mut Segments<R>,
    scope: &'a mut Scope<'b>,
}

impl<R: SegmentReader> Receiver for Reader<'_, '_, R> {
    fn open(&mut self, object: bool) {
        let s = &mut *self.segments;
        if s.open.len() >= MAX_DEPTH {
            s.deeper += 1;
            return;
        }
        let mut level = Level { object, ..Level::default() };
        if let Some(around) = s.open.last_mut() {
            if around.object && !object {
                let named = is_segment(&s.key);
                if named || is_among(&ELEMENTS, &s.key) {
                    level.elements = Some(Elements::default());
                    level.started = true;
                    if named {
                        level.name = std::mem::take(&mut s.key);
                    }
                }
            } else if let Some(elements) = &mut around.elements
                && !around.object
            {
                match object {
                    // It keeps its place.
                    true => elements.push(""),
                    false => level.components = Some(Vec::new()),
                }
            }
            around.started = true;
        }
        s.open.push(level);
    }

    fn close(&mut self) {
        match self.segments.deeper.checked_sub(1) {
            Some(deeper) => self.segments.deeper = deeper,
            None => self.segments.close(self.scope),
        }
    }

    fn key(&mut self, key: &str) {
        self.segments.key.clear();
        if key.len() <= MAX_KEY {
            self.segments.key.push_str(key);
        }
    }

    fn wants(&mut self) -> bool {
        true
    }

    fn value(&mut self, text: &str) {
        self.segments.value(text, self.scope);
    }

    fn passed(&mut self) {
        self.null();
    }

    fn prose(&mut self, text: &str) {
        self.value(text);
    }

    fn null(&mut self) {
        // It has a place among the elements.
        if self.segments.open.last().is_some_and(|level| !level.object) {
            self.value("");
        }
    }
}

impl<R: SegmentReader> Document for SegmentLists<R> {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        let read = self.tokens.read(bytes, &mut Reader { segments: &mut self.segments, scope });
        want_after(read, scope)
    }

    fn end(&mut self, _ending: Ending, scope: &mut Scope<'_>) {
        self.tokens.finish(&mut Reader { segments: &mut self.segments, scope });
        self.segments.flush(scope);
        self.segments.reader.end(scope);
    }

    fn memory(&self) -> usize {
        self.tokens.memory() + self.segments.memory()
    }
}
