use super::Catalog;
use super::select::{SelectLists, table_of};
use super::statement::{Parameters, documents, tables};
use proptest::prelude::*;

fn read(statement: &str, parameters: &[&str]) -> Vec<String> {
    let mut values = Parameters::default();
    for value in parameters {
        values.push(value.as_bytes());
    }
    let text =
        |l: &zeroize::Zeroizing<Vec<u8>>| String::from_utf8_lossy(l).trim_end().replace('"', "");
    tables(statement.as_bytes(), &values, &Catalog::default())
        .iter()
        .map(|t| t.lines.iter().map(text).collect::<Vec<_>>().join(" | "))
        .collect()
}

#[test]
fn inserted_rows_have_their_columns() {
    let expected = ["mrn,last_name,dob | 17,O'Hara,1970-01-02 | 18,Ng,"];
    for statement in [
        "INSERT INTO patients (mrn, last_name, dob) VALUES (17, 'O''Hara', '1970-01-02'), (18, 'Ng', NULL)",
        "insert into `db`.`patients`(`mrn`,`last_name`,`dob`) values(17,'O\\'Hara','1970-01-02'),(18,'Ng',null);",
        "INSERT INTO dbo.[patients] ([mrn],[last_name],[dob]) OUTPUT inserted.id VALUES (17, N'O''Hara', CAST('1970-01-02' AS date)), (18, N'Ng', NULL)",
        "/* x */ INSERT INTO \"patients\" (\"mrn\", \"last_name\", \"dob\") VALUES ('17', E'O\\'Hara', '1970-01-02'::date), ('18'::text, 'Ng', NULL) RETURNING id",
    ] {
        assert_eq!(read(statement, &[]), expected, "{statement}");
    }
}

#[test]
fn placeholders_take_their_values() {
    let expected = ["mrn,last_name | 17,O'Hara"];
    for statement in [
        "INSERT INTO p (mrn, last_name) VALUES (?, ?)",
        "INSERT INTO p (mrn, last_name) VALUES ($1, $2::varchar)",
        "SELECT * FROM p WHERE mrn = ? AND last_name LIKE ?",
        "UPDATE p SET mrn = $1 WHERE p.last_name = $2",
    ] {
        assert_eq!(read(statement, &["17", "O'Hara"]), expected, "{statement}");
    }
    let mut named = Parameters::default();
    named.insert(b"P0", b"17");
    let tables = tables(b"select * from p where mrn = @p0", &named, &Catalog::default());
    assert_eq!(tables.len(), 1);
    assert_eq!(tables[0].lines[1].as_slice(), b"\"17\"\n");
}

#[test]
fn conditions_and_settings_are_values_of_their_columns() {
    assert_eq!(
        read("UPDATE p SET phone='555', email = \"a@b.example\" WHERE p.mrn = 17", &[]),
        ["phone,email,mrn | 555,a@b.example,17"]
    );
    assert_eq!(
        read(
            "select a from p where lower(last_name) like '%har%' and dob = DATE '1970-01-02'",
            &[]
        ),
        ["last_name,dob | har,1970-01-02"]
    );
    assert_eq!(read("select a from p where mrn in ('1','2')", &[]), ["mrn | 1 | 2"]);
    assert_eq!(read("EXEC find_patient @mrn = '17', @name = N'Ng'", &[]), ["mrn,name | 17,Ng"]);
    for nothing in
        ["SELECT 1", "SELECT a FROM b WHERE c = d", "INSERT INTO t SELECT * FROM u", "", "'"]
    {
        assert_eq!(read(nothing, &[]), [""; 0], "{nothing}");
    }
}

#[test]
fn rows_without_columns_have_those_of_the_table() {
    let mut catalog = Catalog::default();
    catalog.learn(b"CREATE TABLE p (mrn int, last_name text, dob date)");
    let lines = |statement: &[u8]| {
        let tables = tables(statement, &Parameters::default(), &catalog);
        let text = |l: &zeroize::Zeroizing<Vec<u8>>| String::from_utf8_lossy(l).into_owned();
        tables.iter().flat_map(|t| t.lines.iter().map(text)).collect::<String>()
    };
    let expected = "\"mrn\",\"last_name\",\"dob\"\n\"17\",\"Ng\",\"1970-01-02\"\n";
    assert_eq!(lines(b"insert into s.p values (17, 'Ng', '1970-01-02')"), expected);
    assert_eq!(
        lines(b"INSERT INTO q VALUES (17, 'Ng', '1970-01-02')"),
        "",
        "its table is not known"
    );
}

