//! The objects of a document (ISO 32000-1 7.3.10, 7.5): found by reading from the front, never by the cross-reference
//! table, which is at the end and missing or wrong in a cut or damaged file.

use super::crypt::Crypt;
use super::filters;
use super::object::{Dict, Fuel, Lexer, Object, Token};
use crate::protocol::encrypted::Encryption;
use memchr::memmem;
use std::cell::Cell;
use std::collections::HashMap;
use zeroize::Zeroizing;

/// Objects that are indexed.
const MAX_OBJECTS: usize = 200_000;

/// Decoded object streams kept, bytes.
const MAX_UNPACKED: usize = 32 << 20;

/// References followed to one value.
const MAX_HOPS: usize = 8;

/// Bytes between a stream's end and `endstream`.
const MAX_SLACK: usize = 64;

/// Digits of an object's number.
const MAX_DIGITS: usize = 10;

/// A document with its objects indexed.
pub(super) struct File<'a> {
    data: &'a [u8],
    pub(super) fuel: &'a Fuel,
    index: HashMap<u32, ObjectLocation, foldhash::fast::FixedState>,
    /// Objects with streams in the order of the file.
    streams: Vec<u32>,
    unpacked: Vec<Zeroizing<Vec<u8>>>,
    root: Option<u32>,
    /// Page objects in the order of the file.
    pages: Vec<u32>,
    /// The last dictionary with fonts.
    resources: Option<u32>,
    pub(super) encryption: Encryption,
    /// The encryption dictionary, and the first part of the document's id.
    encrypt: Object,
    id: Vec<u8>,
    crypt: Option<Crypt>,
    /// The document information dictionary (14.3.3).
    info: Object,
    /// The size of letters of a font whose shapes were read, in its units, and whether they are upside down: other
    /// fonts of the same program are alike.
    pub(super) letter_size: Cell<Option<(f32, bool)>>,
    /// A limit was reached while indexing.
    pub(super) limited: bool,
}

#[derive(Clone, Copy)]
struct ObjectLocation {
    /// Offset in the file: of two objects with one number, the later counts (7.5.6).
    order: usize,
    generation: u16,
    /// The object stream it is in.
    packed: Option<usize>,
    /// Offset of the object.
    at: usize,
    /// The bytes of its stream.
    stream: Option<(usize, usize)>,
}

impl<'a> File<'a> {
    pub(super) fn new(data: &'a [u8], fuel: &'a Fuel) -> Self {
        let mut file = Self {
            data,
            fuel,
            index: HashMap::default(),
            streams: Vec::new(),
            unpacked: Vec::new(),
            root: None,
            pages: Vec::new(),
            resources: None,
            encryption: Encryption::Clear,
            encrypt: Object::Null,
            id: Vec::new(),
            crypt: None,
            info: Object::Null,
            letter_size: Cell::new(None),
            limited: false,
        };
        let packs = file.scan();
        file.trailers();
        if file.encrypt != Object::Null {
            file.decrypt();
        }
        if file.encryption == Encryption::Clear {
            file.unpack(&packs);
        }
        file
    }

    /// Indexes the objects. Returns the object streams.
    fn scan(&mut self) -> Vec<(u32, usize)> {
        let data = self.data;
        let finder = memmem::Finder::new(b"obj");
        let mut packs = Vec::new();
        let mut at = 0;
        while let Some(hit) = data.get(at..).and_then(|d| finder.find(d)).map(|hit| at + hit) {
            at = hit + 3;
            if !self.fuel.burn(8) || self.index.len() >= MAX_OBJECTS {
                self.limited = true;
                break;
            }
            let front = data.get(..hit).unwrap_or_default();
            let Some((number, generation)) = number_before(front) else { continue };
            let mut lexer = Lexer::new(data, at, self.fuel);
            let Some(object) = lexer.object() else { continue };
            let mut place =
                ObjectLocation { order: hit, generation, packed: None, at, stream: None };
            at = lexer.at.max(at);
            if let Object::Dict(dict) = &object {
                place.stream = self.stream_behind(&mut lexer, dict);
                if let Some((start, end)) = place.stream {
                    at = end;
                    // For a long document, a limit on the work means that images are not read.
                    if !self.fuel.burn((end - start) / 64) {
                        break;
                    }
                    self.streams.push(number);
                }
                match dict.get(b"Type").name() {
                    b"ObjStm" => packs.push((number, hit)),
                    b"XRef" => self.trailer(dict),
                    b"Catalog" => self.root = Some(number),
                    b"Page" => self.pages.push(number),
                    b"Pages" => {}
                    _ if dict.has(b"Font") => self.resources = Some(number),
                    _ => {}
                }
                // An encryption dictionary (7.6.3.2), if the trailer that refers to it is missing.
                let named = matches!(dict.get(b"Filter"), Object::Name(_));
                if named && dict.has(b"V") && dict.has(b"O") && dict.has(b"U") {
                    self.encrypt = Object::Reference(number);
                }
            }
            self.index.insert(number, place);
        }
        packs
    }

