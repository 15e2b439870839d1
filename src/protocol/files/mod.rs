//! The open files of a connection, and the pairing of requests and answers.
//!
//! The two directions of a connection may be seen in any order, so whichever of request and answer comes second takes
//! effect for both.

mod document;
mod share;
#[cfg(test)]
mod tests;

pub use document::MAX_HELD;
pub use share::Share;

use super::content_writer::ContentWriter;
use super::{ContentSink, Direction, Ending};
use document::{Document, OVERHEAD, Opening};
use std::collections::BTreeMap;

/// Longest file name kept, bytes.
pub const MAX_NAME: usize = 1024;
/// Files open at the same time.
const MAX_FILES: usize = 128;
/// Requests without an answer, and answers without a request.
const MAX_PENDING: usize = 1024;
/// Shares connected to at the same time.
const MAX_TREES: usize = 64;

/// Identifies a file: the session, and the handle itself or a hash of it.
pub type Handle = (u64, [u8; 16]);

/// A request or an answer, whichever was seen first.
enum Pending {
    /// A request for a file, by its number here.
    Create(u32),
    /// The opening of a file; `None` if it was refused.
    Created(Option<Handle>),
    /// A request for a piece of this file, from this offset on.
    Read(u32, u64),
    /// A request to close a file.
    Close(u32),
    /// The answer to it.
    Closed,
    /// A request to connect to a share.
    Tree(Share),
    /// A connected share: session, number, and whether it has pipes.
    Connected(u64, u32, bool),
    /// A request for the handle of a file of this name.
    Lookup(String),
}

/// An open file.
struct File {
    serial: u32,
    handle: Option<Handle>,
    /// Its opening was seen, so it begins at 0.
    known: bool,
    name: String,
    tree: (u64, u32),
    written: Option<Document>,
    read: Option<Document>,
    /// Everything that was written is on the server's disk.
    settled: bool,
    /// The offset up to which it was written at that time.
    wrote: Option<u64>,
}

/// Destination of the bytes of a piece.
pub struct Piece {
    to: DataTarget,
    /// The offset of the next byte in the file.
    at: u64,
    pub left: u64,
}

enum DataTarget {
    /// A file, by its number, and the direction.
    File(u32, Direction),
    /// A read whose request was not seen, by its message id.
    Orphan(u64, u64),
    Nowhere,
}

/// Data whose request was not seen.
#[derive(Default)]
struct Orphan {
    bytes: Vec<u8>,
    ended: bool,
}

/// The files of a connection.
pub struct Files {
    /// Name of the protocol's layer.
    layer: &'static str,
    files: Vec<File>,
    serial: u32,
    pending: BTreeMap<u64, Pending>,
    trees: BTreeMap<(u64, u32), Share>,
    /// The share requested last.
    share: Share,
    orphans: BTreeMap<u64, Orphan>,
    /// The payload of data without requests.
    orphan: Option<ContentWriter>,
    held: usize,
    /// Requests were seen.
    pub asked: bool,
}

impl Files {
    /// The files of a connection that speaks the protocol `layer`.
    pub fn new(layer: &'static str) -> Self {
        Self {
            layer,
            files: Vec::new(),
            serial: 0,
            pending: BTreeMap::new(),
            trees: BTreeMap::new(),
            share: Share::default(),
            orphans: BTreeMap::new(),
            orphan: None,
            held: 0,
            asked: false,
        }
    }

    fn put(&mut self, message: u64, pending: Pending) {
        if self.pending.len() >= MAX_PENDING {
            self.pending.pop_first();
        }
        self.pending.insert(message, pending);
    }

    // --- shares ------------------------------------------------------------------------------

    pub fn tree(&mut self, message: u64, share: Share) {
        if !share.pipes {
            self.share = share.clone();
        }
        match self.pending.remove(&message) {
            Some(Pending::Connected(session, tree, pipes)) => {
                self.connect((session, tree), pipes, share);
            }
            _ => self.put(message, Pending::Tree(share)),
        }
    }

