//! A record: one event in its output format, with the metadata that transports need.

/// Bytes before the text of a record in a segment: length, check, time, level, length of the id.
pub(super) const HEAD: usize = 4 + CHECK + 8 + 1 + 1;
/// Bytes of the check: enough against accidental damage; the folder belongs to phitap alone.
const CHECK: usize = 8;
/// Largest plausible record, bytes: an event has a few kilobytes.
pub(super) const MAX_RECORD: usize = 4 << 20;
/// Longest id, bytes.
pub(super) const MAX_ID: usize = 128;

/// One event.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Record {
    /// The same for the same revision of the same event, whenever it is sent: the id of the event, a dash, and a hash
    /// of the text; without the first two if an event has no id.
    pub id: String,
    /// Severity in syslog's numbering, 0 (worst) to 7 (RFC 5424 section 6.2.1).
    pub level: u8,
    /// When it was written, milliseconds of Unix time.
    pub time: u64,
    /// The text, without an end of line.
    pub line: Vec<u8>,
}

impl Record {
    /// A record of `line`, of the event with this id, if it has one.
    pub fn new(event: &str, level: u8, time: u64, line: Vec<u8>) -> Self {
        let hash = blake3::hash(&line).to_hex();
        let hash = hash.get(..24).unwrap_or_default();
        let id = if event.is_empty() { hash.to_owned() } else { format!("{event}-{hash}") };
        Self { id, level, time, line }
    }

    /// The id that all revisions of the event share.
    pub fn event_id(&self) -> &str {
        self.id.split('-').next().unwrap_or_default()
    }

    /// Bytes that it takes.
    pub fn size(&self) -> usize {
        HEAD + self.id.len() + self.line.len()
    }

    /// Appends it to `to` in the form of segments: little-endian lengths, and the check over everything behind it.
    pub(super) fn encode(&self, to: &mut Vec<u8>) {
        let id = self.id.as_bytes();
        let id = id.get(..MAX_ID.min(id.len())).unwrap_or_default();
        let length = (HEAD - 4 + id.len() + self.line.len()) as u32;
        to.extend_from_slice(&length.to_le_bytes());
        let check_at = to.len();
        to.extend_from_slice(&[0; CHECK]);
        to.extend_from_slice(&self.time.to_le_bytes());
        to.push(self.level);
        to.push(id.len() as u8);
        to.extend_from_slice(id);
        to.extend_from_slice(&self.line);
        let hash = blake3::hash(to.get(check_at + CHECK..).unwrap_or_default());
        for (to, from) in to.iter_mut().skip(check_at).zip(hash.as_bytes().iter().take(CHECK)) {
            *to = *from;
        }
    }

    /// Length of the record that begins with these bytes, including its first four; `None` if no record does.
    pub(super) fn length(head: [u8; 4]) -> Option<usize> {
        let length = u32::from_le_bytes(head) as usize;
        (HEAD - 4..=MAX_RECORD).contains(&length).then_some(length + 4)
    }

    /// The record in these bytes, if it is complete.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (check, rest) = bytes.get(4..)?.split_at_checked(CHECK)?;
        if blake3::hash(rest).as_bytes().get(..CHECK)? != check {
            return None;
        }
        let (time, rest) = rest.split_first_chunk::<8>()?;
        let (&[level, id_length], rest) = rest.split_first_chunk::<2>()?;
        let (id, line) = rest.split_at_checked(usize::from(id_length))?;
        Some(Self {
            id: String::from_utf8(id.to_vec()).ok()?,
            level,
            time: u64::from_le_bytes(*time),
            line: line.to_vec(),
        })
    }
}
