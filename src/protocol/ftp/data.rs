//! A data connection: one file or listing.

use crate::protocol::content_writer::ContentWriter;
use crate::protocol::encrypted::is_handshake;
use crate::protocol::{
    Authentication, ContentSink, Direction, End, Hint, Media, ParseError, Parser, Progress, Resync,
    ServiceFacts, http,
};

/// What the control connection announced of a transfer.
#[derive(Clone, Default)]
pub(super) struct Transfer {
    /// Who logged in.
    pub login: Login,
    /// `RETR`, `STOR`, `LIST`...
    pub operation: &'static str,
    /// The file; empty if the working directory is listed.
    pub path: String,
}

/// Who logged in, and how.
#[derive(Clone, Default)]
pub(super) struct Login {
    pub user: Option<String>,
    pub authentication: Authentication,
    pub in_clear: bool,
    /// Without a password.
    pub anonymous: bool,
    pub software: Option<String>,
}

/// Reads a data connection.
pub(super) struct DataParser {
    transfer: Transfer,
    /// A file goes one way. Which one is not known from the control connection, as either end may have opened this
    /// connection.
    sides: [Option<ContentWriter>; 2],
}

impl DataParser {
    pub const fn new(transfer: Transfer) -> Self {
        Self { transfer, sides: [const { None }; 2] }
    }

    fn writer(
        &mut self,
        direction: Direction,
        sink: &mut dyn ContentSink,
    ) -> Option<&mut ContentWriter> {
        let Self { transfer, sides } = self;
        let side = sides.get_mut(direction.index())?;
        Some(side.get_or_insert_with(|| {
            transfer.set_facts(sink.facts());
            sink.unit("file");
            let media = Media::Type { content_type: "", name: &transfer.path };
            let operation = transfer.operation;
            ContentWriter::open(
                &Hint { direction, media, operation, codings: &[], layer: "ftp" },
                sink,
            )
        }))
    }
}

impl Transfer {
    /// The service is that of the control connection.
    fn set_facts(&self, facts: &mut ServiceFacts) {
        facts.software.clone_from(&self.login.software);
        facts.authentication = self.login.authentication;
        facts.credentials_in_clear = self.login.in_clear;
        facts.anonymous = self.login.anonymous;
        let files = facts.files();
        files.user.clone_from(&self.login.user);
        ServiceFacts::set(&mut files.method, self.operation);
        ServiceFacts::set(&mut files.path, &http::mask_path(&self.path));
    }
}

impl Parser for DataParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        if is_handshake(data) && self.sides.iter().all(Option::is_none) {
            // The data connection is protected although the control connection is not (RFC 4217 7).
            return Ok(Progress { switch: true, ..Progress::consumed(0) });
        }
        let Some(writer) = self.writer(direction, sink) else {
            return Ok(Progress::consumed(data.len()));
        };
        writer.data(data, sink);
        let skip = writer.take_unwanted();
        Ok(Progress::skip(data.len(), skip))
    }

    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        if let Some(writer) = self.writer(direction, sink) {
            writer.gap(len, sink);
        }
        Resync::Known { skip: 0 }
    }

    fn resync(&mut self, _direction: Direction, _data: &[u8]) -> Option<usize> {
        Some(0)
    }

    fn close(&mut self, direction: Direction, _rest: &[u8], end: End, sink: &mut dyn ContentSink) {
        if let Some(writer) = self.sides.get_mut(direction.index()).and_then(Option::take) {
            writer.close(end.into(), sink);
        }
    }

    fn memory(&self) -> usize {
        self.transfer.path.capacity()
    }
}
