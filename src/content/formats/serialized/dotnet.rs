//! The binary format of .NET's `BinaryFormatter` and Remoting (MS-NRBF): objects with the names of their members. Nothing
//! is executed.

use super::binary::Input;
use super::graph::{Graph, Node, NodeId};
use super::{MAX_VALUES, julian_day, text};
use serde_json::Value;
use std::collections::HashMap;
use std::rc::Rc;

/// The version that ends a header (MS-NRBF 2.6.1): major 1, minor 0.
const VERSION: &[u8] = &[1, 0, 0, 0, 0, 0, 0, 0];
/// Bytes of a header.
const HEADER: usize = 17;
/// Ticks of 100 nanoseconds a day.
const TICKS: u64 = 10_000_000 * 86_400;
/// The Julian day of the first tick, 0001-01-01.
const FIRST_DAY: u64 = 1_721_426;

/// Whether a header and a first record begin here.
pub(super) fn begins(head: &[u8]) -> bool {
    head.first() == Some(&0)
        && head.get(9..HEADER) == Some(VERSION)
        && matches!(head.get(HEADER), Some(1..=7 | 12 | 15..=17 | 21 | 22))
}

/// The root of a stream, or its arguments, as far as it can be read.
pub(super) fn read(bytes: &[u8]) -> Option<Value> {
    let mut input = Input::new(bytes);
    input.byte()?;
    let root = input.little(4)?;
    input.take(HEADER - 5)?;
    let mut reader =
        Reader { input, graph: Graph::default(), places: HashMap::new(), classes: HashMap::new() };
    let mut all = Vec::new();
    while let Some(record) = reader.record(0) {
        match record {
            Record::Node(node) => all.push(node),
            Record::Other | Record::Nulls(_) => {}
            Record::End => break,
        }
    }
    reader.settle();
    let root = reader.places.get(&root).copied();
    let roots = root.map_or(all, |root| vec![root]);
    Some(reader.graph.json(&roots))
}

/// How the value of a member is written (MS-NRBF 2.1.2.2).
#[derive(Clone, Copy)]
enum Kind {
    Primitive(u8),
    /// As a record of its own.
    Record,
}

/// The description of a class.
struct Class {
    name: String,
    members: Vec<(String, Kind)>,
}

enum Record {
    Node(NodeId),
    Nulls(usize),
    Other,
    End,
}

struct Reader<'a> {
    input: Input<'a>,
    graph: Graph,
    /// Objects by their numbers.
    places: HashMap<u64, NodeId>,
    /// Classes by the numbers of the first objects that have them.
    classes: HashMap<u64, Rc<Class>>,
}

