//! Checks `deploy/`: alert rules with promtool, every query of the dashboard against a real
//! Prometheus that scrapes a real sensor and hub, the unit with systemd-analyze, and commands and
//! configuration of containers with phitap itself. `PHITAP_NO_PROMETHEUS=1`, `PHITAP_NO_NATS=1` and
//! `PHITAP_NO_SYSTEMD=1` skip parts.

// Skipped parts must be reported, and traffic runs by the system clock here.
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
    // Every alert has a test, and a description for the person on call.
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
    // Checked as installed, with the program and manual page that it names.
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

/// Package contents: each file exists or is made by `scripts/package.sh`, and both packages have
/// the same files.
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
    // The package's scripts, on a system that is this folder.
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

/// The body of a response, if there is one yet.
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

/// Sends an invented patient to a server at `at` repeatedly, with increasing numbers.
fn admit(at: TcpListener, stop: &std::sync::atomic::AtomicBool) {
    let address = at.local_addr().expect("address");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut server = common::ending::client(&at);
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

/// A sensor on the loopback interface that reads only `port`; and the address of its metrics.
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

/// A hub with its own broker; and the address of its metrics.
#[cfg(all(feature = "nats", feature = "store"))]
fn hub(folder: &Path) -> (common::nats::Nats, Running, SocketAddr) {
    let nats = common::nats::Nats::start();
    let address = SocketAddr::from(([127, 0, 0, 1], common::ports::port_for_a_program()));
    let mut command = Command::new(PHITAP);
    command.args(["hub", "--nats", &nats.url(), "--metrics", &address.to_string(), "--store"]);
    command.arg(folder.join("hub.db"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    (nats, Running(command.start()), address)
}

/// A Prometheus that scrapes each target every second under its job name.
fn prometheus(folder: &Path, targets: &[(&str, SocketAddr)]) -> (Running, SocketAddr) {
    let mut config = "scrape_configs:\n".to_owned();
    for (job, target) in targets {
        config += &format!(
            "  - job_name: {job}\n    scrape_interval: 1s\n    static_configs:\n      \
             - targets: ['{target}']\n"
        );
    }
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

/// The series that a query returns.
fn query(prometheus: SocketAddr, query: &str) -> Option<Vec<Value>> {
    let answer = get(prometheus, &format!("/api/v1/query?query={}", escaped(query)))?;
    let answer: Value = serde_json::from_str(&answer).ok()?;
    answer["data"]["result"].as_array().cloned()
}

/// Every query of the dashboard with the title of its panel, variables replaced.
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

/// Whether only a hub can answer the query. Queries about sensors mention hubs to exclude them.
fn asks_a_hub(query: &str) -> bool {
    query.contains("phitap_hub_") && !query.contains(" unless ")
}

#[test]
fn every_query_of_the_dashboard_has_an_answer() {
    if left_out("PHITAP_NO_PROMETHEUS") || left_out("PHITAP_NO_NETNS") {
        return;
    }
    let folder = tempfile::tempdir().expect("folder");
    let server = TcpListener::bind("127.0.0.1:0").expect("socket");
    let (_sensor, metrics) = sensor(server.local_addr().expect("address").port());
    let mut open = queries();
    // A program without hub support has no hub to query.
    let with_hub = cfg!(all(feature = "nats", feature = "store")) && !left_out("PHITAP_NO_NATS");
    #[cfg(all(feature = "nats", feature = "store"))]
    let running = with_hub.then(|| hub(folder.path()));
    #[cfg(not(all(feature = "nats", feature = "store")))]
    let running: Option<((), Running, SocketAddr)> = None;
    let hubs = running.iter().map(|(_, _, address)| ("phitap-hub", *address));
    let targets: Vec<_> = hubs.chain([("phitap", metrics)]).collect();
    let of_hubs = open.iter().filter(|(_, query)| asks_a_hub(query)).count();
    assert!(of_hubs >= 8, "{of_hubs}");
    open.retain(|(_, query)| with_hub || !asks_a_hub(query));
    let (_prometheus, address) = prometheus(folder.path(), &targets);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| admit(server, &stop));
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

/// Every manifest of `deploy/`: its name and its text.
fn manifests() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for folder in ["compose", "kubernetes"] {
        for entry in std::fs::read_dir(deploy(folder)).expect("folder") {
            let path = entry.expect("entry").path();
            let text = std::fs::read_to_string(&path).expect("manifest");
            all.push((path.strip_prefix(deploy("")).expect("inside").display().to_string(), text));
        }
    }
    all.sort();
    all
}

/// The lists of words under `command` and `args` in a manifest, on one line or one word per line.
#[cfg(all(feature = "nats", feature = "store"))]
fn commands(manifest: &str) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    let mut lines = manifest.lines().map(str::trim).peekable();
    while let Some(line) = lines.next() {
        let Some(rest) = line.strip_prefix("command:").or_else(|| line.strip_prefix("args:"))
        else {
            continue;
        };
        let words = match rest.trim() {
            "" => {
                let mut words = Vec::new();
                while let Some(word) = lines.next_if(|line| line.starts_with("- ")) {
                    words.push(word.trim_start_matches("- ").to_owned());
                }
                words
            }
            list => serde_json::from_str(list).expect("a list of words"),
        };
        all.push(words);
    }
    all
}

/// How phitap parses a command line.
#[cfg(all(feature = "nats", feature = "store"))]
fn task(words: &[String]) -> Result<phitap::cli::Task, String> {
    use clap::Parser as _;
    let words = std::iter::once("phitap").chain(words.iter().map(String::as_str));
    let cli = phitap::cli::Cli::try_parse_from(words).map_err(|error| error.to_string())?;
    phitap::cli::Task::try_from(cli).map_err(|error| error.to_string())
}

/// The command lines in `deploy/` as their containers run them.
#[test]
#[cfg(all(feature = "nats", feature = "store"))]
fn commands_of_containers_are_right_usage() {
    let mut checked = Vec::new();
    let mut others = 0;
    for (file, text) in manifests() {
        for mut words in commands(&text) {
            if words[0].starts_with('-') || words[0].starts_with('/') {
                others += 1; // the broker, and what puts secrets into place
                continue;
            }
            for word in &mut words {
                *word = word.replace("$(POD_NAME)", "pod-0").replace("${INTERFACE:-eth0}", "eth0");
                assert!(!word.contains('$'), "{file}: {word}");
            }
            let task = task(&words);
            assert!(task.is_ok(), "{file}: {words:?}: {:?}", task.err());
            if let Ok(phitap::cli::Task::Run(config)) = task {
                assert!(config.summaries, "{file}: a hub cannot count what {words:?} sends");
            }
            checked.push(words[0].clone());
        }
    }
    checked.sort();
    assert_eq!(checked, ["hub", "hub", "jobs", "jobs", "live", "worker", "worker"]);
    assert_eq!(others, 6);
}

/// The configuration of the sensors in `kubernetes/phitap.yaml`, and that each file it names is
/// mounted there.
#[test]
#[cfg(all(feature = "nats", feature = "store"))]
fn the_configuration_of_sensors_in_containers_is_accepted() {
    let image = std::fs::read_to_string(deploy("Dockerfile")).expect("image");
    assert!(image.contains(r#"CMD ["live", "--config", "/etc/phitap/phitap.toml"]"#));
    let text = std::fs::read_to_string(deploy("kubernetes/phitap.yaml")).expect("manifest");
    let (_, map) = text.split_once("  phitap.toml: |\n").expect("a ConfigMap");
    let lines = map.lines().map_while(|line| line.strip_prefix("    "));
    let file = lines.collect::<Vec<_>>().join("\n");
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("phitap.toml");
    std::fs::write(&path, &file).expect("written");
    let words = ["live", "--config", path.to_str().expect("UTF-8")].map(str::to_owned);
    let Ok(phitap::cli::Task::Run(config)) = task(&words).map_err(|error| panic!("{error}")) else {
        panic!("it names no interface");
    };
    assert!(config.summaries && config.outputs.len() == 2 && config.writes_to_stdout());
    let installed: Vec<String> =
        commands(&text).into_iter().find(|words| words[0].contains("install")).expect("secrets");
    for named in file.split("/run/phitap/").skip(1) {
        let name = named.split(['"', ',']).next().expect("a name");
        assert!(installed.iter().any(|from| from.ends_with(&format!("/{name}"))), "{name}");
    }
    assert_eq!(file.matches("/run/phitap/").count(), 3, "a key, credentials and a CA");
}

/// Everything that pods mount is created by a manifest, or by the command in its comment.
#[test]
fn what_pods_mount_is_made() {
    let all = manifests();
    let mut checked = 0;
    for (file, text) in &all {
        for (mount, kind) in
            [("claimName: ", "PersistentVolumeClaim"), ("configMap: { name: ", "ConfigMap")]
        {
            for named in text.split(mount).skip(1) {
                let name = named.split([',', ' ', '\n']).next().expect("a name");
                let made = format!("kind: {kind}\nmetadata:\n  name: {name}\n");
                assert!(
                    all.iter().any(|(_, text)| text.contains(&made)),
                    "{file}: no {kind} {name}"
                );
                checked += 1;
            }
        }
        for named in text.split("secretName: ").skip(1) {
            let name = named.split([',', ' ', '\n']).next().expect("a name");
            let made =
                format!("# kubectl -n phitap create secret generic {name} ").replace("# ", "#   ");
            assert!(text.contains(&made), "{file} does not say how to make the secret {name}");
            checked += 1;
        }
    }
    assert_eq!(checked, 9);
}
