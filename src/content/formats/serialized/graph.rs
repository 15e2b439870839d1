//! Values that refer to each other, as Java, .NET and Ruby write them.

use super::{MAX_BYTES, MAX_DEPTH, MAX_VALUES, map_or_list};
use serde_json::{Map, Value};

/// A value and the values it refers to.
pub(super) enum Node {
    Value(Value),
    /// Keys and values.
    Pairs(Vec<(NodeId, NodeId)>),
    List(Vec<NodeId>),
    /// The name of a class, and the members of its object.
    Object(String, Vec<(String, NodeId)>),
    /// The same as another node.
    Same(NodeId),
}

/// The place of a node in its graph.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct NodeId(usize);

/// All values of one input.
#[derive(Default)]
pub(super) struct Graph {
    nodes: Vec<Node>,
}

impl Graph {
    /// Adds a node.
    pub fn add(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        NodeId(self.nodes.len() - 1)
    }

    pub fn value(&mut self, value: Value) -> NodeId {
        self.add(Node::Value(value))
    }

    /// Adds a node whose content follows.
    pub fn reserve(&mut self) -> NodeId {
        self.value(Value::Null)
    }

    /// Sets the content of a node.
    pub fn set(&mut self, at: NodeId, node: Node) {
        if let Some(place) = self.nodes.get_mut(at.0) {
            *place = node;
        }
    }

    pub fn get(&self, at: NodeId) -> Option<&Node> {
        self.nodes.get(at.0)
    }

    pub fn get_mut(&mut self, at: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(at.0)
    }

    /// The values that are not part of others, as JSON. Each list, map and object is shown once, where it is first
    /// referred to, so the result is not longer than the input in proportion.
    pub fn json(mut self, roots: &[NodeId]) -> Value {
        let mut left = Budget { values: MAX_VALUES, bytes: 2 * MAX_BYTES };
        let mut values: Vec<Value> =
            roots.iter().map(|root| self.render(*root, 0, Place::Alone, &mut left)).collect();
        values.retain(|value| !value.is_null());
        if values.len() == 1 { values.pop().unwrap_or_default() } else { Value::Array(values) }
    }

    fn render(&mut self, at: NodeId, depth: usize, place: Place, left: &mut Budget) -> Value {
        if depth > MAX_DEPTH || left.values == 0 {
            return Value::Null;
        }
        left.values -= 1;
        let next = depth + 1;
        match self.nodes.get_mut(at.0) {
            None => Value::Null,
            Some(Node::Value(value)) => {
                let len = value.as_str().map_or(0, str::len);
                match left.bytes.checked_sub(len) {
                    Some(bytes) => {
                        left.bytes = bytes;
                        value.clone()
                    }
                    None => Value::Null,
                }
            }
            Some(Node::Same(other)) => {
                let other = *other;
                self.render(other, next, place, left)
            }
            Some(Node::List(items)) => {
                let items = std::mem::take(items);
                let item = |item| self.render(item, next, Place::Alone, left);
                Value::Array(items.into_iter().map(item).collect())
            }
            Some(Node::Pairs(pairs)) => {
                let pairs = std::mem::take(pairs);
                let pair = |(key, value)| {
                    let key = self.render(key, next, Place::Member, left);
                    (key, self.render(value, next, Place::Member, left))
                };
                map_or_list(pairs.into_iter().map(pair).collect())
            }
            Some(Node::Object(class, members)) => {
                let (class, members) = (std::mem::take(class), std::mem::take(members));
                let member = |(name, value)| (name, self.render(value, next, Place::Member, left));
                let members: Map<String, Value> = members.into_iter().map(member).collect();
                match place {
                    Place::Alone => typed(&class, Value::Object(members)),
                    Place::Member => Value::Object(members),
                }
            }
        }
    }
}

/// What may still be shown.
struct Budget {
    values: usize,
    bytes: usize,
}

/// Where a value is.
#[derive(Clone, Copy)]
enum Place {
    /// Nothing names it.
    Alone,
    /// A member of an object names it.
    Member,
}

/// An object that no member of another names: the class names it, without its package.
pub(super) fn typed(class: &str, members: Value) -> Value {
    let simple = class.rsplit(['.', '$', '\\', ':', '+']).next().unwrap_or(class);
    if simple.is_empty() || !members.is_object() {
        return members;
    }
    Value::Object(Map::from_iter([(simple.to_owned(), members)]))
}
