//! Recognises recordings of signals and volumes: SCP-ECG, MFER, EDF and BDF, ISHNE, NIfTI and
//! ANALYZE. Also makes the smallest file, or datagram of a monitor, with a given field, for samples
//! of rules.

use super::Match;

/// Fields that identify a person, by format.
pub const FIELDS: &[(&str, &str)] = &[
    ("scp-ecg", "1-0"),
    ("scp-ecg", "1-1"),
    ("scp-ecg", "1-2"),
    ("scp-ecg", "1-3"),
    ("scp-ecg", "1-5"),
    ("scp-ecg", "1-8"),
    ("scp-ecg", "1-31"),
    ("mfer", "81"),
    ("mfer", "82"),
    ("mfer", "83"),
    ("mfer", "84"),
    ("edf", "patient code"),
    ("edf", "patient sex"),
    ("edf", "patient birthdate"),
    ("edf", "patient name"),
    ("edf", "administration code"),
    ("ishne", "first name"),
    ("ishne", "last name"),
    ("ishne", "id"),
    ("ishne", "sex"),
    ("ishne", "birth date"),
    ("nifti", "db_name"),
    ("nifti", "patient_id"),
    ("intellivue", "095A"),
    ("intellivue", "095C"),
    ("intellivue", "095D"),
    ("intellivue", "095F"),
    ("intellivue", "0958"),
    ("intellivue", "0961"),
];

/// Length of the header of an EDF file.
pub const EDF_HEADER: usize = 256;
/// Offset of the name of the standard in section 0 of SCP-ECG (EN 1064 5.3).
pub const SCP_NAME: usize = 16;
/// The name at [`SCP_NAME`].
pub const SCP: &[u8] = b"SCPECG";
/// Preamble of MFER: its tag, its length and its first word (ISO 22077-1 5.2).
pub const MFER: &[u8] = b"@ MFR";
/// Magic number of ISHNE files.
pub const ISHNE: &[u8] = b"ISHNE1.0";
/// Version of EDF.
pub const EDF: &[u8] = b"0       ";
/// Version of BDF.
pub const BDF: &[u8] = b"\xffBIOSEMI";

/// Whether an SCP-ECG record begins at `data`. Section 0 follows the checksum and the length.
pub fn scp(data: &[u8]) -> Match {
    // A checksum and a section id of 0 (EN 1064 5.2.3).
    if data.get(8..10).is_some_and(|id| id != [0, 0]) {
        return Match::No;
    }
    prefix(data.get(SCP_NAME..).unwrap_or_default(), SCP)
}

/// Whether an EDF or BDF file begins at `data`: version, date, time, and the length of the header.
pub fn edf(data: &[u8]) -> Match {
    let version = match data.first() {
        Some(0xff) => BDF,
        _ => EDF,
    };
    match prefix(data, version) {
        Match::Yes(()) => {}
        other => return other,
    }
    let texts = data.get(8..EDF_HEADER).or(data.get(8..)).unwrap_or_default();
    if !texts.iter().all(|b| (b' '..=b'~').contains(b) || *b >= 0x80 || *b == 0) {
        return Match::No;
    }
    // dd.mm.yy and hh.mm.ss; some writers use other separators.
    let Some(times) = data.get(168..184) else { return Match::More };
    let digit = |at: usize| times.get(at).is_some_and(|b| b.is_ascii_digit() || *b == b' ');
    let dates = [0, 1, 3, 4, 6, 7, 8, 9, 11, 12, 14, 15].into_iter().all(digit);
    let Some(len) = data.get(184..192) else {
        return if dates { Match::More } else { Match::No };
    };
    let len = std::str::from_utf8(len).ok().and_then(|len| len.trim().parse::<usize>().ok());
    match len {
        Some(len) if dates && len >= EDF_HEADER && len % EDF_HEADER == 0 => Match::Yes(()),
        _ => Match::No,
    }
}

/// Whether an MFER file begins at `data`.
pub fn mfer(data: &[u8]) -> Match {
    prefix(data, MFER)
}

/// Whether an ISHNE file begins at `data`.
pub fn ishne(data: &[u8]) -> Match {
    prefix(data, ISHNE)
}

/// Header of a volume.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Volume {
    /// NIfTI-1, or ANALYZE 7.5, which has the same header.
    One,
    /// NIfTI-2.
    Two,
}

