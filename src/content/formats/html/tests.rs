use crate::content::Media;
use crate::content::testing::{records, records_of};

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
fn heads_of_charts_without_labels() {
    let page = |body: &str| {
        html(&format!("<html><head><title>Patient chart</title></head><body>{body}</body></html>"))
    };
    let fields = ["name=Roe, Jane", "patient_id=7712345", "birth_date=01/31/1970"];
    for body in [
        "<h1>Roe, Jane (7712345)</h1><div>DOB: 01/31/1970 &middot; Sex: F</div>",
        "<h2>Roe, Jane</h2><p>Female, 56 y.o., 01/31/1970</p><p>MRN: 7712345</p><p>PCP: Max Li, MD</p>",
        "<div><b>Roe</b>, Jane</div><div>DOB 01/31/1970</div><div>Hosp No 7712345</div>",
        "<div class=chip title=\"Patient: Roe, Jane | DOB: 01/31/1970 | MRN: 7712345\">Bed 4</div>",
    ] {
        let got = page(body);
        assert_eq!(got.len(), 1, "{body}: {got:?}");
        for field in fields {
            assert!(got[0].contains(field), "{body}: {field} in {got:?}");
        }
    }
    let staff = html(
        "<html><head><title>Directory</title></head><body><h1>Roe, Jane (7712345)</h1>\
        <div>DOB: 01/31/1970</div><span title=\"Author: Max Li | Date: 01/31/1970\">x</span></body></html>",
    );
    assert!(staff.iter().all(|record| !record.contains("PatientContext")), "{staff:?}");
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
    let rows = r#"<html><script>self.__next_f.push([1,"4:I[77,[],\"\"]\n5:{\"patient\":{\"name\":\"Jane Roe\",\"mrn\":\"77\"}}\n"])</script></html>"#;
    assert_eq!(html(rows), [line.replace(" <b>\"Roe\"", " Roe")]);
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

const JANE: &str =
    "http>html:~html [PatientContext] patient_id=H-77 name=Jane Roe birth_date=1970-01-31";

#[test]
fn elements_that_say_what_they_hold() {
    for body in [
        "<div class=bar><b class='patient-mrn'>H-77</b></div><span id=ctl00_Main_lblMRN>H-77</span><span id=ctl00_Main_lblPatientName>Jane Roe</span><span id=ctl00_Main_lblDOB>1970-01-31</span>",
        "<i data-testid=patient-mrn></i><p data-testid=patient-mrn>H-77</p><h2 data-testid=patient-name>Jane Roe</h2><p class='x patient-dob'><span>1970-01-31</span></p>",
        "<div itemscope itemtype='https://schema.org/Patient'><meta itemprop=identifier content=H-77><span itemprop=name>Jane Roe</span> born <time itemprop=birthDate datetime=1970-01-31>31 Jan</time></div>",
        "<div vocab='https://schema.org/' typeof=Patient><span property=identifier>H-77</span><span property=name>Jane Roe</span><span property=birthDate content=1970-01-31>x</span></div>",
        "<ul><li data-patient-id=H-77 data-patient-name='Jane Roe' data-dob=1970-01-31><a>open</a></ul>",
        "<patient-banner mrn=H-77 patient-name='Jane Roe' birth-date=1970-01-31></patient-banner>",
        "<table><tr><td data-label=MRN>H-77<td data-label='Patient name'>Jane Roe<td data-label=DOB>1970-01-31</table>",
        "<div role=table><div role=row><div role=columnheader>MRN</div><div role=columnheader>Patient name</div><div role=columnheader>DOB</div></div>\
         <div role=row><div role=cell><div>H-77</div></div><div role=cell>Jane Roe</div><div role=cell>1970-01-31</div></div></div>",
        "<font><b>MRN</b></font>&nbsp;<font>H-77</font><br><font><b>Patient name</b></font>&nbsp;<font>Jane Roe</font><br><b>DOB</b> 1970-01-31",
        "<h3>MRN</h3><p>H-77</p><h3>Patient name</h3><p>Jane Roe</p><h3>Date of birth</h3><p>1970-01-31</p>",
    ] {
        assert_eq!(html(&format!("<html><body>{body}</body></html>")), [JANE], "{body}");
    }
    let json = "<html><div data-patient='{&quot;mrn&quot;:&quot;H-77&quot;,&quot;patient_name&quot;:&quot;Jane Roe&quot;,&quot;dob&quot;:&quot;1970-01-31&quot;}'></div></html>";
    assert_eq!(html(json), [JANE.replace("html:~html", "html>json:~json")]);
}

#[test]
fn elements_of_things_and_manuals_name_nobody() {
    for body in [
        "<div data-product-id=77 data-name=Chair data-date=1970-01-31></div>",
        "<div itemscope itemtype='https://schema.org/Physician'><span itemprop=name>Jane Roe</span><meta itemprop=birthDate content=1970-01-31></div>",
        "<div class=patient-name><label>Patient name</label></div><span id=mrn>MRN</span>",
        "<li data-patient-id='{{id}}' data-patient-name='${name}' data-dob='<dob>'></li>",
        "<h1>API reference</h1><h2>Create a patient</h2><pre>{\n  \"mrn\": \"77\",\n  \"patientName\": \"Jane Roe\"\n}</pre>",
        "<h4>Example Value</h4><div>MRN: 77</div><div>Patient name: Jane Roe</div><div>DOB: 1970-01-31</div>",
    ] {
        assert_eq!(html(&format!("<html><body>{body}</body></html>")), [""; 0], "{body}");
    }
    // A link to a manual is none.
    let page = html(
        "<html><a href=/docs>API docs</a><p>MRN: H-77</p><p>Patient name: Jane Roe</p><p>DOB: 1970-01-31</p></html>",
    );
    assert_eq!(page, [JANE]);
}

#[test]
fn names_above_birth_dates() {
    for body in [
        "<h2>Roe, Jane</h2><p>DOB: 1970-01-31 | MRN: H-77</p>",
        "<h1>Patient Jane Roe</h1><table><tr><td>DOB</td><td>1970-01-31</td><td>MRN</td><td>H-77</td></tr></table>",
        "<p>Patient <b>Jane Roe</b> &middot; born 1970-01-31 &middot; MRN H-77</p>",
    ] {
        let got = html(&format!("<html><body>{body}</body></html>"));
        assert_eq!(got.len(), 1, "{got:?}");
        let name = got[0].contains("name=Roe, Jane") || got[0].contains("name=Jane Roe");
        assert!(
            name && got[0].contains("birth_date=1970-01-31") && got[0].contains("patient_id=H-77"),
            "{got:?}"
        );
    }
}

#[test]
fn lists_in_scripts() {
    let list = r#"[ {"mrn":"H-77","patient_name":"Jane Roe","dob":"1970-01-31"}, {"mrn":"H-78","patient_name":"Max Li","dob":"1980-02-01"}]"#;
    let got = html(&format!("<html><script>var rows = {list};</script></html>"));
    assert_eq!(got.len(), 2, "{got:?}");
}

#[test]
fn programs_in_pages_have_no_labels_without_a_sign() {
    for body in [
        "<p><code>p</code> is a value of type <code>CharT</code><code>*</code>; <code>I1</code> is one</p><p>I was born on 5/30/1973</p>",
        "<h2>Condition handling</h2><p>or by its <code>zip</code> file, and for all platforms</p><pre class=example>  first = CADR(args);</pre>",
        "<div class='highlight-python3 notranslate'><div class=highlight><pre><span>condition</span> <span>fun</span>\n<span>last</span>\nFile\n<span>zip</span>\n</pre></div></div><p>Martin Panter in bpo-12319.</p>",
        "<pre class=programlisting><span>patient</span> <span>Jane Roe</span> <span>mrn</span> <span>H-77</span></pre>",
    ] {
        assert_eq!(html(&format!("<html><body>{body}</body></html>")), [""; 0], "{body}");
    }
    // With one they are; and a value may be in letters of a program.
    for body in [
        "<div>MRN: <code>H-77</code></div><div>Patient name: <code>Jane Roe</code></div><div>DOB: <code>1970-01-31</code></div>",
        "<pre class=highlight>MRN: H-77\nPatient name: Jane Roe\nDOB: 1970-01-31\n</pre>",
    ] {
        assert_eq!(html(&format!("<html><body>{body}</body></html>")), [JANE], "{body}");
    }
}

#[test]
fn heads_of_records_begin_with_the_name() {
    let line = |rest: &str| format!("http>html:~html [PatientContext] {rest}");
    for body in [
        "<div class=patient-banner><div>Jane Roe</div><div>DOB 1970-01-31 (56 y)</div><div>MRN H-77</div></div>",
        "<section class='row ptHeader'><span>Jane Roe</span><span>DOB: 1970-01-31</span><span>MRN: H-77</span></section>",
    ] {
        let expected = line("name=Jane Roe birth_date=1970-01-31 patient_id=H-77");
        assert_eq!(html(&format!("<html><body>{body}</body></html>")), [expected], "{body}");
    }
    let other = "<div class=patient-banner><div>Active problems</div><div>DOB 1970-01-31</div><div>MRN H-77</div></div>";
    let expected = line("birth_date=1970-01-31 patient_id=H-77");
    assert_eq!(html(&format!("<html><body>{other}</body></html>")), [expected]);
    let other = "<div class=doctor-banner><div>Jane Roe</div><div>DOB 1970-01-31</div></div>";
    assert_eq!(html(&format!("<html><body>{other}</body></html>")), [""; 0]);
}

#[test]
fn pieces_of_pages_without_a_type() {
    let piece = b"<div class=modal><dl><dt>MRN</dt><dd>H-77</dd><dt>Patient name</dt><dd>Jane Roe</dd><dt>DOB</dt><dd>1970-01-31</dd></dl></div>";
    assert_eq!(records("", piece), [JANE]);
}

#[test]
fn cells_of_several_lines_name_the_patient_first() {
    let page = "<html><table><thead><tr><th>Patient<th>Modality<th>Referring</tr></thead><tbody>\
        <tr><td><div>ROE, Jane</div><small>ID H-77 &middot; DOB 01/31/1970</small><td>CT<td>House, Greg</tr>\
        <tr><td>LI, Max<br>MRN: H-78<br>DOB: 02/01/1980<td>CT<td>House, Greg</tr>\
        <tr><td>PENN, Otto (05/03/1950)<br>MRN H-79<td>CT<td>House, Greg</tr></tbody></table></html>";
    let line = |rest: &str| format!("http>html:~html [PatientContext] {rest}");
    assert_eq!(
        html(page),
        [
            line("name=ROE, Jane patient_id=H-77 birth_date=01/31/1970"),
            line("name=LI, Max patient_id=H-78 birth_date=02/01/1980"),
            line("birth_date=05/03/1950 name=PENN, Otto patient_id=H-79"),
        ]
    );
}

#[test]
fn cards_of_several_patients() {
    let card = |name: &str, id: &str, birth: &str| {
        format!(
            "<div class='card patient'><h4>{name}</h4><div><span>MRN: {id}</span><span>DOB: {birth}</span></div></div>"
        )
    };
    let (jane, max) =
        (card("Jane Roe", "H-77", "1970-01-31"), card("Max Li", "H-78", "1980-02-01"));
    let line = |rest: &str| format!("http>html:~html [PatientContext] {rest}");
    assert_eq!(
        html(&format!("<html><body>{jane}{max}</body></html>")),
        [
            line("name=Jane Roe patient_id=H-77 birth_date=1970-01-31"),
            line("name=Max Li patient_id=H-78 birth_date=1980-02-01"),
        ]
    );
    let header = "<html><div class=patient-header><span>Roe, Jane</span> <span>(F)</span> <span>DOB: 1970-01-31</span> <span>MRN: H-77</span></div></html>";
    let expected = line("name=Roe, Jane birth_date=1970-01-31 patient_id=H-77");
    assert_eq!(html(header), [expected]);
}

#[test]
fn headings_above_labels_may_be_names() {
    let line = |rest: &str| format!("http>html:~html [PatientContext] {rest}");
    let page = "<html><h2>Jane Roe</h2><ul><li>MRN: H-77</li><li>Date of birth: 1970-01-31</li></ul></html>";
    assert_eq!(html(page), [line("name=Jane Roe patient_id=H-77 birth_date=1970-01-31")]);
    let page = "<html><h2>Vital Signs</h2><ul><li>MRN: H-77</li><li>Date of birth: 1970-01-31</li></ul></html>";
    assert_eq!(html(page), [line("patient_id=H-77 birth_date=1970-01-31")]);
    // The page of a member of staff.
    let page =
        "<html><h2>Jane Roe</h2><p>Date of birth: 1970-01-31</p><p>Phone: 555-0101</p></html>";
    assert!(!html(page).concat().contains("PatientContext"));
}

#[test]
fn a_table_with_a_column_for_each_patient() {
    let found = [
        "http>html:~html [PatientContext] name=Jane Roe birth_date=1970-01-31 patient_id=77",
        "http>html:~html [PatientContext] name=Otto Penn birth_date=1951-04-12 patient_id=78",
    ];
    for head in ["", "<tr><th></th><th>Patient 1</th><th>Patient 2</th></tr>"] {
        for tag in ["td", "th"] {
            let row = |name: &str, a: &str, b: &str| {
                format!("<tr><{tag}>{name}</{tag}><td>{a}</td><td>{b}</td></tr>")
            };
            let table = [
                row("Name", "Jane Roe", "Otto Penn"),
                row("Date of birth", "1970-01-31", "1951-04-12"),
                row("MRN", "77", "78"),
                row("Ward", "3", "3"),
            ];
            assert_eq!(
                html(&format!("<table>{head}{}</table>", table.concat())),
                found,
                "{head} {tag}"
            );
        }
    }
}

#[test]
fn cards_and_topics() {
    let card = |name: &str, birth: &str, id: &str| {
        format!(
            "<section><h3>{name}</h3><dl><dt>Born</dt><dd>{birth}</dd><dt>{id}</dt></dl></section>"
        )
    };
    let cards = [
        card("Jane Roe", "1970-01-31", "MRN</dt><dd>77</dd><dt>"),
        card("Otto Penn", "1951-04-12", "MRN</dt><dd>78</dd><dt>"),
        card("Ida Kern", "1962-05-13", "MRN</dt><dd>79</dd><dt>"),
    ];
    let got = html(&cards.concat());
    for (line, name) in got.iter().zip(["Jane Roe", "Otto Penn", "Ida Kern"]) {
        assert!(line.contains(name), "{got:?}");
    }
    assert_eq!(got.len(), 3, "{got:?}");
    // The topic of a talk does not make its speaker a patient.
    let talk = html(&card("Jane Roe", "1970-01-31", "Talk</dt><dd>Patient safety</dd><dt>"));
    assert!(talk.iter().all(|line| !line.contains("PatientContext")), "{talk:?}");
}

#[test]
fn a_resource_that_a_server_shows_in_colours() {
    let body = "<span class='hlTagName'>&quot;resourceType&quot;</span>: <span class='hlQuot'>&quot;Patient&quot;</span>,\
        <div id=\"line2\">&quot;identifier&quot;: [{&quot;value&quot;: &quot;H-77&quot;}],</div>\
        &quot;name&quot;: [{&quot;family&quot;: &quot;Roe&quot;, &quot;given&quot;: [&quot;Jane&quot;]}]}";
    let page = |class: &str| {
        format!(
            "<html><body><h1>Response Body</h1><div class=\"{class}\"><div><pre>1\n2</pre></div><pre>\n{{{body}</pre></div></body></html>"
        )
    };
    let got = html(&page("responseBodyTable"));
    assert_eq!(got.len(), 1, "{got:?}");
    assert!(got[0].contains("patient_id=H-77 name=Roe^Jane"), "{got:?}");
    // An example in documentation.
    assert_eq!(html(&page("highlight")), [""; 0]);
}

#[test]
fn a_label_and_its_value_in_rows_of_one_cell() {
    let got = html(
        "<html><body><table><tr><td colspan=2>Name, Vorname des Versicherten</td></tr>\
        <tr><td colspan=2>Roe<br>Jane</td></tr><tr><td>geb. am</td><td>31.01.1970</td></tr>\
        <tr><td>Versicherten-Nr.</td><td>A123456780</td></tr></table></body></html>",
    );
    let fields = "name=Roe Jane birth_date=31.01.1970 insurance_number=A123456780";
    assert!(got.len() == 1 && got[0].ends_with(fields), "{got:?}");
    // A word alone is a heading, and what follows the table is no value of its last row.
    for rows in [
        "<tr><td>Patient</td></tr><tr><td>Open Tasks</td></tr></table>",
        "<tr><td>Patient name</td></tr></table><p>Open Tasks</p>",
        "<tr><td>Patient name</td></tr><tr><td>Ward</td><td>Open Tasks</td></tr></table>",
    ] {
        let page = format!("<html><body><table>{rows}<p>DOB: 1970-01-31</p></body></html>");
        assert!(!html(&page).concat().contains("Open Tasks"), "{rows}: {:?}", html(&page));
    }
}

#[test]
fn classes_in_the_header_of_a_record() {
    let block = html(
        "<html><body><section class=\"patient-banner\"><div class=\"patient-banner__name\">Roe, Jane</div>\
        <span class=\"label\">Born</span> <span class=\"value\">31-Jan-1970</span></section></body></html>",
    );
    assert!(
        block.len() == 1 && block[0].contains("name=Roe, Jane birth_date=31-Jan-1970"),
        "{block:?}"
    );
    let card = |class: &str| {
        format!(
            "<html><body><div class=\"{class}\"><span class=\"fornamn\">Jane</span> <span class=\"efternamn\">Roe</span>\
            <span class=\"fodelsedatum\">1970-01-31</span></div></body></html>"
        )
    };
    let got = html(&card("patientkort"));
    assert!(got.len() == 1 && got[0].contains("name=Roe^Jane"), "{got:?}");
    assert!(
        !html(&card("medarbetare")).concat().contains("Roe"),
        "{:?}",
        html(&card("medarbetare"))
    );
}

#[test]
fn headings_above_each_row_of_one_person() {
    let one = "<table><tr><th>Patient</th><th>MRN</th></tr><tr><td>Jane Roe</td><td>H-77123</td></tr><tr><th>DOB</th><th>Sex</th></tr><tr><td>1970-01-31</td><td>F</td></tr></table>";
    let got = html(one);
    let values = ["name=Jane Roe", "patient_id=H-77123", "birth_date=1970-01-31", "sex=F"];
    assert!(got.len() == 1 && values.iter().all(|v| got[0].contains(v)), "{got:?}");
    let two = "<table><tr><th>Patient</th><th>MRN</th></tr><tr><td>Jane Roe</td><td>H-77123</td></tr><tr><th>DOB</th><th>Sex</th></tr><tr><td>1970-01-31</td><td>F</td></tr><tr><td>1980-02-01</td><td>M</td></tr></table>";
    let got = html(two);
    assert!(got[0].contains("name=Jane Roe") && !got[0].contains("birth_date"), "{got:?}");
    let doctor = "<table><tr><th>Patient</th><th>MRN</th></tr><tr><td>Jane Roe</td><td>H-77123</td></tr><tr><th>Doctor</th><th>Phone</th></tr><tr><td>Max Doe</td><td>503 555 0100</td></tr></table>";
    let got = html(doctor);
    assert!(got.len() == 1 && !got[0].contains("Doe"), "{got:?}");
}

#[test]
fn dumps_of_php() {
    let array = "Array\n(\n    [mrn] =&gt; H-77123\n    [first_name] =&gt; Jane\n    [last_name] =&gt; Roe\n    [birth_date] =&gt; 1970-01-31\n)\n";
    let object = "object(Patient)#3 (4) {\n  [\"mrn\"]=>\n  string(7) \"H-77123\"\n  [\"firstName\"]=>\n  string(4) \"Jane\"\n  [\"lastName\"]=>\n  string(3) \"Roe\"\n  [\"birthDate\"]=>\n  string(10) \"1970-01-31\"\n}\n";
    for page in [
        format!("<html><body><h1>Debug</h1><pre>{array}</pre><p>MRN: H-9</p></body></html>"),
        format!("<pre>{object}</pre>"),
        object.to_owned(),
        format!("{object}<html><body><p>Welcome</p></body></html>"),
    ] {
        let got = html(&page);
        let fits = got.first().is_some_and(|got| {
            ["patient_id=H-77123", "name=Roe^Jane", "birth_date=1970-01-31"]
                .iter()
                .all(|f| got.contains(f))
        });
        assert!(fits, "{page}: {got:?}");
    }
    let labelled = html("Patient: Jane Roe\nMRN: H-77123\nDOB: 1970-01-31\n");
    assert!(labelled.len() == 1 && labelled[0].contains("patient_id=H-77123"), "{labelled:?}");
    let user = array.replace("mrn", "user_id").replace("birth_date", "joined");
    assert_eq!(html(&format!("<pre>{user}</pre>")), [""; 0]);
}

#[test]
fn a_resource_in_an_element_of_text() {
    let page = |class: &str, body: &str| {
        let body = body.replace('"', "&quot;");
        html(&format!(
            "<html><body><h1>Result</h1><pre class=\"{class}\">{body}</pre></body></html>"
        ))
    };
    let patient = "{\n  \"resourceType\": \"Patient\",\n  \"identifier\": [{\"system\": \"urn:oid:1.2.3\", \"value\": \"H-77123\"}],\n  \"name\": [{\"family\": \"Roe\", \"given\": [\"Jane\"]}]\n}";
    let got = page("response", patient);
    assert!(got.len() == 1 && got[0].contains("fhir"), "{got:?}");
    assert!(got[0].contains("patient_id=H-77123 name=Roe^Jane"), "{got:?}");
    // A listing is a program.
    assert!(!page("highlight", patient).concat().contains("fhir"));
}

#[test]
fn a_label_above_its_value_in_one_cell() {
    let got = html(
        "<html><body><table><tr><td><b>Patient Name</b><br>Jane Roe</td><td><b>DOB</b><br>01/31/1970</td></tr>\
        <tr><td><b>MRN</b><br>H-77123</td><td><b>Physician</b><br>Otto Low</td></tr></table></body></html>",
    );
    let fields = "name=Jane Roe birth_date=01/31/1970 patient_id=H-77123";
    assert!(got.len() == 1 && got[0].ends_with(fields), "{got:?}");
}

#[test]
fn headings_and_cells_with_labels_and_values() {
    for body in [
        "<h2>Patient: Jane Roe</h2><h2>Sex: F</h2><h2>Date of birth: 1970-01-31</h2><h2>MRN: H-77</h2>",
        "<table><tr><th>Patient Name: Jane Roe</th><th>MRN: H-77</th></tr><tr><th>DOB : 1970-01-31</th></tr></table>",
        "<h3>Patients</h3><div><h5>Jane Roe</h5><p><b>ID:</b> H-77</p><p><b>DOB:</b> 1970-01-31</p></div>",
        "<div>Patient Name: Jane Roe&emsp;&emsp;Age: 33&emsp;MRN: H-77 DOB: 1970-01-31</div>",
    ] {
        let got = html(&format!("<html><body>{body}</body></html>"));
        assert_eq!(got.len(), 1, "{body}: {got:?}");
        for field in ["name=Jane Roe", "patient_id=H-77", "birth_date=1970-01-31"] {
            assert!(got[0].contains(field), "{body}: {got:?}");
        }
    }
}

#[test]
fn literals_in_scripts() {
    let page = |script: &str| html(&format!("<html><body><script>{script}</script></body></html>"));
    let got = page(
        "var patients = [{ id: 'H-77', name: 'Jane Roe', dob: '1970-01-31', }, { id: 'H-78', name: 'Max Li', dob: new Date('1971-02-28') }];",
    );
    assert!(got.len() == 2 && got.iter().all(|one| one.contains("PatientContext")), "{got:?}");
    assert!(got[1].contains("name=Max Li") && got[1].contains("birth_date=1971-02-28"), "{got:?}");
    let text = "<html><body><script>let patients = [{ id: 'H-77', name: 'Jane Roe', dob: '1970-01-31' }];</script></body></html>";
    let one =
        records_of(Media::Type { content_type: "text/html", name: "" }, &[], text.as_bytes(), 1);
    assert!(one.len() == 1 && one[0].contains("PatientContext"), "{one:?}");
    let quoted = page(r#"const patientList = [{"mrn": "H-77", "name": "Jane Roe"}];"#);
    assert!(quoted.len() == 1 && quoted[0].contains("name=Jane Roe"), "{quoted:?}");
    for attribute in [
        "ng-init=\"patient={mrn:'H-77',name:'Jane Roe'}\"",
        "x-data=\"{ patient: { mrn: 'H-77', name: 'Jane Roe' } }\"",
    ] {
        let got = html(&format!("<html><body><div {attribute}></div></body></html>"));
        assert!(got.len() == 1 && got[0].contains("name=Jane Roe"), "{attribute}: {got:?}");
    }
    let staff = page("var doctors = [{ id: 'H-77', name: 'Jane Roe', dob: '1970-01-31' }];");
    assert!(!staff.concat().contains("PatientContext"), "{staff:?}");
}
