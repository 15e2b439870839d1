//! The HTTP server of `--metrics`: `/metrics`, `/healthz`, the API below `/api/v1/` and a page at `/`.
//!
//! It runs in a thread of its own and only reads the [`Dashboard`]; whatever its clients do, the pipeline
//! does not notice. Beyond loopback it asks for a token, but for `/healthz`, which probes of a container ask for.

mod access;
mod listener;
mod seats;
mod stream;

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod tests;

pub use access::Access;

use super::dashboard::Dashboard;
use super::page;
use axum::Router;
use axum::extract::{ConnectInfo, Path, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY, RETRY_AFTER,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde::Serialize;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;

/// How long open requests may take once the server is stopped.
const GRACE: Duration = Duration::from_secs(2);

/// The server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// It cannot listen at the address.
    #[error("cannot serve metrics at {address}: {source}{}", remedy(.source))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        source: io::Error,
    },
    /// A token, a certificate or a key cannot be used.
    #[error("{}: {reason}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The problem.
        reason: String,
    },
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; choose another port with --metrics",
        io::ErrorKind::AddrNotAvailable => "; that address belongs to no interface of this host",
        io::ErrorKind::PermissionDenied => "; choose a port above 1023",
        _ => "",
    }
}

/// A running server; dropping it stops it.
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens at `address` and serves the clients that `access` allows. When it returns, connections are accepted.
    ///
    /// # Errors
    /// If it cannot listen at the address.
    pub fn start(
        address: SocketAddr,
        dashboard: Arc<Dashboard>,
        access: Access,
    ) -> Result<Self, ServeError> {
        let fail = |source| ServeError::Listen { address, source };
        let listener = std::net::TcpListener::bind(address).map_err(fail)?;
        listener.set_nonblocking(true).map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(fail)?;
        let (stop, stopped) = watch::channel(false);
        let tls = access.tls.clone();
        let guard = Guard { local: address.ip().is_loopback(), access };
        let thread = std::thread::Builder::new()
            .name("phitap-http".into())
            .spawn(move || {
                runtime.block_on(async move {
                    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                    let mut end = stopped.clone();
                    let serve = listener::serve(listener, tls, router(dashboard, guard), stopped);
                    let deadline = async {
                        listener::stopping(&mut end).await;
                        tokio::time::sleep(GRACE).await;
                    };
                    // Until all requests are answered, or the time is over.
                    listener::first(serve, deadline).await;
                });
            })
            .map_err(fail)?;
        Ok(Self { address, stop, thread: Some(thread) })
    }

    /// Its address: the real port if 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it and waits briefly for open requests.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn router(dashboard: Arc<Dashboard>, guard: Guard) -> Router {
    let guard = Arc::new(guard);
    let guarded = move |request: Request, next: Next| guarded(Arc::clone(&guard), request, next);
    Router::new()
        .route("/metrics", get(metrics))
        .route(HEALTH, get(health))
        .route(READY, get(ready))
        .route("/api/v1/exposures", get(exposures))
        .route("/api/v1/hub", get(hub))
        .route("/api/v1/page", get(model))
        .route("/api/v1/findings/{exposure}", get(findings))
        .route("/api/v1/stream", get(stream::open))
        .route("/", get(page))
        .route("/app.css", get(style))
        .route("/app.js", get(script))
        .fallback(|| std::future::ready(StatusCode::NOT_FOUND))
        .layer(middleware::from_fn(guarded))
        .with_state(dashboard)
}

/// Only reports whether all is well.
const HEALTH: &str = "/healthz";
const READY: &str = "/readyz";

/// Decides which requests are answered.
struct Guard {
    /// It listens at a loopback address only.
    local: bool,
    access: Access,
}

impl Guard {
    /// The response to a request without access.
    fn refuse(&self, request: &Request) -> Option<Response> {
        let names = request.headers().get_all(HOST).iter().map(|host| host.to_str().ok());
        let target = request.uri().authority().map(|authority| Some(authority.as_str()));
        // A request that a foreign web page makes a browser send: its name was pointed here (DNS rebinding).
        if self.local && !names.chain(target).all(|host| host.is_some_and(is_local_name)) {
            return Some((StatusCode::MISDIRECTED_REQUEST, "unknown host name\n").into_response());
        }
        if [HEALTH, READY].contains(&request.uri().path()) {
            return None;
        }
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
        let status = self.access.check(peer, request.headers()).err()?;
        let header = match status {
            StatusCode::UNAUTHORIZED => {
                (WWW_AUTHENTICATE, "Basic realm=\"phitap\", charset=\"UTF-8\"")
            }
            _ => (RETRY_AFTER, "10"),
        };
        Some((status, [header]).into_response())
    }
}

/// Rejects requests without access, and adds security headers to responses.
async fn guarded(guard: Arc<Guard>, request: Request, next: Next) -> Response {
    let mut response = match guard.refuse(&request) {
        Some(refused) => refused,
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

const HEADERS: [(HeaderName, &str); 7] = [
    (CACHE_CONTROL, "no-store"),
    // Only files of this server: no script or style inside a page.
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// An address or `localhost`, with or without a port. Any other name could have been pointed here by
/// someone else's DNS (rebinding).
fn is_local_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

async fn metrics(State(dashboard): State<Arc<Dashboard>>) -> Response {
    let text = "text/plain; version=0.0.4; charset=utf-8";
    ([(CONTENT_TYPE, text)], dashboard.render_metrics()).into_response()
}

async fn health(State(dashboard): State<Arc<Dashboard>>) -> Response {
    let health = dashboard.health();
    let status =
        if health.status == "ok" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json(status, &health)
}

async fn ready(State(dashboard): State<Arc<Dashboard>>) -> Response {
    let readiness = dashboard.readiness();
    let status = match readiness.status {
        "ready" => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    json(status, &readiness)
}

async fn exposures(State(dashboard): State<Arc<Dashboard>>) -> Response {
    json(StatusCode::OK, &serde_json::json!({"exposures": dashboard.exposures()}))
}

/// The data of a hub about all sensors.
async fn hub(State(dashboard): State<Arc<Dashboard>>) -> Response {
    let api = dashboard.hub().as_ref().map(|hub| hub.api.clone());
    match api {
        Some(api) if api.is_null() => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Some(api) => json(StatusCode::OK, &api),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The whole content of the page, for its start.
async fn model(State(dashboard): State<Arc<Dashboard>>) -> Response {
    let (mut data, until) = dashboard.with_board(|page| (page.data(), page.clock()));
    // Findings are requested when an exposure is opened.
    data.remove("findings");
    data.insert("until".into(), until.into());
    data.extend(stream::figures(&dashboard));
    json(StatusCode::OK, &data)
}

/// Masked findings of an exposure.
async fn findings(
    State(dashboard): State<Arc<Dashboard>>,
    Path(exposure): Path<String>,
) -> Response {
    #[derive(Serialize)]
    struct Findings {
        findings: Vec<serde_json::Value>,
    }
    let findings = dashboard.with_board(|page| page.findings(&exposure).to_vec());
    json(StatusCode::OK, &Findings { findings })
}

async fn page() -> Response {
    ([(CONTENT_TYPE, "text/html; charset=utf-8")], page::live()).into_response()
}

async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], page::STYLE).into_response()
}

async fn script() -> Response {
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], page::SCRIPT).into_response()
}

fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let mut body = Vec::new();
    match crate::output::json::append(&mut body, value) {
        Ok(()) => (status, [(CONTENT_TYPE, "application/json")], body).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
