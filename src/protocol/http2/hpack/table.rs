//! The tables of RFC 7541 2.3.

use super::Name;
use std::collections::VecDeque;

/// RFC 7541 appendix A.
const STATIC: [(&str, &str); 61] = [
    (":authority", ""),
    (":method", "GET"),
    (":method", "POST"),
    (":path", "/"),
    (":path", "/index.html"),
    (":scheme", "http"),
    (":scheme", "https"),
    (":status", "200"),
    (":status", "204"),
    (":status", "206"),
    (":status", "304"),
    (":status", "400"),
    (":status", "404"),
    (":status", "500"),
    ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"),
    ("accept-language", ""),
    ("accept-ranges", ""),
    ("accept", ""),
    ("access-control-allow-origin", ""),
    ("age", ""),
    ("allow", ""),
    ("authorization", ""),
    ("cache-control", ""),
    ("content-disposition", ""),
    ("content-encoding", ""),
    ("content-language", ""),
    ("content-length", ""),
    ("content-location", ""),
    ("content-range", ""),
    ("content-type", ""),
    ("cookie", ""),
    ("date", ""),
    ("etag", ""),
    ("expect", ""),
    ("expires", ""),
    ("from", ""),
    ("host", ""),
    ("if-match", ""),
    ("if-modified-since", ""),
    ("if-none-match", ""),
    ("if-range", ""),
    ("if-unmodified-since", ""),
    ("last-modified", ""),
    ("link", ""),
    ("location", ""),
    ("max-forwards", ""),
    ("proxy-authenticate", ""),
    ("proxy-authorization", ""),
    ("range", ""),
    ("referer", ""),
    ("refresh", ""),
    ("retry-after", ""),
    ("server", ""),
    ("set-cookie", ""),
    ("strict-transport-security", ""),
    ("transfer-encoding", ""),
    ("user-agent", ""),
    ("vary", ""),
    ("via", ""),
    ("www-authenticate", ""),
];

/// Size of an entry beyond its name and value (RFC 7541 4.1), bytes.
const OVERHEAD: usize = 32;

/// The initial size of a table (RFC 9113 6.5.2), bytes.
const DEFAULT_SIZE: usize = 4096;

/// Most bytes kept of a table, whatever size the two ends agree on, counted as RFC 7541 does. Older entries are
/// dropped. Indices count from the newest, so the remaining ones stay valid.
const MAX_KEPT: usize = 64 << 10;

/// A name, with what is needed to add it to the table.
#[derive(Clone, Copy)]
pub(super) struct Named {
    pub(super) name: Name,
    pub(super) len: usize,
}

/// The dynamic table of one direction. Fields that are not of interest are counted, not kept.
pub(super) struct Table {
    /// The newest first.
    entries: VecDeque<Entry>,
    size: usize,
    limit: usize,
}

struct Entry {
    name: Named,
    value: Box<[u8]>,
    size: usize,
}

impl Table {
    pub(super) const fn new() -> Self {
        Self { entries: VecDeque::new(), size: 0, limit: DEFAULT_SIZE }
    }

    /// The field with this index; `None`: unknown.
    pub(super) fn get(&self, index: usize) -> Option<(Named, &[u8])> {
        if let Some((name, value)) = STATIC.get(index.checked_sub(1)?) {
            let name = Named { name: Name::of(name.as_bytes()), len: name.len() };
            return Some((name, value.as_bytes()));
        }
        self.entries.get(index - 1 - STATIC.len()).map(|e| (e.name, &*e.value))
    }

    /// RFC 7541 4.4.
    pub(super) fn insert(&mut self, name: Named, value: &[u8]) {
        let size = name.len + value.len() + OVERHEAD;
        if size > self.limit {
            self.clear();
            return;
        }
        let kept = if name.name == Name::Other || size > MAX_KEPT { &[] } else { value };
        let size = size.min(MAX_KEPT);
        self.shrink(self.limit.min(MAX_KEPT) - size);
        self.size += size;
        self.entries.push_front(Entry { name, value: kept.into(), size });
    }

    /// RFC 7541 4.3.
    pub(super) fn resize(&mut self, limit: usize) {
        self.limit = limit;
        self.shrink(limit.min(MAX_KEPT));
    }

    fn shrink(&mut self, size: usize) {
        while self.size > size {
            let Some(oldest) = self.entries.pop_back() else { break };
            self.size -= oldest.size;
        }
    }

    /// Forgets all entries.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.size = 0;
    }

    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn memory(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
            + self.entries.iter().map(|e| e.value.len()).sum::<usize>()
    }
}
