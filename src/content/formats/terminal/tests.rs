use super::{MEDIA, REACTION};
use crate::content::testing::records;

fn screens(text: &str) -> Vec<String> {
    records(MEDIA, text.as_bytes())
}

const JANE: &str = "http>terminal:~terminal [PatientContext] name=ROE,JANE patient_id=H77123 birth_date=31 JAN 1970";

#[test]
fn a_form_is_read_when_somebody_reacts() {
    let form = "\x1b[2J\x1b[1;30HPATIENT INQUIRY\x1b[3;5HPatient Name:\x1b[4;5HMRN:\x1b[5;5HDOB:";
    let jane = "\x1b[3;20HROE,JANE\x1b[4;20HH77123\x1b[5;20H31 JAN 1970";
    let reaction = char::from(REACTION);
    assert_eq!(screens(&format!("{form}{jane}{reaction}")), [JANE]);
    // Somebody else in the same form.
    let ken = "\x1b[3;20H\x1b[KITO,KEN\x1b[4;20H\x1b[K8812\x1b[5;20H\x1b[K02 FEB 1980";
    let got = screens(&format!("{form}{jane}{reaction}{reaction}{ken}{reaction}"));
    assert_eq!(got.len(), 2, "{got:?}");
    assert!(got[1].contains("name=ITO,KEN patient_id=8812 birth_date=02 FEB 1980"), "{got:?}");
    // And without a reaction: before it is cleared, and at the end.
    assert_eq!(screens(&format!("{form}{jane}\x1b[H\x1b[J$ ")), [JANE]);
    assert_eq!(screens(&format!("{form}{jane}")), [JANE]);
}

#[test]
fn lines_that_roll_up_are_read_once() {
    let got = screens(
        "Select PATIENT: 5\r\n\r\n   Patient Name: ROE,JANE\r\n MRN: H77123   DOB: 31 JAN 1970\r\nOption: \x05\r\n",
    );
    assert_eq!(got, [JANE]);
}

#[test]
fn a_table_under_its_headings() {
    let got = screens(
        "\x1b[H\x1b[2J\x1b[2;1HName              MRN       Birth date\x1b[3;1HROE,JANE          H77123    1970-01-31\x1b[4;1HITO,KEN           8812      1980-02-02\x05",
    );
    assert_eq!(got.len(), 2, "{got:?}");
}

#[test]
fn columns_that_a_blank_or_a_bar_separates() {
    let rows = [
        "5501122 Kowalczyk Agnieszka 1961-02-19",
        "5501139 Ferreira  Thiago    1987-10-05",
        "5501156 Andersen  Mette     1953-07-28",
        "5501173 Kowalczyk Matthias  1944-12-11",
    ];
    // As text browsers draw pages: headings are in the middle of their columns.
    let mut blanks = "\x1b[H\x1b[2J\x1b[4;6HMRN    Surname  Forename     DOB".to_owned();
    let mut bars = "\x1b[H\x1b[2J\x1b[4;4H│  MRN  │ Surname │Forename │   DOB    │".to_owned();
    for (at, row) in rows.iter().enumerate() {
        blanks.push_str(&format!("\x1b[{};4H{row}", at + 5));
        let cells = [&row[..7], &row[8..17], &row[18..27], &row[28..]];
        bars.push_str(&format!("\x1b[{};4H│{}│", at + 5, cells.join("│")));
    }
    for screen in [blanks, bars] {
        let got = screens(&format!("{screen}\x05"));
        assert_eq!(got.len(), 4, "{got:?}");
        for (got, row) in got.iter().zip(rows) {
            let words: Vec<&str> = row.split_whitespace().collect();
            for value in
                [format!("{}^{}", words[1], words[2]), words[0].to_owned(), words[3].to_owned()]
            {
                assert!(got.contains(&format!("={value}")), "{value} in {got}");
            }
        }
    }
}

#[test]
fn frames_and_letters_of_other_sets() {
    let got = screens(
        "\x1b[2J\x1b[2;2H\x1b(0lqqqqk\x1b(B\x1b[3;2H\x1b(0x\x1b(B Name: M\u{fc}ller, Eva \x1b(0x\x1b(B MRN: 771204 \x1b(0x\x1b(B\x05",
    );
    assert_eq!(
        got,
        ["http>terminal:~terminal [PatientContext] name=M\u{fc}ller, Eva patient_id=771204"]
    );
}

#[test]
fn wide_characters_take_two_cells() {
    // The cursor goes back over the name, and to the right by a count of cells.
    let form = "\x1b[2J\x1b[3;5HName:\x1b[4;5HMRN:\x1b[5;5HDOB:";
    let got = screens(&format!(
        "{form}\x1b[3;12H山田花子\x1b[1B\x1b[8D77123\x1b[5;12H1970\x1b[1;1H\x1b[5;16H-01-31\x05"
    ));
    assert_eq!(got.len(), 1, "{got:?}");
    assert!(got[0].contains("name=山田花子 patient_id=77123 birth_date=1970-01-31"), "{got:?}");
    // One that replaces half of another leaves a blank; a count repeats the last; marks join their letters.
    let got = screens(&format!(
        "{form}\x1b[3;12H山Xu, Eva\x1b[3;12H \x1b[4;12H7\x1b[5b\x1b[5;12H1970-01-31\x05"
    ));
    assert!(got[0].contains("patient_id=777777 birth_date=1970-01-31"), "{got:?}");
    let got = screens(&format!("{form}\x1b[3;12HMu\u{308}ller, Eva\x1b[4;12H7712\x05"));
    assert!(got[0].contains("name=Müller, Eva patient_id=7712"), "{got:?}");
}

