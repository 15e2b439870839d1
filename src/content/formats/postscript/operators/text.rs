//! Fonts, and the operators that show text (PLRM 5.1).

use super::super::fonts::Spacing;
use super::super::machine::{FONTS, Machine};
use super::super::object::Object;
use super::Operator;
use super::files::named;

pub(super) const OPERATORS: &[(&str, Operator)] = &[
    ("findfont", |m| {
        let name = m.pop()?;
        let font = m.find_font(name)?;
        m.push(Object::Dict(font));
        Some(())
    }),
    ("definefont", define_font),
    ("composefont", |m| {
        let (fonts, cmap, name) = (m.pop()?, m.pop()?, m.pop()?);
        let first = m.store.array(fonts).and_then(|fonts| fonts.first().copied());
        let font = match first.and_then(|first| cid_font(m, first)) {
            Some(below) => m.compose_font(name, cmap, below)?,
            None => m.find_font(name)?,
        };
        m.push(Object::Dict(font));
        Some(())
    }),
    ("undefinefont", |m| m.pop().map(|_| ())),
    ("scalefont", |m| {
        let (size, font) = (m.number()?, m.dict()?);
        let font = m.make_font(font, &[size, 0.0, 0.0, size, 0.0, 0.0])?;
        m.push(Object::Dict(font));
        Some(())
    }),
    ("makefont", |m| {
        let matrix = m.pop()?;
        let (matrix, font) = (m.store.matrix(matrix)?, m.dict()?);
        let font = m.make_font(font, &matrix)?;
        m.push(Object::Dict(font));
        Some(())
    }),
    ("setfont", |m| {
        m.graphics.font = Some(m.dict()?);
        Some(())
    }),
    ("selectfont", |m| {
        let (size, name) = (m.pop()?, m.pop()?);
        let matrix = match size {
            Object::Number(size) => [size, 0.0, 0.0, size, 0.0, 0.0],
            _ => m.store.matrix(size)?,
        };
        let font = m.find_font(name)?;
        m.graphics.font = Some(m.make_font(font, &matrix)?);
        Some(())
    }),
    ("currentfont", |m| {
        let font = m.graphics.font?;
        m.push(Object::Dict(font));
        Some(())
    }),
    ("rootfont", |m| {
        let font = m.graphics.font?;
        m.push(Object::Dict(font));
        Some(())
    }),
    ("findencoding", |m| {
        let name = m.pop()?;
        let key = m.store.key(name)?;
        let found = m.store.get(super::SYSTEM, key)?;
        m.push(found);
        Some(())
    }),
    ("findresource", |m| {
        let (category, name) = (m.pop()?, m.pop()?);
        let sent = cid_font(m, name);
        match m.store.bytes(category)? {
            b"Font" => {
                let font = m.find_font(name)?;
                m.push(Object::Dict(font));
            }
            b"Encoding" => {
                let key = m.store.key(name)?;
                let found = m.store.get(super::SYSTEM, key)?;
                m.push(found);
            }
            b"CIDFont" if sent.is_some() => m.push(Object::Dict(sent?)),
            _ => {
                let key = m.store.key(name)?;
                let found = m.store.get(super::USER, key);
                let dict = match found {
                    Some(object) => object,
                    None => Object::Dict(m.store.new_dict(Default::default())?),
                };
                m.push(dict);
            }
        }
        Some(())
    }),
    ("defineresource", |m| {
        let category = m.pop()?;
        if matches!(m.store.bytes(category)?, b"Font" | b"CIDFont") {
            return define_font(m);
        }
        let (value, name) = (m.pop()?, m.pop()?);
        let key = m.store.key(name)?;
        m.store.put(super::USER, key, value)?;
        m.push(value);
        Some(())
    }),
    ("undefineresource", |m| {
        m.pop()?;
        m.pop().map(|_| ())
    }),
    ("resourcestatus", |m| {
        let (category, name) = (m.pop()?, m.pop()?);
        // Programs ask whether the font that they sent is there.
        let known = m.store.bytes(category)? == b"CIDFont" && cid_font(m, name).is_some();
        if known {
            m.push(Object::Number(0.0));
            m.push(Object::Number(0.0));
        }
        m.push(Object::Bool(known));
        Some(())
    }),
    ("show", |m| {
        let text = m.text()?;
        m.show(&text, &Spacing::default(), true)
    }),
    ("ashow", |m| {
        let (text, y, x) = (m.text()?, m.number()?, m.number()?);
        m.show(&text, &Spacing { each: (x, y), ..Spacing::default() }, true)
    }),
    ("widthshow", |m| {
        let (text, code, y, x) = (m.text()?, m.number()?, m.number()?, m.number()?);
        m.show(&text, &Spacing { at: Some((code as u32, x, y)), ..Spacing::default() }, true)
    }),
    ("awidthshow", |m| {
        let (text, y, x) = (m.text()?, m.number()?, m.number()?);
        let (code, cy, cx) = (m.number()?, m.number()?, m.number()?);
        let at = Some((code as u32, cx, cy));
        m.show(&text, &Spacing { each: (x, y), at, exactly: None }, true)
    }),
    ("kshow", |m| {
        let (text, _) = (m.text()?, m.pop()?);
        m.show(&text, &Spacing::default(), true)
    }),
    ("cshow", |m| {
        let (text, _) = (m.text()?, m.pop()?);
        m.show(&text, &Spacing::default(), true)
    }),
    ("xshow", |m| exactly(m, |x| (x.first().copied().unwrap_or(0.0), 0.0), 1)),
    ("yshow", |m| exactly(m, |y| (0.0, y.first().copied().unwrap_or(0.0)), 1)),
    ("xyshow", |m| {
        exactly(m, |p| (p.first().copied().unwrap_or(0.0), p.get(1).copied().unwrap_or(0.0)), 2)
    }),
    ("glyphshow", glyph_show),
    ("charpath", |m| {
        m.pop()?;
        let text = m.text()?;
        m.show(&text, &Spacing::default(), false)
    }),
    ("stringwidth", |m| {
        let text = m.text()?;
        let (x, y) = m.width_of(&text);
        m.push(Object::Number(x));
        m.push(Object::Number(y));
        Some(())
    }),
];

