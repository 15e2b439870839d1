//! Files: the job itself, and the output of filters on it.

use super::super::machine::{Machine, Pending};
use super::super::object::{Key, Object};
use super::super::stream::Stream;
use super::Operator;

/// Longest data of glyphs, bytes.
const MAX_GLYPHS: usize = 8 << 20;
/// Bytes behind digits among which `>` is looked for.
const MAX_END: usize = 16;
/// Longest read at once, bytes.
const MAX_READ: usize = 1 << 20;

pub(super) const OPERATORS: &[(&str, Operator)] = &[
    ("currentfile", |m| {
        let at = m.current_file()?;
        m.push(Object::Stream(at));
        Some(())
    }),
    ("filter", filter),
    ("eexec", eexec),
    ("closefile", end_of_file),
    ("flushfile", end_of_file),
    ("resetfile", |m| m.pop().map(|_| ())),
    ("flush", |_| Some(())),
    ("bytesavailable", |m| {
        let file = m.pop()?;
        let left = m.stream(file)?.rest().len();
        m.push(Object::Number(left as f64));
        Some(())
    }),
    ("status", |m| {
        m.pop()?;
        m.push(Object::Bool(false));
        Some(())
    }),
    ("read", |m| {
        let file = m.pop()?;
        let byte = m.stream(file)?.byte();
        if let Some(byte) = byte {
            m.push(Object::Number(f64::from(byte)));
        }
        m.push(Object::Bool(byte.is_some()));
        Some(())
    }),
    ("readline", |m| {
        let (_, file) = (m.pop()?, m.pop()?);
        let line = m.stream(file)?.line();
        let more = line.is_some();
        let line = m.store.new_string(line.unwrap_or_default())?;
        m.push(line);
        m.push(Object::Bool(more));
        Some(())
    }),
    ("readstring", |m| read(m, Stream::take)),
    ("readhexstring", |m| read(m, Stream::take_hex)),
    ("token", |m| {
        let of = m.pop()?;
        if let Object::Stream(at) = of {
            let stream = m.streams.get_mut(at as usize)?;
            let object = stream.object(&mut m.store);
            object.into_iter().for_each(|o| m.push(o));
            m.push(Object::Bool(object.is_some()));
            return Some(());
        }
        let mut stream = Stream::new(m.store.bytes(of)?);
        let Some(object) = stream.object(&mut m.store) else {
            m.push(Object::Bool(false));
            return Some(());
        };
        let rest = m.store.new_string(stream.rest().to_vec())?;
        m.push(rest);
        m.push(object);
        m.push(Object::Bool(true));
        Some(())
    }),
    ("StartData", glyph_data),
    // Nothing is written or opened.
    ("print", |m| m.pop().map(|_| ())),
    ("=", |m| m.pop().map(|_| ())),
    ("==", |m| m.pop().map(|_| ())),
    ("write", |m| two(m)),
    ("writestring", |m| two(m)),
    ("writehexstring", |m| two(m)),
    ("file", |_| None),
    ("run", |_| None),
];

fn two(machine: &mut Machine<'_>) -> Option<()> {
    machine.pop()?;
    machine.pop().map(|_| ())
}

fn end_of_file(machine: &mut Machine<'_>) -> Option<()> {
    let file = machine.pop()?;
    // The job itself continues: the next one follows, or nothing.
    if let Object::Stream(at) = file
        && at > 0
    {
        machine.stream(file)?.skip(usize::MAX);
    }
    Some(())
}

fn read(machine: &mut Machine<'_>, take: fn(&mut Stream, usize) -> Vec<u8>) -> Option<()> {
    let (buffer, file) = (machine.pop()?, machine.pop()?);
    let len = machine.store.bytes(buffer)?.len().min(MAX_READ);
    machine.burn(len / 64);
    let bytes = take(machine.stream(file)?, len);
    let whole = bytes.len() == len && len > 0;
    let string = machine.store.string_mut(buffer)?;
    string.iter_mut().zip(&bytes).for_each(|(slot, byte)| *slot = *byte);
    // The same string, as programs collect data in one; a shorter one at the end.
    let result = if whole { buffer } else { machine.store.new_string(bytes)? };
    machine.push(result);
    machine.push(Object::Bool(whole));
    Some(())
}

