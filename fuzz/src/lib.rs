//! What the fuzz targets run, over the harnesses that the tests share. `tests/fuzz.rs` runs the same
//! functions over captures and damaged inputs, so that they build and hold without a fuzzer.

pub mod dicom;
pub mod packets;
pub mod payloads;
pub mod streams;
pub mod web;

/// A function that reads one input of the fuzzer.
pub type Target = fn(&[u8]);

/// Every target by the name of its program.
pub const TARGETS: &[(&str, Target)] = &[
    ("contents", payloads::any),
    ("dicom_dataset", payloads::dicom),
    ("dicom_dimse", dicom::messages),
    ("dicom_pdu", dicom::pdus),
    ("hl7v2", payloads::hl7v2),
    ("http", web::http),
    ("http2", web::http2),
    ("mllp", streams::mllp),
    ("packets", packets::frames),
    ("streams", streams::conversations),
    ("websocket", web::websocket),
];
