//! What `Marshal` of Ruby writes (format 4.8), mostly for caches and sessions of Rails. Nothing is executed.

use super::binary::{Input, is_name};
use super::graph::{Graph, Node, NodeId};
use super::{julian_day, text};
use serde_json::Value;

/// The version that each value begins with.
const VERSION: &[u8] = &[4, 8];

/// Whether a hash, a list or an object with a name begins here.
pub(super) fn begins(head: &[u8]) -> bool {
    let Some(head) = head.strip_prefix(VERSION) else { return false };
    // The length of a name, which is short: numbers from 1 to 122 are written as one byte, 5 more.
    let named = |rest: &[u8]| match rest {
        [len @ 6..=69, rest @ ..] => rest.get(..usize::from(len - 5)).is_some_and(is_name),
        _ => false,
    };
    match head {
        [b'o' | b'S' | b'U' | b'C', b':', rest @ ..] => named(rest),
        [b'{' | b'}', 6..=127, b':', rest @ ..] => named(rest),
        [b'{' | b'}', 6..=127, b'I', b'"', rest @ ..] => named(rest),
        [b'[', 6..=127, b'{', _, b':', rest @ ..] => named(rest),
        [b'[', 6..=127, b'{', _, b'I', b'"', rest @ ..] => named(rest),
        [b'[', 6..=127, b'o' | b'S', b':', rest @ ..] => named(rest),
        _ => false,
    }
}

/// The value that the bytes are.
pub(super) fn read(bytes: &[u8]) -> Option<Value> {
    let input = Input::new(bytes.strip_prefix(VERSION)?);
    let mut reader =
        Reader { input, graph: Graph::default(), symbols: Vec::new(), objects: Vec::new() };
    let root = reader.value(0)?;
    Some(reader.graph.json(&[root]))
}

struct Reader<'a> {
    input: Input<'a>,
    graph: Graph,
    symbols: Vec<&'a [u8]>,
    /// Values that may be referred to, in the order in which they begin.
    objects: Vec<NodeId>,
}