    pub fn connected(&mut self, message: u64, session: u64, tree: u32, pipes: bool) {
        match self.pending.remove(&message) {
            Some(Pending::Tree(share)) => self.connect((session, tree), pipes, share),
            _ => self.put(message, Pending::Connected(session, tree, pipes)),
        }
    }

    fn connect(&mut self, key: (u64, u32), pipes: bool, share: Share) {
        if self.trees.len() >= MAX_TREES && !self.trees.contains_key(&key) {
            self.trees.pop_first();
        }
        self.trees.insert(key, Share { pipes: pipes || share.pipes, ..share });
    }

    // --- opening and closing -----------------------------------------------------------------

    /// A file is requested; returns its number.
    pub fn create(
        &mut self,
        message: u64,
        tree: (u64, u32),
        name: String,
        sink: &mut dyn ContentSink,
    ) -> u32 {
        match self.pending.remove(&message) {
            Some(Pending::Created(None)) => 0,
            Some(Pending::Created(Some(handle))) => {
                // Data may have been written before the answer to the request was seen.
                if let Some(file) = self.files.iter_mut().find(|f| f.handle == Some(handle)) {
                    (file.name, file.tree) = (name, tree);
                    return file.serial;
                }
                self.add(Some(handle), true, name, tree, sink)
            }
            _ => {
                let serial = self.add(None, true, name, tree, sink);
                self.put(message, Pending::Create(serial));
                serial
            }
        }
    }

    pub fn created(&mut self, message: u64, handle: Option<Handle>, sink: &mut dyn ContentSink) {
        match (self.pending.remove(&message), handle) {
            (Some(Pending::Create(serial)), Some(handle)) => self.name(serial, handle),
            (Some(Pending::Create(serial)), None) => self.remove(serial, Ending::Cut, sink),
            _ => self.put(message, Pending::Created(handle)),
        }
    }

    fn name(&mut self, serial: u32, handle: Handle) {
        // A handle may be reused; the newer file has it.
        for file in &mut self.files {
            if file.serial == serial {
                file.handle = Some(handle);
            } else if file.handle == Some(handle) {
                file.handle = None;
            }
        }
    }

    fn add(
        &mut self,
        handle: Option<Handle>,
        known: bool,
        name: String,
        tree: (u64, u32),
        sink: &mut dyn ContentSink,
    ) -> u32 {
        if self.files.len() >= MAX_FILES {
            let idle = self.files.iter().find(|f| f.written.is_none() && f.read.is_none());
            if let Some(serial) = idle.or(self.files.first()).map(|f| f.serial) {
                self.remove(serial, Ending::Cut, sink);
            }
        }
        self.serial = self.serial.wrapping_add(1).max(1);
        let serial = self.serial;
        let (written, read, settled, wrote) = (None, None, false, None);
        self.files.push(File { serial, handle, known, name, tree, written, read, settled, wrote });
        serial
    }

    /// The file with this handle. If its opening was not seen, it is the only requested file without a handle, or one
    /// from before the capture.
    pub fn find(&mut self, handle: Handle, tree: u32, sink: &mut dyn ContentSink) -> u32 {
        if let Some(file) = self.files.iter().find(|f| f.handle == Some(handle)) {
            return file.serial;
        }
        let mut nameless = self.files.iter_mut().filter(|f| f.handle.is_none());
        if let (Some(file), None) = (nameless.next(), nameless.next()) {
            file.handle = Some(handle);
            return file.serial;
        }
        self.add(Some(handle), false, String::new(), (handle.0, tree), sink)
    }

    /// A request to close a file: nothing more is written.
    pub fn close(&mut self, message: u64, serial: u32, sink: &mut dyn ContentSink) {
        if let Some(Pending::Closed) = self.pending.remove(&message) {
            self.remove(serial, Ending::Complete, sink);
        } else {
            self.end(serial, Direction::ClientToServer, Ending::Complete, sink);
            self.put(message, Pending::Close(serial));
        }
    }

    /// A file was closed: nothing more is read.
    pub fn closed(&mut self, message: u64, sink: &mut dyn ContentSink) {
        if !self.asked {
            self.end_orphans(sink);
        } else if let Some(Pending::Close(serial)) = self.pending.remove(&message) {
            self.remove(serial, Ending::Complete, sink);
        } else {
            self.put(message, Pending::Closed);
        }
    }

