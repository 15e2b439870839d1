//! Changes as server-sent events (HTML Living Standard, section 9.2).
//!
//! Once a second a page gets the counters of the run and every exposure, service and host that changed: however many
//! findings there are, it gets no more than the state at that moment.

use super::super::dashboard::Dashboard;
use super::super::json;
use axum::body::{Body, Bytes};
use axum::extract::{RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use futures_core::Stream;
use serde_json::{Map, Value};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Interval, MissedTickBehavior};

/// Between messages.
const EVERY: Duration = Duration::from_secs(1);

/// The counters of the run, in the form of the page.
pub(super) fn figures(dashboard: &Dashboard) -> Map<String, Value> {
    let mut data = Map::new();
    data.insert("live".into(), dashboard.figures());
    data.insert("patients".into(), dashboard.metrics().patients().into());
    if let Some(hub) = &*dashboard.hub() {
        data.insert("hub".into(), hub.page.clone());
    }
    data
}

pub(super) async fn open(
    State(dashboard): State<Arc<Dashboard>>,
    RawQuery(query): RawQuery,
) -> Response {
    // The point up to which the page is current.
    let known = query.as_deref().and_then(|query| query.strip_prefix("since=")?.parse().ok());
    let since = known.unwrap_or(0);
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let body = Body::from_stream(Messages { dashboard, since, tick, over: false });
    ([(CONTENT_TYPE, "text/event-stream; charset=utf-8")], body).into_response()
}

struct Messages {
    dashboard: Arc<Dashboard>,
    since: u64,
    tick: Interval,
    over: bool,
}

impl Stream for Messages {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.over {
            return Poll::Ready(None);
        }
        ready!(self.tick.poll_tick(cx));
        let mut data = figures(&self.dashboard);
        let changes = self.dashboard.with_board(|dashboard| dashboard.changes(self.since));
        self.since = changes.until;
        data.extend(changes.data.unwrap_or_default());
        self.over = self.dashboard.health().status != "ok";
        let mut message = b"data: ".to_vec();
        // No value contains what JSON cannot express; line ends are escaped.
        if json::append(&mut message, &data).is_err() {
            return Poll::Ready(None);
        }
        message.extend_from_slice(b"\n\n");
        Poll::Ready(Some(Ok(Bytes::from(message))))
    }
}
