//! The interpreter: operands, dictionaries and the execution stack (PLRM 3.4, 3.5). It never recurses, and counts
//! each step.

use super::fonts::Glyphs;
use super::graphics::Graphics;
use super::object::{Dict, Key, Name, Object, Store};
use super::operators::{self, OPERATORS};
use super::stream::Stream;
use crate::content::extract::layout::{Line, Page};
use crate::content::extract::shapes::{Drawing, Outline};
use std::collections::HashMap;
use std::rc::Rc;

/// Operands on the stack; beyond it the lowest are dropped.
const MAX_OPERANDS: usize = 4096;
/// Procedures and loops in execution.
const MAX_FRAMES: usize = 512;
/// Dictionaries on the stack.
const MAX_DICTS: usize = 128;
/// Steps allowed for any job, and for each byte of it.
const STEPS: u64 = 2_000_000;
const STEPS_PER_BYTE: u64 = 16;
/// Streams made by filters.
const MAX_STREAMS: usize = 4096;
/// Output of one filter, bytes.
const MAX_FILTERED: usize = 16 << 20;
/// Cost of painting a point of a path, steps.
const FILL_COST: usize = 4;
/// Cost of comparing a shape with all known letters, steps.
const COMPARE_COST: usize = 1_000;
/// Lines per job.
const MAX_LINES: usize = 200_000;

/// The dictionaries that are always there.
pub(super) const SYSTEM: u32 = 0;
pub(super) const USER: u32 = 1;
pub(super) const FONTS: u32 = 2;

/// A filter that has not read yet: it begins at the current position of its source.
pub(super) struct Pending {
    pub(super) source: Object,
    pub(super) filter: Vec<u8>,
    /// Of `SubFileDecode`: this many bytes, or up to this string.
    pub(super) count: usize,
    pub(super) end: Vec<u8>,
}

/// An entry of the execution stack.
pub(super) enum Frame {
    /// The objects of a procedure from this one on.
    Proc(u32, usize),
    /// A program in a stream.
    Stream(u32),
    /// The mark of `stopped`.
    Stopped,
    Loop(Object),
    Repeat(Object, u64),
    For {
        next: f64,
        step: f64,
        last: f64,
        body: Object,
    },
    /// The elements of an array or a string from this one on.
    Each(Object, usize, Object),
    EachEntry(Vec<Key>, u32, Object),
}

/// Reads one job.
pub(super) struct Machine<'a> {
    pub(super) store: Store,
    pub(super) streams: Vec<Stream>,
    pub(super) pending: HashMap<u32, Pending, foldhash::fast::FixedState>,
    pub(super) operands: Vec<Object>,
    pub(super) dicts: Vec<u32>,
    pub(super) frames: Vec<Frame>,
    pub(super) graphics: Graphics,
    pub(super) saved: Vec<Graphics>,
    pub(super) page: Page,
    /// The current path in device space, and what was painted on the page.
    pub(super) path: Outline,
    drawing: Drawing,
    pub(super) glyphs: HashMap<u32, Rc<Glyphs>, foldhash::fast::FixedState>,
    /// Receives the lines of each page.
    give: &'a mut dyn FnMut(&Line),
    steps: u64,
    lines: usize,
    /// The outlines of the fonts that printers have.
    pub(super) outlines: Option<u32>,
    /// A limit cut it.
    pub(super) limited: bool,
    /// Letters that only their outlines tell.
    pub(super) unreadable: usize,
}

impl Pending {
    fn read(&self, source: &mut Stream) -> Stream {
        if self.filter != b"SubFileDecode" {
            return source.filtered(&self.filter, MAX_FILTERED);
        }
        let rest = source.rest();
        let len = match self.end.as_slice() {
            [] => self.count,
            end => memchr::memmem::find(rest, end).unwrap_or(rest.len()),
        };
        let bytes = source.take(len);
        source.skip(self.end.len());
        Stream::new(&bytes)
    }
}

impl<'a> Machine<'a> {
    pub(super) fn new(give: &'a mut dyn FnMut(&Line)) -> Self {
        let mut store = Store::default();
        let mut system = Dict::default();
        for (at, (name, _)) in OPERATORS.iter().enumerate() {
            system.insert(Key::Name(store.name(name.as_bytes()).0), Object::Operator(at as u16));
        }
        for dict in [system, Dict::default(), Dict::default()] {
            store.new_dict(dict);
        }
        let mut machine = Self {
            store,
            streams: Vec::new(),
            pending: HashMap::default(),
            operands: Vec::new(),
            dicts: vec![SYSTEM, USER],
            frames: Vec::new(),
            graphics: Graphics::default(),
            saved: Vec::new(),
            page: Page::default(),
            path: Outline::default(),
            drawing: Drawing::default(),
            glyphs: HashMap::default(),
            give,
            steps: 0,
            lines: 0,
            outlines: None,
            limited: false,
            unreadable: 0,
        };
        operators::set_up(&mut machine);
        machine
    }

