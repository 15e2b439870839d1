"""Lets pydicom, dcmtk and pynetdicom make DICOM objects and send them; tells what pydicom and dcmdump read.

    dicom.py send FOLDER    objects of every transfer syntax and character set, sent over loopback into
                            FOLDER/sent.pcap; prints what each object says of its patient, as JSON
    dicom.py removed FOLDER objects that dicom-anonymizer has de-identified, some with an identifier put back, and
                            phantoms, sent into FOLDER/sent.pcap; prints what was put back into each
    dicom.py annex-e        the attributes of PS3.15 table E.1-1 as dicom-anonymizer has them

What identifies a patient is taken from rules/dicom.toml; how to find and decode it is theirs.
"""

import concurrent.futures
import importlib
import importlib.util
import itertools
import json
import logging
import random
import re
import socket
import struct
import subprocess
import sys
import threading
import tomllib
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OBJECTS = 260
SEED = 20240511

EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
BIG = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
NATIVE = [IMPLICIT, EXPLICIT, BIG, DEFLATED]
ENCAPSULATED = [
    "1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.102", "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.5",
]
# Options of dcmconv that keep the transfer syntax.
WRITE = {IMPLICIT: "+ti", EXPLICIT: "+te", BIG: "+tb", DEFLATED: "+td"}
IMAGE = "1.2.840.10008.5.1.4.1.1.7"
REPORT = "1.2.840.10008.5.1.4.1.1.88.11"
# Largest PDUs that the receivers take; 0 is no limit.
PDUS = [1024, 4096, 16382, 131072, 0]

# Defined terms (PS3.3 C.12.1.1.2), with family names, given names and a street that they can express.
CHARSETS = [
    ("", "Hartman Doe O'Neill Ash-Oak", "Jason Jane Mary", "12 Main Street"),
    ("ISO_IR 6", "Hartman Doe O'Neill Ash-Oak", "Jason Jane Mary", "12 Main Street"),
    ("ISO_IR 100", "Müller Äneas Buç Ibáñez", "Jörg Jérôme Rüdiger", "Größe Straße 7"),
    ("ISO_IR 101", "Wałęsa Dvořák Kovács", "Lech Jiří Győző", "Náměstí Míru 3"),
    ("ISO_IR 109", "Ħamrun Ġorġ Żahra", "Ċensu Ġużè", "Triq il-Kbira Żurrieq 4"),
    ("ISO_IR 110", "Šulcāns Bērziņš Ķirsis", "Jānis Zaiga Ēriks", "Brīvības iela 5"),
    ("ISO_IR 144", "Люксембург Иванова Щукин", "Иван Юлия", "Невский проспект 8"),
    ("ISO_IR 127", "قباني حداد", "نزار ليلى", "شارع النصر"),
    ("ISO_IR 126", "Διονυσίου Παππάς", "Νίκος Ελένη", "Οδός Ερμού 9"),
    ("ISO_IR 138", "שרון כהן", "דבורה משה", "רחוב הרצל 2"),
    ("ISO_IR 148", "Çavuşoğlu Yıldız", "İpek Şule", "Atatürk Caddesi 6"),
    ("ISO_IR 166", "สมบูรณ์ ใจดี", "มานะ ปิติ", "ถนนสุขุมวิท 11"),
    ("ISO_IR 13", "ﾔﾏﾀﾞ ｽｽﾞｷ", "ﾀﾛｳ ﾊﾅｺ", "ﾄｳｷｮｳﾁﾖﾀﾞ"),
    ("ISO_IR 192", "Müller 王 山田 Щукин 홍", "小東 Jörg 길동 Юлия", "Größe Straße 大通り 7"),
    ("GB18030", "王 张 李", "小东 伟 娜", "北京路 5"),
    ("GBK", "王 张 李", "小东 伟 娜", "北京路 5"),
    ("\\ISO 2022 IR 87", "山田 鈴木 佐藤", "太郎 花子", "東京都千代田区 1"),
    ("ISO 2022 IR 13\\ISO 2022 IR 87", "山田 鈴木 佐藤", "太郎 花子", "東京都 1"),
    ("\\ISO 2022 IR 87\\ISO 2022 IR 159", "山田 丂丄", "太郎 丂", "東京都 1"),
    ("\\ISO 2022 IR 149", "洪 金", "吉洞 哲洙", "서울 강남구 7"),
    ("\\ISO 2022 IR 58", "张 王", "小东 伟", "北京路 5"),
    ("ISO 2022 IR 6\\ISO 2022 IR 100", "Müller Äneas", "Jörg Jérôme", "Größe Straße 7"),
    ("\\ISO 2022 IR 100\\ISO 2022 IR 144", "Müller Щукин", "Иван Юлия", "Невский 8"),
    ("ISO 2022 IR 100\\ISO 2022 IR 126\\ISO 2022 IR 87", "Müller Παππάς 山田", "Νίκος Ελένη 太郎", "Οδός Ερμού 9"),
]


