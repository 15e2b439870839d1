//! Queries (chapter 5.4): QPD, QRD, QRF and VTQ may identify a person.

use super::message::Message;
use super::value::{Syntax, pieces};
use crate::content::Scope;
use crate::rules::Hl7Field;

/// Query parameters that are combined.
const MAX_PARAMETERS: usize = 32;

/// A query segment.
pub fn read(message: &mut Message, name: [u8; 3], fields: &[&str], scope: &mut Scope<'_>) {
    let rules = scope.rules;
    let syntax = message.syntax();
    let parameters = match &name {
        b"QPD" => fields.get(3).copied().unwrap_or(""),
        b"VTQ" => fields.get(5).copied().unwrap_or(""),
        b"QRD" => fields.get(8).copied().unwrap_or(""),
        b"QRF" => fields.get(5).copied().unwrap_or(""),
        _ => "",
    };
    // QRD-9 (table 0048): what an analyser asks for by QRD-8 is a specimen, by the code on its tube.
    if &name == b"QRD" && matches!(fields.get(9).map(|what| what.trim()), Some("OTH" | "CAN")) {
        return message.end(scope);
    }
    if parameters.trim_start().starts_with('@') || &name == b"VTQ" {
        return self::parameters(message, &syntax, parameters, scope);
    }
    let asks = rules.hl7v2.segment(name).iter().any(|(number, field)| {
        let raw = fields.get(usize::from(*number)).copied().unwrap_or("");
        field.applies(fields.get(1).copied().unwrap_or(""))
            && raw.split(syntax.delimiters.repetition).any(|r| says_something(&syntax, field, r))
    });
    if asks {
        message.ask(scope);
        message.fields(name, fields, scope);
    }
    if &name == b"QPD" || message.is_empty() {
        message.end(scope);
    }
}

/// QIP, `@PID.5.1^SMITH`, and QSC, `@PID.5.1^EQ^SMITH^AND`: combines the parts of each field and reads it as such.
fn parameters(message: &mut Message, syntax: &Syntax, raw: &str, scope: &mut Scope<'_>) {
    let rules = scope.rules;
    let d = &syntax.delimiters;
    let mut asked: Vec<([u8; 3], u16, Vec<&str>)> = Vec::new();
    for parameter in pieces(raw, d.repetition).take(MAX_PARAMETERS) {
        let mut parts = pieces(parameter, d.component);
        let Some((segment, number, component)) = parts.next().and_then(target_of) else { continue };
        let mut value = parts.next().unwrap_or("");
        // Table 0209: only operators for equal, contains or sounds-like identify a person.
        if matches!(value, "EQ" | "CT" | "GN") {
            value = parts.next().unwrap_or("");
        }
        let known = asked.iter().position(|(s, n, _)| *s == segment && *n == number);
        let at = known.unwrap_or_else(|| {
            asked.push((segment, number, Vec::new()));
            asked.len() - 1
        });
        let Some((_, _, parts)) = asked.get_mut(at) else { continue };
        if parts.len() < component {
            parts.resize(component, "");
        }
        if let Some(slot) = parts.get_mut(component - 1) {
            *slot = value;
        }
    }
    for (segment, number, parts) in asked {
        let whole = parts.join(d.component.encode_utf8(&mut [0; 4]));
        for (n, field) in rules.hl7v2.segment(segment) {
            if *n == number && says_something(syntax, field, &whole) {
                message.ask(scope);
                message.emit(syntax, field, true, &whole, rules, scope);
            }
        }
    }
    message.end(scope);
}

fn says_something(syntax: &Syntax, field: &Hl7Field, raw: &str) -> bool {
    if field.issued && !syntax.is_issued(raw) {
        return false;
    }
    let mut found = false;
    syntax.read(field.datatype, field.rule.kind, raw, &mut |_| found = true);
    found
}

/// `@PID.5.1`, also written with dashes: segment, field and component.
pub fn target_of(target: &str) -> Option<([u8; 3], u16, usize)> {
    /// Components that a parameter may name.
    const MAX_COMPONENT: usize = 16;
    let mut parts = target.trim().trim_start_matches('@').split(['.', '-']);
    let segment = parts.next()?.as_bytes().try_into().ok()?;
    let number = parts.next()?.parse().ok()?;
    let component = parts.next().map_or(Some(1), |c| c.parse().ok())?;
    (1..=MAX_COMPONENT).contains(&component).then_some((segment, number, component))
}
