//! Events as one sentence, for columns in which a SIEM shows a message. Addresses, protocols and counts only: no
//! identifier, no text from the wire.

use super::coverage::Verdict;
use super::text::count;
use super::{RunSummary, SensorStatus};
use crate::exposure::{Count, Event, Exposure};
use crate::merge::Part;
use crate::severity::Severity;
use std::net::{IpAddr, SocketAddr};

/// The sentence of a part of a summary.
pub(in crate::output) fn of_summary(part: &Part) -> String {
    match part.figures {
        Some(_) => "How much a run has read so far".to_owned(),
        None if part.facts == 0 => "Whom services answer, to be merged with others".to_owned(),
        None => format!("{} in flows, to be merged with others", count(part.facts, "patient")),
    }
}

/// The sentence of an event.
pub(in crate::output) fn of_event(event: &Event) -> String {
    match event {
        Event::Finding { event: d, .. } => {
            let flow = &d.flow;
            format!(
                "Patient data in cleartext between {} and {} over {}",
                flow.client.ip(),
                flow.server,
                d.protocol
            )
        }
        Event::Patients(list) => {
            format!(
                "Data of {} in cleartext at {} over {}",
                count(list.patients, "patient"),
                list.server,
                list.protocol
            )
        }
        Event::Exposure(e) => of_exposure(e),
        Event::Asset(a) => {
            format!("{} acts as {} ({})", a.address, words(a.role.as_str()), a.protocol)
        }
        Event::Service(s) => {
            format!("{} serves {} over {}", s.server, s.protocol, s.transport.as_str())
        }
    }
}

fn of_exposure(e: &Exposure) -> String {
    exposure_sentence(e.severity, e.patients, (e.client, e.server), e.protocol)
}

/// The sentence of an exposure between a client and a server.
pub fn exposure_sentence(
    severity: u8,
    seen: Count,
    (client, server): (IpAddr, SocketAddr),
    protocol: &str,
) -> String {
    format!(
        "{} exposure: data of {} in cleartext between {client} and {server} over {protocol}",
        capitalised(Severity::of(severity).as_str()),
        patients(seen),
    )
}

/// The result of a run, with what could not be judged: "nothing read" is never "nothing found".
pub(in crate::output) fn of_run(run: &RunSummary) -> String {
    let coverage = match run.verdict() {
        Verdict::Complete => "everything in cleartext was read",
        Verdict::Incomplete => "part of the traffic could not be judged",
        Verdict::NoConversation => "no conversation in cleartext was seen",
        Verdict::NothingReadable => "no packet could be read",
        Verdict::NothingMatched => "the filter excluded every packet that could be judged",
        Verdict::NothingRead => "no packet was read",
    };
    let stopped = if run.interrupted.is_some() { "; the run was interrupted" } else { "" };
    if run.exposures > 0 {
        let (patients, exposures) = (patients(run.patients), count(run.exposures, "exposure"));
        return format!("Data of {patients} in cleartext in {exposures}; {coverage}{stopped}");
    }
    match run.verdict() {
        Verdict::Complete | Verdict::Incomplete => {
            format!("No patient data seen; {coverage}{stopped}")
        }
        _ => format!("Nothing can be said; {coverage}{stopped}"),
    }
}

/// The status of a running sensor.
pub(in crate::output) fn of_sensor(so_far: &RunSummary, sensor: &SensorStatus) -> String {
    let checks: Vec<&str> = sensor.problems.iter().map(|p| p.check.as_str()).collect();
    let state = match sensor.ready {
        true => "The sensor is ready".to_owned(),
        false => format!("The sensor is not ready ({})", checks.join(", ")),
    };
    let packets = count(so_far.packets_read, "packet");
    let exposures = count(so_far.exposures, "exposure");
    format!("{state}; {packets} and {exposures} so far")
}

/// `13 patients`, `about 120,000 patients`.
pub(in crate::output) fn patients(n: Count) -> String {
    format!("{}{}", if n.estimate { "about " } else { "" }, count(n.value, "patient"))
}

/// A slug as words.
pub(in crate::output) fn words(slug: &str) -> String {
    slug.replace(['_', '-'], " ")
}

/// With a capital letter first.
pub(in crate::output) fn capitalised(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::samples::{events, run};

    #[test]
    fn every_event_has_a_sentence_without_an_identifier() {
        for event in events() {
            let text = of_event(&event);
            assert!(text.len() > 20 && !text.contains('*'), "{text}");
        }
        assert_eq!(
            of_run(&run()),
            "Data of 14 patients in cleartext in 3 exposures; part of the traffic could not be judged"
        );
    }

    #[test]
    fn nothing_read_is_not_nothing_found() {
        let empty = RunSummary::default();
        assert_eq!(of_run(&empty), "Nothing can be said; no packet was read");
    }
}