/// Which volume begins at `data`; needs 352 bytes.
pub fn volume(data: &[u8]) -> Option<Volume> {
    let word = |at: usize| -> Option<[u8; 4]> { data.get(at..)?.first_chunk().copied() };
    let size = word(0)?;
    if matches!(size, [0x1c, 2, 0, 0] | [0, 0, 2, 0x1c]) {
        let magic = data.get(4..12)?;
        return (magic == b"n+2\0\r\n\x1a\n" || magic == b"ni2\0\r\n\x1a\n").then_some(Volume::Two);
    }
    if !matches!(size, [0x5c, 1, 0, 0] | [0, 0, 1, 0x5c]) {
        return None;
    }
    let magic = data.get(344..348)?;
    // ANALYZE has no magic number, but `extents` is 16384 and `regular` is `r`.
    let extents = matches!(word(32)?, [0, 0x40, 0, 0] | [0, 0, 0x40, 0]);
    (magic == b"n+1\0" || magic == b"ni1\0" || extents && data.get(38) == Some(&b'r'))
        .then_some(Volume::One)
}

fn prefix(data: &[u8], begins: &[u8]) -> Match {
    match data.get(..begins.len()) {
        Some(head) if head == begins => Match::Yes(()),
        Some(_) => Match::No,
        None if begins.starts_with(data) => Match::More,
        None => Match::No,
    }
}

/// The smallest file of a format in which a field has this value.
pub fn sample(format: &str, field: &str, value: &str) -> Option<Vec<u8>> {
    Some(match format {
        "scp-ecg" => sample_scp(field.strip_prefix("1-")?.parse().ok()?, value),
        "mfer" => sample_mfer(u8::from_str_radix(field, 16).ok()?, value),
        "edf" => sample_edf(field, value),
        "ishne" => sample_ishne(field, value),
        "nifti" => sample_volume(field, value),
        "intellivue" => sample_monitor(u16::from_str_radix(field, 16).ok()?, value),
        _ => return None,
    })
}

/// Year, month and day of `YYYYMMDD`; zeros if it is no date.
fn date(value: &str) -> (u16, u8, u8) {
    let part = |from: usize, to: usize| -> Option<u16> { value.get(from..to)?.parse().ok() };
    let parts = (part(0, 4), part(4, 6), part(6, 8));
    let (Some(year), Some(month), Some(day)) = parts else { return (0, 0, 0) };
    (year, u8::try_from(month).unwrap_or(0), u8::try_from(day).unwrap_or(0))
}

fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(room) = file.get_mut(at..at + bytes.len()) {
        room.copy_from_slice(bytes);
    }
}

fn sample_scp(tag: u8, value: &str) -> Vec<u8> {
    let bytes = match tag {
        5 => {
            let (year, month, day) = date(value);
            let [low, high] = year.to_le_bytes();
            vec![low, high, month, day]
        }
        8 => vec![value.parse().unwrap_or_default()],
        _ => value.as_bytes().to_vec(),
    };
    let mut tags = vec![tag];
    tags.extend((bytes.len() as u16).to_le_bytes());
    tags.extend(bytes);
    tags.extend([0xff, 0, 0]);
    scp_record(&tags)
}

fn sample_mfer(tag: u8, value: &str) -> Vec<u8> {
    let bytes = match tag {
        0x83 => {
            let (year, month, day) = date(value);
            let [high, low] = year.to_be_bytes();
            vec![66, 0, 0, high, low, month, day]
        }
        0x84 => vec![value.parse().unwrap_or_default()],
        _ => value.as_bytes().to_vec(),
    };
    let mut file = [MFER, &[b' '; 29]].concat();
    file.extend([tag, bytes.len() as u8]);
    file.extend(bytes);
    file.extend([0x80, 0]);
    file
}

fn sample_edf(field: &str, value: &str) -> Vec<u8> {
    let mut file = [EDF, &[b' '; 248]].concat();
    let is = |name: &str| if field == name { value } else { "X" };
    let patient =
        [is("patient code"), is("patient sex"), is("patient birthdate"), is("patient name")];
    put(&mut file, 8, patient.join(" ").as_bytes());
    let recording = format!("Startdate X {} X X", is("administration code"));
    put(&mut file, 88, recording.as_bytes());
    put(&mut file, 168, b"02.03.2608.15.00512     EDF+C");
    file
}

