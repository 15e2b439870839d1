//! The stack, composite objects and types.

use super::super::machine::Machine;
use super::super::object::Object;
use super::super::stream;
use super::Operator;

/// Most elements of an array or a string made at once.
const MAX_ELEMENTS: usize = 1 << 20;

pub(super) const STACK: &[(&str, Operator)] = &[
    ("pop", |m| m.pop().map(|_| ())),
    ("exch", |m| {
        let (b, a) = (m.pop()?, m.pop()?);
        m.push(b);
        m.push(a);
        Some(())
    }),
    ("dup", |m| {
        let a = *m.operands.last()?;
        m.push(a);
        Some(())
    }),
    ("copy", copy),
    ("index", |m| {
        let n = m.index()?;
        let at = m.operands.len().checked_sub(n + 1)?;
        let object = *m.operands.get(at)?;
        m.push(object);
        Some(())
    }),
    ("roll", |m| {
        let (by, n) = (m.number()?, m.index()?);
        let start = m.operands.len().checked_sub(n)?;
        if n > 0 {
            m.burn(n);
            let by = (by as i64).rem_euclid(n as i64) as usize;
            m.operands.get_mut(start..)?.rotate_right(by);
        }
        Some(())
    }),
    ("clear", |m| {
        m.operands.clear();
        Some(())
    }),
    ("count", |m| {
        m.push(Object::Number(m.operands.len() as f64));
        Some(())
    }),
    ("mark", mark),
    ("[", mark),
    ("<<", mark),
    ("cleartomark", |m| to_mark(m).map(|_| ())),
    ("counttomark", |m| {
        let at = m.operands.iter().rposition(|o| *o == Object::Mark)?;
        m.push(Object::Number((m.operands.len() - at - 1) as f64));
        Some(())
    }),
    ("]", |m| {
        let items = to_mark(m)?;
        let array = m.store.new_array(items, false)?;
        m.push(array);
        Some(())
    }),
    (">>", |m| {
        let items = to_mark(m)?;
        let dict = m.store.new_dict(Default::default())?;
        for pair in items.chunks_exact(2) {
            let [key, value] = *pair else { break };
            let key = m.store.key(key)?;
            m.store.put(dict, key, value)?;
        }
        m.push(Object::Dict(dict));
        Some(())
    }),
];

fn mark(machine: &mut Machine<'_>) -> Option<()> {
    machine.push(Object::Mark);
    Some(())
}

fn to_mark(machine: &mut Machine<'_>) -> Option<Vec<Object>> {
    let at = machine.operands.iter().rposition(|o| *o == Object::Mark)?;
    let items = machine.operands.split_off(at + 1);
    machine.operands.pop();
    machine.burn(items.len());
    Some(items)
}

fn copy(machine: &mut Machine<'_>) -> Option<()> {
    match machine.pop()? {
        Object::Number(n) if n >= 0.0 => {
            let start = machine.operands.len().checked_sub(n as usize)?;
            let items = machine.operands.get(start..)?.to_vec();
            machine.burn(items.len());
            items.into_iter().for_each(|o| machine.push(o));
        }
        Object::Dict(to) => {
            let from = machine.dict()?;
            let entries: Vec<_> = machine.store.dict(from)?.iter().map(|(k, v)| (*k, *v)).collect();
            machine.burn(entries.len());
            for (key, value) in entries {
                machine.store.put(to, key, value)?;
            }
            machine.push(Object::Dict(to));
        }
        to @ (Object::Array(_) | Object::Proc(_)) => {
            let from = machine.pop()?;
            let items = machine.store.array(from)?.to_vec();
            machine.burn(items.len());
            put_items(machine, to, 0, &items)?;
            machine.push(to);
        }
        to @ Object::String(_) => {
            let from = machine.pop()?;
            let bytes = machine.store.bytes(from)?.to_vec();
            machine.burn(bytes.len());
            put_bytes(machine, to, 0, &bytes)?;
            let copied = machine.store.new_string(bytes)?;
            machine.push(copied);
        }
        _ => return None,
    }
    Some(())
}

