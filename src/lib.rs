//! phitap finds patient data (PHI) that crosses a network in cleartext.
//!
//! Data flows one way, through the modules in this order:
//!
//! ```text
//! capture -> decode -> flow -> protocol -> content -> identify -> exposure -> merge -> output -> review
//!    |________ pipeline: threads, batches, sharding, shutdown (wiring only) ________|
//! ```
//!
//! * [`capture`] reads packets from files and interfaces, in batches that share one block of bytes.
//! * [`decode`] removes link layers, tags and IP, and returns a [`decode::Segment`].
//! * [`flow`] rebuilds conversations: flow table, TCP reassembly, time-outs on packet time.
//! * [`protocol`] recognises the protocol of a stream and parses its framing.
//! * [`content`] reads the payloads of protocols and names the fields that identify a person.
//! * [`identify`] turns fields into identifiers, records and patients; the last stage that sees a
//!   raw value.
//! * [`exposure`] groups findings by client and service and grades them.
//! * [`merge`] merges the results of several runs into one set of numbers.
//! * [`output`] writes events, metrics and the summary.
//! * [`review`] answers questions about the results of runs: queries, comparisons, evidence.
//!
//! `hub` joins what many sensors publish to a broker, `distribution` gives them their rules, and `jobs` divides archives over many machines.
//!
//! [`doctor`] looks at the host before a sensor is started.
//!
//! [`remote`] and [`broker`] connect to other machines; both know no stage.
//!
//! No stage imports a later one: each defines, as a trait, what it passes on, and the next stage
//! implements it. Only [`pipeline`] knows them all. [`phi`], [`rules`] and [`config`] are vocabulary
//! that every stage may use.
//!
//! # Panics
//!
//! Nothing here panics on input. A panic in a parser is a defect; the pipeline confines it to the
//! flow that caused it and counts it.

#[cfg(feature = "nats")]
pub mod broker;
mod closed_set;
pub mod config;
pub mod destination;
pub mod net;
pub mod phi;
pub mod remote;
pub mod rules;
pub mod sandbox;
pub mod severity;
pub mod syntax;
pub mod time;

pub mod capture;
pub mod decode;
pub mod flow;
pub mod protocol;

pub mod content;
pub mod identify;

pub mod exposure;
pub mod merge;
pub mod output;
pub mod review;

pub mod cli;
#[cfg(feature = "nats")]
pub mod distribution;
pub mod doctor;
pub mod guard;
#[cfg(all(feature = "nats", feature = "store"))]
pub mod hub;
#[cfg(feature = "nats")]
pub mod jobs;
pub mod pipeline;
