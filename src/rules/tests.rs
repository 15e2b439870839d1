//! Faulty files are refused with line and reason; good ones extend and override.

use super::*;
use std::path::Path;

const DICOM: &str =
    "[[dicom]]\nid = \"a\"\ntitle = \"A\"\ntag = \"(0011,0010)\"\nkind = \"name\"\n";

/// Loads the shipped rules and these files.
fn load(files: &[(&str, &str)]) -> Result<RuleSet, LoadError> {
    let dir = tempfile::tempdir().expect("temporary folder");
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).expect("write");
    }
    RuleSet::load(Some(dir.path()))
}

/// Expects a fault at this line with these words in the reason.
#[track_caller]
fn refused(text: &str, line: usize, words: &[&str]) {
    match load(&[("site.toml", text)]) {
        Err(error @ LoadError::Faulty { .. }) => {
            let message = error.to_string();
            assert!(message.contains(&format!("site.toml:{line}: ")), "{message}");
            for word in words {
                assert!(message.contains(word), "{word:?} not in {message}");
            }
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("taken: {text}"),
    }
}

#[test]
fn shipped_rules_load() {
    let rules = RuleSet::shipped().expect("shipped rules");
    assert!(!rules.policy.alerts.is_empty());
    assert!(rules.entries.iter().all(|r| !r.title.is_empty()));
}

#[test]
fn syntax_and_unknown_keys() {
    refused("\n[[dicom]\n", 2, &[]);
    refused("\n\n[[dicomm]]\nid = \"a\"\n", 3, &["unknown field", "dicomm", "dicom", "hl7v2"]);
    refused(
        &format!("{DICOM}confidense = 1.0\n"),
        6,
        &["unknown field", "confidense", "confidence"],
    );
    for section in [
        "hl7v2",
        "fhir",
        "key",
        "key_context",
        "alert",
        "placeholder",
        "name_affix",
        "hl7_identifier_type",
        "identifier_system",
    ] {
        refused(
            &format!("[[{section}]]\nid = \"a\"\ntitle = \"A\"\ncolour = 1\n"),
            4,
            &["unknown field", "colour"],
        );
    }
    refused("[severity]\nbase = 1\nextrenal = 2\n", 3, &["extrenal", "external"]);
    refused("[deidentified]\npseudonymous = []\nother = 1\n", 3, &["other"]);
}

#[test]
fn missing_and_wrong_values() {
    refused(
        "[[dicom]]\nid = \"a\"\ntag = \"(0011,0010)\"\nkind = \"name\"\n",
        1,
        &["missing field", "title"],
    );
    refused(
        "[[dicom]]\nid = \"a\"\ntitle = \"A\"\nkind = \"name\"\n",
        1,
        &["missing field", "tag"],
    );
    refused(&DICOM.replace("\"name\"", "\"nmae\""), 5, &["unknown variant", "nmae", "birth_date"]);
    refused(&DICOM.replace("\"name\"", "7"), 5, &["string"]);
    refused(&DICOM.replace("\"a\"", "\"A b\""), 1, &["lower-case letters, digits and dashes"]);
    refused(&DICOM.replace("\"A\"", "\" \""), 1, &["empty title"]);
    refused(&DICOM.replace("(0011,0010)", "0011,0010"), 4, &["0011,0010", "(gggg,eeee)"]);
    refused(&format!("{DICOM}confidence = 1.5\n"), 6, &["confidence 1.5", "from 0 to 1"]);
    refused(
        "[[hl7v2]]\nid = \"a\"\ntitle = \"A\"\nfield = \"PID5\"\ndatatype = \"XPN\"\nkind = \"name\"\n",
        4,
        &["PID5", "SEG-n"],
    );
    refused(
        "[[fhir]]\nid = \"a\"\ntitle = \"A\"\npath = \"name\"\ndatatype = \"HumanName\"\nkind = \"name\"\n",
        4,
        &["Resource.element"],
    );
    refused(
        "[[key]]\nid = \"a\"\ntitle = \"A\"\nnames = [\"--\"]\nkind = \"name\"\n",
        4,
        &["--", "letters or digits"],
    );
}

#[test]
fn policies_that_cannot_work() {
    let alert = "\n[[alert]]\nid = \"zz\"\ntitle = \"Z\"\ncontent = [\"*\"]\nany_of = [\"name\"]\n";
    assert!(load(&[("a.toml", alert)]).is_ok());
    refused(&alert.replace("[\"*\"]", "[]"), 5, &["content is empty"]);
    refused(&alert.replace("[\"name\"]", "[]"), 6, &["any_of is empty"]);
    refused(&format!("{alert}kinds = 0\n"), 7, &["kinds is 0"]);
    let placeholder = "[[placeholder]]\nid = \"p\"\ntitle = \"P\"\nvalues = [\"ok\", \"V\"]\n";
    assert!(load(&[("a.toml", placeholder)]).is_ok());
    for value in ["*", "a*b*c", "", " "] {
        refused(&placeholder.replace('V', value), 4, &["value"]);
    }
}

#[test]
fn ids_are_one_namespace() {
    refused(&format!("{DICOM}\n{}", DICOM.replace("0010)", "0011)")), 7, &["\"a\"", "line 1"]);
    let key = "[[key]]\nid = \"a\"\ntitle = \"A\"\nnames = [\"qqq\"]\nkind = \"name\"\n";
    refused(&format!("{DICOM}\n{key}"), 7, &["\"a\"", "line 1"]);
    let error = load(&[("1.toml", DICOM), ("2.toml", key)]).expect_err("refused").to_string();
    assert!(error.contains("2.toml:1: ") && error.contains("[[dicom]]"), "{error}");
}

#[test]
fn two_rules_for_one_field_are_refused() {
    refused(
        &format!("{DICOM}\n{}", DICOM.replace("\"a\"", "\"b\"")),
        7,
        &["(0011,0010)", "\"a\"", "site.toml:1"],
    );
    let key = |id: &str, name: &str| {
        format!("[[key]]\nid = \"{id}\"\ntitle = \"A\"\nnames = [\"{name}\"]\nkind = \"name\"\n")
    };
    refused(&(key("a", "qqq_Rrr") + &key("b", "QqqRrr")), 6, &["qqqrrr", "\"a\""]);
}

#[test]
fn a_later_file_extends_and_overrides() {
    let other = DICOM.replace("\"name\"", "\"patient_id\"").replace("\"A\"", "\"B\"");
    let rules =
        load(&[("1.toml", DICOM), ("2.toml", &other), ("ignored.txt", "[[")]).expect("good");
    let rule = rules.dicom.get(0x0011_0010).expect("the rule");
    assert_eq!((rule.kind, rule.title.as_str()), (Kind::PatientId, "B"));
    assert_eq!(rules.entries.iter().filter(|r| r.id == "a").count(), 1);
    let severe = load(&[("1.toml", "[severity]\nbase = 99\n")]).expect("good");
    assert_eq!(severe.policy.severity.base, 99);
    assert_eq!(severe.policy.alerts.len(), RuleSet::shipped().expect("good").policy.alerts.len());
}

#[test]
fn rules_are_switched_off_by_id() {
    let shipped = RuleSet::shipped().expect("good");
    assert!(shipped.dicom.get(0x0010_0010).is_some() && shipped.disabled.is_empty());
    let rules = load(&[("1.toml", "disable = [\"dicom-patient-name\"]\n")]).expect("good");
    assert!(rules.dicom.get(0x0010_0010).is_none());
    assert_eq!(rules.entries.len() + 1, shipped.entries.len());
    let text = check_text(&rules, crate::time::Timestamp(0));
    assert!(text.contains("1 disabled: dicom-patient-name"), "{text}");
    // In every section.
    let mut sections: Vec<(&str, &str)> = Vec::new();
    for rule in &shipped.entries {
        if !sections.iter().any(|(section, _)| *section == rule.section) {
            sections.push((rule.section, &rule.id));
        }
    }
    assert!(sections.len() > 12);
    let ids: Vec<String> = sections.iter().map(|(_, id)| format!("{id:?}")).collect();
    let off = format!("disable = [{}]\n", ids.join(", "));
    let rules = load(&[("1.toml", &off)]).expect("good");
    for (section, id) in sections {
        assert!(rules.entries.iter().all(|r| r.id != id), "{section}");
    }
    refused("# x\ndisable = [\n  \"dicom-patient-nmae\",\n]\n", 3, &["dicom-patient-nmae"]);
    refused("disable = 7\n", 1, &["sequence"]);
}

#[test]
fn patterns_that_cannot_be_run_are_refused() {
    let recogniser = |pattern: &str| {
        format!(
            "[[recogniser]]\nid = \"r\"\ntitle = \"R\"\nkind = \"phone\"\npattern = '''{pattern}'''\n"
        )
    };
    refused(&recogniser("[0-9"), 5, &["pattern", "unclosed"]);
    refused(&recogniser("(?:[a-z]{1000}){1000}"), 5, &["pattern", "size"]);
    refused(&recogniser("[0-9]*"), 5, &["nothing at all"]);
    // No pattern takes exponential time, because the engine does not backtrack.
    assert!(load(&[("a.toml", &recogniser("(a+)+b"))]).is_ok());
}

#[test]
fn what_is_over_is_said() {
    let text = "[[suppression]]\nid = \"s\"\ntitle = \"S\"\nowner = \"ops\"\nreason = \"r\"\n\
                expires = 2020-01-31\nclient = [\"10.0.0.1\"]\n";
    let rules = load(&[("a.toml", text)]).expect("good");
    let said = check_text(&rules, crate::time::Timestamp(1_580_515_200 * 1_000_000_000));
    assert!(said.contains("a.toml:1: warning: s ended on 2020-01-31"), "{said}");
    let said = check_text(&rules, crate::time::Timestamp(1_580_515_199 * 1_000_000_000));
    assert!(!said.contains("warning"), "{said}");
}

#[test]
fn folders_and_files_that_cannot_be_read() {
    let error = RuleSet::load(Some(Path::new("/nonexistent"))).expect_err("refused");
    assert!(error.to_string().starts_with("/nonexistent: "), "{error}");
    let big = "#".repeat(5 << 20);
    let error = load(&[("big.toml", &big)]).expect_err("refused").to_string();
    assert!(error.contains("big.toml:1: ") && error.contains("bytes"), "{error}");
    let dir = tempfile::tempdir().expect("temporary folder");
    std::fs::write(dir.path().join("latin.toml"), b"# M\xFCller\n").expect("write");
    let error = RuleSet::load(Some(dir.path())).expect_err("refused").to_string();
    assert!(error.contains("latin.toml"), "{error}");
    // A pipe would be waited for, and a device may never end.
    let dir = tempfile::tempdir().expect("folder");
    std::os::unix::fs::symlink("/dev/zero", dir.path().join("a.toml")).expect("made");
    let error = RuleSet::load(Some(dir.path())).expect_err("refused").to_string();
    assert!(error.contains("a.toml") && error.contains("not a regular file"), "{error}");
}

#[test]
fn lists_are_aligned() {
    let table = list_table(&load(&[("a.toml", DICOM)]).expect("good"), None);
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("ID "));
    let column = lines[0].find("SECTION").expect("a heading");
    let rule = lines.iter().find(|l| l.starts_with("a ")).expect("the rule");
    assert!(rule[column..].starts_with("dicom "), "{rule}");
    assert!(rule.contains("(0011,0010)"));
    assert!(lines.iter().all(|l| *l == l.trim_end()));
    assert!(
        check_text(&RuleSet::shipped().expect("good"), crate::time::Timestamp(0))
            .contains("[[alert]]")
    );
}

