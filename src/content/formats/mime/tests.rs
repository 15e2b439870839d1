use crate::content::Media;
use crate::content::testing::{records, records_of};

const MAIL: &[u8] = b"Subject: list\r\nContent-Type: multipart/mixed;\r\n boundary=\"=_b\"\r\n\r\n\
    --=_b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
    Patient: J=C3=BCrgen Me=\r\nier\r\nMRN: =\t\r\nH123\r\n\
    --=_b\r\nContent-Type: application/octet-stream;\r\n\tname=\"p.csv\"\r\n\
    Content-Transfer-Encoding: BASE64\r\n\r\n\
    bXJuLGxhc3RfbmFtZSxk\r\nb2IKNzcsUm9lLDE5NzAt\r\nMDEtMDEK\r\n\
    --=_b\r\nContent-Type: message/rfc822\r\n\r\nContent-Type: text/plain\r\n\r\nPatient: Eva Roe\r\nMRN: 78\r\n\
    --=_b--\r\n";

#[test]
fn parts_in_their_encodings() {
    assert_eq!(
        records("message/rfc822", MAIL),
        [
            "http>mime>multipart>quoted-printable>text:~text [PatientContext] name=Jürgen Meier patient_id=H123",
            "http>mime>multipart>base64>csv:~csv [PatientContext] patient_id=77 name=Roe birth_date=1970-01-01",
            "http>mime>multipart>mime>text:~text [PatientContext] name=Eva Roe patient_id=78",
        ]
    );
}

#[test]
fn plain_mail_and_files() {
    let mail = b"Received: from x\nMIME-Version: 1.0\n\nPatient: Eva Roe\nMRN: 78\n";
    let media = Media::Type { content_type: "application/octet-stream", name: "a.eml" };
    let got = records_of(media, &[], mail, 9);
    assert_eq!(got, ["http>mime>text:~text [PatientContext] name=Eva Roe patient_id=78"]);
    assert_eq!(records("", mail), got);
}

#[test]
fn subjects_and_names_of_files() {
    let mail = "Subject: =?ISO-8859-1?Q?Patient:_M=FCller,_J=F6rg?=\r\n =?utf-8?B?LCBNUk46IDc3?=\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
        --b\r\nContent-Disposition: attachment; filename*0*=UTF-8''pati%C3%ABnten; filename*1=\".csv\"\r\n\r\n\
        name,dob\nA B,1970-01-01\n--b--\r\n";
    assert_eq!(
        records("message/rfc822", mail.as_bytes()),
        [
            "http>mime:~mime [PatientContext] name=Müller, Jörg patient_id=77",
            "http>mime>multipart>csv:~csv [PatientContext] name=A B birth_date=1970-01-01",
        ]
    );
}

#[test]
fn cut_and_broken() {
    for end in 0..MAIL.len() {
        records("message/rfc822", &MAIL[..end]);
    }
    let long = [b"X-A: ".as_slice(), &vec![b'a'; 200 << 10]].concat();
    assert_eq!(
        records_of(Media::Type { content_type: "message/rfc822", name: "" }, &[], &long, 4000),
        Vec::<String>::new()
    );
}
