use super::*;
use crate::content::testing::records;

fn encoded(label: &str, text: &str) -> Vec<u8> {
    match label {
        "utf-16le" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        "utf-16be" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        _ => {
            let encoding = Encoding::for_label(label.as_bytes()).expect("a label");
            let (bytes, _, unmappable) = encoding.encode(text);
            assert!(!unmappable, "{label}: {text}");
            bytes.into_owned()
        }
    }
}

/// Names of people in the sets their countries wrote them in.
const PEOPLE: &[(&str, &str)] = &[
    ("windows-1252", "Jürgen Grünwald"),
    ("iso-8859-2", "Łukasz Wójcik"),
    ("windows-1250", "Jiří Dvořák"),
    ("windows-1251", "Иванов Пётр Сергеевич"),
    ("koi8-r", "Иванов Пётр Сергеевич"),
    ("iso-8859-5", "Иванов Петр Сергеевич"),
    ("windows-1253", "Γιώργος Παπαδόπουλος"),
    ("windows-1254", "Ayşe Yıldırım"),
    ("windows-1255", "משה כהן"),
    ("windows-1256", "محمد العلي"),
    ("iso-8859-15", "Zoë Lefèvre"),
    ("shift_jis", "山田 太郎"),
    ("euc-jp", "山田 太郎"),
    ("iso-2022-jp", "山田 太郎"),
    ("euc-kr", "김 철수"),
    ("gbk", "王 小明"),
    ("gb18030", "李 娜"),
    ("big5", "陳 大文"),
    ("utf-8", "Jürgen Grünwald"),
];

#[test]
fn declared_by_the_protocol() {
    for (label, name) in PEOPLE {
        let expected = format!("name={name} birth_date=1970-01-01 patient_id=77");
        let csv = format!("name,dob,mrn\n{name},1970-01-01,77\n");
        let json = format!("[{{\"name\":\"{name}\",\"dob\":\"1970-01-01\",\"mrn\":\"77\"}}]");
        let note = format!("Name: {name}\nDOB: 1970-01-01\nMRN: 77\n");
        for (media, body) in [("text/csv", csv), ("application/json", json), ("text/plain", note)] {
            let media = format!("{media}; charset={label}");
            let got = records(&media, &encoded(label, &body));
            assert!(matches!(&*got, [one] if one.ends_with(&expected)), "{media}: {got:?}");
            // What is declared wrongly is UTF-8.
            let got = records(&media, body.as_bytes());
            let shifting = *label == "iso-2022-jp";
            assert!(
                shifting || matches!(&*got, [one] if one.ends_with(&expected)),
                "{media}: {got:?}"
            );
        }
    }
}

#[test]
fn a_charset_declared_inside_the_document_holds() {
    for (label, name) in PEOPLE {
        let expected = format!("patient_id=77 name={name} birth_date=1970-01-01");
        let xml = format!(
            "<?xml version=\"1.0\" encoding='{label}' ?>\n<patient><mrn>77</mrn><name>{name}</name><dob>1970-01-01</dob></patient>"
        );
        let table = format!(
            "<table><tr><th>MRN<th>Name<th>DOB<tr><td>77<td>{name}<td>1970-01-01</table></html>"
        );
        let meta = format!("<html><head><META Charset=\"{label}\">{table}");
        let http = format!(
            "<html><meta name=x content=y><meta http-equiv=Content-Type content='text/html; charset={label}'>{table}"
        );
        for (media, body) in [("text/xml", xml), ("text/html", meta), ("text/html", http)] {
            let got = records(media, &encoded(label, &body));
            assert!(matches!(&*got, [one] if one.ends_with(&expected)), "{label}: {got:?}");
        }
    }
}

#[test]
fn an_undeclared_charset_is_guessed_from_names() {
    for (label, name) in PEOPLE {
        if matches!(*label, "iso-8859-15" | "gb18030") {
            // One or two letters prove nothing.
            continue;
        }
        let row = format!("{name},1970-01-01,77\n");
        let csv = format!("name,dob,mrn\n{}", row.repeat(8));
        let expected = format!("name={name} birth_date=1970-01-01 patient_id=77");
        let got = records("text/csv", &encoded(label, &csv));
        assert_eq!(got.len(), 8, "{label}");
        assert!(got.iter().all(|line| line.ends_with(&expected)), "{label}: {got:?}");
    }
}

