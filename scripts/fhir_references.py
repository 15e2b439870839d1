#!/usr/bin/env python3
"""Writes rules/fhir_references.toml: which references of FHIR resources name the patient.

    pip install fhir.resources && scripts/fhir_references.py > rules/fhir_references.toml

The definitions of the elements come from fhir.resources, which was generated from the definitions of FHIR STU3, R4B and
R5. An element of type Reference is listed if a patient is among its targets and it either is called as the FiveWs
pattern of FHIR calls the one whom a resource is about, or can target nothing but a patient.
"""
import importlib
import pkgutil

VERSIONS = {"STU3": "fhir.resources.STU3", "R4B": "fhir.resources.R4B", "R5": "fhir.resources"}
SUBJECTS = {"subject", "patient", "for", "beneficiary"}
# References to another record of the person (`Person.link.target` is listed by hand), and to people who may be
# someone else.
NOT = {"Patient.link.other", "Coverage.subscriber", "Coverage.policyHolder"}
DEPTH = 4


def resources(package):
    root = importlib.import_module(package)
    base = importlib.import_module(f"{package}.resource").Resource
    for module in pkgutil.iter_modules(root.__path__):
        if module.ispkg or module.name.startswith("fhir"):
            continue
        loaded = importlib.import_module(f"{package}.{module.name}")
        for thing in vars(loaded).values():
            if isinstance(thing, type) and issubclass(thing, base) and thing is not base and thing.__module__ == loaded.__name__:
                yield thing, loaded


def references(model, module, path, depth, found):
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra or {}
        element = f"{path}.{field.alias or name}"
        targets = set(extra.get("enum_reference_types") or ())
        if targets:
            last = element.rsplit(".", 1)[-1]
            may = targets & {"Patient", "Resource"}
            if may and element not in NOT and (last in SUBJECTS or targets == {"Patient"}):
                found.add(element)
            continue
        if depth == 0 or not extra.get("element_property"):
            continue
        alias = field.alias or name
        below = getattr(module, model.__name__ + alias[0].upper() + alias[1:], None)
        if below is not None:
            references(below, module, element, depth - 1, found)


def main():
    elements, versions = {"Person": {"link.target"}}, {}
    for version, package in VERSIONS.items():
        for model, module in resources(package):
            kind = vars(model).get("__resource_type__")
            if kind is None or model.__name__ != kind or "backbone" in str(model.__mro__[1]).lower():
                continue
            found = set()
            references(model, module, kind, DEPTH, found)
            if found or kind in elements:
                elements.setdefault(kind, set()).update(e.split(".", 1)[1] for e in found)
                versions.setdefault(kind, []).append(version)
    print("# Which references of FHIR resources say whose the resource is. Written by scripts/fhir_references.py from the")
    print("# definitions of STU3, R4B and R5; do not edit.")
    print("#")
    print("# [[fhir_reference]]  elements: paths below the resource. Their `identifier` is an id of the patient and their")
    print("#                     `display` the name, unless `reference` or `type` says that they point to something else.")
    print("#                     Of a resource `*`: of types that are not listed, from other versions or of no standard.")
    print('\n[[fhir_reference]]\nid = "fhir-other-of"\ntitle = "Whose a resource of another type is"')
    print('resource = "*"\nelements = ["patient", "subject"]\nreference = "FHIR R5, FiveWs pattern"')
    for kind, paths in sorted(elements.items()):
        listed = ", ".join(f'"{path}"' for path in sorted(paths))
        slug = "".join(f"-{c.lower()}" if c.isupper() else c for c in kind).strip("-")
        print(f'\n[[fhir_reference]]\nid = "fhir-{slug}-of"\ntitle = "Whose a {kind} is"')
        print(f'resource = "{kind}"\nelements = [{listed}]')
        print(f'reference = "FHIR {", ".join(versions[kind])}: {kind}"')


if __name__ == "__main__":
    main()
