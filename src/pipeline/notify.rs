//! Messages to systemd (sd_notify(3)): ready, alive, stopping, and one line of state.

use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The service manager's socket, opened before a sandbox may forbid it.
pub struct Notify {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

impl Notify {
    /// The service manager that started this process, if it expects notifications.
    pub fn from_environment() -> Self {
        let socket = std::env::var("NOTIFY_SOCKET").ok().and_then(|path| connect(&path));
        let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        // WATCHDOG_PID names the watched process: a child may have inherited the variables.
        let ours = number("WATCHDOG_PID").is_none_or(|id| id == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|usec| ours && *usec > 0);
        Self { socket, watchdog: watchdog.map(Duration::from_micros) }
    }

    /// Interval of the watchdog, if it is on.
    pub const fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Sends `state`: lines such as `READY=1`.
    pub fn say(&self, state: &str) {
        if let Some(socket) = &self.socket {
            // Errors are ignored: the service manager may not listen.
            let _ = socket.send(state.as_bytes());
        }
    }
}

#[cfg(target_os = "linux")]
fn abstract_name(name: &str) -> Option<SocketAddr> {
    use std::os::linux::net::SocketAddrExt as _;
    SocketAddr::from_abstract_name(name).ok()
}

#[cfg(not(target_os = "linux"))]
fn abstract_name(_: &str) -> Option<SocketAddr> {
    None
}

/// Connects to a path, or to an abstract name that begins with `@`.
fn connect(path: &str) -> Option<UnixDatagram> {
    let address = match path.strip_prefix('@') {
        Some(name) => abstract_name(name)?,
        None => SocketAddr::from_pathname(path).ok()?,
    };
    let socket = UnixDatagram::unbound().ok()?;
    socket.connect_addr(&address).ok()?;
    socket.set_nonblocking(true).ok()?;
    Some(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_arrive_at_a_path_and_at_an_abstract_name() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).expect("socket");
        let socket = connect(path.to_str().expect("UTF-8"));
        Notify { socket, watchdog: None }.say("READY=1");
        let mut said = [0; 64];
        let n = manager.recv(&mut said).expect("said");
        assert_eq!(&said[..n], b"READY=1");

        let name = format!("phitap-test-{}", std::process::id());
        let Some(address) = abstract_name(&name) else { return };
        let manager = UnixDatagram::bind_addr(&address).expect("socket");
        let socket = connect(&format!("@{name}"));
        Notify { socket, watchdog: None }.say("WATCHDOG=1");
        let n = manager.recv(&mut said).expect("said");
        assert_eq!(&said[..n], b"WATCHDOG=1");
    }
}
