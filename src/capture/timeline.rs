//! Several files as one timeline.

use super::file::Reader;
use super::{BATCH_PACKETS, Batch, Fault, Input, Source, Status};
use std::path::Path;

/// Capture files merged by packet time. Within a file the order of the file holds; between files the
/// earlier packet comes first, and of equal ones that of the file named first.
pub struct Timeline {
    readers: Vec<Reader>,
    faults: Vec<Fault>,
    failed: Vec<Input>,
}

impl Timeline {
    /// Opens files. Those that cannot be opened become faults; the others are read.
    pub fn open<P: AsRef<Path>>(paths: &[P]) -> Self {
        let mut timeline = Self { readers: Vec::new(), faults: Vec::new(), failed: Vec::new() };
        for path in paths {
            let index = u16::try_from(timeline.readers.len()).unwrap_or(u16::MAX);
            match Reader::open(path.as_ref(), index) {
                Ok(mut reader) => {
                    // The very first record may be faulty: then no packet is ever taken from it.
                    if let Some(fault) = reader.take_fault() {
                        timeline.fail(fault);
                    }
                    timeline.readers.push(reader);
                }
                Err(fault) => timeline.fail(fault),
            }
        }
        timeline
    }

    fn fail(&mut self, fault: Fault) {
        self.failed.push(Input {
            name: fault.name.clone(),
            fault: Some(fault.describe()),
            ..Input::default()
        });
        self.faults.push(fault);
    }

    /// How many files could be opened.
    pub fn readable(&self) -> usize {
        self.readers.len()
    }

    /// Bytes of all files that could be opened.
    pub fn size(&self) -> u64 {
        self.readers.iter().map(|r| r.block().bytes().len() as u64).sum()
    }

    /// The reader of the earliest packet, and the time until which it stays the earliest.
    fn earliest(&self) -> Option<(usize, Option<crate::time::Timestamp>)> {
        let (mut first, mut second): (Option<(crate::time::Timestamp, usize)>, _) = (None, None);
        for (index, reader) in self.readers.iter().enumerate() {
            let Some(packet) = reader.peek() else { continue };
            match first {
                Some((time, _)) if packet.time >= time => {
                    second = Some(
                        second.map_or(packet.time, |s: crate::time::Timestamp| s.min(packet.time)),
                    );
                }
                _ => {
                    second = first.map(|(time, _)| second.map_or(time, |s| s.min(time)));
                    first = Some((packet.time, index));
                }
            }
        }
        first.map(|(_, index)| (index, second))
    }
}

impl Source for Timeline {
    fn fill(&mut self, batch: &mut Batch) -> Status {
        while batch.packets.len() < BATCH_PACKETS {
            let Some((index, until)) = self.earliest() else {
                return if batch.packets.is_empty() { Status::End } else { Status::More };
            };
            let reader = &mut self.readers[index];
            let block = batch.block(reader.block());
            let room = BATCH_PACKETS - batch.packets.len();
            for n in 0..room {
                // The first packet is the earliest by choice; a later one must be earlier than every
                // other file's next (equal times: back to the choice, which knows the order).
                match (reader.peek(), until) {
                    (Some(packet), Some(until)) if n > 0 && packet.time >= until => break,
                    (None, _) => break,
                    _ => {}
                }
                if let Some(mut packet) = reader.take() {
                    packet.block = block;
                    batch.packets.push(packet);
                }
            }
            if let Some(fault) = self.readers[index].take_fault() {
                self.failed
                    .push(Input { fault: Some(fault.describe()), ..self.readers[index].input() });
                self.faults.push(fault);
            }
        }
        Status::More
    }

    fn take_faults(&mut self) -> Vec<Fault> {
        std::mem::take(&mut self.faults)
    }

    fn position(&self) -> u64 {
        self.readers.iter().map(Reader::position).sum()
    }

    fn inputs(&self) -> Vec<Input> {
        let faulty = |name: &str| self.failed.iter().find(|f| f.name == name);
        let mut inputs: Vec<Input> = self
            .readers
            .iter()
            .map(Reader::input)
            .map(|i| Input { fault: faulty(&i.name).and_then(|f| f.fault.clone()), ..i })
            .collect();
        let unread = |f: &&Input| !self.readers.iter().any(|r| r.input().name == f.name);
        inputs.extend(self.failed.iter().filter(unread).cloned());
        inputs
    }
}
