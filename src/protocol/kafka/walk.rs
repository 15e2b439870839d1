//! Walks through a message to its records: topics, their partitions, and batches.

use super::batch;
use super::wire::{FETCH, PRODUCE, Reader};
use crate::syntax::ElementError;

/// Most topics and partitions of a message.
const MAX_COUNT: u64 = 1 << 20;

/// The next part of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    Head,
    Topic,
    Partition,
    Records,
    PartitionEnd,
}

/// Result of a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// This many bytes were read.
    Read(usize),
    /// A batch of this many bytes is at the front.
    Batch(usize),
    /// A batch of this many bytes is at the front, too large to be read.
    TooLarge(usize),
    /// Nothing of interest follows.
    Done,
}

/// Position in a message.
#[derive(Debug)]
pub struct Walk {
    api: i16,
    version: i16,
    part: Part,
    /// Remaining topics, and partitions of the topic.
    topics: u64,
    partitions: u64,
    /// Remaining bytes of records in the partition.
    records: u64,
    /// The topic, as a path.
    pub topic: String,
    /// The layout is unknown: batches are searched for.
    scan: bool,
}

impl Walk {
    /// Starts at a Produce request or a Fetch response.
    pub fn new(api: i16, version: i16) -> Option<Self> {
        matches!(api, PRODUCE | FETCH).then(|| Self::at(api, version, false))
    }

    /// Starts at a response whose request was not seen.
    pub fn unknown() -> Self {
        Self::at(FETCH, 0, true)
    }

    const fn at(api: i16, version: i16, scan: bool) -> Self {
        let part = Part::Head;
        Self {
            api,
            version,
            part,
            topics: 0,
            partitions: 0,
            records: 0,
            topic: String::new(),
            scan,
        }
    }

    const fn is_flexible(&self) -> bool {
        super::wire::is_flexible(self.api, self.version)
    }

    /// `len` bytes of records were read or skipped.
    pub fn passed(&mut self, len: usize) {
        self.records = self.records.saturating_sub(len as u64);
    }

    /// The next step over `data`; `last`: the rest of the message is there.
    pub fn step(&mut self, data: &[u8], last: bool) -> Result<Step, ElementError> {
        if self.scan {
            return self.scan(data, last);
        }
        let flexible = self.is_flexible();
        let mut reader = Reader::new(data);
        match self.part {
            Part::Head => {
                match self.api {
                    PRODUCE => {
                        if self.version >= 3 {
                            reader.string(flexible)?;
                        }
                        reader.bytes(6)?;
                    }
                    _ => {
                        reader.bytes(match self.version {
                            0 => 0,
                            1..=6 => 4,
                            _ => 10,
                        })?;
                    }
                }
                self.topics = count(&mut reader, flexible)?;
                self.part = Part::Topic;
            }
            Part::Topic => {
                if self.topics == 0 {
                    return Ok(Step::Done);
                }
                // Newer versions name topics by their ids (KIP-516).
                let name = match self.version {
                    13.. => {
                        reader.bytes(16)?;
                        &[][..]
                    }
                    _ => reader.string(flexible)?.unwrap_or_default(),
                };
                self.partitions = count(&mut reader, flexible)?;
                self.topic.clear();
                self.topic.push_str(&String::from_utf8_lossy(name).replace('.', "/"));
                self.part = Part::Partition;
            }
            Part::Partition if self.partitions == 0 => {
                reader.tags(flexible)?;
                self.topics -= 1;
                self.part = Part::Topic;
            }
            Part::Partition => {
                reader.bytes(4)?;
                if self.api == FETCH {
                    reader.bytes(match self.version {
                        0..=3 => 10,
                        4 => 18,
                        _ => 26,
                    })?;
                    if self.version >= 4 {
                        reader.aborted(flexible)?;
                    }
                    if self.version >= 11 {
                        reader.bytes(4)?;
                    }
                }
                self.records = reader.length(flexible, false)?.unwrap_or(0);
                self.part = Part::Records;
            }
            Part::Records if self.records == 0 => self.part = Part::PartitionEnd,
            Part::Records => return self.batch(data),
            Part::PartitionEnd => {
                reader.tags(flexible)?;
                self.partitions -= 1;
                self.part = Part::Partition;
            }
        }
        Ok(Step::Read(reader.used()))
    }

    /// A batch. A broker cuts the last one if the answer would become too large.
    fn batch(&mut self, data: &[u8]) -> Result<Step, ElementError> {
        let size = match batch::size(data) {
            Ok(size) if size as u64 <= self.records => size,
            Err(ElementError::Need(need)) if self.records > data.len() as u64 => {
                return Err(ElementError::Need(need));
            }
            _ => {
                let rest = usize::try_from(self.records).unwrap_or(usize::MAX);
                return Ok(Step::TooLarge(rest));
            }
        };
        match size {
            ..=batch::MAX_BATCH if data.len() < size => Err(ElementError::Need(size)),
            ..=batch::MAX_BATCH => Ok(Step::Batch(size)),
            _ => Ok(Step::TooLarge(size)),
        }
    }

    fn scan(&mut self, data: &[u8], last: bool) -> Result<Step, ElementError> {
        match batch::find(data) {
            Some(0) => match batch::size(data)? {
                size @ ..=batch::MAX_BATCH if data.len() >= size => Ok(Step::Batch(size)),
                ..=batch::MAX_BATCH if last => Ok(Step::Done),
                size @ ..=batch::MAX_BATCH => Err(ElementError::Need(size)),
                size => Ok(Step::TooLarge(size)),
            },
            Some(at) => Ok(Step::Read(at)),
            None if last => Ok(Step::Done),
            None if data.len() < batch::HEAD => Err(ElementError::Need(batch::HEAD)),
            None => Ok(Step::Read(data.len() - batch::HEAD + 1)),
        }
    }
}

fn count(reader: &mut Reader<'_>, flexible: bool) -> Result<u64, ElementError> {
    match reader.length(flexible, false)?.unwrap_or(0) {
        count if count > MAX_COUNT => Err(ElementError::Malformed),
        count => Ok(count),
    }
}