    /// Offset and length of the stream behind a dictionary (7.3.8).
    fn stream_behind(&self, lexer: &mut Lexer<'_>, dict: &Dict) -> Option<(usize, usize)> {
        if !matches!(lexer.token(), Some(Token::Keyword(b"stream"))) {
            return None;
        }
        let mut start = lexer.at;
        start += usize::from(self.data.get(start) == Some(&b'\r'));
        start += usize::from(self.data.get(start) == Some(&b'\n'));
        let data = self.data.get(start..)?;
        if let Some(length) = dict.get(b"Length").number()
            && length >= 0.0
            && let Some(after) = data.get(length as usize..)
            && memmem::find(after.get(..MAX_SLACK).unwrap_or(after), b"endstream").is_some()
        {
            return Some((start, start + length as usize));
        }
        let end = memmem::find(data, b"endstream").unwrap_or(data.len());
        Some((start, start + end))
    }

    fn trailers(&mut self) {
        let (data, mut at) = (self.data, 0);
        while let Some(hit) = data.get(at..).and_then(|d| memmem::find(d, b"trailer")) {
            at += hit + b"trailer".len();
            if let Some(Object::Dict(dict)) = Lexer::new(data, at, self.fuel).object() {
                self.trailer(&dict);
            }
            if self.fuel.is_empty() {
                return;
            }
        }
    }

    fn trailer(&mut self, dict: &Dict) {
        if dict.has(b"Encrypt") {
            self.encrypt = dict.get(b"Encrypt").clone();
        }
        if let Object::Array(id) = dict.get(b"ID")
            && let Some(Object::String(first)) = id.first()
        {
            self.id.clone_from(first);
        }
        if dict.has(b"Info") {
            self.info = dict.get(b"Info").clone();
        }
        if let Object::Reference(root) = dict.get(b"Root") {
            self.root = Some(*root);
        }
    }

    /// Finds the key of an encrypted document, if it needs no password.
    fn decrypt(&mut self) {
        let mut dict = self.dict(&self.encrypt).unwrap_or_default();
        // Its own values may be references too.
        dict.resolve(|value| self.value(value));
        self.crypt = Crypt::new(&dict, &self.id);
        if self.crypt.is_none() {
            self.encryption = Encryption::Encrypted;
        }
    }

    /// Indexes the object streams (7.5.7).
    fn unpack(&mut self, packs: &[(u32, usize)]) {
        let mut total = 0;
        for &(number, order) in packs {
            let Some((dict, data)) = self.stream(number) else { continue };
            let count = self.value(dict.get(b"N")).number().unwrap_or(0.0) as usize;
            let first = self.value(dict.get(b"First")).number().unwrap_or(0.0) as usize;
            total += data.len();
            if total > MAX_UNPACKED {
                self.limited = true;
                return;
            }
            let mut header = Lexer::new(&data, 0, self.fuel);
            let packed = self.unpacked.len();
            for _ in 0..count.min(MAX_OBJECTS) {
                let (Some(Token::Number(number)), Some(Token::Number(at))) =
                    (header.token(), header.token())
                else {
                    break;
                };
                let (number, at) = (number as u32, first.saturating_add(at as usize));
                if self.index.get(&number).is_some_and(|p| p.order > order) {
                    continue;
                }
                if self.index.len() >= MAX_OBJECTS {
                    self.limited = true;
                    break;
                }
                if let Some(Object::Dict(dict)) = Lexer::new(&data, at, self.fuel).object() {
                    match dict.get(b"Type").name() {
                        b"Catalog" if self.root.is_none() => self.root = Some(number),
                        b"Page" => self.pages.push(number),
                        _ => {}
                    }
                }
                let place =
                    ObjectLocation { order, generation: 0, packed: Some(packed), at, stream: None };
                self.index.insert(number, place);
            }
            self.unpacked.push(Zeroizing::new(data));
        }
    }

