//! Facts of a web service.

use crate::protocol::service::{Ends, FactList, FamilyFacts, Phrase, TextKind};
use crate::protocol::{Role, Roles};

/// Facts of a web service, over any version of HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct WebFacts {
    /// Method of the last request.
    pub method: Option<String>,
    /// Host, as the client names it.
    pub host: Option<String>,
    /// Path with every part masked that may identify a person.
    pub path: Option<String>,
    /// Status of the last response.
    pub status: Option<u16>,
}

impl FamilyFacts for WebFacts {
    fn for_each_text_mut(&mut self, of: &mut dyn FnMut(TextKind, &mut String)) {
        self.method.iter_mut().for_each(|text| of(TextKind::Code, text));
        self.host.iter_mut().for_each(|text| of(TextKind::Name, text));
        self.path.iter_mut().for_each(|text| of(TextKind::Path, text));
    }

    fn list<'a>(&'a self, to: &mut FactList<'a>) {
        to.text("method", self.method.as_deref());
        to.text("host", self.host.as_deref());
        to.text("path", self.path.as_deref());
        to.number("status", self.status);
    }

    fn ends(&self) -> Ends<'_> {
        Ends { client: None, server: self.host.as_deref().map(|host| ("host", host)) }
    }

    fn phrases<'a>(&'a self, to: &mut Vec<Phrase<'a>>) {
        to.extend(self.host.as_deref().map(|host| Phrase::Text("host", host)));
        to.extend(self.path.as_deref().map(|path| Phrase::Text("path", path)));
    }
}

/// The roles of a web server, by what it serves, and of its client.
pub(super) fn roles(content: &str) -> Roles {
    Roles::server(if content.starts_with("fhir") {
        Role::FhirServer
    } else if content.starts_with("dicom") {
        Role::DicomwebServer
    } else {
        Role::WebServer
    })
}
