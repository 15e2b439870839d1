//! Java Object Serialization (Java Object Serialization Specification, chapter 6), as RMI, JMS, HTTP invokers, caches and
//! sessions send it: objects with the names of their fields. Nothing is executed.

use super::binary::Input;
use super::graph::{Graph, Node, NodeId};
use super::{MAX_DEPTH, MAX_VALUES};
use crate::syntax::serialized::JAVA_OBJECTS as MAGIC;
use serde_json::Value;

/// The number of the first handle (`baseWireHandle`).
const FIRST_HANDLE: u64 = 0x7e_0000;

// Codes of elements (`TC_...`).
const NULL: u8 = 0x70;
const REFERENCE: u8 = 0x71;
const CLASS_DESC: u8 = 0x72;
const OBJECT: u8 = 0x73;
const STRING: u8 = 0x74;
const ARRAY: u8 = 0x75;
const CLASS: u8 = 0x76;
const BLOCK: u8 = 0x77;
const END_BLOCK: u8 = 0x78;
const RESET: u8 = 0x79;
const LONG_BLOCK: u8 = 0x7a;
const LONG_STRING: u8 = 0x7c;
const PROXY_CLASS: u8 = 0x7d;
const ENUM: u8 = 0x7e;

// Flags of a class (`SC_...`).
const WRITE_METHOD: u8 = 1;
const SERIALIZABLE: u8 = 2;
const EXTERNALIZABLE: u8 = 4;
const BLOCK_DATA: u8 = 8;

// Kinds of values of `java.time` (`java.time.Ser`).
const DATE: u8 = 3;
const LOCAL_TIME: u8 = 4;
const DATE_AND_TIME: u8 = 5;
const WITH_ZONE: u8 = 6;
const WITH_OFFSET: u8 = 10;

/// Whether a stream of objects begins here.
pub(super) fn begins(head: &[u8]) -> bool {
    head.starts_with(MAGIC)
}

/// The objects of streams, as far as they can be read. Calls of RMI follow each other, each with a stream of its own.
pub(super) fn read(bytes: &[u8]) -> Option<Value> {
    let mut all = Vec::new();
    let mut rest = bytes;
    while let Some(at) = memchr::memmem::find(rest, MAGIC) {
        rest = rest.get(at + MAGIC.len()..)?;
        let mut reader = Reader::new(Input::new(rest));
        match reader.stream() {
            Value::Array(values) => all.extend(values),
            Value::Null => {}
            value => all.push(value),
        }
        rest = reader.input.rest();
    }
    Some(if all.len() == 1 { all.pop()? } else { Value::Array(all) })
}

/// The description of a class.
struct Class {
    name: String,
    flags: u8,
    /// Codes of types, and names.
    fields: Vec<(u8, String)>,
    parent: Option<ClassId>,
}

#[derive(Clone, Copy)]
struct ClassId(usize);

/// What a handle refers to.
#[derive(Clone, Copy)]
enum Handle {
    Node(NodeId),
    Class(ClassId),
}

/// The next element of a stream.
enum Content<'a> {
    Node(NodeId),
    Class,
    Block(&'a [u8]),
    End,
}

struct Reader<'a> {
    input: Input<'a>,
    graph: Graph,
    classes: Vec<Class>,
    handles: Vec<Handle>,
    /// The outermost object that is being read.
    open: Option<NodeId>,
}

/// What an object's own methods wrote behind its fields.
#[derive(Default)]
struct Annotation<'a> {
    block: &'a [u8],
    items: Vec<NodeId>,
}

impl<'a> Reader<'a> {
    fn new(input: Input<'a>) -> Self {
        Self {
            input,
            graph: Graph::default(),
            classes: Vec::new(),
            handles: Vec::new(),
            open: None,
        }
    }

    /// The objects of a stream.
    fn stream(&mut self) -> Value {
        let mut roots = Vec::new();
        while !self.input.is_empty() {
            match self.content(0) {
                Some(Content::Node(node)) => roots.push(node),
                Some(_) => {}
                None => {
                    // What was read of the last object remains.
                    roots.extend(self.open);
                    break;
                }
            }
        }
        std::mem::take(&mut self.graph).json(&roots)
    }

