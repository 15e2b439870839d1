#!/usr/bin/env python3
"""interchanges.py OUT.pcap [COUNT]: as records.py, with interchanges, documents and labels: X12 written and read
back by pyx12, EDIFACT by pydifact, CDA and PIX/PDQ by lxml, and labelled lines, forms and tables of many languages.

The truth is known from how each was made: who is asked about, claims, or is the subject. Holders of a plan,
relatives, doctors and clerks are in many of them, and are nobody's patients."""
import io, unicodedata

from lxml import etree
from pydifact.segmentcollection import Interchange
from pydifact.segments import Segment as Edifact
from pyx12.segment import Segment as X12
from pyx12.x12file import X12Reader, X12Writer
from records import ALL, R, Person, answer, request, write

SHAPES = []


def shape(make):
    SHAPES.append(make)
    return make


def plain(text):
    """In letters of ASCII, as most interchanges have them."""
    text = text.translate(str.maketrans("øØłŁæ", "oOlLa"))
    return "".join(c for c in unicodedata.normalize("NFKD", text) if c.isascii())


class Plain(Person):
    def __init__(self):
        super().__init__()
        self.given, self.family = plain(self.given), plain(self.family)


def compact(p):
    return p.birth.replace("-", "")


# --- X12 -------------------------------------------------------------------------------------------


def x12(transaction, version, segments):
    """An interchange of one transaction, with any delimiters, which pyx12 writes, counts and reads back."""
    seg, ele = R.choice(["~", "\x1c"]), R.choice(["*", "|"])
    out = io.StringIO()
    writer = X12Writer(out, seg, ele, ":", R.choice(["\n", "", "\r\n"]), "^")
    head = ["ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       *260301*1015*^*00501*000000905*0*P*:", f"GS*HC*S*R*20260301*1015*1*X*{version}", f"ST*{transaction}*0001*{version}"]
    for text in head + segments:
        writer.Write(X12(text, "~", "*", ":"))
    writer.close()
    text = out.getvalue()
    reader = X12Reader(io.StringIO(text))
    read = [s.format("~", "*", ":") for s in reader]
    assert len(read) == len(head) + len(segments) + 3 and not reader.pop_errors(), read
    return text


def named(code, p, number=None):
    return f"NM1*{code}*1*{p.family.upper()}*{p.given.upper()}" + (f"****MI*{number}" if number else "")


def demographics(p):
    return f"DMG*D8*{compact(p)}*{p.letter}"


PROVIDER = ["HL*1**20*1", "NM1*85*2*RIVERBEND CLINIC*****XX*1234567893", "N3*1 CLINIC RD", "N4*TROY*NY*12180"]


@shape
def claims():
    segments, people, level = list(PROVIDER), [], 1
    for _ in range(R.randint(1, 3)):
        holder, children = Plain(), [Plain() for _ in range(R.randint(0, 2))]
        own = not children or R.random() < 0.3
        level += 1
        parent = level
        segments += [f"HL*{level}*1*22*{int(bool(children))}", "SBR*P*18*******CI" if own else "SBR*P********CI", named("IL", holder, f"W{holder.year}{holder.month}{R.randint(1000, 9999)}"), demographics(holder), "NM1*PR*2*PAYER*****PI*54321"]
        if own:
            segments += [f"CLM*A{level}77*125***11:B:1*Y*A*Y*Y", "NM1*82*1*HOUSE*GREG****XX*1234567893"]
            people.append(holder.truth("name", "birth_date"))
        for child in children:
            level += 1
            segments += [f"HL*{level}*{parent}*23*0", "PAT*19", named("QC", child), demographics(child), f"CLM*A{level}78*99***11:B:1*Y*A*Y*Y"]
            people.append(child.truth("name", "birth_date"))
    return request(x12("837", "005010X222A1", segments), "application/edi-x12", "/claims"), people


@shape
def payments():
    segments, people = ["N1*PR*PAYER", "N1*PE*CLINIC*XX*1234567893", "LX*1"], []
    for n in range(R.randint(1, 3)):
        p, holder = Plain(), Plain()
        segments += [f"CLP*A{n}79*1*100*80**12*7", named("QC", p, f"W{R.randint(100000, 999999)}")]
        if R.random() < 0.5:
            segments.append(named("IL", holder))
        segments.append("NM1*82*1*HOUSE*GREG****XX*1234567893")
        people.append(p.truth("name"))
    return request(x12("835", "005010X221A1", segments), "application/edi-x12", "/remits"), people


