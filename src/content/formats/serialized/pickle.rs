//! What `pickle` of Python writes (protocols 2 to 5): dictionaries, lists, and the members of objects. Nothing is executed.

use super::binary::Input;
use super::graph::typed;
use super::{MAX_VALUES, map_or_list, text};
use serde_json::Value;

/// Longest text that is kept to be used again, bytes.
const MAX_KEPT: usize = 256;
/// Makes an object of a class.
const NEW_OBJECT: u8 = 0x81;
/// The last operation.
const STOP: u8 = b'.';

/// Whether a pickle begins here.
pub(super) fn begins(head: &[u8]) -> bool {
    matches!(head, [0x80, 2..=5, b'}' | b']' | b'(' | b'c' | 0x95 | 0x8c, ..])
}

/// What is on the stack.
#[derive(Clone)]
enum Item {
    Value(Value),
    /// A dictionary.
    Pairs(Vec<(Value, Value)>),
    List(Vec<Value>),
    Bytes(Vec<u8>),
    Mark,
    /// A class or a function.
    Global(String),
    /// A new object of a class, with what its constructor was given.
    New(String, Value),
    /// An object with its members.
    Object(String, Value),
}

impl Item {
    fn value(self) -> Value {
        match self {
            Self::Value(value) => value,
            Self::Pairs(pairs) => map_or_list(pairs),
            Self::List(items) => Value::Array(items),
            Self::Bytes(bytes) => text(&bytes),
            Self::Mark | Self::Global(_) => Value::Null,
            Self::New(_, argument) => argument,
            Self::Object(class, members) => typed(&class, members),
        }
    }

    /// The value of a member, which has a name already.
    fn member(self) -> Value {
        match self {
            Self::Object(_, members) => members,
            item => item.value(),
        }
    }
}

#[derive(Default)]
struct Machine {
    stack: Vec<Item>,
    /// Values that may be used again; only those that are no collections.
    memo: Vec<(u64, Item)>,
}

/// The value that a pickle builds.
pub(super) fn read(bytes: &[u8]) -> Option<Value> {
    let mut input = Input::new(bytes);
    let mut machine = Machine::default();
    loop {
        input.count(0)?;
        let operation = input.byte()?;
        if operation == STOP {
            return machine.stack.pop().map(Item::value);
        }
        machine.step(operation, &mut input)?;
        if machine.stack.len() > MAX_VALUES {
            return None;
        }
    }
}

/// A date of `datetime` from its bytes: two for the year, the month, the day.
fn date(bytes: &[u8]) -> Option<Value> {
    let [high, low, month, day, ..] = bytes else { return None };
    let year = u16::from_be_bytes([*high, *low]);
    let fits = (1..=12).contains(month) && (1..=31).contains(day);
    fits.then(|| Value::String(format!("{year:04}-{month:02}-{day:02}")))
}

impl Machine {
    fn pop(&mut self) -> Option<Value> {
        self.stack.pop().map(Item::value)
    }

    /// The items above the last mark.
    fn above_mark(&mut self) -> Option<Vec<Item>> {
        let at = self.stack.iter().rposition(|item| matches!(item, Item::Mark))?;
        let items = self.stack.split_off(at + 1);
        self.stack.pop();
        Some(items)
    }

    /// Keeps the last item under a number.
    fn keep(&mut self, number: u64) -> Option<()> {
        let item = match self.stack.last()? {
            Item::Value(Value::String(text)) | Item::Global(text) if text.len() > MAX_KEPT => {
                Item::Value(Value::Null)
            }
            Item::Value(Value::Array(_) | Value::Object(_)) => Item::Value(Value::Null),
            item @ (Item::Value(_) | Item::Global(_)) => item.clone(),
            _ => Item::Value(Value::Null),
        };
        if self.memo.len() < MAX_VALUES {
            self.memo.push((number, item));
        }
        Some(())
    }

    fn get(&mut self, number: u64) -> Option<()> {
        let found = self.memo.binary_search_by_key(&number, |(known, _)| *known).ok();
        let item = found.and_then(|at| self.memo.get(at)).map(|(_, item)| item.clone());
        self.stack.push(item.unwrap_or(Item::Value(Value::Null)));
        Some(())
    }

    fn push(&mut self, value: Value) -> Option<()> {
        self.stack.push(Item::Value(value));
        Some(())
    }

    fn tuple(&mut self, len: usize) -> Option<()> {
        let from = self.stack.len().checked_sub(len)?;
        let items = self.stack.split_off(from);
        self.collect(items)
    }

    fn collect(&mut self, mut items: Vec<Item>) -> Option<()> {
        // The argument of a date.
        if items.len() == 1 && matches!(items.first(), Some(Item::Bytes(_))) {
            self.stack.push(items.pop()?);
            return Some(());
        }
        self.stack.push(Item::List(items.into_iter().map(Item::value).collect()));
        Some(())
    }

