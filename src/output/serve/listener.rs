//! Connections: a limited number, none that is silent for long, and room for a new one at any time.

use super::access::Tls;
use super::seats::{Seat, Seats};
use axum::Router;
use axum::extract::ConnectInfo;
use axum::response::Response;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep, timeout};

/// Time limit for the head of a request, and for a handshake.
pub(super) const HEAD: Duration = Duration::from_secs(10);
/// A connection without any activity for this long is closed.
const IDLE: Duration = Duration::from_secs(30);
/// A connection that lasts longer is closed: a client that reads a byte now and then keeps no slot.
const AGE: Duration = Duration::from_secs(300);
/// Largest head of a request, bytes.
const MAX_HEAD: usize = 16 << 10;
/// Header fields of a request.
const MAX_FIELDS: usize = 64;
/// After an error such as too many open files.
const PAUSE: Duration = Duration::from_millis(200);
/// Between checks whether the last response is sent.
const LOOK: Duration = Duration::from_millis(10);

/// Accepts connections and serves them. When stopped, it accepts no more and waits for open responses.
pub(super) async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let seats = Arc::new(Seats::default());
    let accepting = async {
        loop {
            match listener.accept().await {
                Ok((stream, address)) => {
                    let seat = seats.take(address.ip());
                    let client = Client { address, seat, stop: stop.clone() };
                    tokio::spawn(client.serve(stream, tls.clone(), router.clone()));
                }
                Err(_) => sleep(PAUSE).await,
            }
        }
    };
    let mut stopped = stop.clone();
    first(accepting, stopping(&mut stopped)).await;
    stopping(&mut stop).await;
    drop(listener);
    while !seats.are_free() {
        sleep(LOOK).await;
    }
}

/// Ends with whichever of two ends first.
pub(super) async fn first(a: impl Future<Output = ()>, b: impl Future<Output = ()>) {
    tokio::pin!(a, b);
    poll_fn(|context| match a.as_mut().poll(context) {
        Poll::Pending => b.as_mut().poll(context),
        ready => ready,
    })
    .await;
}

/// Ends when the server is stopped.
pub(super) async fn stopping(stop: &mut watch::Receiver<bool>) {
    // An error means that the server is gone, with the same effect.
    let _ = stop.wait_for(|stop| *stop).await;
}

struct Client {
    address: SocketAddr,
    seat: Seat,
    stop: watch::Receiver<bool>,
}

impl Client {
    async fn serve(mut self, stream: TcpStream, tls: Option<Tls>, router: Router) {
        let stream = Timed { stream, idle: Box::pin(sleep(IDLE)) };
        let answered = self.seat.answered();
        let (address, stop) = (self.address, self.stop);
        let served = async move {
            match tls {
                None => answer(stream, router, address, answered, stop).await,
                Some(tls) => {
                    if let Ok(Ok(stream)) = timeout(HEAD, tls.accept(stream)).await {
                        answer(stream, router, address, answered, stop).await;
                    }
                }
            }
        };
        // Errors concern only this client.
        let _ = timeout(AGE, first(served, self.seat.lost())).await;
    }
}

/// Answers the requests of one connection.
async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    address: SocketAddr,
    answered: Arc<AtomicBool>,
    mut stop: watch::Receiver<bool>,
) {
    let note = move |response: Response| {
        answered.store(true, Ordering::Relaxed);
        std::future::ready(response)
    };
    let router = router
        .layer(axum::Extension(ConnectInfo(address)))
        .layer(axum::middleware::map_response(note));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_FIELDS);
    let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let stopped = stopping(&mut stop);
    tokio::pin!(connection, stopped);
    let mut notified = false;
    poll_fn(|context| {
        if !notified && stopped.as_mut().poll(context).is_ready() {
            notified = true;
            connection.as_mut().graceful_shutdown();
        }
        connection.as_mut().poll(context).map(drop)
    })
    .await;
}

/// A connection that ends when it is inactive.
struct Timed {
    stream: TcpStream,
    idle: Pin<Box<Sleep>>,
}

impl Timed {
    /// Passes `result` on and restarts the clock, or fails if it has run out.
    #[expect(clippy::disallowed_methods, reason = "a connection that idles must end")]
    fn timed<T>(
        &mut self,
        context: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.idle.as_mut().reset(Instant::now() + IDLE);
            return result;
        }
        match self.idle.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Timed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.timed(context, result)
    }
}

impl AsyncWrite for Timed {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.timed(context, result)
    }
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
