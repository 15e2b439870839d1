//! Which clients a service accepts, as far as traffic proves it.
//!
//! Application entity titles are the only access control of most DICOM services, and they are no secret. Only some
//! titles prove something: a default title of a common tool, or several titles from one host. A web service,
//! database, broker, directory or file server proves that it is open by answering a client that did not log in.

use crate::flow::FlowInfo;
use crate::protocol::service::Admission;
use crate::protocol::{Authentication, Outcome, ServiceFacts};
use crate::rules::AccessRules;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// Titles remembered per service, accepted or rejected.
const MAX_TITLES: usize = 64;
/// Client addresses remembered per service.
const MAX_CLIENTS: usize = 256;
/// Flows named per service that showed whom it answers.
const MAX_PROOFS: usize = 16;
/// Flows remembered per client that brought another title.
const MAX_TITLED: usize = 8;

/// Words for pieces of evidence.
const SEVERAL_TITLES: &str = "several-titles-of-one-client-accepted";
pub(in crate::exposure) const ANONYMOUS: &str = "served-without-login";
pub(in crate::exposure) const OPEN_INTERFACE: &str = "interface-shown-without-login";
const CALLING_REFUSED: &str = "calling-title-refused";
const CALLED_REFUSED: &str = "called-title-refused";
const NOT_AUTHORIZED: &str = "not-authorized";

/// Which clients a service accepts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Access {
    /// It accepted a default calling title of a common tool.
    pub default_title: bool,
    /// It accepted several titles from one host.
    pub several_titles: bool,
    /// It rejected a calling title.
    pub refused_calling: bool,
    /// It rejected a called title.
    pub refused_called: bool,
    /// It answered a request with "not authorized".
    pub not_authorized: bool,
    /// It showed what it is to a client that did not log in.
    pub open_interface: bool,
    /// It served a client that did not authenticate, or accepted it as a guest.
    pub anonymous: bool,
    /// Different calling titles that it accepted, to a cap.
    pub titles: u32,
    /// Different hosts that it accepted, to a cap.
    pub clients: u32,
    /// Different calling titles that it rejected, up to a limit.
    pub refused_titles: u32,
}

/// What this proves.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Answers {
    /// It answers any client.
    Anyone,
    /// It answers the clients it knows.
    Known,
    /// Neither is proven.
    Unproven,
}

impl Answers {
    /// As `phi.service.access.answers` writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Anyone => "anyone",
            Self::Known => "known",
            Self::Unproven => "unproven",
        }
    }
}

impl Access {
    /// Whom it answers. A service that rejected any title checks titles, whatever else it does.
    pub const fn answers(&self) -> Answers {
        if self.refused_calling || self.not_authorized {
            Answers::Known
        } else if self.default_title || self.several_titles || self.open_interface || self.anonymous
        {
            Answers::Anyone
        } else {
            Answers::Unproven
        }
    }

    /// The evidence, as words from a closed set.
    pub fn evidence(&self) -> Vec<&'static str> {
        let all = [
            (self.default_title, "default-title-accepted"),
            (self.several_titles, SEVERAL_TITLES),
            (self.anonymous, ANONYMOUS),
            (self.open_interface, OPEN_INTERFACE),
            (self.refused_calling, CALLING_REFUSED),
            (self.refused_called, CALLED_REFUSED),
            (self.not_authorized, NOT_AUTHORIZED),
        ];
        all.into_iter().filter(|(seen, _)| *seen).map(|(_, what)| what).collect()
    }
}

/// A flow that showed something of [`Access::evidence`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Proof {
    /// What it showed.
    pub evidence: &'static str,
    /// The client of the flow.
    pub client: SocketAddr,
    /// Its server.
    pub server: SocketAddr,
    /// Index of the capture interface or file with its beginning.
    pub interface: u16,
    /// Packet time at which it had shown that.
    pub until: Timestamp,
}

impl Proof {
    /// Whether it says so only with other flows.
    pub fn is_joint(&self) -> bool {
        self.evidence == SEVERAL_TITLES
    }

