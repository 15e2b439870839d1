//! The page: matrices, the current point, images, and painting.

use super::super::graphics::Graphics;
use super::super::machine::{Frame, Machine};
use super::super::object::Object;
use super::Operator;
use super::files::named;
use crate::content::extract::shapes::Outline;
use crate::content::formats::matrix::{IDENTITY, Matrix, concat, distance, invert, transform};

/// Graphics states that are saved.
const MAX_SAVED: usize = 256;
/// Largest image whose data is skipped, bytes.
const MAX_PICTURE: f64 = 1e9;

pub(super) const OPERATORS: &[(&str, Operator)] = &[
    ("gsave", gsave),
    ("grestore", grestore),
    ("grestoreall", |m| {
        if let Some(first) = m.saved.first().cloned() {
            m.graphics = first;
            m.saved.clear();
        }
        Some(())
    }),
    ("save", |m| {
        gsave(m);
        m.push(Object::Null);
        Some(())
    }),
    ("restore", |m| {
        m.pop()?;
        grestore(m)
    }),
    ("initgraphics", |m| {
        m.graphics.ctm = IDENTITY;
        m.graphics.point = None;
        Some(())
    }),
    ("showpage", page),
    ("copypage", page),
    ("erasepage", |_| Some(())),
    ("matrix", |m| push_matrix(m, &IDENTITY)),
    ("identmatrix", |m| fill(m, IDENTITY)),
    ("currentmatrix", |m| fill(m, m.graphics.ctm)),
    ("defaultmatrix", |m| fill(m, IDENTITY)),
    ("initmatrix", |m| {
        m.graphics.ctm = IDENTITY;
        Some(())
    }),
    ("setmatrix", |m| {
        m.graphics.ctm = matrix(m)?;
        Some(())
    }),
    ("concat", |m| {
        let first = matrix(m)?;
        m.graphics.ctm = concat(&first, &m.graphics.ctm);
        Some(())
    }),
    ("concatmatrix", |m| {
        let (to, second, first) = (m.pop()?, matrix(m)?, matrix(m)?);
        m.push(to);
        fill(m, concat(&first, &second))
    }),
    ("invertmatrix", |m| {
        let (to, of) = (m.pop()?, matrix(m)?);
        m.push(to);
        fill(m, invert(&of)?)
    }),
    ("translate", |m| change(m, |x, y| [1.0, 0.0, 0.0, 1.0, x, y])),
    ("scale", |m| change(m, |x, y| [x, 0.0, 0.0, y, 0.0, 0.0])),
    ("rotate", |m| {
        let into = m.operands.last().filter(|o| m.store.array(**o).is_some()).copied();
        if into.is_some() {
            m.pop();
        }
        let (sin, cos) = m.number()?.to_radians().sin_cos();
        let turned = [cos, sin, -sin, cos, 0.0, 0.0];
        match into {
            Some(array) => {
                m.push(array);
                fill(m, turned)?;
            }
            None => m.graphics.ctm = concat(&turned, &m.graphics.ctm),
        }
        Some(())
    }),
    ("transform", |m| point_through(m, |m| Some(*m), transform)),
    ("itransform", |m| point_through(m, invert, transform)),
    ("dtransform", |m| point_through(m, |m| Some(*m), distance)),
    ("idtransform", |m| point_through(m, invert, distance)),
    ("currentpoint", |m| {
        let (x, y) = m.graphics.user_point()?;
        m.push(Object::Number(x));
        m.push(Object::Number(y));
        Some(())
    }),
    ("newpath", |m| {
        m.graphics.point = None;
        m.path = Outline::default();
        Some(())
    }),
    ("moveto", |m| to(m).map(|()| begin(m))),
    ("lineto", |m| to(m).map(|()| line(m))),
    ("rmoveto", |m| by(m).map(|()| begin(m))),
    ("rlineto", |m| by(m).map(|()| line(m))),
    ("curveto", |m| curve(m, Graphics::move_to)),
    ("rcurveto", |m| curve(m, Graphics::move_by)),
    ("closepath", |m| {
        m.path.close();
        Some(())
    }),
    ("fill", |m| {
        m.fill();
        Some(())
    }),
    ("eofill", |m| {
        m.fill();
        Some(())
    }),
    ("stroke", |m| {
        m.path = Outline::default();
        Some(())
    }),
    ("image", |m| image(m, false)),
    ("imagemask", |m| image(m, false)),
    ("colorimage", |m| image(m, true)),
    ("clippath", |_| Some(())),
    ("pathbbox", |m| {
        for n in [0.0, 0.0, 612.0, 792.0] {
            m.push(Object::Number(n));
        }
        Some(())
    }),
    ("currentpagedevice", |m| {
        let dict = m.store.new_dict(Default::default())?;
        m.push(Object::Dict(dict));
        Some(())
    }),
    ("currentcolor", |m| {
        m.push(Object::Number(0.0));
        Some(())
    }),
    ("vmstatus", |m| {
        for n in [1.0, 1e6, 1e8] {
            m.push(Object::Number(n));
        }
        Some(())
    }),
    ("pathforall", |m| take(m, 4)),
];

