//! Captures in object stores: S3 and compatible servers, Google Cloud Storage, Azure. They are streamed into pipes that a
//! replay reads, and never written to a disk.
//!
//! Credentials and endpoints come from the environment, as for the tools of each provider (`AWS_ENDPOINT`,
//! `AWS_ACCESS_KEY_ID`, `GOOGLE_SERVICE_ACCOUNT`, `AZURE_STORAGE_ACCOUNT_NAME`...), or from the machine's own role.

use super::queue::next;
use super::replay::name_of;
use super::sets::Capture;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::path::Path as Key;
use object_store::{ClientConfigKey, ObjectStore, ObjectStoreExt as _, RetryConfig};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::time::timeout;

/// Interval between checks whether the replay has opened a pipe.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Interval between checks whether it has ended, while the store sends nothing.
const LOOK_WHILE_SILENT: Duration = Duration::from_secs(1);
/// Longest time for which a store may send nothing of a capture. The library requests the rest again before that.
const SILENT_FOR: Duration = Duration::from_secs(300);
/// Longest time of a request: a capture is read as fast as it is replayed.
const REQUEST_FOR: &str = "30days";
/// Time from the beginning of a request within which an interrupted transfer is resumed.
const RETRY_FOR: Duration = Duration::from_secs(30 * 86_400);
/// Longest time for which the store may send nothing in one request.
const READ_WITHIN: &str = "60s";
/// Both, for the builder of any store.
const LIMITS: [(ClientConfigKey, &str); 2] =
    [(ClientConfigKey::Timeout, REQUEST_FOR), (ClientConfigKey::ReadTimeout, READ_WITHIN)];
/// How a store says that credentials are missing or wrong.
const REFUSALS: [&str; 2] = ["401 Unauthorized", "403 Forbidden"];
/// Longest reason of the library that is shown, characters.
const MAX_REASON: usize = 300;
/// Ends of names of captures, also compressed ones.
const CAPTURES: [&str; 9] =
    [".pcap", ".pcapng", ".cap", ".ntar", ".gz", ".zst", ".xz", ".lz4", ".bz2"];

/// Whether a file is in an object store.
pub(super) fn is_remote(file: &str) -> bool {
    file.contains("://")
}

/// The store of an address, and the key or prefix in it.
fn open(url: &str) -> Result<(Arc<dyn ObjectStore>, Key), String> {
    // Selects one of the cryptographic libraries in the program, unless that was done before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let fail = |error| explain(url, &error);
    let (scheme, rest) = url.split_once("://").ok_or_else(|| format!("{url}: no address"))?;
    // The builders and their keys have no type in common.
    macro_rules! store {
        ($builder:ident, $key:ident) => {{
            let retry = RetryConfig { retry_timeout: RETRY_FOR, ..RetryConfig::default() };
            let builder = $builder::from_env().with_url(url).with_retry(retry);
            let limited = LIMITS.into_iter().fold(builder, |builder, (key, value)| {
                builder.with_config($key::Client(key), value)
            });
            Arc::new(limited.build().map_err(fail)?)
        }};
    }
    let store: Arc<dyn ObjectStore> = match scheme {
        "s3" | "s3a" => store!(AmazonS3Builder, AmazonS3ConfigKey),
        "gs" => store!(GoogleCloudStorageBuilder, GoogleConfigKey),
        "az" | "azure" | "abfs" | "abfss" | "adl" => store!(MicrosoftAzureBuilder, AzureConfigKey),
        _ => {
            return Err(format!(
                "{url}: write s3://BUCKET/KEY, gs://BUCKET/KEY or az://CONTAINER/KEY"
            ));
        }
    };
    let key = rest.split_once('/').map_or("", |(_, key)| key);
    let key = Key::parse(key.trim_end_matches('/')).map_err(|error| format!("{url}: {error}"))?;
    Ok((store, key))
}

/// Whether the store refuses the credentials, or has none to check.
fn is_refused(error: &object_store::Error) -> bool {
    use object_store::Error::{PermissionDenied, Unauthenticated};
    // An error of a list says so in its text only.
    let said = |text: &str| REFUSALS.iter().any(|refusal| text.contains(refusal));
    matches!(error, PermissionDenied { .. } | Unauthenticated { .. }) || said(&error.to_string())
}

/// An error in one line, with what to change.
fn explain(url: &str, error: &object_store::Error) -> String {
    let text = error.to_string();
    if is_refused(error) {
        let status = REFUSALS.iter().find(|refusal| text.contains(*refusal));
        let status = status.map(|status| format!(" ({status})")).unwrap_or_default();
        let set = match url.split("://").next() {
            Some("s3" | "s3a") => "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
            Some("gs") => "GOOGLE_SERVICE_ACCOUNT, the path of a key file",
            _ => "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
        };
        return format!(
            "{url}: the store refuses access{status}; set {set}, or give the machine's role the right to list and read"
        );
    }
    // A body that a server sent, in XML or HTML, says no more than the status before it.
    let text =
        text.split(['<', '\n', '\r']).next().unwrap_or_default().trim_end_matches([':', ' ']);
    format!("{url}: {}", text.chars().take(MAX_REASON).collect::<String>())
}

