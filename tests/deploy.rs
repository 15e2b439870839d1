//! `deploy/`: alert rules by promtool, every query of the dashboard against a real Prometheus that scrapes a
//! real sensor, the unit by systemd-analyze. `PHITAP_NO_PROMETHEUS=1` and `PHITAP_NO_SYSTEMD=1` do without.

// What was left out must be said, and the clock of the wire is the clock of the world here.
#![allow(clippy::disallowed_methods, clippy::print_stdout)]

mod common;

use common::Bounded as _;
use common::{PHITAP, ROOT};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(240);

fn deploy(path: &str) -> PathBuf {
    Path::new(ROOT).join("deploy").join(path)
}

/// Whether a test is left out on request.
fn left_out(variable: &str) -> bool {
    let out = std::env::var(variable).is_ok_and(|v| v == "1");
    if out {
        println!("left out on request ({variable}=1)");
    }
    out
}

fn run(program: &str, arguments: &[&str], folder: &Path) -> String {
    let output = Command::new(program).args(arguments).current_dir(folder).output();
    let output = output.unwrap_or_else(|e| {
        panic!(
            "{program}: {e}; scripts/prepare.sh --tests installs it, or names what does without it"
        )
    });
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    said.into_owned()
}

#[test]
fn alert_rules_are_sound_and_do_what_their_tests_say() {
    if left_out("PHITAP_NO_PROMETHEUS") {
        return;
    }
    let folder = deploy("prometheus");
    run("promtool", &["check", "config", "prometheus.yml"], &folder);
    run("promtool", &["check", "rules", "phitap.rules.yml"], &folder);
    run("promtool", &["test", "rules", "phitap.test.yml"], &folder);
    // Every alert is tested, and described for whoever is woken by it.
    let rules = std::fs::read_to_string(folder.join("phitap.rules.yml")).expect("rules");
    let tests = std::fs::read_to_string(folder.join("phitap.test.yml")).expect("tests");
    let page = std::fs::read_to_string(Path::new(ROOT).join("docs/operations.md")).expect("page");
    let alerts: Vec<&str> =
        rules.lines().filter_map(|l| l.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 10, "{alerts:?}");
    for alert in alerts {
        assert!(tests.matches(&format!("alertname: {alert}")).count() >= 2, "{alert} has no test");
        assert!(
            page.contains(&format!("`{alert}`")),
            "docs/operations.md does not explain {alert}"
        );
    }
}

#[test]
fn the_unit_is_sound_and_hardened() {
    if left_out("PHITAP_NO_SYSTEMD") {
        return;
    }
    // It is checked as installed: with the program and the page that it names.
    let folder = tempfile::tempdir().expect("folder");
    let unit = std::fs::read_to_string(deploy("systemd/phitap.service")).expect("unit");
    assert!(unit.contains("/usr/bin/phitap live --config"));
    let unit = unit.replace("/usr/bin/phitap", PHITAP).replace("Documentation=", "#");
    let path = folder.path().join("phitap.service");
    std::fs::write(&path, unit).expect("written");
    let path = path.to_str().expect("UTF-8");
    let said = run("systemd-analyze", &["verify", path], folder.path());
    assert!(!said.contains("phitap.service:"), "{said}");
    // 2.5 of 10: what is left are the network, which it watches, and the right to capture.
    run("systemd-analyze", &["security", "--offline=true", "--threshold=25", path], folder.path());
}

/// What a package brings: each file is there, or made by `scripts/package.sh`, and both packages bring the same.
#[test]
fn packages_name_files_that_there_are() {
    let text = std::fs::read_to_string(Path::new(ROOT).join("Cargo.toml")).expect("manifest");
    let manifest: toml::Table = text.parse().expect("TOML");
    let metadata = &manifest["package"]["metadata"];
    let script =
        std::fs::read_to_string(Path::new(ROOT).join("scripts/package.sh")).expect("script");
    let mut sources = [std::collections::BTreeSet::new(), std::collections::BTreeSet::new()];
    for (package, key, of) in [(0, "deb", "0"), (1, "generate-rpm", "source")] {
        for asset in metadata[key]["assets"].as_array().expect("list") {
            let source = match of {
                "0" => &asset[0],
                field => &asset[field],
            };
            let source = source.as_str().expect("path");
            let there = match source.strip_prefix("target/package/") {
                Some(made) => script.contains(&format!("$out/{made}")),
                None if source == "target/release/phitap" => true,
                None => Path::new(ROOT).join(source.replace("*", "phitap.rules")).is_file(),
            };
            assert!(there, "{key}: {source}");
            sources[package].insert(source.to_owned());
        }
    }
    let [deb, rpm] = sources;
    assert!(deb.len() > 10 && deb.is_subset(&rpm), "{deb:?} {rpm:?}");
}

