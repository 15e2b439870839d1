use crate::content::testing::{records, rules};

/// A card with patient context, in each version's way to write it.
#[test]
fn patients_on_cards() {
    let got = records(
        "text/vcard",
        "BEGIN:VCARD\r\nVERSION:4.0\r\nN:Müller;Jörg;Karl;;\r\nFN:Jörg Müller\r\nBDAY:19700201\r\nGENDER:M;man\r\n\
         item1.TEL;TYPE=cell;VALUE=uri:tel:+49-30-5550123\r\nEMAIL;TYPE=home:j@m.example\r\n\
         ADR;TYPE=home:;;Lange Straße\r\n  7;Berlin;;10115;DE\r\nCATEGORIES:Friends,Patients\r\nX-PATIENT-ID:H-77\r\n\
         PHOTO;ENCODING=b:AAAA\r\n AAAA\r\nEND:VCARD\r\n"
            .as_bytes(),
    );
    assert_eq!(
        got,
        [
            "http>vcard:~vcard [PatientContext] name=Müller^Jörg birth_date=19700201 sex=M phone=+49-30-5550123 \
          email=j@m.example address=Lange Straße 7, Berlin, 10115, DE patient_id=H-77"
        ]
    );
    let got = records(
        "text/x-vcard",
        b"BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:M=FCller;J=F6=\r\nrg\r\n\
          BDAY:1970-02-01\r\nNOTE;QUOTED-PRINTABLE:Patient since 2019=0D=0AMRN: H-=\r\n77\r\nEND:VCARD\r\n\
          BEGIN:VCARD\r\nFN:Jane\\, Roe\r\nNOTE:MRN: 78\\nDOB: 1970-02-02\r\nEND:VCARD\r\n",
    );
    assert_eq!(
        got,
        [
            "http>vcard:~vcard [PatientContext] name=Müller^Jörg birth_date=1970-02-01 patient_id=H-77",
            "http>vcard:~vcard [PatientContext] patient_id=78 birth_date=1970-02-02 name=Jane, Roe",
        ]
    );
}

#[test]
fn an_appointment_names_its_patient() {
    let got = records(
        "text/calendar; charset=utf-8",
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1@x\r\nDTSTART:20260301T100000Z\r\n\
         ORGANIZER;CN=\"Dr. Weber; Eva\":mailto:weber@clinic.example\r\nSUMMARY:Patient: Jane Roe\r\n\
         DESCRIPTION:DOB: 1970-01-01\\nMRN: H-77\\, Phone: 555 0177\\nReason\r\n : check-up\r\n\
         BEGIN:VALARM\r\nDESCRIPTION:Patient: John Doe\r\nEND:VALARM\r\nEND:VEVENT\r\n\
         BEGIN:VEVENT\r\nSUMMARY:Patient appointment\r\nCATEGORIES:PATIENT\r\n\
         ATTENDEE;CN=Jörg Müller;ROLE=REQ-PARTICIPANT:mailto:j@m.example\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
            .as_bytes(),
    );
    assert_eq!(
        got,
        [
            "http>icalendar:~icalendar [PatientContext] name=Jane Roe birth_date=1970-01-01 patient_id=H-77 phone=555 0177",
            "http>icalendar:~icalendar [PatientContext] name=Jörg Müller email=j@m.example",
        ]
    );
}

/// Address books and meetings are not about care.
#[test]
fn address_books_and_meetings_are_no_care() {
    let alerts = |lines: Vec<String>| -> Vec<String> {
        lines.into_iter().filter(|l| l.contains("PatientContext")).collect()
    };
    assert!(rules().keys.get("vcard.fn").is_some());
    for text in [
        "BEGIN:VCARD\nVERSION:3.0\nN:Roe;Jane;;;\nFN:Jane Roe\nBDAY:1970-01-01\nTEL:555 0177\nEMAIL:a@b.c\nEND:VCARD\n",
        "BEGIN:VCARD\nFN:Dr. Jane Roe\nTITLE:Cardiologist\nORG:Clinic;Accepting patients\nTEL:5550177\nNOTE:Accepting new patients\nEND:VCARD\n",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Team meeting\nATTENDEE;CN=A B:mailto:a@b.c\nATTENDEE;CN=C D:mailto:c@b.c\nEND:VEVENT\nEND:VCALENDAR\n",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Birthday: Jane Roe\nRRULE:FREQ=YEARLY\nDTSTART:19700101\nEND:VEVENT\nEND:VCALENDAR\n",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Ward round\nCATEGORIES:PATIENT\nATTENDEE;CN=A B:mailto:a@b.c\nATTENDEE;CN=C D:mailto:c@b.c\nEND:VEVENT\n",
        "BEGIN:X\nFN:A\n",
    ] {
        assert_eq!(alerts(records("", text.as_bytes())), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn cut_and_broken() {
    let card =
        b"BEGIN:VCARD\nN;ENCODING=QUOTED-PRINTABLE:R=C3=\n=B6e;J\\;a;b;c\nX-MRN:7\nEND:VCARD\n";
    for end in 0..card.len() {
        records("text/vcard", &card[..end]);
        for byte in [b'\n', b'=', b';', b':', b'"', b' ', 0xff] {
            let mut broken = card.to_vec();
            broken[end] = byte;
            records("text/vcard", &broken);
        }
    }
    let deep = b"BEGIN:VCALENDAR\n".repeat(10_000);
    assert!(records("text/calendar", &deep).is_empty());
}
