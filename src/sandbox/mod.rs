//! Drops privileges once the interfaces are open: user, capabilities, writing outside the folders
//! of its outputs, connecting to ports of no output, and all other system calls than those it
//! makes.
//!
//! It must run before the first thread starts, because threads inherit privileges when they are
//! created.

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod calls;

use rustix::thread::{CapabilitySet, CapabilitySets};
use std::borrow::Cow;
use std::path::PathBuf;

/// The privileges to drop.
#[derive(Clone, Debug, Default)]
pub struct Sandbox {
    /// The user to become: a name of /etc/passwd, or `UID` or `UID:GID`.
    pub user: Option<String>,
    /// Whether the adapter's timestamps are used, which needs CAP_NET_ADMIN.
    pub administers: bool,
    /// Folders that may be written to.
    pub writes: Vec<PathBuf>,
    /// TCP ports that may be connected to; any if none.
    pub connects: Option<Vec<u16>>,
}

/// Makes the capture capability effective if the program file only permits it (`setcap
/// cap_net_raw=p`). With `=ep` the kernel refuses to start the program where the capability is not
/// available, as in the container of a hub.
pub fn raise() {
    let wanted = CapabilitySet::NET_RAW | CapabilitySet::NET_ADMIN;
    let Ok(sets) = rustix::thread::capabilities(None) else { return };
    let granted = sets.permitted & wanted;
    if !sets.effective.contains(granted) {
        let sets = CapabilitySets { effective: sets.effective | granted, ..sets };
        // If this fails, opening the interface fails, too, with a message.
        let _ = rustix::thread::set_capabilities(None, sets);
    }
}

/// Why privileges could not be dropped.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// There is no such user.
    #[error("--user {0}: there is no such user; give a name of /etc/passwd, or UID:GID")]
    NoUser(String),
    /// A system call failed.
    #[error("cannot {what}: {source}; use --no-sandbox to run without")]
    Refused {
        /// The operation.
        what: &'static str,
        /// The system's error.
        source: std::io::Error,
    },
    /// Only root may switch to another user.
    #[error("--user {0}: only root may become another user; start phitap as root, or leave it out")]
    NotRoot(String),
}

/// Number of capabilities: bits in a set.
const CAPABILITIES: u32 = 64;

impl Sandbox {
    /// Drops the privileges. Returns a description of the restrictions.
    ///
    /// # Errors
    /// There is no such user, or a system call failed. Missing Landlock or seccomp is no error; the
    /// description says so.
    pub fn enter(&self) -> Result<String, SandboxError> {
        let user = self.become_user()?;
        let left = self.drop_capabilities()?;
        rustix::thread::set_no_new_privs(true).map_err(refused("set no_new_privs"))?;
        let landlock = self.restrict_files();
        let seccomp = restrict_calls();
        Ok(format!("{user}, {left}, no new privileges, {landlock}, {seccomp}"))
    }

    fn become_user(&self) -> Result<String, SandboxError> {
        use rustix::process::{Gid, Uid};
        let now = rustix::process::geteuid();
        let Some(name) = &self.user else { return Ok(format!("uid {}", now.as_raw())) };
        let (uid, gid) = find_user(name).ok_or_else(|| SandboxError::NoUser(name.clone()))?;
        if !now.is_root() {
            if now.as_raw() == uid {
                return Ok(format!("user {name}"));
            }
            return Err(SandboxError::NotRoot(name.clone()));
        }
        for bit in (0..CAPABILITIES).filter(|bit| !self.keeps(*bit)) {
            // Capabilities that this kernel does not know are refused.
            let one = CapabilitySet::from_bits_retain(1 << bit);
            let _ = rustix::thread::remove_capability_from_bounding_set(one);
        }
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        rustix::thread::set_keep_capabilities(true).map_err(refused("keep capabilities"))?;
        rustix::thread::set_thread_groups(&[]).map_err(refused("leave groups"))?;
        rustix::thread::set_thread_res_gid(gid, gid, gid).map_err(refused("change group"))?;
        rustix::thread::set_thread_res_uid(uid, uid, uid).map_err(refused("change user"))?;
        Ok(format!("user {name}"))
    }

    fn keeps(&self, bit: u32) -> bool {
        self.kept().bits() & (1 << bit) != 0
    }

    /// To reopen interfaces that come back.
    fn kept(&self) -> CapabilitySet {
        match self.administers {
            true => CapabilitySet::NET_RAW | CapabilitySet::NET_ADMIN,
            false => CapabilitySet::NET_RAW,
        }
    }

