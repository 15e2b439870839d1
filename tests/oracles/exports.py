#!/usr/bin/env python3
"""exports.py OUT.pcap [COUNT]: as records.py, for what programs export and exchange: property lists, calls of procedures,
dumps and files of databases, medication plans, lists to choose from, pages of server components, JSON in calls, lists of
changes, directories, Turtle, and markup of medical records.

The standard library of Python (plistlib, xmlrpc.client, sqlite3, gzip, json, email) and lxml write the documents. Some
are about staff and things, and name no patient."""
import base64, gzip, json, plistlib, sqlite3, tempfile, xmlrpc.client
from email.message import EmailMessage
from pathlib import Path

from lxml import etree, html
from lxml.html import builder as E
from records import ALL, JSON, Person, R, answer, request, write

SHAPES = []
THREE = ("name", "birth_date", "patient_id")


def shape(make):
    SHAPES.append(make)
    return make


def people(most=3):
    return [Person() for _ in range(R.randint(1, most))]


def flat(p, keys=None):
    keys = keys or R.choice([("mrn", "patient_name", "birth_date"), ("patientId", "patientName", "dateOfBirth"), ("MRN", "PatientName", "DOB")])
    return dict(zip(keys, (p.id, f"{p.given} {p.family}", p.birth)))


def xml(root):
    return etree.tostring(root, encoding="utf-8", xml_declaration=True)


# --- Values named by an element beside them --------------------------------------------------------


@shape
def property_list():
    those = people()
    body = plistlib.dumps(R.choice([[flat(p) for p in those], {"patients": [flat(p) for p in those]}]))
    return answer(body, "application/xml", "/export/list.plist"), [p.truth(*THREE) for p in those]


@shape
def call_of_a_procedure():
    those = people()
    values = [flat(p) for p in those]
    if R.random() < 0.5:
        return request(xmlrpc.client.dumps((values,), "clinic.save"), "text/xml", "/RPC2"), [p.truth(*THREE) for p in those]
    return answer(xmlrpc.client.dumps((values,), methodresponse=True), "text/xml", "/RPC2"), [p.truth(*THREE) for p in those]


# --- Databases -------------------------------------------------------------------------------------


def database(those, path):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE patients (mrn TEXT PRIMARY KEY, last_name TEXT, first_name TEXT, date_of_birth TEXT, sex TEXT)")
    rows = [(p.id, p.family, p.given, p.birth, p.letter) for p in those]
    connection.executemany("INSERT INTO patients VALUES (?, ?, ?, ?, ?)", rows)
    connection.commit()
    return connection


@shape
def dump_of_a_database():
    those = list({p.id: p for p in people()}.values())
    text = "\n".join(database(those, ":memory:").iterdump())
    return answer(text, "application/sql", "/backup/clinic.sql"), [p.truth(*ALL) for p in those]


@shape
def file_of_a_database():
    those = list({p.id: p for p in people()}.values())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clinic.db"
        database(those, path).close()
        return answer(path.read_bytes(), "application/vnd.sqlite3", "/backup/clinic.db"), [p.truth(*ALL) for p in those]


# --- Plans, calls, changes -------------------------------------------------------------------------


@shape
def medication_plan():
    p = Person()
    plan = {"Patient": {"FName": p.given, "LName": p.family, "BDt": p.birth, "Gender": 1 if p.letter == "M" else 2}, "Medicaments": [{"Id": "971867", "IdType": 3}], "MedType": 1, "Auth": "7601001362383"}
    text = json.dumps(plan, ensure_ascii=False)
    body = R.choice([lambda: "CHMED16A0" + text, lambda: "CHMED16A1" + base64.b64encode(gzip.compress(text.encode())).decode()])()
    return request(body, "text/plain; charset=utf-8", "/plans"), [p.truth("name", "birth_date")]


@shape
def json_in_a_call():
    those = people()
    body = f"/**/handle({json.dumps({'patients': [flat(p) for p in those]}, ensure_ascii=R.random() < 0.5)});"
    return answer(body, "application/javascript", "/api/patients.js"), [p.truth(*THREE) for p in those]


@shape
def rows_of_server_components():
    those = people()
    rows = '1:I[77,[],""]\n' + "".join(f"{n + 5:x}:{json.dumps({'patient': flat(p)})}\n" for n, p in enumerate(those))
    script = f"self.__next_f.push([1,{json.dumps(rows)}])".replace("</", "<\\/")
    return answer(f"<!DOCTYPE html><html><body><div>Loading</div><script>{script}</script></body></html>", "text/html; charset=utf-8", "/p/7"), [p.truth(*THREE) for p in those]


@shape
def mail():
    p = Person()
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "Referral", "a@h.example", "b@k.example"
    message.set_content(f"Patient: {p.given} {p.family}\nDate of birth: {p.birth}\nMRN: {p.id}\n\nKind regards\n")
    return request(message.as_bytes(), "message/rfc822", "/outbox"), [p.truth(*THREE)]


# --- Pages -----------------------------------------------------------------------------------------


def page(*body):
    document = E.HTML(E.HEAD(E.TITLE("Clinic")), E.BODY(E.H1("Appointments"), *body))
    return html.tostring(document, encoding="utf-8", doctype="<!DOCTYPE html>")


