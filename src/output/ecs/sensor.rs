//! The status of a sensor in its `sensor-status`.

use super::model::Text;
use crate::output::SensorStatus;
use crate::output::health::{InterfaceStatus, Problem};
use crate::time::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;

/// The status of a sensor.
#[derive(Serialize)]
pub struct Sensor<'a> {
    pub ready: bool,
    pub problems: &'a [Problem],
    pub uptime_seconds: u64,
    pub interfaces: Vec<SensorInterface<'a>>,
    pub backlog_bytes: &'a BTreeMap<&'static str, u64>,
    pub resident_bytes: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub rules: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub instance: &'a str,
}

#[derive(Serialize)]
pub struct SensorInterface<'a> {
    pub name: &'a str,
    pub up: bool,
    pub packets: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_packet: Option<Text<Timestamp>>,
    pub dropped_kernel: u64,
    pub dropped_interface: u64,
}

impl<'a> From<&'a SensorStatus> for Sensor<'a> {
    fn from(sensor: &'a SensorStatus) -> Self {
        let interface = |i: &'a InterfaceStatus| SensorInterface {
            name: &i.name,
            up: i.up,
            packets: i.packets,
            last_packet: i.last_packet.map(|at| Text(Timestamp((at * 1e3) as i64 * 1_000_000))),
            dropped_kernel: i.kernel,
            dropped_interface: i.interface,
        };
        Self {
            ready: sensor.ready,
            problems: &sensor.problems,
            uptime_seconds: sensor.uptime as u64,
            interfaces: sensor.interfaces.iter().map(interface).collect(),
            backlog_bytes: &sensor.backlog,
            resident_bytes: sensor.resident_bytes,
            rules: &sensor.rules,
            instance: &sensor.instance,
        }
    }
}
