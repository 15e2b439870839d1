use super::*;
use crate::content::testing::{Part, read_document};

/// Reads `parts` with a gap between each two, in pieces of `size` bytes.
fn read(parts: &[&[u8]], size: usize) -> Vec<String> {
    let parts: Vec<_> = parts.iter().flat_map(|part| [Part::Gap(10), Part::Bytes(part)]).collect();
    let mut document = Interchange.open(&Media::Unknown);
    let reading = read_document(document.as_mut(), "PUT", &parts[1..], size);
    assert!(reading.memory <= 2 * MAX_SEGMENT);
    reading.records.log
}

const ISA: &str = "ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       *250301*1200*^*00501*000000001*0*P*:~";

fn interchange(body: &str) -> String {
    format!(
        "{ISA}GS*HC*S*R*20250301*1200*1*X*005010X222A1~{body}SE*20*0001~GE*1*1~IEA*1*000000001~"
    )
}

const CLAIMS: &str = "ST*837*0001*005010X222A1~NM1*41*2*BILLING*****46*12345~PER*IC*CLERK*TE*5550000~\
HL*1**20*1~NM1*85*2*CLINIC*****XX*1234567893~N3*1 CLINIC RD~N4*TOWN*CA*90000~REF*EI*123456789~\
HL*2*1*22*0~SBR*P*18*******CI~NM1*IL*1*EXAMPLE*ANNA*B*DR*JR*MI*W100200300~N3*12 MAIN ST*APT 2~N4*SPRINGFIELD*CA*72199~\
DMG*D8*19720914*F~REF*SY*078051120~NM1*PR*2*PAYER*****PI*54321~N3*1 PAYER RD~REF*2U*777~\
CLM*ACC100*125***11:B:1*Y*A*Y*Y~REF*EA*MRN1~HI*ABK:E119~HI*ABF:I10~NM1*82*1*DOCTOR*HARRIET****XX*1~LX*1~\
HL*3*1*22*1~NM1*IL*1*SAMPLE*OTTO****MI*W2~HL*4*3*23*0~PAT*19~NM1*QC*1*SAMPLE*EVA~DMG*D8*20150102*F~CLM*ACC200*1~";

const CLAIMS_READ: &[&str] = &[
    "record x12 837",
    "NM1-03 name EXAMPLE^ANNA^B^JR^DR",
    "NM1-09 insurance_number W100200300",
    "N3-01 address 12 MAIN ST^APT 2^SPRINGFIELD^CA^72199",
    "DMG-02 birth_date 19720914",
    "DMG-03 sex F",
    "REF-02 ssn 078051120",
    "CLM-01 account_number ACC100",
    "REF-02 patient_id MRN1",
    "mark Diagnosis",
    "end",
    "record x12 837",
    "NM1-03 name SAMPLE^EVA",
    "NM1-09 insurance_number W2",
    "NM1-03 next_of_kin_name SAMPLE^OTTO",
    "DMG-02 birth_date 20150102",
    "DMG-03 sex F",
    "CLM-01 account_number ACC200",
    "end",
];

#[test]
fn claims_are_read_by_subscriber_and_dependent() {
    assert_eq!(read(&[interchange(CLAIMS).as_bytes()], usize::MAX), CLAIMS_READ);
}

#[test]
fn any_split_and_delimiters_read_the_same() {
    let plain = interchange(CLAIMS);
    let lines = plain.replace('~', "~\r\n");
    let other = plain.replace('*', "|").replace('~', "\n");
    for text in [&plain, &lines, &other] {
        for size in (1..200).chain([1000]) {
            assert_eq!(read(&[text.as_bytes()], size), CLAIMS_READ, "{size}");
        }
    }
    // Elements of ISA that were not filled up.
    let short = plain.replace(ISA, "ISA*00**00**ZZ*S*ZZ*R*250301*1200*^*00501*1*0*P*:~");
    assert_eq!(read(&[short.as_bytes()], 7), CLAIMS_READ);
    // Several interchanges, each with its own delimiters.
    let both = read(&[[&plain[..], "\r\n", &other].concat().as_bytes()], 50);
    assert_eq!(both, [CLAIMS_READ, CLAIMS_READ].concat());
}

