"""Numbers of many countries as python-stdnum judges them: for each validator 1,000 that are valid and
1,000 with one digit changed that are not. Prints `validator number verdict` lines, verdict 1 or 0.

Every number is seeded, and birth dates lie between 1930 and 2019, so that the day of the run says
nothing: python-stdnum refuses birth dates to come.
"""

import importlib
import itertools
import random
import string
import sys

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
DIGITS = string.digits
rng = random.Random(20260301)


def digits(n):
    return "".join(rng.choice(DIGITS) for _ in range(n))


def letters(n, of=string.ascii_uppercase):
    return "".join(rng.choice(of) for _ in range(n))


def birth():
    # No 29 February: whether a year of two digits had one depends on the century that is guessed.
    return rng.randrange(1930, 2020), rng.randrange(1, 13), rng.randrange(1, 29)


def ymd():
    y, m, d = birth()
    return "%02d%02d%02d" % (y % 100, m, d)


def dmy():
    y, m, d = birth()
    return "%02d%02d%02d" % (d, m, y % 100)


def romanian():
    y, m, d = birth()
    first = rng.choice("12" if y < 2000 else "56")
    return "%s%02d%02d%02d%02d%s0" % (first, y % 100, m, d, rng.randrange(1, 47), digits(3))


def baltic():
    y, m, d = birth()
    first = rng.choice("34" if y < 2000 else "56")
    return "%s%02d%02d%02d%s0" % (first, y % 100, m, d, digits(3))


def latvian():
    if rng.random() < 0.3:
        return "32" + digits(9)
    y, m, d = birth()
    return "%02d%02d%02d%s%s0" % (d, m, y % 100, "1" if y < 2000 else "2", digits(3))


def polish():
    y, m, d = birth()
    return "%02d%02d%02d%s0" % (y % 100, m + (20 if y >= 2000 else 0), d, digits(4))


def czech():
    y, m, d = birth()
    y = max(y, 1955)
    return "%02d%02d%02d%s0" % (y % 100, m + rng.choice((0, 50)), d, digits(3))


def bulgarian():
    y, m, d = birth()
    return "%02d%02d%02d%s0" % (y % 100, m + (40 if y >= 2000 else 0), d, digits(3))


def yugoslav():
    y, m, d = birth()
    return "%02d%02d%03d%02d%s0" % (d, m, y % 1000, rng.randrange(10, 97), digits(3))


def korean():
    y, m, d = birth()
    sex = rng.choice("12" if y < 2000 else "34")
    return "%02d%02d%02d%s%02d%s0" % (y % 100, m, d, sex, rng.randrange(0, 97), digits(3))


def danish():
    y, m, d = birth()
    seventh = rng.choice("0123") if y < 2000 else rng.choice("456789" if y < 2019 else "4567")
    return "%02d%02d%02d%s%s" % (d, m, y % 100, seventh, digits(3))


def finnish():
    y, m, d = birth()
    sign = rng.choice("-YXWVU" if y < 2000 else "ABCDEF")
    return "%02d%02d%02d%s%03d0" % (d, m, y % 100, sign, rng.randrange(2, 900))


def icelandic():
    y, m, d = birth()
    return "%02d%02d%02d%s0%s" % (d, m, y % 100, digits(2), "9" if y < 2000 else "0")


def norwegian():
    y, m, d = birth()
    d += rng.choice((0, 0, 40))
    m += rng.choice((0, 0, 40))
    serial = rng.randrange(0, 500) if y < 2000 else rng.randrange(500, 1000)
    return "%02d%02d%02d%03d00" % (d, m, y % 100, serial)


