//! What names of hosts become.

use super::*;

fn named(x: &mut Exposures, host: &str, name: &str, second: i64) -> Vec<Event> {
    let mut out = Vec::new();
    let host = host.parse().expect("address");
    x.named(&HostName { time: at(second), host, name: name.to_owned() }, &mut out);
    out
}

/// Roles and names, in order.
fn assets(events: &[Event]) -> Vec<(&'static str, Vec<String>)> {
    let of = |event: &Event| match event {
        Event::Asset(a) => Some((a.role.as_str(), a.names.clone())),
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

#[test]
fn a_host_in_a_role_has_its_names_and_is_reported_again_with_a_new_one() {
    let (mut x, mut out) = (tracker(), Vec::new());
    let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert!(named(&mut x, "10.1.2.3", "pacs.example", 0).is_empty(), "nothing is known of it");
    x.finding(Sample { time: at(1), ..Sample::default() }.build(), &mut out);
    let seen = assets(&out);
    assert_eq!(seen, [("dicom-server", names(&["pacs.example"])), ("dicom-client", names(&[]))]);
    assert!(named(&mut x, "10.1.2.3", "pacs.example", 2).is_empty(), "nothing new");
    let again = named(&mut x, "10.1.2.3", "archive.example", 3);
    assert_eq!(assets(&again), [("dicom-server", names(&["archive.example", "pacs.example"]))]);
    let id = |events: &[Event]| {
        events.iter().find_map(|e| if let Event::Asset(a) = e { Some(a.id) } else { None })
    };
    assert_eq!(id(&again), id(&out), "it is the same host");
    // A day later only what was said again is still its name.
    named(&mut x, "10.1.2.3", "archive.example", 86_000);
    let last = named(&mut x, "10.1.2.3", "vna.example", 100_000);
    assert_eq!(assets(&last), [("dicom-server", names(&["vna.example", "archive.example"]))]);
}

#[test]
fn names_are_few_and_those_of_ones_own_hosts_stay_longest() {
    let mut x = Exposures::new(Settings { memory: 0, ..settings() });
    named(&mut x, "10.1.2.3", "pacs.example", 0);
    for n in 0..1_000u32 {
        let host = std::net::Ipv4Addr::from(0x0808_0000 + n).to_string();
        named(&mut x, &host, "far.example", 1);
    }
    for n in 0..10 {
        named(&mut x, "10.1.2.3", &format!("name-{n}"), 2);
    }
    let of = x.names.of("10.1.2.3".parse().expect("address"), at(3));
    assert_eq!(of, ["name-9", "name-8", "name-7", "name-6"]);
}

#[test]
fn an_address_of_many_sites_is_not_reported_with_each_of_them() {
    let (mut x, mut out) = (tracker(), Vec::new());
    x.finding(Sample { time: at(0), ..Sample::default() }.build(), &mut out);
    let mut report = |second: i64| {
        let name = format!("site-{second}.example");
        assets(&named(&mut x, "10.1.2.3", &name, second))
    };
    let reports: Vec<_> = (1..3_600).flat_map(&mut report).collect();
    // The four that are kept, and the first that took the place of another.
    let last = |(_, names): &(&str, Vec<String>)| names.first().cloned().expect("a name");
    let expected: Vec<String> = (1..=5).map(|n| format!("site-{n}.example")).collect();
    assert_eq!(reports.iter().map(last).collect::<Vec<_>>(), expected);
    let next: Vec<_> = (3_600..3_700).flat_map(&mut report).collect();
    let names = |list: [i64; 4]| list.map(|n| format!("site-{n}.example")).to_vec();
    assert_eq!(next, [("dicom-server", names([3_605, 3_604, 3_603, 3_602]))], "an hour later");
}
