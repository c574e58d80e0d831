"""Holds an OpenAPI document against the specification, and values against shapes of it.

python check.py < {"document": {...}, "values": [{"shape": "Profile", "value": {...}}, ...]}

One line for each fault; exit status 1 where there is any. A value may not have a member that its shape does not name: whoever adds one
to an answer adds it to the document.
"""

import copy
import json
import sys

from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator

given = json.load(sys.stdin)
document = given["document"]
faults = [f"document: {fault.message} at {list(fault.absolute_path)}" for fault in OpenAPIV31SpecValidator(document).iter_errors()]

components = copy.deepcopy(document["components"])
for shape in components["schemas"].values():
    if "properties" in shape:
        shape.setdefault("additionalProperties", False)
for each in given["values"]:
    if each["shape"] not in components["schemas"]:
        faults.append(f"there is no shape {each['shape']}")
        continue
    schema = {"$ref": f"#/components/schemas/{each['shape']}", "components": components}
    for fault in Draft202012Validator(schema, format_checker=FormatChecker()).iter_errors(each["value"]):
        faults.append(f"{each['shape']}: {fault.message} at {list(fault.absolute_path)}")

print("\n".join(faults))
sys.exit(1 if faults else 0)
