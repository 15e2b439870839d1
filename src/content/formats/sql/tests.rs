//! Dumps of tables of patients and of others.

use crate::content::testing::records;

fn read(dump: &str) -> Vec<String> {
    records("", dump.as_bytes())
}

const JANE: &str =
    "http>sql:~sql [PatientContext] patient_id=H-77 name=O'Roe^Jane birth_date=1970-01-31";
const MAX: &str =
    "http>sql:~sql [PatientContext] patient_id=H-78 name=Li^Max birth_date=1980-02-01";

#[test]
fn rows_of_inserts() {
    for dump in [
        "INSERT INTO `patients` (`id`,`mrn`,`last_name`,`first_name`,`birth_date`) VALUES \
         (1,'H-77','O\\'Roe','Jane','1970-01-31'),\n(2,'H-78','Li','Max','1980-02-01') ON DUPLICATE KEY UPDATE id=id;\n",
        "-- a comment; with a ' in it\n/*!40101 SET NAMES utf8 */;\n\
         insert into public.patient (mrn, last_name, first_name, birth_date) values ('H-77', 'O''Roe', 'Jane', DATE '1970-01-31');\n\
         insert into public.patient (mrn, last_name, first_name, birth_date) values ('H-78', 'Li', 'Max', to_date('1980-02-01', 'YYYY-MM-DD'));\n",
        "USE [EMR]\nGO\nINSERT [dbo].[Patient] ([Mrn], [LastName], [FirstName], [BirthDate]) VALUES (N'H-77', N'O''Roe', N'Jane', CAST(N'1970-01-31' AS Date))\nGO\n\
         INSERT [dbo].[Patient] ([Mrn], [LastName], [FirstName], [BirthDate]) VALUES (N'H-78', N'Li', N'Max', CAST(N'1980-02-01' AS Date))\nGO\n",
        "CREATE TABLE `patients` (\n  `mrn` varchar(20) NOT NULL,\n  `last_name` enum('a','b'),\n  `first_name` decimal(3,1),\n  `birth_date` date,\n  PRIMARY KEY (`mrn`)\n) ENGINE=InnoDB;\n\
         INSERT INTO `patients` VALUES ('H-77','O\\'Roe','Jane','1970-01-31'),('H-78','Li','Max','1980-02-01');\n",
    ] {
        assert_eq!(read(dump), [JANE, MAX], "{dump}");
    }
}

#[test]
fn updates_of_a_row() {
    for dump in [
        "UPDATE patients SET first_name = 'Jane', last_name = 'O''Roe', birth_date = '1970-01-31' WHERE mrn = 'H-77';\n",
        "UPDATE [dbo].[Patient] SET [FirstName] = N'Jane', [LastName] = N'O''Roe', [BirthDate] = CAST(N'1970-01-31' AS Date) WHERE [MRN] = N'H-77'\nGO\n",
        "update public.patient set version = 3, first_name='Jane', last_name = 'O''Roe', birth_date = DATE '1970-01-31' where mrn='H-77' and id = 5;",
    ] {
        let found = read(dump);
        assert_eq!(found.len(), 1, "{dump}: {found:?}");
        for part in ["patient_id=H-77", "name=O'Roe^Jane", "birth_date=1970-01-31"] {
            assert!(found[0].contains(part), "{dump}: {found:?}");
        }
    }
    let staff = read(
        "UPDATE employees SET first_name = 'Jane', last_name = 'Roe', birth_date = '1970-01-31' WHERE id = 77;\n",
    );
    assert!(!staff.concat().contains("PatientContext"), "{staff:?}");
    for dump in [
        "UPDATE patients SET first_name = ?, last_name = :last, birth_date = $3 WHERE mrn = ?;\n",
        "Update patient set in the room\n",
    ] {
        assert_eq!(read(dump), [""; 0], "{dump}");
    }
}

#[test]
fn lines_of_copy() {
    let dump = "--\n-- PostgreSQL database dump\n--\n\nSET statement_timeout = 0;\n\
        COPY public.settings (key, value) FROM stdin;\nname\tMercy Hospital\n\\.\n\n\
        COPY public.patient (id, mrn, last_name, first_name, middle_name, birth_date) FROM stdin;\n\
        1\tH-77\tO'Roe\tJane\t\\N\t1970-01-31\n2\tH-78\tLi\tMax\t\\N\t1980-02-01\n\\.\n\nSELECT 1;\n";
    assert_eq!(read(dump), [JANE, MAX]);
}

#[test]
fn statements_without_people() {
    for dump in [
        "INSERT INTO patients (mrn, last_name) VALUES (?, ?);\nINSERT INTO patients (mrn) SELECT id FROM t;\n",
        "CREATE TABLE patients (mrn text, last_name text, first_name text);\n",
        "INSERT INTO products (sku, name, price) VALUES (1, 'Lamp', 3);\n",
    ] {
        assert_eq!(read(dump), [""; 0], "{dump}");
    }
    // Prose begins with the same words.
    for text in ["Insert the card: Patient\n", "Use of the ward\nPatient: Jane Roe\nMRN: 77\n"] {
        assert!(read(text).iter().all(|line| !line.contains("sql")), "{text}");
    }
}

#[test]
fn a_row_beyond_the_limit_is_lost_and_the_next_is_not() {
    let long = "x".repeat(super::MAX_PIECE);
    let dump = format!(
        "INSERT INTO patients (mrn, last_name, first_name, birth_date) VALUES ('H-1','{long}','Jane','1970-01-31'),('H-78','Li','Max','1980-02-01');\n"
    );
    assert_eq!(read(&dump), [MAX]);
}

#[test]
fn rows_that_are_parts_of_messages() {
    let fields = "patient_id=H-77 name=Roe^Jane birth_date=19700131 sex=F";
    let insured = "name=ROE^JANE insurance_number=H77 birth_date=19700131 sex=F";
    for (text, fields) in [
        (
            "INSERT INTO msg_field (msg_id, path, val) VALUES (1,'PID.3.1','H-77'),(1,'PID.5.1','Roe'),(1,'PID.5.2','Jane'),(1,'PID.7','19700131'),(1,'PID.8','F'),(1,'NK1.2','Doe^Ann');",
            fields,
        ),
        (
            "INSERT INTO hl7_field VALUES (1,'PID',3,'H-77'),(1,'PID',5,'Roe^Jane'),(1,'PID',7,'19700131'),(1,'PID',8,'F'),(1,'NK1',2,'Doe^Ann');",
            fields,
        ),
        (
            "INSERT INTO x12_seg VALUES (8,'HL*3*2*22*0');\nINSERT INTO x12_seg VALUES (9,'NM1*IL*1*ROE*JANE****MI*H77');\nINSERT INTO x12_seg VALUES (10,'DMG*D8*19700131*F');\n",
            insured,
        ),
        (
            "INSERT INTO seg (n, body) VALUES (1,'PID|1||H-77||Roe^Jane||19700131|F'),(2,'NK1|1|Doe^Ann');",
            fields,
        ),
    ] {
        let got = records("application/sql", text.as_bytes());
        assert!(got.len() == 1 && got[0].contains(fields), "{text}: {got:?}");
    }
    let titles = "INSERT INTO dictionary VALUES ('PID.3','Patient Identifier List'),('PID.5','Patient Name'),('PID.7','Date/Time of Birth');";
    assert_eq!(records("application/sql", titles.as_bytes()), [""; 0]);
}
