//! Metadata of IHE XDS (ITI-41, ITI-42, ITI-18): slots and identifiers in ebXML that hold fields of an HL7
//! v2 PID segment (IHE ITI TF-3, 4.2.3.2). They are put together as one and read by the rules of HL7.

use crate::content::formats::markup::Attributes;
use crate::content::{Media, Scope};
use zeroize::Zeroizing;

/// Namespaces of ebXML registries, up to the version: 3.0 (XDS.b) and 2.1 (XDS.a).
pub const EBXML: [&str; 3] = [
    "urn:oasis:names:tc:ebxml-regrep:xsd:",
    "urn:oasis:names:tc:ebxml-regrep:rim:xsd:",
    "urn:oasis:names:tc:ebxml-regrep:registry:xsd:",
];

/// Identification schemes of `XDSDocumentEntry.patientId`, `XDSSubmissionSet.patientId` and
/// `XDSFolder.patientId`.
const PATIENT_ID: [&str; 3] = [
    "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427",
    "urn:uuid:6b5aea1a-874d-4603-a4bc-96a0a7b38446",
    "urn:uuid:f64ffdf0-4b97-4e06-b79f-a52b38ec2f8a",
];

/// Elements that describe one document, submission or question.
const OBJECTS: [&str; 3] = ["ExtrinsicObject", "RegistryPackage", "AdhocQuery"];

/// Fields of PID that are kept, and their length in all, bytes.
const MAX_FIELD: usize = 39;
const MAX_TEXT: usize = 16 << 10;

/// What one object says of its patient.
#[derive(Default)]
pub struct Metadata {
    slot: Slot,
    /// PID, by number of the field; 0 is unused.
    fields: Vec<Zeroizing<String>>,
    length: usize,
}

/// What the values of the open slot are.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Slot {
    #[default]
    Other,
    /// An id of the patient (PID-3).
    Id,
    /// `PID-5|Roe^Eva`.
    Info,
}

impl Metadata {
    /// An element begins.
    pub fn start(&mut self, name: &str, attributes: Attributes<'_>) {
        match name {
            "Slot" => {
                self.slot = match attributes.get("name").as_deref() {
                    Some("sourcePatientInfo") => Slot::Info,
                    Some("sourcePatientId") => Slot::Id,
                    // A question: `$XDSDocumentEntryPatientId`.
                    Some(name) if name.starts_with("$XDS") && name.ends_with("PatientId") => {
                        Slot::Id
                    }
                    _ => Slot::Other,
                };
            }
            "ExternalIdentifier" => {
                let scheme = attributes.get("identificationScheme").unwrap_or_default();
                if PATIENT_ID.iter().any(|s| scheme.eq_ignore_ascii_case(s)) {
                    self.add(3, &attributes.get("value").unwrap_or_default());
                }
            }
            _ => {}
        }
    }

    /// An element with this text ends.
    pub fn end(&mut self, name: &str, text: &str, scope: &mut Scope<'_>) {
        match name {
            "Value" => self.value(text.trim()),
            "Slot" => self.slot = Slot::Other,
            _ if OBJECTS.contains(&name) => self.finish(scope),
            _ => {}
        }
    }

    fn value(&mut self, text: &str) {
        match self.slot {
            Slot::Other => {}
            // In a query, strings are quoted.
            Slot::Id => self.add(3, text.trim_matches('\'')),
            Slot::Info => {
                let field = text.strip_prefix("PID-").and_then(|t| t.split_once('|'));
                if let Some((number, value)) = field
                    && let Ok(number) = number.parse()
                {
                    self.add(number, value);
                }
            }
        }
    }

    fn add(&mut self, number: usize, value: &str) {
        if value.is_empty() || number > MAX_FIELD || self.length + value.len() > MAX_TEXT {
            return;
        }
        self.length += value.len();
        if self.fields.len() <= number {
            self.fields.resize_with(number + 1, Zeroizing::default);
        }
        let Some(field) = self.fields.get_mut(number) else { return };
        if !field.is_empty() {
            field.push('~');
        }
        field.push_str(value);
    }

    /// The object is complete.
    pub fn finish(&mut self, scope: &mut Scope<'_>) {
        let fields = std::mem::take(&mut self.fields);
        self.length = 0;
        if fields.iter().all(|f| f.is_empty()) {
            return;
        }
        let mut message = Zeroizing::new(String::from("PID"));
        for field in fields.iter().skip(1) {
            message.push('|');
            // A line end would begin another segment.
            message.extend(field.chars().map(|c| if c.is_control() { ' ' } else { c }));
        }
        message.push('\r');
        scope.whole(&Media::Hl7v2, message.as_bytes());
    }
}
