#!/usr/bin/env python3
"""hl7v2.py OUT.pcap [COUNT]: writes COUNT messages, each on a connection of its own, and prints as JSON, by
client port, what hl7apy and python-hl7 read in them: {"40001": {"PID-5": ["Example^Anna"], ...}, ...}

The messages have every kind of escape, delimiter, repetition, subcomponent and character set. Where the two
programs disagree, this fails: then nothing can be compared."""
import json, random, re, sys, warnings

import hl7
from hl7apy.parser import parse_message
from hl7apy.consts import VALIDATION_LEVEL
from pcap import Pcap

warnings.filterwarnings("ignore")
R = random.Random(20260301)

# name, Python codec, MSH-18, words of names
WESTERN = ["Müller", "Lefèvre", "Núñez", "Åström", "Bjørnstad", "Gonçalves", "Weiß", "Sørensen", "Chloé", "Jürgen", "José", "Renée"]
PLAIN = ["Hartman", "Erickson", "Daugherty", "Wiley", "Lambert", "Jason", "Sara", "Christopher", "Heather", "Denise", "Amber", "Peter"]
CENTRAL = ["Wałęsa", "Dvořák", "Kovács", "Škvorecký", "Łucja", "Zbyněk", "Győző", "Paweł"]
CYRILLIC = ["Иванов", "Кузнецова", "Сергей", "Ольга", "Петров", "Анна"]
GREEK = ["Παπαδόπουλος", "Αντωνίου", "Γεώργιος", "Μαρία"]
TURKISH = ["Yılmaz", "Şahin", "Çelik", "Ayşe", "Gökçe", "Oğuz"]
KANJI = ["山田", "佐藤", "太郎", "花子", "橋本", "直樹"]
HANZI = ["王", "李", "欧阳", "小明", "建国", "丽华"]
HANZI_TW = ["陳", "許", "功", "淑芬", "志明", "蓋"]
HANGUL = ["김", "이", "박", "민준", "서연", "지훈"]
SETS = [
    ("ascii", "", PLAIN), ("ascii", "ASCII", PLAIN), ("utf-8", "UNICODE UTF-8", WESTERN + CYRILLIC + KANJI),
    ("utf-8", "", WESTERN + GREEK), ("iso8859-1", "8859/1", WESTERN), ("cp1252", "", WESTERN), ("iso8859-2", "8859/2", CENTRAL),
    ("iso8859-5", "8859/5", CYRILLIC), ("iso8859-7", "8859/7", GREEK), ("iso8859-9", "8859/9", TURKISH), ("iso8859-15", "8859/15", WESTERN),
    ("iso2022_jp", "~ISO IR87", KANJI), ("gb18030", "GB 18030-2000", HANZI), ("big5", "BIG-5", HANZI_TW), ("euc_kr", "KS X 1001", HANGUL),
    ("utf-16-le", "UNICODE UTF-16", WESTERN + CYRILLIC + KANJI), ("utf-16-be", "UNICODE UTF-16", WESTERN + KANJI),
]
DELIMITERS = ["|^~\\&", "|^~\\&", "|^~\\&#", "#:+%;", "|*~!@", "$^~\\&", "|~^\\&", "!@?/="]
FIELDS = {"PID-3": "CX", "PID-5": "XPN", "PID-7": "ST", "PID-11": "XAD", "PID-13": "ST", "PID-18": "CX", "NK1-2": "XPN", "NK1-5": "ST", "PV1-19": "CX"}


class Writer:
    """Writes values in a message's own delimiters, escaping what must be, and some of what need not be."""

    def __init__(self, delimiters, codec):
        self.f, self.c, self.r, self.e, self.s = delimiters[:5]
        self.codec = codec

    def escape(self, text, may=True):
        names = {self.f: "F", self.c: "S", self.r: "R", self.e: "E", self.s: "T"}
        out = ""
        for ch in text:
            if ch in names:
                out += self.e + names[ch] + self.e
            elif may and ch.isascii() and ch.isalpha() and R.random() < 0.02:
                out += f"{self.e}X{ord(ch):02X}{self.e}"
            else:
                out += ch
        if may and R.random() < 0.05:
            out = f"{self.e}H{self.e}{out}{self.e}N{self.e}"
        if may and " " in out and R.random() < 0.2:
            out = out.replace(" ", f"{self.e}.br{self.e}", 1)
        return out

    def parts(self, parts):
        return self.c.join(self.escape(p) for p in parts).rstrip(self.c)


def word(words):
    w = R.choice(words)
    roll = R.random()
    if roll < 0.08:
        w += "-" + R.choice(words)
    elif roll < 0.12:
        w += " & " + R.choice(words)
    elif roll < 0.14:
        w += "'" + R.choice(words).lower()
    return w


