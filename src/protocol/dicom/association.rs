//! The parser: PDUs, PDVs and messages of one association (PS3.8 9.3, annex E).

use super::associate::{self, Contexts};
use super::dimse::Command;
use super::message::{Messages, Stage};
use super::pdu::{self, PDU_HEADER, PDV_HEADER, PduHeader, PdvHeader};
use crate::protocol::{
    Authentication, Direction, End, Hint, Host, Media, ParseError, Parser, Progress, Reason,
    Resync, ServiceFacts,
};

/// Bytes searched for a PDU in one direction, after bytes that were none, before it is given up.
const MAX_SEARCH: usize = 1 << 20;
/// Longest PDU whose length is believed although its contents are wrong, bytes.
const MAX_TRUSTED: u32 = 1 << 20;
/// Bytes kept of a search without result: a header may have begun in them.
const SEARCH_TAIL: usize = 128;

/// One association.
#[derive(Default)]
pub(super) struct Association {
    contexts: Contexts,
    sides: [Side; 2],
}

/// One direction.
#[derive(Default)]
struct Side {
    at: At,
    messages: Messages,
    /// Bytes searched in vain so far.
    searched: usize,
}

/// Where a direction stands.
#[derive(Clone, Copy, Default)]
enum At {
    /// At a PDU header.
    #[default]
    Pdu,
    /// At a PDV header, with this many bytes of the PDU left.
    Pdv(u32),
    /// In a PDV.
    Value {
        pdv: PdvHeader,
        /// Bytes left of the value.
        left: u32,
        /// Bytes of the PDU behind it.
        behind: u32,
    },
    /// Looking for a PDU header.
    Lost,
}

impl Parser for Association {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        host: &mut dyn Host,
    ) -> Result<Progress, ParseError> {
        let mut used = 0;
        loop {
            let rest = &data[used..];
            if rest.is_empty() {
                return Ok(Progress::consumed(used));
            }
            match self.step(direction, rest, host) {
                Step::Read(n) => used += n,
                Step::Need(n) => return Ok(Progress::need(used, n)),
                Step::Skip(n, skip) => return Ok(Progress::skip(used + n, skip)),
                Step::Fail(reason) => return Err(ParseError::new(reason, used)),
            }
        }
    }

    fn gap(&mut self, direction: Direction, len: u64, host: &mut dyn Host) -> Resync {
        let side = &mut self.sides[direction.index()];
        let at = std::mem::take(&mut side.at);
        if let At::Value { pdv, left, behind } = at
            && len <= u64::from(left)
        {
            let left = left - len as u32;
            let wish = side.messages.get(pdv.context).map_or(u64::MAX, |m| m.gap(len, host));
            let skip = self.value_rest(direction, pdv, left, behind, wish, host);
            return Resync::Known { skip };
        }
        if let At::Value { left, behind, .. } = at
            && let Some(rest) = (u64::from(left) + u64::from(behind)).checked_sub(len)
        {
            // PDV headers are missing, but the end of the PDU is known.
            side.messages.clear(host);
            return Resync::Known { skip: rest };
        }
        // Headers are missing: nobody knows where what is under way goes on.
        side.messages.clear(host);
        Resync::Search
    }

    fn resync(&mut self, direction: Direction, data: &[u8]) -> Option<usize> {
        self.sides[direction.index()].at = At::Pdu;
        pdu::search(data)
    }

    fn close(&mut self, direction: Direction, _rest: &[u8], _end: End, host: &mut dyn Host) {
        self.sides[direction.index()].messages.clear(host);
    }

    fn memory(&self) -> usize {
        size_of::<Self>()
            + self.contexts.memory()
            + self.sides.iter().map(|s| s.messages.memory()).sum::<usize>()
    }
}

/// What one step came to.
enum Step {
    /// Bytes read.
    Read(usize),
    /// Bytes that must be there.
    Need(usize),
    /// Bytes read, and bytes behind them of no interest.
    Skip(usize, u64),
    /// This direction cannot be read.
    Fail(Reason),
}