    /// What it says of the service: that it answers anyone, or that it does not.
    pub fn answers(&self) -> Answers {
        match self.evidence {
            CALLING_REFUSED | NOT_AUTHORIZED => Answers::Known,
            CALLED_REFUSED => Answers::Unproven,
            _ => Answers::Anyone,
        }
    }

    pub(in crate::exposure) const fn new(
        evidence: &'static str,
        flow: &FlowInfo,
        until: Timestamp,
    ) -> Self {
        let FlowInfo { client, server, interface, .. } = *flow;
        Self { evidence, client, server, interface, until }
    }
}

/// A calling title. Masked titles are distinguished by their keys.
pub(in crate::exposure) struct Title {
    key: u64,
    shown: String,
}

impl Title {
    fn is(&self, facts: &ServiceFacts, title: &str) -> bool {
        same_title((self.key, &self.shown), (facts.admission_key, title))
    }
}

/// Whether two titles, each with the key of a masked one or 0, may be the same.
pub fn same_title((known, one): (u64, &str), (key, other): (u64, &str)) -> bool {
    match (known, key) {
        (0, 0) => one == other,
        // A title may be masked now and have been shown before, or the other way round: either may be the same
        // title.
        (0, _) | (_, 0) => looks_alike(one, other),
        (known, key) => known == key,
    }
}

/// The titles that a service accepted of clients that prove nothing alone: with those that another sensor saw they may.
#[derive(Clone, Default, Debug)]
pub struct AcceptedTitles {
    /// How many titles of one client prove that it answers anyone.
    pub needed: u32,
    /// The titles.
    pub titles: Vec<AcceptedTitle>,
}

/// A title that a service accepted of a client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AcceptedTitle {
    /// The client.
    pub client: IpAddr,
    /// Distinguishes masked titles; 0: not masked.
    pub key: u64,
    /// The part that may be shown.
    pub shown: String,
    /// Packet time at which it had been accepted.
    pub time: Timestamp,
}

/// The part of titles that may be shown.
pub(in crate::exposure) fn shown(titles: &[Title]) -> Vec<String> {
    titles.iter().map(|title| title.shown.clone()).collect()
}

/// Whether one text may be the other with a part masked.
fn looks_alike(one: &str, other: &str) -> bool {
    one.chars().count() == other.chars().count()
        && one.chars().zip(other.chars()).all(|(a, b)| a == b || a == '*' || b == '*')
}

/// Access decisions of one DICOM service.
#[derive(Default)]
pub(in crate::exposure) struct AccessTracker {
    pub access: Access,
    /// Calling titles that it accepted.
    pub titles: Vec<Title>,
    /// Rejected calling titles.
    pub refused: Vec<Title>,
    /// The hosts that it accepted.
    clients: BTreeMap<IpAddr, AcceptedClient>,
    /// The flows that showed each piece of evidence first.
    pub proofs: Vec<Proof>,
    /// How many titles of one client prove something.
    needed: u32,
}

/// A host that a service accepted.
#[derive(Default)]
struct AcceptedClient {
    /// A bit for each of its titles: their indexes in [`AccessTracker::titles`].
    titles: u64,
    /// The flows that brought a title, until there are enough of them.
    flows: Vec<TitleFlow>,
}

/// The first flow of a client with a title.
#[derive(Clone, Copy)]
struct TitleFlow {
    /// Index of the title in [`AccessTracker::titles`].
    title: usize,
    port: u16,
    time: Timestamp,
    interface: u16,
}

const _: () = assert!(MAX_TITLES <= u64::BITS as usize, "a bit for each title");

