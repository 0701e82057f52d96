"""The template of each manifest, against the text that a person has looked at."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
import yaml
from tests.deploy.golden import GOLDEN, NAMES, PAGE, golden, page_with_tables, template, written

from forebay.deploy.template.intrinsics import DESCRIPTION_KEY
from forebay.deploy.template.writing import SHORT_TAGS, as_json, as_yaml

BODY_BYTES_MAX = 51_200
"""What CloudFormation takes in one call."""

AGAIN = "python -m tests.deploy.golden --write, then look at git diff"


def test_every_golden_template_has_its_manifest() -> None:
    assert sorted(path.stem for path in GOLDEN.glob("*.yml")) == list(NAMES)
    assert len(NAMES) >= 8


@pytest.mark.parametrize("name", NAMES)
def test_the_template_is_the_one_that_was_looked_at(name: str) -> None:
    assert written(name) == golden(name).read_text(encoding="ascii"), AGAIN


@pytest.mark.parametrize("name", NAMES)
def test_the_template_is_small_enough_for_one_call(name: str) -> None:
    assert len(as_json(template(name)).encode()) <= BODY_BYTES_MAX


def test_the_page_about_the_template_lists_what_the_templates_hold() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert page == page_with_tables(page), AGAIN


def test_the_text_depends_on_no_hash_seed() -> None:
    """Sets and hashes have another order in each interpreter; a text that had one would show changes for ever."""
    program = "from tests.deploy.golden import *; print(''.join(written(name) for name in NAMES))"
    texts = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            check=True,
            timeout=60,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }

    assert len(texts) == 1


@pytest.mark.parametrize("name", NAMES)
def test_yaml_and_json_say_the_same(name: str) -> None:
    assert read(written(name)) == json.loads(as_json(template(name)))


@pytest.mark.parametrize("name", NAMES)
def test_every_resource_says_in_plain_words_what_it_is_for(name: str) -> None:
    for logical_id, resource in template(name)["Resources"].items():
        description = resource["Metadata"][DESCRIPTION_KEY]

        assert description[0].isupper(), logical_id
        assert description[-1] not in ".:;,", f"{logical_id}: no full stop, as it stands in a table"
        assert 12 <= len(description) <= 90, (logical_id, len(description))
        assert "AWS::" not in description, logical_id


@pytest.mark.parametrize("name", NAMES)
def test_no_two_resources_are_described_with_the_same_words(name: str) -> None:
    resources = template(name)["Resources"]

    assert len({resource["Metadata"][DESCRIPTION_KEY] for resource in resources.values()}) == len(resources)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"Ref": "Queue"}, "!Ref Queue"),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, "!GetAtt Queue.Arn"),
        ({"Fn::Sub": "a: ${B}"}, "!Sub 'a: ${B}'"),
        ({"Fn::GetAZs": ""}, "!GetAZs ''"),
        ({"Fn::GetAZs": {"Ref": "AWS::Region"}}, "\n  Fn::GetAZs: !Ref AWS::Region"),
        ({"Fn::Select": [0, {"Fn::GetAZs": ""}]}, "!Select\n  - 0\n  - !GetAZs ''"),
        ({"Condition": "IsLarge"}, "!Condition IsLarge"),
        ({"Condition": {"Bool": {"x": "true"}}}, "\n  Condition:\n    Bool:\n      x: 'true'"),
        ("2012-10-17", "'2012-10-17'"),
        ("on", "'on'"),
        ("0123", "'0123'"),
        ("Grüße", '"Gr\\xFC\\xDFe"'),
    ],
)
def test_yaml_has_short_tags_and_keeps_text_as_text(value: Any, text: str) -> None:
    assert as_yaml({"key": value}) == f"key:{'' if text.startswith(chr(10)) else ' '}{text}\n"


class _Reader(yaml.SafeLoader):
    """Reads short tags back to the functions that they stand for."""


def _function(name: str) -> Any:
    def construct(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return {name: node.value.split(".", 1) if name == "Fn::GetAtt" else node.value}
        assert isinstance(node, yaml.SequenceNode)
        return {name: loader.construct_sequence(node, deep=True)}

    return construct


for _name, _tag in SHORT_TAGS.items():
    _Reader.add_constructor(_tag, _function(_name))


def read(text: str) -> Any:
    """Return the template that the YAML says, as CloudFormation reads it."""
    return yaml.load(text, Loader=_Reader)  # The safe loader's child.
