//! Every format of this folder against cut and broken input: no panic, and the same records however
//! the input is split.

use super::Media;
use super::testing::{records, records_of};

const SAMPLES: &[(&str, &[u8])] = &[
    ("text/csv", b"mrn,last_name,dob\n1,\"A, \"\"B\"\"\",1970-01-01\n2,C,1971-01-01\n"),
    (
        "text/html",
        b"<html><!-- x --><h1>Patients</h1><table><tr><th>MRN<th>Name<tr><td>7<td>A &amp; B</table><script>a<b</script></html>",
    ),
    (
        "application/xml",
        b"<?xml version='1.0'?><p:a xmlns:p=\"u\"><![CDATA[x]]><patient mrn=\"7\"><name>A B</name></patient></p:a>",
    ),
    ("text/plain", b"Patient: A B  MRN: 7\nDOB:\n1970-01-01\n"),
    (
        "multipart/form-data; boundary=bb",
        b"--bb\r\nContent-Disposition: form-data; name=\"mrn\"\r\n\r\n7\r\n--bb\r\nContent-Type: text/plain\r\n\r\nDOB: 1970-01-01\r\n--bb--\r\n",
    ),
    ("application/x-www-form-urlencoded", b"mrn=7&name=%41+B&dob=1970-01-01"),
];

#[test]
fn cuts() {
    for (content_type, sample) in SAMPLES {
        for end in 0..sample.len() {
            records(content_type, &sample[..end]);
        }
    }
}

#[test]
fn broken_bytes() {
    for (content_type, sample) in SAMPLES {
        for at in 0..sample.len() {
            for byte in [0, b'<', b'>', b'"', b'\n', b'-', b'&', b':', 0xc3] {
                let mut broken = sample.to_vec();
                broken[at] = byte;
                let media = Media::Type { content_type, name: "" };
                let whole = records_of(media, &[], &broken, broken.len());
                for piece in [1, 7, 50] {
                    let split = records_of(media, &[], &broken, piece);
                    assert!(
                        split == whole,
                        "{content_type} with {byte} at {at} in pieces of {piece}"
                    );
                }
            }
        }
    }
}
