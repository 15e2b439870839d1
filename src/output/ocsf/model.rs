//! The structure of OCSF events. Unknown values are left out.

use crate::protocol::service::Ends;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::net::IpAddr;

#[derive(Serialize, Default)]
pub struct Event<'a> {
    pub activity_id: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activity_name: Option<&'a str>,
    pub category_uid: u32,
    pub class_uid: u32,
    pub type_uid: u32,
    pub severity_id: u32,
    pub time: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    pub metadata: Metadata<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_alert: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_id: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence_score: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finding_info: Option<FindingInfo<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_security: Option<DataSecurity<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub src_endpoint: Option<Endpoint<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dst_endpoint: Option<Endpoint<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<Device>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scan: Option<Scan<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_files: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_detections: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_network_items: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_skipped_items: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unmapped: Option<Unmapped<'a>>,
}

#[derive(Serialize, Default)]
pub struct Metadata<'a> {
    pub version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_provider: Option<&'a str>,
    pub product: Product<'a>,
}

#[derive(Serialize, Default)]
pub struct Product<'a> {
    pub name: &'a str,
    pub vendor_name: &'a str,
    pub version: &'a str,
}

#[derive(Serialize)]
pub struct FindingInfo<'a> {
    pub uid: String,
    pub title: &'a str,
    pub types: [&'a str; 1],
    pub first_seen_time: u64,
    pub last_seen_time: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related_events: Vec<RelatedEvent>,
}

#[derive(Serialize)]
pub struct RelatedEvent {
    pub uid: String,
}

#[derive(Serialize)]
pub struct DataSecurity<'a> {
    pub category_id: u32,
    pub category: &'a str,
    pub data_lifecycle_state_id: u32,
    pub data_lifecycle_state: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy<'a>>,
    pub discovery_details: Vec<Discovery<'a>>,
}

#[derive(Serialize)]
pub struct Policy<'a> {
    pub uid: &'a str,
    pub name: &'a str,
}

#[derive(Serialize)]
pub struct Discovery<'a> {
    #[serde(rename = "type")]
    pub kind: &'a str,
    pub count: u64,
}

#[derive(Serialize)]
pub struct Endpoint<'a> {
    pub ip: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub svc_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface_name: Option<&'a str>,
}

#[derive(Serialize)]
pub struct Device {
    pub ip: IpAddr,
    pub type_id: u32,
    pub first_seen_time: u64,
}

impl Device {
    pub fn new(ip: IpAddr) -> Self {
        Self { ip, type_id: 0, first_seen_time: 0 }
    }
}

#[derive(Serialize)]
pub struct Scan<'a> {
    pub name: &'a str,
    pub type_id: u32,
}

/// Fields for which OCSF has no name.
#[derive(Serialize, Default)]
pub struct Unmapped<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patient: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patient_tokens: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patients: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patients_estimated: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flows: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operations: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carrier: Option<&'a [&'static str]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_direction: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub community_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transport: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authentication: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials_in_clear: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub open_interfaces: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answers: Option<&'a str>,
    /// The names that the ends use for each other.
    #[serde(flatten)]
    pub names: Names<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packets_skipped: Option<&'a BTreeMap<&'static str, u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packets_dropped: Option<&'a BTreeMap<&'static str, u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interrupted: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub faulty_inputs: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub findings_suppressed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reveal: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uptime_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<&'a str>,
}

/// Names of clients and servers, each under the word that the protocol has for it.
#[derive(Default)]
pub struct Names<'a>(pub Vec<Ends<'a>>);

impl Serialize for Names<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let names = self.0.iter().flat_map(|ends| [ends.client, ends.server]);
        serializer.collect_map(names.flatten())
    }
}
