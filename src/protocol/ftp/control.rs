//! The control connection.

use super::data::{DataParser, Login, Transfer};
use super::{Ftp, MAX_LINE, address};
use crate::flow::Transport;
use crate::protocol::expected::{ExpectedFlow, Peer, Port};
use crate::protocol::tls_upgrade::TlsUpgrade;
use crate::protocol::{
    ContentSink, Direction, End, ParseError, Parser, Progress, Resync, ServiceFacts, line,
};

/// Longest path kept, bytes.
const MAX_PATH: usize = 1024;

/// Commands that transfer data (RFC 959 4.1.3, RFC 3659 7).
const TRANSFERS: &[&str] = &["RETR", "STOR", "STOU", "APPE", "LIST", "NLST", "MLSD"];

/// Reads one control connection.
#[derive(Default)]
pub(super) struct ControlParser {
    greeted: bool,
    /// RFC 4217.
    tls: TlsUpgrade,
    /// The client gave an anonymous user name (RFC 1635).
    anonymous: bool,
    login: Login,
    /// The working directory, as far as commands reveal it.
    directory: String,
    /// The end that listens for the next data connection, and its port.
    listener: Option<(Peer, u16)>,
    /// A transfer whose port is unknown: the command came before the reply to PASV.
    waiting: Option<Transfer>,
}

/// The commands of a client (RFC 959 5.3, RFC 2228, RFC 2389, RFC 2428, RFC 3659).
const COMMANDS: &[&str] = &[
    "USER", "PASS", "ACCT", "AUTH", "PBSZ", "PROT", "CWD", "XCWD", "CDUP", "XCUP", "PWD", "XPWD",
    "TYPE", "STRU", "MODE", "PASV", "EPSV", "PORT", "EPRT", "RETR", "STOR", "STOU", "APPE", "LIST",
    "NLST", "MLSD", "MLST", "SIZE", "MDTM", "MFMT", "REST", "RNFR", "RNTO", "DELE", "MKD", "XMKD",
    "RMD", "XRMD", "ABOR", "ALLO", "SITE", "SYST", "STAT", "FEAT", "OPTS", "HELP", "NOOP", "QUIT",
    "CLNT",
];

impl ControlParser {
    fn command(&mut self, line: &[u8], sink: &mut dyn ContentSink) {
        let (verb, rest) = line::command(line);
        let is = |word: &str| verb.eq_ignore_ascii_case(word.as_bytes());
        if is("USER") {
            self.anonymous =
                rest.eq_ignore_ascii_case(b"anonymous") || rest.eq_ignore_ascii_case(b"ftp");
            self.login = Login { software: self.login.software.take(), ..Login::default() };
            ServiceFacts::set(&mut self.login.user, &String::from_utf8_lossy(rest));
            sink.facts().files().user.clone_from(&self.login.user);
        } else if is("PASS") && !self.anonymous {
            let facts = sink.facts();
            facts.password_in_clear();
            self.login.authentication = facts.authentication;
            self.login.in_clear = facts.credentials_in_clear;
        } else if is("AUTH") {
            self.tls.ask();
        } else if is("PORT") {
            self.listener = address::host_port(rest).map(|port| (Peer::Client, port));
        } else if is("EPRT") {
            self.listener = address::extended(rest).map(|port| (Peer::Client, port));
        } else if is("PASV") || is("EPSV") {
            self.listener = None;
        } else if is("CWD") || is("XCWD") {
            self.directory = self.resolve(rest);
        } else if is("CDUP") || is("XCUP") {
            let parent = self.directory.rfind('/').unwrap_or(0);
            self.directory.truncate(parent);
        } else if let Some(operation) = TRANSFERS.iter().find(|t| is(t)) {
            let path = self.resolve(rest);
            self.transfer(Transfer { login: self.login.clone(), operation, path }, sink);
        }
    }