#[test]
fn enrolment_payment_and_eligibility() {
    let enrolment = interchange(
        "ST*834*1~N1*P5*SPONSOR~INS*Y*18*021~REF*0F*W1~REF*1L*GROUP~NM1*IL*1*EXAMPLE*ANNA****34*078051120~PER*IP**HP*5550101*EM*anna@example.org~N3*1 RD~DMG*D8*19720914*F~INS*N*19~REF*0F*W1~NM1*IL*1*EXAMPLE*EVA~",
    );
    assert_eq!(
        read(&[enrolment.as_bytes()], 99),
        [
            "record x12 834",
            "REF-02 insurance_number W1",
            "NM1-03 name EXAMPLE^ANNA",
            "NM1-09 ssn 078051120",
            "PER-04 phone 5550101",
            "PER-04 email anna@example.org",
            "N3-01 address 1 RD",
            "DMG-02 birth_date 19720914",
            "DMG-03 sex F",
            "end",
            "record x12 834",
            "REF-02 insurance_number W1",
            "NM1-03 name EXAMPLE^EVA",
            "end"
        ]
    );
    let payment = interchange(
        "ST*835*1~N1*PR*PAYER~N3*1 PAYER RD~LX*1~CLP*ACC1*1*100*80~NM1*QC*1*EXAMPLE*EVA****MI*W1~NM1*IL*1*EXAMPLE*OTTO~NM1*82*1*DOCTOR*H~CLP*ACC2*1*1*1~",
    );
    assert_eq!(
        read(&[payment.as_bytes()], 13),
        [
            "record x12 835",
            "CLP-01 account_number ACC1",
            "NM1-03 name EXAMPLE^EVA",
            "NM1-09 insurance_number W1",
            "NM1-03 next_of_kin_name EXAMPLE^OTTO",
            "end",
            "record x12 835",
            "CLP-01 account_number ACC2",
            "end"
        ]
    );
    let status =
        interchange("ST*276*1~HL*4*3*22*0~DMG*D8*19301210*M~NM1*QC*1*EXAMPLE*FRED****MI*W3~");
    assert_eq!(
        read(&[status.as_bytes()], 9)[1..4],
        ["DMG-02 birth_date 19301210", "DMG-03 sex M", "NM1-03 name EXAMPLE^FRED"]
    );
}

#[test]
fn other_insured_persons_and_broken_lines() {
    let body = "ST*837*1~HL*2*1*22*0~NM1*IL*1*EXAMPLE*ANNA****MI*W1~PAT*****D8*20260131~CLM*ACC1*1~SBR*S*01~NM1*IL*1*EXAMPLE*OTTO****MI*W2~\
        N3*2 RD~CLM*ACC2*1~REF*EA*MRN1~";
    let expected = [
        "record x12 837",
        "NM1-03 name EXAMPLE^ANNA",
        "NM1-09 insurance_number W1",
        "PAT-06 death_date 20260131",
        "CLM-01 account_number ACC1",
        "NM1-03 next_of_kin_name EXAMPLE^OTTO",
        "CLM-01 account_number ACC2",
        "REF-02 patient_id MRN1",
        "end",
    ];
    let text = interchange(body);
    assert_eq!(read(&[text.as_bytes()], 50), expected);
    // Lines of 80 characters, wherever they break.
    let (isa, rest) = text.split_at(ISA.len());
    let lines: Vec<&[u8]> = rest.as_bytes().chunks(80).collect();
    let wrapped = [isa.as_bytes(), &lines.join(&b"\r\n"[..])].concat();
    assert_eq!(read(&[&wrapped], 7), expected);
}

