//! Mail: a header (RFC 5322) and a body whose type and encoding the header declares (RFC 2045).

use super::encoded_words;
use crate::content::extract::labels::Labels;
use crate::content::stack::{media, transfer_encoding};
use crate::content::{Document, Ending, Extent, Format, Media, Nested, Reason, Scope, Want};

/// Longest header, bytes.
const MAX_HEADER: usize = 128 << 10;

/// Fields with which a message without any other sign begins.
const FIRST: &[&[u8]] =
    &[b"return-path:", b"received:", b"delivered-to:", b"mime-version:", b"message-id:"];

/// `message/rfc822`, `.eml`.
pub struct Mime;

impl Format for Mime {
    fn name(&self) -> &'static str {
        "mime"
    }

    fn probe(&self, media: &Media<'_>, head: &[u8], _extent: Extent) -> bool {
        let essence = media::essence(media);
        essence.eq_ignore_ascii_case("message/rfc822")
            || essence.eq_ignore_ascii_case("message/global")
            || media::suffix(media).eq_ignore_ascii_case("eml")
            || FIRST
                .iter()
                .any(|field| head.get(..field.len()).is_some_and(|h| h.eq_ignore_ascii_case(field)))
    }

    fn open(&self, _media: &Media<'_>) -> Box<dyn Document> {
        Box::new(Message { header: Vec::new(), searched: 0, body: None })
    }
}

/// What the header of a message or part declares about its body.
#[derive(Default)]
pub struct Entity {
    /// Content-Type.
    pub content_type: String,
    /// Content-Disposition.
    pub disposition: String,
    /// Content-Transfer-Encoding.
    pub encoding: String,
    /// The file name (RFC 2183 2.3, RFC 2231 3); empty without one.
    pub file: String,
    /// Subject, of a message.
    pub subject: String,
}

impl Entity {
    /// Reads a header, including folded lines.
    pub fn new(header: &[u8]) -> Self {
        let header = crate::content::stack::charset::text(header, None);
        let mut entity = Self::default();
        let mut open: Option<&mut String> = None;
        for line in header.lines() {
            // RFC 5322 2.2.3: a line that starts with white space continues the field.
            if line.starts_with([' ', '\t']) {
                if let Some(value) = open.as_mut() {
                    value.push(' ');
                    value.push_str(line.trim());
                }
                continue;
            }
            open = None;
            let Some((name, value)) = line.split_once(':') else { continue };
            let slot = match name.trim() {
                n if n.eq_ignore_ascii_case("content-type") => &mut entity.content_type,
                n if n.eq_ignore_ascii_case("content-disposition") => &mut entity.disposition,
                n if n.eq_ignore_ascii_case("content-transfer-encoding") => &mut entity.encoding,
                n if n.eq_ignore_ascii_case("subject") => &mut entity.subject,
                _ => continue,
            };
            value.trim().clone_into(slot);
            open = Some(slot);
        }
        entity.file = encoded_words::parameter(&entity.disposition, "filename")
            .or_else(|| encoded_words::parameter(&entity.content_type, "name"))
            .unwrap_or_default();
        entity
    }

    /// The body, which takes its bytes as on the wire.
    pub fn body(&self) -> Nested {
        let media = Media::Type { content_type: &self.content_type, name: &self.file };
        transfer_encoding::undo(&self.encoding, &media)
    }
}

struct Message {
    header: Vec<u8>,
    /// Bytes of the header known not to contain its end.
    searched: usize,
    body: Option<Nested>,
}

impl Document for Message {
    fn data(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> Want {
        if let Some(body) = self.body.as_mut() {
            return body.data(bytes, scope);
        }
        let before = self.header.len();
        let room = MAX_HEADER.saturating_sub(before);
        self.header.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        let Some(end) = header_end(&self.header, self.searched) else {
            if self.header.len() >= MAX_HEADER {
                scope.give_up(Reason::Limit);
                return Want::NOTHING;
            }
            self.searched = self.header.len().saturating_sub(3);
            return Want::ALL;
        };
        let header = std::mem::take(&mut self.header);
        let mut entity = Entity::new(header.get(..end).unwrap_or(&header));
        // RFC 2045 5.2.
        if entity.content_type.is_empty() {
            "text/plain".clone_into(&mut entity.content_type);
        }
        if !entity.subject.is_empty() {
            let mut labels = Labels::new("mime");
            labels.line(&encoded_words::decode(&entity.subject), scope);
            labels.emit(scope);
        }
        let body = self.body.insert(entity.body());
        match bytes.get(end.saturating_sub(before)..) {
            Some(rest @ [_, ..]) => body.data(rest, scope),
            _ => Want::ALL,
        }
    }

    fn gap(&mut self, len: u64, scope: &mut Scope<'_>) -> Want {
        self.body.as_mut().map_or(Want::NOTHING, |body| body.gap(len, scope))
    }

    fn end(&mut self, ending: Ending, scope: &mut Scope<'_>) {
        if let Some(body) = self.body.as_mut() {
            body.end(ending, scope);
        }
    }

    fn memory(&self) -> usize {
        self.header.capacity() + self.body.as_ref().map_or(0, Nested::memory)
    }
}

/// Length of the header with the empty line behind it.
fn header_end(data: &[u8], from: usize) -> Option<usize> {
    match data {
        [b'\r', b'\n', ..] => return Some(2),
        [b'\n', ..] => return Some(1),
        _ => {}
    }
    memchr::memchr_iter(b'\n', data.get(from..)?).find_map(|at| match data.get(from + at + 1..) {
        Some([b'\n', ..]) => Some(from + at + 2),
        Some([b'\r', b'\n', ..]) => Some(from + at + 3),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
