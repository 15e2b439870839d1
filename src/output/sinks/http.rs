//! `http:`: a webhook, `_bulk` of Elasticsearch and OpenSearch, or the HTTP Event Collector of Splunk.

use super::{Fate, Outcome, Sink, SinkError, bulk, credentials, runtime};
use crate::destination::{Address, HttpApi, Remote, Service};
use crate::output::clock::stopwatch;
use crate::output::spool::Record;
use crate::remote::{Credentials, explain_tls};
use axum::body::Bytes;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use axum::http::{Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;

/// Time limit for a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// Time limit for the response to a request.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// Time for which events of a rejected request are sent one by one.
const ONE_BY_ONE: Duration = Duration::from_secs(8);
/// Largest response that is read, bytes.
const MAX_ANSWER: usize = 16 << 20;
/// The default index.
const INDEX: &str = "phitap-events";

/// The sink of an HTTP server.
pub(super) struct Http {
    runtime: Runtime,
    address: Address,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    path: String,
    api: HttpApi,
    index: Option<String>,
    /// Events per request; fewer after one was too large.
    batch: usize,
    authorization: Option<HeaderValue>,
    source: Option<String>,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Http {
    /// For the server that `remote` names.
    ///
    /// # Errors
    /// If a file cannot be used.
    pub fn new(remote: &Remote, sensor: Option<&str>) -> Result<Self, SinkError> {
        let Service::Http { tls, address, path, api, index, batch } = &remote.service else {
            return Err(SinkError::Library("no HTTP server".to_owned()));
        };
        let tls = match tls {
            false => None,
            true => {
                let name = ServerName::try_from(address.host.clone())
                    .map_err(|_| SinkError::Library(format!("{address} is no name of a server")))?;
                Some((TlsConnector::from(Arc::new(remote.tls.client()?)), name))
            }
        };
        let authorization = credentials(remote)?.map(|of| authorization(&of, *api)).transpose()?;
        Ok(Self {
            runtime: runtime()?,
            address: address.clone(),
            tls,
            path: path_of(path, *api),
            api: *api,
            index: index.clone(),
            batch: *batch,
            authorization,
            source: sensor.map(str::to_owned),
            sender: None,
        })
    }

    fn body(&self, records: &[Record]) -> (Vec<u8>, &'static str) {
        match self.api {
            HttpApi::Elasticsearch | HttpApi::Opensearch => {
                // A path may name the index itself.
                let named = self.path.len() > "/_bulk".len() && self.path.matches('/').count() > 1;
                let default = if named { None } else { Some(INDEX) };
                let index = self.index.as_deref().or(default);
                (bulk::body(records, index), "application/x-ndjson")
            }
            HttpApi::Splunk => (self.splunk(records), "application/json"),
            HttpApi::Webhook => {
                let mut body = Vec::new();
                for record in records {
                    body.extend_from_slice(&record.line);
                    body.push(b'\n');
                }
                let json = body.first() == Some(&b'{');
                let kind = match (json, self.batch) {
                    (true, 1) => "application/json",
                    (true, _) => "application/x-ndjson",
                    (false, _) => "text/plain; charset=utf-8",
                };
                (body, kind)
            }
        }
    }

    /// Consecutive events, each with its time.
    fn splunk(&self, records: &[Record]) -> Vec<u8> {
        #[derive(serde::Serialize)]
        struct Head<'a> {
            time: f64,
            #[serde(skip_serializing_if = "Option::is_none")]
            host: Option<&'a str>,
            source: &'static str,
            #[serde(skip_serializing_if = "Option::is_none")]
            index: Option<&'a str>,
        }
        let mut body = Vec::new();
        for record in records {
            let head = Head {
                time: record.time as f64 / 1e3,
                host: self.source.as_deref(),
                source: "phitap",
                index: self.index.as_deref(),
            };
            // Text and numbers always serialise.
            let _ = serde_json::to_writer(&mut body, &head);
            // The event follows as the last member: unchanged if it is JSON, else as a string.
            body.pop();
            body.extend_from_slice(b",\"event\":");
            match record.line.first() {
                Some(b'{') => body.extend_from_slice(&record.line),
                _ => {
                    let _ =
                        serde_json::to_writer(&mut body, &String::from_utf8_lossy(&record.line));
                }
            }
            body.push(b'}');
        }
        body
    }

    /// Sends a request. Returns its status and its response.
    fn post(&mut self, records: &[Record]) -> Result<(StatusCode, Bytes), String> {
        let (body, kind) = self.body(records);
        let mut request = Request::post(&self.path)
            .header(HOST, self.address.to_string())
            .header(USER_AGENT, concat!("phitap/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, kind);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(Full::new(Bytes::from(body))).map_err(|e| e.to_string())?;
        let Self { runtime, address, tls, sender, .. } = self;
        let result = runtime.block_on(async {
            let sending = send(address, tls.as_ref(), sender, request);
            let answer = tokio::time::timeout(ANSWER_WITHIN, sending).await;
            answer.unwrap_or_else(|_| Err("no answer in time".to_owned()))
        });
        result.map_err(|fault| {
            self.sender = None;
            format!("{}: {fault}", self.address)
        })
    }

    /// The result that a response means.
    fn outcome(&mut self, records: &[Record], status: StatusCode, answer: &[u8]) -> Outcome {
        let number = records.len();
        let again = |why: String| Outcome::broke_off(0, number, why);
        let address = &self.address;
        match status.as_u16() {
            200..=299 if matches!(self.api, HttpApi::Elasticsearch | HttpApi::Opensearch) => {
                let mut outcome = bulk::outcome(answer, number);
                outcome.fault = outcome.fault.map(|fault| format!("{address}: {fault}"));
                outcome.refusal = outcome.refusal.map(|why| format!("{address}: {why}"));
                outcome
            }
            200..=299 => Outcome::all(Fate::Taken, number),
            401 | 403 => again(match self.authorization {
                Some(_) => format!(
                    "{address}: the server refused the credentials ({status}); check credentials=FILE"
                ),
                None => format!(
                    "{address}: the server asks for credentials ({status}); give credentials=FILE"
                ),
            }),
            413 if number > 1 => {
                self.batch = (number / 2).max(1);
                again(format!("{address}: {number} events are too much for one request"))
            }
            300..=399 => again(format!(
                "{address}{}: {status}: the server names another address; give that one",
                self.path
            )),
            404 | 405 => {
                again(format!("{address}{}: {status}; check the path of the output", self.path))
            }
            408 | 425 | 429 | 500.. => again(format!("{address}: {status}")),
            _ if number == 1 => Outcome::refused(1, format!("{address}: {status}")),
            // A single one of them may be the reason.
            _ => self.one_by_one(records),
        }
    }

    fn one_by_one(&mut self, records: &[Record]) -> Outcome {
        let (since, mut all) = (stopwatch(), Outcome::default());
        for record in records {
            let one = std::slice::from_ref(record);
            let outcome = match self.post(one) {
                Ok((status, answer)) => self.outcome(one, status, &answer),
                Err(fault) => Outcome::broke_off(0, 1, fault),
            };
            let again = outcome.fates.contains(&Fate::Again);
            all.append(outcome);
            if again || since.elapsed() > ONE_BY_ONE {
                break;
            }
        }
        all.fates.resize(records.len(), Fate::Again);
        all
    }
}

impl Sink for Http {
    fn deliver(&mut self, records: &[Record]) -> Outcome {
        let mut all = Outcome::default();
        while all.fates.len() < records.len() {
            let rest = records.get(all.fates.len()..).unwrap_or_default();
            let chunk = rest.get(..self.batch.min(rest.len())).unwrap_or_default();
            let outcome = match self.post(chunk) {
                Ok((status, answer)) => self.outcome(chunk, status, &answer),
                Err(fault) => Outcome::broke_off(0, chunk.len(), fault),
            };
            let again = outcome.fates.contains(&Fate::Again);
            all.append(outcome);
            if again {
                break;
            }
        }
        all.fates.resize(records.len(), Fate::Again);
        all
    }

    fn most(&self) -> usize {
        self.batch
    }
}

/// The path of the interface, if only that of the server is given.
fn path_of(path: &str, api: HttpApi) -> String {
    let base = path.trim_end_matches('/');
    match api {
        HttpApi::Elasticsearch | HttpApi::Opensearch if !base.ends_with("/_bulk") => {
            format!("{base}/_bulk")
        }
        HttpApi::Splunk if base.is_empty() => "/services/collector/event".to_owned(),
        _ => path.to_owned(),
    }
}

fn authorization(credentials: &Credentials, api: HttpApi) -> Result<HeaderValue, SinkError> {
    let text = match (credentials, api) {
        (Credentials::Password { user, password }, _) => {
            let both = zeroize::Zeroizing::new(format!("{user}:{}", password.as_str()));
            format!("Basic {}", STANDARD.encode(both.as_bytes()))
        }
        (Credentials::Token(token), HttpApi::Elasticsearch) => format!("ApiKey {}", token.as_str()),
        (Credentials::Token(token), HttpApi::Splunk) => format!("Splunk {}", token.as_str()),
        (Credentials::Token(token), _) => format!("Bearer {}", token.as_str()),
        (Credentials::Seed(_) | Credentials::Nats(_), _) => {
            return Err(SinkError::WrongCredentials("an HTTP server"));
        }
    };
    let text = zeroize::Zeroizing::new(text);
    let mut value =
        HeaderValue::from_str(&text).map_err(|_| SinkError::WrongCredentials("an HTTP server"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Sends over the open connection, or a new one.
async fn send(
    address: &Address,
    tls: Option<&(TlsConnector, ServerName<'static>)>,
    sender: &mut Option<SendRequest<Full<Bytes>>>,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Bytes), String> {
    // A server may close a connection that was idle at any time.
    let open = match sender {
        Some(open) => !open.is_closed() && open.ready().await.is_ok(),
        None => false,
    };
    if !open {
        let connecting = tokio::time::timeout(CONNECT_WITHIN, connect(address, tls)).await;
        *sender = Some(connecting.unwrap_or_else(|_| Err("no connection in time".to_owned()))?);
    }
    let Some(sender) = sender else { return Err("no connection".to_owned()) };
    let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
    let body = body.map_err(|error| error.to_string())?;
    Ok((status, body.to_bytes()))
}

async fn connect(
    address: &Address,
    tls: Option<&(TlsConnector, ServerName<'static>)>,
) -> Result<SendRequest<Full<Bytes>>, String> {
    let stream = TcpStream::connect((address.host.as_str(), address.port))
        .await
        .map_err(|error| error.to_string())?;
    let _ = stream.set_nodelay(true);
    let Some((connector, name)) = tls else {
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        tokio::spawn(connection);
        return Ok(sender);
    };
    let stream = connector.connect(name.clone(), stream).await.map_err(|error| {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        format!("TLS failed: {}", inner.map_or_else(|| error.to_string(), explain_tls))
    })?;
    let (sender, connection) =
        handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    Ok(sender)
}