/// A filter on a file, a string or a filter (PLRM 3.13.1).
fn filter(machine: &mut Machine<'_>) -> Option<()> {
    let Object::Name(name) = machine.pop()? else { return None };
    let filter = machine.store.spelling(name).to_vec();
    let (mut count, mut end) = (0, Vec::new());
    if filter == b"SubFileDecode" {
        let first = machine.pop()?;
        let (number, text) = match first {
            Object::Dict(at) => {
                (named(machine, at, b"EODCount")?, named(machine, at, b"EODString")?)
            }
            _ => (machine.pop()?, first),
        };
        let Object::Number(number) = number else { return None };
        (count, end) = (number.max(0.0) as usize, machine.store.bytes(text)?.to_vec());
    }
    let mut source = machine.pop()?;
    while matches!(source, Object::Dict(_) | Object::Number(_)) {
        source = machine.pop()?;
    }
    if !matches!(source, Object::Stream(_) | Object::String(_)) {
        return None;
    }
    let stream = machine.add_pending(Pending { source, filter, count, end })?;
    machine.push(stream);
    Some(())
}

/// The encrypted part of a font program is skipped (Adobe Type 1 Font Format 7.2). All that matters about it is that
/// the font is defined.
fn eexec(machine: &mut Machine<'_>) -> Option<()> {
    const END: &[u8] = b"cleartomark";
    let file = machine.pop()?;
    let stream = machine.stream(file)?;
    let rest = stream.rest();
    let end = memchr::memmem::find(rest, END).map_or(rest.len(), |at| at + END.len());
    stream.skip(end);
    if let Some(Object::Dict(font)) = machine.operands.last().copied()
        && let Some(name) = machine.store.get_named(font, b"FontName")
    {
        machine.pop();
        let key = machine.store.key(name)?;
        machine.store.put(super::FONTS, key, Object::Dict(font))?;
    }
    if machine.operands.last() == Some(&Object::Mark) {
        machine.pop();
    }
    Some(())
}

/// The glyphs of a font with CIDs, which is the current dictionary: bytes of the job behind a space, or digits up to
/// `>`. The font is defined behind them (Adobe Technical Note 5014, section 6).
fn glyph_data(machine: &mut Machine<'_>) -> Option<()> {
    let len = machine.number()?.clamp(0.0, MAX_GLYPHS as f64) as usize;
    let kind = machine.pop()?;
    let hex = machine.store.bytes(kind)? == b"Hex";
    let font = *machine.dicts.last()?;
    let file = machine.current_file()?;
    let stream = machine.streams.get_mut(file as usize)?;
    let bytes = if hex {
        let bytes = stream.take_hex(len);
        let end = memchr::memchr(b'>', stream.rest().get(..MAX_END).unwrap_or(stream.rest()));
        stream.skip(end.map_or(0, |at| at + 1));
        bytes
    } else {
        stream.skip(1);
        stream.take(len)
    };
    machine.burn(bytes.len() / 16);
    let data = machine.store.new_string(bytes)?;
    machine.store.put_named(font, b"GlyphData", data)?;
    if let Some(name) = machine.store.get_named(font, b"CIDFontName") {
        machine.store.put_named(font, b"FontName", name)?;
        let key = machine.store.key(name)?;
        machine.store.put(super::FONTS, key, Object::Dict(font))?;
    }
    // The dictionary of the font, and that of the operator.
    for _ in 0..2 {
        if machine.dicts.len() > 2 {
            machine.dicts.pop();
        }
    }
    Some(())
}

/// The key of a name written so, for operators that look into dictionaries of their operands.
pub(super) fn named(machine: &mut Machine<'_>, dict: u32, name: &[u8]) -> Option<Object> {
    let key = Key::Name(machine.store.name(name).0);
    machine.store.get(dict, key)
}
