use crate::content::Format as _;
use crate::content::testing::{records, records_of, with_gap};
use crate::content::{Extent, Media};
use proptest::prelude::*;

fn edifact(text: &str) -> Vec<String> {
    let lines = |text: &str| -> Vec<String> {
        let got = records("", text.as_bytes());
        got.into_iter().map(|l| l.trim_start_matches("http>edifact:edifact ").to_owned()).collect()
    };
    let got = lines(text);
    // Line ends between segments do not matter.
    let broken = text.replace('\'', "'\r\n").replace("?'\r\n", "?'");
    assert_eq!(lines(&broken), got);
    got
}

const REPORT: &str = "UNA:+.? 'UNB+UNOC:3+LAB1+GP1+260302:0820+17'UNH+1+MEDRPT:0:1:RT:NHS003'BGM+LSR'S01+01'\
    NAD+SLA+1:906++House G'ADR++US:1 TestHarness Rd'COM+0161 555 0199:TE'S02+02'RFF+SRI:15/CH000037K'STS++UN'S06+06'\
    S07+07'PNA+PAT+9435492908:NHS+++SU:KEN?'NEDY+FO:SARAH+TI:MISS+MI:ANGELA'ADR++US:FLAT1:12 OAK ?+ ASH:HOVE+++BN26HH'\
    DTM+329:19451201:102'PDI+2'S10+10'HEA+x'S18+18'GIS+N'INV+MQ+42R4:911::Ferritin'RSL+NV+11.6:7++:::ng/mL'UNT+1+1'UNZ+1+17'";

#[test]
fn messages_of_european_standards_are_read() {
    assert_eq!(
        edifact(REPORT),
        [
            "accession_number=15/CH000037K national_id=9435492908 birth_date=19451201 sex=2 [Result] \
          name=KEN'NEDY^SARAH^ANGELA^^MISS address=FLAT1^12 OAK + ASH HOVE^^^BN26HH"
        ]
    );
    // The address before the name, the number in another place.
    assert_eq!(
        edifact(
            "UNB+UNOA:1+1+2+260302:0820+5'UNH+1+MEDRPT:D:93A:UN:MRPN32'NAD+PO+098:CGP:VEK++Vermeer:H:van+Dorp 7'\
            S06+1'ADR++7:Dorpsstraat:7 b+Dorp+5678CD+NL'COM+0698765432:TE'COM+a@example.org:EM'\
            S07+1'PNA+PAT+::999990019:PCL:LZB+++NAN:Bakker+NVV:M'DTM+329:20011122:102'PDI+1'UNT+9+1'UNZ+1+5'"
        ),
        ["phone=0698765432 email=a@example.org national_id=999990019 birth_date=20011122 sex=1 \
          address=Dorpsstraat^7 b^Dorp^^5678CD name=Bakker^M"]
    );
    // Several patients in one message.
    let two = edifact(
        "UNB+UNOA:2+A+B+1:1+1'UNH+1+FHSREG:0:1:FH:FHS001'BGM+++507'NAD+FHS+G1:954'S01+1'RFF+TN:22'NAD+GP+27'\
        S02+2'PNA+PAT+1234567890:OPI+++SU:ROE+FO:EVA'NAD+PAT++HOLLY:12 LONG LANE::BROMLEY:KENT+++++BR5  4ER'S02+2'PNA+PER++++SU:OLD'\
        S01+1'NAD+GP+48'S02+2'PNA+PAT+1234567891:OPI'NAD+PAT++FLAT 49'UNT+1+1'UNZ+1+1'",
    );
    assert_eq!(
        two,
        [
            "patient_id=1234567890 name=ROE^EVA address=HOLLY^12 LONG LANE^BROMLEY^KENT^BR5  4ER",
            "patient_id=1234567891 address=FLAT 49",
        ]
    );
}