impl AccessTracker {
    /// Notes an association.
    pub fn see(
        &mut self,
        flow: &FlowInfo,
        time: Timestamp,
        facts: &ServiceFacts,
        rules: &AccessRules,
    ) {
        let Some(Admission { title, outcome }) = facts.admission() else { return };
        self.needed = rules.titles_of_one_client();
        match outcome {
            Outcome::Accepted => {
                // A client with another proof of identity was not accepted because of its title.
                if facts.authentication == Authentication::None {
                    self.let_in((flow, time), title, facts, rules);
                }
            }
            Outcome::CallingRefused => {
                self.access.refused_calling = true;
                remember(&mut self.refused, title, facts);
                self.access.refused_titles = self.refused.len() as u32;
            }
            Outcome::CalledRefused => self.access.refused_called = true,
            Outcome::Refused => {}
        }
    }

    /// Notes the flows that have shown what `before` lacks.
    pub fn prove(&mut self, before: Access, flow: &FlowInfo, time: Timestamp) {
        if self.access == before {
            return;
        }
        let known = before.evidence();
        for evidence in self.access.evidence().into_iter().filter(|of| !known.contains(of)) {
            let several = self.access.several_titles && !before.several_titles;
            if several && evidence == SEVERAL_TITLES {
                let of_client = self.clients.get(&flow.client.ip());
                let earlier = of_client.into_iter().flat_map(|client| &client.flows);
                let earlier = earlier.filter(|earlier| earlier.port != flow.client.port());
                let earlier = earlier.map(|earlier| Proof {
                    client: SocketAddr::new(flow.client.ip(), earlier.port),
                    interface: earlier.interface,
                    ..Proof::new(evidence, flow, earlier.time)
                });
                let room = MAX_PROOFS.saturating_sub(self.proofs.len());
                let earlier: Vec<Proof> = earlier.take(room).collect();
                self.proofs.extend(earlier);
            }
            if self.proofs.len() < MAX_PROOFS {
                self.proofs.push(Proof::new(evidence, flow, time));
            }
        }
    }

    /// The titles that it accepted, as long as those of no client prove anything.
    pub fn accepted(&self) -> AcceptedTitles {
        let titles = |(client, by): (&IpAddr, &AcceptedClient)| {
            let title = |flow: &TitleFlow| {
                let Title { key, shown } = self.titles.get(flow.title)?;
                let (client, key, shown, time) = (*client, *key, shown.clone(), flow.time);
                Some(AcceptedTitle { client, key, shown, time })
            };
            by.flows.iter().filter_map(title).collect::<Vec<_>>()
        };
        let clients = self.clients.iter().filter(|_| !self.access.several_titles);
        AcceptedTitles { needed: self.needed, titles: clients.flat_map(titles).collect() }
    }

    fn let_in(
        &mut self,
        (flow, time): (&FlowInfo, Timestamp),
        title: &str,
        facts: &ServiceFacts,
        rules: &AccessRules,
    ) {
        let client = flow.client.ip();
        self.access.default_title |= rules.is_default_title(title);
        let place = remember(&mut self.titles, title, facts);
        self.access.titles = self.titles.len() as u32;
        if self.clients.len() >= MAX_CLIENTS && !self.clients.contains_key(&client) {
            return;
        }
        let by = self.clients.entry(client).or_default();
        if let Some(title) = place {
            let titles = by.titles | 1 << title;
            if titles != by.titles && !self.access.several_titles && by.flows.len() < MAX_TITLED {
                let (port, interface) = (flow.client.port(), flow.interface);
                by.flows.push(TitleFlow { title, port, time, interface });
            }
            by.titles = titles;
        }
        self.access.several_titles |= by.titles.count_ones() >= rules.titles_of_one_client();
        self.access.clients = self.clients.len() as u32;
    }
}

/// Adds `title` to `list` if it is new and there is room; returns its index.
fn remember(list: &mut Vec<Title>, title: &str, facts: &ServiceFacts) -> Option<usize> {
    if let Some(place) = list.iter().position(|known| known.is(facts, title)) {
        if let Some(known) = list.get_mut(place).filter(|_| facts.admission_key == 0) {
            *known = Title { key: 0, shown: title.to_owned() };
        }
        return Some(place);
    }
    if list.len() >= MAX_TITLES {
        return None;
    }
    list.push(Title { key: facts.admission_key, shown: title.to_owned() });
    Some(list.len() - 1)
}
