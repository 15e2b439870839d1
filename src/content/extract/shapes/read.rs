//! Which letters some shapes are.

use super::letters::{Cells, KNOWN, Nearest, Template, nearest};
use super::{Bounds, Shape};
use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hasher as _};

/// Shapes whose comparison is remembered.
const MAX_SEEN: usize = 4096;
/// Steps of the size of a font to which places are rounded.
const PLACES: f32 = 50.0;

/// What differs by more from every known letter is none.
const ALIKE: f32 = 0.22;
/// A shape that differs by less helps to find the size of the font.
const SURE: f32 = 0.16;
/// How far apart sizes may be that agree.
const AGREE: f32 = 0.15;
/// What the proportions count in the search for the size.
const PROPORTIONS: f32 = 0.15;
/// What another number of parts counts.
const PARTS: f32 = 0.08;
/// What it counts that a letter is rare: its usual neighbour differs by a small stroke.
const RARE: f32 = 0.04;
/// What an accent counts: it is small, so that its cells differ more.
const ACCENT: f32 = 0.7;
/// Two letters that differ by less may be each other.
const SAME: f32 = 0.08;
/// Sizes of letters that one font mixes, at most.
const MAX_SIZES: usize = 4;
/// What it counts that a letter has another size than those beside it in a font that mixes sizes.
const OTHER_SIZE: f32 = 0.06;
/// Letters whose capitals look alike: they say little about the size.
const ALIKE_CAPITALS: &str = "ckopsuvwxzCKOPSUVWXZ0";
/// A mark that is smaller, in sizes of the font, is no letter.
const SMALL: f32 = 0.35;
/// The accent that is a dot, and a caron.
const DOT: char = '\u{307}';
const CARON: char = '\u{30c}';

/// A letter that was recognised.
#[derive(Clone, Copy, Debug)]
pub struct Letter {
    /// Which it is, or a mark that [`super::settle`] understands.
    pub letter: char,
    /// The usual distance before its ink, in units of the font's size.
    pub lead: f32,
    /// The usual distance to the next letter.
    pub advance: f32,
}

/// A letter, and how far it is from the known one: from 0, the same, to 1.
type Found = (Option<Letter>, f32);

/// What comparisons with all known letters gave: a page repeats its letters.
#[derive(Default)]
pub struct Seen {
    /// The size and the letter of shapes that are unmistakable.
    sure: HashMap<u64, Option<(f32, char)>, foldhash::fast::FixedState>,
    /// By shape, place and size.
    letters: HashMap<(u64, [i16; 3]), Found, foldhash::fast::FixedState>,
    compared: usize,
}

impl Seen {
    /// The number of comparisons since the last call.
    pub fn compared(&mut self) -> usize {
        std::mem::take(&mut self.compared)
    }

    /// Bytes of heap held, roughly.
    pub fn memory(&self) -> usize {
        (self.sure.capacity() + self.letters.capacity()) * 48
    }

    fn letter(&mut self, shape: &Shape, scale: f32) -> Found {
        let Bounds { left, low, right, high } = shape.bounds;
        let place = [low, high, right - left].map(|n| (n * scale * PLACES).round() as i16);
        let key = (key(shape), place);
        if let Some(known) = self.letters.get(&key) {
            return *known;
        }
        if self.letters.len() >= MAX_SEEN {
            self.letters.clear();
        }
        self.compared += 2;
        let found = letter(shape, scale);
        self.letters.insert(key, found);
        found
    }
}

fn key(shape: &Shape) -> u64 {
    let mut hasher = foldhash::fast::FixedState::default().build_hasher();
    shape.rows.iter().for_each(|row| hasher.write_u64(*row));
    hasher.finish()
}

/// The letters of a font, or of a line of text, by their shapes: 0 is the line on which they rest. At least `least`
/// different ones must be unmistakable; of fewer, the size of the font is taken to be `usual`, or nothing is read.
/// Returns that size in units of the shapes, and the letter of each; none for a small mark that is not known.
pub fn read(
    shapes: &[Shape],
    least: usize,
    usual: Option<f32>,
    seen: &mut Seen,
) -> Option<(f32, Vec<Option<Letter>>)> {
    let size = match scale(shapes, seen) {
        Some((scale, sure)) if sure >= least.max(1) => 1.0 / scale,
        _ => usual?,
    };
    Some((size, shapes.iter().map(|shape| seen.letter(shape, 1.0 / size).0).collect()))
}