fn put_items(machine: &mut Machine<'_>, to: Object, at: usize, items: &[Object]) -> Option<()> {
    let slots = machine.store.array_mut(to)?.get_mut(at..)?;
    slots.iter_mut().zip(items).for_each(|(slot, item)| *slot = *item);
    Some(())
}

fn put_bytes(machine: &mut Machine<'_>, to: Object, at: usize, bytes: &[u8]) -> Option<()> {
    let slots = machine.store.string_mut(to)?.get_mut(at..)?;
    slots.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = *byte);
    Some(())
}

pub(super) const COMPOSITE: &[(&str, Operator)] = &[
    ("array", |m| {
        let n = m.index().filter(|n| *n <= MAX_ELEMENTS)?;
        let array = m.store.new_array(vec![Object::Null; n], false)?;
        m.push(array);
        Some(())
    }),
    ("string", |m| {
        let n = m.index().filter(|n| *n <= MAX_ELEMENTS)?;
        let string = m.store.new_string(vec![0; n])?;
        m.push(string);
        Some(())
    }),
    ("dict", |m| {
        m.index()?;
        let dict = m.store.new_dict(Default::default())?;
        m.push(Object::Dict(dict));
        Some(())
    }),
    ("packedarray", |m| {
        let n = m.index()?;
        let at = m.operands.len().checked_sub(n)?;
        let items = m.operands.split_off(at);
        let array = m.store.new_array(items, false)?;
        m.push(array);
        Some(())
    }),
    ("length", |m| {
        let object = m.pop()?;
        let len = match object {
            Object::Dict(at) => m.store.dict(at)?.len(),
            _ => match m.store.array(object) {
                Some(items) => items.len(),
                None => m.store.bytes(object)?.len(),
            },
        };
        m.push(Object::Number(len as f64));
        Some(())
    }),
    ("maxlength", |m| {
        let at = m.dict()?;
        let len = m.store.dict(at)?.len() + 64;
        m.push(Object::Number(len as f64));
        Some(())
    }),
    ("get", |m| {
        let (key, of) = (m.pop()?, m.pop()?);
        let value = match (of, key) {
            (Object::Dict(at), _) => {
                let key = m.store.key(key)?;
                m.store.get(at, key)?
            }
            (_, Object::Number(n)) if n >= 0.0 => match m.store.array(of) {
                Some(items) => *items.get(n as usize)?,
                None => Object::Number(f64::from(*m.store.bytes(of)?.get(n as usize)?)),
            },
            _ => return None,
        };
        m.push(value);
        Some(())
    }),
    ("put", |m| {
        let (value, key, of) = (m.pop()?, m.pop()?, m.pop()?);
        match (of, key, value) {
            (Object::Dict(at), ..) => {
                let key = m.store.key(key)?;
                m.store.put(at, key, value)
            }
            (Object::String(_), Object::Number(n), Object::Number(byte)) if n >= 0.0 => {
                *m.store.string_mut(of)?.get_mut(n as usize)? = byte as u8;
                Some(())
            }
            (_, Object::Number(n), _) if n >= 0.0 => {
                *m.store.array_mut(of)?.get_mut(n as usize)? = value;
                Some(())
            }
            _ => None,
        }
    }),
    ("getinterval", |m| {
        let (count, at) = (m.index()?, m.index()?);
        let of = m.pop()?;
        m.burn(count);
        let part = match m.store.array(of) {
            Some(items) => {
                let items = items.get(at..at + count)?.to_vec();
                m.store.new_array(items, false)?
            }
            None => {
                let bytes = m.store.bytes(of)?.get(at..at + count)?.to_vec();
                m.store.new_string(bytes)?
            }
        };
        m.push(part);
        Some(())
    }),
    ("putinterval", |m| {
        let (from, at, to) = (m.pop()?, m.index()?, m.pop()?);
        match m.store.array(from) {
            Some(items) => {
                let items = items.to_vec();
                m.burn(items.len());
                put_items(m, to, at, &items)
            }
            None => {
                let bytes = m.store.bytes(from)?.to_vec();
                m.burn(bytes.len());
                put_bytes(m, to, at, &bytes)
            }
        }
    }),
    ("aload", |m| {
        let array = m.pop()?;
        let items = m.store.array(array)?.to_vec();
        m.burn(items.len());
        items.into_iter().for_each(|o| m.push(o));
        m.push(array);
        Some(())
    }),
    ("astore", |m| {
        let array = m.pop()?;
        let n = m.store.array(array)?.len();
        let at = m.operands.len().checked_sub(n)?;
        let items = m.operands.split_off(at);
        put_items(m, array, 0, &items)?;
        m.push(array);
        Some(())
    }),
    ("begin", |m| {
        let dict = m.dict()?;
        m.push_dict(dict);
        Some(())
    }),
    ("end", |m| {
        // The system and user dictionaries stay.
        if m.dicts.len() > 2 {
            m.dicts.pop();
        }
        Some(())
    }),
    ("def", |m| {
        let (value, key) = (m.pop()?, m.pop()?);
        let (key, dict) = (m.store.key(key)?, m.current_dict());
        m.store.put(dict, key, value)
    }),
    ("store", |m| {
        let (value, key) = (m.pop()?, m.pop()?);
        let key = m.store.key(key)?;
        let holds = |d: &&u32| m.store.get(**d, key).is_some();
        let dict = m.dicts.iter().skip(1).rev().find(holds).copied();
        let dict = dict.unwrap_or_else(|| m.current_dict());
        m.store.put(dict, key, value)
    }),
    ("load", |m| {
        let key = m.pop()?;
        let key = m.store.key(key)?;
        let value = m.dicts.iter().rev().find_map(|d| m.store.get(*d, key))?;
        m.push(value);
        Some(())
    }),
    ("undef", |m| {
        let (key, dict) = (m.pop()?, m.dict()?);
        let key = m.store.key(key)?;
        m.store.remove(dict, key);
        Some(())
    }),
    ("known", |m| {
        let (key, dict) = (m.pop()?, m.dict()?);
        let key = m.store.key(key)?;
        let known = m.store.get(dict, key).is_some();
        m.push(Object::Bool(known));
        Some(())
    }),
    ("where", |m| {
        let key = m.pop()?;
        let key = m.store.key(key)?;
        let found = m.dicts.iter().rev().find(|d| m.store.get(**d, key).is_some()).copied();
        if let Some(dict) = found {
            m.push(Object::Dict(dict));
        }
        m.push(Object::Bool(found.is_some()));
        Some(())
    }),
    ("currentdict", |m| {
        m.push(Object::Dict(m.current_dict()));
        Some(())
    }),
    ("countdictstack", |m| {
        m.push(Object::Number(m.dicts.len() as f64));
        Some(())
    }),
    ("cleardictstack", |m| {
        m.dicts.truncate(2);
        Some(())
    }),
    ("search", |m| {
        let (what, of) = (m.text()?, m.pop()?);
        let bytes = m.store.bytes(of)?.to_vec();
        m.burn(bytes.len());
        let Some(at) = memchr::memmem::find(&bytes, &what) else {
            m.push(of);
            m.push(Object::Bool(false));
            return Some(());
        };
        let end = at + what.len();
        for (from, to) in [(end, bytes.len()), (at, end), (0, at)] {
            let part = m.store.new_string(bytes.get(from..to)?.to_vec())?;
            m.push(part);
        }
        m.push(Object::Bool(true));
        Some(())
    }),
    ("anchorsearch", |m| {
        let (what, of) = (m.text()?, m.pop()?);
        let bytes = m.store.bytes(of)?;
        let Some(rest) = bytes.strip_prefix(what.as_slice()).map(<[u8]>::to_vec) else {
            m.push(of);
            m.push(Object::Bool(false));
            return Some(());
        };
        for part in [rest, what] {
            let part = m.store.new_string(part)?;
            m.push(part);
        }
        m.push(Object::Bool(true));
        Some(())
    }),
];

