#!/usr/bin/env python3
"""Writes the software bill of materials of phitap as CycloneDX 1.5 JSON to standard output.

  scripts/sbom.py [TARGET] > phitap.cdx.json

Components are the crates that are linked into the program for TARGET (the host unless given), with version, licence,
package URL and the SHA-256 that Cargo.lock has; crates for tests and builds are left out. The output depends on Cargo.lock
and Cargo.toml alone: two runs write the same bytes.
"""
import json
import pathlib
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent


def host():
    lines = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout.splitlines()
    return next(line.split(": ")[1] for line in lines if line.startswith("host: "))


def metadata(target):
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--filter-platform", target]
    return json.loads(subprocess.run(command, check=True, cwd=ROOT, capture_output=True).stdout)


def linked(graph, root):
    """Ids of the crates reached by normal dependencies, and the dependencies of each."""
    nodes = {node["id"]: node for node in graph["nodes"]}
    found, waiting = {}, [root]
    while waiting:
        crate = waiting.pop()
        if crate in found:
            continue
        normal = [d["pkg"] for d in nodes[crate]["deps"] if any(k["kind"] is None for k in d["dep_kinds"])]
        found[crate] = sorted(normal)
        waiting += normal
    return found


def main():
    target = sys.argv[1] if len(sys.argv) > 1 else host()
    data = metadata(target)
    packages = {package["id"]: package for package in data["packages"]}
    root = data["resolve"]["root"]
    crates = linked(data["resolve"], root)
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    checksums = {(p["name"], p["version"]): p.get("checksum") for p in lock["package"]}

    def purl(crate):
        return "pkg:cargo/{name}@{version}".format(**packages[crate])

    def component(crate):
        package = packages[crate]
        entry = {"type": "library", "bom-ref": purl(crate), "name": package["name"],
                 "version": package["version"], "purl": purl(crate)}
        if package["license"]:
            entry["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
        if checksum := checksums.get((package["name"], package["version"])):
            entry["hashes"] = [{"alg": "SHA-256", "content": checksum}]
        return entry

    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {**component(root), "type": "application"},
                     "properties": [{"name": "cargo:target", "value": target}]},
        "components": [component(c) for c in sorted(crates, key=purl) if c != root],
        "dependencies": [{"ref": purl(c), "dependsOn": sorted(map(purl, crates[c]))} for c in sorted(crates, key=purl)],
    }
    json.dump(bom, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