def rules():
    with open(ROOT / "rules/dicom.toml", "rb") as file:
        return tomllib.load(file)


def make(rng, number):
    """An object, with the transfer syntax it is to be written in."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.sequence import Sequence

    term, families, givens, street = CHARSETS[number % len(CHARSETS)]
    # Both lists come round in step with no common divisor, so that each set meets each syntax.
    uid = (NATIVE * 3 + ENCAPSULATED)[number % (len(NATIVE) * 3 + len(ENCAPSULATED))]
    families, givens = families.split(), givens.split()

    def name():
        whole = f"{rng.choice(families)}^{rng.choice(givens)}"
        if rng.random() < 0.2:
            whole += "^^^Dr"
        if term == "ISO_IR 192" or "IR 87" in term or "IR 149" in term or "IR 58" in term or term.startswith("GB"):
            ascii_name = rng.choice(["Yamada^Tarou", "Wang^XiaoDong", "Hong^Gildong"])
            return f"{ascii_name}={whole}" if rng.random() < 0.7 else f"{ascii_name}={whole}={rng.choice(families)}^X"
        return whole

    def digits(n):
        return "".join(rng.choice("123456789") for _ in range(n))

    ds = Dataset()
    if term:
        ds.SpecificCharacterSet = term.split("\\")
    report = number % 10 == 9
    ds.SOPClassUID = REPORT if report else IMAGE
    ds.SOPInstanceUID = f"1.2.826.0.1.3680043.9.{SEED}.{number + 1}"
    ds.StudyInstanceUID = ds.SOPInstanceUID + ".1"
    ds.SeriesInstanceUID = ds.SOPInstanceUID + ".2"
    ds.Modality = "SR" if report else "OT"
    ds.StudyDate = "20240511"
    ds.AccessionNumber = f"A{digits(8)}"
    ds.ReferringPhysicianName = "Quincy^Harriet"
    ds.PatientName = name()
    ds.PatientID = f"P{number:05d}"
    ds.PatientBirthDate = f"19{rng.randint(30, 99)}{rng.randint(2, 12):02d}{rng.randint(2, 28):02d}"
    ds.PatientSex = rng.choice("MFO")

    def item(**fields):
        inner = Dataset()
        for key, value in fields.items():
            setattr(inner, key, value)
        return inner

    def sequence(*items):
        return Sequence(list(items))

    def private(group, creator, element, vr, value):
        ds.private_block(group, creator, create=True).add_new(element, vr, value)

    def subject():
        code = item(CodeValue="121029", CodingSchemeDesignator="DCM", CodeMeaning="Subject Name")
        observer = item(CodeValue="121008", CodingSchemeDesignator="DCM", CodeMeaning="Person Observer Name")
        own = item(ValueType="PNAME", ConceptNameCodeSequence=sequence(code), PersonName=name())
        other = item(ValueType="PNAME", ConceptNameCodeSequence=sequence(observer), PersonName="Quincy^Harriet")
        ds.ContentSequence = sequence(item(ValueType="CONTAINER", ContentSequence=sequence(own, other)))

    more = [
        lambda: setattr(ds, "OtherPatientIDs", [f"X{digits(7)}", f"Y{digits(6)}"]),
        lambda: setattr(ds, "OtherPatientNames", [name(), name()]),
        lambda: setattr(ds, "PatientBirthName", name()),
        lambda: setattr(ds, "PatientAddress", street),
        lambda: setattr(ds, "PatientTelephoneNumbers", f"(4{digits(2)}) 555-01{digits(2)}"),
        lambda: setattr(ds, "PatientTelecomInformation", f"p{digits(5)}@example.org"),
        lambda: setattr(ds, "PatientMotherBirthName", rng.choice(families)),
        lambda: setattr(ds, "InsurancePlanIdentification", f"XHG{digits(6)}"),
        lambda: setattr(ds, "ResponsiblePerson", name()),
        lambda: setattr(ds, "RegionOfResidence", street),
        lambda: setattr(ds, "PatientAge", f"0{digits(2)}Y"),
        lambda: setattr(ds, "EthnicGroup", "Basque"),
        lambda: setattr(ds, "Occupation", "Bookbinder"),
        lambda: setattr(ds, "AdmissionID", f"V2024-{digits(4)}"),
        lambda: setattr(ds, "PlacerOrderNumberImagingServiceRequest", f"PO{digits(6)}"),
        lambda: setattr(ds, "ClinicalTrialSubjectID", f"S-{digits(5)}"),
        lambda: setattr(ds, "PatientComments", "Nothing of note"),
        lambda: setattr(ds, "RequestAttributesSequence", sequence(
            item(AccessionNumber=f"N{digits(7)}", RequestedProcedureID="RP1"), item())),
        lambda: setattr(ds, "OtherPatientIDsSequence", sequence(
            item(PatientID=f"Z{digits(7)}", IssuerOfPatientID="NORTH", TypeOfPatientID="TEXT"),
            item(PatientID=f"W{digits(7)}", IssuerOfPatientID="SOUTH"))),
        lambda: setattr(ds, "OriginalAttributesSequence", sequence(item(
            AttributeModificationDateTime="20240512", ReasonForTheAttributeModification="CORRECT",
            ModifiedAttributesSequence=sequence(item(PatientID=f"F{digits(7)}", PatientName=name()))))),
        lambda: setattr(ds, "ReferencedStudySequence", sequence(item(
            ReferencedSOPClassUID=IMAGE, ReferencedSOPInstanceUID="1.2.3"))),
        lambda: private(0x0011, "SIEMENS ISI", 0x04, "LO", f"I{digits(7)}"),
        lambda: private(0x0009, "ACME 1.0", 0x01, "OB", bytes(rng.randrange(256) for _ in range(64))),
        lambda: private(0x0091, "SIENET", 0x20, "PN", name()),
        subject,
    ]
    for add in rng.sample(more, rng.randint(3, 9)):
        add()
    if not report:
        ds.Rows = ds.Columns = 16
        ds.BitsAllocated = ds.BitsStored = 8
        ds.HighBit = 7
        ds.PixelRepresentation = 0
        ds.SamplesPerPixel = 1
        ds.PhotometricInterpretation = "MONOCHROME2"
        pixels = bytes(rng.randrange(256) for _ in range(256))
        ds.PixelData = encapsulate([pixels, pixels]) if uid in ENCAPSULATED else pixels
        ds["PixelData"].VR = "OB"
        ds["PixelData"].is_undefined_length = uid in ENCAPSULATED
    lengths(ds, rng)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = uid
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    return ds, term


def lengths(ds, rng):
    """Lengths of sequences and items, or delimiters."""
    for element in ds:
        if element.VR == "SQ":
            element.is_undefined_length = rng.random() < 0.5
            for item in element.value:
                item.is_undefined_length_sequence_item = rng.random() < 0.5
                lengths(item, rng)


def identifiers(ds, known, sequence=None, concept=None):
    """Kind and value of all that identifies the patient in `ds`, as pydicom reads it."""
    found = []
    for element in ds:
        if element.VR == "SQ":
            code = getattr(ds, "ConceptNameCodeSequence", None)
            code = (code[0].CodingSchemeDesignator, code[0].CodeValue) if code else None
            for item in element.value:
                found += identifiers(item, known, element.tag, code)
            continue
        tag = f"({element.tag.group:04X},{element.tag.element:04X})"
        around = sequence and f"({sequence.group:04X},{sequence.element:04X})"
        kind = known["dicom"].get(tag)
        if tag == "(0010,0020)" and around in known["dicom"]:
            kind = known["dicom"][around]
        if element.tag.is_private and not element.tag.is_private_creator:
            block = f"({element.tag.group:04X},xx{element.tag.element & 0xFF:02X})"
            kind = known["private"].get((element.private_creator, block))
        if tag == "(0040,A123)":
            code = getattr(ds, "ConceptNameCodeSequence", None)
            code = (code[0].CodingSchemeDesignator, code[0].CodeValue) if code else None
            kind = known["concept"].get(code)
        if not kind or not element.value:
            continue
        values = [element.value] if element.VM <= 1 else element.value
        for value in values:
            value = str(value).strip()
            found.append(("email" if kind == "phone" and "@" in value else kind, value))
    return found


class Proxy:
    """Stands between a client and a server, and writes down what goes by."""

    def __init__(self, port):
        self.server = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.chunks = []
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        client, _ = self.listener.accept()
        server = socket.create_connection(("127.0.0.1", self.server))
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ways = [(client, server, 0), (server, client, 1)]
        threads = [threading.Thread(target=self.pump, args=way) for way in ways]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        client.close()
        server.close()
        self.listener.close()

    def pump(self, source, sink, way):
        while data := source.recv(65536):
            with self.lock:
                self.chunks.append((way, data))
            sink.sendall(data)
        try:
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def send(files, pdu):
    """C-STOREs the files in one association to a receiver that takes PDUs of this size."""
    from pynetdicom import AE, _config, evt

    _config.STORE_SEND_CHUNKED_DATASET = True
    receiver = AE("RECEIVER")
    receiver.maximum_pdu_size = pdu
    for sop_class in (IMAGE, REPORT):
        receiver.add_supported_context(sop_class, NATIVE + ENCAPSULATED)
    server = receiver.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, lambda event: 0x0000)])
    proxy = Proxy(server.server_address[1])
    sender = AE("SENDER")
    for sop_class, uid in itertools.product((IMAGE, REPORT), NATIVE + ENCAPSULATED):
        sender.add_requested_context(sop_class, uid)
    association = sender.associate("127.0.0.1", proxy.port)
    assert association.is_established
    for file in files:
        status = association.send_c_store(file)
        assert status and status.Status == 0x0000, (file, status)
    association.release()
    proxy.thread.join()
    server.shutdown()
    return proxy.chunks


def packets(chunks, client_port):
    """TCP segments over IPv4 without checksums."""
    ends = [(bytes([10, 0, 0, 1]), client_port), (bytes([10, 0, 0, 2]), 11112)]
    next_sequence = [1, 1]
    out = []

    def segment(way, flags, payload=b""):
        (source, from_port), (destination, to_port) = ends[way], ends[1 - way]
        tcp = struct.pack(">HHIIBBHHH", from_port, to_port, next_sequence[way], next_sequence[1 - way],
                          5 << 4, flags, 65535, 0, 0)
        total = 20 + len(tcp) + len(payload)
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, total, 0, 0, 64, 6, 0, source, destination)
        words = struct.unpack(">10H", ip)
        carry = sum(words)
        while carry >> 16:
            carry = (carry & 0xFFFF) + (carry >> 16)
        out.append(ip[:10] + struct.pack(">H", ~carry & 0xFFFF) + ip[12:] + tcp + payload)
        next_sequence[way] += len(payload) + (1 if flags & 0x03 else 0)

    segment(0, 0x02)
    segment(1, 0x12)
    for way, data in chunks:
        for at in range(0, len(data), 1400):
            segment(way, 0x18, data[at:at + 1400])
    segment(0, 0x11)
    segment(1, 0x11)
    return out


def write_pcap(path, all_packets):
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 16, 101))
        for at, packet in enumerate(all_packets):
            file.write(struct.pack("<IIII", 1772360102 + at // 1000, at % 1000 * 1000, len(packet), len(packet)))
            file.write(packet)


def dcmdump(files, *options):
    """Name, id and address of each file, as dcmdump reads them: converted to UTF-8 where that is asked
    for, else byte for character."""
    if not files:
        return {}
    run = subprocess.run(["dcmdump", "-q", "+F", "+L", *options, *map(str, files)], capture_output=True)
    assert run.returncode == 0, run.stderr.decode(errors="replace")
    read, current = {}, None
    for line in run.stdout.decode("utf-8" if "+U8" in options else "latin-1").split("\n"):
        if head := re.match(r"# dcmdump \(\d+/\d+\): (.*)", line):
            current = read.setdefault(Path(head[1]).name, {})
        elif value := re.match(r"\((0010,(?:0010|0020|1040))\) \w\w \[(.*)\] +#", line):
            current[value[1]] = value[2].strip()
    return read


def compare(path, converted, dumped):
    """pydicom and dcmdump must have read the same."""
    import pydicom

    ds = pydicom.dcmread(path)
    assert len(dumped) >= 2, path.name
    for tag, value in dumped.items():
        number = int(tag.replace(",", ""), 16)
        raw = ds.get_item(number).value
        theirs = str(ds[number].value) if converted else raw.decode("latin-1")
        assert theirs.strip(" \0") == value, f"{path.name}: pydicom {theirs!r}, dcmdump {value!r}"


def main_send(folder):
    import pydicom

    # pydicom 3.0 leaves the escape sequence of GB 2312 (PS3.3 table C.12-4) to Python, which has none.
    pydicom.charset.handled_encodings = ("iso2022_jp", "iso2022_jp_2")
    folder = Path(folder)
    shipped = rules()
    known = {
        "dicom": {rule["tag"]: rule["kind"] for rule in shipped["dicom"]},
        "private": {(rule["creator"], rule["tag"]): rule["kind"] for rule in shipped["dicom_private"]},
        "concept": {(rule.get("scheme"), rule.get("code")): rule["kind"] for rule in shipped["dicom_concept"]},
    }
    rng = random.Random(SEED)
    files, terms = [], {}
    for number in range(OBJECTS):
        ds, term = make(rng, number)
        path = folder / f"{number:04d}.dcm"
        ds.save_as(path, enforce_file_format=True)
        # dcmtk writes other lengths, and those of groups.
        if number % 3 == 0 and ds.file_meta.TransferSyntaxUID in NATIVE:
            options = rng.choice([["+g", "+e"], ["-g", "-e"], ["+g", "-e"]])
            subprocess.run(["dcmconv", "-q", WRITE[ds.file_meta.TransferSyntaxUID], *options, path, path], check=True)
        files.append(path)
        terms[path.name] = term
    # dcmtk converts single repertoires; with code extensions its bytes are compared.
    plain = [path for path in files if "\\" not in terms[path.name]]
    dumped = dcmdump(plain, "+U8") | dcmdump([path for path in files if path not in plain])
    truth = []
    for path in files:
        compare(path, path in plain, dumped[path.name])
        ds = pydicom.dcmread(path)
        truth.append({
            "patient_id": ds.PatientID,
            "charset": terms[path.name],
            "transfer_syntax": ds.file_meta.TransferSyntaxUID,
            "identifiers": sorted(set(identifiers(ds, known))),
        })
    all_packets = []
    with concurrent.futures.ThreadPoolExecutor(len(PDUS)) as pool:
        sent = pool.map(send, [files[at::len(PDUS)] for at in range(len(PDUS))], PDUS)
        for at, chunks in enumerate(sent):
            all_packets += packets(chunks, 50000 + at)
    write_pcap(folder / "sent.pcap", all_packets)
    print(json.dumps(truth, ensure_ascii=False))


def put_back(ds, number):
    """Puts an identifier back into a de-identified object: its kind and value. None: it stays clean."""
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    def item(**fields):
        inner = Dataset()
        for key, value in fields.items():
            setattr(inner, key, value)
        return inner

    kind, value = [
        (None, None), ("other_id", "X7364401"), ("other_id", "I5551209"), ("name", "Hartman^Jason"),
        ("name", "Anna Beispiel"), ("birth_date", "19591102"), ("burned_in", "YES"), ("name", "Roe^Richard"),
        ("other_id", "F2210043"), ("address", "12 Main Street"), ("phone", "(487) 555-0183"),
        ("phone", "030 901820-11"), ("email", "jane.doe@example.org"), ("phantom", None), (None, None), ("year", None),
    ][number % 16]
    match number % 16:
        case 1:
            ds.OtherPatientIDs = value
        case 2:
            ds.private_block(0x0011, "SIEMENS ISI", create=True).add_new(0x04, "LO", value)
        case 3:
            ds.private_block(0x0009, "ACME 1.0", create=True).add_new(0x01, "LO", value)
        case 4:
            ds.PatientComments = f"Patient Name: {value}. Nothing of note"
        case 5:
            ds.PatientBirthDate = value
        case 6:
            ds.BurnedInAnnotation = value
        case 7:
            code = item(CodeValue="121029", CodingSchemeDesignator="DCM", CodeMeaning="Subject Name")
            own = item(ValueType="PNAME", ConceptNameCodeSequence=Sequence([code]), PersonName=value)
            ds.ContentSequence = Sequence([own])
        case 8:
            ds.OriginalAttributesSequence = Sequence([
                item(ModifiedAttributesSequence=Sequence([item(PatientID=value)]))])
        case 9:
            ds.PatientAddress = value
        case 10:
            ds.PatientTelephoneNumbers = value
        case 11:
            ds.add_new(0x60004000, "LT", f"call {value}")
        case 12:
            ds.ImageComments = f"results to {value}"
        case 13:
            ds.PatientName, ds.PatientID, ds.PatientBirthDate = "PHANTOM^ACR", f"QA{number}", "19990511"
            del ds.PatientIdentityRemoved, ds.DeidentificationMethod
        case 15:
            ds.PatientBirthDate, ds.PatientAge = "19590101", "064Y"
    return (kind, value) if kind not in (None, "phantom", "year") else None


def main_removed(folder):
    from dicomanonymizer import anonymize_dataset

    folder = Path(folder)
    rng = random.Random(SEED)
    files, left = [], []
    for number in range(96):
        ds, _ = make(rng, number)
        anonymize_dataset(ds, delete_private_tags=True)
        ds.SpecificCharacterSet = "ISO_IR 192"
        ds.PatientName = ds.PatientID = f"TRIAL01-{7000 + number}"
        ds.PatientIdentityRemoved = "YES"
        ds.DeidentificationMethod = "Basic Application Level Confidentiality Profile"
        back = put_back(ds, number)
        left.append({"pseudonym": str(ds.PatientID), "left": back})
        path = folder / f"{number:04d}.dcm"
        ds.save_as(path, enforce_file_format=True)
        files.append(path)
    all_packets = []
    # One association for each: what is left behind need not tell subjects apart.
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for at, chunks in enumerate(pool.map(lambda file: send([file], 16382), files)):
            all_packets += packets(chunks, 50000 + at)
    write_pcap(folder / "sent.pcap", all_packets)
    print(json.dumps(left))


def main_annex_e():
    names = sorted((Path(importlib.util.find_spec("dicomanonymizer").origin).parent
                    / "dicom_anonymization_databases").glob("dicomfields_*.py"))
    module = importlib.import_module(f"dicomanonymizer.dicom_anonymization_databases.{names[-1].stem}")
    tags = set()
    for name in dir(module):
        value = getattr(module, name)
        if name.endswith("_TAGS") and isinstance(value, list):
            # Groups that repeat (curves and overlays) are no attributes of their own.
            tags |= {f"({tag[0]:04X},{tag[1]:04X})" for tag in value if len(tag) == 2}
    print("\n".join(sorted(tags)))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    if sys.argv[1] == "send":
        main_send(sys.argv[2])
    elif sys.argv[1] == "removed":
        main_removed(sys.argv[2])
    else:
        main_annex_e()
