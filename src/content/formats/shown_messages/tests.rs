//! Messages in logs, files with remarks, pages, values and strings.

use crate::content::testing::records;

const PATIENT: &str = "birth_date=19700131 sex=F";

#[track_caller]
fn check(text: &str, id: &str) {
    let got = records("text/plain", text.as_bytes());
    let known = got.iter().filter(|record| record.contains(PATIENT)).collect::<Vec<_>>();
    assert!(known.len() == 1 && known[0].contains(id), "{text}: {got:?}");
}

const RECORDS: [&str; 5] = [
    "H|\\^&|||e411^1|||||host|RSUPL|P|1",
    "P|1|H-77|||Roe^Jane||19700131|F||||||Doe^Max",
    "O|1|S52||^^^HBs|R",
    "R|1|^^^HBs|237.80|mIU/mL||||F",
    "L|1|N",
];

fn log(write: impl Fn(usize, &str) -> String) -> String {
    RECORDS.iter().enumerate().map(|(n, record)| write(n + 1, record)).collect()
}

#[test]
fn records_of_analysers_in_logs() {
    check(&log(|n, r| format!("08:15:30 RX <STX>{n}{r}<CR><ETX>A{n}<CR><LF>\nTX <ACK>\n")), "H-77");
    check(&log(|n, r| format!("[STX]{n}{r}[CR][ETX]A{n}[CR][LF]\n")), "H-77");
    check(&log(|n, r| format!("␂{n}{r}␍␃A{n}␍␊\n")), "H-77");
    check(&log(|_, r| format!("2026-05-17 08:15:30 [INFO] record: {r}\n")), "H-77");
    check(
        &log(|n, r| format!("<- b'\\x02{n}{}\\r\\x03A{n}\\r\\n'\n", r.replace('\\', "\\\\"))),
        "H-77",
    );
    check(&format!("Hello,\n\nthe trace:\n\n{}\n\nRegards\n", RECORDS.join("\n")), "H-77");
}

#[test]
fn files_of_practices_in_logs() {
    let lines =
        ["01380006310", "0123000H77", "0123101Roe", "0133102Jane", "017310331011970", "01031102"];
    for before in ["", "2026-05-17 08:15:30 DEBUG gdt: "] {
        let text: String = lines.iter().map(|line| format!("{before}{line}\n")).collect();
        let got = records("text/plain", format!("# GDT\n\n{text}\nend\n").as_bytes());
        assert!(got.len() == 1 && got[0].contains("H77"), "{text}: {got:?}");
    }
}

#[test]
fn claims_with_spelled_separators() {
    let header = "610014D0B1RXGROUP   1011234567893     20260517HEALTHSIM ";
    for [group, record, field] in
        [["␝", "␞", "␜"], ["<GS>", "<RS>", "<FS>"], ["\\x1d", "\\x1e", "\\x1c"]]
    {
        let text = format!(
            "{header}{record}{field}AM01{field}C419700131{field}C52{field}CAJANE{field}CBROE{group}{record}{field}AM07{field}D27777\n"
        );
        let got = records("text/plain", text.as_bytes());
        assert!(got.len() == 1 && got[0].contains("ROE^JANE"), "{text}: {got:?}");
    }
}