def swedish():
    y, m, d = birth()
    century = rng.choice(("", str(y // 100)))
    return "%s%02d%02d%02d%s0" % (century, y % 100, m, d + rng.choice((0, 0)), digits(3))


def mexican():
    y, m, d = birth()
    states = "AS BC BS CC CH CL CM CS DF DG GR GT HG JC MC MN MS NE NL NT OC PL QR QT SL SP SR TC TL TS VZ YN ZS"
    return "%sX%s%02d%02d%02d%s%s%s%s0" % (
        letters(1), letters(2), y % 100, m, d, rng.choice("HM"), rng.choice(states.split()),
        letters(3, "BCDFGHJKLMNPQRSTVWXYZ"), rng.choice(DIGITS if y < 2000 else string.ascii_uppercase))


def italian():
    y, m, d = birth()
    return "%s%02d%s%02d%s%s0" % (
        letters(6), y % 100, "ABCDEHLMPRST"[m - 1], d + rng.choice((0, 40)), letters(1), digits(3))


def chinese():
    y, m, d = birth()
    place = rng.choice(("110101", "310101", "440106", "360426", "510104", "610102"))
    return "%s%04d%02d%02d%s0" % (place, max(y, 1985), m, d, digits(3))


def malaysian():
    return "%s%02d%s" % (ymd(), rng.choice((1, 2, 10, 14, 21, 59, 71, 82, 98)), digits(4))


def indonesian():
    y, m, d = birth()
    return "%s%02d%02d%02d%s" % (
        rng.choice(("317101", "317402", "127101", "517101")), d + rng.choice((0, 40)), m, y % 100, digits(4))


def belgian():
    return ymd() + digits(3) + "00"


def french():
    y, m, _ = birth()
    place = rng.choice((digits(2), digits(2), "2A", "2B"))
    return "%s%02d%02d%s%s00" % (rng.choice("12"), y % 100, m, place, digits(6))


def german_tax():
    kept = rng.sample(DIGITS[1:], 9)
    kept.insert(rng.randrange(1, 9), kept[rng.randrange(9)])
    return "".join(kept) + "0"


# Validator: module, number with its check left open, places of the check, characters it may have.
LAST = (-1,)
KINDS = {
    "ar-cuit": ("ar.cuit", lambda: rng.choice(("20", "23", "24", "27")) + digits(9), LAST, DIGITS),
    "at-svnr": ("at.vnr", lambda: rng.choice(DIGITS[1:]) + digits(9), (3,), DIGITS),
    "au-tfn": ("au.tfn", lambda: digits(9), LAST, DIGITS),
    "be-nn": ("be.nn", belgian, (-2, -1), DIGITS),
    "bg-egn": ("bg.egn", bulgarian, LAST, DIGITS),
    "br-cpf": ("br.cpf", lambda: digits(11), (-2, -1), DIGITS),
    "ca-bc-phn": ("ca.bc_phn", lambda: "9" + digits(9), LAST, DIGITS),
    "ca-sin": ("ca.sin", lambda: rng.choice("1234567") + digits(8), LAST, DIGITS),
    "ch-ahv": ("ch.ssn", lambda: "756" + digits(10), LAST, DIGITS),
    "cl-rut": ("cl.rut", lambda: digits(9), LAST, DIGITS + "K"),
    "cn-ric": ("cn.ric", chinese, LAST, DIGITS + "X"),
    "cz-rc": ("cz.rc", czech, LAST, DIGITS),
    "de-idnr": ("de.idnr", german_tax, LAST, DIGITS),
    "dk-cpr": ("dk.cpr", danish, (), DIGITS),
    "do-cedula": ("do.cedula", lambda: digits(11), LAST, DIGITS),
    "ec-ci": ("ec.ci", lambda: "%02d%s" % (rng.randrange(1, 25), rng.choice("012345") + digits(7)), LAST, DIGITS),
    "ee-ik": ("ee.ik", baltic, LAST, DIGITS),
    "es-dni": ("es.dni", lambda: digits(9), LAST, string.ascii_uppercase),
    "es-dni/nie": ("es.nie", lambda: rng.choice("XYZ") + digits(8), LAST, string.ascii_uppercase),
    "fi-hetu": ("fi.hetu", finnish, LAST, "0123456789ABCDEFHJKLMNPRSTUVWXY"),
    "fr-nir": ("fr.nir", french, (-2, -1), DIGITS),
    "gb-nhs": ("gb.nhs", lambda: digits(10), LAST, DIGITS),
    "gr-amka": ("gr.amka", lambda: dmy() + digits(5), LAST, DIGITS),
    "hr-oib": ("hr.oib", lambda: digits(11), LAST, DIGITS),
    "id-nik": ("id.nik", indonesian, (), DIGITS),
    "ie-pps": ("ie.pps", lambda: digits(8), LAST, string.ascii_uppercase),
    "ie-pps/second": ("ie.pps", lambda: digits(8) + rng.choice("AHWTX"), (-2,), string.ascii_uppercase),
    "il-id": ("il.idnr", lambda: digits(9), LAST, DIGITS),
    "in-aadhaar": ("in_.aadhaar", lambda: rng.choice(DIGITS[2:]) + digits(11), LAST, DIGITS),
    "is-kennitala": ("is_.kennitala", icelandic, (8,), DIGITS),
    "it-cf": ("it.codicefiscale", italian, LAST, string.ascii_uppercase),
    "jmbg": ("si.emso", yugoslav, LAST, DIGITS),
    "jp-my-number": ("jp.in_", lambda: digits(12), LAST, DIGITS),
    "kr-rrn": ("kr.rrn", korean, LAST, DIGITS),
    "lt-ak": ("lt.asmens", baltic, LAST, DIGITS),
    "lv-pk": ("lv.pvn", latvian, LAST, DIGITS),
    "mx-curp": ("mx.curp", mexican, LAST, DIGITS),
    "my-nric": ("my.nric", malaysian, (), DIGITS),
    "nl-bsn": ("nl.bsn", lambda: digits(9), LAST, DIGITS),
    "no-fnr": ("no.fodselsnummer", norwegian, (-2, -1), DIGITS),
    "pe-dni": ("pe.cui", lambda: digits(9), LAST, DIGITS),
    "pk-cnic": ("pk.cnic", lambda: rng.choice("1234567") + digits(11) + rng.choice("123456789"), (), DIGITS),
    "pl-pesel": ("pl.pesel", polish, LAST, DIGITS),
    "pt-nif": ("pt.nif", lambda: rng.choice(DIGITS[1:]) + digits(8), LAST, DIGITS),
    "ro-cnp": ("ro.cnp", romanian, LAST, DIGITS),
    "ru-inn": ("ru.inn", lambda: digits(12), (-2, -1), DIGITS),
    "se-pnr": ("se.personnummer", swedish, LAST, DIGITS),
    "th-pin": ("th.pin", lambda: rng.choice("12345678") + digits(12), LAST, DIGITS),
    "tr-tckn": ("tr.tckimlik", lambda: rng.choice(DIGITS[1:]) + digits(10), (-2, -1), DIGITS),
    "ua-rntrc": ("ua.rntrc", lambda: digits(10), LAST, DIGITS),
    "us-itin": ("us.itin", lambda: "9%s%02d%s" % (digits(2), rng.choice((70, 77, 88, 90, 92, 94, 99)), digits(4)), (), DIGITS),
    "us-ssn": ("us.ssn", lambda: "%03d%02d%04d" % (rng.randrange(1, 666), rng.randrange(1, 100), rng.randrange(1, 10000)), (), DIGITS),
    "za-id": ("za.idnr", lambda: ymd() + digits(4) + rng.choice("012") + digits(2), LAST, DIGITS),
}
# Places that are not changed: a year or century may then lie ahead, a region be one founded since.
YEAR = {"dk-cpr": (4, 5, 6), "no-fnr": (4, 5), "gr-amka": (4, 5), "my-nric": (0, 1), "za-id": (0, 1),
        "se-pnr": (0, 1, 2, 3), "is-kennitala": (4, 5), "be-nn": (0, 1), "fi-hetu": (4, 5), "ro-cnp": (1, 2),
        "it-cf": (6, 7), "cz-rc": (0, 1), "id-nik": (0, 1, 2, 3, 10, 11)}


def solved(number, places, alphabet, valid):
    """The first filling of `places` that makes the number valid."""
    places = [p % len(number) for p in places]
    for filling in itertools.product(alphabet, repeat=len(places)):
        chars = list(number)
        for place, char in zip(places, filling):
            chars[place] = char
        if valid("".join(chars)):
            return "".join(chars)
    return None


def changed(number, skip, valid):
    """The number with one digit changed, if that makes it wrong."""
    places = [i for i, c in enumerate(number) if c in DIGITS and i not in skip]
    place = rng.choice(places)
    other = rng.choice([d for d in DIGITS if d != number[place]])
    wrong = number[:place] + other + number[place + 1:]
    return None if valid(wrong) else wrong


def main():
    for kind, (module, make, places, alphabet) in KINDS.items():
        validator = kind.split("/")[0]
        stdnum = importlib.import_module("stdnum." + module)

        def valid(number):
            # As a rule, python-stdnum takes other spellings, too.
            return stdnum.is_valid(number)

        found = {1: set(), 0: set()}
        for _ in range(COUNT * 200):
            number = make()
            if len(found[1]) < COUNT or len(found[0]) < COUNT:
                number = solved(number, places, alphabet, valid)
                if number is None:
                    continue
                if len(found[1]) < COUNT:
                    found[1].add(number)
                wrong = changed(number, YEAR.get(validator, ()), valid)
                if wrong is not None and len(found[0]) < COUNT:
                    found[0].add(wrong)
            else:
                break
        for verdict, numbers in found.items():
            assert len(numbers) == COUNT, (kind, verdict, len(numbers))
            for number in sorted(numbers):
                print(validator, number, verdict)


main()
