//! Facts of a service that transfers files (FTP, TFTP, SMB), prints them (LPD, IPP), or shows them on terminals
//! (telnet, rlogin).

use crate::protocol::service::{FactList, FamilyFacts, Phrase, TextKind};

/// Facts of a file transfer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FileFacts {
    /// The command that transfers the file: `RETR`, `STOR`...
    pub method: Option<String>,
    /// Who logged in, by the name of the account.
    pub user: Option<String>,
    /// Path with every part masked that may identify a person.
    pub path: Option<String>,
}

impl FamilyFacts for FileFacts {
    fn for_each_text_mut(&mut self, of: &mut dyn FnMut(TextKind, &mut String)) {
        self.method.iter_mut().for_each(|text| of(TextKind::Code, text));
        self.user.iter_mut().for_each(|text| of(TextKind::Name, text));
        self.path.iter_mut().for_each(|text| of(TextKind::Path, text));
    }

    fn list<'a>(&'a self, to: &mut FactList<'a>) {
        to.text("method", self.method.as_deref());
        to.text("user", self.user.as_deref());
        to.text("path", self.path.as_deref());
    }

    fn phrases<'a>(&'a self, to: &mut Vec<Phrase<'a>>) {
        to.extend(self.path.as_deref().map(|path| Phrase::Text("path", path)));
    }
}
