//! Facts of a DICOM service: titles, software, operations and objects.

use crate::closed_set::closed_set;
use crate::protocol::service::{Admission, Ends, FactList, FamilyFacts, Phrase, TextKind};
use crate::protocol::{Role, Roles, ServiceFacts};
use dicom_core::dictionary::UidDictionary as _;
use dicom_dictionary_std::StandardSopClassDictionary;

/// Facts of a DICOM service, or of any service that transfers DICOM objects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct DicomFacts {
    /// Calling application entity title.
    pub calling_aet: Option<String>,
    /// Called application entity title.
    pub called_aet: Option<String>,
    /// Implementation class UID of the requestor, then of the acceptor.
    pub implementation_class: [Option<String>; 2],
    /// Implementation version name of the requestor, then of the acceptor.
    pub implementation_version: [Option<String>; 2],
    /// SOP class UIDs that were used.
    pub sop_classes: Vec<String>,
    /// Transfer syntax UIDs that were used.
    pub transfer_syntaxes: Vec<String>,
    /// DIMSE operations seen (`C-STORE`, `C-ECHO`), PS3.7.
    pub dimse: Vec<String>,
    /// Modalities of the instances sent, (0008,0060).
    pub modalities: Vec<String>,
    /// Station that made an instance, (0008,1010).
    pub station: Option<String>,
    /// Institution an instance comes from, (0008,0080).
    pub institution: Option<String>,
    /// Refused association, with the source and reason (PS3.8 9.3.4).
    pub rejected: Option<String>,
    /// Aborted, with the source and reason (PS3.8 9.3.8).
    pub aborted: Option<String>,
    /// The negotiation of an association.
    pub association: Option<Box<Association>>,
}

/// The negotiation of a DICOM association (PS3.8 9.3, PS3.7 annex D), and what was requested over it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Association {
    /// Its outcome; `None` if the answer was not seen.
    pub outcome: Option<Outcome>,
    /// Presentation contexts proposed, and accepted.
    pub contexts: [u16; 2],
    /// Longest P-DATA-TF PDU that the requestor accepts, and the acceptor; 0: any.
    pub max_pdu: [Option<u32>; 2],
    /// How the user was identified: `username`, `passcode`, `kerberos`, `saml`, `jwt`.
    pub user_identity: Option<&'static str>,
    /// The acceptor confirmed the user identity.
    pub identity_confirmed: bool,
    /// Operations that requestor and acceptor may invoke at the same time (0: any), as accepted, or until then as
    /// proposed.
    pub asynchronous: Option<[u16; 2]>,
    /// SOP classes in which the requestor would be the provider, and those to which the acceptor agrees (C-GET
    /// returns objects this way).
    pub provider_roles: [u16; 2],
    /// SOP classes with extended negotiation.
    pub extended: Vec<String>,
    /// Application entity titles that a C-MOVE names as its destination.
    pub move_destinations: Vec<String>,
    /// Application entity titles on whose behalf objects were sent (C-MOVE).
    pub move_originators: Vec<String>,
}

closed_set! {
    /// Outcome of an association request (`phi.service.association.outcome`).
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub enum Outcome {
        /// Accepted.
        Accepted = "accepted",
        /// Rejected: the calling application entity title is unknown.
        CallingRefused = "calling-ae-title-not-recognized",
        /// Rejected: the called application entity title is not that of the service.
        CalledRefused = "called-ae-title-not-recognized",
        /// Rejected for another reason.
        Refused = "rejected",
    }
}

impl DicomFacts {
    /// The facts of the association.
    pub fn association(&mut self) -> &mut Association {
        self.association.get_or_insert_default()
    }

    fn implementation(&self, end: usize) -> Option<FactList<'_>> {
        let mut list = FactList::default();
        list.text("class_uid", self.implementation_class.get(end)?.as_deref());
        list.text("version", self.implementation_version.get(end)?.as_deref());
        (!list.is_empty()).then_some(list)
    }
}

