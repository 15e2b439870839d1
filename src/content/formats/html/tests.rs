use crate::content::testing::records;

fn html(text: &str) -> Vec<String> {
    records("text/html; charset=utf-8", text.as_bytes())
}

#[test]
fn a_ward_list() {
    let got = html(
        "<!DOCTYPE html><html><head><title>Ward 3</title><script>if (a<b) { x = '<td>'; }</script></head>\
        <body><h1>Patient <b>list</b></h1><table class=\"a>b\"><thead><tr><th>MRN</th><th>Name</th><th>Date of birth</th></tr></thead>\
        <tr><td>17</td><td><a href=x>M&uuml;ller</a>, J&ouml;rg</td><td>1950-02-01</td></tr>\
        <tr><td>18<td>Roe, Jane<td>1951-02-01</table></body></html>",
    );
    assert_eq!(
        got,
        [
            "http>html:~html [PatientContext] patient_id=17 name=Müller, Jörg birth_date=1950-02-01",
            "http>html:~html [PatientContext] patient_id=18 name=Roe, Jane birth_date=1951-02-01",
        ]
    );
}

#[test]
fn labelled_values_and_forms() {
    let got = html(
        "<html><body><dl><dt>Patient name</dt><dd>Jane Roe</dd><dt>DOB</dt><dd>1970-01-01</dd></dl>\
        <p>MRN: 77</p><table><tr><td>Phone:</td><td>555 123</td></tr></table>\
        <input name=ssn value=\"206-66-2431\"><input name=email></body></html>",
    );
    assert_eq!(
        got,
        ["http>html:~html [PatientContext] name=Jane Roe birth_date=1970-01-01 patient_id=77 \
         phone=555 123 ssn=206-66-2431",]
    );
}

#[test]
fn cells_over_columns_choices_and_labels() {
    let got = html(
        "<html><h1>Patients</h1><table><tr><th>MRN<th colspan=2>Visit<th>Name<th>DOB</tr>\
        <tr><td>77<td>a<td>b<td>Jane Roe<td>1970-01-31<tr><td>78<td colspan=2>none<td>Max Li<td>1980-02-01</table></html>",
    );
    assert_eq!(
        got,
        [
            "http>html:~html [PatientContext] patient_id=77 name=Jane Roe birth_date=1970-01-31",
            "http>html:~html [PatientContext] patient_id=78 name=Max Li birth_date=1980-02-01",
        ]
    );
    let form = html(
        "<html><form><label for=f1>Patient name</label><input id=f1 value='Jane Roe'><label>MRN:</label> <input name=f2 value=77>\
        <label>Sex</label><select name=s><option>Male<option selected>Female<option>Other</select>\
        <table><tr><th>Date of birth</th><td>1970-01-31</td></tr></table></form></html>",
    );
    assert_eq!(
        form,
        [
            "http>html:~html [PatientContext] name=Jane Roe patient_id=77 sex=Female birth_date=1970-01-31"
        ]
    );
}

#[test]
fn data_in_scripts() {
    let data = r#"{"props":{"patient":{"name":"Jane <b>\"Roe\"","mrn":"77"}}}"#;
    let line = "http>html>json:~json [PatientContext] name=Jane <b>\"Roe\" patient_id=77";
    for page in [
        format!("<html><script id=__NEXT_DATA__ type='application/json'>{data}</script></html>"),
        format!(
            "<html><script>var a=1;if(a=={{b}}){{}} window.__STATE__ =\n {data};(function(){{}})()</script></html>"
        ),
        format!("<html><script>hydrate( {data}, x)</SCRIPT><p>Name: x</p></html>"),
    ] {
        assert_eq!(html(&page), [line], "{page}");
    }
    let program = "<html><script>x={a:1};y=\"{\";f({\"type\":\"module\"});z={\"a\":[1,{\"b\":2}]};</script><p>MRN: 7 DOB: 1970-01-31</html>";
    assert_eq!(html(program).len(), 1);
}

#[test]
fn forms_and_tables_of_fields_have_no_patients() {
    for page in [
        "<html><body><form>First name <input name=first> Last name <input name=last> Date of birth <input name=dob></form></body></html>",
        "<html><h1>Fields</h1><table><tr><th>Field</th><th>Name</th></tr><tr><td>PID-5</td><td>Patient Name</td></tr></table></html>",
        "<html><style>name: x; dob: y</style><table><tr><th>Product<th>Name<th>Price</tr><tr><td>1<td>Lamp<td>2</table></html>",
    ] {
        assert_eq!(html(page), Vec::<String>::new(), "{page}");
    }
}