impl Association {
    fn step(&mut self, direction: Direction, data: &[u8], host: &mut dyn Host) -> Step {
        let side = &mut self.sides[direction.index()];
        match side.at {
            At::Pdu => self.pdu(direction, data, host),
            At::Pdv(left) => self.pdv(direction, data, left, host),
            At::Value { pdv, left, behind } => {
                let take = data.len().min(left as usize);
                let wish = match side.messages.get(pdv.context) {
                    Some(message) if message.skip() > 0 => {
                        // Left over from an earlier fragment.
                        let skip = message.skip();
                        let skip = self.value_rest(direction, pdv, left, behind, skip, host);
                        return Step::Skip(0, skip);
                    }
                    Some(message) => message.feed(&data[..take], host),
                    None => u64::MAX,
                };
                let left = left - take as u32;
                match self.value_rest(direction, pdv, left, behind, wish, host) {
                    0 => Step::Read(take),
                    skip => Step::Skip(take, skip),
                }
            }
            At::Lost => self.find(direction, data, host),
        }
    }

    /// At a PDU header.
    fn pdu(&mut self, direction: Direction, data: &[u8], host: &mut dyn Host) -> Step {
        let Some(header) = PduHeader::read(data) else {
            return Step::Need(PDU_HEADER);
        };
        let side = &mut self.sides[direction.index()];
        if !header.is_sane() {
            host.anomaly(Reason::Malformed);
            side.messages.clear(host);
            side.at = At::Lost;
            return Step::Read(0);
        }
        side.searched = 0;
        if header.kind == pdu::DATA_TF {
            side.at = At::Pdv(header.len);
            self.mind_authentication(host);
            return Step::Read(PDU_HEADER);
        }
        if header.len > pdu::MAX_CONTROL {
            host.anomaly(Reason::Limit);
            return Step::Skip(PDU_HEADER, u64::from(header.len));
        }
        let total = PDU_HEADER + header.len as usize;
        let Some(body) = data.get(PDU_HEADER..total) else {
            return Step::Need(total);
        };
        self.control(header.kind, body, host);
        Step::Read(total)
    }

    fn control(&mut self, kind: u8, body: &[u8], host: &mut dyn Host) {
        match kind {
            pdu::ASSOCIATE_RQ => {
                for side in &mut self.sides {
                    side.messages.clear(host);
                }
                associate::request(body, &mut self.contexts, host.facts());
            }
            pdu::ASSOCIATE_AC => {
                associate::accept(body, &mut self.contexts, host.facts());
                self.mind_authentication(host);
            }
            pdu::ASSOCIATE_RJ => {
                ServiceFacts::set(&mut host.facts().rejected, &associate::rejection(body));
            }
            pdu::ABORT => ServiceFacts::set(&mut host.facts().aborted, &associate::abort(body)),
            _ => {}
        }
        host.unit("pdu");
    }

    /// Where the request was not seen, nobody knows whether a user identity was in it.
    fn mind_authentication(&self, host: &mut dyn Host) {
        let facts = host.facts();
        if !self.contexts.requested() && facts.authentication == Authentication::None {
            facts.authentication = Authentication::Unknown;
        }
    }

    /// At a PDV header with `left` bytes of the PDU to come.
    fn pdv(&mut self, direction: Direction, data: &[u8], left: u32, host: &mut dyn Host) -> Step {
        let side = &mut self.sides[direction.index()];
        if left == 0 {
            side.at = At::Pdu;
            return Step::Read(0);
        }
        let pdv = if left < PDV_HEADER as u32 {
            None
        } else {
            match PdvHeader::read(data) {
                None => return Step::Need(PDV_HEADER),
                pdv => pdv.filter(|p| p.fits(left) && p.is_sane()),
            }
        };
        let Some(pdv) = pdv else {
            host.anomaly(Reason::Malformed);
            side.messages.clear(host);
            if left > MAX_TRUSTED {
                side.at = At::Lost;
                return Step::Read(0);
            }
            // The length of the PDU still holds: go on behind it.
            side.at = At::Pdu;
            return Step::Skip(0, u64::from(left));
        };
        self.fragment(direction, pdv, host);
        let (value, behind) = (pdv.len - 2, left - 4 - pdv.len);
        self.value_rest(direction, pdv, value, behind, 0, host);
        Step::Read(PDV_HEADER)
    }