    /// A path relative to the working directory.
    fn resolve(&self, path: &[u8]) -> String {
        let path = String::from_utf8_lossy(path.get(..MAX_PATH).unwrap_or(path));
        if path.starts_with('/') || self.directory.is_empty() {
            return path.into_owned();
        }
        let mut whole = format!("{}/{path}", self.directory.trim_end_matches('/'));
        whole.truncate(
            (0..=MAX_PATH.min(whole.len())).rfind(|i| whole.is_char_boundary(*i)).unwrap_or(0),
        );
        whole
    }

    /// Announces the data connection of a transfer, once its port is known.
    fn transfer(&mut self, transfer: Transfer, sink: &mut dyn ContentSink) {
        let Some((end, port)) = self.listener.take() else {
            self.waiting = Some(transfer);
            return;
        };
        sink.expect(ExpectedFlow {
            transport: Transport::Tcp,
            end,
            port: Port::Number(port),
            client: match end {
                Peer::Client => Peer::Server,
                Peer::Server => Peer::Client,
            },
            protocol: &Ftp,
            parser: Box::new(DataParser::new(transfer)),
        });
    }

    /// True if TLS begins behind the line.
    fn reply(&mut self, line: &[u8], sink: &mut dyn ContentSink) -> bool {
        let Some((code, text)) = line.split_first_chunk::<3>() else { return false };
        if !std::mem::replace(&mut self.greeted, true) && code == b"220" {
            let software = &mut self.login.software;
            ServiceFacts::set(software, String::from_utf8_lossy(text).trim_matches([' ', '-']));
            sink.facts().software.clone_from(software);
        }
        if text.first() == Some(&b'-') {
            return false;
        }
        match code {
            b"227" | b"229" => {
                let port =
                    if code == b"227" { address::host_port(text) } else { address::extended(text) };
                self.listener = port.map(|port| (Peer::Server, port));
                if let Some(transfer) = self.waiting.take().filter(|_| port.is_some()) {
                    self.transfer(transfer, sink);
                }
            }
            // Logged in: as a guest, or without a password.
            b"230" if self.login.user.is_some() => {
                let facts = sink.facts();
                facts.served();
                self.login.anonymous = facts.anonymous;
            }
            // The transfer was refused.
            [b'4' | b'5', ..] => self.waiting = None,
            _ => {}
        }
        self.tls.answered(code == b"234")
    }
}

impl Parser for ControlParser {
    fn data(
        &mut self,
        direction: Direction,
        data: &[u8],
        sink: &mut dyn ContentSink,
    ) -> Result<Progress, ParseError> {
        let client = direction == Direction::ClientToServer;
        let mut at = 0;
        while let Some(rest @ [_, ..]) = data.get(at..) {
            if client && self.tls.begins(rest) {
                return Ok(Progress { switch: true, ..Progress::consumed(at) });
            }
            let Some((line, next)) = line::read(data, at, MAX_LINE)? else {
                return Ok(line::more(data, at));
            };
            at = next;
            if client {
                sink.unit("request");
                self.command(line, sink);
            } else if self.reply(line, sink) {
                return Ok(Progress { switch: true, ..Progress::consumed(at) });
            }
        }
        Ok(Progress::consumed(at))
    }

    fn begun_before(&mut self, sink: &mut dyn ContentSink) {
        let facts = sink.facts();
        facts.missed_login();
        self.login.authentication = facts.authentication;
    }

    fn gap(&mut self, _direction: Direction, _len: u64, _sink: &mut dyn ContentSink) -> Resync {
        self.listener = None;
        self.waiting = None;
        Resync::Search
    }

    fn resync(&mut self, direction: Direction, data: &[u8]) -> Option<usize> {
        match direction {
            Direction::ClientToServer => {
                line::resync_from(data, |line| line::begins_with(line, COMMANDS))
            }
            Direction::ServerToClient => line::resync_from(data, line::is_reply),
        }
    }

    fn close(
        &mut self,
        _direction: Direction,
        _rest: &[u8],
        _end: End,
        _sink: &mut dyn ContentSink,
    ) {
    }

    fn memory(&self) -> usize {
        self.directory.capacity() + self.waiting.as_ref().map_or(0, |t| t.path.capacity())
    }
}