    fn drop_capabilities(&self) -> Result<String, SandboxError> {
        let get = rustix::thread::capabilities(None).map_err(refused("read capabilities"))?;
        let kept = get.permitted & self.kept();
        let sets = CapabilitySets {
            effective: kept,
            permitted: kept,
            inheritable: CapabilitySet::empty(),
        };
        rustix::thread::set_capabilities(None, sets).map_err(refused("drop capabilities"))?;
        Ok(match kept.bits().count_ones() {
            0 => "no capabilities".to_owned(),
            _ if kept.contains(CapabilitySet::NET_ADMIN) => {
                "capabilities net_raw and net_admin".to_owned()
            }
            _ => "capability net_raw".to_owned(),
        })
    }

    #[cfg(target_os = "linux")]
    fn restrict_files(&self) -> Cow<'static, str> {
        use landlock::{
            ABI, Access as _, AccessFs, AccessNet, NetPort, Ruleset, RulesetAttr as _,
            RulesetCreatedAttr as _, RulesetStatus, path_beneath_rules,
        };
        let offers = LandlockSupport::of_kernel();
        let abi = ABI::V5;
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        let write = AccessFs::from_all(abi) & !AccessFs::Execute;
        let restrict = || {
            let mut rules = Ruleset::default().handle_access(AccessFs::from_all(abi))?;
            if self.connects.is_some() {
                rules = rules.handle_access(AccessNet::ConnectTcp)?;
            }
            let ports = self.connects.iter().flatten();
            let ports = ports.map(|port| {
                Ok::<_, landlock::RulesetError>(NetPort::new(*port, AccessNet::ConnectTcp))
            });
            rules
                .create()?
                .add_rules(path_beneath_rules(["/"], read))?
                .add_rules(path_beneath_rules(["/dev"], read | AccessFs::WriteFile))?
                .add_rules(path_beneath_rules(&self.writes, write))?
                .add_rules(ports)?
                .restrict_self()
        };
        let status: Result<_, landlock::RulesetError> = restrict();
        match status.map(|status| status.ruleset) {
            Ok(RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced) => {
                Cow::Borrowed(match self.connects.is_some() && offers.ports {
                    true => "landlock (files and ports)",
                    false => "landlock (files)",
                })
            }
            Ok(RulesetStatus::NotEnforced) => Cow::Borrowed("no landlock (this kernel has none)"),
            Err(error) => Cow::Owned(format!("no landlock ({error})")),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn restrict_files(&self) -> Cow<'static, str> {
        Cow::Borrowed("no landlock (Linux only)")
    }
}

/// What the kernel can restrict by Landlock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LandlockSupport {
    /// Access to files.
    pub files: bool,
    /// TCP connections to ports (Linux 6.7).
    pub ports: bool,
}

impl LandlockSupport {
    /// Asks the kernel, which restricts nothing yet.
    #[cfg(target_os = "linux")]
    pub fn of_kernel() -> Self {
        use landlock::{
            ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, Ruleset,
            RulesetAttr as _, RulesetError,
        };
        let strict = || Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
        let offers = |rules: Result<Ruleset, RulesetError>| rules.and_then(Ruleset::create).is_ok();
        Self {
            files: offers(strict().handle_access(AccessFs::from_all(ABI::V1))),
            ports: offers(strict().handle_access(AccessNet::ConnectTcp)),
        }
    }

    /// Other systems have no Landlock.
    #[cfg(not(target_os = "linux"))]
    pub const fn of_kernel() -> Self {
        Self { files: false, ports: false }
    }
}

fn refused(what: &'static str) -> impl Fn(rustix::io::Errno) -> SandboxError {
    move |error| SandboxError::Refused { what, source: error.into() }
}

/// User and group for a name, or for numbers.
fn find_user(name: &str) -> Option<(u32, u32)> {
    if name.bytes().all(|b| b.is_ascii_digit() || b == b':') {
        let (uid, gid) = name.split_once(':').unwrap_or((name, name));
        return Some((uid.parse().ok()?, gid.parse().ok()?));
    }
    in_passwd(&std::fs::read_to_string("/etc/passwd").ok()?, name)
}

/// The entry for a name in passwd(5) format.
fn in_passwd(text: &str, name: &str) -> Option<(u32, u32)> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then_some(())?;
        let (uid, gid) = (fields.nth(1)?, fields.next()?);
        Some((uid.parse().ok()?, gid.parse().ok()?))
    })
}