/// A font with CIDs that the job defined, by its name or itself (PLRM 5.11).
fn cid_font(machine: &mut Machine<'_>, font: Object) -> Option<u32> {
    let dict = match font {
        Object::Dict(dict) => dict,
        name => {
            let key = machine.store.key(name)?;
            match machine.store.get(FONTS, key)? {
                Object::Dict(dict) => dict,
                _ => return None,
            }
        }
    };
    machine.store.get_named(dict, b"CIDFontType").map(|_| dict)
}

fn define_font(machine: &mut Machine<'_>) -> Option<()> {
    let (font, name) = (machine.pop()?, machine.pop()?);
    let Object::Dict(dict) = font else { return None };
    let key = machine.store.key(name)?;
    if named(machine, dict, b"FontName").is_none() {
        machine.store.put_named(dict, b"FontName", name)?;
    }
    machine.store.put(FONTS, key, font)?;
    machine.push(font);
    Some(())
}

/// Distances in an array are read; encoded numbers in a string are not (PLRM 3.14.5).
fn exactly(machine: &mut Machine<'_>, of: fn(&[f64]) -> (f64, f64), each: usize) -> Option<()> {
    let (numbers, text) = (machine.pop()?, machine.text()?);
    let Some(items) = machine.store.array(numbers) else {
        return machine.show(&text, &Spacing::default(), true);
    };
    let number = |o: &Object| if let Object::Number(n) = o { *n } else { 0.0 };
    let numbers: Vec<f64> = items.iter().map(number).collect();
    let distances: Vec<(f64, f64)> = numbers.chunks(each).map(of).collect();
    machine.show(&text, &Spacing { exactly: Some(&distances), ..Spacing::default() }, true)
}

/// A glyph by its name: shown as the text of a code that has it.
fn glyph_show(machine: &mut Machine<'_>) -> Option<()> {
    let glyph = machine.pop()?;
    machine.show_glyph(glyph)
}
