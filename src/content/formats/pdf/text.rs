//! The text in content streams (ISO 32000-1 7.8, 8.4, 9.4).

use super::drawn::Drawn;
use super::file::File;
use super::font::Font;
use super::object::{Dict, Lexer, Object};
use crate::content::extract::layout::{GlyphPosition, Line, Page, WORD_GAP};
use crate::content::formats::matrix::{IDENTITY, Matrix, concat};
use memchr::memmem;
use std::collections::HashMap;
use std::rc::Rc;

/// Saved graphics states.
const MAX_SAVED: usize = 64;

/// How deep form XObjects may nest.
const MAX_FORMS: usize = 8;

/// Operands of one operator.
const MAX_OPERANDS: usize = 64;

/// Lines of one page.
const MAX_LINES: usize = 100_000;

/// Fonts kept of a document.
const MAX_FONTS: usize = 512;

/// Cost of running a form, beside its bytes.
const FORM_COST: usize = 2048;

/// Cost of reading a font, beside its bytes.
const FONT_COST: usize = 4096;

#[derive(Clone)]
struct State {
    ctm: Matrix,
    font: Rc<Font>,
    size: f64,
    char_spacing: f64,
    word_spacing: f64,
    /// Horizontal scaling, 1 for 100 %.
    scale: f64,
    leading: f64,
    rise: f64,
}

/// Runs content streams.
pub(super) struct Interpreter<'a> {
    file: &'a File<'a>,
    fonts: HashMap<u32, Rc<Font>, foldhash::fast::FixedState>,
    unknown: Rc<Font>,
    page: Page,
    /// What it draws beside its text.
    drawn: Drawn,
    /// Lines of the page so far.
    out: Vec<Line>,
    /// Remaining bytes of text.
    room: usize,
    /// [`Self::room`] or [`MAX_LINES`] was used up.
    pub(super) limited: bool,
}

/// A content stream in execution.
struct Run<'r> {
    state: State,
    saved: Vec<State>,
    matrix: Matrix,
    line: Matrix,
    resources: &'r Dict,
    fonts: Dict,
    named: HashMap<Vec<u8>, Rc<Font>, foldhash::fast::FixedState>,
}

impl<'a> Interpreter<'a> {
    /// Gives up to `room` bytes of text.
    pub(super) fn new(file: &'a File<'a>, room: usize) -> Self {
        Self {
            file,
            fonts: HashMap::default(),
            unknown: Rc::default(),
            page: Page::default(),
            drawn: Drawn::default(),
            out: Vec::new(),
            room,
            limited: false,
        }
    }

    /// The lines of a page.
    pub(super) fn page(&mut self, content: &[u8], resources: &Dict) -> Vec<Line> {
        let state = State {
            ctm: IDENTITY,
            font: Rc::clone(&self.unknown),
            size: 1.0,
            char_spacing: 0.0,
            word_spacing: 0.0,
            scale: 1.0,
            leading: 0.0,
            rise: 0.0,
        };
        self.drawn = Drawn::default();
        self.run(content, resources, state, 0);
        self.drawn.finish(&mut self.page, self.file.fuel);
        self.flush();
        std::mem::take(&mut self.out)
    }

    fn flush(&mut self) {
        let made = self.page.bytes();
        self.page.lines(&mut self.out);
        self.limited |= made > self.room || self.out.len() > MAX_LINES;
        self.room = self.room.saturating_sub(made);
    }

    fn run(&mut self, content: &[u8], resources: &Dict, state: State, depth: usize) {
        let mut run = Run {
            state,
            saved: Vec::new(),
            matrix: IDENTITY,
            line: IDENTITY,
            resources,
            fonts: self.file.dict(resources.get(b"Font")).unwrap_or_default(),
            named: HashMap::default(),
        };
        let mut lexer = Lexer::content(content, self.file.fuel);
        let mut operands: Vec<Object> = Vec::new();
        while let Some(operator) = lexer.operator(&mut operands, MAX_OPERANDS) {
            match operator {
                b"true" | b"false" | b"null" => continue,
                b"ID" => self.skip_image(&mut lexer),
                b"Do" => self.form(&run, operands.last().unwrap_or(&Object::Null), depth),
                _ => self.operate(operator, &operands, &mut run),
            }
            operands.clear();
            if self.page.is_full() {
                self.flush();
            }
            if self.limited {
                return;
            }
        }
    }

