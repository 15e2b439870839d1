"""Validates OCSF events (file of lines) against the published schema of their version, each class with
its required attributes, enumerations and types. Prints what is wrong and how many events of which class
there were, as JSON."""

import collections
import json
import sys

import jsonschema
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

validators = {}
classes = collections.Counter()
wrong = collections.Counter()


def validator(event):
    key = (event["metadata"]["version"], event["class_uid"])
    if key not in validators:
        schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=key[0]))
        name = schema.lookup_class_name_from_uid(class_uid=key[1])
        validators[key] = jsonschema.Draft202012Validator(schema.get_class_schema(class_name=name))
    return validators[key]


with open(sys.argv[1], encoding="utf-8") as lines:
    for line in lines:
        event = json.loads(line)
        classes[str(event["class_uid"])] += 1
        for error in validator(event).iter_errors(event):
            at = "/".join("#" if isinstance(x, int) else x for x in error.absolute_path)
            wrong[f"{event['class_uid']} {at}: {error.message[:200]}"] += 1

print(json.dumps({"classes": classes, "wrong": wrong}))
