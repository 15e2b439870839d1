//! A worker with its flow table and the state of each flow. Workers share only what never changes.

mod encrypted;
mod leave;
mod passing_on;

use super::analysis::{Analysis, State};
use super::content_sink::{FlowSink, Shared, StageCounters};
use super::report::{Item, Order, Report, Service};
use super::shedding::Pressure;
use super::work::{Backlog, WARM, Work, WorkBatch};
use crate::capture::PacketRef;
use crate::config::Limits;
use crate::decode::Decoded;
use crate::flow::{Arrival, End, FlowHead, Handler, Side, Table, TableLimits};
use crate::identify::{Finding, ValueCache};
use crate::protocol::datagrams::frame_datagram;
use crate::protocol::encrypted::{Encryption, probe_datagram};
use crate::protocol::expected::ExpectedFlows;
use crate::protocol::tls::HandshakeReader;
use crate::protocol::{Driver, DriverLimits, PROTOCOLS, Reason, is_service};
use crate::rules::RuleSet;
use crate::time::Timestamp;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Most datagrams of a UDP flow that are probed.
const UDP_LOOKS: u8 = 4;

/// Items after which a report is passed on before its batch ends. A packet of compressed rows may
/// bring thousands.
const MAX_ITEMS: usize = 1024;

/// Most consecutive batches with fewer than [`FEW_ITEMS`] results before a report is sent anyway. Results
/// of other workers wait until the collector knows how far this one has come.
const MAX_PUT_OFF: u32 = 8;
/// Items that wait for a later batch, if more batches are queued: each report may wake the collector.
const FEW_ITEMS: usize = 64;

/// Work in one step after which a flow's memory is measured again.
const GROWS: u64 = 16 << 10;

/// One worker.
pub struct Worker {
    table: Table<State>,
    context: Context,
    clock: Timestamp,
    reported: Reported,
    put_off: u32,
}

/// Gauge values already reported.
#[derive(Default)]
struct Reported {
    active: i64,
    memory: i64,
}

/// State that all flows of a worker use.
struct Context {
    shared: Arc<Shared>,
    /// The active rules, and the generation of the reload that brought them.
    rules: Arc<RuleSet>,
    generation: u64,
    limits: DriverLimits,
    /// The time that events carry.
    now: Timestamp,
    /// The time that time-outs follow.
    clock: Timestamp,
    /// The current packet.
    here: PacketRef,
    packet: u64,
    n: u32,
    findings: Vec<Finding>,
    values: ValueCache,
    /// Set if the flow grew much in the last step.
    grew: bool,
    pressure: Pressure,
    /// Flows announced by other flows.
    expected: ExpectedFlows,
    /// A datagram framed as in a stream.
    frame: Vec<u8>,
    counters: StageCounters,
    report: Report,
}

impl Worker {
    /// Creates one of `workers` workers, with its share of the memory.
    pub fn new(shared: Arc<Shared>, limits: &Limits, workers: usize) -> Self {
        let memory = limits.flow_memory() / workers.max(1) as u64;
        let memory = usize::try_from(memory).unwrap_or(usize::MAX);
        let values = ValueCache::within(memory, Arc::clone(&shared.units));
        let kept = values.most_memory() + shared.units.most_memory() / workers.max(1);
        let table = TableLimits {
            flows: limits.flows,
            memory: memory.saturating_sub(kept),
            window: limits.window,
            tcp_idle: limits.tcp_idle,
            udp_idle: limits.udp_idle,
        };
        let driver = DriverLimits { buffer: limits.parser_buffer, recognise: limits.recognise };
        Self {
            table: Table::new(table),
            context: Context {
                rules: shared.rules.current(),
                generation: 0,
                shared,
                limits: driver,
                now: Timestamp::default(),
                clock: Timestamp::default(),
                here: PacketRef::default(),
                packet: 0,
                n: 0,
                findings: Vec::new(),
                values,
                grew: false,
                pressure: Pressure::None,
                expected: ExpectedFlows::default(),
                frame: Vec::new(),
                counters: StageCounters::default(),
                report: Report::default(),
            },
            clock: Timestamp::default(),
            reported: Reported::default(),
            put_off: 0,
        }
    }

    /// Sets the pressure under which it reads from now on.
    pub const fn press(&mut self, pressure: Pressure) {
        self.context.pressure = pressure;
    }

