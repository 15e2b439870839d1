//! rsyslog, as a reader of phitap's syslog output. `PHITAP_NO_RSYSLOG=1` skips this.

use super::common::Bounded as _;
use super::receivers::wait_for;
use super::replay;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The program, stopped when dropped.
struct Rsyslog(Child);

impl Rsyslog {
    /// Listens on TCP, and writes a line for each message: the fields of its header, and its text.
    fn start(folder: &Path) -> Self {
        let configuration = format!(
            "module(load=\"imtcp\")\nglobal(workDirectory=\"{0}\" maxMessageSize=\"64k\")\n\
             template(name=\"parts\" type=\"string\" \
             string=\"%pri% %hostname% %app-name% %timereported:::date-rfc3339% %msg%\\n\")\n\
             input(type=\"imtcp\" port=\"0\" address=\"127.0.0.1\" listenPortFileName=\"{0}/port\")\n\
             action(type=\"omfile\" file=\"{0}/messages\" template=\"parts\")\n",
            folder.display()
        );
        let file = folder.join("rsyslog.conf");
        std::fs::write(&file, configuration).expect("configuration");
        let places =
            ["/usr/sbin/rsyslogd", "/sbin/rsyslogd", "/usr/bin/rsyslogd"].map(PathBuf::from);
        let program = places.into_iter().find(|path| path.is_file()).expect(
            "rsyslog is not installed: run scripts/prepare.sh --tests, or set PHITAP_NO_RSYSLOG=1",
        );
        let child = Command::new(program)
            .arg("-n")
            .arg("-f")
            .arg(&file)
            .arg("-i")
            .arg(folder.join("pid"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .start();
        Self(child)
    }
}

impl Drop for Rsyslog {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn rsyslog_reads_header_and_text_of_each_message() {
    if std::env::var_os("PHITAP_NO_RSYSLOG").is_some_and(|v| v == "1") {
        println!("LEFT OUT: PHITAP_NO_RSYSLOG is set");
        return;
    }
    let folder = tempfile::tempdir().expect("folder");
    let rsyslog = Rsyslog::start(folder.path());
    let port = wait_for("rsyslog does not listen", || {
        let text = std::fs::read_to_string(folder.path().join("port")).ok()?;
        let port: u16 = text.trim().parse().ok()?;
        std::net::TcpStream::connect(("127.0.0.1", port)).ok().map(|_| port)
    });
    let output = [format!("syslog:tcp://127.0.0.1:{port},facility=10")];
    let (run, lines) = replay(folder.path(), &output, &["--sensor", "ward-3"]);
    assert_eq!((run.status, run.err.as_str()), (Some(0), ""));
    let text = wait_for("not all messages came", || {
        let text = std::fs::read_to_string(folder.path().join("messages")).unwrap_or_default();
        (text.lines().count() >= lines.len()).then_some(text)
    });
    drop(rsyslog);
    for (message, line) in text.lines().zip(&lines) {
        let parts: Vec<&str> = message.splitn(5, ' ').collect();
        let priority: u8 = parts[0].parse().expect("a number");
        assert_eq!(priority / 8, 10, "{message}");
        assert!((2..=6).contains(&(priority % 8)), "{message}");
        assert_eq!((parts[1], parts[2]), ("ward-3", "phitap"), "{message}");
        assert_eq!(parts[4].trim_start(), line);
    }
    assert_eq!(text.lines().count(), lines.len());
}