@shape
def patients_to_choose_from():
    those = people(4)
    text = R.choice(["{g} {f} ({b})", "{f}, {g} - {b}", "{g} {f} | {b}", "{g} {f} [DOB: {b}]"])
    options = [E.OPTION(text.format(g=p.given, f=p.family, b=p.birth), value=p.id) for p in those]
    select = E.SELECT(E.OPTION("Select a patient...", value=""), *options, name=R.choice(["patient", "patientId", "ctl00$patient"]))
    return answer(page(E.FORM(E.LABEL("Patient"), select)), "text/html; charset=utf-8", "/book"), [p.truth(*THREE) for p in those]


@shape
def banner():
    p = Person()
    head = E.DIV(E.DIV(f"{p.given} {p.family}"), E.DIV(f"DOB {p.birth} (54 y)"), E.DIV(f"MRN {p.id}"), E.CLASS("patient-banner"))
    return answer(page(head), "text/html; charset=utf-8", "/chart"), [p.truth(*THREE)]


# --- Other notations -------------------------------------------------------------------------------


@shape
def directory():
    those, text = people(), "version: 1\n\n"
    for p in those:
        def value(name, text):
            safe = text.isascii() and not text.startswith((" ", ":", "<"))
            return f"{name}: {text}\n" if safe else f"{name}:: {base64.b64encode(text.encode()).decode()}\n"
        text += value("dn", f"uid={p.id},ou=patients,dc=example") + "objectClass: person\n"
        text += value("sn", p.family) + value("givenName", p.given) + f"mrn: {p.id}\nbirthDate: {p.birth}\n\n"
    return answer(text, "text/plain; charset=utf-8", "/export/people.ldif"), [p.truth(*THREE) for p in those]


@shape
def turtle():
    p = Person()
    text = json.dumps  # Turtle has the escapes of JSON.
    body = f"""@prefix fhir: <http://hl7.org/fhir/> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .

<http://h.example/fhir/Patient/77> a fhir:Patient ;
  fhir:nodeRole fhir:treeRoot ;
  fhir:identifier ( [ fhir:system [ fhir:v "http://h.example/mrn"^^xsd:anyURI ] ; fhir:value [ fhir:v {text(p.id)} ] ] ) ;
  fhir:name ( [ fhir:family [ fhir:v {text(p.family)} ] ; fhir:given ( [ fhir:v {text(p.given, ensure_ascii=False)} ] ) ] ) ;
  fhir:gender [ fhir:v "{p.sex}" ] ;
  fhir:birthDate [ fhir:v "{p.birth}"^^xsd:date ] .
"""
    return answer(body, "text/turtle", "/fhir/Patient/77"), [p.truth(*ALL)]


@shape
def medical_markup():
    p, q = Person(), Person()
    pi, nm, cm = (f"http://www.medxml.net/MML/{part}/1.0" for part in ("ContentModule/PatientInfo", "SharedComponent/Name", "SharedComponent/Common"))
    root = etree.Element("Mml", version="3.0", nsmap={"mmlPi": pi, "mmlNm": nm, "mmlCm": cm})

    def add(parent, path, text=None):
        for name in path.split("/"):
            space, _, local = name.rpartition(":")
            space = {"pi": pi, "nm": nm, "cm": cm}.get(space)
            parent = etree.SubElement(parent, f"{{{space}}}{local}" if space else local)
        parent.text = text
        return parent

    creator = add(root, "MmlHeader/CreatorInfo/nm:Name")
    add(creator, "nm:family", q.family)
    add(creator, "nm:given", q.given)
    module = add(root, "MmlBody/MmlModuleItem/content/pi:PatientModule")
    add(module, "pi:uniqueInfo/pi:masterId/cm:Id", p.id)
    name = add(module, "pi:personName/nm:Name")
    add(name, "nm:family", p.family)
    add(name, "nm:given", p.given)
    add(module, "pi:birthday", p.birth)
    add(module, "pi:sex", p.sex)
    return request(xml(root), "application/xml", "/mml"), [p.truth(*ALL)]


# --- Staff and things ------------------------------------------------------------------------------


@shape
def staff_and_programs():
    p = Person()
    name = f"{p.given} {p.family}"
    employee = {"employeeId": p.id, "name": name, "birthDate": p.birth, "salary": "100"}
    options = [E.OPTION(f"{name} ({p.birth})", value=p.id)]
    code = E.DIV(E.PRE(E.SPAN("patient"), " ", E.SPAN(name), "\n", E.SPAN("mrn"), " ", E.SPAN(p.id)), E.CLASS("highlight"))
    return R.choice([
        answer(plistlib.dumps({"CFBundleName": "Patient Viewer", "CFBundleIdentifier": "org.example.viewer"}), "application/xml", "/Info.plist"),
        request(xmlrpc.client.dumps((employee,), "staff.save"), "text/xml", "/RPC2"),
        answer(page(E.LABEL("Doctor"), E.SELECT(*options, name="doctor")), "text/html; charset=utf-8", "/book"),
        answer(page(code), "text/html; charset=utf-8", "/manual"),
        answer(f"dn: uid=x,ou=people,dc=example\nobjectClass: inetOrgPerson\ncn: Jane Roe\nsn: Roe\nemployeeNumber: {p.id}\n", "text/plain", "/people.ldif"),
        answer('@prefix foaf: <http://xmlns.com/foaf/0.1/> .\n<#me> a foaf:Person ; foaf:name "Jane Roe" ; foaf:mbox <mailto:a@b.example> .\n', "text/turtle", "/me.ttl"),
    ]), []


if __name__ == "__main__":
    write(SHAPES)