impl Reader<'_> {
    fn number(&mut self) -> Option<u64> {
        self.input.little(4)
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(self.input.little(4)?).ok()
    }

    /// A text with its length in groups of seven bits, the lowest first.
    fn string(&mut self) -> Option<Value> {
        let mut len = 0_usize;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.input.byte()?;
            len |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(text(self.input.take(len)?));
            }
        }
        None
    }

    fn name(&mut self) -> Option<String> {
        match self.string()? {
            Value::String(name) => Some(name),
            _ => None,
        }
    }

    /// The node of an object, which may come later.
    fn place(&mut self, number: u64) -> NodeId {
        let graph = &mut self.graph;
        *self.places.entry(number).or_insert_with(|| graph.reserve())
    }

    fn record(&mut self, depth: usize) -> Option<Record> {
        self.input.count(depth)?;
        let code = self.input.byte()?;
        let node = match code {
            1 => {
                let (number, class) = (self.number()?, self.number()?);
                let class = Rc::clone(self.classes.get(&class)?);
                self.object(number, &class, depth)?
            }
            4 | 5 => {
                let number = self.number()?;
                let class = Rc::new(self.class(depth)?);
                if code == 5 {
                    self.number()?;
                }
                self.classes.insert(number, Rc::clone(&class));
                self.object(number, &class, depth)?
            }
            6 => {
                let (number, value) = (self.number()?, self.string()?);
                let place = self.place(number);
                self.graph.set(place, Node::Value(value));
                place
            }
            7 => self.array(depth)?,
            8 => {
                let kind = self.input.byte()?;
                let value = self.primitive(kind)?;
                self.graph.value(value)
            }
            9 => {
                let number = self.number()?;
                let place = self.place(number);
                self.graph.add(Node::Same(place))
            }
            10 => return Some(Record::Nulls(1)),
            11 => return Some(Record::End),
            12 => {
                self.number()?;
                self.string()?;
                return Some(Record::Other);
            }
            13 => return Some(Record::Nulls(self.input.byte()?.into())),
            14 => return Some(Record::Nulls(self.length()?)),
            15 => {
                let (number, len) = (self.number()?, self.length()?);
                let kind = self.input.byte()?;
                self.items(number, len, Kind::Primitive(kind), depth)?
            }
            16 | 17 => {
                let (number, len) = (self.number()?, self.length()?);
                self.items(number, len, Kind::Record, depth)?
            }
            21 | 22 => self.call(code, depth)?,
            _ => return None,
        };
        Some(Record::Node(node))
    }

    /// A record that is a value. Names of libraries may precede it.
    fn value(&mut self, depth: usize) -> Option<Record> {
        loop {
            match self.record(depth)? {
                Record::Other => {}
                Record::End => return None,
                record => return Some(record),
            }
        }
    }

    fn class(&mut self, depth: usize) -> Option<Class> {
        let name = self.name()?;
        let count = self.length()?;
        let mut names = Vec::new();
        for _ in 0..count {
            self.input.count(depth)?;
            names.push(member_name(&self.name()?));
        }
        let types: Vec<u8> = self.input.take(count)?.to_vec();
        let mut members = Vec::new();
        for (name, kind) in names.into_iter().zip(types) {
            members.push((name, self.kind(kind)?));
        }
        Some(Class { name, members })
    }

    fn kind(&mut self, kind: u8) -> Option<Kind> {
        Some(match kind {
            0 => Kind::Primitive(self.input.byte()?),
            1 | 2 | 5 | 6 => Kind::Record,
            3 => self.string().map(|_| Kind::Record)?,
            4 => {
                self.string()?;
                self.number()?;
                Kind::Record
            }
            7 => self.input.byte().map(|_| Kind::Record)?,
            _ => return None,
        })
    }

    fn object(&mut self, number: u64, class: &Class, depth: usize) -> Option<NodeId> {
        let place = self.place(number);
        self.graph.set(place, Node::Object(class_name(&class.name), Vec::new()));
        for (name, kind) in &class.members {
            let value = match kind {
                Kind::Primitive(kind) => {
                    self.input.count(depth)?;
                    let value = self.primitive(*kind)?;
                    self.graph.value(value)
                }
                Kind::Record => match self.value(depth + 1)? {
                    Record::Node(node) => node,
                    _ => continue,
                },
            };
            if let Some(Node::Object(_, members)) = self.graph.get_mut(place) {
                members.push((name.clone(), value));
            }
        }
        Some(place)
    }

    fn array(&mut self, depth: usize) -> Option<NodeId> {
        let number = self.number()?;
        let form = self.input.byte()?;
        let rank = self.length()?;
        let mut len = 1_usize;
        for _ in 0..rank {
            self.input.count(depth)?;
            len = len.checked_mul(self.length()?)?;
        }
        // Arrays with lower bounds.
        if matches!(form, 3..=5) {
            self.input.take(rank.checked_mul(4)?)?;
        }
        let kind = self.input.byte()?;
        let kind = self.kind(kind)?;
        self.items(number, len, kind, depth)
    }

    fn items(&mut self, number: u64, len: usize, kind: Kind, depth: usize) -> Option<NodeId> {
        let place = self.place(number);
        self.graph.set(place, Node::List(Vec::new()));
        // Bytes are no values that anything could be found in.
        if let Kind::Primitive(2) = kind {
            self.input.take(len)?;
            return Some(place);
        }
        if len > MAX_VALUES {
            return None;
        }
        let mut left = len;
        while left > 0 {
            let (value, used) = match kind {
                Kind::Primitive(kind) => {
                    self.input.count(depth)?;
                    let value = self.primitive(kind)?;
                    (Some(self.graph.value(value)), 1)
                }
                Kind::Record => match self.value(depth + 1)? {
                    Record::Node(node) => (Some(node), 1),
                    Record::Nulls(count) => (None, count.max(1)),
                    Record::Other | Record::End => return None,
                },
            };
            left = left.saturating_sub(used);
            if let Some(Node::List(items)) = self.graph.get_mut(place) {
                items.extend(value);
            }
        }
        Some(place)
    }

    fn primitive(&mut self, kind: u8) -> Option<Value> {
        let input = &mut self.input;
        Some(match kind {
            1 => Value::Bool(input.byte()? != 0),
            2 => Value::from(input.byte()?),
            3 => {
                let first = input.rest().first()?;
                let len = match first {
                    0..0x80 => 1,
                    0x80..0xe0 => 2,
                    0xe0..0xf0 => 3,
                    _ => 4,
                };
                text(input.take(len)?)
            }
            5 | 18 => self.string()?,
            6 => float(f64::from_bits(input.little(8)?)),
            7 => Value::from((input.little(2)? as u16).cast_signed()),
            8 => Value::from((input.little(4)? as u32).cast_signed()),
            9 => Value::from(input.little(8)?.cast_signed()),
            10 => Value::from(input.byte()?.cast_signed()),
            11 => float(f32::from_bits(u32::try_from(input.little(4)?).ok()?).into()),
            12 => {
                input.take(8)?;
                Value::Null
            }
            13 => date(input.little(8)?),
            14 => Value::from(input.little(2)?),
            15 => Value::from(input.little(4)?),
            16 => Value::from(input.little(8)?),
            17 => Value::Null,
            _ => return None,
        })
    }

    /// A call of a method or its result (MS-NRBF 2.2.3), with the arguments that are written in it.
    fn call(&mut self, code: u8, depth: usize) -> Option<NodeId> {
        const ARGUMENTS: u64 = 2;
        const CONTEXT: u64 = 0x20;
        const RESULT: u64 = 0x800;
        let flags = self.number()?;
        let mut items = Vec::new();
        let texts = if code == 21 { 2 } else { u32::from(flags & RESULT != 0) };
        for n in 0..texts + u32::from(flags & CONTEXT != 0) {
            let kind = self.input.byte()?;
            let value = self.primitive(kind)?;
            // The names of method and type are no values.
            if code == 22 && n == 0 && flags & RESULT != 0 {
                items.push(self.graph.value(value));
            }
        }
        if flags & ARGUMENTS != 0 {
            for _ in 0..self.length()? {
                self.input.count(depth)?;
                let kind = self.input.byte()?;
                let value = self.primitive(kind)?;
                items.push(self.graph.value(value));
            }
        }
        Some(self.graph.add(Node::List(items)))
    }

    /// Gives objects of the platform's own classes their meaning, once all are known.
    fn settle(&mut self) {
        let places: Vec<NodeId> = self.places.values().copied().collect();
        for place in places {
            let Some(Node::Object(class, members)) = self.graph.get(place) else { continue };
            let member = |name: &str| {
                members.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
            };
            let content = if let Some(value) = member("value__") {
                // An enumeration.
                Node::Same(value)
            } else if !class.is_empty() {
                continue;
            } else if let Some(pairs) = member("KeyValuePairs") {
                Node::Pairs(self.pairs(pairs))
            } else if let (Some(keys), Some(values)) = (member("Keys"), member("Values")) {
                Node::Pairs(self.items_of(keys).into_iter().zip(self.items_of(values)).collect())
            } else if let Some(items) = member("_items") {
                Node::Same(items)
            } else {
                continue;
            };
            self.graph.set(place, content);
        }
    }

    /// The node that others stand for.
    fn resolved(&self, at: NodeId) -> NodeId {
        match self.graph.get(at) {
            Some(Node::Same(other)) => *other,
            _ => at,
        }
    }

    fn items_of(&self, list: NodeId) -> Vec<NodeId> {
        match self.graph.get(self.resolved(list)) {
            Some(Node::List(items)) => items.clone(),
            _ => Vec::new(),
        }
    }

    fn pairs(&self, list: NodeId) -> Vec<(NodeId, NodeId)> {
        let pair = |item: NodeId| match self.graph.get(self.resolved(item)) {
            Some(Node::Object(_, members)) => match members.as_slice() {
                [(_, key), (_, value)] => Some((*key, *value)),
                _ => None,
            },
            _ => None,
        };
        self.items_of(list).into_iter().filter_map(pair).collect()
    }
}

/// The name of a property from that of the field behind it: `<Name>k__BackingField`.
fn member_name(name: &str) -> String {
    let inner = name.strip_prefix('<').and_then(|name| name.split_once('>'));
    inner.map_or(name, |(inner, _)| inner).to_owned()
}

/// The name of a class of the application, without what it is made for. Empty for the platform's own.
fn class_name(name: &str) -> String {
    if name.starts_with("System.") {
        return String::new();
    }
    name.split(['`', '[', ',']).next().unwrap_or_default().to_owned()
}

fn float(number: f64) -> Value {
    serde_json::Number::from_f64(number).map_or(Value::Null, Value::Number)
}

/// A date and time (MS-NRBF 2.1.1.5); the two highest bits say which clock it is of.
fn date(ticks: u64) -> Value {
    julian_day(((ticks & (u64::MAX >> 2)) / TICKS + FIRST_DAY).cast_signed())
}
