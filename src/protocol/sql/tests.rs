use super::Catalog;
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
