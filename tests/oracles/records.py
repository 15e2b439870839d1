#!/usr/bin/env python3
"""records.py OUT.pcap [COUNT]: writes COUNT documents about people, each in an HTTP exchange of its own, and prints
as JSON, by client port, who is in them: {"20000": {"shape": "...", "people": [{"name": "...", ...}]}, ...}

Independent libraries write the documents: fhir.resources (which checks each resource against the standard), lxml,
PyJWT, python-hl7 and the csv module. People stand in many shapes: resources, bundles, parameters, patches,
extensions, tokens, tables, flat keys, arrays of labelled values, requests of GraphQL, database dumps. Some documents
are about staff and things, and name no patient."""
import base64, csv, io, json, random, sys, zlib
from urllib.parse import quote_plus

import hl7
import jwt
from fhir.resources import get_fhir_model_class
from lxml import etree
from pcap import Pcap

R = random.Random(20261129)
GIVEN = "Anna Björn Chloé Dariusz Élodie Fatima Günther Hiroko Ingrid João Kateřina Luca Małgorzata Noor Olivér Petra Quentin Rūta Søren Tomás Úrsula Věra Wilhelm Ximena Yusuf Zoë".split()
FAMILY = "Abendroth Bergström Castelnuovo Dvořáčková Espinoza Fitzgerald Grünewald Hämäläinen Iglesias Jørgensen Kowalczyk Lindqvist Montgomery Nakagawa Oberhuber Papadakis Quintero Rosenbaum Szabolcsi Thorvaldsen Underhill Vandenberg Wojciechowska Yamashita Zimmermann".split()
SEXES = [("male", "M"), ("female", "F")]


class Person:
    def __init__(self):
        self.given, self.family = R.choice(GIVEN), R.choice(FAMILY)
        self.year, self.month, self.day = R.randint(1930, 2015), R.randint(1, 12), R.randint(1, 28)
        self.birth = f"{self.year}-{self.month:02}-{self.day:02}"
        self.id = R.choice(["H{}", "P-{}", "{}", "MRN{}", "K-{}"]).format(R.randint(1000000, 9999999))
        self.sex, self.letter = R.choice(SEXES)

    def truth(self, *kinds):
        all_ = {"name": f"{self.given} {self.family}", "birth_date": self.birth, "patient_id": self.id, "sex": self.sex}
        return {k: all_[k] for k in kinds}


ALL = ("name", "birth_date", "patient_id", "sex")
JSON, FHIR = "application/json", "application/fhir+json"
SHAPES = []


def shape(make):
    SHAPES.append(make)
    return make


def fhir(kind, **fields):
    """A resource that fhir.resources has checked, as JSON."""
    return json.loads(get_fhir_model_class(kind)(**fields).model_dump_json())


def human(p):
    return {"family": p.family, "given": [p.given]}


