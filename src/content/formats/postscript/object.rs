//! Objects of the language (PLRM 3.3), and the store of their values.
//!
//! Composite objects are indexes into one store, which is freed when the job has been read, whatever cycles they
//! form.

use std::collections::HashMap;
use zeroize::Zeroizing;

/// Most bytes of the values of one job.
const MAX_STORE: usize = 48 << 20;

/// Cost of each value beside its elements, bytes.
const VALUE_COST: usize = 48;

/// An object. Copies share the value.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Object {
    Null,
    Mark,
    Bool(bool),
    Number(f64),
    /// A literal name.
    Name(Name),
    /// An executable name.
    Run(Name),
    String(u32),
    Array(u32),
    /// An executable array.
    Proc(u32),
    Dict(u32),
    Operator(u16),
    Stream(u32),
}

/// A name by its number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Name(pub(super) u32);

/// The key of a dictionary's entry: strings are names there (3.3.9).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) enum Key {
    Name(u32),
    Number(u64),
    Other(u32),
}

pub(super) type Dict = HashMap<Key, Object, foldhash::fast::FixedState>;

/// All values of one job.
#[derive(Default)]
pub(super) struct Store {
    names: HashMap<Box<[u8]>, Name, foldhash::fast::FixedState>,
    spelled: Vec<Box<[u8]>>,
    strings: Vec<Zeroizing<Vec<u8>>>,
    arrays: Vec<Vec<Object>>,
    dicts: Vec<Dict>,
    used: usize,
}

impl Store {
    /// Whether the store is full.
    pub(super) const fn is_full(&self) -> bool {
        self.used > MAX_STORE
    }

    fn take(&mut self, bytes: usize) -> Option<()> {
        self.used = self.used.saturating_add(bytes).saturating_add(VALUE_COST);
        (!self.is_full()).then_some(())
    }

    /// The number of a name.
    pub(super) fn name(&mut self, text: &[u8]) -> Name {
        if let Some(name) = self.names.get(text) {
            return *name;
        }
        self.used += VALUE_COST + 2 * text.len();
        let name = Name(self.spelled.len() as u32);
        self.names.insert(text.into(), name);
        self.spelled.push(text.into());
        name
    }

    /// The text of a name.
    pub(super) fn spelling(&self, name: Name) -> &[u8] {
        self.spelled.get(name.0 as usize).map_or(b"", |s| s)
    }

    pub(super) fn new_string(&mut self, bytes: Vec<u8>) -> Option<Object> {
        self.take(bytes.len())?;
        self.strings.push(Zeroizing::new(bytes));
        Some(Object::String(self.strings.len() as u32 - 1))
    }

    pub(super) fn new_array(&mut self, items: Vec<Object>, executable: bool) -> Option<Object> {
        self.take(items.len() * size_of::<Object>())?;
        self.arrays.push(items);
        let at = self.arrays.len() as u32 - 1;
        Some(if executable { Object::Proc(at) } else { Object::Array(at) })
    }

    pub(super) fn new_dict(&mut self, dict: Dict) -> Option<u32> {
        self.take(dict.len() * 2 * size_of::<Object>())?;
        self.dicts.push(dict);
        Some(self.dicts.len() as u32 - 1)
    }

    /// The bytes of a string or a name.
    pub(super) fn bytes(&self, object: Object) -> Option<&[u8]> {
        match object {
            Object::String(at) => self.strings.get(at as usize).map(|s| s.as_slice()),
            Object::Name(name) | Object::Run(name) => Some(self.spelling(name)),
            _ => None,
        }
    }

    pub(super) fn string_mut(&mut self, object: Object) -> Option<&mut Vec<u8>> {
        match object {
            Object::String(at) => self.strings.get_mut(at as usize).map(|s| &mut **s),
            _ => None,
        }
    }

    pub(super) fn array(&self, object: Object) -> Option<&[Object]> {
        match object {
            Object::Array(at) | Object::Proc(at) => self.arrays.get(at as usize).map(Vec::as_slice),
            _ => None,
        }
    }

    pub(super) fn array_mut(&mut self, object: Object) -> Option<&mut [Object]> {
        match object {
            Object::Array(at) | Object::Proc(at) => {
                self.arrays.get_mut(at as usize).map(Vec::as_mut_slice)
            }
            _ => None,
        }
    }

    /// Six numbers in an array.
    pub(super) fn matrix(&self, object: Object) -> Option<[f64; 6]> {
        let items = self.array(object)?;
        let mut matrix = [0.0; 6];
        for (slot, item) in matrix.iter_mut().zip(items) {
            let Object::Number(n) = item else { return None };
            *slot = *n;
        }
        (items.len() == 6).then_some(matrix)
    }

    pub(super) fn dict(&self, at: u32) -> Option<&Dict> {
        self.dicts.get(at as usize)
    }

    /// The entry of a dictionary.
    pub(super) fn get(&self, dict: u32, key: Key) -> Option<Object> {
        self.dict(dict)?.get(&key).copied()
    }

    /// The entry of a dictionary under a name written so.
    pub(super) fn get_named(&self, dict: u32, name: &[u8]) -> Option<Object> {
        self.get(dict, Key::Name(self.names.get(name)?.0))
    }

    pub(super) fn put(&mut self, dict: u32, key: Key, value: Object) -> Option<()> {
        self.take(2 * size_of::<Object>())?;
        self.dicts.get_mut(dict as usize)?.insert(key, value);
        Some(())
    }

    pub(super) fn put_named(&mut self, dict: u32, name: &[u8], value: Object) -> Option<()> {
        let key = Key::Name(self.name(name).0);
        self.put(dict, key, value)
    }

    pub(super) fn remove(&mut self, dict: u32, key: Key) {
        if let Some(dict) = self.dicts.get_mut(dict as usize) {
            dict.remove(&key);
        }
    }

    /// An object as a key.
    pub(super) fn key(&mut self, object: Object) -> Option<Key> {
        Some(match object {
            Object::Name(name) | Object::Run(name) => Key::Name(name.0),
            Object::String(_) => {
                let text = self.bytes(object)?.to_vec();
                Key::Name(self.name(&text).0)
            }
            Object::Number(n) => Key::Number(n.to_bits()),
            Object::Bool(b) => Key::Other(u32::from(b)),
            Object::Operator(at) => Key::Other(16 + u32::from(at)),
            _ => return None,
        })
    }

    /// A key as an object.
    pub(super) fn unkey(key: Key) -> Object {
        match key {
            Key::Name(name) => Object::Name(Name(name)),
            Key::Number(bits) => Object::Number(f64::from_bits(bits)),
            Key::Other(at) => Object::Bool(at == 1),
        }
    }
}