    fn remove(&mut self, serial: u32, ending: Ending, sink: &mut dyn ContentSink) {
        for direction in [Direction::ClientToServer, Direction::ServerToClient] {
            self.end(serial, direction, ending, sink);
        }
        self.files.retain(|f| f.serial != serial);
    }

    fn end(
        &mut self,
        serial: u32,
        direction: Direction,
        ending: Ending,
        sink: &mut dyn ContentSink,
    ) {
        self.with(serial, direction, |document, held, opening| {
            if let Some(document) = document.take() {
                document.close(ending, held, opening, sink);
            }
        });
    }

    /// Calls `f` with a document of a file, if that is open and no pipe.
    fn with<R>(
        &mut self,
        serial: u32,
        direction: Direction,
        f: impl FnOnce(&mut Option<Document>, &mut usize, Opening<'_>) -> R,
    ) -> Option<R> {
        let file = self.files.iter_mut().find(|f| f.serial == serial)?;
        let share = self.trees.get(&file.tree).unwrap_or(&self.share);
        if share.pipes {
            return None;
        }
        let path = share.path(&file.name);
        let layer = self.layer;
        let name = file.name.rsplit('\\').next().unwrap_or_default();
        // `report.pdf:stream` names a stream of the file (MS-FSCC 2.1.5).
        let name = name.split(':').next().unwrap_or_default();
        let document = match direction {
            Direction::ClientToServer => &mut file.written,
            Direction::ServerToClient => &mut file.read,
        };
        Some(f(document, &mut self.held, Opening { layer, direction, name, path: &path }))
    }

    // --- handles that outlive their use (NFS) --------------------------------------------------

    /// The handle of a file called `name` is requested.
    pub fn lookup(&mut self, message: u64, name: String, sink: &mut dyn ContentSink) {
        match self.pending.remove(&message) {
            Some(Pending::Created(handle)) => self.found_as(handle, name, sink),
            _ => self.put(message, Pending::Lookup(name)),
        }
    }

    /// The answer: `handle`, or `None` if there is no such file.
    pub fn found(&mut self, message: u64, handle: Option<Handle>, sink: &mut dyn ContentSink) {
        match self.pending.remove(&message) {
            Some(Pending::Lookup(name)) => self.found_as(handle, name, sink),
            _ => self.put(message, Pending::Created(handle)),
        }
    }

    fn found_as(&mut self, handle: Option<Handle>, name: String, sink: &mut dyn ContentSink) {
        let Some(handle) = handle else { return };
        match self.files.iter_mut().find(|f| f.handle == Some(handle)) {
            Some(file) => file.name = name,
            None => {
                self.add(Some(handle), true, name, (handle.0, 0), sink);
            }
        }
    }

    /// Everything written of a file is to be committed. Unless the next request continues it, the file is complete.
    pub fn settle(&mut self, serial: u32) {
        if let Some(file) = self.files.iter_mut().find(|f| f.serial == serial) {
            file.settled = true;
        }
    }

    /// A request for the file `serial`, or for none (0): other committed files are complete.
    pub fn turn_to(&mut self, serial: u32, sink: &mut dyn ContentSink) {
        while let Some(file) = self.files.iter_mut().find(|f| f.settled) {
            file.settled = false;
            let other = file.serial;
            if other != serial {
                file.wrote = file.written.as_ref().map(Document::next).or(file.wrote);
                self.end(other, Direction::ClientToServer, Ending::Complete, sink);
            }
        }
    }

    /// The server says that the file requested by `message` ends with the piece of `len` bytes in its answer.
    pub fn ends(&mut self, message: u64, len: u64, sink: &mut dyn ContentSink) {
        if let Some(Pending::Read(serial, at)) = self.pending.get(&message) {
            let (serial, end) = (*serial, at.saturating_add(len));
            let document = self.files.iter_mut().find(|f| f.serial == serial);
            if let Some(document) = document.and_then(|f| f.read.as_mut()) {
                document.ends(end);
            }
            self.end_read(serial, sink);
        }
    }

    /// The request `message` was refused, or is answered with no data.
    pub fn refused(&mut self, message: u64) {
        self.pending.remove(&message);
    }

    /// Passes on what was read of a file, complete if its end was reached.
    fn end_read(&mut self, serial: u32, sink: &mut dyn ContentSink) {
        let document = self.files.iter().find(|f| f.serial == serial).and_then(|f| f.read.as_ref());
        if document.is_some_and(Document::is_whole) {
            self.end(serial, Direction::ServerToClient, Ending::Complete, sink);
        }
    }

    // --- pieces ------------------------------------------------------------------------------

    /// A piece of `len` bytes is written at `at`.
    pub fn write(&mut self, serial: u32, at: u64, len: u64, sink: &mut dyn ContentSink) -> Piece {
        let direction = Direction::ClientToServer;
        let file = self.files.iter().find(|f| f.serial == serial);
        let known = file.is_some_and(|f| f.known && f.wrote != Some(at));
        let begun = self.with(serial, direction, |slot, held, opening| {
            // Writing from the start again makes another version of the file.
            if at == 0
                && let Some(document) = slot.take_if(|d| d.next() > 0)
            {
                document.close(Ending::Complete, held, opening, sink);
            }
            // All ones: at the end of the file (2.2.21).
            let document = slot
                .get_or_insert_with(|| Document::new(if known || at == u64::MAX { 0 } else { at }));
            if at == u64::MAX { document.next() } else { at }
        });
        match begun {
            Some(at) => Piece { to: DataTarget::File(serial, direction), at, left: len },
            None => Piece { to: DataTarget::Nowhere, at, left: len },
        }
    }

    /// A piece at `at` is requested.
    pub fn read(&mut self, message: u64, serial: u32, at: u64, sink: &mut dyn ContentSink) {
        let known = self.files.iter().any(|f| f.serial == serial && f.known);
        self.with(serial, Direction::ServerToClient, |slot, _, _| {
            slot.get_or_insert_with(|| Document::new(if known { 0 } else { at }));
        });
        if let Some(orphan) = self.orphans.remove(&message) {
            self.held = self.held.saturating_sub(orphan.bytes.len() + OVERHEAD);
            let left = orphan.bytes.len() as u64;
            let to = DataTarget::File(serial, Direction::ServerToClient);
            self.data(&mut Piece { to, at, left }, &orphan.bytes, sink);
            if orphan.ended {
                return;
            }
        }
        self.put(message, Pending::Read(serial, at));
    }

    /// A piece of `len` bytes was read.
    pub fn answer(&mut self, message: u64, len: u64) -> Piece {
        match self.pending.remove(&message) {
            Some(Pending::Read(serial, at)) => {
                let to = DataTarget::File(serial, Direction::ServerToClient);
                Piece { to, at, left: len }
            }
            _ => Piece { to: DataTarget::Orphan(message, 0), at: 0, left: len },
        }
    }

    /// The next bytes of a piece. Returns how many of the following bytes to skip.
    pub fn data(&mut self, piece: &mut Piece, bytes: &[u8], sink: &mut dyn ContentSink) -> u64 {
        let mut unwanted = 0;
        if let DataTarget::Orphan(message, came) = piece.to
            && let Some(Pending::Read(serial, at)) = self.pending.get(&message)
        {
            piece.to = DataTarget::File(*serial, Direction::ServerToClient);
            piece.at = at.saturating_add(came);
            self.pending.remove(&message);
        }
        match &mut piece.to {
            DataTarget::File(serial, direction) => {
                let (serial, direction, at) = (*serial, *direction, piece.at);
                let taken = self.with(serial, direction, |slot, held, opening| {
                    slot.as_mut().map_or(u64::MAX, |d| d.piece(at, bytes, held, opening, sink))
                });
                unwanted = taken.unwrap_or(u64::MAX);
                piece.at = at.saturating_add(bytes.len() as u64);
                // Only at its end, so that the amount passed on does not depend on segmentation.
                if direction == Direction::ServerToClient && piece.left <= bytes.len() as u64 {
                    self.end_read(serial, sink);
                }
            }
            DataTarget::Orphan(message, came) => {
                *came = came.saturating_add(bytes.len() as u64);
                let (message, last) = (*message, piece.left <= bytes.len() as u64);
                self.orphan(message, bytes, last, sink);
            }
            DataTarget::Nowhere => unwanted = u64::MAX,
        }
        piece.left = piece.left.saturating_sub(bytes.len() as u64);
        unwanted.min(piece.left)
    }

    /// `len` bytes of a piece were skipped.
    pub fn pass(&mut self, piece: &mut Piece, len: u64, sink: &mut dyn ContentSink) {
        let end = piece.at.saturating_add(len);
        if let DataTarget::File(serial, direction) = piece.to {
            self.with(serial, direction, |slot, held, opening| {
                if let Some(document) = slot {
                    document.pass(piece.at, end, held, opening, sink);
                }
            });
            if direction == Direction::ServerToClient && piece.left <= len {
                self.end_read(serial, sink);
            }
        }
        piece.at = end;
        piece.left = piece.left.saturating_sub(len);
    }

    /// `len` bytes of a piece are missing.
    pub fn lose(&mut self, piece: &mut Piece, len: u64, sink: &mut dyn ContentSink) {
        let len = len.min(piece.left);
        let end = piece.at.saturating_add(len);
        match &mut piece.to {
            DataTarget::File(serial, direction) => {
                self.with(*serial, *direction, |slot, held, opening| {
                    if let Some(document) = slot {
                        document.lose(piece.at, end, held, opening, sink);
                    }
                });
            }
            // Held pieces of it can no longer be placed.
            DataTarget::Orphan(..) => piece.to = DataTarget::Nowhere,
            DataTarget::Nowhere => {}
        }
        piece.at = end;
        piece.left -= len;
    }

    // --- data without a request --------------------------------------------------------------

    fn orphan(&mut self, message: u64, bytes: &[u8], last: bool, sink: &mut dyn ContentSink) {
        let full = self.held + bytes.len() + OVERHEAD > MAX_HELD;
        if self.asked && !full && self.orphans.len() < MAX_PENDING {
            let orphan = self.orphans.entry(message).or_insert_with(|| {
                self.held += OVERHEAD;
                Orphan::default()
            });
            orphan.bytes.extend_from_slice(bytes);
            orphan.ended = last;
            self.held += bytes.len();
            return;
        }
        // No request will come: data is read in the order in which it arrives.
        self.flush_orphans(sink);
        self.orphan_outlet(sink).data(bytes, sink);
    }

    fn orphan_outlet(&mut self, sink: &mut dyn ContentSink) -> &mut ContentWriter {
        self.orphan.get_or_insert_with(|| {
            let direction = Direction::ServerToClient;
            Opening { layer: self.layer, direction, name: "", path: "" }.open(sink)
        })
    }

    fn flush_orphans(&mut self, sink: &mut dyn ContentSink) {
        for (_, orphan) in std::mem::take(&mut self.orphans) {
            self.held = self.held.saturating_sub(orphan.bytes.len() + OVERHEAD);
            self.orphan_outlet(sink).data(&orphan.bytes, sink);
        }
    }

    fn end_orphans(&mut self, sink: &mut dyn ContentSink) {
        self.flush_orphans(sink);
        if let Some(writer) = self.orphan.take() {
            writer.close(Ending::Cut, sink);
        }
    }

    /// Nothing more follows.
    pub fn finish(&mut self, sink: &mut dyn ContentSink) {
        while let Some(serial) = self.files.first().map(|f| f.serial) {
            self.remove(serial, Ending::Cut, sink);
        }
        self.end_orphans(sink);
    }

    pub fn memory(&self) -> usize {
        // Names are far shorter than their limit.
        self.held
            + self.files.iter().map(|f| size_of::<File>() + f.name.capacity()).sum::<usize>()
            + self.pending.len() * size_of::<(u64, Pending)>()
            + self.trees.len() * (size_of::<Share>() + 16)
    }
}

const _: () = assert!(MAX_FILES * MAX_NAME < MAX_HELD, "names cost less than what is held");