#[test]
fn alerts_weigh_records() {
    let rules = RuleSet::shipped().expect("shipped rules");
    let alert = |content, structured, kinds: &[Kind], patient_context, query| {
        let (deidentified, listed) = (None, false);
        let record = RecordEvidence {
            content,
            structured,
            kinds,
            patient_context,
            query,
            deidentified,
            listed,
        };
        rules.policy.alert(&record).map(|a| a.id.as_str())
    };
    use Kind::{BirthDate, Email, Name, PatientId, Sex};
    assert_eq!(alert("dicom", true, &[Name], true, false), Some("dicom-patient-module"));
    assert_eq!(alert("dicom", true, &[Sex], true, false), None);
    assert_eq!(alert("hl7v2", true, &[PatientId], true, true), Some("hl7-patient"));
    assert_eq!(alert("x12", true, &[Name], true, false), Some("structured-patient"));
    assert_eq!(alert("json", false, &[Name, Email], false, false), None);
    assert_eq!(alert("json", false, &[Name, Email], true, false), Some("loose-patient-record"));
    assert_eq!(alert("json", false, &[Name, Sex], true, false), None);
    let identity = [Name, BirthDate, PatientId];
    assert_eq!(alert("csv", false, &identity, false, false), Some("loose-patient-identity"));
}

