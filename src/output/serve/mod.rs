//! The HTTP server of `--metrics`: `/metrics`, `/healthz`, `/api/v1/exposures` and a page at `/`.
//!
//! It runs in a thread of its own and only reads the [`Dashboard`]; whatever its clients do, the pipeline
//! does not notice.

mod listener;
mod page;

#[cfg(test)]
mod tests;

use super::dashboard::Dashboard;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST};
use axum::http::header::{REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde::Serialize;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long open requests may take once the server is told to stop.
const GRACE: Duration = Duration::from_secs(2);

/// The server could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve metrics at {address}: {source}{}", remedy(.source))]
pub struct ServeError {
    /// Where it should listen.
    pub address: SocketAddr,
    /// What the system said.
    pub source: io::Error,
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
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens at `address` and starts to serve. When it returns, connections are accepted.
    ///
    /// # Errors
    /// If the address cannot be listened at.
    pub fn start(address: SocketAddr, board: Arc<Dashboard>) -> Result<Self, ServeError> {
        let fail = |source| ServeError { address, source };
        let listener = std::net::TcpListener::bind(address).map_err(fail)?;
        listener.set_nonblocking(true).map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(fail)?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("phitap-http".into())
            .spawn(move || {
                runtime.block_on(async move {
                    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                    let serve =
                        axum::serve(listener::Limited::new(listener), router(board, address));
                    let (ended, end) = oneshot::channel::<()>();
                    let serve = serve.with_graceful_shutdown(async move {
                        let _ = stopped.await;
                        let _ = ended.send(());
                    });
                    let deadline = async {
                        let _ = end.await;
                        tokio::time::sleep(GRACE).await;
                    };
                    tokio::pin!(deadline);
                    let serve = std::future::IntoFuture::into_future(serve);
                    tokio::pin!(serve);
                    // Whichever comes first: all requests answered, or patience at its end.
                    std::future::poll_fn(|context| {
                        let served = serve.as_mut().poll(context).is_ready();
                        if served || deadline.as_mut().poll(context).is_ready() {
                            std::task::Poll::Ready(())
                        } else {
                            std::task::Poll::Pending
                        }
                    })
                    .await;
                });
            })
            .map_err(fail)?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens: the real port where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it and waits for open requests, a little.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn router(board: Arc<Dashboard>, address: SocketAddr) -> Router {
    let guard = move |request: Request, next: Next| guarded(address, request, next);
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .route("/api/v1/exposures", get(exposures))
        .route("/", get(page))
        .layer(middleware::from_fn(guard))
        .with_state(board)
}

/// Refuses what a foreign web page makes a browser send, and says how answers may be used.
async fn guarded(address: SocketAddr, request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).and_then(|h| h.to_str().ok());
    if address.ip().is_loopback() && !host.is_none_or(is_local_name) {
        return (StatusCode::MISDIRECTED_REQUEST, "unknown host name\n").into_response();
    }
    let mut response = next.run(request).await;
    let headers: [(HeaderName, &str); 4] = [
        (CACHE_CONTROL, "no-store"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        ),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// An address or `localhost`, with or without a port. Any other name could have been pointed here by
/// someone else's DNS (rebinding).
fn is_local_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

async fn metrics(State(board): State<Arc<Dashboard>>) -> Response {
    let text = "text/plain; version=0.0.4; charset=utf-8";
    ([(CONTENT_TYPE, text)], board.render_metrics()).into_response()
}

async fn health(State(board): State<Arc<Dashboard>>) -> Response {
    let health = board.health();
    let status =
        if health.status == "ok" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json(status, &health)
}

async fn ready(State(board): State<Arc<Dashboard>>) -> Response {
    let readiness = board.readiness();
    let status = match readiness.status {
        "ready" => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    json(status, &readiness)
}

async fn exposures(State(board): State<Arc<Dashboard>>) -> Response {
    #[derive(Serialize)]
    struct Exposures {
        exposures: Vec<super::dashboard::Row>,
    }
    json(StatusCode::OK, &Exposures { exposures: board.rows() })
}

async fn page(State(board): State<Arc<Dashboard>>) -> Response {
    ([(CONTENT_TYPE, "text/html; charset=utf-8")], page::html(&board)).into_response()
}

fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let mut body = Vec::new();
    match crate::output::json::append(&mut body, value) {
        Ok(()) => (status, [(CONTENT_TYPE, "application/json")], body).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