/// Operators that take this many operands and do nothing here, and those that return a number.
pub(super) const IGNORED: &[(&str, Operator)] = &[
    ("clip", |m| take(m, 0)),
    ("eoclip", |m| take(m, 0)),
    ("initclip", |m| take(m, 0)),
    ("flattenpath", |m| take(m, 0)),
    ("strokepath", |m| take(m, 0)),
    ("reversepath", |m| take(m, 0)),
    ("setlinewidth", |m| take(m, 1)),
    ("setlinecap", |m| take(m, 1)),
    ("setlinejoin", |m| take(m, 1)),
    ("setmiterlimit", |m| take(m, 1)),
    ("setdash", |m| take(m, 2)),
    ("setflat", |m| take(m, 1)),
    ("setgray", |m| take(m, 1)),
    ("setrgbcolor", |m| take(m, 3)),
    ("sethsbcolor", |m| take(m, 3)),
    ("setcmykcolor", |m| take(m, 4)),
    ("setcolorspace", |m| take(m, 1)),
    ("setcolor", |m| {
        while matches!(m.operands.last(), Some(Object::Number(_))) {
            m.pop();
        }
        Some(())
    }),
    ("setpattern", |m| take(m, 1)),
    ("setoverprint", |m| take(m, 1)),
    ("setstrokeadjust", |m| take(m, 1)),
    ("settransfer", |m| take(m, 1)),
    ("setscreen", |m| take(m, 3)),
    ("sethalftone", |m| take(m, 1)),
    ("setpagedevice", |m| take(m, 1)),
    ("setpacking", |m| take(m, 1)),
    ("setglobal", |m| take(m, 1)),
    ("setshared", |m| take(m, 1)),
    ("setcachelimit", |m| take(m, 1)),
    ("setcachedevice", |m| take(m, 6)),
    ("setcharwidth", |m| take(m, 2)),
    ("setbbox", |m| take(m, 4)),
    ("setvmthreshold", |m| take(m, 1)),
    ("vmreclaim", |m| take(m, 1)),
    ("arc", |m| take(m, 5)),
    ("arcn", |m| take(m, 5)),
    ("arct", |m| take(m, 5)),
    ("rectfill", |m| take(m, 4)),
    ("rectstroke", |m| take(m, 4)),
    ("rectclip", |m| take(m, 4)),
    ("shfill", |m| take(m, 1)),
    ("pdfmark", |m| {
        let at = m.operands.iter().rposition(|o| *o == Object::Mark)?;
        m.operands.truncate(at);
        Some(())
    }),
    ("currentgray", zero),
    ("currentlinewidth", zero),
    ("currentflat", zero),
    ("usertime", zero),
    ("realtime", zero),
    ("serialnumber", zero),
    ("revision", zero),
    ("currentglobal", no),
    ("currentshared", no),
    ("currentpacking", no),
    ("currentoverprint", no),
];

fn take(machine: &mut Machine<'_>, operands: usize) -> Option<()> {
    let at = machine.operands.len().checked_sub(operands)?;
    machine.operands.truncate(at);
    Some(())
}

fn zero(machine: &mut Machine<'_>) -> Option<()> {
    machine.push(Object::Number(0.0));
    Some(())
}

fn no(machine: &mut Machine<'_>) -> Option<()> {
    machine.push(Object::Bool(false));
    Some(())
}

fn gsave(machine: &mut Machine<'_>) -> Option<()> {
    if machine.saved.len() < MAX_SAVED {
        machine.saved.push(machine.graphics.clone());
    }
    Some(())
}

fn grestore(machine: &mut Machine<'_>) -> Option<()> {
    if let Some(saved) = machine.saved.pop() {
        machine.graphics = saved;
    }
    Some(())
}

fn page(machine: &mut Machine<'_>) -> Option<()> {
    machine.flush();
    let font = machine.graphics.font;
    machine.graphics = Graphics { font, ..Graphics::default() };
    Some(())
}

fn matrix(machine: &mut Machine<'_>) -> Option<Matrix> {
    let object = machine.pop()?;
    machine.store.matrix(object)
}

fn push_matrix(machine: &mut Machine<'_>, matrix: &Matrix) -> Option<()> {
    let array = machine.store.new_array(matrix.map(Object::Number).to_vec(), false)?;
    machine.push(array);
    Some(())
}

/// Writes a matrix into the array that is the operand.
fn fill(machine: &mut Machine<'_>, matrix: Matrix) -> Option<()> {
    let array = *machine.operands.last()?;
    let slots = machine.store.array_mut(array)?;
    slots.iter_mut().zip(matrix).for_each(|(slot, n)| *slot = Object::Number(n));
    Some(())
}