/// As [`read`], of a font that may mix letters of several sizes, as those have that programs make of all bitmaps on a
/// page. The size returned is that of most letters.
pub fn read_sizes(
    shapes: &[Shape],
    least: usize,
    usual: Option<f32>,
    seen: &mut Seen,
) -> Option<(f32, Vec<Option<Letter>>)> {
    let sure: Vec<Option<(f32, char)>> = shapes.iter().map(|shape| sure(shape, seen)).collect();
    let scales = scales(sure.iter().flatten(), least.max(1));
    let ([most, ..], true) = (scales.as_slice(), scales.len() > 1) else {
        return read(shapes, least, usual, seen);
    };
    // Letters come in the order in which they occurred first, so that those beside one have its size.
    let near: Vec<usize> = sizes_beside(&sure, &scales);
    let letters = shapes.iter().zip(near).map(|(shape, near)| {
        let mut best: Found = (None, f32::MAX);
        for (at, scale) in scales.iter().enumerate() {
            let (letter, distance) = seen.letter(shape, *scale);
            let distance = distance + if at == near { 0.0 } else { OTHER_SIZE };
            if distance < best.1 {
                best = (letter, distance);
            }
        }
        best.0
    });
    Some((1.0 / most, letters.collect()))
}

/// The scale of most letters, and further ones that as many as `least` different letters agree on.
fn scales<'a>(sure: impl Iterator<Item = &'a (f32, char)>, least: usize) -> Vec<f32> {
    let mut left: Vec<(f32, char)> =
        sure.copied().filter(|(_, letter)| !ALIKE_CAPITALS.contains(*letter)).collect();
    left.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut scales = Vec::new();
    while scales.len() < MAX_SIZES {
        // The window of most letters.
        let end = |at: usize, low: f32| {
            at + left.get(at..).unwrap_or_default().partition_point(|s| s.0 < low * (1.0 + AGREE))
        };
        let windows = left.iter().enumerate().map(|(at, (low, _))| (end(at, *low) - at, at));
        let Some((len, at)) = windows.max_by_key(|(len, _)| *len) else { break };
        let window: Vec<(f32, char)> = left.drain(at..at + len).collect();
        let mut letters: Vec<char> = window.iter().map(|(_, letter)| *letter).collect();
        letters.sort_unstable();
        letters.dedup();
        let Some((middle, _)) = window.get(len / 2).filter(|_| letters.len() >= least) else {
            break;
        };
        if !(middle.is_finite() && *middle > 0.0) {
            break;
        }
        scales.push(*middle);
    }
    scales
}

/// For each letter, which of `scales` the nearest one has that is unmistakable.
fn sizes_beside(sure: &[Option<(f32, char)>], scales: &[f32]) -> Vec<usize> {
    let of = |found: &Option<(f32, char)>| {
        let (scale, _) = found.filter(|(_, letter)| !ALIKE_CAPITALS.contains(*letter))?;
        scales.iter().position(|known| (scale / known - 1.0).abs() < AGREE)
    };
    let known: Vec<Option<usize>> = sure.iter().map(of).collect();
    let mut last = known.iter().flatten().next().copied().unwrap_or(0);
    let beside = known.iter().map(|known| {
        last = known.unwrap_or(last);
        last
    });
    beside.collect()
}

/// What turns units of the shapes into those of the font's size, and the number of letters that say so.
fn scale(shapes: &[Shape], seen: &mut Seen) -> Option<(f32, usize)> {
    let mut found: Vec<(f32, char)> = shapes.iter().filter_map(|shape| sure(shape, seen)).collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    let middle = found.get(found.len() / 2)?.0;
    let all = found.len();
    found.retain(|(scale, _)| (scale / middle - 1.0).abs() < AGREE);
    let agree = found.len() * 2 > all;
    let mut letters: Vec<char> = found.iter().map(|(_, letter)| *letter).collect();
    letters.sort_unstable();
    letters.dedup();
    (agree && middle.is_finite() && middle > 0.0).then_some((middle, letters.len()))
}

/// What turns units of a shape into those of the font's size, and its letter, if it can be no other.
fn sure(shape: &Shape, seen: &mut Seen) -> Option<(f32, char)> {
    let (width, height) = (shape.bounds.width(), shape.bounds.height());
    if !(width > 0.0 && height > 0.0) {
        return None;
    }
    let key = key(shape);
    let known = seen.sure.get(&key).copied().unwrap_or_else(|| {
        if seen.sure.len() >= MAX_SEEN {
            seen.sure.clear();
        }
        seen.compared += 1;
        let sure = unmistakable(shape);
        seen.sure.insert(key, sure);
        sure
    });
    known.map(|(usual, letter)| (usual / height, letter))
}