def make(n):
    """A message: its text, codec, and the delimiters."""
    codec, declared, words = SETS[n % len(SETS)]
    delimiters = R.choice(DELIMITERS)
    w = Writer(delimiters, codec)
    f, c, r = w.f, w.c, w.r
    # MSH-18 repeats with the message's own separator.
    declared = declared.replace("~", r)
    msh = f"MSH{delimiters}{f}LAB{f}NORTH{f}HIS{f}SOUTH{f}20260301101500{f}{f}ADT{c}A08{f}M{n}{f}P{f}{'2.7' if len(delimiters) > 5 else '2.5'}{f * 6}{declared}"
    ids = [w.parts([f"H{R.randrange(10**6, 10**7)}", "", "", "NORTH", "MR"]) for _ in range(R.choice([1, 1, 2, 3]))]
    names, taken = [], []
    for _ in range(R.choice([1, 1, 1, 2])):
        family, given = word(words), word(words)
        if {family[:2], given[:2]} & set(taken):            # the same name twice counts once
            continue
        taken += [family[:2], given[:2]]
        family = w.escape(family)
        if R.random() < 0.1:                                # FN: surname with its own parts
            family += w.s + w.escape("van") + w.s + w.escape(R.choice(words))
        names.append(c.join([family, w.escape(given)] + R.choice([[], [w.escape(R.choice(words))], ["", "", "Dr."]])))
    born = f"{R.randrange(1925, 2020)}{R.randrange(1, 13):02d}{R.randrange(1, 29):02d}"
    street = w.parts([f"{R.randrange(1, 99999)} {R.choice(words)} {R.choice(['Street', 'Road', 'Plains'])}", "", R.choice(words), "", f"{R.randrange(10000, 99999)}"])
    phone = f"(2{R.randrange(10, 99)}) 555-01{R.randrange(10, 99)}"
    account = f"ACC{R.randrange(10**6, 10**7)}"
    pid = ["1", "", r.join(ids), "", r.join(names), '""', born, R.choice("MF"), "", "", street, "", w.escape(phone, False) + c + "PRN" + c + "PH", "", "", "", "", account]
    kin = w.parts([word(words), word(words)])
    nk1 = ["1", kin, "SPO", "", f"(3{R.randrange(10, 99)}) 555-01{R.randrange(10, 99)}"]
    pv1 = ["1", "I", "W1" + c + "2", "", "", "", w.parts(["004777", "Doctor", "Harriet"])] + [""] * 11 + [f"V{R.randrange(10**6, 10**7)}" + c * 3 + "NORTH" + c + "VN"]
    segments = [msh, "EVN" + f + "A08"] + [f.join([name] + fields) for name, fields in (("PID", pid), ("NK1", nk1), ("PV1", pv1))]
    return segments, codec, w


def shown(message, raw, kind, w):
    """The value as phitap writes it: components with ^, first subcomponents, nothing empty at the end.
    Line breaks are white space there, and highlighting is nothing."""
    count = {"XPN": 5, "XAD": 5}.get(kind, 1)
    undo = lambda part: message.unescape(part, {"H": "", "N": "", ".br": " "}).strip()
    parts = [undo(p.split(w.s)[0]) for p in raw.split(w.c)[:count]]
    return re.sub(r"\^+$", "", "^".join(parts))


def read(segments, w):
    """What both programs make of the fields."""
    text = "\r".join(segments) + "\r"
    theirs = hl7.parse(text)
    other = parse_message(text, find_groups=False, validation_level=VALIDATION_LEVEL.TOLERANT)
    result = {}
    for field, kind in FIELDS.items():
        segment, number = field.split("-")
        by_hl7 = [str(x) for x in theirs.segment(segment)(int(number))] if len(theirs.segment(segment)) > int(number) else []
        found = getattr(other, segment.lower())
        by_hl7apy = [x.to_er7(trailing_children=True) for x in getattr(found, f"{segment.lower()}_{number}")]
        # hl7apy writes escape characters that it does not know the use of as escaped.
        strip = lambda values: [v.replace(w.e + "E" + w.e, w.e).rstrip(w.c) for v in values]
        if strip(by_hl7) != strip(by_hl7apy):
            sys.exit(f"{field}: python-hl7 {by_hl7} hl7apy {by_hl7apy}")
        result[field] = sorted({shown(theirs, raw, kind, w) for raw in by_hl7})
    return result


def main():
    path, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 600
    pcap, truth = Pcap(path, R), {}
    for n in range(count):
        segments, codec, w = make(n)
        truth[str(20000 + n)] = read(segments, w)
        end = R.choice(["\r", "\r", "\r\n", "\n"]) if not codec.startswith("utf-16") else "\r"
        text = end.join(segments) + end
        # A zero behind the start block is taken for its other half, so big-endian order needs its mark there.
        marked = codec == "utf-16-be" or R.random() < 0.5
        mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(codec, b"") if marked else b""
        # Each segment on its own: a coder with shifts ends each in ASCII.
        data = b"".join((s + end).encode(codec) for s in segments)
        assert data.decode(codec) == text
        pcap.conversation(20000 + n, 2575, [(True, b"\x0b" + mark + data + b"\x1c\r")])
    json.dump(truth, sys.stdout, ensure_ascii=False)


main()
