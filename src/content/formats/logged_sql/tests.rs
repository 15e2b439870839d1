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