@shape
def eligibility():
    p, holder = Plain(), Plain()
    number = f"W{R.randint(100000, 999999)}"
    kind, ask = R.choice([("270", "EQ*30"), ("271", "EB*1**30")])
    levels = ["HL*1**20*1", "NM1*PR*2*PAYER*****PI*1", "HL*2*1*21*1", "NM1*1P*1*HOUSE*GREG****XX*1234567893"]
    if R.random() < 0.5:
        segments = levels + ["HL*3*2*22*0", named("IL", p, number), demographics(p), ask]
    else:
        segments = levels + ["HL*3*2*22*1", named("IL", holder, number), "HL*4*3*23*0", named("03", p), demographics(p), "INS*N*19", ask]
    return request(x12(kind, "005010X279A1", segments), "application/edi-x12", "/eligibility"), [p.truth("name", "birth_date")]


@shape
def enrolment():
    people = [Plain() for _ in range(R.randint(1, 4))]
    segments = ["BGN*00*1*20260301", "N1*P5*SPONSOR*FI*1", "N1*IN*PAYER*FI*2"]
    for n, p in enumerate(people):
        segments += [f"INS*{'N' if n else 'Y'}*{'19' if n else '18'}*021*20*A", "REF*0F*88001", named("IL", p), demographics(p)]
        if R.random() < 0.4:
            segments.append(named("S3", Plain()))
        segments.append("HD*021**HLT")
    return request(x12("834", "005010X220A1", segments), "application/edi-x12", "/members"), [p.truth("name", "birth_date") for p in people]


# --- EDIFACT ---------------------------------------------------------------------------------------


@shape
def laboratory_report():
    p, doctor = Plain(), Plain()
    segments = [
        Edifact("UNB", ["UNOC", "3"], ["5790000121526", "14"], ["5790000200000", "14"], ["260301", "1015"], "42"),
        Edifact("UNH", "1", ["MEDRPT", "D", "93A", "UN"]),
        Edifact("BGM", "LRP"),
        Edifact("NAD", "PO", "", "", f"DR {doctor.given} {doctor.family}".upper()),
        Edifact("S01", "1"),
        Edifact("PNA", "PAT", [p.id, "", "", "HIS"], "", "", ["SU", p.family.upper()], ["FO", p.given.upper()]),
        Edifact("DTM", ["329", compact(p), "102"]),
        Edifact("UNT", "8", "1"),
        Edifact("UNZ", "1", "42"),
    ]
    text = Interchange.from_segments(segments).serialize(break_lines=R.random() < 0.5)
    back = Interchange.from_str(text)
    assert [s.tag for s in next(iter(back.get_messages())).segments][-2:] == ["PNA", "DTM"]
    return request(text, "application/edifact", "/lab"), [p.truth("name", "birth_date")]


# --- HL7 version 3 ---------------------------------------------------------------------------------

V3 = "urn:hl7-org:v3"


def v3(name, *children, **attributes):
    element = etree.Element(f"{{{V3}}}{name}", attributes, nsmap={R.choice([None, "h"]): V3})
    for child in children:
        if isinstance(child, str):
            element.text = child
        else:
            element.append(child)
    return element


def person(name, p):
    return v3(name, v3("name", v3("given", p.given), v3("family", p.family)), v3("administrativeGenderCode", code=p.letter), v3("birthTime", value=compact(p)))


def identified(name, p, *children):
    return v3(name, v3("id", root="1.2.276.0.76.4.99", extension=p.id), *children)


def written(element, soap):
    if soap:
        envelope = etree.Element("{http://www.w3.org/2003/05/soap-envelope}Envelope")
        etree.SubElement(envelope, "{http://www.w3.org/2003/05/soap-envelope}Body").append(element)
        element = envelope
    return etree.tostring(element, xml_declaration=R.random() < 0.7, encoding="UTF-8", pretty_print=R.random() < 0.5)


@shape
def documents():
    people = [Person() for _ in range(R.choice([1, 1, 1, 2]))]
    doctor, relative = Person(), Person()
    author = v3("author", v3("assignedAuthor", v3("id", root="1.2", extension="D77"), v3("assignedPerson", v3("name", v3("given", doctor.given), v3("family", doctor.family)))))
    other = v3("participant", v3("associatedEntity", v3("associatedPerson", v3("name", v3("given", relative.given), v3("family", relative.family)))))
    text = v3("component", v3("structuredBody", v3("component", v3("section", v3("title", "Plan"), v3("text", "Come back in May.")))))
    targets = [v3("recordTarget", identified("patientRole", p, person("patient", p))) for p in people]
    document = v3("ClinicalDocument", v3("code", code="34133-9"), *targets, author, other, text)
    return request(written(document, False), "text/xml", "/documents"), [p.truth(*ALL) for p in people]


