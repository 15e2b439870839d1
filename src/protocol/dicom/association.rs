//! The parser: PDUs, PDVs and messages of one association (PS3.8 9.3, annex E).

use super::associate::{self, AssociationRole, Negotiation, Rejection};
use super::contexts::Contexts;
use super::ledger::Ledger;
use super::message::{Messages, Stage};
use super::pdu::{self, PDU_HEADER, PDV_HEADER, PduHeader, PdvHeader};
use crate::protocol::content_writer::ContentWriter;
use crate::protocol::{
    Authentication, ContentSink, Direction, End, Ending, Hint, Media, Outcome, ParseError, Parser,
    Progress, Reason, Resync, ServiceFacts,
};

/// Bytes searched for a PDU in one direction after an error before it is given up.
const MAX_SEARCH: usize = 1 << 20;
/// Longest PDU whose length is trusted although its content is malformed, bytes.
const MAX_TRUSTED: u32 = 1 << 20;
/// Bytes kept of a search without result: they may hold the beginning of a header.
const SEARCH_TAIL: usize = 128;

/// One association.
#[derive(Default)]
pub(super) struct Association {
    contexts: Contexts,
    ledger: Ledger,
    sides: [DirectionState; 2],
}

/// One direction.
#[derive(Default)]
struct DirectionState {
    at: DirectionPhase,
    messages: Messages,
    /// Longest P-DATA-TF PDU that the other end accepts.
    max_pdu: Option<u32>,
    /// Bytes searched so far without result.
    searched: usize,
    closed: bool,
}

/// The state of a direction.
#[derive(Clone, Copy, Default)]
enum DirectionPhase {
    /// At a PDU header.
    #[default]
    Pdu,
    /// In an A-ASSOCIATE-RQ or -AC.
    Associate(Negotiation),
    /// In another control PDU, with this many bytes left.
    Control(u8, u32),
    /// At a PDV header, with this many bytes of the PDU left.
    Pdv(u32),
    /// In a PDV.
    Value {
        pdv: PdvHeader,
        /// Remaining bytes of the value.
        left: u32,
        /// Bytes of the PDU behind it.
        behind: u32,
    },
    /// Searching for a PDU header.
    Lost,
}

impl Parser for Association {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let mut used = 0;
        loop {
            let rest = &data[used..];
            if rest.is_empty() {
                return Ok(Progress::consumed(used));
            }
            let progress =
                self.step(direction, rest, sink).map_err(|reason| ParseError::new(reason, used))?;
            if !progress.continues() {
                return Ok(progress.after(used));
            }
            used += progress.consumed;
        }
    }

    fn gap(&mut self, direction: Direction, len: u64, sink: &mut dyn ContentSink) -> Resync {
        let side = &mut self.sides[direction.index()];
        let at = std::mem::take(&mut side.at);
        if let DirectionPhase::Value { pdv, left, behind } = at
            && len <= u64::from(left)
        {
            let left = left - len as u32;
            let wish = side.messages.get(pdv.context).map_or(u64::MAX, |m| m.gap(len, sink));
            let skip = self.value_rest(direction, pdv, left, behind, wish, sink);
            return Resync::Known { skip };
        }
        if let DirectionPhase::Value { left, behind, .. } = at
            && let Some(rest) = (u64::from(left) + u64::from(behind)).checked_sub(len)
        {
            // PDV headers are missing, but the end of the PDU is known.
            side.messages.clear(sink);
            return Resync::Known { skip: rest };
        }
        // Headers are missing: where the current fragment ends is unknown.
        side.messages.clear(sink);
        Resync::Search
    }

    fn resync(&mut self, direction: Direction, data: &[u8]) -> Option<usize> {
        self.sides[direction.index()].at = DirectionPhase::Pdu;
        pdu::search(data)
    }

    fn close(&mut self, direction: Direction, _rest: &[u8], _end: End, sink: &mut dyn ContentSink) {
        let side = &mut self.sides[direction.index()];
        side.messages.clear(sink);
        side.closed = true;
        if self.sides.iter().all(|s| s.closed) {
            self.ledger.end(sink);
        }
    }

    fn memory(&self) -> usize {
        size_of::<Self>()
            + self.contexts.memory()
            + self.ledger.memory()
            + self.sides.iter().map(|s| s.messages.memory()).sum::<usize>()
    }
}