    fn operate(&mut self, operator: &[u8], operands: &[Object], run: &mut Run<'_>) {
        let number = |at: usize| operands.get(at).and_then(Object::number).unwrap_or(0.0);
        let matrix = || -> Matrix { std::array::from_fn(number) };
        let shown = match operands.last() {
            Some(Object::String(string)) => string.as_slice(),
            _ => b"",
        };
        match operator {
            b"m" | b"l" | b"c" | b"v" | b"y" | b"h" | b"S" | b"s" | b"n" => {
                self.drawn.operate(operator, &matrix(), &run.state.ctm);
            }
            b"f" | b"F" | b"f*" | b"B" | b"B*" | b"b" | b"b*" => {
                self.drawn.fill(self.page.bytes(), self.file.fuel);
            }
            b"q" if run.saved.len() < MAX_SAVED => run.saved.push(run.state.clone()),
            b"Q" => {
                if let Some(state) = run.saved.pop() {
                    run.state = state;
                }
            }
            b"cm" => run.state.ctm = concat(&matrix(), &run.state.ctm),
            b"BT" => (run.matrix, run.line) = (IDENTITY, IDENTITY),
            b"Tf" => {
                run.state.size = number(1);
                if let Some(name) = operands.first() {
                    run.state.font = self.font(name.name(), run);
                }
            }
            b"Tc" => run.state.char_spacing = number(0),
            b"Tw" => run.state.word_spacing = number(0),
            b"Tz" => run.state.scale = number(0) / 100.0,
            b"TL" => run.state.leading = number(0),
            b"Ts" => run.state.rise = number(0),
            b"Td" => run.next_line(number(0), number(1)),
            b"TD" => {
                run.state.leading = -number(1);
                run.next_line(number(0), number(1));
            }
            b"Tm" => (run.matrix, run.line) = (matrix(), matrix()),
            b"T*" => run.next_line(0.0, -run.state.leading),
            b"Tj" => self.show(shown, run),
            b"'" => {
                run.next_line(0.0, -run.state.leading);
                self.show(shown, run);
            }
            b"\"" => {
                (run.state.word_spacing, run.state.char_spacing) = (number(0), number(1));
                run.next_line(0.0, -run.state.leading);
                self.show(shown, run);
            }
            b"TJ" => {
                let Some(Object::Array(items)) = operands.last() else { return };
                for item in items {
                    match item {
                        Object::String(string) => self.show(string, run),
                        Object::Number(n) => {
                            let state = &run.state;
                            run.advance(-n / 1000.0 * state.size * state.scale);
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    fn show(&mut self, string: &[u8], run: &mut Run<'_>) {
        let state = &run.state;
        let [a, b, c, d, e, f] = concat(&run.matrix, &state.ctm);
        // The direction of writing to the next quarter turn.
        let (sx, sy) = if state.size * state.scale < 0.0 { (-a, -b) } else { (a, b) };
        let turn = match (sx.abs() >= sy.abs(), sx >= 0.0, sy >= 0.0) {
            (true, true, _) => 0,
            (false, _, true) => 1,
            (true, false, _) => 2,
            (false, _, false) => 3,
        };
        let size = (state.size * c.hypot(d)).abs() * state.font.em();
        if !size.is_finite() || size < f64::EPSILON {
            return;
        }
        let place = |x: f64| {
            let (px, py) = (a * x + c * state.rise + e, b * x + d * state.rise + f);
            match turn {
                0 => (px, -py),
                1 => (py, px),
                2 => (-px, py),
                _ => (-py, -px),
            }
        };
        let mut x = 0.0;
        let page = &mut self.page;
        if state.font.is_by_shapes() {
            page.expect_columns(WORD_GAP);
        }
        state.font.show(string, |text, shown| {
            let glyph = f64::from(shown.width) / 1000.0 * state.size + state.char_spacing;
            let end = x + glyph * state.scale;
            let ((start, down), (stop, _)) = (place(x), place(end));
            if !text.is_empty() && start.is_finite() && stop.is_finite() && down.is_finite() {
                page.push(text, GlyphPosition { turn, down, start, end: stop, size });
            }
            let spacing = if shown.space { state.word_spacing } else { 0.0 };
            x = end + spacing * state.scale;
        });
        run.advance(x);
    }

    fn font(&mut self, name: &[u8], run: &mut Run<'_>) -> Rc<Font> {
        if let Some(font) = run.named.get(name) {
            return Rc::clone(font);
        }
        if !self.file.fuel.burn(FONT_COST + run.fonts.len() * 8) {
            return Rc::clone(&self.unknown);
        }
        let entry = run.fonts.get(name);
        let known = match entry {
            Object::Reference(number) => self.fonts.get(number).map(Rc::clone),
            _ => None,
        };
        let font = known.unwrap_or_else(|| match self.file.dict(entry) {
            Some(dict) => Rc::new(Font::read(self.file, &dict)),
            None => Rc::clone(&self.unknown),
        });
        if let Object::Reference(number) = entry
            && self.fonts.len() < MAX_FONTS
        {
            self.fonts.insert(*number, Rc::clone(&font));
        }
        if run.named.len() < MAX_FONTS {
            run.named.insert(name.to_vec(), Rc::clone(&font));
        }
        font
    }

    /// Runs a form XObject (8.10).
    fn form(&mut self, run: &Run<'_>, name: &Object, depth: usize) {
        let file = self.file;
        if depth >= MAX_FORMS || !file.fuel.burn(FORM_COST) {
            return;
        }
        let forms = file.dict(run.resources.get(b"XObject")).unwrap_or_default();
        let Object::Reference(number) = *forms.get(name.name()) else { return };
        let entry = file.dict(&Object::Reference(number)).unwrap_or_default();
        if entry.get(b"Subtype").name() != b"Form" {
            return;
        }
        let Some((dict, content)) = file.stream(number) else { return };
        let mut state = run.state.clone();
        let matrix = file.array(dict.get(b"Matrix"));
        if matrix.len() == 6 {
            let at = |n: usize| matrix.get(n).and_then(Object::number).unwrap_or(0.0);
            state.ctm = concat(&std::array::from_fn(at), &state.ctm);
        }
        match file.dict(dict.get(b"Resources")) {
            Some(own) => self.run(&content, &own, state, depth + 1),
            // In old files, those of the page (7.8.3).
            None => self.run(&content, run.resources, state, depth + 1),
        }
    }

    /// Passes over the data of an inline image (8.9.7).
    fn skip_image(&self, lexer: &mut Lexer<'_>) {
        let rest = lexer.rest();
        let space = |b: Option<&u8>| b.is_none_or(|b| b.is_ascii_whitespace() || *b == 0);
        let end = memmem::find_iter(rest, b"EI").find(|&at| {
            space(at.checked_sub(1).and_then(|at| rest.get(at))) && space(rest.get(at + 2))
        });
        let skipped = end.map_or(rest.len(), |at| at + 2);
        lexer.at += skipped;
        self.file.fuel.burn(skipped / 16);
    }
}

impl Run<'_> {
    fn advance(&mut self, x: f64) {
        self.matrix = concat(&[1.0, 0.0, 0.0, 1.0, x, 0.0], &self.matrix);
    }

    fn next_line(&mut self, x: f64, y: f64) {
        self.line = concat(&[1.0, 0.0, 0.0, 1.0, x, y], &self.line);
        self.matrix = self.line;
    }
}