@shape
def questions_for_patients():
    p = Person()
    name = v3("livingSubjectName", v3("value", v3("given", p.given), v3("family", p.family)))
    birth = v3("livingSubjectBirthTime", v3("value", value=compact(p)))
    query = v3("PRPA_IN201305UV02", v3("controlActProcess", v3("queryByParameter", v3("parameterList", birth, name))))
    return request(written(query, True), "application/soap+xml", "/pdq"), [p.truth("name", "birth_date")]


@shape
def answers_about_patients():
    people = [Person() for _ in range(R.randint(1, 3))]
    events = [v3("subject", v3("registrationEvent", v3("subject1", identified("patient", p, person("patientPerson", p))))) for p in people]
    asked = v3("queryByParameter", v3("parameterList", v3("livingSubjectName", v3("value", v3("family", people[0].family)))))
    result = v3("PRPA_IN201306UV02", v3("controlActProcess", *events, asked))
    return answer(written(result, True), "application/soap+xml", "/pdq"), [p.truth(*ALL) for p in people]


@shape
def other_messages():
    p, doctor = Person(), Person()
    target = R.choice(["recordTarget", "subject"])
    about = v3(target, identified("patient", p, person("patientPerson", p)))
    performer = v3("performer", v3("assignedEntity", v3("assignedPerson", v3("name", v3("given", doctor.given), v3("family", doctor.family)))))
    message = v3("POLB_IN224200UV01", v3("controlActEvent", v3("subject", v3("observationReport", about, performer))))
    return request(written(message, R.random() < 0.5), "text/xml", "/results"), [p.truth(*ALL)]


# --- Labels ----------------------------------------------------------------------------------------

LABELS = [
    ("Patient name", "Date of birth", "MRN"), ("Patient", "geb. am", "Pat.-Nr."), ("Nom du patient", "Date de naissance", "N° IPP"), ("Paziente", "Data di nascita", "ID Paziente"), ("Paciente", "Fecha de nacimiento", "NHC"),
    ("Nome do utente", "Data de nascimento", "N.º processo"), ("Patiëntnaam", "Geboortedatum", "Patiëntnummer"), ("Pasient", "Fødselsdato", "Pasientnr"), ("Pacjent", "Data urodzenia", "Nr pacjenta"), ("Beteg neve", "Születési idő", "Törzsszám"),
    ("Hasta adı soyadı", "Doğum tarihi", "Dosya no"), ("Пациент", "Дата рождения", "Номер карты"), ("Họ tên bệnh nhân", "Ngày sinh", "Mã bệnh nhân"), ("Nama Pasien", "Tanggal Lahir", "No. Rekam Medis"), ("Nom del pacient", "Data de naixement", "Núm. història"),
]


def labelled():
    p, labels = Person(), R.choice(LABELS)
    return p, list(zip(labels, (f"{p.given} {p.family}", p.birth, p.id)))


@shape
def labelled_lines():
    p, pairs = labelled()
    line = R.choice(["{}: {}\n", "{:<24}: {}\n", "{}: {}   ", "{}: {}; "])
    return answer("".join(line.format(*pair) for pair in pairs) + "\n", "text/plain; charset=utf-8", "/files/7.txt"), [p.truth("name", "birth_date", "patient_id")]


@shape
def labelled_pages():
    p, pairs = labelled()
    form = R.choice(["<p><b>{}:</b> {}</p>", "<div><span>{}</span><span>{}</span></div>", "<dl><dt>{}</dt><dd>{}</dd></dl>", "<table><tr><th>{}</th><td>{}</td></tr></table>", "<label>{}</label><input value='{}'>"])
    body = "<html><head><meta charset='utf-8'><title>7</title></head><body>" + "".join(form.format(*pair) for pair in pairs) + "</body></html>"
    return answer(body, "text/html; charset=utf-8", "/pages/7"), [p.truth("name", "birth_date", "patient_id")]


@shape
def letters():
    p = Person()
    begin = R.choice(["Re: Mrs {n}, DOB: {b}, MRN: {i}\n", "Betreff: Patientin {n}, geb. am {b}, Pat.-Nr.: {i}\n", "RE: {n}, date of birth: {b}, hospital number: {i}\n"])
    return answer(begin.format(n=f"{p.given} {p.family}", b=p.birth, i=p.id) + "\nDear colleague,\nthank you for seeing this patient.\n\nDr Greg House\n", "text/plain; charset=utf-8", "/letters/7.txt"), [p.truth("name", "birth_date", "patient_id")]


if __name__ == "__main__":
    write(SHAPES)