impl FamilyFacts for DicomFacts {
    fn for_each_text_mut(&mut self, of: &mut dyn FnMut(TextKind, &mut String)) {
        use TextKind::{Code, Name, Organisation, Uid};
        for (kind, slot) in [
            (Name, &mut self.calling_aet),
            (Name, &mut self.called_aet),
            (Name, &mut self.station),
            (Organisation, &mut self.institution),
        ] {
            slot.iter_mut().for_each(|text| of(kind, text));
        }
        self.implementation_class.iter_mut().flatten().for_each(|text| of(Uid, text));
        self.implementation_version.iter_mut().flatten().for_each(|text| of(Name, text));
        for (kind, list) in [
            (Uid, &mut self.sop_classes),
            (Uid, &mut self.transfer_syntaxes),
            (Code, &mut self.modalities),
        ] {
            list.iter_mut().for_each(|text| of(kind, text));
        }
        if let Some(association) = &mut self.association {
            association.extended.iter_mut().for_each(|text| of(Uid, text));
            let titles = association.move_destinations.iter_mut();
            titles.chain(&mut association.move_originators).for_each(|text| of(Name, text));
        }
    }

    fn list<'a>(&'a self, to: &mut FactList<'a>) {
        to.text("calling_aet", self.calling_aet.as_deref());
        to.text("called_aet", self.called_aet.as_deref());
        to.group("client_implementation", self.implementation(0));
        to.group("server_implementation", self.implementation(1));
        to.list("sop_classes", &self.sop_classes);
        to.words("sop_class_names", names(&self.sop_classes));
        to.list("transfer_syntaxes", &self.transfer_syntaxes);
        to.list("dimse", &self.dimse);
        to.list("modalities", &self.modalities);
        to.text("station", self.station.as_deref());
        to.text("institution", self.institution.as_deref());
    }

    fn outcome<'a>(&'a self, to: &mut FactList<'a>) {
        to.text("rejected", self.rejected.as_deref());
        to.text("aborted", self.aborted.as_deref());
        to.group("association", self.association.as_deref().map(Association::list));
    }

    fn ends(&self) -> Ends<'_> {
        Ends {
            client: self.calling_aet.as_deref().map(|title| ("calling_aet", title)),
            server: self.called_aet.as_deref().map(|title| ("called_aet", title)),
        }
    }

    fn phrases<'a>(&'a self, to: &mut Vec<Phrase<'a>>) {
        to.push(Phrase::FromTo("AE", self.calling_aet.as_deref(), self.called_aet.as_deref()));
        if let Some(association) = &self.association {
            to.push(Phrase::List("move to", &association.move_destinations));
            to.push(Phrase::List("moved for", &association.move_originators));
        }
    }

    fn software(&self) -> Option<&str> {
        let [_, server] = &self.implementation_version;
        server.as_deref()
    }

    fn admission(&self) -> Option<Admission<'_>> {
        let outcome = self.association.as_ref()?.outcome?;
        Some(Admission { title: self.calling_aet.as_deref()?, outcome })
    }

    /// Associations differ in the facts that they show.
    fn accumulates(&self) -> bool {
        self.association.is_some()
    }

    fn merge(&mut self, earlier: &Self) {
        for (list, earlier) in [
            (&mut self.sop_classes, &earlier.sop_classes),
            (&mut self.transfer_syntaxes, &earlier.transfer_syntaxes),
            (&mut self.dimse, &earlier.dimse),
            (&mut self.modalities, &earlier.modalities),
        ] {
            ServiceFacts::add_earlier(list, earlier);
        }
        for (slot, earlier) in [
            (&mut self.station, &earlier.station),
            (&mut self.institution, &earlier.institution),
            (&mut self.rejected, &earlier.rejected),
            (&mut self.aborted, &earlier.aborted),
        ] {
            if slot.is_none() {
                slot.clone_from(earlier);
            }
        }
        if let (Some(now), Some(before)) = (&mut self.association, &earlier.association) {
            for (list, earlier) in [
                (&mut now.move_destinations, &before.move_destinations),
                (&mut now.move_originators, &before.move_originators),
            ] {
                ServiceFacts::add_earlier(list, earlier);
            }
        }
    }
}

