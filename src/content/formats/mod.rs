//! One file or folder a format.

pub mod astm;
pub mod bci;
pub mod chmed;
pub mod csv;
pub mod dbf;
pub mod dialect;
pub mod dicom;
pub mod edifact;
pub mod encoded_words;
mod escapes;
pub mod escpos;
pub mod event_stream;
pub mod form;
pub mod graphql;
pub mod hex;
pub mod hl7v2;
pub mod hprim_text;
pub mod html;
pub mod image;
pub mod ini;
pub mod intellivue;
pub mod ipp;
pub mod jahis;
pub mod json;
pub mod jsonp;
pub mod jws;
pub mod label_language;
pub mod ldif;
mod literal;
mod logged_sql;
pub mod mapi;
pub mod markup;
mod matrix;
pub mod mdb;
pub mod mime;
pub mod multipart;
pub mod ncpdp;
pub mod ole;
mod paged_file;
pub mod pcl;
pub mod pdf;
pub mod pjl;
pub mod postscript;
pub mod protobuf;
pub mod recording;
pub mod rtf;
mod segment_lists;
mod serialized;
pub mod seven_zip;
mod shown_messages;
pub mod sql;
pub mod sqlite;
pub mod syslog;
pub mod tar;
pub mod terminal;
pub mod text;
mod text_lines;
pub mod tnef;
pub mod turtle;
pub mod vcard;
pub mod x12;
pub mod xdt;
pub mod xml;
pub mod xml_lines;
pub mod xml_members;
pub mod yaml;
pub mod zip;
pub mod zpl;

use super::Format;
use super::stack::coding;

/// Every format phitap reads, in the order in which they are asked.
pub static FORMATS: &[&dyn Format] = &[
    &dicom::DataSet,
    &dicom::Part10,
    &terminal::Terminal,
    &ipp::Ipp,
    &intellivue::DataExport,
    &hl7v2::Er7,
    &hl7v2::Xml,
    &hl7v2::XmlFields,
    &dialect::POCT1A,
    &dialect::SCRIPT,
    &dialect::BMP,
    &astm::Records,
    &x12::Interchange,
    &x12::Xml,
    &xdt::Xml,
    &dicom::Xml,
    &xml_lines::XmlLines,
    &edifact::Interchange,
    &xdt::Xdt,
    &ncpdp::Telecom,
    &bci::Bci,
    &coding::GzipFile,
    &coding::MeasuredGzip,
    &coding::ZstdFile,
    &coding::COMPRESS,
    &coding::BZIP2,
    &coding::XZ,
    &coding::ZLIB,
    &pdf::Pdf,
    &sqlite::Sqlite,
    &ole::Ole,
    &tnef::Tnef,
    &dbf::Dbf,
    &mdb::Access,
    &postscript::PostScript,
    &image::Image,
    &recording::SCP_ECG,
    &recording::MFER,
    &recording::EDF,
    &recording::ISHNE,
    &recording::NIFTI,
    &zip::DOCX,
    &zip::XLSX,
    &zip::PPTX,
    &zip::ODT,
    &zip::ODS,
    &zip::Zip,
    &seven_zip::SevenZip,
    &tar::Tar,
    &rtf::Rtf,
    &multipart::Multipart,
    &mime::Mime,
    &syslog::Syslog,
    &event_stream::Events,
    &protobuf::Protobuf,
    &serialized::Serialized,
    &zpl::Zpl,
    &pjl::Pjl,
    &pcl::PclXl,
    &pcl::Pcl,
    &escpos::EscPos,
    &label_language::EPL,
    &label_language::TSPL,
    &label_language::CPCL,
    &label_language::FINGERPRINT,
    &form::Target,
    &form::Form,
    &vcard::VCARD,
    &vcard::ICALENDAR,
    &jws::Compact,
    &chmed::Plan,
    &jahis::Jahis,
    &hprim_text::HprimText,
    &ldif::Ldif,
    &turtle::Turtle,
    &jsonp::Jsonp,
    &ini::Ini,
    &graphql::GraphQl,
    &dicom::Json,
    &astm::Json,
    &hl7v2::Json,
    &hl7v2::JsonFields,
    &hl7v2::JsonSegments,
    &x12::Json,
    &edifact::Json,
    &xdt::Json,
    &json::Json,
    &html::Html,
    &xml::Xml,
    &dicom::Dump,
    &sql::Dump,
    &yaml::Fields,
    &yaml::Yaml,
    &hex::Hex,
    &csv::Csv,
    &text::Text,
];