    fn referred(&mut self) -> Option<Handle> {
        let number = self.input.big(4)?.checked_sub(FIRST_HANDLE)?;
        self.handles.get(usize::try_from(number).ok()?).copied()
    }

    /// A text in the modified UTF-8 of Java, which differs for zero and rare letters only.
    fn utf(&mut self, len: usize) -> Option<String> {
        Some(String::from_utf8_lossy(self.input.take(len)?).into_owned())
    }

    fn short_text(&mut self) -> Option<String> {
        let len = self.input.big(2)?;
        self.utf(usize::try_from(len).ok()?)
    }

    fn string(&mut self, len_bytes: usize) -> Option<NodeId> {
        let len = usize::try_from(self.input.big(len_bytes)?).ok()?;
        let text = self.utf(len)?;
        let node = self.graph.value(Value::String(text));
        self.handles.push(Handle::Node(node));
        Some(node)
    }

    fn content(&mut self, depth: usize) -> Option<Content<'a>> {
        self.input.count(depth)?;
        let code = self.input.byte()?;
        let node = match code {
            NULL => self.graph.value(Value::Null),
            REFERENCE => match self.referred()? {
                Handle::Node(node) => self.graph.add(Node::Same(node)),
                Handle::Class(_) => return Some(Content::Class),
            },
            CLASS_DESC | PROXY_CLASS => {
                self.class_of(code, depth + 1)?;
                return Some(Content::Class);
            }
            OBJECT => self.object(depth + 1)?,
            STRING => self.string(2)?,
            LONG_STRING => self.string(8)?,
            ARRAY => self.array(depth + 1)?,
            ENUM => {
                self.class(depth + 1)?;
                let node = self.graph.reserve();
                self.handles.push(Handle::Node(node));
                let Content::Node(constant) = self.content(depth + 1)? else { return None };
                self.graph.set(node, Node::Same(constant));
                node
            }
            CLASS => {
                self.class(depth + 1)?;
                let node = self.graph.reserve();
                self.handles.push(Handle::Node(node));
                node
            }
            BLOCK | LONG_BLOCK => {
                let len = self.input.big(if code == BLOCK { 1 } else { 4 })?;
                return Some(Content::Block(self.input.take(usize::try_from(len).ok()?)?));
            }
            END_BLOCK => return Some(Content::End),
            RESET => {
                self.handles.clear();
                return Some(Content::Class);
            }
            _ => return None,
        };
        Some(Content::Node(node))
    }

    /// A description of a class, or none.
    fn class(&mut self, depth: usize) -> Option<Option<ClassId>> {
        match self.input.byte()? {
            NULL => Some(None),
            REFERENCE => match self.referred()? {
                Handle::Class(class) => Some(Some(class)),
                Handle::Node(_) => None,
            },
            code => self.class_of(code, depth).map(Some),
        }
    }

    fn class_of(&mut self, code: u8, depth: usize) -> Option<ClassId> {
        self.input.count(depth)?;
        let id = ClassId(self.classes.len());
        let mut class =
            Class { name: String::new(), flags: SERIALIZABLE, fields: Vec::new(), parent: None };
        match code {
            CLASS_DESC => {
                class.name = self.short_text()?;
                self.input.take(8)?;
                self.classes.push(class);
                self.handles.push(Handle::Class(id));
                let flags = self.input.byte()?;
                let count = self.input.big(2)?;
                let mut fields = Vec::new();
                for _ in 0..count {
                    self.input.count(depth)?;
                    let kind = self.input.byte()?;
                    fields.push((kind, self.short_text()?));
                    if matches!(kind, b'L' | b'[') {
                        // The name of the field's class.
                        let Content::Node(_) = self.content(depth + 1)? else { return None };
                    }
                }
                let class = self.classes.get_mut(id.0)?;
                (class.flags, class.fields) = (flags, fields);
            }
            PROXY_CLASS => {
                self.classes.push(class);
                self.handles.push(Handle::Class(id));
                for _ in 0..self.input.big(4)? {
                    self.input.count(depth)?;
                    self.short_text()?;
                }
            }
            _ => return None,
        }
        self.annotation(depth)?;
        let parent = self.class(depth + 1)?;
        self.classes.get_mut(id.0)?.parent = parent;
        Some(id)
    }

    fn annotation(&mut self, depth: usize) -> Option<Annotation<'a>> {
        let mut annotation = Annotation::default();
        loop {
            match self.content(depth + 1)? {
                Content::End => return Some(annotation),
                Content::Node(node) => annotation.items.push(node),
                Content::Block(block) if annotation.block.is_empty() => annotation.block = block,
                Content::Block(_) | Content::Class => {}
            }
        }
    }

    /// The classes of an object, the most general one first.
    fn lineage(&self, class: ClassId) -> Vec<ClassId> {
        let parent = |id: &ClassId| self.classes.get(id.0).and_then(|class| class.parent);
        let mut all: Vec<ClassId> =
            std::iter::successors(Some(class), parent).take(MAX_DEPTH).collect();
        all.reverse();
        all
    }

    fn object(&mut self, depth: usize) -> Option<NodeId> {
        let class = self.class(depth)??;
        let name = self.classes.get(class.0)?.name.clone();
        let node = self.graph.add(Node::Object(name.clone(), Vec::new()));
        self.handles.push(Handle::Node(node));
        let outermost = self.open.is_none();
        if outermost {
            self.open = Some(node);
        }
        let mut written = Annotation::default();
        for class in self.lineage(class) {
            let Class { flags, fields, .. } = self.classes.get(class.0)?;
            let (flags, fields) = (*flags, fields.clone());
            if flags & SERIALIZABLE != 0 {
                for (kind, field) in fields {
                    let value = self.field(kind, depth)?;
                    if let Some(Node::Object(_, members)) = self.graph.get_mut(node) {
                        members.push((field, value));
                    }
                }
            }
            let has_annotation = flags & SERIALIZABLE != 0 && flags & WRITE_METHOD != 0
                || flags & EXTERNALIZABLE != 0 && flags & BLOCK_DATA != 0;
            if has_annotation {
                let own = self.annotation(depth)?;
                written.items.extend(own.items);
                if written.block.is_empty() {
                    written.block = own.block;
                }
            } else if flags & EXTERNALIZABLE != 0 {
                // Without blocks, as in RMI, only the class knows how long it is.
                written.block = self.time_value(&name)?;
            }
        }
        self.settle(node, &name, &written);
        if outermost {
            self.open = None;
        }
        Some(node)
    }

    /// What `java.time.Ser` writes: a kind and its parts.
    fn time_value(&mut self, class: &str) -> Option<&'a [u8]> {
        if class != "java.time.Ser" {
            return None;
        }
        let rest = self.input.rest();
        let kind = self.input.byte()?;
        let fixed = match kind {
            // A duration or an instant; a date; an offset; a year, with a month; a period.
            1 | 2 => 12,
            DATE | DATE_AND_TIME => 6,
            8 => 1,
            11 => 4,
            12 => 5,
            13 => 2,
            14 => 12,
            LOCAL_TIME => 0,
            _ => return None,
        };
        self.input.take(fixed)?;
        if matches!(kind, LOCAL_TIME | DATE_AND_TIME) {
            // Hour, minute, second: the last one that is not zero is complemented, or nanoseconds follow.
            let mut parts = 0;
            while parts < 3 && self.input.byte()? < 0x80 {
                parts += 1;
            }
            if parts == 3 {
                self.input.take(4)?;
            }
        }
        rest.get(..rest.len() - self.input.rest().len())
    }

    /// Gives objects of the platform's own classes their meaning.
    fn settle(&mut self, node: NodeId, class: &str, written: &Annotation<'_>) {
        if !class.starts_with("java.") {
            return;
        }
        let members = match self.graph.get(node) {
            Some(Node::Object(_, members)) => members.as_slice(),
            _ => &[],
        };
        let member =
            |name: &str| members.iter().find(|(known, _)| known == name).map(|(_, at)| *at);
        let is_map = |class: &str| {
            ["Map", "Hashtable", "Properties"].iter().any(|name| class.ends_with(name))
        };
        let content = if class == "java.time.Ser" {
            Node::Value(time_of(written.block))
        } else if matches!(class, "java.util.Date" | "java.sql.Date" | "java.sql.Timestamp") {
            let millis = written.block.first_chunk().map(|bytes| i64::from_be_bytes(*bytes));
            Node::Value(millis.map_or(Value::Null, Value::from))
        } else if is_map(class) {
            let pairs = written.items.chunks_exact(2).map(|pair| (pair[0], pair[1]));
            Node::Pairs(pairs.collect())
        } else if class == "java.util.CollSer"
            && matches!(member("tag"), Some(tag) if self.is_map_tag(tag))
        {
            let pairs = written.items.chunks_exact(2).map(|pair| (pair[0], pair[1]));
            Node::Pairs(pairs.collect())
        } else if let Some(inner) =
            ["value", "elementData", "a", "m", "c", "list"].iter().find_map(|n| member(n))
        {
            Node::Same(inner)
        } else if class.starts_with("java.util.") {
            Node::List(written.items.clone())
        } else {
            return;
        };
        self.graph.set(node, content);
    }

    /// Whether an immutable collection (`java.util.CollSer`) is a map.
    fn is_map_tag(&self, tag: NodeId) -> bool {
        const MAP: u64 = 3;
        matches!(self.graph.get(tag), Some(Node::Value(tag)) if tag.as_u64().is_some_and(|tag| tag & 0xff == MAP))
    }

    fn field(&mut self, kind: u8, depth: usize) -> Option<NodeId> {
        if matches!(kind, b'L' | b'[') {
            return match self.content(depth + 1)? {
                Content::Node(node) => Some(node),
                Content::Class => Some(self.graph.value(Value::Null)),
                Content::Block(_) | Content::End => None,
            };
        }
        self.input.count(depth)?;
        let value = match kind {
            b'B' => Value::from(self.input.byte()?.cast_signed()),
            b'C' => {
                let unit = u16::try_from(self.input.big(2)?).ok()?;
                let letter = char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER);
                Value::String(letter.into())
            }
            b'D' => {
                let number = f64::from_bits(self.input.big(8)?);
                serde_json::Number::from_f64(number).map_or(Value::Null, Value::Number)
            }
            b'F' => {
                let number = f64::from(f32::from_bits(u32::try_from(self.input.big(4)?).ok()?));
                serde_json::Number::from_f64(number).map_or(Value::Null, Value::Number)
            }
            b'I' => Value::from((self.input.big(4)? as u32).cast_signed()),
            b'J' => Value::from(self.input.big(8)?.cast_signed()),
            b'S' => Value::from((self.input.big(2)? as u16).cast_signed()),
            b'Z' => Value::Bool(self.input.byte()? != 0),
            _ => return None,
        };
        Some(self.graph.value(value))
    }

    fn array(&mut self, depth: usize) -> Option<NodeId> {
        let class = self.class(depth)??;
        let kind = *self.classes.get(class.0)?.name.as_bytes().get(1)?;
        let node = self.graph.add(Node::List(Vec::new()));
        self.handles.push(Handle::Node(node));
        let len = usize::try_from(self.input.big(4)?).ok()?;
        // Bytes are no values that anything could be found in.
        if kind == b'B' {
            self.input.take(len)?;
            return Some(node);
        }
        if len > MAX_VALUES {
            return None;
        }
        for _ in 0..len {
            let item = self.field(kind, depth)?;
            if let Some(Node::List(items)) = self.graph.get_mut(node) {
                items.push(item);
            }
        }
        Some(node)
    }
}

/// A value of `java.time` (`java.time.Ser`): a date, alone or with a time of day.
fn time_of(block: &[u8]) -> Value {
    let [DATE | DATE_AND_TIME | WITH_ZONE | WITH_OFFSET, a, b, c, d, month, day, ..] = *block
    else {
        return Value::Null;
    };
    let year = i32::from_be_bytes([a, b, c, d]);
    let fits = (0..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if fits { Value::String(format!("{year:04}-{month:02}-{day:02}")) } else { Value::Null }
}
