//! HTML around the program and the model.

use super::PageModel;
use crate::output::json;
use crate::output::text::markup;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// Style of the page.
pub const STYLE: &str = include_str!("app.css");
/// Program of the page.
pub const SCRIPT: &str = concat!(
    "(() => {\n",
    include_str!("dom.js"),
    include_str!("views.js"),
    include_str!("app.js"),
    "})();\n"
);
const PAGE: &str = include_str!("page.html");

/// Exposures listed without scripts.
const MAX_STATIC: usize = 200;

/// The page of a running sensor: it loads style, program and model from the same server.
pub fn live() -> String {
    fill(&[
        ("CSP", ""),
        ("STYLE", "<link rel=\"stylesheet\" href=\"app.css\">"),
        ("ABOUT", "Live"),
        (
            "STATIC",
            "<noscript><p>This page needs scripts. <a href=\"metrics\">Metrics</a> and \
            <a href=\"api/v1/exposures\">exposures (JSON)</a> do without.</p></noscript>",
        ),
        ("DATA", ""),
        ("SCRIPT", "<script src=\"app.js\" defer></script>"),
    ])
}

/// A report: one self-contained file, which may load nothing else.
pub fn report(model: &PageModel, data: &Map<String, Value>) -> String {
    let policy = format!(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'\">",
        hash(STYLE),
        hash(SCRIPT)
    );
    let mut text = Vec::new();
    // The model is JSON already, so serialising cannot fail.
    if json::append(&mut text, data).is_err() {
        text = b"{}".to_vec();
    }
    let text = String::from_utf8(text).unwrap_or_default();
    // These occur in texts only, where JSON allows escapes, so nothing in it ends the element.
    let text = text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
    fill(&[
        ("CSP", &policy),
        ("STYLE", &format!("<style>{STYLE}</style>")),
        ("ABOUT", "Report"),
        ("STATIC", &format!("<noscript>{}</noscript>", without_scripts(model))),
        ("DATA", &format!("<script type=\"application/json\" id=\"data\">{text}</script>")),
        ("SCRIPT", &format!("<script>{SCRIPT}</script>")),
    ])
}

/// Inserts parts at their placeholders. Inserted text is not searched again.
fn fill(parts: &[(&str, &str)]) -> String {
    let mut out =
        String::with_capacity(PAGE.len() + parts.iter().map(|(_, p)| p.len()).sum::<usize>());
    for (i, piece) in PAGE.split('@').enumerate() {
        match parts.iter().find(|(name, _)| *name == piece) {
            Some((_, part)) if i % 2 == 1 => out.push_str(part),
            _ => out.push_str(piece),
        }
    }
    out
}

/// The source that a content security policy allows for `text` (CSP 3, 2.3.1).
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

/// Exposures as a table.
fn without_scripts(model: &PageModel) -> String {
    let mut out = String::from("<p>Scripts are off: this is the list of exposures only.</p>");
    for text in model.unread() {
        out.push_str(&format!("<p>Not judged: {}.</p>", markup(text)));
    }
    out.push_str(
        "<table><thead><tr><th>Severity</th>\
         <th>Client</th><th>Service</th><th>Protocol</th><th>Patients</th><th>Last seen</th></tr></thead><tbody>",
    );
    for event in model.worst().into_iter().take(MAX_STATIC) {
        let text = |at: &str| match event.pointer(at) {
            Some(Value::String(text)) => markup(text),
            Some(Value::Number(n)) => n.to_string(),
            _ => String::new(),
        };
        out.push_str("<tr>");
        for cell in [
            text("/phi/exposure/severity"),
            text("/client/ip"),
            format!("{} port {}", text("/server/ip"), text("/server/port")),
            text("/network/protocol"),
            text("/phi/exposure/patients"),
            text("/event/end"),
        ] {
            out.push_str("<td>");
            out.push_str(&cell);
            out.push_str("</td>");
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table>");
    out
}