    /// Adds keys and values to the dictionary that is the last item.
    fn set(&mut self, items: Vec<Item>) -> Option<()> {
        let Some(Item::Pairs(pairs)) = self.stack.last_mut() else { return None };
        let mut items = items.into_iter();
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            pairs.push((key.value(), value.member()));
        }
        Some(())
    }

    fn append(&mut self, items: Vec<Item>) -> Option<()> {
        let Some(Item::List(list)) = self.stack.last_mut() else { return None };
        list.extend(items.into_iter().map(Item::value));
        Some(())
    }

    /// The result of a call: a date, or what the call was given.
    fn call(&mut self, operation: u8) -> Option<()> {
        let argument = self.stack.pop()?;
        let function = self.stack.pop()?;
        if let (NEW_OBJECT, Item::Global(class)) = (operation, &function) {
            self.stack.push(Item::New(class.clone(), argument.value()));
            return Some(());
        }
        let dated = match (&function, &argument) {
            (Item::Global(name), Item::Bytes(bytes)) if name.starts_with("datetime") => date(bytes),
            _ => None,
        };
        self.stack.push(dated.map_or(argument, Item::Value));
        Some(())
    }

    fn step(&mut self, operation: u8, input: &mut Input<'_>) -> Option<()> {
        let length = |number: u64| usize::try_from(number).ok();
        match operation {
            // PROTO, FRAME
            0x80 => input.byte().map(drop),
            0x95 => input.take(8).map(drop),
            b'}' => {
                self.stack.push(Item::Pairs(Vec::new()));
                Some(())
            }
            b']' | b')' | 0x8f => {
                self.stack.push(Item::List(Vec::new()));
                Some(())
            }
            b'(' => {
                self.stack.push(Item::Mark);
                Some(())
            }
            // Texts.
            0x8c => {
                let len = input.byte()?;
                let value = text(input.take(usize::from(len))?);
                self.push(value)
            }
            b'X' => {
                let len = length(input.little(4)?)?;
                let value = text(input.take(len)?);
                self.push(value)
            }
            b'U' | b'C' => {
                let len = input.byte()?;
                self.stack.push(Item::Bytes(input.take(usize::from(len))?.to_vec()));
                Some(())
            }
            b'T' | b'B' => {
                let len = length(input.little(4)?)?;
                self.stack.push(Item::Bytes(input.take(len)?.to_vec()));
                Some(())
            }
            // Numbers.
            b'K' => {
                let number = input.byte()?;
                self.push(Value::from(number))
            }
            b'M' => {
                let number = input.little(2)?;
                self.push(Value::from(number))
            }
            b'J' => {
                let number = input.little(4)? as u32;
                self.push(Value::from(number.cast_signed()))
            }
            0x8a => {
                let len = input.byte()?;
                let bytes = input.take(usize::from(len))?;
                let number = bytes.iter().rev().fold(0_u64, |n, b| n << 8 | u64::from(*b));
                self.push(if len <= 8 { Value::from(number) } else { Value::Null })
            }
            b'G' => {
                let number = f64::from_bits(input.big(8)?);
                self.push(serde_json::Number::from_f64(number).map_or(Value::Null, Value::Number))
            }
            b'N' => self.push(Value::Null),
            0x88 | 0x89 => self.push(Value::Bool(operation == 0x88)),
            // What is used again.
            0x94 => self.keep(self.memo.len() as u64),
            b'q' => {
                let number = input.byte()?;
                self.keep(number.into())
            }
            b'r' => {
                let number = input.little(4)?;
                self.keep(number)
            }
            b'h' => {
                let number = input.byte()?;
                self.get(number.into())
            }
            b'j' => {
                let number = input.little(4)?;
                self.get(number)
            }
            _ => self.build(operation, input),
        }
    }

    /// Operations that put values together.
    fn build(&mut self, operation: u8, input: &mut Input<'_>) -> Option<()> {
        match operation {
            b'u' => {
                let items = self.above_mark()?;
                self.set(items)
            }
            b's' => {
                let (value, key) = (self.stack.pop()?, self.stack.pop()?);
                self.set(vec![key, value])
            }
            b'e' => {
                let items = self.above_mark()?;
                self.append(items)
            }
            b'a' => {
                let item = self.stack.pop()?;
                self.append(vec![item])
            }
            0x85..=0x87 => self.tuple(usize::from(operation - 0x84)),
            b't' => {
                let items = self.above_mark()?;
                self.collect(items)
            }
            b'c' => {
                let (module, name) = (input.line()?, input.line()?);
                let global = [module, b".", name].concat();
                self.stack.push(Item::Global(String::from_utf8_lossy(&global).into_owned()));
                Some(())
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let part = |value: &Value| value.as_str().unwrap_or("").to_owned();
                self.stack.push(Item::Global([part(&module), part(&name)].join(".")));
                Some(())
            }
            b'R' | NEW_OBJECT => self.call(operation),
            // The members of an object take its place.
            b'b' => {
                let members = self.stack.pop()?;
                let members = match self.stack.pop()? {
                    Item::New(class, _) => Item::Object(class, members.value()),
                    _ => members,
                };
                self.stack.push(members);
                Some(())
            }
            b'0' => self.stack.pop().map(drop),
            _ => None,
        }
    }
}