impl Association {
    fn step(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, Reason> {
        let side = &mut self.sides[direction.index()];
        match side.at {
            DirectionPhase::Pdu => self.pdu(direction, data, sink),
            DirectionPhase::Associate(negotiation) => {
                self.associate(direction, data, negotiation, sink)
            }
            DirectionPhase::Control(kind, len) => self.control(direction, data, kind, len, sink),
            DirectionPhase::Pdv(left) => self.pdv(direction, data, left, sink),
            DirectionPhase::Value { pdv, left, behind } => {
                let take = data.len().min(left as usize);
                let wish = match side.messages.get(pdv.context) {
                    Some(message) if message.skip() > 0 => {
                        // Left over from an earlier fragment.
                        let skip = message.skip();
                        let skip = self.value_rest(direction, pdv, left, behind, skip, sink);
                        return Ok(Progress::skip(0, skip));
                    }
                    Some(message) => message.feed(&data[..take], sink),
                    None => u64::MAX,
                };
                let left = left - take as u32;
                let skip = self.value_rest(direction, pdv, left, behind, wish, sink);
                Ok(Progress::skip(take, skip))
            }
            DirectionPhase::Lost => self.find(direction, data, sink),
        }
    }

    /// At a PDU header.
    fn pdu(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, Reason> {
        let Some(header) = PduHeader::read(data) else {
            return Ok(Progress::need(0, PDU_HEADER));
        };
        let side = &mut self.sides[direction.index()];
        if !header.is_sane() {
            sink.anomaly(Reason::Malformed);
            side.messages.clear(sink);
            if header.is_foreign(data.get(1).copied().unwrap_or(1)) {
                return Ok(Progress::skip(PDU_HEADER, u64::from(header.len)));
            }
            side.at = DirectionPhase::Lost;
            return Ok(Progress::consumed(0));
        }
        side.searched = 0;
        match header.kind {
            pdu::DATA_TF if header.exceeds(side.max_pdu) => {
                sink.anomaly(Reason::Limit);
                side.messages.clear(sink);
                side.at = DirectionPhase::Lost;
            }
            pdu::DATA_TF => {
                side.at = DirectionPhase::Pdv(header.len);
                self.mind_authentication(sink);
            }
            pdu::ASSOCIATE_RQ => {
                for side in &mut self.sides {
                    side.messages.clear(sink);
                }
                self.ledger.end(sink);
                let negotiation = Negotiation::new(AssociationRole::Requestor, header.len);
                self.sides[direction.index()].at = DirectionPhase::Associate(negotiation);
            }
            pdu::ASSOCIATE_AC => {
                side.at = DirectionPhase::Associate(Negotiation::new(
                    AssociationRole::Acceptor,
                    header.len,
                ));
            }
            kind => side.at = DirectionPhase::Control(kind, header.len),
        }
        Ok(Progress::consumed(PDU_HEADER))
    }

    /// In an A-ASSOCIATE-RQ or -AC.
    fn associate(
        &mut self,
        direction: Direction,
        data: &[u8],
        mut negotiation: Negotiation,
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, Reason> {
        let progress = negotiation.read(data, &mut self.contexts, sink.facts());
        if progress.need > 0 {
            return Ok(progress);
        }
        let over = negotiation.is_over();
        let at = if over { DirectionPhase::Pdu } else { DirectionPhase::Associate(negotiation) };
        self.sides[direction.index()].at = at;
        if over {
            self.negotiated(direction, negotiation.speaks(), sink);
        }
        Ok(progress)
    }

    /// An A-ASSOCIATE-RQ or -AC has ended.
    fn negotiated(
        &mut self,
        direction: Direction,
        speaks: AssociationRole,
        sink: &mut dyn ContentSink,
    ) {
        sink.unit("pdu");
        let association = sink.facts().dicom().association();
        // What one end accepts limits what the other may send.
        let max = association.max_pdu[speaks as usize];
        self.sides[1 - direction.index()].max_pdu = max;
        if speaks == AssociationRole::Acceptor {
            self.contexts.answered();
            association.outcome = Some(Outcome::Accepted);
            sink.unit("association");
            sink.activity().count("association", "accepted");
            self.mind_authentication(sink);
        }
        sink.facts().dicom().association().contexts = self.contexts.counts();
    }

    /// In an A-ASSOCIATE-RJ, A-RELEASE or A-ABORT, whose whole content is four bytes.
    fn control(
        &mut self,
        direction: Direction,
        data: &[u8],
        kind: u8,
        len: u32,
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, Reason> {
        const BODY: usize = 4;
        let Some(body) = data.get(..BODY) else {
            return Ok(Progress::need(0, BODY));
        };
        self.sides[direction.index()].at = DirectionPhase::Pdu;
        sink.unit("pdu");
        match kind {
            pdu::ASSOCIATE_RJ => {
                let rejection = Rejection::read(body);
                let Rejection { result, source, reason } = rejection;
                let facts = sink.facts().dicom();
                ServiceFacts::set(&mut facts.rejected, &format!("{result}, {source}: {reason}"));
                facts.association().outcome = Some(rejection.outcome());
                sink.activity().count("association", "rejected");
                sink.activity().count("rejection", reason);
            }
            pdu::ABORT => {
                let reason = associate::abort(body);
                ServiceFacts::set(&mut sink.facts().dicom().aborted, reason);
                sink.activity().count("association", "aborted");
                sink.activity().count("abort", reason);
                self.ledger.end(sink);
            }
            pdu::RELEASE_RP => {
                sink.activity().count("association", "released");
                self.ledger.end(sink);
            }
            _ => {}
        }
        Ok(Progress::skip(BODY, u64::from(len) - BODY as u64))
    }

    /// Without the request, it is unknown whether it held a user identity.
    fn mind_authentication(&self, sink: &mut dyn ContentSink) {
        let facts = sink.facts();
        if !self.contexts.requested() && facts.authentication == Authentication::None {
            facts.authentication = Authentication::Unknown;
        }
    }

    /// At a PDV header with `left` bytes of the PDU left.
    fn pdv(
        &mut self,
        direction: Direction,
        data: &[u8],
        left: u32,
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, Reason> {
        let side = &mut self.sides[direction.index()];
        if left == 0 {
            side.at = DirectionPhase::Pdu;
            return Ok(Progress::consumed(0));
        }
        let pdv = if left < PDV_HEADER as u32 {
            None
        } else {
            match PdvHeader::read(data) {
                None => return Ok(Progress::need(0, PDV_HEADER)),
                pdv => pdv.filter(|p| p.fits(left) && p.is_sane()),
            }
        };
        let Some(pdv) = pdv else {
            sink.anomaly(Reason::Malformed);
            side.messages.clear(sink);
            if left > MAX_TRUSTED {
                side.at = DirectionPhase::Lost;
                return Ok(Progress::consumed(0));
            }
            // The length of the PDU still holds: continue behind it.
            side.at = DirectionPhase::Pdu;
            return Ok(Progress::skip(0, u64::from(left)));
        };
        self.fragment(direction, pdv, sink);
        let (value, behind) = (pdv.len - 2, left - 4 - pdv.len);
        self.value_rest(direction, pdv, value, behind, 0, sink);
        Ok(Progress::consumed(PDV_HEADER))
    }

    /// A fragment begins: finds or starts its message.
    fn fragment(&mut self, direction: Direction, pdv: PdvHeader, sink: &mut dyn ContentSink) {
        let messages = &mut self.sides[direction.index()].messages;
        let stage = messages.get(pdv.context).map(|m| &mut m.stage);
        if pdv.is_command() {
            if !matches!(stage, Some(Stage::Command(_) | Stage::Broken)) {
                messages.start(pdv.context, Stage::Command(Box::default()), sink);
                if self.contexts.is_foreign(pdv.context) {
                    // It is read all the same, since some senders use contexts that were not negotiated.
                    sink.anomaly(Reason::Malformed);
                }
            }
            return;
        }
        let syntax = self.contexts.transfer_syntax(pdv.context);
        let stage = match stage {
            Some(Stage::Data(_)) => return,
            Some(Stage::Announced(command)) => {
                let command = std::mem::take(command);
                ServiceFacts::add(&mut sink.facts().dicom().transfer_syntaxes, syntax);
                let hint = Hint {
                    direction,
                    media: Media::DicomDataSet {
                        transfer_syntax: syntax,
                        query: command.is_query(),
                    },
                    operation: command.operation(),
                    codings: &[],
                    layer: "",
                };
                Stage::Data(ContentWriter::open(&hint, sink))
            }
            // Its command set was not seen, so this may be the middle of a data set: the format must find a beginning
            // in it.
            Some(Stage::Command(_) | Stage::Broken) | None => {
                let hint = Hint {
                    direction,
                    media: Media::Type { content_type: "application/dicom", name: "" },
                    operation: "",
                    codings: &[],
                    layer: "",
                };
                Stage::Data(ContentWriter::open(&hint, sink))
            }
        };
        match messages.get(pdv.context) {
            Some(message) => message.stage = stage,
            None => messages.start(pdv.context, stage, sink),
        }
    }

    /// Notes that `left` bytes of a value follow, of which `wish` are not wanted. Returns how many to skip: at most
    /// to the end of the fragment, where the next header must be read.
    fn value_rest(
        &mut self,
        direction: Direction,
        pdv: PdvHeader,
        left: u32,
        behind: u32,
        wish: u64,
        sink: &mut dyn ContentSink,
    ) -> u64 {
        let skip = wish.min(u64::from(left));
        let left = left - skip as u32;
        let side = &mut self.sides[direction.index()];
        if skip > 0
            && let Some(message) = side.messages.get(pdv.context)
        {
            message.skipped(skip);
        }
        if left > 0 {
            side.at = DirectionPhase::Value { pdv, left, behind };
        } else {
            side.at = DirectionPhase::Pdv(behind);
            if pdv.is_last() {
                self.last(direction, pdv, sink);
            }
        }
        skip
    }

    /// The last fragment of a command set or data set has ended.
    fn last(&mut self, direction: Direction, pdv: PdvHeader, sink: &mut dyn ContentSink) {
        let messages = &mut self.sides[direction.index()].messages;
        let Some(message) = messages.get(pdv.context) else {
            return;
        };
        match &mut message.stage {
            Stage::Command(reader) => match std::mem::take(&mut **reader).finish() {
                Some(command) => {
                    let class = self.contexts.abstract_syntax(pdv.context);
                    self.ledger.command(&command, class, sink);
                    if command.has_data_set {
                        message.stage = Stage::Announced(Box::new(command));
                    } else {
                        messages.remove(pdv.context, Ending::Complete, sink);
                    }
                }
                None => {
                    // Its data set, if any, is read without it.
                    sink.anomaly(Reason::Malformed);
                    messages.remove(pdv.context, Ending::Cut, sink);
                }
            },
            Stage::Broken | Stage::Announced(_) => messages.remove(pdv.context, Ending::Cut, sink),
            Stage::Data(_) => messages.remove(pdv.context, Ending::Complete, sink),
        }
    }

    /// Searches for a PDU behind malformed bytes.
    fn find(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, Reason> {
        let side = &mut self.sides[direction.index()];
        if let Some(offset) = pdu::search(data) {
            side.at = DirectionPhase::Pdu;
            return Ok(Progress::consumed(offset));
        }
        let passed = data.len().saturating_sub(SEARCH_TAIL);
        side.searched = side.searched.saturating_add(passed);
        if side.searched > MAX_SEARCH {
            sink.anomaly(Reason::Malformed);
            return Err(Reason::Malformed);
        }
        Ok(match passed {
            0 => Progress::need(0, data.len() + 1),
            passed => Progress::consumed(passed),
        })
    }
}
