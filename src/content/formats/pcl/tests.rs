use crate::content::Media;
use crate::content::testing::{records, with_gap_of};

const JANE: &str = "[PatientContext] name=Roe, Jane patient_id=H77123 birth_date=1970-01-31";

#[test]
fn text_at_places_and_in_lines() {
    let placed = b"\x1bE\x1b&l0O\x1b(8U\x1b(s1p12v0s0b4148T\x1b*p300x300YPatient:\x1b*p800XRoe, Jane\
        \x1b*p300x360YMRN:\x1b*p800XH77123\x1b*b7Wraster!\x1b*p300x420YDOB:\x1b*p800X1970-01-31\x0c\x1bE";
    assert_eq!(records("application/octet-stream", placed), [format!("http>pcl:~pcl {JANE}")]);
    let lines = b"\x1bE\x1b&k2GPatient: Roe, Jane\r\nMRN: H77123\r\nDOB: 1970-01-31\r\n\x0c";
    assert_eq!(records("", lines), [format!("http>pcl:~pcl {JANE}")]);
}

#[test]
fn characters_of_roman_8() {
    let job = b"\x1bE\x1b(8UPatient: M\xcfller, Ren\xc5\r\nMRN: H77123\r\n";
    assert_eq!(
        records("", job),
        ["http>pcl:~pcl [PatientContext] name=Müller, René patient_id=H77123"]
    );
}

#[test]
fn labels_of_hpgl() {
    let job = b"\x1bE\x1b%0BIN;SP1;PA1000,5000;LBPatient:\x03PU3000,5000LBRoe, Jane\x03PA1000,4000;LBMRN: H77123\x03\x1b%0A\x1bE";
    assert_eq!(
        records("", job),
        ["http>pcl:~pcl [PatientContext] name=Roe, Jane patient_id=H77123"]
    );
}

#[test]
fn a_gap_costs_what_is_missing() {
    let media = Media::Type { content_type: "", name: "" };
    let before = b"\x1bE\x1b*p1x1YPatient: Roe, Jane\r\nMRN: H77123\r\n\x1b*b99";
    let got = with_gap_of(media, before, 50, b"\r\nDOB: 1970-01-31\r\n");
    assert_eq!(got, [format!("http>pcl:~pcl {JANE}")]);
}

#[test]
fn text_of_pcl_xl() {
    let mut job = b") HP-PCL XL;2;0;x\n".to_vec();
    job.extend(b"\xd1\x58\x02\x58\x02\xf8\x89\xc0\x00\xf8\x86\x41\x43");
    let mut line = |x: u16, y: u16, text: &[u8]| {
        job.push(0xd3);
        job.extend(x.to_le_bytes());
        job.extend(y.to_le_bytes());
        job.extend(b"\xf8\x4c\x6b\xc8\xc0");
        job.push(text.len() as u8);
        job.extend(text);
        job.extend(b"\xf8\xab\xa8");
    };
    line(100, 100, b"Patient:");
    line(900, 100, b"Roe, Jane");
    line(100, 300, b"MRN:");
    line(900, 300, b"H77123");
    line(100, 500, b"DOB: 1970-01-31");
    job.extend(b"\xfb\x04abcd\x44");
    assert_eq!(records("", &job), [format!("http>pclxl:~pclxl {JANE}")]);
}

#[test]
fn letters_of_pcl_xl_that_are_only_numbered_are_no_text() {
    let job = |code: u8| {
        let mut job =
            b") HP-PCL XL;2;0;x\n\xd1\x58\x02\x58\x02\xf8\x89\xc0\x00\xf8\x86\x41\x43".to_vec();
        // BeginChar, ReadChar with its bitmap, EndChar, SetFont.
        job.extend(b"\xc8\xc0\x01@\xf8\xa8\x52\xc0");
        job.push(code);
        job.extend(b"\xf8\xa2\xc1\x04\x00\xf8\xa3\x53\xfb\x04abcd\x54");
        job.extend(b"\xc8\xc0\x01@\xf8\xa8\xc1\x32\x00\xf8\xa1\x6f");
        let text = b"Patient: Roe, Jane, MRN: H77123, DOB: 1970-01-31";
        job.extend(b"\xd3\x64\x00\x64\x00\xf8\x4c\x6b\xc8\xc0");
        job.push(text.len() as u8);
        job.extend(text);
        job.extend(b"\xf8\xab\xa8\x44");
        job
    };
    assert_eq!(records("", &job(2)), Vec::<String>::new());
    assert_eq!(records("", &job(b'R')).len(), 1);
}

#[test]
fn hostile_commands_never_panic() {
    for job in [
        &b"\x1bE\x1b&a99999999999999999999999999H\x1b&a-1e9Vx"[..],
        b"\x1bE\x1b*b4294967295W",
        b"\x1bE\x1b&p99999Xabc",
        b"\x1bE\x1b%0B",
        b") HP-PCL XL;2;0\n\xc8\xc2\xff\xff\xff\xff",
        b") HP-PCL XL;2;0\n\xfa\xff\xff\xff\xff",
        b"\x1bE\x1b(\x1b(\x1b(\x1b",
    ] {
        assert_eq!(records("", job), [""; 0]);
    }
}
