//! Headers with fields at fixed offsets: ISHNE, NIfTI and ANALYZE.

use super::{Read, Values, u16_at};
use crate::syntax::recording::{Volume, volume};

/// Length of the fixed part of an ISHNE header, and of the header of a volume.
const ISHNE_HEADER: usize = 156;
const VOLUME_HEADER: usize = 352;

pub(super) fn ishne(head: &[u8], values: &mut Values) -> Read {
    values.latin("first name", head.get(28..68).unwrap_or_default());
    values.latin("last name", head.get(68..108).unwrap_or_default());
    values.latin("id", head.get(108..128).unwrap_or_default());
    values.sex("sex", u16_at(head, 128).unwrap_or_default());
    if let (Some(day), Some(month), Some(year)) =
        (u16_at(head, 132), u16_at(head, 134), u16_at(head, 136))
    {
        values.date("birth date", year, month, day);
    }
    if head.len() < ISHNE_HEADER { Read::Need(ISHNE_HEADER) } else { Read::Done }
}

/// Values that programs write into the fields of ANALYZE that NIfTI keeps but does not use.
pub(super) fn nifti(head: &[u8], values: &mut Values) -> Read {
    if head.len() < VOLUME_HEADER {
        return Read::Need(VOLUME_HEADER);
    }
    if volume(head) == Some(Volume::One) {
        values.latin("db_name", head.get(14..32).unwrap_or_default());
        // NIfTI-1 has other fields at its place.
        if head.get(344..347) != Some(b"n+1") && head.get(344..347) != Some(b"ni1") {
            values.latin("patient_id", head.get(283..293).unwrap_or_default());
        }
    }
    Read::Done
}