#[test]
fn scripts_of_packages_make_a_key_once_and_keep_it() {
    let folder = tempfile::tempdir().expect("folder");
    // The scripts as they are, on a system that is this folder.
    let here = folder.path().display();
    for name in ["postinst", "prerm"] {
        let script = std::fs::read_to_string(deploy("package").join(name)).expect("script");
        let script = script
            .replace("/etc/phitap", &format!("{here}/etc"))
            .replace("systemd-sysusers /usr", "true /usr")
            .replace("command -v systemd-sysusers", "true")
            .replace("-o phitap -g phitap ", "")
            .replace("/var/", &format!("{here}/var/"))
            .replace("/run/systemd/system", &format!("{here}/none"));
        std::fs::write(folder.path().join(name), script).expect("written");
    }
    let key = folder.path().join("etc/phitap.key");
    run("sh", &["postinst", "configure"], folder.path());
    let first = std::fs::read(&key).expect("a key");
    let mode = std::os::unix::fs::PermissionsExt::mode(&key.metadata().expect("key").permissions());
    assert_eq!((first.len(), mode & 0o777), (32, 0o600));
    for made in ["etc/rules", "var/lib/phitap", "var/log/phitap"] {
        assert!(folder.path().join(made).is_dir(), "{made}");
    }
    run("sh", &["postinst", "configure", "0.1.0"], folder.path());
    run("sh", &["prerm", "remove"], folder.path());
    assert_eq!(std::fs::read(&key).expect("the key"), first);
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The body of an answer, if there is one yet.
fn get(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.contains(" 200 ").then(|| body.to_owned())
}

fn escaped(query: &str) -> String {
    query.bytes().map(|b| format!("%{b:02X}")).collect()
}

/// Sends an invented patient to a server at `at`, over and over, and counts up.
fn admit(at: TcpListener, stop: &std::sync::atomic::AtomicBool) {
    let address = at.local_addr().expect("address");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut server, _) = at.accept().expect("client");
            let _ = std::io::copy(&mut server, &mut std::io::sink());
        });
        let mut client = TcpStream::connect(address).expect("server");
        for n in 0u32.. {
            if stop.load(std::sync::atomic::Ordering::Relaxed) {
                break;
            }
            let message = format!(
                "\x0bMSH|^~\\&|WARD|NORTH|EHR|NORTH|20260301101502||ADT^A01|M{n}|P|2.5\r\
                 PID|1||{}^^^NORTH^MR||Quillfeather^Bram||19620718|F\r\x1c\r",
                1_000 + n * 7
            );
            client.write_all(message.as_bytes()).expect("sent");
            std::thread::sleep(Duration::from_millis(200));
        }
    });
}

/// A sensor on the loopback interface, looking at `port` only, and where it serves its metrics.
fn sensor(port: u16) -> (Running, SocketAddr) {
    let mut command = Command::new(PHITAP);
    command.args(["live", "-i", "lo", "--filter", &format!("tcp port {port}")]);
    command.args(["--format", "json", "--output", "/dev/null", "--metrics", "127.0.0.1:0"]);
    let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).start();
    let mut said = BufReader::new(child.stderr.take().expect("piped")).lines();
    let line = said.by_ref().map_while(Result::ok).find(|l| l.contains("serving metrics at"));
    let line = line.expect("it serves metrics");
    std::thread::spawn(move || said.for_each(drop));
    let address = line.split("http://").nth(1).and_then(|a| a.split('/').next());
    (Running(child), address.and_then(|a| a.parse().ok()).expect("an address"))
}

