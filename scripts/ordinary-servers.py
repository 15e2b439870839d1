#!/usr/bin/env python3
"""Writes the contents of ordinary servers, which hold no patient data.

    ordinary-servers.py shop       statements of SQL: a shop with customers, orders, reviews
    ordinary-servers.py queries    questions to it
    ordinary-servers.py staff      a directory of employees, in LDIF
    ordinary-servers.py mailbox    mails of a list in mbox format, from the texts in /usr/share/doc
"""
import glob
import random
import sys

RANDOM = random.Random(17)
GIVEN = "Anna Ben Carla David Elena Farid Grace Hugo Ines Jonas Katrin Liam Marta Noah Olga Pavel Ruth Sofia Tom Vera".split()
FAMILY = "Albers Bianchi Costa Dubois Evans Fischer Garcia Hansen Ivanov Jansen Kowalski Larsen Meyer Novak Olsen Peters Rossi Schmidt Torres Weber".split()
STREETS = "Main Station Church Park Mill Garden Lake Hill Market School".split()
CITIES = "Lyon Graz Turin Porto Leeds Gdansk Aarhus Ghent Malmo Brno".split()
WORDS = "cable lamp table chair bottle screw filter paint brush hammer ladder basket carpet mirror shelf candle blanket pillow bucket towel".split()


def person():
    return RANDOM.choice(GIVEN), RANDOM.choice(FAMILY)


def phone():
    return "+%d %d %07d" % (RANDOM.randint(30, 49), RANDOM.randint(10, 99), RANDOM.randint(0, 9999999))


def day(first, last):
    return "%04d-%02d-%02d" % (RANDOM.randint(first, last), RANDOM.randint(1, 12), RANDOM.randint(1, 28))


def sentence(count):
    return " ".join(RANDOM.choice(WORDS) for _ in range(count))


def table(name, columns, rows):
    names = ", ".join(column.split()[0] for column in columns)
    print("DROP TABLE IF EXISTS %s;\nCREATE TABLE %s (%s);" % (name, name, ", ".join(columns)))
    for at in range(0, len(rows), 200):
        values = ",\n".join("(" + ", ".join(map(repr, row)) + ")" for row in rows[at : at + 200])
        print("INSERT INTO %s (%s) VALUES %s;" % (name, names, values))


def shop():
    customers = []
    for number in range(1, 4001):
        given, family = person()
        mail = "%s.%s%d@shop.example" % (given.lower(), family.lower(), number)
        street = "%d %s Street" % (RANDOM.randint(1, 200), RANDOM.choice(STREETS))
        zip_code = "%05d" % RANDOM.randint(10000, 99999)
        customers.append((number, given, family, mail, phone(), street, zip_code, RANDOM.choice(CITIES), day(2015, 2026)))
    table(
        "customers",
        ["id int", "first_name varchar(40)", "last_name varchar(40)", "email varchar(80)", "phone varchar(30)",
         "street varchar(80)", "zip varchar(10)", "city varchar(40)", "created date"],
        customers,
    )
    table(
        "products",
        ["sku varchar(20)", "name varchar(80)", "description text", "price decimal(8,2)", "stock int"],
        [("SKU-%06d" % n, sentence(2), sentence(30), RANDOM.randint(100, 90000) / 100, RANDOM.randint(0, 500)) for n in range(3000)],
    )
    table(
        "orders",
        ["order_number varchar(20)", "customer_id int", "ordered date", "status varchar(20)", "total decimal(8,2)", "tracking varchar(30)"],
        [("%010d" % RANDOM.randint(0, 10**10 - 1), RANDOM.randint(1, 4000), day(2020, 2026), RANDOM.choice(["new", "paid", "sent"]),
          RANDOM.randint(100, 99999) / 100, "%012d" % RANDOM.randint(0, 10**12 - 1)) for _ in range(20000)],
    )
    table(
        "reviews",
        ["id int", "sku varchar(20)", "author varchar(40)", "stars int", "body text"],
        [(n, "SKU-%06d" % RANDOM.randint(0, 2999), " ".join(person()), RANDOM.randint(1, 5), sentence(60)) for n in range(8000)],
    )
    table(
        "sessions",
        ["token varchar(64)", "ip varchar(40)", "seen varchar(30)", "data text"],
        [("%064x" % RANDOM.getrandbits(256), "10.%d.%d.%d" % tuple(RANDOM.randint(0, 255) for _ in range(3)), day(2025, 2026) + " 10:15:00",
          '{"cart":[%d,%d],"locale":"en_GB","name":"%s"}' % (RANDOM.randint(1, 999), RANDOM.randint(1, 999), sentence(1))) for _ in range(10000)],
    )


def queries():
    for _ in range(12):
        print("SELECT * FROM customers ORDER BY id;")
        print("SELECT * FROM reviews;")
        print("SELECT o.*, c.first_name, c.last_name, c.city FROM orders o JOIN customers c ON c.id = o.customer_id;")
        print("SELECT * FROM products;\nSELECT * FROM sessions;")
    for _ in range(3000):
        given, family = person()
        print("SELECT id, email, city FROM customers WHERE last_name = '%s' AND first_name = '%s';" % (family, given))
        print("UPDATE customers SET phone = '%s', street = '%d Mill Street' WHERE id = %d;" % (phone(), RANDOM.randint(1, 99), RANDOM.randint(1, 4000)))


def staff():
    print("dn: dc=clinic,dc=example\nobjectClass: dcObject\nobjectClass: organization\no: Clinic\ndc: clinic\n")
    print("dn: ou=staff,dc=clinic,dc=example\nobjectClass: organizationalUnit\nou: staff\n")
    for number in range(3000):
        given, family = person()
        uid = "%s%s%d" % (given[0].lower(), family.lower(), number)
        print("dn: uid=%s,ou=staff,dc=clinic,dc=example\nobjectClass: inetOrgPerson\nuid: %s" % (uid, uid))
        print("cn: %s %s\nsn: %s\ngivenName: %s\nmail: %s@clinic.example" % (given, family, family, given, uid))
        print("telephoneNumber: %s\nemployeeNumber: %d\ntitle: %s" % (phone(), 10000 + number, RANDOM.choice(["nurse", "physician", "clerk"])))
        print("departmentNumber: %d\nroomNumber: %d.%02d\n" % (RANDOM.randint(1, 60), RANDOM.randint(0, 6), RANDOM.randint(1, 40)))


def mailbox():
    texts = sorted(glob.glob("/usr/share/doc/*/copyright"))
    RANDOM.shuffle(texts)
    for number, name in enumerate(texts[:2500]):
        given, family = person()
        with open(name, errors="replace") as file:
            body = "\n".join(">" + line if line.startswith("From ") else line for line in file.read()[:20000].splitlines())
        print("From list@lists.example Mon Jan  5 10:00:00 2026")
        print("From: %s %s <%s@lists.example>\nTo: users@lists.example\nSubject: [users] %s" % (given, family, family.lower(), sentence(4)))
        print("Message-ID: <%d@lists.example>\nDate: Mon, 5 Jan 2026 10:%02d:00 +0000\nContent-Type: text/plain; charset=utf-8\n" % (number, number % 60))
        print(body.encode("utf-8", "replace").decode() + "\n")


if len(sys.argv) != 2 or sys.argv[1] not in ("shop", "queries", "staff", "mailbox"):
    sys.exit(__doc__)
globals()[sys.argv[1]]()
