"""The JSON Schema of `forebay.yml`, for editors: completion, descriptions on hover, and most mistakes while typing.

Rules kept here and nowhere else:

1. It is made of the model, so that it cannot say anything else. `docs/forebay.schema.json` is kept fresh by a test.
2. What `load` accepts it accepts: whatever need not be there may be empty, and an environment may say a part of a
   section only. It knows less than `load`, which also looks at two keys together.

`python -m forebay.deploy.manifest.schema > forebay.schema.json` writes it.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from forebay.deploy.manifest.loading import ENVIRONMENTS
from forebay.deploy.manifest.model import Manifest
from forebay.deploy.manifest.values import EnvironmentName, Json, Matching

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> Json:
    """Return the schema of a whole file."""
    made = _without_titles(Manifest.model_json_schema())
    sections: Json = made.pop("$defs")
    for section in sections.values():
        _let_be_empty(section)
    for name in ("Scaling", "Subscription"):
        sections[name].pop("required")  # One environment may say what the rest leaves out.
    _let_be_empty(made)
    run = sections["Run"]["properties"]
    run |= {key.replace("_", "-"): value for key, value in list(run.items()) if "_" in key}
    properties: Json = made["properties"]
    overrides = {key: {"$ref": f"#/properties/{key}"} for key in properties if key != "name"}
    properties[ENVIRONMENTS] = {
        "description": "Name → what is different there. Sections are merged key by key, all else replaces.",
        "type": ["object", "null"],
        "propertyNames": {"pattern": _pattern_of(EnvironmentName)},
        "additionalProperties": {
            "type": ["object", "null"],
            "properties": overrides,
            "additionalProperties": False,
        },
    }
    return {"$schema": DIALECT, "title": "forebay.yml", **made, "$defs": sections}


def as_text() -> str:
    """Return the schema as its file holds it."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _without_titles(part: Any) -> Any:
    """Return a part of a schema without the titles that pydantic makes of names: editors show them for nothing."""
    if isinstance(part, dict):
        return {
            key: _without_titles(value)
            for key, value in part.items()  # pyright: ignore[reportUnknownVariableType]
            if not (key == "title" and isinstance(value, str))
        }
    return [_without_titles(one) for one in part] if isinstance(part, list) else part  # pyright: ignore


def _let_be_empty(section: Json) -> None:
    """Allow nothing as the value of each key that need not be there."""
    required = section.get("required", ())
    for key, value in section.get("properties", {}).items():
        if isinstance(value.get("additionalProperties"), dict):
            value["additionalProperties"] = _or_nothing(value["additionalProperties"])
        for pattern, named in value.get("patternProperties", {}).items():
            value["patternProperties"][pattern] = _or_nothing(named)
            value["additionalProperties"] = False
        if value.get("default", 0) is None or "$ref" in value:
            del value["default"]  # Nothing, or what the section's own keys say.
        if key not in required:
            section["properties"][key] = _or_nothing(value)


def _or_nothing(value: Json) -> Json:
    """Return the schema of a value that may also be empty."""
    choices = value.get("anyOf")
    if choices is not None:
        return value if {"type": "null"} in choices else {**value, "anyOf": [*choices, {"type": "null"}]}
    if "$ref" in value:
        rest = {key: other for key, other in value.items() if key != "$ref"}
        return {**rest, "anyOf": [{"$ref": value["$ref"]}, {"type": "null"}]}
    if "type" not in value:
        return value  # Anything at all.
    kind: Any = value["type"]
    kinds: list[Any] = [kind] if isinstance(kind, str) else list(kind)
    enum = {"enum": [*value["enum"], None]} if "enum" in value else {}
    return {**value, "type": [*kinds, "null"], **enum}


def _pattern_of(kind: Any) -> str:
    return next(f"^(?:{one.pattern})$" for one in kind.__metadata__ if isinstance(one, Matching))


if __name__ == "__main__":
    sys.stdout.write(as_text())
