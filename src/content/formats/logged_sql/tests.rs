use crate::content::testing::records;

const FIELDS: &str = "patient_id=H-77 name=Roe^Jane birth_date=1970-01-31";

const INSERT: &str = "INSERT INTO patient (mrn, last_name, first_name, birth_date) VALUES";

#[test]
fn values_behind_in_front_and_in_the_line() {
    let logs = [
        format!("10:11 DEBUG SQL - {INSERT} (?, ?, ?, ?)\n10:11 TRACE Binder - binding parameter [1] as [VARCHAR] - [H-77]\n10:11 TRACE Binder - binding parameter [2] as [VARCHAR] - [Roe]\n10:11 TRACE Binder - binding parameter [3] as [VARCHAR] - [Jane]\n10:11 TRACE Binder - binding parameter [4] as [DATE] - [1970-01-31]\n"),
        format!("DEBUG ==>  Preparing: {INSERT} (?, ?, ?, ?)\nDEBUG ==> Parameters: H-77(String), Roe(String), Jane(String), 1970-01-31(Date)\nDEBUG <==    Updates: 1\n"),
        format!("(0.002) {INSERT} (%s, %s, %s, %s); args=('H-77', 'Roe', 'Jane', datetime.date(1970, 1, 31)); alias=default\n"),
        format!("INFO engine {INSERT} (?, ?, ?, ?)\nINFO engine [generated in 0.00012s] ('H-77', 'Roe', 'Jane', '1970-01-31')\n"),
        format!("INFO engine {INSERT} (%(mrn)s, %(last)s, %(first)s, %(born)s)\nINFO engine [cached since 1s ago] {{'born': datetime.date(1970, 1, 31), 'mrn': 'H-77', 'last': 'Roe', 'first': 'Jane'}}\n"),
        format!("  Patient Create (0.4ms)  {INSERT} ($1, $2, $3, $4) RETURNING \"id\"  [[\"mrn\", \"H-77\"], [\"last_name\", \"Roe\"], [\"first_name\", \"Jane\"], [\"birth_date\", \"1970-01-31\"]]\n"),
        format!("UTC [77] LOG:  execute <unnamed>: {INSERT} ($1, $2, $3, $4)\nUTC [77] DETAIL:  parameters: $1 = 'H-77', $2 = 'Roe', $3 = 'Jane', $4 = '1970-01-31'\n"),
        "      Executed DbCommand (3ms) [Parameters=[@p0='H-77' (Size = 4000), @p1='Roe' (Size = 4000), @p2='Jane' (Size = 4000), @p3='1970-01-31T00:00:00'], CommandType='Text']\n      INSERT INTO \"Patients\" (\"Mrn\", \"LastName\", \"FirstName\", \"BirthDate\")\n      VALUES (@p0, @p1, @p2, @p3);\n".to_owned(),
        format!("query: {INSERT} ($1, $2, $3, $4) -- PARAMETERS: [\"H-77\",\"Roe\",\"Jane\",\"1970-01-31\"]\n"),
        format!("Executing (default): {INSERT} ($1,$2,$3,$4); {{\"bind\":[\"H-77\",\"Roe\",\"Jane\",\"1970-01-31\"]}}\n"),
        format!("[EL Fine]: sql: {INSERT} (?, ?, ?, ?)\n\tbind => [H-77, Roe, Jane, 1970-01-31]\n"),
        format!("17|3|statement|connection 0|{INSERT} (?, ?, ?, ?)|{INSERT} ('H-77', 'Roe', 'Jane', '1970-01-31')\n"),
        format!("knex:query {INSERT} (?, ?, ?, ?) undefined\nknex:bindings [ 'H-77', 'Roe', 'Jane', '1970-01-31' ] undefined\n"),
        format!("doctrine.DEBUG: {INSERT} (?, ?, ?, ?) {{\"1\":\"H-77\",\"2\":\"Roe\",\"3\":\"Jane\",\"4\":\"1970-01-31\"}} []\n"),
        format!("JdbcTemplate : Executing prepared SQL statement [{INSERT} (?, ?, ?, ?)]\nTRACE StatementCreatorUtils : Setting SQL statement parameter value: column index 1, parameter value [H-77], value class [java.lang.String], SQL type unknown\nTRACE StatementCreatorUtils : column index 2, parameter value [Roe], value class [java.lang.String]\nTRACE StatementCreatorUtils : column index 3, parameter value [Jane], value class [java.lang.String]\nTRACE StatementCreatorUtils : column index 4, parameter value [1970-01-31], value class [java.sql.Date]\n"),
        format!("Executing (default): {INSERT} ($1,$2,$3,$4) RETURNING \"id\"; \"H-77\", \"Roe\", \"Jane\", \"1970-01-31\"\n"),
        format!("NHibernate: {INSERT} (@p0, @p1, @p2, @p3);@p0 = 'H-77' [Type: String (4000:0:0)], @p1 = 'Roe' [Type: String (4000:0:0)], @p2 = 'Jane' [Type: String (4000:0:0)], @p3 = '1970-01-31' [Type: DateTime (8:0:0)]\n"),
        format!("[debug] QUERY OK db=1.1ms\n{INSERT} ($1,$2,$3,$4) RETURNING \"id\" [\"H-77\", \"Roe\", \"Jane\", ~D[1970-01-31]]\n"),
        format!("doctrine.DEBUG: Executing statement: {INSERT} (?, ?, ?, ?) (parameters: array{{\"1\":\"H-77\",\"2\":\"Roe\",\"3\":\"Jane\",\"4\":\"1970-01-31\"}}, types: array{{\"1\":2,\"2\":2}})\n"),
        format!("Name:DS, Type:Prepared, QuerySize:1, Query:[\"{INSERT} (?, ?, ?, ?)\"], Params:[(H-77,Roe,Jane,1970-01-31)]\n"),
        format!("doctrine.DEBUG: Executing statement: {{sql}} {{\"sql\": \"{INSERT} (?, ?, ?, ?)\", \"params\": {{\"1\": \"H-77\", \"2\": \"Roe\", \"3\": \"Jane\", \"4\": \"1970-01-31\"}}}} []\n"),
        format!("SQLSTATE[23000]: Integrity constraint violation (SQL: {INSERT} (H-77, Roe, Jane, 1970-01-31)) {{\"exception\":\"[object]\"}}\n"),
    ];
    for log in logs {
        let got = records("text/plain", log.as_bytes());
        assert!(got.len() == 1 && got[0].contains(FIELDS), "{log}: {got:?}");
        for end in 0..log.len() {
            records("text/plain", &log.as_bytes()[..end]);
        }
    }
}