/// The captures at an address: an object, or the objects whose keys are below it.
pub(super) async fn list(url: &str) -> Result<Vec<Capture>, String> {
    let (store, prefix) = open(url)?;
    let head = url.split('/').take(3).collect::<Vec<_>>().join("/");
    if !prefix.as_ref().is_empty() {
        match store.head(&prefix).await {
            Ok(object) => {
                let path = format!("{head}/{prefix}");
                return Ok(vec![Capture { path, bytes: object.size }]);
            }
            Err(error) if is_refused(&error) => return Err(explain(url, &error)),
            Err(_) => {}
        }
    }
    let mut objects = store.list(Some(&prefix).filter(|prefix| !prefix.as_ref().is_empty()));
    let mut captures = Vec::new();
    while let Some(object) = next(&mut objects).await {
        let object = object.map_err(|error| explain(url, &error))?;
        let key = object.location.as_ref();
        let is_capture = CAPTURES.iter().any(|end| key.contains(end));
        if is_capture && object.size > 0 {
            captures.push(Capture { path: format!("{head}/{key}"), bytes: object.size });
        }
    }
    Ok(captures)
}

/// Pipes with the content of objects.
pub(super) struct Feeds {
    folder: PathBuf,
    stop: Arc<AtomicBool>,
    faults: Arc<Mutex<Vec<String>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Feeds {
    /// Creates a pipe for each remote file and starts to fill it. Returns the paths for the replay.
    pub fn start(files: &[String]) -> Result<(Vec<PathBuf>, Self), String> {
        let mut salt = [0; 8];
        getrandom::fill(&mut salt).map_err(|error| error.to_string())?;
        let folder = std::env::temp_dir().join(format!("phitap-{:016x}", u64::from_le_bytes(salt)));
        let fail = |error: std::io::Error| format!("{}: {error}", folder.display());
        let mut builder = std::fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder).map_err(fail)?;
        let mut feeds = Self {
            folder: folder.clone(),
            stop: Arc::default(),
            faults: Arc::default(),
            threads: Vec::new(),
        };
        let mut paths = Vec::new();
        for (n, file) in files.iter().enumerate() {
            if !is_remote(file) {
                paths.push(PathBuf::from(file));
                continue;
            }
            // Keep the name, because results identify the run by it.
            let place = folder.join(n.to_string());
            std::fs::create_dir(&place).map_err(fail)?;
            let pipe = place.join(name_of(file));
            mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
                .map_err(|error| fail(error.into()))?;
            let (url, to) = (file.clone(), pipe.clone());
            let (stop, faults) = (Arc::clone(&feeds.stop), Arc::clone(&feeds.faults));
            let run = move || {
                if let Err(fault) = feed(&url, &to, &stop) {
                    faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
                }
            };
            let thread = std::thread::Builder::new().name("phitap-feed".into()).spawn(run);
            feeds.threads.push(thread.map_err(fail)?);
            paths.push(pipe);
        }
        Ok((paths, feeds))
    }

    /// Stops, and returns why a file was not read to its end.
    pub fn fault(mut self) -> Option<String> {
        self.end();
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Feeds {
    fn drop(&mut self) {
        self.end();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Opens a pipe for writing when it has a reader; none if stopped before.
fn open_pipe(pipe: &Path, stop: &AtomicBool) -> Result<Option<File>, String> {
    loop {
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
        match OpenOptions::new().write(true).custom_flags(flags).open(pipe) {
            Ok(file) => {
                rustix::fs::fcntl_setfl(&file, OFlags::empty())
                    .map_err(|error| error.to_string())?;
                return Ok(Some(file));
            }
            // It has no reader yet.
            Err(error) if error.raw_os_error() == Some(libc::ENXIO) => {}
            Err(error) => return Err(format!("{}: {error}", pipe.display())),
        }
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Result of a future; none if stopped before.
async fn unless<T>(stop: &AtomicBool, of: impl Future<Output = T>) -> Option<T> {
    let mut of = std::pin::pin!(of);
    while !stop.load(Ordering::Relaxed) {
        if let Ok(value) = timeout(LOOK_WHILE_SILENT, &mut of).await {
            return Some(value);
        }
    }
    None
}

fn feed(url: &str, pipe: &Path, stop: &AtomicBool) -> Result<(), String> {
    let Some(mut to) = open_pipe(pipe, stop)? else { return Ok(()) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let fail = |error| explain(url, &error);
        let (store, key) = open(url)?;
        let Some(object) = unless(stop, store.get(&key)).await else { return Ok(()) };
        let mut pieces = object.map_err(fail)?.into_stream();
        while let Some(piece) = unless(stop, timeout(SILENT_FOR, next(&mut pieces))).await {
            let piece = piece.map_err(|_| format!("{url}: the store sends nothing more"))?;
            let Some(piece) = piece.transpose().map_err(fail)? else { break };
            // The reader has ended, and reports why itself.
            if to.write_all(&piece).is_err() {
                break;
            }
        }
        Ok(())
    })
}