/// Where messages are shown beside text: pages, attributes, lists and scalars.
#[test]
fn messages_in_pages_and_values() {
    let segments = [
        "MSH|^~\\&|A|B|C|D|2026||ADT^A04|M1|P|2.5",
        "EVN|A04|2026",
        "PID|1||H-77^^^H^MR||Roe^Jane||19700131|F",
        "PV1|1|I|W||||7^Doe^Max",
    ];
    let escaped = segments.map(|segment| segment.replace('&', "&amp;"));
    let rows = escaped.iter().map(|s| format!("<tr><td>{s}</td></tr>")).collect::<String>();
    let quoted = RECORDS.map(|record| format!("{record:?}")).join(",");
    let frames = RECORDS.map(|record| format!("{:?}", format!("\u{2}1{record}\r\u{3}A1\r\n")));
    let frames = frames.join(",").replace("\\u{2}", "\\u0002").replace("\\u{3}", "\\u0003");
    let practice = "01380006310\\r\\n0133000H-77\\r\\n0123101Roe\\r\\n0133102Jane\\r\\n017310331011970\\r\\n01031102";
    for (media, text) in [
        ("text/html", format!("<html><pre>{}</pre></html>", escaped.join("\n"))),
        ("text/html", format!("<html><p>{}</p></html>", escaped.join("<br/>\n"))),
        ("text/html", format!("<html><table>{rows}</table></html>")),
        (
            "text/html",
            format!("<html><pre>{}</pre></html>", RECORDS.join("\n").replace('&', "&amp;")),
        ),
        ("application/xml", format!("<log><in body=\"{}\"/></log>", escaped.join("&#13;"))),
        ("application/yaml", format!("name: a\nbody: |\n  {}\n", segments.join("\n  "))),
        ("application/json", format!("{{\"records\":[{quoted}]}}")),
        ("application/json", format!("{{\"frames\":[{frames}]}}")),
        ("application/json", format!("{{\"data\":\"{practice}\"}}")),
        ("text/plain", format!("recv: {:?}\n", segments.join("\r"))),
    ] {
        let got = records(media, text.as_bytes());
        let named = |record: &&String| record.contains("H-77") && record.contains("Roe");
        assert_eq!(got.iter().filter(named).count(), 1, "{text}: {got:?}");
    }
}

#[test]
fn texts_that_only_look_alike() {
    for text in [
        "H|\\^&|||x\nthe P|1|field is the patient\n",
        "Tel. 01380006310\nThe year 0133000H77\n",
        "AM01 <FS> AM07\n",
        "Name | P|1 | x\n",
    ] {
        assert_eq!(records("text/plain", text.as_bytes()), [""; 0], "{text}");
    }
}

/// Each line holds a string, whose end and written line end are no part of the segment.
#[test]
fn strings_of_programs() {
    let segments = [
        "MSH|^~\\\\&|A|B|C|D|2026||ADT^A04|M1|P|2.5",
        "EVN|A04|2026",
        "PID|1||H-77^^^H^MR||Roe^Jane||19700131|F",
    ];
    for text in [
        segments.map(|s| format!("    + \"{s}\\r\"\n")).concat(),
        segments.map(|s| format!("  '{s}',\n")).concat(),
        segments.map(|s| format!("sb.AppendLine(\"{s}\");\n")).concat(),
    ] {
        let got = records("text/plain", format!("code:\n{text};\n").as_bytes());
        let fields = "patient_id=H-77 name=Roe^Jane birth_date=19700131 sex=F";
        assert!(
            got.len() == 1 && got[0].contains(fields) && !got[0].contains('\\'),
            "{text}: {got:?}"
        );
    }
    let records_of = RECORDS.iter().map(|record| format!("    '{record}',\n"));
    check(&format!("$messages = [\n{}];\n", records_of.collect::<String>()), "H-77");
    let frames = RECORDS.iter().enumerate().map(|(n, record)| {
        format!("\\x02{}{}\\r\\x03A1\\r\\n", n + 1, record.replace('\\', "\\\\"))
    });
    check(&format!("data = b'\\x05{}\\x04'\n", frames.collect::<String>()), "H-77");
    let interchange = "X = '''ISA*00*          *00*          *ZZ*S              *ZZ*R              *260301*1015*^*00501*000000101*0*P*:~\nST*270*0001~\nNM1*IL*1*ROE*EVA****MI*M77~\nDMG*D8*19700131*F~\nSE*4*0001~\nIEA*1*000000101~\n'''\n";
    let got = records("text/plain", interchange.as_bytes());
    assert!(got.len() == 1 && got[0].contains("M77"), "{got:?}");
}

#[test]
fn lists_of_segments() {
    let text = "[[['MSH'], ['|'], ['^~\\\\&'], ['A']], [['PID'], ['1'], [''], [[['H-77'], ['H']]], [''], [[['Roe'], ['Jane']]], [''], ['19700131'], ['F']]]\n";
    let got = records("text/plain", text.as_bytes());
    let fields = "patient_id=H-77 name=Roe^Jane birth_date=19700131 sex=F";
    assert!(got.len() == 1 && got[0].contains(fields), "{got:?}");
}