    /// Processes a batch. Results go to `report`: several times if there are many; with a later
    /// batch if there are few and more batches are queued.
    pub fn run(&mut self, batch: &WorkBatch, backlog: Backlog, report: &mut dyn FnMut(Report)) {
        let context = &mut self.context;
        if context.shared.rules.refresh(&mut context.rules, &mut context.generation) {
            context.counters.content.forget();
            context.values.forget();
        }
        for (n, work) in batch.work.iter().enumerate() {
            if n % WARM == 0 {
                self.table.warm(batch.hashes(n));
            }
            match work {
                Work::Segment(segment) => {
                    self.context.step(segment.number, segment.packet.time, segment.clock);
                    self.context.here = segment.packet;
                    self.context.counters.content.reserve.bring(u64::from(segment.decoded.len));
                    let arrival = Arrival {
                        number: segment.number,
                        clock: segment.clock,
                        hash: segment.hash,
                        packet: segment.packet,
                        segment: &segment.decoded,
                        options: batch.options(segment),
                        payload: batch.payload(segment),
                    };
                    self.table.packet(&arrival, &mut self.context);
                    if self.context.report.items.len() >= MAX_ITEMS {
                        report(self.report(segment.number, false));
                    }
                }
                Work::Tick { number, clock, time } => {
                    self.context.step(*number, *time, *clock);
                    self.clock = *time;
                    self.table.tick(*clock, &mut self.context);
                    self.context.expected.expire(*clock);
                }
            }
        }
        if batch.last {
            self.context.step(batch.upto + 1, batch.now, self.context.clock);
            // In chunks: the results of all flows at once might not fit in memory.
            for slots in self.table.oldest_first().chunks(MAX_ITEMS / 4) {
                let flow = self.table.finish_some(slots, &mut self.context);
                report(Report { upto_flow: flow, ..self.report(batch.upto + 1, false) });
            }
        }
        let few = self.context.report.items.len() < FEW_ITEMS;
        let can_wait = backlog == Backlog::Queued && !batch.last && few;
        if can_wait && self.put_off < MAX_PUT_OFF {
            self.put_off += 1;
            return;
        }
        self.put_off = 0;
        report(self.report(batch.upto, batch.last));
    }

    fn report(&mut self, upto: u64, last: bool) -> Report {
        let stats = &mut self.context.report.stats;
        let table = self.table.take_stats();
        stats.flows += table.opened;
        if table.evicted > 0 {
            // Counts both directions of each flow.
            *stats.opaque.entry(("unknown", Reason::Memory)).or_default() += 2 * table.evicted;
        }
        stats.evicted_flows += table.evicted;
        stats.gap_bytes += table.tcp.gap_bytes;
        stats.cut_bytes += table.tcp.cut_bytes;
        stats.conflicts += table.tcp.conflicts;
        for (reason, n) in table.tcp.ignored.reasons() {
            if n > 0 {
                *stats.ignored.entry(reason).or_default() += n;
            }
        }
        let (active, memory) = (self.table.active() as i64, self.table.memory() as i64);
        stats.active = active - self.reported.active;
        stats.memory = memory - self.reported.memory;
        self.reported = Reported { active, memory };
        let found = self.context.counters.identify.identifiers().filter(|(_, n)| *n > 0);
        for (kind, n) in found {
            *stats.identifiers.entry(kind).or_default() += n;
        }
        self.context.counters.identify = Default::default();
        let content = &mut self.context.counters.content;
        stats.skipped_bytes += std::mem::take(&mut content.skipped_bytes);
        stats.unpaid_bytes += std::mem::take(&mut content.unpaid_bytes);
        let mut report = std::mem::take(&mut self.context.report);
        (report.upto, report.upto_flow) = (upto, u64::MAX);
        report.clock = self.clock;
        report.last = last;
        // Time-outs and the end of a run close flows in table order, so sort the results.
        report.items.sort_by_key(|(order, _)| *order);
        report
    }
}

impl Context {
    fn step(&mut self, packet: u64, time: Timestamp, clock: Timestamp) {
        if self.packet != packet {
            self.n = 0;
        }
        self.packet = packet;
        self.now = time;
        self.clock = clock;
    }

    /// Starts reading a flow.
    fn reading(&self, flow: &FlowHead) -> State {
        State::Reading(Box::new(Analysis::new(flow, self.limits, self.clock)))
    }

