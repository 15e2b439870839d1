//! The operators by name (PLRM 8.2). One that lacks its operands returns nothing, which is an error.

mod arithmetic;
mod control;
mod data;
mod files;
mod page;
mod text;

use super::fonts;
use super::machine::{FONTS, Machine, SYSTEM, USER};
use super::object::Object;
use crate::content::formats::pdf::encoding::Base;

/// Implementation of an operator.
pub(super) type Operator = fn(&mut Machine<'_>) -> Option<()>;

/// Every operator. Those that paint or query the device only take their operands.
pub(super) static OPERATORS: std::sync::LazyLock<Vec<(&'static str, Operator)>> =
    std::sync::LazyLock::new(|| {
        let groups = [
            data::STACK,
            data::COMPOSITE,
            data::TYPES,
            arithmetic::OPERATORS,
            control::OPERATORS,
            files::OPERATORS,
            page::OPERATORS,
            page::IGNORED,
            text::OPERATORS,
        ];
        groups.concat()
    });

/// The values that are always defined.
pub(super) fn set_up(machine: &mut Machine<'_>) -> Option<()> {
    let encodings = [
        (&b"StandardEncoding"[..], Base::Standard),
        (b"ISOLatin1Encoding", Base::WinAnsi),
        (b"SymbolEncoding", Base::Standard),
    ];
    for (name, base) in encodings {
        let names = fonts::names(base, machine)?;
        machine.store.put_named(SYSTEM, name, names)?;
    }
    let dicts = [
        (&b"systemdict"[..], SYSTEM),
        (b"userdict", USER),
        (b"globaldict", USER),
        (b"shareddict", USER),
        (b"FontDirectory", FONTS),
        (b"GlobalFontDirectory", FONTS),
        (b"SharedFontDirectory", FONTS),
    ];
    for (name, dict) in dicts {
        machine.store.put_named(SYSTEM, name, Object::Dict(dict))?;
    }
    for name in [&b"statusdict"[..], b"errordict", b"$error", b"internaldict"] {
        let dict = machine.store.new_dict(Default::default())?;
        machine.store.put_named(SYSTEM, name, Object::Dict(dict))?;
    }
    let values = [
        (&b"true"[..], Object::Bool(true)),
        (b"false", Object::Bool(false)),
        (b"null", Object::Null),
        (b"languagelevel", Object::Number(3.0)),
    ];
    for (name, value) in values {
        machine.store.put_named(SYSTEM, name, value)?;
    }
    for (name, text) in [(&b"product"[..], &b"Printer"[..]), (b"version", b"3010")] {
        let text = machine.store.new_string(text.to_vec())?;
        machine.store.put_named(SYSTEM, name, text)?;
    }
    Some(())
}
