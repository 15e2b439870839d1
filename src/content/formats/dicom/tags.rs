//! Attributes that are needed for the structure of a data set, whatever the rules name.

use super::items::{belongs_to_content_item, is_creator};

pub(super) const SPECIFIC_CHARACTER_SET: u32 = 0x0008_0005;
pub(super) const SOP_CLASS_UID: u32 = 0x0008_0016;
pub(super) const SOP_INSTANCE_UID: u32 = 0x0008_0018;
pub(super) const MODALITY: u32 = 0x0008_0060;
pub(super) const INSTITUTION_NAME: u32 = 0x0008_0080;
pub(super) const STATION_NAME: u32 = 0x0008_1010;
pub(super) const REFERENCED_SOP_INSTANCE_UID: u32 = 0x0008_1155;
pub(super) const REFERENCED_SOP_SEQUENCE: u32 = 0x0008_1199;
pub(super) const STUDY_INSTANCE_UID: u32 = 0x0020_000D;
pub(super) const PATIENT_NAME: u32 = 0x0010_0010;
pub(super) const PATIENT_ID: u32 = 0x0010_0020;
pub(super) const QUALITY_CONTROL_SUBJECT: u32 = 0x0010_0200;
pub(super) const PATIENT_IDENTITY_REMOVED: u32 = 0x0012_0062;
pub(super) const DEIDENTIFICATION_METHOD: u32 = 0x0012_0063;
pub(super) const DEIDENTIFICATION_METHOD_CODE_SEQUENCE: u32 = 0x0012_0064;
pub(super) const QUALITY_CONTROL_IMAGE: u32 = 0x0028_0300;
pub(super) const BURNED_IN_ANNOTATION: u32 = 0x0028_0301;
pub(super) const DIRECTORY_RECORD_SEQUENCE: u32 = 0x0004_1220;
pub(super) const DIRECTORY_RECORD_TYPE: u32 = 0x0004_1430;
pub(super) const ENCAPSULATED_DOCUMENT: u32 = 0x0042_0011;
/// Contains the values of attributes before they were corrected (PS3.3 C.12.1.1.9).
pub(super) const MODIFIED_ATTRIBUTES_SEQUENCE: u32 = 0x0400_0550;
pub(super) const LOCAL_NAMESPACE: u32 = 0x0040_0031;
pub(super) const UNIVERSAL_ENTITY_ID: u32 = 0x0040_0032;

/// An id, the name of its issuer, and the sequence that qualifies the issuer: they follow one
/// another in this order (PS3.3 tables 10-18 and C.3-2).
pub(super) struct Issued {
    pub id: u32,
    pub issuer: u32,
    pub qualifiers: u32,
}

pub(super) const ISSUED: [Issued; 3] = [
    Issued { id: PATIENT_ID, issuer: 0x0010_0021, qualifiers: 0x0010_0024 },
    Issued { id: 0x0008_0050, issuer: 0, qualifiers: 0x0008_0051 },
    Issued { id: 0x0038_0010, issuer: 0x0038_0011, qualifiers: 0x0038_0014 },
];

/// Whether the structure of a data set requires an attribute, at least in its proper place.
pub(super) fn is_structural(tag: u32) -> bool {
    is_creator(tag)
        || belongs_to_content_item(tag)
        || ISSUED.iter().any(|i| i.issuer == tag)
        || matches!(
            tag,
            SPECIFIC_CHARACTER_SET
                | SOP_CLASS_UID
                | MODALITY
                | STATION_NAME
                | INSTITUTION_NAME
                | PATIENT_IDENTITY_REMOVED
                | DEIDENTIFICATION_METHOD
                | QUALITY_CONTROL_SUBJECT
                | QUALITY_CONTROL_IMAGE
                | BURNED_IN_ANNOTATION
                | DIRECTORY_RECORD_TYPE
                | SOP_INSTANCE_UID
                | REFERENCED_SOP_INSTANCE_UID
                | STUDY_INSTANCE_UID
                | LOCAL_NAMESPACE
                | UNIVERSAL_ENTITY_ID
        )
}