/// The height of a shape in units of the font's size, and its letter, if it can be no other.
fn unmistakable(shape: &Shape) -> Option<(f32, char)> {
    let parts = shape.parts()?.len();
    let proportion = shape.bounds.width() / shape.bounds.height();
    let near = nearest(&KNOWN.letters, &shape.cells(), SURE, |t| match t.parts == parts {
        false => f32::MAX,
        true => {
            let usual = t.bounds.width() / t.bounds.height();
            PROPORTIONS * (usual / proportion).ln().abs()
        }
    })?;
    let letter = near.template.letter;
    let sure = letter.is_alphanumeric() && !is_bar(letter);
    sure.then_some((near.template.bounds.height(), letter))
}

const fn is_bar(letter: char) -> bool {
    matches!(letter, 'l' | 'I' | '|')
}

fn letter(shape: &Shape, scale: f32) -> Found {
    let Some(parts) = shape.parts() else { return unread(shape, scale) };
    let cells = shape.cells();
    let of = |most: f32, letters: &dyn Fn(char) -> bool| {
        place(&cells, &shape.bounds, (scale, most), parts.len(), letters)
    };
    let whole = of(ALIKE, &|_| true);
    let accented =
        shape.split(&parts).and_then(|(letter, accent)| composed(&letter, &accent, scale));
    let (near, composed) = match (whole, accented) {
        (Some(whole), Some((near, _))) if whole.distance <= near.distance => (whole, None),
        (_, Some((near, letter))) => (near, Some(letter)),
        (Some(whole), None) => (whole, None),
        (None, None) => return unread(shape, scale),
    };
    if near.distance >= ALIKE {
        return unread(shape, scale);
    }
    let mut found = composed.unwrap_or(near.template.letter);
    let may_be = |letter: char| of(near.distance + SAME, &|other| other == letter).is_some();
    match found {
        'l' if may_be('1') => found = super::STICK,
        '1' if may_be('l') => found = super::STICK,
        'l' | '|' if may_be('I') => found = super::BAR,
        'I' if may_be('l') => found = super::BAR,
        // Both are a stroke, of which fonts differ in length.
        '–' => found = '-',
        'O' if may_be('0') => found = super::RING,
        '0' if may_be('O') => found = super::RING,
        _ => {}
    }
    let Template { bounds, advance, .. } = near.template;
    let letter = Letter { letter: found, lead: bounds.left, advance: *advance };
    (Some(letter), near.distance)
}

/// A shape that resembles nothing: a letter unless it is small.
fn unread(shape: &Shape, scale: f32) -> Found {
    let (width, height) = (shape.bounds.width() * scale, shape.bounds.height() * scale);
    let letter = height > SMALL && height < 2.0 && width < 2.0;
    let letter = letter.then_some(Letter { letter: super::UNREAD, lead: 0.0, advance: width });
    (letter, 1.0)
}

/// The letter that is nearest in shape, size and place, if it differs by less than `most`.
fn place(
    cells: &Cells,
    bounds: &Bounds,
    (scale, most): (f32, f32),
    parts: usize,
    of: impl Fn(char) -> bool,
) -> Option<Nearest> {
    let (low, high) = (bounds.low * scale, bounds.high * scale);
    let width = bounds.width() * scale;
    nearest(&KNOWN.letters, cells, most, |t| {
        if !of(t.letter) {
            return f32::MAX;
        }
        let torn = if t.parts == parts { 0.0 } else { PARTS };
        let rare = if t.letter.is_ascii() { 0.0 } else { RARE };
        let wide = (t.bounds.width() - width).abs();
        (t.bounds.low - low).abs() + (t.bounds.high - high).abs() + wide / 2.0 + torn + rare
    })
}

/// A letter with its accent.
fn composed(letter: &Shape, accent: &Shape, scale: f32) -> Option<(Nearest, char)> {
    let mut base = place(&letter.cells(), &letter.bounds, (scale, ALIKE), 1, char::is_alphabetic)?;
    let (width, height) = (accent.bounds.width() * scale, accent.bounds.height() * scale);
    let mark = nearest(&KNOWN.accents, &accent.cells(), ALIKE / ACCENT, |t| {
        (t.bounds.width() - width).abs() + (t.bounds.height() - height).abs()
    })?;
    let accent = mark.template.letter;
    let whole = match base.template.letter {
        'ı' if accent == DOT => 'i',
        'ȷ' if accent == DOT => 'j',
        'ı' => unicode_normalization::char::compose('i', accent)?,
        // Capitals with accents are far more common.
        'l' if accent != CARON => unicode_normalization::char::compose('I', accent)?,
        other => unicode_normalization::char::compose(other, accent)?,
    };
    base.distance = base.distance.max(mark.distance * ACCENT);
    Some((base, whole))
}