#[test]
fn segments_and_records_alone_and_dumps_of_bytes() {
    let message =
        b"MSH|^~\\&|A|B|C|D|20260301||ADT^A01|1|P|2.5\rPID|1||H-77^^^H^MR||Roe^Jane||19700131|F\r";
    let mut dump = String::from("10:11 DEBUG received\n");
    for (row, bytes) in message.chunks(16).enumerate() {
        let digits: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
        dump.push_str(&format!("{:08x}  {}  |..|\n", row * 16, digits.join(" ")));
    }
    dump.push_str("10:12 DEBUG done\n");
    for (text, fields) in [
        (dump.as_str(), "patient_id=H-77 name=Roe^Jane birth_date=19700131 sex=F"),
        (
            "DEBUG pid=[['PID'], ['1'], [''], ['H-77'], [''], [[['Roe'], ['Jane']]], [''], ['19700131'], ['F']]\n",
            "patient_id=H-77 name=Roe^Jane birth_date=19700131 sex=F",
        ),
        (
            "10:11 segment: NM1*IL*1*ROE*JANE****MI*H77~\n10:11 segment: DMG*D8*19700131*F~\n10:12 done\n",
            "name=ROE^JANE insurance_number=H77 birth_date=19700131 sex=F",
        ),
        (
            "2026-03-01T10:15:00+0100 INFO UNB+UNOC:3+A+B+260301:1015+9'\n2026-03-01T10:15:00+0100 INFO UNH+1+MEDRPT:0:1:RT:XX'\n2026-03-01T10:15:00+0100 INFO PNA+DR+9:::+++SU:Doe'\n2026-03-01T10:15:00+0100 INFO PNA+PAT+H-77:::+++SU:Roe+FO:Jane'\n2026-03-01T10:15:00+0100 INFO DTM+329:19700131:102'\n2026-03-01T10:15:00+0100 INFO PDI+2'\n",
            "patient_id=H-77 birth_date=19700131 sex=2 name=Roe^Jane",
        ),
        (
            "10:15 INFO FK 3000 -> H-77\n10:15 INFO FK 3101 -> Roe\n10:15 INFO FK 3102 -> Jane\n10:15 INFO FK 3103 -> 31011970\n10:15 INFO FK 3110 -> 2\n",
            "patient_id=H-77 birth_date=31011970 sex=2 name=Roe^Jane",
        ),
        (
            "10:15:01 INFO [pool-2] RX: 0B 4D 53 48 7C 5E 7E 5C 26 7C 41 0D 50 49 44 7C 31 7C 7C 48 2D 37 37 7C 7C 52 6F 65 5E 4A 61 6E 65 7C 7C 31 39 37 30 30 31 33 31 7C 46 0D 1C 0D\n",
            "patient_id=H-77 name=Roe^Jane birth_date=19700131 sex=F",
        ),
        (
            "10:15 seg PNA+PAT+H-77:::+++SU:Roe+FO:Jane'\n10:15 seg DTM+329:19700131:102'\n10:15 seg PDI+2'\n",
            "patient_id=H-77 birth_date=19700131 sex=2 name=Roe^Jane",
        ),
        (
            "P|1||H-77||Roe^Jane||19700131|F\n",
            "patient_id=H-77 name=Roe^Jane birth_date=19700131 sex=F",
        ),
    ] {
        let got = records("text/plain", text.as_bytes());
        assert!(got.len() == 1 && got[0].contains(fields), "{text}: {got:?}");
    }
    for text in [
        "00000000  7f 45 4c 46 02 01 01 00  00 00 00 00 00 00 00 00  |.ELF|\n",
        "FK 3000: Patientennummer\nFK 3101: Name\nFK 3102: Vorname\nFK 3103: Geburtsdatum TTMMJJJJ\n",
        "3000: listening on 127.0.0.1\n3101 = 7\n",
        "10:15 seg PNA+DR+77:::+++SU:Doe+FO:Max'\n10:15 seg DTM+329:19700131:102'\n",
        "NM1*85*1*DOE*MAX****XX*1234567893~\nN3*1 MAIN ST~\n",
        "P|1|PRACTICE ID|LAB ID|PATIENT ID|NAME^FIRST||BIRTHDATE|SEX\n",
    ] {
        assert_eq!(records("text/plain", text.as_bytes()), [""; 0], "{text}");
    }
}