#[test]
fn messages_of_german_billing_are_read() {
    assert_eq!(
        edifact(
            "UNB+UNOC:3+260500005+100500016+260302:0820+1'UNH+00001+AUFN:13:000:00'FKT+10+01+260500005+100500016'\
            INV+A123456780+10001+0812+2026-00017'NAD+Beispiel+Ida+w+19590311+Weg 1+04177+Leipzig+Dr.'AUF+20260302+1030+0101'\
            EAD+I10.00'UNT+6+00001'UNH+00002+RECH:13:000:00'INV+B123456780+10001+0812+2026-00018'NAD+Muster+Otto+m+19470101'\
            REC+RE1+20260301'UNT+5+00002'UNZ+2+1'"
        ),
        [
            "insurance_number=A123456780 encounter_id=2026-00017 sex=w birth_date=19590311 [Diagnosis] \
             name=Beispiel^Ida^^^Dr. address=Weg 1^^Leipzig^^04177",
            "insurance_number=B123456780 encounter_id=2026-00018 sex=m birth_date=19470101 name=Muster^Otto",
        ]
    );
    assert_eq!(
        edifact(
            "UNB+UNOC:3+1+2+20260323:1040+00118'UNH+00001+SLGA:21:0:0'NAM+Praxis Weber+++info@example.org'UNT+2+00001'\
            UNH+00002+SLLA:21:0:0'FKT+03++1'INV+A123456780+30000+1+00001'NAD+Beispiel+Ida+19590311+Weg 1+04177+Leipzig'\
            DIA+F98.9'INV+C123456780+30000+1+00002'NAD+Muster+Otto+19470101'UNT+8+00002'UNZ+2+00118'"
        ),
        [
            "insurance_number=A123456780 account_number=00001 birth_date=19590311 [Diagnosis] name=Beispiel^Ida address=Weg 1^^Leipzig^^04177",
            "insurance_number=C123456780 account_number=00002 birth_date=19470101 name=Muster^Otto",
        ]
    );
}

#[test]
fn an_insured_person_whose_sex_is_left_out_has_a_birth_date() {
    let got = edifact(
        "UNB+UNOC:3+260500005+100500016+260302:0820+1'UNH+00001+ENTL:15:000:00'FKT+10+01+260500005+100500016'\
        INV+A123456780+10001+1+9'NAD+Beispiel+Ida+19590311+Ring 9+21335+Leipzig'DAU+20260302+20260311'UNT+5+00001'\
        UNZ+1+1'",
    );
    assert_eq!(got.len(), 1);
    let expected =
        "insurance_number=A123456780 encounter_id=9 birth_date=19590311 name=Beispiel^Ida";
    assert!(got[0].starts_with(expected) && !got[0].contains("sex="), "{got:?}");
}

#[test]
fn a_prescription_in_script_names_the_patient() {
    let got = edifact(
        "UNA:+./*'UIB+UNOA:0++1234567+++77777777:C:PASS+7701630:P+20260302:081522'UIH+SCRIPT:010:006:NEWRX+110072'\
        PVD+P1+7701630:D3+++++CORNER PHARMACY++6152205656:TE'PVD+PC+6666666:0B+++HOUSE:GREGORY'\
        PTT++19541225+ROE:EVA:M+F+536904399:SY*MRN7:EA+45 EAST RD SW:CLANCY:WI:54999+6152205656:TE'\
        COO+123456:BO+INSURER++W100200300++AA112'DRU+P:CALAN SR 240MG'UIT+110072+6'UIZ++1'",
    );
    assert_eq!(
        got,
        [
            "birth_date=19541225 sex=F patient_id=MRN7 ssn=536904399 phone=6152205656 insurance_number=W100200300 \
          [Medication] name=ROE^EVA^M address=45 EAST RD SW^^CLANCY^WI^54999"
        ]
    );
}

#[test]
fn character_sets_and_level_b() {
    let latin = b"UNB+UNOC:3+A+B'UNH+1+MEDPID:D:95B:UN'PNA+PAT+2512484916+++SU:J\xF8rgensen+FO:Bj\xF8rn'UNT+3+1'";
    assert_eq!(
        records("", latin),
        ["http>edifact:edifact patient_id=2512484916 name=Jørgensen^Bjørn"]
    );
    let greek =
        b"UNB+UNOF:3+A+B'UNH+1+MEDPID:D:95B:UN'PNA+PAT+7+++SU:\xCC\xE1\xF1\xDF\xE1'UNT+3+1'";
    assert_eq!(records("", greek), ["http>edifact:edifact patient_id=7 name=Μαρία"]);
    let level_b = "UNB+UNOB:1+A+B'UNH+1+MEDPID:D:95B:UN'PNA+PAT+77+++SU:ROE+FO:EVA'UNT+3+1'"
        .replace('+', "\x1D")
        .replace(':', "\x1F")
        .replace('\'', "\x1C");
    assert_eq!(
        records("", level_b.as_bytes()),
        ["http>edifact:edifact patient_id=77 name=ROE^EVA"]
    );
}