#[test]
fn sixteen_bit_text_is_read_with_and_without_a_mark() {
    let name = "Грета Grünwald 山田";
    let expected = format!("name={name} birth_date=1970-01-01 patient_id=77");
    let json = format!("{{\"name\":\"{name}\",\"dob\":\"1970-01-01\",\"mrn\":\"77\"}}");
    let csv = format!("name\tdob\tmrn\r\n{name}\t1970-01-01\t77\r\n");
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-16\"?><p><name>{name}</name><dob>1970-01-01</dob><mrn>77</mrn></p>"
    );
    let html = format!("<html><body>Name: {name}<br>DOB: 1970-01-01<br>MRN: 77</body></html>");
    for label in ["utf-16le", "utf-16be"] {
        for mark in ["", "\u{feff}"] {
            for (media, body) in [
                ("application/json", &json),
                ("application/octet-stream", &csv),
                ("text/csv; charset=utf-16", &csv),
                ("application/xml; charset=utf-16le", &xml),
                ("", &html),
            ] {
                let got = records(media, &encoded(label, &format!("{mark}{body}")));
                assert!(
                    matches!(&*got, [one] if one.ends_with(&expected)),
                    "{label} {media}: {got:?}"
                );
            }
        }
    }
}

#[test]
fn utf8_with_stray_bytes() {
    // A mark, and yet not UTF-8; one bad byte in the middle of good ones.
    let got = records("text/csv", b"\xef\xbb\xbfname,dob,mrn\nJ\xfcrgen Meier,1970-01-01,77\n");
    assert!(got[0].contains("name=Jürgen Meier "), "{got:?}");
    let mixed = b"name,dob,mrn\nJ\xc3\xbcrgen Roe,1970-01-01,77\nJ\xfcrg Roe,1970-01-02,78\nZo\xc3\xab Roe,1970-01-03,79\n";
    for media in ["text/csv", "text/csv; charset=utf-8", "text/csv; charset=iso-8859-1"] {
        let got = records(media, mixed);
        assert!(got[0].contains("name=Jürgen Roe "), "{media}: {got:?}");
        assert!(got[1].contains("name=Jürg Roe "), "{media}: {got:?}");
        assert!(got[2].contains("name=Zoë Roe "), "{media}: {got:?}");
    }
}

#[test]
fn a_gap_in_sixteen_bit_text_puts_nothing_together_wrongly() {
    let text = encoded("utf-16le", "name,dob,mrn\nА Б,1970-01-01,77\nВ Г,1970-01-02,78\n");
    let media = Media::Type { content_type: "text/csv", name: "" };
    for len in 1..8u64 {
        for at in 30..text.len() - 8 {
            let after = &text[at + len as usize..];
            let lines = crate::content::testing::with_gap_of(media, &text[..at], len, after);
            // Whatever is lost, nothing is put together wrongly.
            for line in lines {
                let whole = [
                    "А Б birth_date=1970-01-01 patient_id=77",
                    "В Г birth_date=1970-01-02 patient_id=78",
                ];
                assert!(whole.iter().any(|w| line.ends_with(w)), "{at} {len}: {line}");
            }
        }
    }
}

#[test]
fn charsets_declared_inside_are_found() {
    assert_eq!(inside(b" <?xml version='1.0' encoding = \"KOI8-R\"?><a/>"), Some("KOI8-R"));
    assert_eq!(inside(b"<html><meta content='text/html;charset=Big5' http-equiv=x>"), Some("Big5"));
    assert_eq!(inside(b"<p>meta charset=x"), None);
    assert_eq!(inside(b"charset=x <meta charset=y>"), None);
    assert_eq!(known("\"ISO-8859-1\""), Some(WINDOWS_1252));
    assert_eq!(known("utf8"), None);
    assert_eq!(known("nonsense"), None);
    for head in
        [b"".as_slice(), b"<", b"<meta", b"<meta charset", b"<?xml encoding=", b"<meta charset='"]
    {
        assert_eq!(inside(head), None);
    }
}