#[test]
fn arrays_are_columns() {
    let statement = "INSERT INTO p (mrn, last_name) SELECT * FROM unnest($1::text[], $2::text[])";
    assert_eq!(
        read(statement, &["{17,18}", "{\"O'Hara, jr\",NULL}"]),
        ["mrn,last_name | 17,O'Hara, jr | 18,"]
    );
}

#[test]
fn documents_in_statements_are_found() {
    let document = format!("{{\"resourceType\":\"Patient\",\"id\":\"{}\"}}", "7".repeat(40));
    let mut values = Parameters::default();
    values.push(document.as_bytes());
    let statement = format!("INSERT INTO r (body, other) VALUES ('{document}', $1)");
    let found = documents(statement.as_bytes(), &values);
    assert_eq!(found.iter().map(|d| d.as_slice()).collect::<Vec<_>>(), [document.as_bytes(); 2]);
}

proptest! {
    #[test]
    fn any_statement_is_read_to_its_end(
        statement in "(INSERT INTO t \\(|VALUES|SELECT|WHERE|a|=|'|\"|\\(|\\)|,|\\?|::|\\$1|@a|--|/\\*|;|IN|LIKE| ){0,60}"
    ) {
        read(&statement, &["x"]);
    }
}

/// The heading that `names` get after `statement`, and the table that it is about.
fn headed(statement: &str, names: &[&str]) -> (Vec<String>, String) {
    let mut lists = SelectLists::default();
    lists.learn(statement.as_bytes());
    let names: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
    let (names, table) = lists.meanings(&names);
    let text = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
    (names.into_iter().map(text).collect(), text(table))
}

#[test]
fn columns_that_a_mapper_renamed_have_their_own_names() {
    // Hibernate 5, Doctrine, EclipseLink, Entity Framework.
    let cases: [(&str, &[&str]); 4] = [
        (
            "select p0_.mrn as mrn1_0_, p0_.family as family2_0_, p0_.birth as birth3_0_ from patients p0_",
            &["mrn1_0_", "family2_0_", "birth3_0_"],
        ),
        (
            "SELECT p0_.mrn AS mrn_0, p0_.family AS family_1, p0_.birth AS birth_2 FROM patients p0_ WHERE p0_.mrn = ?",
            &["mrn_0", "family_1", "birth_2"],
        ),
        (
            "SELECT t0.mrn AS a1, t0.family AS a2, t0.birth AS a3 FROM patients t0",
            &["a1", "a2", "a3"],
        ),
        (
            "SELECT [e].[mrn] AS [C1], [e].[family] AS [C2], [e].[birth] AS [C3] FROM [dbo].[patients] AS [e]",
            &["C1", "C2", "C3"],
        ),
    ];
    let expected = ["mrn", "family", "birth"].map(str::to_owned).to_vec();
    for (statement, names) in cases {
        assert_eq!(
            headed(statement, names),
            (expected.clone(), "patients".to_owned()),
            "{statement}"
        );
    }
}

#[test]
fn names_that_people_gave_stay_and_expressions_are_what_they_hold() {
    assert_eq!(
        headed(
            "with x as (select a from b) select distinct p.nr as \"Pat.-Nr.\", upper(p.family), d->>'birthDate', json_value(d, '$.name[0].given'), d#>>'{telecom,0,phone}' phone, a || b, count(*) from p",
            &["Pat.-Nr.", "upper", "?column?", "x", "phone", "?column?", "count"],
        ),
        (
            ["Pat.-Nr.", "family", "birthDate", "given", "phone", "?column?", "count"]
                .map(str::to_owned)
                .to_vec(),
            "p".to_owned()
        )
    );
    // Names that say more than the column.
    assert_eq!(
        headed(
            "select d.name as doctor_name, d.name doctor_name2, p.name patient_name from p, d",
            &["doctor_name", "doctor_name2", "patient_name"]
        )
        .0,
        ["doctor_name", "doctor_name2", "patient_name"]
    );
    assert_eq!(
        headed("select p.identifier as MRN, p.c7 dob, p.value tel from p", &["MRN", "dob", "tel"])
            .0,
        ["MRN", "dob", "tel"]
    );
    // A result of another statement.
    assert_eq!(headed("select a as a1 from p", &["a2"]), (vec!["a2".to_owned()], String::new()));
    assert_eq!(headed("select a as a1, b from p", &["a1"]).0, ["a1"]);
    // Of several tables.
    for tables in ["p join q on p.a = q.a", "p, q", "(select 1) x"] {
        assert_eq!(
            headed(&format!("select a as a1 from {tables}"), &["a1"]),
            (vec!["a".to_owned()], String::new())
        );
    }
    assert_eq!(
        headed("select * from s.patients where a = 'x'", &["a1"]),
        (vec!["a1".to_owned()], "patients".to_owned())
    );
}

