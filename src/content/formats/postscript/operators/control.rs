//! Control: conditions, loops and `stopped`.

use super::super::machine::Frame;
use super::super::object::Object;
use super::Operator;

pub(super) const OPERATORS: &[(&str, Operator)] = &[
    ("exec", |m| {
        let object = m.pop()?;
        match object {
            Object::Stream(at) => m.enter(Frame::Stream(at)),
            // Programs in strings do not occur; as operands they do no harm.
            _ => m.execute(object),
        }
        Some(())
    }),
    ("if", |m| {
        let (body, condition) = (m.pop()?, m.pop()?);
        if condition == Object::Bool(true) {
            m.execute(body);
        }
        Some(())
    }),
    ("ifelse", |m| {
        let (other, body, condition) = (m.pop()?, m.pop()?, m.pop()?);
        m.execute(if condition == Object::Bool(true) { body } else { other });
        Some(())
    }),
    ("for", |m| {
        let (body, last) = (m.pop()?, m.number()?);
        let (step, next) = (m.number()?, m.number()?);
        m.enter(Frame::For { next, step, last, body });
        Some(())
    }),
    ("repeat", |m| {
        let body = m.pop()?;
        let count = m.index()? as u64;
        m.enter(Frame::Repeat(body, count));
        Some(())
    }),
    ("loop", |m| {
        let body = m.pop()?;
        m.enter(Frame::Loop(body));
        Some(())
    }),
    ("forall", |m| {
        let (body, of) = (m.pop()?, m.pop()?);
        match of {
            Object::Dict(dict) => {
                let mut keys: Vec<_> = m.store.dict(dict)?.keys().copied().collect();
                keys.sort_unstable_by(|a, b| b.cmp(a));
                m.burn(keys.len());
                m.enter(Frame::EachEntry(keys, dict, body));
            }
            Object::Array(_) | Object::Proc(_) | Object::String(_) => {
                m.enter(Frame::Each(of, 0, body));
            }
            _ => return None,
        }
        Some(())
    }),
    ("exit", |m| {
        m.exit();
        Some(())
    }),
    ("stop", |m| {
        m.stop();
        Some(())
    }),
    ("stopped", |m| {
        let object = m.pop()?;
        m.enter(Frame::Stopped);
        match object {
            Object::Stream(at) => m.enter(Frame::Stream(at)),
            _ => m.execute(object),
        }
        Some(())
    }),
    ("quit", |m| {
        m.frames.clear();
        Some(())
    }),
    ("countexecstack", |m| {
        m.push(Object::Number(m.frames.len() as f64));
        Some(())
    }),
    // No effect here; some prologs query it before they choose their procedures.
    ("handleerror", |_| Some(())),
];