#[test]
fn a_subscriber_is_a_patient_only_with_a_claim_or_question_of_its_own() {
    let names = |body: &str| -> Vec<String> {
        let lines = read(&[interchange(body).as_bytes()], 33);
        lines.into_iter().filter(|l| l.contains(" name ")).collect()
    };
    let (otto, eva, ida) = ("NM1-03 name ROE^OTTO", "NM1-03 name ROE^EVA", "NM1-03 name ROE^IDA");
    // 837: two children, and a subscriber who claims, too.
    let own = "ST*837*1~HL*2*1*22*1~SBR*P*18~NM1*IL*1*ROE*OTTO****MI*W1~CLM*A0*1~HL*3*2*23*0~NM1*QC*1*ROE*EVA~CLM*A1*1~";
    assert_eq!(names(own), [otto, eva]);
    let children = "ST*837*1~HL*2*1*22*1~NM1*IL*1*ROE*OTTO****MI*W1~HL*3*2*23*0~NM1*QC*1*ROE*EVA~CLM*A1*1~HL*4*2*23*0~NM1*QC*1*ROE*IDA~CLM*A2*1~";
    assert_eq!(names(children), [eva, ida]);
    let said = read(&[interchange(children).as_bytes()], 33);
    assert_eq!(said.iter().filter(|l| l.contains("next_of_kin_name ROE^OTTO")).count(), 2);
    // 270 and 278: of the subscriber, and of a dependent.
    assert_eq!(names("ST*270*1~HL*3*2*22*0~TRN*1*1*9~NM1*IL*1*ROE*OTTO~EQ*30~"), [otto]);
    assert_eq!(names("ST*271*1~HL*3*2*22*1~NM1*IL*1*ROE*OTTO~EB*1~"), [otto]);
    assert_eq!(
        names("ST*270*1~HL*3*2*22*1~NM1*IL*1*ROE*OTTO~HL*4*3*23*0~NM1*03*1*ROE*EVA~EQ*30~"),
        [eva]
    );
    assert_eq!(
        names("ST*278*1~HL*3*2*22*1~NM1*IL*1*ROE*OTTO~HL*4*3*EV*0~NM1*SJ*1*HOUSE*GREG~UM*SC*I~"),
        [otto]
    );
    // A trace number of the request, in front of the name, decides nothing; one behind it does (276).
    assert_eq!(
        names(
            "ST*278*1~HL*3*2*22*1~TRN*1*7*9~NM1*IL*1*ROE*OTTO~HL*4*3*23*0~NM1*QC*1*ROE*EVA~HL*5*4*SS*0~UM*SC*I~"
        ),
        [eva]
    );
    assert_eq!(
        names(
            "ST*276*1~HL*4*3*22*1~NM1*IL*1*ROE*OTTO~TRN*1*7~HL*5*4*23*0~NM1*QC*1*ROE*EVA~TRN*1*8~"
        ),
        [otto, eva]
    );
    // The end of what was seen.
    assert_eq!(names("ST*837*1~HL*2*1*22*1~NM1*IL*1*ROE*OTTO****MI*W1~"), [otto]);
    // The same person twice: subscriber and patient.
    let same = "ST*835*1~CLP*A1*1~NM1*QC*1*ROE*EVA~NM1*IL*1*ROE*EVA****MI*W1~";
    assert_eq!(
        read(&[interchange(same).as_bytes()], 50)[1..4],
        ["CLP-01 account_number A1", eva, "NM1-09 insurance_number W1"]
    );
}

#[test]
fn acknowledgments_have_no_patient() {
    for body in [
        "ST*999*1*005010X231A1~AK1*HC*1*005010X222A1~AK2*837*1~IK3*NM1*8*2010*8~CTX*CLM01:ACC1~IK4*9*67*1*EXAMPLE~IK5*R~AK9*R*1*1*0~",
        "ST*997*1~AK1*HC*1~AK9*A*1*1*1~",
        "TA1*000000001*250301*1200*A*000~",
        "ST*271*1~HL*1**20*1~NM1*PR*2*PAYER*****PI*1~HL*2*1*21*1~NM1*1P*1*DOCTOR*HARRIET****XX*1~PER*IC*DOCTOR*TE*5550199~AAA*N**41*C~",
        "ST*834*1~N1*P5*SPONSOR~INS*Y*18*030~NM1*36*1*BOSS*BETTY~N3*9 WORK RD~PER*IC*BETTY*TE*5550188~",
    ] {
        assert_eq!(read(&[interchange(body).as_bytes()], 40), Vec::<String>::new(), "{body}");
    }
}