    /// A fragment begins: finds or starts its message.
    fn fragment(&mut self, direction: Direction, pdv: PdvHeader, host: &mut dyn Host) {
        let messages = &mut self.sides[direction.index()].messages;
        let stage = messages.get(pdv.context).map(|m| &mut m.stage);
        if pdv.is_command() {
            if !matches!(stage, Some(Stage::Command(_) | Stage::Broken)) {
                messages.start(pdv.context, Stage::Command(Vec::new()), host);
            }
            return;
        }
        let syntax = self.contexts.transfer_syntax(pdv.context);
        let stage = match stage {
            Some(Stage::Data { .. }) => return,
            Some(Stage::Announced(command)) => {
                let command = std::mem::take(command);
                ServiceFacts::add(&mut host.facts().transfer_syntaxes, syntax);
                let content = host.open(&Hint {
                    direction,
                    media: Media::DicomDataSet {
                        transfer_syntax: syntax,
                        query: command.is_query(),
                    },
                    operation: command.operation(),
                    codings: &[],
                    layer: "",
                });
                Stage::Data { content, skip: 0 }
            }
            // Its command set was not seen, so this may as well be the middle of a data set: the
            // content must find a beginning in it.
            Some(Stage::Command(_) | Stage::Broken) | None => {
                let content = host.open(&Hint {
                    direction,
                    media: Media::Type { content_type: "application/dicom", name: "" },
                    operation: "",
                    codings: &[],
                    layer: "",
                });
                Stage::Data { content, skip: 0 }
            }
        };
        match messages.get(pdv.context) {
            Some(message) => message.stage = stage,
            None => messages.start(pdv.context, stage, host),
        }
    }

    /// Takes note that `left` bytes of a value are to come, of which `wish` are not wanted. Returns
    /// how many to skip: at most to the end of the fragment, where the next header must be read.
    fn value_rest(
        &mut self,
        direction: Direction,
        pdv: PdvHeader,
        left: u32,
        behind: u32,
        wish: u64,
        host: &mut dyn Host,
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
            side.at = At::Value { pdv, left, behind };
        } else {
            side.at = At::Pdv(behind);
            if pdv.is_last() {
                self.last(direction, pdv, host);
            }
        }
        skip
    }

    /// The last fragment of a command set or data set has ended.
    fn last(&mut self, direction: Direction, pdv: PdvHeader, host: &mut dyn Host) {
        let messages = &mut self.sides[direction.index()].messages;
        let Some(message) = messages.get(pdv.context) else {
            return;
        };
        match &message.stage {
            Stage::Command(bytes) => match Command::read(bytes) {
                Some(command) => {
                    host.unit("dimse");
                    let facts = host.facts();
                    ServiceFacts::add(&mut facts.dimse, command.operation());
                    let proposed = self.contexts.abstract_syntax(pdv.context);
                    let class = command.sop_class.as_deref().unwrap_or(proposed);
                    ServiceFacts::add(&mut facts.sop_classes, class);
                    if command.has_data_set {
                        message.stage = Stage::Announced(command);
                    } else {
                        messages.remove(pdv.context, true, host);
                    }
                }
                None => {
                    // The data set that follows, if any, is read without it.
                    host.anomaly(Reason::Malformed);
                    messages.remove(pdv.context, false, host);
                }
            },
            Stage::Broken | Stage::Announced(_) => messages.remove(pdv.context, false, host),
            Stage::Data { .. } => messages.remove(pdv.context, true, host),
        }
    }

    /// Looks for a PDU behind bytes that were none.
    fn find(&mut self, direction: Direction, data: &[u8], host: &mut dyn Host) -> Step {
        let side = &mut self.sides[direction.index()];
        if let Some(offset) = pdu::search(data) {
            side.at = At::Pdu;
            return Step::Read(offset);
        }
        let passed = data.len().saturating_sub(SEARCH_TAIL);
        side.searched = side.searched.saturating_add(passed);
        if side.searched > MAX_SEARCH {
            host.anomaly(Reason::Malformed);
            return Step::Fail(Reason::Malformed);
        }
        match passed {
            0 => Step::Need(data.len() + 1),
            passed => Step::Read(passed),
        }
    }
}