#[test]
fn rows_of_one_statement_are_people() {
    let log = format!(
        "INFO engine {INSERT} (?, ?, ?, ?)\nINFO engine [generated in 0.00012s] [('H-77', 'Roe', 'Jane', '1970-01-31'), ('H-78', 'Li', 'Max', '1980-02-01')]\n"
    );
    let got = records("text/plain", log.as_bytes());
    assert!(got.len() == 2 && got[0].contains(FIELDS), "{got:?}");
    assert!(got[1].contains("patient_id=H-78 name=Li^Max birth_date=1980-02-01"), "{got:?}");
}

#[test]
fn statements_and_their_values_in_json() {
    let values = r#"["H-77", "Roe", "Jane", "1970-01-31"]"#;
    let quoted = values.replace('"', "\\\"");
    for log in [
        format!(r#"{{"query": "{INSERT} (?,?,?,?)", "params": "{quoted}", "duration": 3}}"#),
        format!(r#"[{{"query": "{INSERT} (?, ?, ?, ?)", "bindings": {values}, "time": 1.2}}]"#),
        format!(
            r#"{{"sql": "{INSERT} (?, ?, ?, ?)", "params": {{"1": "H-77", "2": "Roe", "3": "Jane", "4": "1970-01-31"}}}}"#
        ),
        format!(r#"{{"method": "insert", "bindings": {values}, "sql": "{INSERT} (?, ?, ?, ?)"}}"#),
        format!(
            r#"{{"attributes": [{{"key": "db.statement", "value": {{"stringValue": "{INSERT} ('H-77', 'Roe', 'Jane', '1970-01-31')"}}}}]}}"#
        ),
    ] {
        let got = records("application/json", log.as_bytes());
        assert!(got.len() == 1 && got[0].contains(FIELDS), "{log}: {got:?}");
    }
    let prose = r#"{"note": "Select a patient from the list where Patient: Jane Roe, MRN: H-77, DOB: 1970-01-31"}"#;
    let got = records("application/json", prose.as_bytes()).concat();
    assert!(got.contains("H-77"), "{got}");
    for other in [
        r#"{"query": "insert into orders (sku, name) values (?, ?)", "bindings": ["H-77", "Jane Roe"]}"#,
        r#"{"exception": {"values": [{"mrn": 1, "name": "x"}]}, "values": ["H-77", "Roe"]}"#,
    ] {
        let got = records("application/json", other.as_bytes()).concat();
        assert!(!got.contains("Roe"), "{other}: {got}");
    }
}

#[test]
fn what_updates_and_queries_compare() {
    for log in [
        "SQL - update patient set birth_date=?, first_name=?, last_name=? where mrn=?\nbind - binding parameter (1:DATE) <- [1970-01-31]\nbind - binding parameter (2:VARCHAR) <- [Jane]\nbind - binding parameter (3:VARCHAR) <- [Roe]\nbind - binding parameter (4:VARCHAR) <- [H-77]\n",
        "==>  Preparing: SELECT * FROM patient p WHERE p.last_name = ? AND p.first_name = ? AND p.birth_date = ? AND p.mrn = ?\n==> Parameters: Roe(String), Jane(String), 1970-01-31(Date), H-77(String)\n",
    ] {
        let got = records("text/plain", log.as_bytes());
        let all = ["H-77", "Roe", "Jane", "1970-01-31"];
        assert!(got.len() == 1 && all.iter().all(|v| got[0].contains(v)), "{log}: {got:?}");
    }
}

#[test]
fn statements_about_other_things_are_silent() {
    for log in [
        "SQL - insert into orders (sku, name, price) values (?, ?, ?)\nbinding parameter [1] as [VARCHAR] - [A-1]\nbinding parameter [2] as [VARCHAR] - [Lamp]\nbinding parameter [3] as [INTEGER] - [7]\n",
        "insert into users (id, first_name, last_name) values (?, ?, ?)\nbind => [7, Max, Doe]\n",
        "DEBUG select patient0_.id from patient patient0_ where patient0_.id=?\nDEBUG done\n",
        "Please update the list and select a patient from it, where needed.\nParameters: none\n",
    ] {
        assert_eq!(records("text/plain", log.as_bytes()), [""; 0], "{log}");
    }
}

#[test]
fn prose_with_such_words_hides_no_patient() {
    for front in [
        "Please update the data set as follows:",
        "Insert into the chart what is below:",
        "Select the patient from the list where:",
    ] {
        let text = format!(
            "Good morning,\n{front}\n  Patient: Jane Roe\n  DOB: 1970-01-31\n  MRN: H-77\n"
        );
        let got = records("text/plain", text.as_bytes());
        assert!(got.len() == 1 && got[0].contains("H-77"), "{text}: {got:?}");
    }
}