/// `x y` change the current matrix, or make one in an array.
fn change(machine: &mut Machine<'_>, make: fn(f64, f64) -> Matrix) -> Option<()> {
    let last = *machine.operands.last()?;
    if machine.store.array(last).is_some() {
        machine.pop();
        let (y, x) = (machine.number()?, machine.number()?);
        machine.push(last);
        return fill(machine, make(x, y));
    }
    let (y, x) = (machine.number()?, machine.number()?);
    machine.graphics.ctm = concat(&make(x, y), &machine.graphics.ctm);
    Some(())
}

fn point_through(
    machine: &mut Machine<'_>,
    of: fn(&Matrix) -> Option<Matrix>,
    through: fn(&Matrix, f64, f64) -> (f64, f64),
) -> Option<()> {
    let last = *machine.operands.last()?;
    let matrix = match machine.store.array(last) {
        Some(_) => matrix(machine)?,
        None => machine.graphics.ctm,
    };
    let (y, x) = (machine.number()?, machine.number()?);
    let (x, y) = through(&of(&matrix)?, x, y);
    machine.push(Object::Number(x));
    machine.push(Object::Number(y));
    Some(())
}

fn to(machine: &mut Machine<'_>) -> Option<()> {
    let (y, x) = (machine.number()?, machine.number()?);
    machine.graphics.move_to(x, y);
    Some(())
}

fn by(machine: &mut Machine<'_>) -> Option<()> {
    let (y, x) = (machine.number()?, machine.number()?);
    machine.graphics.move_by(x, y);
    Some(())
}

/// A line of the path begins at the current point.
fn begin(machine: &mut Machine<'_>) {
    if let Some((x, y)) = machine.graphics.point {
        machine.path.move_to(x as f32, y as f32);
    }
}

/// A straight line goes to the current point.
fn line(machine: &mut Machine<'_>) {
    if let Some((x, y)) = machine.graphics.point {
        machine.path.line_to(x as f32, y as f32);
    }
}

/// A curve through two points to a third; each is placed from where it begins.
fn curve(machine: &mut Machine<'_>, place: fn(&mut Graphics, f64, f64)) -> Option<()> {
    let mut numbers = [0.0; 6];
    for slot in numbers.iter_mut().rev() {
        *slot = machine.number()?;
    }
    let [x1, y1, x2, y2, x3, y3] = numbers;
    let from = machine.graphics.point;
    let [first, second, last] = [(x1, y1), (x2, y2), (x3, y3)].map(|(x, y)| {
        machine.graphics.point = from;
        place(&mut machine.graphics, x, y);
        machine.graphics.point.map(|(x, y)| (x as f32, y as f32))
    });
    machine.path.curve_to(first?, second?, last?);
    Some(())
}

/// An image: its data in the job is skipped (PLRM 4.10).
fn image(machine: &mut Machine<'_>, color: bool) -> Option<()> {
    let (width, height, bits, source) = match machine.operands.last().copied()? {
        Object::Dict(dict) if !color => {
            machine.pop();
            let mut number = |name: &[u8]| match named(machine, dict, name) {
                Some(Object::Number(n)) => n,
                _ => 0.0,
            };
            let (width, height) = (number(b"Width"), number(b"Height"));
            let bits = number(b"BitsPerComponent");
            let decode = named(machine, dict, b"Decode").unwrap_or(Object::Null);
            let components = machine.store.array(decode).map_or(2, <[_]>::len) / 2;
            let source = named(machine, dict, b"DataSource").unwrap_or(Object::Null);
            (width, height, bits * components.max(1) as f64, source)
        }
        _ => {
            let components = if color { machine.number()? } else { 1.0 };
            let planes = match color.then(|| machine.pop()).flatten() {
                Some(Object::Bool(true)) => components.clamp(1.0, 8.0) as usize,
                _ => 1,
            };
            let mut source = Object::Null;
            for _ in 0..planes {
                source = machine.pop()?;
            }
            machine.pop()?;
            let bits = match machine.pop()? {
                Object::Number(bits) => bits,
                _ => 1.0,
            };
            let (height, width) = (machine.number()?, machine.number()?);
            (width, height, bits * components, source)
        }
    };
    let bytes = ((width * bits / 8.0).ceil() * height).clamp(0.0, MAX_PICTURE) as usize;
    if matches!(source, Object::Stream(at) if at > 0) {
        machine.stream(source)?.skip(bytes);
        return Some(());
    }
    if matches!(source, Object::Stream(_)) {
        machine.stream(source)?.skip(bytes.saturating_add(1));
        return Some(());
    }
    let Object::Proc(_) = source else { return Some(()) };
    let calls = |word: &[u8]| {
        let items = machine.store.array(source).unwrap_or_default();
        items.iter().any(|o| matches!(o, Object::Run(n) if machine.store.spelling(*n) == word))
    };
    let (hex, plain) = (calls(b"readhexstring"), calls(b"readstring"));
    if hex || plain {
        let at = machine.current_file()?;
        let stream = machine.streams.get_mut(at as usize)?;
        if hex {
            stream.take_hex(bytes.min(stream.rest().len()));
        } else {
            stream.skip(bytes);
        }
        return Some(());
    }
    // A procedure that reads by itself is run once.
    machine.enter(Frame::Repeat(source, 1));
    Some(())
}
