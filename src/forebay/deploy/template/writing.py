"""A template as text: YAML with CloudFormation's short tags for people, compact JSON for the wire. Pure.

Rules kept here and nowhere else:

1. The text is ASCII: CloudFormation gives other letters of a template back as question marks, and every comparison
   with what is deployed would show them as changes. YAML and JSON both have escapes for them.
2. The same template gives the same text, whatever the interpreter's hash seed: keys keep the order that they were put
   in, which is the order that a person reads them in.
3. No aliases: a reader must not have to look up `*id001`.
"""

from __future__ import annotations

import json
from typing import Any

import yaml

from forebay.deploy.template.intrinsics import Json

SHORT_TAGS = {
    "Ref": "!Ref",
    "Condition": "!Condition",
    **{
        f"Fn::{name}": f"!{name}"
        for name in ("GetAtt", "Sub", "If", "Join", "Select", "Split", "GetAZs", "Equals", "Not", "And", "Or", "Base64")
    },
}
"""A function's full name → its tag. `Condition` is one only as a whole value, never as an attribute of a resource."""


FULL_NAMES = {tag: name for name, tag in SHORT_TAGS.items()}


def as_yaml(template: Json) -> str:
    """Return the template as YAML."""
    text: str = yaml.dump(  # pyright: ignore[reportUnknownMemberType]  (its stubs leave the stream's type open)
        template, Dumper=_Dumper, sort_keys=False, width=2**20, allow_unicode=False
    )
    return text


def as_json(template: Json) -> str:
    """Return the template as JSON without a space too many: what CloudFormation's limit of 51,200 bytes counts."""
    return json.dumps(template, separators=(",", ":"))


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  (PyYAML's own signature)
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        # Lists stand indented below their key, as in AWS's own examples.
        super().increase_indent(flow, False)

    def scalar(self, tag: str, text: str) -> yaml.ScalarNode:
        return self.represent_scalar(tag, text, style="|" if "\n" in text else None)  # pyright: ignore[reportUnknownMemberType]

    def choose_scalar_style(self) -> str:
        style: str = super().choose_scalar_style()
        event, analysis = self.event, self.analysis
        # PyYAML puts whatever has a tag into quotes. `!Ref Queue` needs none.
        if isinstance(event, yaml.ScalarEvent) and (event.tag or "").startswith("!") and style == "'" and event.value:
            assert analysis is not None
            return "" if analysis.allow_block_plain and not analysis.multiline else style
        return style


def _mapping(dumper: _Dumper, value: dict[str, Any]) -> yaml.Node:
    if len(value) == 1:
        ((name, argument),) = value.items()
        tag = SHORT_TAGS.get(name)
        if tag is not None and not (name == "Condition" and not isinstance(argument, str)):
            return _tagged(dumper, tag, argument)
    return dumper.represent_mapping("tag:yaml.org,2002:map", value.items())


def _tagged(dumper: _Dumper, tag: str, argument: Any) -> yaml.Node:
    match argument:
        case [str(resource), str(attribute)] if tag == "!GetAtt":
            return dumper.scalar(tag, f"{resource}.{attribute}")
        case str():
            return dumper.scalar(tag, argument)
        case dict():
            # A tag cannot stand before another one, so a function of a function is written in full.
            function: Json = {FULL_NAMES[tag]: argument}
            return dumper.represent_mapping("tag:yaml.org,2002:map", function.items())
        case _:
            return dumper.represent_sequence(tag, argument)


_Dumper.add_representer(dict, _mapping)
