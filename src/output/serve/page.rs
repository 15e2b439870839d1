//! The page: one table, no script, nothing from elsewhere.

use crate::output::dashboard::{Dashboard, Row};
use crate::output::text::{bytes, number, span};
use std::fmt::Write as _;

/// Rows of the table; the API gives all.
const MAX_SHOWN: usize = 200;

/// What every page begins with; its style is named by its hash in the policy.
pub(super) const HEAD: &str = "<!doctype html>
<html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"5\">
<meta name=\"viewport\" content=\"width=device-width\"><title>phitap</title><style>
:root{color-scheme:light dark}
body{font:15px/1.4 system-ui,sans-serif;margin:1.5rem}
dl{display:flex;flex-wrap:wrap;gap:.5rem 2rem;margin:1rem 0}dl div{min-width:7rem}
dt{opacity:.7}dd{margin:0;font-size:1.4rem}
table{border-collapse:collapse}th,td{padding:.3rem .5rem;text-align:left;border-bottom:1px solid #8886}
td.n,th.n{text-align:right}td.s{white-space:nowrap}.critical{color:#c00;font-weight:700}.high{color:#d40}.medium{color:#a70}
</style></head><body><h1>phitap</h1>
";

pub(super) fn html(board: &Dashboard) -> String {
    let mut out = String::from(HEAD);
    let health = board.health();
    let (packets, size) = board.metrics().totals();
    let rows = board.rows();
    let last = health
        .last_packet_age_seconds
        .map_or_else(|| "none yet".to_owned(), |age| format!("{} ago", span(age)));
    let open = rows.iter().filter(|r| r.state != "closed").count();
    out.push_str("<dl>");
    for (name, value) in [
        ("State", health.status.to_owned()),
        ("Running for", span(health.uptime_seconds)),
        ("Packets", number(packets)),
        ("Data", bytes(size)),
        ("Last packet", last),
        ("Open exposures", number(open as u64)),
    ] {
        // Only figures and words of our own: nothing to escape.
        let _ = write!(out, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    }
    out.push_str("</dl>\n");
    let losses = board.metrics().losses();
    if losses.iter().any(|(_, n)| *n > 0) {
        out.push_str("<p>Not read so far:</p><dl>");
        for (name, n) in losses.iter().filter(|(_, n)| *n > 0) {
            let _ = write!(out, "<div><dt>{name}</dt><dd>{}</dd></div>", number(*n));
        }
        out.push_str("</dl>\n");
    }
    if rows.is_empty() && packets == 0 {
        out.push_str("<p>No packet has come yet: nothing can be said.</p>\n");
    } else if rows.is_empty() {
        out.push_str("<p>No patient data seen in what was read so far.</p>\n");
    } else {
        table(&mut out, &rows);
    }
    out.push_str(
        "<p><a href=\"/metrics\">metrics</a> <a href=\"/healthz\">health</a> \
         <a href=\"/api/v1/exposures\">exposures (JSON)</a></p></body></html>\n",
    );
    out
}

/// Names of products come from rules, which anybody may have written.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn table(out: &mut String, rows: &[Row]) {
    out.push_str(
        "<table><thead><tr><th>Severity</th><th>Client</th><th>Service</th><th>Protocol</th>\
         <th>Direction</th><th class=\"n\">Patients</th><th class=\"n\">Records</th>\
         <th>Authentication</th><th>Open</th><th>Last seen</th><th>State</th></tr></thead><tbody>\n",
    );
    for r in rows.iter().take(MAX_SHOWN) {
        let about = if r.patients_estimated { "about " } else { "" };
        let clear = if r.credentials_in_clear { ", credentials in clear" } else { "" };
        let _ = writeln!(
            out,
            "<tr><td class=\"s {severity}\">{severity} {}</td><td>{}</td><td>{}</td><td>{}</td>\
             <td>{}</td><td class=\"n\">{about}{}</td><td class=\"n\">{}</td><td>{}{clear}</td>\
             <td>{}</td><td class=\"s\">{}</td><td>{}</td></tr>",
            r.score,
            r.client,
            r.server,
            r.protocol,
            r.direction,
            number(r.patients),
            number(r.records),
            r.authentication,
            escaped(&r.open.join(", ")),
            r.last.get(..19).unwrap_or_default().replace('T', " "),
            r.state,
            severity = r.severity,
        );
    }
    out.push_str("</tbody></table>\n");
    if rows.len() > MAX_SHOWN {
        let _ = writeln!(out, "<p>and {} more.</p>", number((rows.len() - MAX_SHOWN) as u64));
    }
}