#[test]
fn gaps_and_limits_cost_one_segment() {
    let text = interchange(CLAIMS);
    let at = text.find("ANNA").expect("there");
    let (before, behind) = text.split_at(at);
    let lines = read(&[before.as_bytes(), behind.as_bytes()], 20);
    assert_eq!(lines, CLAIMS_READ[11..]);
    assert_eq!(read(&[b"ISA*00*", b"*1~"], 3), Vec::<String>::new());
    let endless = [ISA.as_bytes(), &vec![b'x'; 1 << 20]].concat();
    read(&[&endless], 1000);
    read(&[&[b"ISA".as_slice(), &[b'*'; 4000]].concat()], 10);
}

#[test]
fn garbage_does_not_panic() {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..300 {
        let mut bytes = interchange(CLAIMS).into_bytes();
        for _ in 0..10 {
            let at = (next() % bytes.len() as u64) as usize;
            bytes[at] = [b'*', b'~', b'\n', next() as u8][(next() % 4) as usize];
        }
        assert_eq!(read(&[&bytes], 5), read(&[&bytes], usize::MAX));
    }
}

#[test]
fn transaction_sets_without_an_interchange() {
    let body = "ST*837*0001*005010X222A1~BHT*0019*00*1*20260517*1340*CH~HL*2*1*22*0~SBR*P*18~NM1*IL*1*ROE*EVA****MI*W1~DMG*D8*19700131*F~SE*6*0001~";
    for text in [
        body.to_owned(),
        body.replace('~', "~\n"),
        body.replace('~', "\n"),
        body.replace('~', "\r\n"),
        format!("GS*HC*S*R*20260517*1200*1*X*005010X222A1~{body}GE*1*1~"),
    ] {
        for size in [1, 7, usize::MAX] {
            let got = read(&[text.as_bytes()], size);
            let has = |line: &str| got.iter().any(|l| l == line);
            assert!(has("NM1-03 name ROE^EVA") && has("DMG-02 birth_date 19700131"), "{got:?}");
        }
    }
    let probe = |head: &[u8]| Interchange.probe(&Media::Unknown, head, Extent::Whole);
    assert!(probe(b"\r\nST*835*0001~") && probe(b"GS*HP*A*B"));
    for no in [&b"ST*850*0001~"[..], b"ST-100-200", b"STATUS", b"GS1", b"ST*83"] {
        assert!(!probe(no));
    }
}

#[test]
fn recognises_the_format() {
    let probe = |head: &[u8]| Interchange.probe(&Media::Unknown, head, Extent::Whole);
    assert!(probe(ISA.as_bytes()));
    assert!(probe(b"\x0b\r\nISA|00|"));
    assert!(!probe(b"ISA is short for"));
    assert!(!probe(b"ISABELLA"));
    assert!(!probe(b"ISA*0"));
}

#[test]
fn the_record_number_of_a_payment_is_the_patients() {
    let body = "ST*835*0001~\\nBPR*I*1~\\r\\nLX*1~CLP*C1*1*150*100*50*12*N1*11*1~NM1*QC*1*ROE*EVA~NM1*82*1*DOE*MAX****XX*1~REF*EA*H77~REF*1C*9~SVC*HC:99213*150~";
    let got = read(&[interchange(body).as_bytes()], usize::MAX);
    assert!(got.iter().any(|field| field.contains("H77")), "{got:?}");
    assert!(!got.iter().any(|field| field.contains("DOE")), "{got:?}");
}