fn sample_ishne(field: &str, value: &str) -> Vec<u8> {
    let mut file = [ISHNE, &[0; 514]].concat();
    match field {
        "first name" => put(&mut file, 28, value.as_bytes()),
        "last name" => put(&mut file, 68, value.as_bytes()),
        "id" => put(&mut file, 108, value.as_bytes()),
        "sex" => put(&mut file, 128, &[value.parse().unwrap_or_default(), 0]),
        _ => {
            let (year, month, day) = date(value);
            let [low, high] = year.to_le_bytes();
            put(&mut file, 132, &[day, 0, month, 0, low, high]);
        }
    }
    file
}

fn sample_volume(field: &str, value: &str) -> Vec<u8> {
    let mut file = vec![0; 352];
    put(&mut file, 0, &[0x5c, 1]);
    if field == "db_name" {
        put(&mut file, 344, b"n+1");
        put(&mut file, 14, value.as_bytes());
    } else {
        put(&mut file, 32, &[0, 0x40]);
        put(&mut file, 38, b"r");
        put(&mut file, 283, value.as_bytes());
    }
    file
}

/// A monitor's answer to GET: the object, then a list of one attribute.
fn sample_monitor(id: u16, value: &str) -> Vec<u8> {
    let bytes = match id {
        0x0958 => {
            let digits = |at: usize| u8::from_str_radix(value.get(at..at + 2)?, 16).ok();
            let date = [0, 2, 4, 6].map(|at| digits(at).unwrap_or(0xff));
            [date, [0; 4]].concat()
        }
        0x0961 => vec![0, value.parse().unwrap_or_default()],
        _ => {
            let wide: Vec<u8> = value.encode_utf16().flat_map(u16::to_be_bytes).collect();
            [&(wide.len() as u16).to_be_bytes()[..], &wide].concat()
        }
    };
    let with_len =
        |head: &[u8], body: &[u8]| [head, &(body.len() as u16).to_be_bytes(), body].concat();
    let attribute = with_len(&id.to_be_bytes(), &bytes);
    let object = [&[0, 0x2a, 0, 0, 0, 0][..], &with_len(&[0, 1], &attribute)].concat();
    let result = with_len(&[0, 1, 0, 3], &object);
    with_len(&[0xe1, 0, 0, 2, 0, 2], &result)
}

/// An SCP-ECG record with these tags in section 1.
fn scp_record(tags: &[u8]) -> Vec<u8> {
    let section = |id: u16, index: &[u8], body: &[u8]| {
        let len = 16 + body.len() as u32;
        [&[0, 0][..], &id.to_le_bytes(), &len.to_le_bytes(), &[20, 20], index, body].concat()
    };
    // Pointers of twelve sections, two of them present (EN 1064 5.3.3).
    let mut pointers = Vec::new();
    for id in 0..12u16 {
        let (len, index) = match id {
            0 => (136, 7),
            1 => (16 + tags.len() as u32, 143),
            _ => (0, 0u32),
        };
        pointers.extend(id.to_le_bytes());
        pointers.extend(len.to_le_bytes());
        pointers.extend(index.to_le_bytes());
    }
    let body = [section(0, SCP, &pointers), section(1, &[0; 6], tags)].concat();
    [&[0, 0][..], &(6 + body.len() as u32).to_le_bytes(), &body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginnings_need_all_of_what_shows_them() {
        let edf_file = sample("edf", "patient name", "Haagse_Harry").expect("a sample");
        for (file, begins, need) in [
            (sample("scp-ecg", "1-0", "Doe").expect("a sample"), scp as fn(&[u8]) -> Match, 22),
            (edf_file.clone(), edf, 192),
            (sample("mfer", "81", "Doe").expect("a sample"), mfer, 5),
            (sample("ishne", "id", "1").expect("a sample"), ishne, 8),
        ] {
            for len in 0..need {
                assert_eq!(begins(&file[..len]), Match::More, "{len} bytes");
            }
            assert_eq!(begins(&file[..need]), Match::Yes(()));
            assert_eq!(begins(b"0123456789abcdefghijklm"), Match::No);
        }
        let mut text = edf_file;
        text[168] = b'x';
        assert_eq!(edf(&text), Match::No, "a table that begins with a 0");
        assert_eq!(volume(&sample("nifti", "db_name", "a").expect("a sample")), Some(Volume::One));
        assert_eq!(volume(&[0; 352]), None);
    }

    #[test]
    fn every_field_has_a_sample() {
        for (format, field) in FIELDS {
            assert!(sample(format, field, "19591102").is_some(), "{format} {field}");
        }
    }
}