#[test]
fn messages_without_patients_give_none() {
    for text in [
        "UNB+UNOA:1+A+B+260302:0820+9'UNH+1+CONTRL:2:2:UN'UCI+17+LAB1+GP1+7'UNT+3+1'UNZ+1+9'",
        "UNB+UNOA:1+A+B+260302:0820+9'UNH+1+APERAK:0:1:RT'BGM+LSR'NAD+MR+GP1'RFF+ACW:17'UNT+3+1'UNZ+1+9'",
        "UNB+UNOA:1+A+B+260302:0820+9'UNH+1+ORDERS:D:96A:UN'NAD+BY+5412345000013::9++Roe Ltd+1 Main St+Salem'CTA+PD+:EVA ROE'\
         COM+5035550101:TE'UNT+3+1'UNZ+1+9'",
        "UNA:+./*'UIB+UNOA:0'UIH+SCRIPT:010:006:STATUS+110072'STS+010'UIT+110072+3'UIZ++1'",
    ] {
        assert_eq!(edifact(text), Vec::<String>::new(), "{text}");
    }
    for text in ["UNBELIEVABLE, they said", "UNHAPPY+x", "UNA is a country", "UNB+1", "UNH+1+ABC:"]
    {
        assert!(
            !super::Interchange.probe(&Media::Unknown, text.as_bytes(), Extent::Whole),
            "{text}"
        );
    }
}

#[test]
fn an_interchange_cut_off_anywhere_stops_nothing() {
    for end in 0..REPORT.len() {
        records_of(Media::Unknown, &[], &REPORT.as_bytes()[..end], 33);
    }
    let long = REPORT.replace("HEA+x", &"HEA+".repeat(20_000));
    assert_eq!(records_of(Media::Unknown, &[], long.as_bytes(), 999).len(), 1);
    let mut document = super::Interchange.open(&Media::Unknown);
    let at = REPORT.find("DTM+329").expect("birth date");
    let found = with_gap(
        document.as_mut(),
        &REPORT.as_bytes()[..at],
        b"29:19450101:102'PDI+2'PNA+PAT+1+++SU:NO'",
    );
    assert_eq!(found.len(), 1);
    assert!(!found[0].contains("NO") && !found[0].contains("1945"), "{found:?}");
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0usize..700, size in 1usize..50) {
        let mut text = REPORT.as_bytes().to_vec();
        let at = at.min(text.len());
        text.splice(at..at, bytes);
        records_of(Media::Unknown, &[], &text, size);
    }
}

#[test]
fn names_and_numbers_beside_addresses() {
    let read = |segment: &str| {
        edifact(&format!(
            "UNB+UNOC:3+A+B+260411:0830+77'UNH+1+MEDRPT:D:99A:UN'BGM+LRP+9'{segment}'DTM+329:19700131:102'UNT+5+1'UNZ+1+77'"
        ))
    };
    assert_eq!(
        read("NAD+PAT+H77::91++Roe:Jane+Kirkegt 4+Bergen++5003+NO"),
        ["patient_id=H77 birth_date=19700131 name=Roe^Jane address=Kirkegt 4^^Bergen^^5003"]
    );
    // Where PNA has the name.
    let late = ["patient_id=H77 birth_date=19700131 name=Roe^Jane"];
    assert_eq!(read("NAD+PAT+H77:::H+++Roe:Jane"), late);
    // C058 has the name, or the lines of an address.
    assert_eq!(read("NAD+PAT+H77+Roe:Jane"), late);
    assert_eq!(read("NAD+PNT+H77+++Roe:Jane+1 High St+Leeds").len(), 1);
    assert!(read("NAD+PNT+H77+++Roe:Jane+1 High St+Leeds")[0].contains("name=Roe^Jane"));
    assert!(!read("NAD+PAT+H77+12 Long Lane:Salem").concat().contains("name="));
    // A qualifier of the sender's own.
    assert_eq!(read("PNA+PAT+H77:PNR+++SU:Roe+FO:Jane"), late);
    assert_eq!(
        read("NAD+PAT+9435492908:NHS++Roe:Jane"),
        ["national_id=9435492908 birth_date=19700131 name=Roe^Jane"]
    );
    assert_eq!(read("NAD+BY+H77::91++Roe:Jane+Kirkegt 4"), [""; 0]);
}

#[test]
fn apostrophes_that_are_not_released() {
    let released = edifact(REPORT);
    for text in [REPORT.replace("KEN?'NEDY", "KEN'NEDY"), REPORT.replace("KEN?'NEDY", "KEN'NEDY")] {
        let got = records("", text.as_bytes());
        assert!(got.len() == 1 && got[0].ends_with(released[0].as_str()), "{got:?}");
    }
    for (name, shown) in [("O'Shea", "O'Shea"), ("D'Éa", "D'Éa"), ("'t Hoen", "'t Hoen")] {
        let text = format!(
            "UNB+UNOC:3+A+B+260302:0820+17'UNH+1+MEDRPT:0:1:RT:NHS003'S07+07'PNA+PAT+77:OPI+++SU:{name}+FO:Eva'DTM+329:19700131:102'UNT+5+1'UNZ+1+17'"
        );
        let got = records("", text.as_bytes());
        let whole = got.len() == 1 && got[0].contains(shown) && got[0].contains("19700131");
        assert!(whole, "{got:?}");
    }
}
