//! A real NATS server with JetStream.

use super::common::nats::{Nats, left_out};
use super::receivers::secret;
use super::replay;
use async_nats::jetstream::stream::{Config, DiscardPolicy, Stream};
use async_nats::jetstream::{Context, new};
use std::collections::BTreeSet;
use std::future::Future;

pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("runtime").block_on(work)
}

pub async fn context(nats: &Nats) -> Context {
    new(async_nats::connect(nats.url()).await.expect("connected"))
}

pub fn stream(messages: i64) -> Config {
    Config {
        name: "phitap".to_owned(),
        subjects: vec!["phitap.>".to_owned()],
        max_messages: messages,
        discard: DiscardPolicy::New,
        ..Config::default()
    }
}

/// Every message of the stream: its id and its text.
pub async fn messages(stream: &mut Stream) -> Vec<(String, String)> {
    let (first, last) = {
        let state = &stream.info().await.expect("info").state;
        (state.first_sequence, state.last_sequence)
    };
    let mut all = Vec::new();
    // Sequence numbers begin with 1; those of an empty stream are 0.
    for sequence in first.max(1)..=last {
        let message = stream.get_raw_message(sequence).await.expect("message");
        let id = message.headers.get("Nats-Msg-Id").expect("an id").as_str().to_owned();
        all.push((id, String::from_utf8(message.payload.to_vec()).expect("text")));
    }
    all
}

#[test]
fn each_event_is_in_the_stream_once_whatever_is_sent_again() {
    if left_out() {
        return;
    }
    let nats = Nats::start();
    let folder = tempfile::tempdir().expect("folder");
    block_on(async { context(&nats).await.create_stream(stream(-1)).await.expect("stream") });
    let output = || [format!("{},subject=phitap.events.ward", nats.url())];
    let (run, lines) = replay(folder.path(), &output(), &["--sensor", "ward"]);
    assert_eq!((run.status, run.err.as_str()), (Some(0), ""));
    let all = block_on(async {
        let mut stream = context(&nats).await.get_stream("phitap").await.expect("stream");
        messages(&mut stream).await
    });
    assert_eq!(all.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), lines);
    assert_eq!(all.iter().map(|(id, _)| id).collect::<BTreeSet<_>>().len(), lines.len());
    // The same events again: all are known except those that say how long the run took.
    let (_, again) = replay(folder.path(), &output(), &["--sensor", "ward"]);
    let known: BTreeSet<&String> = lines.iter().collect();
    let new = again.iter().filter(|line| !known.contains(line)).count();
    assert!(new < 5, "{new}");
    let total = block_on(async {
        let mut stream = context(&nats).await.get_stream("phitap").await.expect("stream");
        stream.info().await.expect("info").state.messages
    });
    assert_eq!(total as usize, lines.len() + new);
}

#[test]
fn without_a_stream_with_a_full_one_and_with_a_broker_that_is_killed_events_wait() {
    if left_out() {
        return;
    }
    let mut nats = Nats::start();
    let folder = tempfile::tempdir().expect("folder");
    let spool = folder.path().join("spool").display().to_string();
    let output = [nats.url()];
    let further = ["--spool", spool.as_str()];
    let (run, first) = replay(folder.path(), &output, &further);
    assert!(run.err.contains("no stream of JetStream takes phitap.events"), "{}", run.err);
    assert!(run.err.contains("wait in the spool for the next run"), "{}", run.err);
    // Room for only some of them.
    block_on(async { context(&nats).await.create_stream(stream(100)).await.expect("stream") });
    let (run, second) = replay(folder.path(), &output, &further);
    assert!(run.err.contains("the broker did not store it"), "{}", run.err);
    // The broker crashes; then there is room.
    nats.restart();
    block_on(async { context(&nats).await.update_stream(stream(-1)).await.expect("stream") });
    let (run, third) = replay(folder.path(), &output, &further);
    assert_eq!((run.status, run.err.as_str()), (Some(0), ""));
    let all = block_on(async {
        let mut stream = context(&nats).await.get_stream("phitap").await.expect("stream");
        messages(&mut stream).await
    });
    let got: BTreeSet<&str> = all.iter().map(|(_, text)| text.as_str()).collect();
    let sent: BTreeSet<&str> =
        first.iter().chain(&second).chain(&third).map(String::as_str).collect();
    assert_eq!(got, sent);
    assert_eq!(all.len(), sent.len(), "each of them once");
}

#[test]
fn a_broker_that_refuses_credentials_is_named_without_them() {
    if left_out() {
        return;
    }
    let nats = Nats::with("authorization { user: sensor, password: right }");
    let folder = tempfile::tempdir().expect("folder");
    let spool = folder.path().join("spool").display().to_string();
    let file = secret(folder.path(), "credentials", "sensor\nhidden-wrong\n");
    let output = [format!("{},credentials={}", nats.url(), file.display())];
    let (run, lines) = replay(folder.path(), &output, &["--spool", &spool]);
    assert_eq!(run.status, Some(0), "{}", run.err);
    assert!(run.err.contains("refused the credentials"), "{}", run.err);
    assert!(!run.err.contains("hidden-wrong") && run.err.lines().count() == 2, "{}", run.err);
    assert!(run.err.contains(&format!("{} events wait", lines.len())), "{}", run.err);
}
