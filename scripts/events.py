#!/usr/bin/env python3
"""Writes what follows from schema/event.schema.json: docs/events.md, the field reference, and
deploy/elastic/index-template.json, the mappings of an index in Elasticsearch or OpenSearch.

    scripts/events.py            writes both
    scripts/events.py --check    compares them with what is there; exit status 1 where they differ
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = json.loads((ROOT / "schema/event.schema.json").read_text())


def ecs():
    """Types of ECS fields."""
    types = {}
    for line in (ROOT / "schema/ecs-8.17.tsv").read_text().splitlines():
        if line and not line.startswith("#"):
            name, kind = line.split("\t")[:2]
            types[name] = kind
    return types


def resolve(node):
    """Merges a node with the node it refers to; its own keys win."""
    if "$ref" not in node:
        return node
    target = SCHEMA
    for name in node["$ref"].removeprefix("#/").split("/"):
        target = target[name]
    target = resolve(target)
    return {**target, **{key: value for key, value in node.items() if key != "$ref"}}


def fields(node, path=()):
    """Every field below a node: path, node, whether it is required."""
    node = resolve(node)
    if node.get("type") == "array":
        node = resolve(node["items"])
    required = node.get("required", [])
    for name, inner in node.get("properties", {}).items():
        yield (*path, name), inner, name in required
        yield from fields(inner, (*path, name))


def kind(node):
    """The type of a field in words."""
    node = resolve(node)
    if "const" in node:
        value = node["const"]
        return " ".join(f"`{v}`" for v in (value if isinstance(value, list) else [value]))
    if "enum" in node:
        return " ".join(f"`{value}`" for value in node["enum"])
    if node.get("type") == "array":
        inner = kind(node["items"])
        return "list" if inner in ("", "object") else f"list of {inner}"
    if node.get("type") == "object" and "properties" not in node:
        return "object of counts"
    return node.get("type", "")


def cell(text):
    return text.replace("|", "\\|").replace("\n", " ")


def reference():
    out = [
        "# Events",
        "",
        "<!-- Written by scripts/events.py from schema/event.schema.json. -->",
        "",
        "Every field of the lines that `--format ecs` (also `json`) writes. " + SCHEMA["description"],
        "",
        "| event | meaning |",
        "|---|---|",
    ]
    variants = [ref["$ref"].rsplit("/", 1)[1] for ref in SCHEMA["oneOf"]]
    for name in variants:
        out.append(f"| [`{name}`](#{name}) | {cell(SCHEMA['$defs'][name]['description'])} |")
    for name in variants:
        out += ["", f"## {name}", "", "| field | type | always | meaning |", "|---|---|---|---|"]
        for path, node, always in fields(SCHEMA["$defs"][name]):
            about = cell(resolve(node).get("description", ""))
            there = "yes" if always else ""
            out.append(f"| `{'.'.join(path)}` | {cell(kind(node))} | {there} | {about} |")
    return "\n".join(out) + "\n"


def mapping(path, node, types):
    """The index mapping of a field; None for an object that only holds other fields."""
    name = ".".join(path)
    if name in types:
        return {"type": types[name]}
    node = resolve(node)
    many = node.get("type") == "array"
    inner = resolve(node["items"]) if many else node
    if "properties" in inner:
        return {"type": "nested"} if name == "phi.patient.identifiers" else None
    if inner.get("type") == "object":
        return {"type": "object", "dynamic": True}
    if "T" in inner.get("pattern", "") and "Z" in inner.get("pattern", ""):
        return {"type": "date"}
    if inner.get("pattern") == "^[0-9a-f.:]+$":
        return {"type": "ip"}
    number = {"integer": "long", "number": "double", "boolean": "boolean"}
    return {"type": number.get(inner.get("type"), "keyword")}


def template():
    types, properties = ecs(), {}
    for ref in SCHEMA["oneOf"]:
        for path, node, _ in fields(SCHEMA["$defs"][ref["$ref"].rsplit("/", 1)[1]]):
            at = properties
            for name in path[:-1]:
                at = at.setdefault(name, {}).setdefault("properties", {})
            held = mapping(path, node, types)
            if held:
                at.setdefault(path[-1], {}).update(held)
    return (
        json.dumps(
            {
                "index_patterns": ["phitap-*"],
                "priority": 500,
                "template": {
                    "settings": {"index": {"default_pipeline": "phitap"}},
                    "mappings": {
                        "dynamic": False,
                        "dynamic_templates": [
                            {
                                "counts": {
                                    "match_mapping_type": "long",
                                    "path_match": "phi.*",
                                    "mapping": {"type": "long"},
                                }
                            }
                        ],
                        "properties": properties,
                    },
                },
                "_meta": {"description": "Events of phitap, written by scripts/events.py"},
            },
            indent=1,
            sort_keys=True,
        )
        + "\n"
    )


def main():
    wrong = []
    for name, text in (
        ("docs/events.md", reference()),
        ("deploy/elastic/index-template.json", template()),
    ):
        path = ROOT / name
        if "--check" not in sys.argv[1:]:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            wrong.append(name)
    if wrong:
        sys.exit(f"{', '.join(wrong)}: not what the schema says; run scripts/events.py")


if __name__ == "__main__":
    main()
