//! Turns the values of any format into fields: records, tables, labels, trees of named values, persons.

pub mod embedded;
pub mod fhir;
pub mod labels;
pub mod layout;
pub mod numbers;
pub mod objects;
pub mod page;
pub mod people_columns;
pub mod person;
pub mod printed;
mod reading_order;
pub mod record;
pub mod rows;
pub mod schemaless;
pub mod serial_date;
pub mod shapes;
pub mod signs;
pub mod spelled;
pub mod table;
pub mod texts;
pub mod tree;
pub mod web_service;
pub mod xds;