#[test]
fn shells_are_silent_and_controls_harmless() {
    assert_eq!(
        screens(
            "Last login: Mon\r\n$ ls -l\r\ntotal 4\r\n-rw-r--r-- 1 anna staff 12 notes.txt\r\n$ "
        ),
        [""; 0]
    );
    for text in [
        "\x1b[99999999;99999999Hx\x1b[9999L\x1b[9999M\x1b[9999@\x1b[9999P\x1b[9999X\x1b[9999S\x1b[9999T",
        "\x1b[5;2r\x1b[;r\x1b[1;9999r\n\n\n\x1bM\x1bM\x1b[9999A\x1b[9999B\x1b[9999D\x1b[9999C",
        "\x1b]0;title\x07\x1bP1$r\x1b\\\x1bY  \x1b(",
        "\x1b[1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1;1m\x1b[?1049h\x1b[?1049l\x1bc",
    ] {
        assert_eq!(screens(text), [""; 0]);
    }
}

#[test]
fn tables_of_database_consoles_that_roll_up() {
    let jane = |record: &str| record.contains("name=Roe") && record.contains("patient_id=H77123");
    for (head, ruler, row) in [
        (
            " mrn    | last_name | birth_date",
            "--------+-----------+-----------",
            " H77123 | Roe       | 1970-01-31",
        ),
        (
            "| mrn    | last_name | birth_date |",
            "+--------+-----------+------------+",
            "| H77123 | Roe       | 1970-01-31 |",
        ),
    ] {
        let got = screens(&format!(
            "db> select * from p;\r\n{ruler}\r\n{head}\r\n{ruler}\r\n{row}\r\n(1 row)\r\ndb> "
        ));
        assert!(got.len() == 1 && jane(&got[0]), "{got:?}");
        // On a screen that is written line by line.
        let got = screens(&format!("\x1b[2J\x1b[3;1H{head}\x1b[4;1H{ruler}\x1b[5;1H{row}\x05"));
        assert!(got.len() == 1 && jane(&got[0]), "{got:?}");
    }
    // One field on each line (`psql -x`).
    let got = screens(
        "-[ RECORD 1 ]--------\r\nmrn        | H77123\r\nlast_name  | Roe\r\nbirth_date | 1970-01-31\r\n",
    );
    assert!(got.len() == 1 && jane(&got[0]), "{got:?}");
}

#[test]
fn people_among_whom_to_choose() {
    let got = screens(
        "Select PATIENT NAME: RO\r\n   1   ROE,JANE        01-31-1970     000771230     NO     NSC VETERAN\r\n   \
         2   ROMERO,KEN        02-02-1980     000771231     NO\r\nCHOOSE 1-2: 1\r\n",
    );
    assert_eq!(got.len(), 2, "{got:?}");
    assert!(got[0].contains("name=ROE, JANE birth_date=01-31-1970"), "{got:?}");
    assert_eq!(screens("Select PATIENT NAME: ROE\r\n??\r\nSelect DEVICE: HOME\r\n"), [""; 0]);
}

#[test]
fn a_list_that_goes_on_without_its_heading() {
    let row = |at: usize| format!("H7712{at:02}   Roe{at:02}, Jane    1970-01-{:02}", at + 1);
    let mut screen = "\x1b[H\x1b[2J\x1b[1;1HMRN       Name           Birth date".to_owned();
    for at in 0..4 {
        screen.push_str(&format!("\x1b[{};1H{}", at + 2, row(at)));
    }
    screen.push('\x05');
    // The next page, and one more row that rolls in.
    for at in 0..5 {
        screen.push_str(&format!("\x1b[{};1H\x1b[K{}", at + 1, row(at + 4)));
    }
    screen.push_str(&format!("\x05\x1b[1;5r\x1b[5;1H\r\n{}\x05", row(9)));
    let got = screens(&screen);
    for at in 0..10 {
        let name = format!("name=Roe{at:02}, Jane");
        assert!(got.iter().any(|record| record.contains(&name)), "{name} in {got:?}");
    }
    // Other text in the same place is no list.
    let got = screens(&format!("{screen}\x1b[H\x1b[2J\x1b[3;2Hready\x1b[5;9Hgo on\x05"));
    assert!(got.iter().all(|record| !record.contains("go on")), "{got:?}");
}

#[test]
fn a_list_of_people_that_begins_with_the_end_of_one() {
    let screen = "\x1b[2J\x1b[1;1HDOB: 1961-05-03\x1b[2;1HMRN: K4411\
        \x1b[4;1HName: Roe, Jane\x1b[5;1HDOB: 1970-01-31\x1b[6;1HMRN: H77123\
        \x1b[8;1HName: Ito, Ken\x1b[9;1HDOB: 1980-02-02\x05";
    let got = screens(screen);
    let jane = got.iter().find(|record| record.contains("Roe, Jane")).expect("found");
    assert!(
        jane.contains("H77123") && !jane.contains("K4411") && !jane.contains("1961"),
        "{got:?}"
    );
    assert!(got.iter().all(|r| !r.contains("Ito") || !r.contains("H77123")), "{got:?}");
}