    /// Reads bytes or a gap of a flow. Returns how many of the next bytes are not needed.
    fn read(
        &mut self,
        flow: &FlowHead,
        state: &mut State,
        run: impl FnOnce(&mut Driver, &mut FlowSink<'_>) -> u64,
    ) -> u64 {
        if matches!(state, State::Silent) {
            *state = self.reading(flow);
        }
        self.relate(flow, state);
        let skip = self.analyse(flow, state, run).unwrap_or(u64::MAX);
        if let State::Reading(analysis) = state
            && analysis.is_passed_over()
        {
            self.handshake(flow, analysis);
            *state = State::PassedOver(analysis.encryption);
        }
        skip
    }

    /// Reads a flow as announced if another flow announced it and nothing of it was read yet.
    /// Checked at the first bytes and not at the handshake: the handshake of a passive data
    /// connection precedes the announcement.
    fn relate(&mut self, flow: &FlowHead, state: &mut State) {
        let fresh = match state {
            State::Reading(analysis) => analysis.driver.is_untouched(),
            State::Datagrams { looks, .. } => *looks == 0,
            State::Silent | State::PassedOver { .. } | State::Broken => false,
        };
        let announced = fresh.then(|| self.expected.take(&flow.key, self.clock)).flatten();
        let Some(announced) = announced else { return };
        if let State::Datagrams { .. } = state {
            *state = self.reading(flow);
        }
        if let State::Reading(analysis) = state {
            analysis.driver.orient(flow.orientation);
            analysis.driver.announced(announced);
        }
    }

    fn order(&mut self, flow: &FlowHead) -> Order {
        self.n += 1;
        Order { packet: self.packet, flow: flow.first_packet, n: self.n }
    }

    /// Runs one step of a flow's analysis. A panic in it ends only that flow.
    fn analyse<R: Default>(
        &mut self,
        flow: &FlowHead,
        state: &mut State,
        run: impl FnOnce(&mut Driver, &mut FlowSink<'_>) -> R,
    ) -> Option<R> {
        let State::Reading(analysis) = state else { return None };
        analysis.driver.orient(flow.orientation);
        let before = self.counters.content.work;
        let result = catch_unwind(AssertUnwindSafe(|| {
            let mut host = FlowSink {
                shared: &self.shared,
                rules: analysis.rules.as_deref().unwrap_or(&self.rules),
                contents: &mut analysis.contents,
                patients: &mut analysis.patients,
                values: &mut self.values,
                facts: &mut analysis.facts,
                activity: &mut analysis.activity,
                findings: &mut self.findings,
                counters: &mut self.counters,
                arrivals: &mut analysis.arrivals,
                now: self.now,
            };
            run(&mut analysis.driver, &mut host)
        }));
        self.grew |= self.counters.content.work.wrapping_sub(before) > GROWS;
        match result {
            Ok(result) => {
                analysis.arrivals.settle(analysis.driver.unread());
                let idle = analysis.contents.is_idle() && analysis.patients.is_idle();
                if idle {
                    analysis.rules = None;
                } else {
                    analysis.rules.get_or_insert_with(|| Arc::clone(&self.rules));
                }
                self.settle(flow, analysis);
                Some(result)
            }
            Err(_) => {
                self.counters.content.abandon();
                let protocol = analysis.driver.protocol().unwrap_or("unknown");
                self.settle(flow, analysis);
                *self.report.stats.opaque.entry((protocol, Reason::Panic)).or_default() += 2;
                *state = State::Broken;
                None
            }
        }
    }
}

impl Handler<State> for Context {
    fn open(&mut self, flow: &FlowHead) -> State {
        if flow.key.transport == crate::flow::Transport::Udp {
            return State::Datagrams { looks: 0, encryption: Encryption::Clear };
        }
        State::Silent
    }

    fn data(
        &mut self,
        flow: &FlowHead,
        state: &mut State,
        side: Side,
        bytes: &[u8],
        packet: PacketRef,
    ) -> u64 {
        self.read(flow, state, |driver, host| {
            host.arrivals.arrived(side, bytes.len(), packet);
            host.contents.bring(bytes.len());
            driver.data(side, bytes, host)
        })
    }

    fn gap(&mut self, flow: &FlowHead, state: &mut State, side: Side, len: u64) -> u64 {
        let skip = self.read(flow, state, |driver, host| driver.gap(side, len, host));
        if let State::Reading(analysis) = state {
            let losses = &mut analysis.activity.losses;
            losses.gap_bytes = losses.gap_bytes.saturating_add(len);
        }
        skip
    }

    fn end(&mut self, flow: &FlowHead, state: &mut State, side: Side, end: End) {
        self.analyse(flow, state, |driver, host| driver.close(side, end, host));
    }

    fn datagram(&mut self, flow: &FlowHead, state: &mut State, side: Side, bytes: &[u8]) -> bool {
        if let State::Datagrams { encryption, .. } = state
            && probe_datagram(bytes)
        {
            *encryption = Encryption::Encrypted;
            let Some(reader) = HandshakeReader::of_datagram(bytes) else { return false };
            *state = self.reading(flow);
            if let State::Reading(analysis) = state {
                analysis.encryption = Encryption::Encrypted;
                analysis.driver.shake_datagrams(reader);
            }
        }
        self.relate(flow, state);
        let mut frame = std::mem::take(&mut self.frame);
        frame.clear();
        let framed = match state {
            State::Reading(analysis) if analysis.driver.owns_datagrams() => {
                frame_datagram(bytes, &mut frame);
                true
            }
            _ => PROTOCOLS.iter().any(|protocol| protocol.datagram(bytes, &mut frame)),
        };
        if framed && let State::Datagrams { .. } = state {
            *state = self.reading(flow);
        }
        let framed = framed || state.carve(|| self.reading(flow), bytes, &mut frame);
        if framed {
            if let State::Reading(analysis) = state
                && !analysis.driver.is_shaking()
            {
                analysis.datagram = Some(self.now);
            }
            self.data(flow, state, side, &frame, self.here);
        }
        self.frame = frame;
        match state {
            State::Reading(analysis) => !analysis.driver.is_opaque(),
            State::Datagrams { looks, .. } => {
                *looks += 1;
                *looks < UDP_LOOKS
            }
            State::Broken | State::Silent | State::PassedOver { .. } => false,
        }
    }

    fn close(&mut self, flow: &FlowHead, mut state: State, end: End) {
        self.analyse(flow, &mut state, |driver, host| {
            driver.finish(end, host);
            host.finish();
        });
        self.report.stats.closed(flow, end);
        match state {
            State::Reading(mut analysis) => {
                let info = analysis.info(flow);
                if analysis.encryption == Encryption::Encrypted {
                    self.handshake(flow, &mut analysis);
                    self.encrypted(flow, info);
                }
                let stats = &mut self.report.stats;
                let known = analysis.driver.protocol().unwrap_or("unknown");
                tracing::debug!(client = %info.client, server = %info.server, protocol = known, bytes = flow.bytes, ?end, "flow ended");
                let Some(protocol) = analysis.driver.protocol() else {
                    if analysis.encryption == Encryption::Clear {
                        stats.unrecognised(flow);
                    }
                    return;
                };
                stats.half_recognised_flows += u64::from(analysis.half_recognised);
                self.pass_on(flow, &mut analysis);
                if !is_service(protocol) {
                    return;
                }
                let rules = analysis.rules.as_deref().unwrap_or(&self.rules);
                let facts = std::mem::take(&mut analysis.facts);
                let facts = analysis.patients.settled_facts(
                    facts,
                    &self.shared.identify,
                    rules,
                    &mut self.values,
                );
                let service = Service {
                    time: analysis.datagram.unwrap_or(self.now),
                    flow: info,
                    protocol,
                    content: analysis.content,
                    facts,
                    bytes: flow.bytes,
                };
                let order = self.order(flow);
                self.report.items.push((order, Item::Service(Box::new(service))));
            }
            State::Datagrams { encryption: Encryption::Encrypted, .. }
            | State::PassedOver(Encryption::Encrypted) => {
                self.encrypted(flow, flow.info(flow.orientation.client));
            }
            State::Silent | State::PassedOver(_) | State::Datagrams { .. } => {
                self.report.stats.unrecognised(flow);
            }
            State::Broken => {}
        }
    }

    fn sheds(&mut self, flow: &FlowHead, state: &mut State, segment: &Decoded) -> bool {
        let shed = self.pressure.sheds(flow, state, segment);
        if let Some(shed) = shed {
            if let State::Reading(analysis) = state {
                analysis.activity.losses.shed_packets += 1;
            }
            *self.report.stats.shed.entry(shed).or_default() += 1;
        }
        shed.is_some()
    }

    fn grew(&mut self) -> bool {
        std::mem::take(&mut self.grew)
    }

    fn memory(&self, state: &State) -> usize {
        match state {
            State::Reading(analysis) => analysis.memory(),
            _ => 0,
        }
    }
}