#[test]
fn a_part_that_is_read_when_needed_is_that_of_all_rules() {
    let (all, parts) = (RuleSet::shipped().expect("shipped rules"), RuleSet::when_needed());
    assert_eq!(parts.digest, all.digest);
    macro_rules! same {
        ($($part:ident)+) => {$(
            assert!(!parts.$part.is_read(), "{} was read before it was needed", stringify!($part));
            // Maps differ in order, not in length.
            let [mut ours, mut theirs] = [&parts.$part, &all.$part].map(|part| format!("{part:?}").into_bytes());
            assert!(parts.$part.is_read());
            ours.sort_unstable();
            theirs.sort_unstable();
            assert!(ours == theirs, "{}", stringify!($part));
        )+};
    }
    same!(dicom hl7v2 astm x12 xdt edifact ncpdp recordings xml fhir health keys test_patients);
    same!(placeholders text identifiers services vocabulary words policy);
}

/// Keys that have the same meaning in every section (ARCHITECTURE.md).
const COMMON_KEYS: [&str; 7] =
    ["id", "title", "kind", "reference", "match", "no_match", "confidence"];

#[test]
fn comments_of_the_rule_files_explain_every_section_and_key() {
    let (mut comments, mut keys, mut sections) = (String::new(), Vec::new(), Vec::new());
    for line in super::SHIPPED.iter().flat_map(|(_, text)| text.lines()) {
        if let Some(comment) = line.strip_prefix('#') {
            comments.push_str(comment);
            comments.push('\n');
        } else if line.starts_with("[[") {
            sections.push(line);
        } else if let Some((key, _)) = line.split_once(" = ")
            && key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        {
            keys.push(key);
        }
    }
    let words: Vec<&str> =
        comments.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    for section in &sections {
        assert!(comments.contains(section), "no comment explains {section}");
    }
    keys.sort_unstable();
    keys.dedup();
    for key in keys.iter().filter(|key| !COMMON_KEYS.contains(key)) {
        assert!(words.contains(key), "no comment explains {key}");
    }
    assert!(sections.len() > 500 && keys.len() > 80, "{} {}", sections.len(), keys.len());
}