/// Restricts the system calls of this process, and describes the result.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn restrict_calls() -> String {
    match calls::restrict(calls::Scope::Sensor) {
        Ok(count) => format!("seccomp ({count} system calls)"),
        Err(calls::Missing::Processor) => "no seccomp (not on this processor)".to_owned(),
        Err(calls::Missing::Kernel) => "no seccomp (this kernel has none)".to_owned(),
    }
}

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
fn restrict_calls() -> String {
    "no seccomp (64-bit Linux only)".to_owned()
}

/// Restricts this thread, which only parses, further than the process: it cannot open files or
/// connections. If the process could not be restricted, neither can the thread, which was reported.
pub fn confine_parser() {
    #[cfg(all(target_os = "linux", target_pointer_width = "64"))]
    let _ = calls::restrict(calls::Scope::Parser);
}

/// Restrictions of this process from /proc: name and value.
pub fn restrictions() -> Vec<(&'static str, String)> {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.map(|v| v.split_whitespace().next().unwrap_or_default().to_owned())
    };
    [
        ("uid", "Uid"),
        ("gid", "Gid"),
        ("capabilities", "CapEff"),
        ("no_new_privs", "NoNewPrivs"),
        ("seccomp", "Seccomp"),
    ]
    .into_iter()
    .filter_map(|(name, key)| Some((name, value(key)?)))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_name_and_by_number() {
        let passwd =
            "root:x:0:0:root:/root:/bin/sh\nphitap:x:997:996::/:/usr/sbin/nologin\nbad:x\n";
        assert_eq!(in_passwd(passwd, "phitap"), Some((997, 996)));
        assert_eq!(in_passwd(passwd, "phi"), None);
        assert_eq!(in_passwd(passwd, "bad"), None);
        assert_eq!(find_user("65534"), Some((65_534, 65_534)));
        assert_eq!(find_user("12:13"), Some((12, 13)));
        assert_eq!(find_user("1:2:3"), None);
        assert_eq!(find_user(""), None);
    }

    #[test]
    fn in_force_it_leaves_only_its_own_folders_to_write_and_its_own_ports_to_reach() {
        use std::net::{TcpListener, TcpStream};
        let [own, other] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
        let [known, unknown] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
        let [known_at, unknown_at] = [&known, &unknown].map(|l| l.local_addr().expect("address"));
        let (inside, outside) = (own.path().to_owned(), other.path().to_owned());
        std::fs::write(outside.join("theirs"), "text").expect("a file");
        let sandbox = Sandbox {
            writes: vec![inside.clone()],
            connects: Some(vec![known_at.port()]),
            ..Sandbox::default()
        };
        let offers = LandlockSupport::of_kernel();
        // Only this thread is restricted.
        let work = move || {
            let said = sandbox.enter().expect("it may give up privileges");
            assert!(said.contains("no new privileges"), "{said}");
            assert_eq!(said.contains("landlock (files and ports)"), offers.ports, "{said}");
            assert_eq!(said.contains("no landlock"), !offers.files, "{said}");
            // Logs are rotated, states are replaced, and folders are made.
            std::fs::write(inside.join("new"), "text").expect("a file");
            std::fs::rename(inside.join("new"), inside.join("old")).expect("another name");
            std::fs::create_dir(inside.join("folder")).expect("a folder");
            std::fs::write(inside.join("folder/new"), "text").expect("a file");
            std::fs::remove_file(inside.join("old")).expect("removed");
            // Rules, certificates and the names of hosts are read again.
            let theirs = outside.join("theirs");
            assert_eq!(std::fs::read_to_string(&theirs).expect("read"), "text");
            TcpStream::connect(known_at).expect("a port of its own");
            let refused = |result: std::io::Result<()>| {
                result.is_err_and(|e| e.kind() == std::io::ErrorKind::PermissionDenied)
            };
            let create = std::fs::write(outside.join("new"), "text");
            let append = std::fs::OpenOptions::new().append(true).open(&theirs).map(drop);
            for tried in [create, append, std::fs::remove_file(&theirs)] {
                assert_eq!(refused(tried), offers.files);
            }
            assert_eq!(refused(TcpStream::connect(unknown_at).map(drop)), offers.ports);
            assert!(std::process::Command::new("true").spawn().is_err(), "it runs no program");
        };
        std::thread::spawn(work).join().expect("as it should");
        assert!(
            std::fs::write(other.path().join("new"), "text").is_ok(),
            "here it is not in force"
        );
    }

    #[test]
    fn restrictions_are_read_from_the_system() {
        let names: Vec<&str> = restrictions().iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["uid", "gid", "capabilities", "no_new_privs", "seccomp"]);
    }
}