impl<'a> Reader<'a> {
    /// A number: short ones are one byte, 5 away from zero; others have their length in front.
    fn number(&mut self) -> Option<i64> {
        let first = self.input.byte()?.cast_signed();
        Some(match first {
            0 => 0,
            1..=4 => self.input.little(usize::try_from(first).ok()?)?.cast_signed(),
            -4..=-1 => {
                let len = first.unsigned_abs();
                let value = self.input.little(usize::from(len))?.cast_signed();
                value - (1_i64 << (8 * u32::from(len)))
            }
            5.. => i64::from(first) - 5,
            _ => i64::from(first) + 5,
        })
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.number()?).ok()?;
        self.input.take(len)
    }

    fn symbol(&mut self) -> Option<&'a [u8]> {
        match self.input.byte()? {
            b':' => {
                let name = self.bytes()?;
                self.symbols.push(name);
                Some(name)
            }
            b';' => {
                let at = usize::try_from(self.number()?).ok()?;
                self.symbols.get(at).copied()
            }
            // A name with an encoding.
            b'I' => {
                let name = self.symbol()?;
                let count = self.number()?;
                for _ in 0..count {
                    self.symbol()?;
                    self.input.byte()?;
                }
                Some(name)
            }
            _ => None,
        }
    }

    /// Adds a value that may be referred to later.
    fn entry(&mut self, node: Node) -> NodeId {
        let node = self.graph.add(node);
        self.objects.push(node);
        node
    }

    fn value(&mut self, depth: usize) -> Option<NodeId> {
        self.input.count(depth)?;
        let code = self.input.byte()?;
        self.value_of(code, depth, false)
    }

    /// A value with this code. `has_more`: variables of its own follow it.
    fn value_of(&mut self, code: u8, depth: usize, has_more: bool) -> Option<NodeId> {
        Some(match code {
            b'0' => self.graph.value(Value::Null),
            b'T' | b'F' => self.graph.value(Value::Bool(code == b'T')),
            b'i' => {
                let number = self.number()?;
                self.graph.value(Value::from(number))
            }
            b':' | b';' => {
                let name = if code == b':' {
                    let name = self.bytes()?;
                    self.symbols.push(name);
                    name
                } else {
                    let at = usize::try_from(self.number()?).ok()?;
                    self.symbols.get(at).copied()?
                };
                self.graph.value(text(name))
            }
            b'@' => {
                let at = usize::try_from(self.number()?).ok()?;
                let node = *self.objects.get(at)?;
                self.graph.add(Node::Same(node))
            }
            b'I' => {
                self.input.count(depth)?;
                let code = self.input.byte()?;
                let node = self.value_of(code, depth + 1, true)?;
                // Dates and times read theirs themselves.
                if code != b'u' {
                    self.variables(depth)?;
                }
                node
            }
            b'"' | b'm' | b'M' | b'c' => {
                let bytes = self.bytes()?;
                self.entry(Node::Value(if code == b'"' { text(bytes) } else { Value::Null }))
            }
            b'/' => {
                self.bytes()?;
                self.input.byte()?;
                self.entry(Node::Value(Value::Null))
            }
            b'f' => {
                let number = std::str::from_utf8(self.bytes()?).ok()?;
                let number = number.parse().ok().and_then(serde_json::Number::from_f64);
                self.entry(Node::Value(number.map_or(Value::Null, Value::Number)))
            }
            b'l' => {
                self.input.byte()?;
                let len = usize::try_from(self.number()?).ok()?;
                self.input.take(len.checked_mul(2)?)?;
                self.entry(Node::Value(Value::Null))
            }
            b'[' | b'{' | b'}' => self.collection(code, depth)?,
            b'o' | b'S' => {
                let class = String::from_utf8_lossy(self.symbol()?).into_owned();
                let node = self.entry(Node::Object(class, Vec::new()));
                self.members(node, depth)?;
                node
            }
            // An object of a subclass of text, list or hash, or with methods of a module.
            b'C' | b'e' => {
                self.symbol()?;
                let code = self.input.byte()?;
                self.value_of(code, depth + 1, has_more)?
            }
            b'U' => {
                let class = self.symbol()?;
                let node = self.entry(Node::Value(Value::Null));
                let inner = self.value(depth + 1)?;
                let content = match class {
                    b"Date" | b"DateTime" => self.date(inner),
                    _ => Node::Same(inner),
                };
                self.graph.set(node, content);
                node
            }
            b'u' => {
                let class = self.symbol()?;
                let bytes = self.bytes()?;
                if has_more {
                    self.variables(depth)?;
                }
                let value = if class == b"Time" { time(bytes) } else { Value::Null };
                self.entry(Node::Value(value))
            }
            _ => return None,
        })
    }

    /// A list or a hash.
    fn collection(&mut self, code: u8, depth: usize) -> Option<NodeId> {
        if code == b'[' {
            let node = self.entry(Node::List(Vec::new()));
            for _ in 0..self.number()? {
                let item = self.value(depth + 1)?;
                if let Some(Node::List(items)) = self.graph.get_mut(node) {
                    items.push(item);
                }
            }
            return Some(node);
        }
        let node = self.entry(Node::Pairs(Vec::new()));
        for _ in 0..self.number()? {
            let pair = (self.value(depth + 1)?, self.value(depth + 1)?);
            if let Some(Node::Pairs(pairs)) = self.graph.get_mut(node) {
                pairs.push(pair);
            }
        }
        // The value of names that it does not have.
        if code == b'}' {
            self.value(depth + 1)?;
        }
        Some(node)
    }

    /// Variables of a text, such as its encoding.
    fn variables(&mut self, depth: usize) -> Option<()> {
        for _ in 0..self.number()? {
            self.symbol()?;
            self.value(depth + 1)?;
        }
        Some(())
    }

    /// Adds the members of an object.
    fn members(&mut self, node: NodeId, depth: usize) -> Option<()> {
        for _ in 0..self.number()? {
            let name = self.symbol()?;
            let name = name.strip_prefix(b"@").unwrap_or(name);
            let name = String::from_utf8_lossy(name).into_owned();
            let value = self.value(depth + 1)?;
            if let Some(Node::Object(_, members)) = self.graph.get_mut(node) {
                members.push((name, value));
            }
        }
        Some(())
    }

    /// A date from its parts, of which the second is its Julian day.
    fn date(&self, parts: NodeId) -> Node {
        let day = match self.graph.get(parts) {
            Some(Node::List(parts)) => parts.get(1).and_then(|day| self.graph.get(*day)),
            _ => None,
        };
        match day {
            Some(Node::Value(day)) => Node::Value(day.as_i64().map_or(Value::Null, julian_day)),
            _ => Node::Value(Value::Null),
        }
    }
}

/// A time from its bytes (`time_mdump`): the bits above 14 are the year from 1900 on, four for the month, five each for day
/// and hour.
fn time(bytes: &[u8]) -> Value {
    let Some(packed) = bytes.first_chunk().map(|bytes| u32::from_le_bytes(*bytes)) else {
        return Value::Null;
    };
    let (year, month) = (1900 + (packed >> 14 & 0xffff), 1 + (packed >> 10 & 0xf));
    let (day, hour) = (packed >> 5 & 0x1f, packed & 0x1f);
    Value::String(format!("{year:04}-{month:02}-{day:02}T{hour:02}:00:00Z"))
}
