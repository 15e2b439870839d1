//! Numbers, comparisons and logic.

use super::super::machine::Machine;
use super::super::object::Object;
use super::Operator;
use std::cmp::Ordering;

pub(super) const OPERATORS: &[(&str, Operator)] = &[
    ("add", |m| two(m, |a, b| a + b)),
    ("sub", |m| two(m, |a, b| a - b)),
    ("mul", |m| two(m, |a, b| a * b)),
    ("div", |m| two(m, |a, b| a / b)),
    ("idiv", |m| two(m, |a, b| (a / b).trunc())),
    ("mod", |m| two(m, |a, b| a % b)),
    ("exp", |m| two(m, f64::powf)),
    ("atan", |m| {
        two(m, |num, den| {
            let angle = num.atan2(den).to_degrees();
            if angle < 0.0 { angle + 360.0 } else { angle }
        })
    }),
    ("abs", |m| one(m, f64::abs)),
    ("neg", |m| one(m, |a| -a)),
    ("ceiling", |m| one(m, f64::ceil)),
    ("floor", |m| one(m, f64::floor)),
    ("round", |m| one(m, |a| (a + 0.5).floor())),
    ("truncate", |m| one(m, f64::trunc)),
    ("sqrt", |m| one(m, f64::sqrt)),
    ("sin", |m| one(m, |a| a.to_radians().sin())),
    ("cos", |m| one(m, |a| a.to_radians().cos())),
    ("ln", |m| one(m, f64::ln)),
    ("log", |m| one(m, f64::log10)),
    ("rand", |m| {
        m.push(Object::Number(16807.0));
        Some(())
    }),
    ("rrand", |m| {
        m.push(Object::Number(1.0));
        Some(())
    }),
    ("srand", |m| m.pop().map(|_| ())),
    ("eq", |m| equal(m, true)),
    ("ne", |m| equal(m, false)),
    ("lt", |m| compare(m, |o| o == Ordering::Less)),
    ("le", |m| compare(m, |o| o != Ordering::Greater)),
    ("gt", |m| compare(m, |o| o == Ordering::Greater)),
    ("ge", |m| compare(m, |o| o != Ordering::Less)),
    ("and", |m| logic(m, |a, b| a & b)),
    ("or", |m| logic(m, |a, b| a | b)),
    ("xor", |m| logic(m, |a, b| a ^ b)),
    ("not", |m| {
        let result = match m.pop()? {
            Object::Bool(b) => Object::Bool(!b),
            Object::Number(n) => Object::Number(!(n as i64) as f64),
            _ => return None,
        };
        m.push(result);
        Some(())
    }),
    ("bitshift", |m| {
        two(m, |value, shift| {
            let (value, shift) = (value as i32, shift as i64);
            let by = shift.unsigned_abs().min(31) as u32;
            f64::from(if shift >= 0 { value << by } else { ((value as u32) >> by) as i32 })
        })
    }),
];

fn one(machine: &mut Machine<'_>, f: fn(f64) -> f64) -> Option<()> {
    let result = f(machine.number()?);
    machine.push(Object::Number(if result.is_finite() { result } else { 0.0 }));
    Some(())
}

fn two(machine: &mut Machine<'_>, f: fn(f64, f64) -> f64) -> Option<()> {
    let (b, a) = (machine.number()?, machine.number()?);
    let result = f(a, b);
    machine.push(Object::Number(if result.is_finite() { result } else { 0.0 }));
    Some(())
}

/// Strings and names with the same letters are equal.
fn equal(machine: &mut Machine<'_>, wanted: bool) -> Option<()> {
    let (b, a) = (machine.pop()?, machine.pop()?);
    let equal = a == b
        || matches!((machine.store.bytes(a), machine.store.bytes(b)), (Some(a), Some(b)) if a == b);
    machine.push(Object::Bool(equal == wanted));
    Some(())
}

fn compare(machine: &mut Machine<'_>, holds: fn(Ordering) -> bool) -> Option<()> {
    let (b, a) = (machine.pop()?, machine.pop()?);
    let order = match (a, b) {
        (Object::Number(a), Object::Number(b)) => a.partial_cmp(&b)?,
        _ => machine.store.bytes(a)?.cmp(machine.store.bytes(b)?),
    };
    machine.push(Object::Bool(holds(order)));
    Some(())
}

fn logic(machine: &mut Machine<'_>, f: fn(i64, i64) -> i64) -> Option<()> {
    let (b, a) = (machine.pop()?, machine.pop()?);
    let result = match (a, b) {
        (Object::Bool(a), Object::Bool(b)) => Object::Bool(f(i64::from(a), i64::from(b)) != 0),
        (Object::Number(a), Object::Number(b)) => Object::Number(f(a as i64, b as i64) as f64),
        _ => return None,
    };
    machine.push(result);
    Some(())
}
