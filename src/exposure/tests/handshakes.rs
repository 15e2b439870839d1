//! What handshakes of TLS services become.

use super::*;
use crate::flow::FlowInfo;
use crate::protocol::tls::{Certificate, TlsFacts, TlsVersion};
use std::sync::Arc;

const DAY: i64 = 86_400;

fn facts(version: TlsVersion, expires: Option<i64>) -> Arc<ServiceFacts> {
    let mut tls = TlsFacts::default();
    tls.spoke(version);
    let certificate = |days| Certificate { expires: at(days * DAY), ..Certificate::default() };
    tls.certificate = expires.map(|days| Box::new(certificate(days)));
    Arc::new(ServiceFacts { tls: Some(Box::new(tls)), ..ServiceFacts::default() })
}

fn see(x: &mut Exposures, server: &str, second: i64, facts: &Arc<ServiceFacts>) -> Vec<Event> {
    let server = server.parse().expect("address");
    let flow = FlowInfo { server, ..Sample::default().build().flow };
    let mut out = Vec::new();
    let time = at(second);
    x.handshake(
        &ServiceObservation { time, flow: &flow, protocol: "tls", content: "", facts },
        &mut out,
    );
    out
}

fn versions(events: &[Event]) -> Vec<Vec<TlsVersion>> {
    let of = |event: &Event| match event {
        Event::Service(s) => s.facts.tls.as_ref().map(|tls| tls.versions.clone()),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

#[test]
fn a_tls_service_is_reported_first_and_then_once_an_hour_if_it_shows_more() {
    let mut x = tracker();
    let server = "10.1.2.3:2762";
    let (new, old) = (facts(TlsVersion::Tls12, None), facts(TlsVersion::Tls10, None));
    assert_eq!(versions(&see(&mut x, server, 0, &new)), [vec![TlsVersion::Tls12]]);
    assert!(see(&mut x, server, 1, &new).is_empty(), "nothing new");
    assert!(see(&mut x, server, 2, &old).is_empty(), "too soon");
    let both = vec![TlsVersion::Tls10, TlsVersion::Tls12];
    let with = facts(TlsVersion::Tls12, Some(100));
    assert_eq!(versions(&see(&mut x, server, 3_600, &with)), std::slice::from_ref(&both));
    let mut out = Vec::new();
    see(&mut x, server, 3_700, &facts(TlsVersion::Tls13, Some(200)));
    x.finish(at(3_800), &mut out);
    assert_eq!(versions(&out), [[both, vec![TlsVersion::Tls13]].concat()]);
    assert!(see(&mut tracker(), "198.51.100.7:443", 0, &new).is_empty(), "not ours");
}

#[test]
fn certificates_are_counted_by_what_is_left_of_them_and_by_what_they_are_for() {
    let mut x = tracker();
    see(&mut x, "10.1.2.3:2762", 0, &facts(TlsVersion::Tls12, Some(20)));
    see(&mut x, "10.1.2.4:443", 0, &facts(TlsVersion::Tls10, Some(100)));
    // A host that answers as an archive is medical on every port.
    let mut out = Vec::new();
    x.finding(Sample { server: "10.1.2.5:104", ..Sample::default() }.build(), &mut out);
    see(&mut x, "10.1.2.5:443", 0, &facts(TlsVersion::Tls12, Some(90)));
    let [medical, others] = x.certificates(at(1));
    assert_eq!((medical.valid, medical.expiring, medical.expired), (1, 1, 0));
    assert_eq!((others.valid, others.deprecated), (1, 1));
    let [medical, others] = x.certificates(at(95 * DAY));
    assert_eq!((medical.valid, medical.expiring, medical.expired), (0, 0, 2));
    assert_eq!(others.expiring, 1);
}