pub(super) const TYPES: &[(&str, Operator)] = &[
    ("type", |m| {
        let name: &[u8] = match m.pop()? {
            Object::Null => b"nulltype",
            Object::Mark => b"marktype",
            Object::Bool(_) => b"booleantype",
            Object::Number(n) if n.fract() == 0.0 => b"integertype",
            Object::Number(_) => b"realtype",
            Object::Name(_) | Object::Run(_) => b"nametype",
            Object::String(_) => b"stringtype",
            Object::Array(_) | Object::Proc(_) => b"arraytype",
            Object::Dict(_) => b"dicttype",
            Object::Operator(_) => b"operatortype",
            Object::Stream(_) => b"filetype",
        };
        let name = m.store.name(name);
        m.push(Object::Name(name));
        Some(())
    }),
    ("cvx", |m| {
        let object = match m.pop()? {
            Object::Name(name) => Object::Run(name),
            Object::Array(at) => Object::Proc(at),
            other => other,
        };
        m.push(object);
        Some(())
    }),
    ("cvlit", |m| {
        let object = match m.pop()? {
            Object::Run(name) => Object::Name(name),
            Object::Proc(at) => Object::Array(at),
            other => other,
        };
        m.push(object);
        Some(())
    }),
    ("xcheck", |m| {
        let executable = matches!(m.pop()?, Object::Run(_) | Object::Proc(_) | Object::Operator(_));
        m.push(Object::Bool(executable));
        Some(())
    }),
    ("cvn", |m| {
        let text = m.text()?;
        let name = m.store.name(&text);
        m.push(Object::Name(name));
        Some(())
    }),
    ("cvi", |m| convert(m, f64::trunc)),
    ("cvr", |m| convert(m, |n| n)),
    ("cvs", |m| {
        let (_, value) = (m.pop()?, m.pop()?);
        let text = match value {
            Object::Number(n) => n.to_string().into_bytes(),
            Object::Bool(b) => b.to_string().into_bytes(),
            _ => m.store.bytes(value).unwrap_or(b"--nostringval--").to_vec(),
        };
        let text = m.store.new_string(text)?;
        m.push(text);
        Some(())
    }),
    ("cvrs", |m| {
        let (_, radix, number) = (m.pop()?, m.index()?, m.number()?);
        let text = match radix {
            16 => format!("{:X}", number as i64),
            8 => format!("{:o}", number as i64),
            2 => format!("{:b}", number as i64),
            _ => number.to_string(),
        };
        let text = m.store.new_string(text.into_bytes())?;
        m.push(text);
        Some(())
    }),
    ("bind", |_| Some(())),
    ("executeonly", |_| Some(())),
    ("noaccess", |_| Some(())),
    ("readonly", |_| Some(())),
    ("rcheck", allowed),
    ("wcheck", allowed),
    ("gcheck", allowed),
];

fn allowed(machine: &mut Machine<'_>) -> Option<()> {
    machine.pop()?;
    machine.push(Object::Bool(true));
    Some(())
}

fn convert(machine: &mut Machine<'_>, f: fn(f64) -> f64) -> Option<()> {
    let object = machine.pop()?;
    let number = match object {
        Object::Number(n) => n,
        _ => match stream::number(machine.store.bytes(object)?.trim_ascii())? {
            Object::Number(n) => n,
            _ => return None,
        },
    };
    machine.push(Object::Number(f(number)));
    Some(())
}