/// What the columns of a result mean behind several statements.
fn headed_behind(statements: &[&str], names: &[&str]) -> Vec<String> {
    let mut lists = SelectLists::default();
    statements.iter().for_each(|statement| lists.learn(statement.as_bytes()));
    let names: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
    let text = |name: &&[u8]| String::from_utf8_lossy(name).into_owned();
    lists.meanings(&names).0.iter().map(text).collect()
}

#[test]
fn a_result_is_not_that_of_an_earlier_statement() {
    let upper = "SELECT upper(last_name) FROM patients";
    assert_eq!(headed_behind(&[upper], &["upper"]), ["last_name"]);
    for later in [
        "SELECT version()",
        "SHOW server_version",
        "EXPLAIN SELECT lower(last_name) FROM patients",
        "INSERT INTO wards (name) OUTPUT inserted.id VALUES ('x')",
        "SELECT 1, 2",
    ] {
        assert_eq!(headed_behind(&[upper, later], &["version"]), ["version"], "{later}");
    }
    // It was asked for again, and is fetched from its cursor.
    let cursor = "DECLARE c CURSOR FOR SELECT upper(last_name) FROM patients";
    for statements in [
        [upper, "SELECT version()", upper],
        ["BEGIN", cursor, "FETCH 9 FROM c"],
        [upper, "COMMIT", "-- done"],
    ] {
        assert_eq!(headed_behind(&statements, &["upper"]), ["last_name"], "{statements:?}");
    }
    // Names tell which of several statements it was.
    let named = "select p.family as a1, p.birth as a2 from patients p";
    let behind = headed_behind(&[named, "SELECT count(*), max(1)"], &["count", "max"]);
    assert_eq!(behind, ["count", "max"]);
    let behind = headed_behind(&[named, "SELECT 1"], &["a1", "a2"]);
    assert_eq!(behind, ["family", "birth"]);
}

#[test]
fn tables_say_what_a_general_column_is() {
    let statement = "select n0_.family_name as family_n1_0_, i1_.identifier as identif2_1_1_, \
        i1_.identifier as mrn, s2_.number from person_name n0_ inner join kis.patient_identifier i1_ \
        on (i1_.patient_id = n0_.person_id) left join staff as s2_ on s2_.id = 1 where 1 = 1";
    assert_eq!(
        headed_behind(&[statement], &["family_n1_0_", "identif2_1_1_", "mrn", "number"]),
        ["family_name", "patient_identifier.identifier", "mrn", "staff.number"]
    );
}

#[test]
fn mappers_spell_columns_with_underscores() {
    let statement = "select p0_.PatNr as pat_nr1_0_, p0_.GebDatum as geb_datu2_0_ from pat p0_";
    assert_eq!(headed_behind(&[statement], &["pat_nr1_0_", "geb_datu2_0_"]), ["PatNr", "GebDatum"]);
}

#[test]
fn numbers_that_a_mapper_gives_tables_say_nothing() {
    let statement = "SELECT visits.id AS visits_id, pat_stamm_1.nachname AS pat_stamm_1_nachname, \
        w.name as ward_2_title FROM visits LEFT OUTER JOIN pat_stamm AS pat_stamm_1 ON true";
    assert_eq!(
        headed_behind(&[statement], &["visits_id", "pat_stamm_1_nachname", "ward_2_title"]),
        ["visits_id", "pat_stamm_nachname", "ward_2_title"]
    );
}

#[test]
fn long_names_of_columns_are_not_kept() {
    let long = "x".repeat(10_000);
    let mut lists = SelectLists::default();
    for quote in ["'", "\""] {
        lists.learn(format!("select a as {quote}{long}{quote}, b as {long} from p").as_bytes());
    }
    assert!((1..2000).contains(&lists.memory()), "{}", lists.memory());
}

#[test]
fn statements_are_about_their_table() {
    for (statement, table) in [
        ("insert into kis.patients (a) values (1)", "patients"),
        ("INSERT INTO \"kis\".\"tblPatients\" VALUES (1)", "tblPatients"),
        ("update patients set a = 'x', b = 'y' where c = 1", "patients"),
        ("delete from only patients where c = 1", "patients"),
        ("select a from patients p where a = 1 order by b, c", "patients"),
        ("select a from patients p, staff s where a = 1", ""),
        ("select a from patients p left join staff s using (a)", ""),
        ("select now()", ""),
    ] {
        assert_eq!(table_of(statement.as_bytes()), table.as_bytes(), "{statement}");
    }
}