    /// Executes a program to its end, or for `most` steps at most. How many it took.
    pub(super) fn run(&mut self, program: &[u8], most: u64) -> u64 {
        let given = most.min(STEPS + STEPS_PER_BYTE * program.len() as u64);
        self.steps = given;
        self.streams.push(Stream::new(program));
        self.frames.push(Frame::Stream(self.streams.len() as u32 - 1));
        while self.step().is_some() {
            if self.page.is_full() {
                self.flush();
            }
            if self.steps == 0 || self.store.is_full() || self.lines > MAX_LINES {
                self.limited = true;
                break;
            }
            self.steps -= 1;
        }
        self.flush();
        given.saturating_sub(self.steps)
    }

    /// Whether it printed nothing.
    pub(super) const fn is_silent(&self) -> bool {
        self.lines == 0
    }

    /// Charges steps for work that takes longer than a single one.
    pub(super) fn burn(&mut self, steps: usize) {
        self.steps = self.steps.saturating_sub(steps as u64).max(1);
    }

    /// Paints the current path: it may be letters.
    pub(super) fn fill(&mut self) {
        let path = std::mem::take(&mut self.path);
        if !path.is_empty() {
            let work = self.drawing.add(path);
            self.burn(work * FILL_COST);
        }
    }

    /// Passes on the lines of the page.
    pub(super) fn flush(&mut self) {
        self.drawing.finish(&mut self.page);
        let compared = self.drawing.compared();
        self.burn(compared * COMPARE_COST);
        let mut lines = Vec::new();
        self.page.lines(&mut lines);
        self.lines += lines.len();
        lines.iter().for_each(|line| (self.give)(line));
    }

    /// One step; `None` at the end of the program.
    fn step(&mut self) -> Option<()> {
        match self.frames.last_mut()? {
            Frame::Stream(at) => {
                let at = *at;
                self.resolve(at);
                let stream = self.streams.get_mut(at as usize)?;
                match stream.object(&mut self.store) {
                    Some(object) => self.encounter(object),
                    None => self.leave(),
                }
            }
            Frame::Proc(array, at) => {
                let items = self.store.array(Object::Proc(*array)).unwrap_or_default();
                match items.get(*at).copied() {
                    Some(object) => {
                        *at += 1;
                        // Nothing is left to return to.
                        if *at >= items.len() {
                            self.frames.pop();
                        }
                        self.encounter(object);
                    }
                    None => self.leave(),
                }
            }
            Frame::Stopped => {
                self.frames.pop();
                self.push(Object::Bool(false));
            }
            Frame::Loop(body) => {
                let body = *body;
                self.execute(body);
            }
            Frame::Repeat(body, left) => match left.checked_sub(1) {
                Some(less) => {
                    *left = less;
                    let body = *body;
                    self.execute(body);
                }
                None => self.leave(),
            },
            Frame::For { next, step, last, body } => {
                let done = if *step >= 0.0 { *next > *last } else { *next < *last };
                if done {
                    self.frames.pop();
                } else {
                    let (value, body) = (*next, *body);
                    *next += *step;
                    self.push(Object::Number(value));
                    self.execute(body);
                }
            }
            Frame::Each(of, at, body) => {
                let (of, index, body) = (*of, *at, *body);
                *at += 1;
                let item = match self.store.array(of) {
                    Some(items) => items.get(index).copied(),
                    None => {
                        let byte = self.store.bytes(of).and_then(|b| b.get(index));
                        byte.map(|b| Object::Number(f64::from(*b)))
                    }
                };
                match item {
                    Some(item) => {
                        self.push(item);
                        self.execute(body);
                    }
                    None => self.leave(),
                }
            }
            Frame::EachEntry(keys, dict, body) => match keys.pop() {
                Some(key) => {
                    let (dict, body) = (*dict, *body);
                    if let Some(value) = self.store.get(dict, key) {
                        self.push(Store::unkey(key));
                        self.push(value);
                        self.execute(body);
                    }
                }
                None => self.leave(),
            },
        }
        Some(())
    }

    fn leave(&mut self) {
        self.frames.pop();
    }

    /// An object that comes in a program: a procedure is an operand until it is executed by name.
    fn encounter(&mut self, object: Object) {
        match object {
            Object::Proc(_) => self.push(object),
            _ => self.execute(object),
        }
    }

    /// Executes an object.
    pub(super) fn execute(&mut self, object: Object) {
        match object {
            Object::Run(name) => match self.look_up(name) {
                Some(Object::Run(other)) if other == name => {}
                Some(value) => self.execute_value(value),
                // Undefined: an error, after which reading continues.
                None => {}
            },
            _ => self.execute_value(object),
        }
    }

    fn execute_value(&mut self, object: Object) {
        match object {
            Object::Proc(at) => {
                let empty = self.store.array(object).is_none_or(<[_]>::is_empty);
                if !empty {
                    self.enter(Frame::Proc(at, 0));
                }
            }
            Object::Operator(at) => {
                let known = OPERATORS.get(usize::from(at));
                if let Some((_, operator)) = known
                    && operator(self).is_none()
                {
                    self.fail();
                }
            }
            // A name that means a name is looked up at the next step, so that no cycle of them is endless.
            Object::Run(_) => {
                if let Some(Object::Proc(at)) = self.store.new_array(vec![object], true) {
                    self.enter(Frame::Proc(at, 0));
                }
            }
            _ => self.push(object),
        }
    }