def patient(p, **more):
    identifier = [{"system": "http://hospital.example/mrn", "value": p.id, "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}}]
    return fhir("Patient", name=[human(p)], birthDate=p.birth, gender=p.sex, identifier=identifier, **more)


def doctor():
    p = Person()
    return fhir("Practitioner", id="d1", name=[human(p)], birthDate=p.birth, gender=p.sex)


def answer(body, media=JSON, path="/api/records/7"):
    text = body if isinstance(body, (str, bytes)) else json.dumps(body, ensure_ascii=R.random() < 0.5)
    return {"method": "GET", "path": path, "media": media, "body": text}


def request(body, media=JSON, path="/api/records", method="POST"):
    return dict(answer(body, media, path), method=method)


# --- FHIR ------------------------------------------------------------------------------------------


@shape
def resource():
    p = Person()
    return answer(patient(p, id="p1"), FHIR, "/fhir/Patient/p1"), [p.truth(*ALL)]


@shape
def bundle():
    people = [Person() for _ in range(R.randint(2, 4))]
    entries = [{"fullUrl": f"urn:uuid:{i}{i}{i}", "resource": patient(p, id=f"p{i}")} for i, p in enumerate(people)]
    for i in range(len(people)):
        about = fhir("Observation", status="final", code={"text": "Sodium"}, subject={"reference": f"urn:uuid:{i}{i}{i}"}, performer=[{"reference": "Practitioner/d1", "display": "Dr House"}])
        entries.insert(R.randint(0, len(entries)), {"resource": about})
    entries.append({"fullUrl": "urn:uuid:d1", "resource": doctor()})
    return answer({"resourceType": "Bundle", "type": "collection", "entry": entries}, FHIR, "/fhir"), [p.truth(*ALL) for p in people]


@shape
def subject_by_identifier():
    p = Person()
    kind = R.choice(["Observation", "DiagnosticReport"])
    about = fhir(kind, status="final", code={"text": "Sodium"}, subject={"identifier": {"system": "http://hospital.example/mrn", "value": p.id}, "display": f"{p.given} {p.family}"})
    return answer(about, FHIR, f"/fhir/{kind}/1"), [p.truth("name", "patient_id")]


@shape
def contained_subject():
    p = Person()
    about = fhir("Condition", clinicalStatus={"text": "active"}, contained=[dict(patient(p), id="me")], subject={"reference": "#me"}, code={"text": "Asthma"})
    return answer(about, FHIR, "/fhir/Condition/1"), [p.truth(*ALL)]


@shape
def relative_of_a_patient():
    p, other = Person(), Person()
    entries = [{"fullUrl": "http://h.example/fhir/Patient/1", "resource": patient(p, id="1")}, {"resource": fhir("RelatedPerson", patient={"reference": "Patient/1"}, name=[human(other)])}]
    R.shuffle(entries)
    return answer({"resourceType": "Bundle", "type": "searchset", "entry": entries}, FHIR, "/fhir/Patient"), [p.truth(*ALL)]


@shape
def parameters():
    p = Person()
    first = R.choice([{"name": "patientName", "valueHumanName": human(p)}, {"name": "patient", "part": [{"name": "name", "valueHumanName": human(p)}, {"name": "birthDate", "valueDate": p.birth}]}])
    rest = [{"name": "birthDate", "valueDate": p.birth}, {"name": "mrn", "valueString": p.id}] if "part" not in first else []
    body = fhir("Parameters", parameter=[first] + rest)
    return request(body, FHIR, "/fhir/$match"), [p.truth("name", "birth_date")]


@shape
def extensions():
    p = Person()
    url = "https://h.example/StructureDefinition/"
    body = fhir("ServiceRequest", status="active", intent="order", subject={"reference": "Patient/9"}, extension=[{"url": url + "patient-name", "valueString": f"{p.given} {p.family}"}, {"url": url + "patient-birthdate", "valueDate": p.birth}])
    return request(body, FHIR, "/fhir/ServiceRequest"), [p.truth("name", "birth_date")]


@shape
def json_patch():
    p = Person()
    steps = R.choice([
        [("/name", [human(p)]), ("/birthDate", p.birth), ("/gender", p.sex)],
        [("/name/0/family", p.family), ("/name/0/given/0", p.given), ("/birthDate", p.birth), ("/gender", p.sex)],
    ])
    body = [{"op": R.choice(["add", "replace"]), "path": path, "value": value} for path, value in steps]
    return request(body, "application/json-patch+json", "/fhir/Patient/7", "PATCH"), [p.truth("name", "birth_date", "sex")]


@shape
def fhirpath_patch():
    p = Person()
    def operation(path, key, value):
        return {"name": "operation", "part": [{"name": "type", "valueCode": "replace"}, {"name": "path", "valueString": path}, {"name": "value", key: value}]}
    body = fhir("Parameters", parameter=[operation("Patient.name[0]", "valueHumanName", human(p)), operation("Patient.birthDate", "valueDate", p.birth)])
    return request(body, FHIR, "/fhir/Patient/7", "PATCH"), [p.truth("name", "birth_date")]


@shape
def fhir_xml():
    p = Person()
    root = etree.Element("Patient", nsmap={None: "http://hl7.org/fhir"})
    def add(to, name, **attributes):
        return etree.SubElement(to, name, attributes)
    name = add(root, "name")
    family = add(name, "family", value=p.family)
    if R.random() < 0.5:
        add(add(family, "extension", url="http://hl7.org/fhir/StructureDefinition/humanname-own-name"), "valueString", value=p.family)
    add(name, "given", value=p.given)
    identifier = add(root, "identifier")
    add(identifier, "system", value="http://hospital.example/mrn")
    add(identifier, "value", value=p.id)
    add(root, "gender", value=p.sex)
    add(root, "birthDate", value=p.birth)
    return answer(etree.tostring(root, xml_declaration=True, encoding="UTF-8"), "application/fhir+xml", "/fhir/Patient/7"), [p.truth(*ALL)]


# --- Tokens ----------------------------------------------------------------------------------------


@shape
def token():
    p = Person()
    claims = {"iss": "https://sts.example", "patient": {"given_name": p.given, "family_name": p.family, "birthdate": p.birth, "mrn": p.id}}
    text = jwt.encode(claims, "a" * 32, algorithm="HS256")
    which = R.randint(0, 2)
    if which == 0:
        body = answer({"access_token": text, "token_type": "Bearer"}, JSON, "/token")
    elif which == 1:
        body = request("assertion=" + quote_plus(text), "application/x-www-form-urlencoded", "/token")
    else:
        body = dict(answer({}, JSON, "/api/x"), headers=f"Authorization: Bearer {text}\r\n")
    return body, [p.truth("name", "birth_date", "patient_id")]


@shape
def health_card():
    p = Person()
    claims = {"iss": "https://i.example", "vc": {"credentialSubject": {"fhirBundle": {"resourceType": "Bundle", "type": "collection", "entry": [{"fullUrl": "resource:0", "resource": fhir("Patient", name=[human(p)], birthDate=p.birth)}]}}}}
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    payload = packer.compress(json.dumps(claims).encode()) + packer.flush()
    def part(raw):
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    card = ".".join([part(b'{"zip":"DEF","alg":"ES256","kid":"a"}'), part(payload), part(bytes(64))])
    digits = "shc:/" + "".join(f"{ord(c) - 45:02}" for c in card)
    body = R.choice([{"verifiableCredential": [card]}, {"qr": digits}, fhir("Parameters", parameter=[{"name": "verifiableCredential", "valueString": card}])])
    return answer(body, "application/smart-health-card", "/card"), [p.truth("name", "birth_date")]


# --- Names and values ------------------------------------------------------------------------------


KEYS = [
    ("first_name", "last_name", "date_of_birth", "mrn"), ("vorname", "nachname", "geburtsdatum", "patientennummer"),
    ("prénom", "nom", "date_naissance", "ipp"), ("nombre", "apellidos", "fecha_nacimiento", "nhc"), ("nome", "cognome", "data_nascita", "id_paziente"),
    ("voornaam", "achternaam", "geboortedatum", "patiëntnummer"), ("GivenName", "FamilyName", "BirthDate", "PatientID"), ("imię", "nazwisko", "data_urodzenia", "numer_pacjenta"),
]


def values(p):
    return (p.given, p.family, p.birth, p.id)


@shape
def plain_objects():
    people, keys = [Person() for _ in range(R.randint(1, 3))], R.choice(KEYS)
    return answer({"patients": [dict(zip(keys, values(p))) for p in people]}), [p.truth("name", "birth_date", "patient_id") for p in people]


@shape
def headers_and_rows():
    people, keys = [Person() for _ in range(2)], R.choice(KEYS)
    headers = [{"name": f"c{i:03}", "column": key.replace("_", " ").capitalize()} for i, key in enumerate(keys)]
    return answer({"headers": headers, "rows": [list(values(p)) for p in people]}, JSON, "/api/query.json"), [p.truth("name", "birth_date", "patient_id") for p in people]


@shape
def flat_paths():
    p, keys = Person(), R.choice(KEYS)
    body = {"ctx/language": "en", "ctx/composer_name": "Greg House"}
    body.update({f"record/demographics:0/person/{key}|value": value for key, value in zip(keys, values(p))})
    return request(body, JSON, "/rest/openehr/v1/composition?format=FLAT"), [p.truth("name", "birth_date")]


@shape
def number_and_name():
    people = [Person() for _ in range(2)]
    body = {"results": [{"uuid": f"u{i}", "display": f"{p.id} - {p.given} {p.family}", "links": []} for i, p in enumerate(people)]}
    return answer(body, JSON, "/openmrs/ws/rest/v1/patient?q=a"), [p.truth("name", "patient_id") for p in people]


@shape
def graphql():
    p = Person()
    text = f'mutation {{ createPatient(input: {{firstName: {json.dumps(p.given)}, lastName: {json.dumps(p.family)}, birthDate: "{p.birth}", mrn: "{p.id}"}}) {{ id }} }}'
    if R.random() < 0.5:
        return request(text, "application/graphql", "/graphql"), [p.truth("name", "birth_date", "patient_id")]
    return request({"query": text}, JSON, "/graphql"), [p.truth("name", "birth_date", "patient_id")]


@shape
def table():
    people, keys = [Person() for _ in range(3)], R.choice(KEYS)
    out = io.StringIO()
    writer = csv.writer(out, delimiter=R.choice(",;\t"), quoting=R.choice([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]))
    writer.writerow(keys)
    writer.writerows(values(p) for p in people)
    return answer(out.getvalue(), "text/csv; charset=utf-8", "/patients.csv"), [p.truth("name", "birth_date", "patient_id") for p in people]


@shape
def dump():
    people, keys = [Person() for _ in range(2)], R.choice(KEYS)
    root = etree.Element("mysqldump")
    data = etree.SubElement(etree.SubElement(root, "database", name="clinic"), "table_data", name="patients")
    for p in people:
        row = etree.SubElement(data, "row")
        for key, value in zip(keys, values(p)):
            etree.SubElement(row, "field", name=key).text = value
    return answer(etree.tostring(root, xml_declaration=True, encoding="UTF-8"), "application/xml", "/dump.xml"), [p.truth("name", "birth_date", "patient_id") for p in people]


@shape
def flat_rows():
    people = [Person() for _ in range(2)]
    root = etree.Element("dataset")
    for i, p in enumerate(people, 7):
        etree.SubElement(root, "person", person_id=str(i), gender=p.letter, birthdate=p.birth)
        etree.SubElement(root, "person_name", person_id=str(i), given_name=p.given, family_name=p.family)
        etree.SubElement(root, "patient", patient_id=str(i))
        etree.SubElement(root, "patient_identifier", patient_id=str(i), identifier=p.id)
    etree.SubElement(root, "location", location_id="1", name="North Ward")
    return answer(etree.tostring(root, xml_declaration=True, encoding="UTF-8"), "application/xml", "/export.xml"), [p.truth(*ALL) for p in people]


@shape
def message():
    p = Person()
    text = "\r".join(["MSH|^~\\&|A|B|C|D|20260301||ADT^A08|7|P|2.5|||||||UNICODE UTF-8", f"PID|1||{p.id}^^^HOSP^MR||{p.family}^{p.given}||{p.birth.replace('-', '')}|{p.letter}", "PV1|1|I"]) + "\r"
    parsed = hl7.parse(text)
    assert str(parsed.segment("PID")[3][0][0]) == p.id
    body = R.choice([request(text, "x-application/hl7-v2+er7; charset=utf-8", "/hl7"), request({"message": text}, JSON, "/hl7")])
    return body, [p.truth(*ALL)]


@shape
def narrative():
    p = Person()
    text = R.choice(["<p>Patient: {n}</p><p>DOB: {b}</p><p>MRN: {i}</p>", "<ul><li>Patient name: {n}</li><li>Date of birth: {b}</li><li>MRN: {i}</li></ul>", "<table><tr><td>Patient</td><td>{n}</td></tr><tr><td>DOB</td><td>{b}</td></tr><tr><td>MRN</td><td>{i}</td></tr></table>"])
    div = '<div xmlns="http://www.w3.org/1999/xhtml">' + text.format(n=f"{p.given} {p.family}", b=p.birth, i=p.id) + "</div>"
    body = fhir("DiagnosticReport", status="final", code={"text": "CBC"}, subject={"reference": "Patient/77"}, text={"status": "generated", "div": div})
    return answer(body, FHIR, "/fhir/DiagnosticReport/9"), [p.truth("name", "birth_date", "patient_id")]


# --- Staff and things ------------------------------------------------------------------------------


@shape
def staff():
    p = Person()
    claims = {"sub": "7", "name": f"{p.given} {p.family}", "given_name": p.given, "family_name": p.family, "email": "a@h.example", "fhirUser": "Practitioner/7", "patient": "4ef2-1"}
    return R.choice([
        answer(doctor(), FHIR, "/fhir/Practitioner/d1"),
        answer({"access_token": jwt.encode(claims, "a" * 32, algorithm="HS256")}, JSON, "/token"),
        request([{"op": "replace", "path": "/name/0/family", "value": p.family}, {"op": "replace", "path": "/birthDate", "value": p.birth}], "application/json-patch+json", "/fhir/Practitioner/7", "PATCH"),
        request({"query": f'mutation {{ createUser(input: {{firstName: {json.dumps(p.given)}, lastName: {json.dumps(p.family)}, email: "a@h.example"}}) {{ id }} }}'}, JSON, "/graphql"),
        answer({"results": [{"uuid": "u", "display": f"42-7 - {p.given} {p.family}"}]}, JSON, "/openmrs/ws/rest/v1/provider?q=a"),
        answer({"headers": [{"name": "c1", "column": "First name"}, {"name": "c2", "column": "Last name"}, {"name": "c3", "column": "Username"}], "rows": [[p.given, p.family, "u7"]]}, JSON, "/api/users.json"),
        answer('<?xml version="1.0"?><mysqldump><database name="clinic"><table_data name="users"><row><field name="first_name">%s</field><field name="last_name">%s</field><field name="email">a@h.example</field></row></table_data></database></mysqldump>' % (p.given, p.family), "application/xml", "/dump.xml"),
    ]), []


def turns(document):
    """A request and its answer, one of which carries the document."""
    body = document["body"] if isinstance(document["body"], bytes) else document["body"].encode()
    head = f"{document['method']} {document['path']} HTTP/1.1\r\nHost: h.example\r\n{document.get('headers', '')}".encode()
    bearing = f"Content-Type: {document['media']}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    if document["method"] == "GET":
        return [(True, head + b"\r\n"), (False, b"HTTP/1.1 200 OK\r\n" + bearing)]
    return [(True, head + bearing), (False, b"HTTP/1.1 204 No Content\r\n\r\n")]


def write(shapes):
    """Writes documents of all `shapes` in turn, as the arguments of the program ask."""
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 400
    capture, truth = Pcap(sys.argv[1], R), {}
    for n in range(count):
        make = shapes[n % len(shapes)]
        document, people = make()
        port = 20000 + n
        truth[port] = {"shape": make.__name__, "people": people}
        capture.conversation(port, 8080, turns(document))
    json.dump(truth, sys.stdout)


if __name__ == "__main__":
    write(SHAPES)