/// Prometheus, scraping `target` each second.
fn prometheus(folder: &Path, target: SocketAddr) -> (Running, SocketAddr) {
    let config = format!(
        "scrape_configs:\n  - job_name: phitap\n    scrape_interval: 1s\n    static_configs:\n      \
         - targets: ['{target}']\n"
    );
    let path = folder.join("prometheus.yml");
    std::fs::write(&path, config).expect("written");
    let address = SocketAddr::from(([127, 0, 0, 1], common::ports::port_for_a_program()));
    let mut command = Command::new("prometheus");
    command.arg(format!("--config.file={}", path.display()));
    command.arg(format!("--storage.tsdb.path={}", folder.join("data").display()));
    command.arg(format!("--web.listen-address={address}"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    (Running(command.start()), address)
}

/// The series that a query gives.
fn query(prometheus: SocketAddr, query: &str) -> Option<Vec<Value>> {
    let answer = get(prometheus, &format!("/api/v1/query?query={}", escaped(query)))?;
    let answer: Value = serde_json::from_str(&answer).ok()?;
    answer["data"]["result"].as_array().cloned()
}

/// Every query of the dashboard with the title of its panel, and its variables filled in.
fn queries() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(deploy("grafana/phitap.json")).expect("dashboard");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let mut queries = Vec::new();
    let mut places = Vec::new();
    for panel in common::list(&dashboard["panels"]) {
        let place = &panel["gridPos"];
        assert!(!places.contains(place), "two panels at one place: {place}");
        places.push(place.clone());
        for target in common::list(&panel["targets"]) {
            let expression = common::string(&target["expr"])
                .replace("$__rate_interval", "20s")
                .replace("$job", ".+")
                .replace("$instance", ".+");
            assert!(!expression.contains('$'), "{expression}");
            queries.push((common::string(&panel["title"]).to_owned(), expression));
        }
    }
    assert!(queries.len() > 20, "{}", queries.len());
    queries
}

#[test]
fn every_query_of_the_dashboard_has_an_answer() {
    if left_out("PHITAP_NO_PROMETHEUS") || left_out("PHITAP_NO_NETNS") {
        return;
    }
    let folder = tempfile::tempdir().expect("folder");
    let server = TcpListener::bind("127.0.0.1:0").expect("socket");
    let (_sensor, metrics) = sensor(server.local_addr().expect("address").port());
    let (_prometheus, address) = prometheus(folder.path(), metrics);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| admit(server, &stop));
        let mut open = queries();
        for query in [
            "phitap_ready == 1 and on() phitap_interface_up{interface=\"lo\"} == 1",
            "sum(phitap_findings_by_direction_total{direction=\"internal\"}) > 0",
        ] {
            open.push(("the sensor".to_owned(), query.to_owned()));
        }
        let until = Instant::now() + PATIENCE;
        // Rates need two scrapes with a value.
        while !open.is_empty() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(500));
            open.retain(|(_, q)| query(address, q).is_none_or(|series| series.is_empty()));
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(open.is_empty(), "no answer to {open:#?}");
    });
}

/// The commands of hubs and workers in `deploy/` as their containers run them.
#[test]
#[cfg(all(feature = "nats", feature = "store"))]
fn commands_of_hubs_and_workers_are_right_usage() {
    use clap::Parser as _;
    let mut checked = 0;
    for file in ["compose/compose.yaml", "kubernetes/hub.yaml"] {
        let text = std::fs::read_to_string(deploy(file)).expect("manifest");
        let mut lines = text.lines().map(str::trim).peekable();
        while let Some(line) = lines.next() {
            let Some(command @ ("hub" | "worker")) = line.strip_prefix("- ") else { continue };
            let mut words = vec!["phitap".to_owned(), command.to_owned()];
            while let Some(option) = lines.next_if(|line| line.starts_with("- --")) {
                words.push(option.trim_start_matches("- ").replace("$(POD_NAME)", "pod-0"));
            }
            let cli = phitap::cli::Cli::try_parse_from(&words).map_err(|e| e.to_string());
            let task = cli.and_then(|cli| {
                phitap::cli::Task::try_from(cli).map_err(|error| error.to_string())
            });
            assert!(task.is_ok(), "{file}: {words:?}: {:?}", task.err());
            checked += 1;
        }
    }
    assert_eq!(checked, 4);
}
