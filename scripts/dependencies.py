#!/usr/bin/env python3
"""Compares docs/dependencies.tsv, the record of crates that phitap names or that parse hostile input, with Cargo.lock.

    scripts/dependencies.py          compares: a recorded crate whose version or contents changed is an error
    scripts/dependencies.py --write  records what is locked now, and keeps the notes

docs/dependencies.tsv has a row for each: crate, version, lines of source with `unsafe`, whether a build script runs,
whose bytes it reads, and a note. Whoever takes a new version looks at its changes and records it.
"""

import glob
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RECORD = os.path.join(ROOT, "docs/dependencies.tsv")
HEAD = "crate\tversion\tunsafe\tbuild script\treads\tnote"
# Not named in Cargo.toml, but they read data that a sender controls.
BEHIND = ["zlib-rs", "httparse", "rustls-webpki", "ring", "asn1-rs", "der-parser"]


def locked():
    text = open(os.path.join(ROOT, "Cargo.lock"), encoding="utf-8").read()
    found = {}
    for name, version in re.findall(r'name = "([^"]+)"\nversion = "([^"]+)"', text):
        found.setdefault(name, []).append(version)
    return found


def named():
    """The crates that Cargo.toml names, and the versions it asks for."""
    text = open(os.path.join(ROOT, "Cargo.toml"), encoding="utf-8").read()
    table = re.search(r"\n\[dependencies\]\n(.*?)\n\[", text, re.S)[1]
    return dict(re.findall(r'^([a-z0-9_-]+) = (?:\{ version = )?"([0-9.]+)', table, re.M))


def chosen(name, versions, asked):
    """The locked version that the program links, if there are several."""
    fits = [v for v in versions if v == asked or v.startswith(asked + ".")]
    return (fits or versions)[-1]


def facts(name, version):
    """Counts lines with `unsafe` and looks for a build script; None if the source is not available."""
    home = os.environ.get("CARGO_HOME", os.path.expanduser("~/.cargo"))
    for folder in glob.glob(f"{home}/registry/src/*/{name}-{version}"):
        unsafe = 0
        for file in glob.glob(f"{folder}/src/**/*.rs", recursive=True):
            with open(file, encoding="utf-8", errors="replace") as source:
                unsafe += sum(bool(re.search(r"\bunsafe\b\s*(\{|fn|impl)", line)) for line in source)
        return str(unsafe), "yes" if os.path.exists(f"{folder}/build.rs") else "no"
    return None


def recorded():
    try:
        lines = open(RECORD, encoding="utf-8").read().splitlines()
    except FileNotFoundError:
        return {}
    rows = (line.split("\t") for line in lines if not line.startswith("#") and line != HEAD)
    return {row[0]: row[1:] for row in rows}


def main():
    versions, record, asked = locked(), recorded(), named()
    names = sorted((set(asked) | set(BEHIND)) & set(versions))
    if "--write" in sys.argv:
        with open(RECORD, "w", encoding="utf-8") as out:
            out.write(HEAD + "\n")
            for name in names:
                version = chosen(name, versions[name], asked.get(name, ""))
                unsafe, build = facts(name, version) or ("?", "?")
                reads, note = (record.get(name) or ["", "", "", "", ""])[3:5]
                out.write("\t".join([name, version, unsafe, build, reads, note]) + "\n")
        return 0
    wrong = []
    for name in names:
        if name not in record:
            print(f"NOT RECORDED: {name} {versions[name][-1]}: see docs/dependencies.md")
            continue
        version, unsafe, build = record[name][:3]
        if version not in versions[name]:
            wrong.append(f"{name}: recorded {version}, locked {versions[name][-1]}")
        elif (now := facts(name, version)) and now != (unsafe, build):
            wrong.append(f"{name} {version}: recorded {unsafe}, {build}; the source has {now}")
    for name in record.keys() - set(names):
        wrong.append(f"{name}: recorded, but no longer a dependency")
    print("\n".join(wrong) if wrong else f"{len(record)} crates are as recorded")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