impl Association {
    fn list(&self) -> FactList<'_> {
        let [proposed, accepted] = self.contexts;
        let [client_max_pdu, server_max_pdu] = self.max_pdu;
        let [proposed_roles, agreed_roles] = self.provider_roles;
        let answered = self.outcome == Some(Outcome::Accepted);
        let provider_roles = if answered { agreed_roles } else { proposed_roles };
        let [invoked, performed] = match self.asynchronous {
            Some(window) => window.map(Some),
            None => [None; 2],
        };
        let mut list = FactList::default();
        list.text("outcome", self.outcome.map(Outcome::as_str));
        list.number("contexts_proposed", Some(proposed));
        list.number("contexts_accepted", Some(accepted));
        list.number("client_max_pdu", client_max_pdu);
        list.number("server_max_pdu", server_max_pdu);
        list.text("user_identity", self.user_identity);
        list.flag("identity_confirmed", self.user_identity.map(|_| self.identity_confirmed));
        list.number("operations_invoked", invoked);
        list.number("operations_performed", performed);
        list.number("provider_roles", Some(provider_roles).filter(|n| *n > 0));
        list.list("extended_negotiation", &self.extended);
        list.list("move_destinations", &self.move_destinations);
        list.list("move_originators", &self.move_originators);
        list
    }
}

/// SOP classes that prove a role (PS3.4 annexes B, C, H, J, K, CC), by prefix of their UIDs.
const STORAGE: &str = "1.2.840.10008.5.1.4.1.1.";
const QUERY_RETRIEVE: &str = "1.2.840.10008.5.1.4.1.2.";
const WORKLIST: &str = "1.2.840.10008.5.1.4.31";
const PROCEDURE_STEP: &str = "1.2.840.10008.5.1.4.34.6";
const COMMITMENT: &str = "1.2.840.10008.1.20.";
const PRINT: &str = "1.2.840.10008.5.1.1.";

/// The roles of requestor and acceptor.
pub(super) fn roles(facts: &DicomFacts) -> Roles {
    let uses = |prefix: &str| facts.sop_classes.iter().any(|class| class.starts_with(prefix));
    let did = |operation: &str| facts.dimse.iter().any(|o| o == operation);
    let (storage, retrieve) = (uses(STORAGE), uses(QUERY_RETRIEVE));
    // A host that stores on behalf of a third one is the archive, and so is one that reports the result of a storage
    // commitment (PS3.4 J.3.3).
    let passes_on = facts.association.as_ref().is_some_and(|a| !a.move_originators.is_empty());
    let reports = uses(COMMITMENT) && did("N-EVENT-REPORT") && !did("N-ACTION");
    if passes_on || reports {
        return Roles { server: Role::DicomServer, client: Some(Role::Pacs) };
    }
    let server = if storage || retrieve || uses(COMMITMENT) {
        Role::Pacs
    } else if uses(WORKLIST) || uses(PROCEDURE_STEP) {
        Role::Worklist
    } else if uses(PRINT) {
        Role::DicomPrinter
    } else {
        Role::DicomServer
    };
    // C-GET negotiates storage classes too, but only next to query/retrieve.
    let modality = storage && !retrieve;
    Roles { server, client: Some(if modality { Role::Modality } else { Role::DicomClient }) }
}

/// Names of common SOP classes (PS3.6 annex A).
fn names(classes: &[String]) -> Vec<&'static str> {
    let names = classes.iter().filter_map(|uid| StandardSopClassDictionary.by_uid(uid));
    names.map(|entry| entry.name).collect()
}