    /// The object with this number.
    pub(super) fn object(&self, number: u32) -> Option<Object> {
        let place = self.index.get(&number)?;
        let data = match place.packed {
            Some(packed) => self.unpacked.get(packed)?,
            None => self.data,
        };
        let mut object = Lexer::new(data, place.at, self.fuel).object()?;
        // Objects in an object stream were encrypted with the stream (7.5.7).
        if let (Some(crypt), None) = (&self.crypt, place.packed) {
            crypt.strings(&mut object, number, place.generation);
        }
        Some(object)
    }

    /// `object`, or the object that it refers to.
    pub(super) fn value(&self, object: &Object) -> Object {
        let Object::Reference(mut number) = *object else {
            let paid = self.fuel.burn(object.weight());
            return if paid { object.clone() } else { Object::Null };
        };
        for _ in 0..MAX_HOPS {
            match self.object(number) {
                Some(Object::Reference(next)) => number = next,
                other => return other.unwrap_or_default(),
            }
        }
        Object::Null
    }

    /// The dictionary that `object` is or refers to.
    pub(super) fn dict(&self, object: &Object) -> Option<Dict> {
        match self.value(object) {
            Object::Dict(dict) => Some(dict),
            _ => None,
        }
    }

    /// The items of the array that `object` is or refers to; otherwise itself.
    pub(super) fn array(&self, object: &Object) -> Vec<Object> {
        match self.value(object) {
            Object::Array(items) => items,
            Object::Null => Vec::new(),
            other => {
                vec![if matches!(object, Object::Reference(_)) { object.clone() } else { other }]
            }
        }
    }

    /// The dictionary of a stream and its decoded bytes.
    pub(super) fn stream(&self, number: u32) -> Option<(Dict, Vec<u8>)> {
        let place = self.index.get(&number)?;
        let (start, end) = place.stream?;
        let dict = self.dict(&Object::Reference(number))?;
        // Length as a reference, which can be resolved now: data may contain `endstream`.
        let exact = self.value(dict.get(b"Length")).number().map_or(0, |n| n as usize);
        let behind = self.data.get(start.saturating_add(exact)..).unwrap_or_default();
        let behind = behind.get(..MAX_SLACK).unwrap_or(behind);
        let end = match memmem::find(behind, b"endstream") {
            Some(_) => start + exact,
            None => end,
        };
        let raw = self.data.get(start..end)?;
        let plain = match &self.crypt {
            Some(_) if !self.fuel.burn(raw.len()) => return None,
            Some(crypt) => crypt.stream(&dict, raw, number, place.generation).map(Zeroizing::new),
            None => None,
        };
        let decoded = filters::decode(self, &dict, plain.as_ref().map_or(raw, |plain| plain))?;
        Some((dict, decoded))
    }

    /// The document information.
    pub(super) fn info(&self) -> Option<Dict> {
        self.dict(&self.info)
    }

    /// The catalogue.
    pub(super) fn root(&self) -> Option<Dict> {
        self.dict(&Object::Reference(self.root?))
    }

    /// Page objects in the order of the file, for a document whose page tree is missing.
    pub(super) fn loose_pages(&self) -> &[u32] {
        &self.pages
    }

    /// Resources for a content stream of no page.
    pub(super) fn loose_resources(&self) -> Object {
        self.resources.map_or(Object::Null, Object::Reference)
    }

    /// Objects with streams in the order of the file.
    pub(super) fn streams(&self) -> &[u32] {
        &self.streams
    }
}

/// The number and the generation in `12 0 ` at the end of `data`.
fn number_before(data: &[u8]) -> Option<(u32, u16)> {
    let digits = |data: &[u8]| data.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let cut = |data: &[u8], n: usize| data.len() - n;
    let data = data.trim_ascii_end();
    let generation = digits(data.get(data.len().saturating_sub(MAX_DIGITS)..)?);
    let before = data.get(..cut(data, generation))?;
    let trimmed = before.trim_ascii_end();
    if generation == 0 || trimmed.len() == before.len() {
        return None;
    }
    let count = digits(trimmed.get(trimmed.len().saturating_sub(MAX_DIGITS)..)?);
    let digits = |data: &[u8]| std::str::from_utf8(data).ok()?.parse().ok();
    let generation = data.get(before.len()..).and_then(digits).unwrap_or(0);
    let number = digits(trimmed.get(cut(trimmed, count)..)?)?;
    Some((number, u16::try_from(generation).unwrap_or(0)))
}
