//! Open payloads: their table, how they nest, and how bytes become readable: codings, transfer encodings and
//! character sets.

mod budget;
pub mod charset;
pub mod coding;
pub mod media;
mod reader;
pub mod table;
#[cfg(test)]
mod tests;
pub mod transfer_encoding;
mod unread;

pub use budget::{Budget, HEADERS, INFLATER, LARGE_DECODER, OPENING, Reserve};
pub use reader::Nested;
pub use table::{Contents, Env, MAX_DEPTH};
pub use unread::Unread;