    /// Starts something.
    pub(super) fn enter(&mut self, frame: Frame) {
        if self.frames.len() < MAX_FRAMES {
            self.frames.push(frame);
        } else {
            self.limited = true;
        }
    }

    /// An operator lacked an operand: calls the error handler if there is one, otherwise continues.
    fn fail(&mut self) {
        let waiting = self.frames.iter().any(|f| matches!(f, Frame::Stopped));
        if waiting {
            self.stop();
        }
    }

    /// Leaves everything up to the innermost `stopped`.
    pub(super) fn stop(&mut self) {
        while let Some(frame) = self.frames.pop() {
            match frame {
                Frame::Stopped => return self.push(Object::Bool(true)),
                Frame::Stream(at) if self.frames.is_empty() => {
                    // The job itself continues.
                    self.frames.push(Frame::Stream(at));
                    return;
                }
                _ => {}
            }
        }
    }

    /// Leaves the innermost loop.
    pub(super) fn exit(&mut self) {
        while let Some(frame) = self.frames.last() {
            match frame {
                Frame::Stopped | Frame::Stream(_) => return,
                Frame::Proc(..) => {
                    self.frames.pop();
                }
                _ => {
                    self.frames.pop();
                    return;
                }
            }
        }
    }

    /// The value of a name in the dictionaries on the stack, from the top.
    pub(super) fn look_up(&self, name: Name) -> Option<Object> {
        self.dicts.iter().rev().find_map(|d| self.store.get(*d, Key::Name(name.0)))
    }

    /// The innermost program text in execution.
    pub(super) fn current_file(&self) -> Option<u32> {
        self.frames.iter().rev().find_map(|frame| match frame {
            Frame::Stream(at) => Some(*at),
            _ => None,
        })
    }

    pub(super) fn stream(&mut self, object: Object) -> Option<&mut Stream> {
        let Object::Stream(at) = object else { return None };
        self.resolve(at);
        self.streams.get_mut(at as usize)
    }

    /// Lets a filter read, after those that it reads from.
    fn resolve(&mut self, at: u32) {
        if self.pending.is_empty() {
            return;
        }
        let mut chain = Vec::new();
        let mut next = at;
        while let Some(pending) = self.pending.remove(&next) {
            let source = pending.source;
            chain.push((next, pending));
            let Object::Stream(from) = source else { break };
            next = from;
        }
        for (at, pending) in chain.into_iter().rev() {
            let made = match pending.source {
                Object::Stream(from) => match self.streams.get_mut(from as usize) {
                    Some(stream) => pending.read(stream),
                    None => continue,
                },
                text => pending.read(&mut Stream::new(self.store.bytes(text).unwrap_or_default())),
            };
            self.burn(made.rest().len() / 16);
            if let Some(stream) = self.streams.get_mut(at as usize) {
                *stream = made;
            }
        }
    }

    /// A stream that reads when it is read.
    pub(super) fn add_pending(&mut self, pending: Pending) -> Option<Object> {
        let stream = self.add_stream(Stream::new(b""))?;
        if let Object::Stream(at) = stream {
            self.pending.insert(at, pending);
        }
        Some(stream)
    }

    pub(super) fn add_stream(&mut self, stream: Stream) -> Option<Object> {
        if self.streams.len() >= MAX_STREAMS {
            return None;
        }
        self.streams.push(stream);
        Some(Object::Stream(self.streams.len() as u32 - 1))
    }

    pub(super) fn push(&mut self, object: Object) {
        if self.operands.len() >= MAX_OPERANDS {
            self.operands.drain(..MAX_OPERANDS / 2);
        }
        self.operands.push(object);
    }

    pub(super) fn push_dict(&mut self, dict: u32) {
        if self.dicts.len() < MAX_DICTS {
            self.dicts.push(dict);
        }
    }

    pub(super) fn pop(&mut self) -> Option<Object> {
        self.operands.pop()
    }

    pub(super) fn number(&mut self) -> Option<f64> {
        match self.pop()? {
            Object::Number(n) => Some(n),
            _ => None,
        }
    }

    /// A count or an index.
    pub(super) fn index(&mut self) -> Option<usize> {
        let n = self.number()?;
        (0.0..1e9).contains(&n).then_some(n as usize)
    }

    pub(super) fn dict(&mut self) -> Option<u32> {
        match self.pop()? {
            Object::Dict(at) => Some(at),
            _ => None,
        }
    }

    /// A string's bytes.
    pub(super) fn text(&mut self) -> Option<Vec<u8>> {
        let object = self.pop()?;
        match object {
            Object::String(_) => self.store.bytes(object).map(<[u8]>::to_vec),
            _ => None,
        }
    }

    /// The dictionary in which names are defined.
    pub(super) fn current_dict(&self) -> u32 {
        self.dicts.last().copied().unwrap_or(USER)
    }
}
