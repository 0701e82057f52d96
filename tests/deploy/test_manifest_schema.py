"""The JSON Schema that editors use, held against what `load` says of the same manifests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tests.deploy.test_manifest_environments import SHOP

from forebay.deploy.manifest.model import Manifest
from forebay.deploy.manifest.reading import read
from forebay.deploy.manifest.running import FIELDS, Run
from forebay.deploy.manifest.schema import as_text, schema
from forebay.deploy.manifest.tree import Mapping, Node, Scalar, Several

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = ROOT / "docs" / "forebay.schema.json"
MANIFESTS = sorted((Path(__file__).parent / "manifests").glob("*.yml"))

VALIDATOR = Draft202012Validator(schema())


def written(text: str) -> Any:
    """What an editor takes the file for: it knows nothing of our own reading."""
    return _plain(read(text.encode(), "forebay.yml")[1])


def _plain(node: Node) -> Any:
    match node:
        case Scalar():
            return node.value
        case Several():
            return [_plain(item) for item in node.items]
        case Mapping():
            return {key: _plain(entry.node) for key, entry in node.entries.items()}


def complaints(text: str) -> list[str]:
    return [error.message for error in VALIDATOR.iter_errors(written(text))]


def test_the_published_schema_is_that_of_the_model() -> None:
    assert PUBLISHED.read_text(encoding="utf-8") == as_text(), (
        "python -m forebay.deploy.manifest.schema > docs/forebay.schema.json"
    )


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_what_load_accepts_the_schema_accepts(path: Path) -> None:
    assert complaints(path.read_text(encoding="utf-8")) == []


def test_overrides_and_empty_sections_are_accepted_too() -> None:
    assert complaints(SHOP) == []
    assert complaints("name: shop\nqueue:\nscaling: {min: 0}\nrun:\n  buffer-bytes: 64MiB\ncount:\n") == []


@pytest.mark.parametrize(
    "lines",
    [
        "zebra: 1",
        "queue: {visibilty: 5}",
        "queue: {type: FIFO}",
        "queue: {retention: soon}",
        "queue: {encryption: none}",
        "count: '3'",
        "count: 6000",
        "count: true",
        "exec: yes",
        "memory: 2GB",
        "cpu: 300",
        "handler: src/jobs.py",
        "secrets: {TOKEN: hunter2}",
        "secrets: {A-B: /token}",
        "variables: {A: [1]}",
        "schedules: {A 1: {every: 5m}}",
        "permissions: [{actions: [s3:Get]}]",
        "permissions: {}",
        "environments: {Test: {}}",
        "environments: {test: {name: other}}",
        "environments: {test: {queue: {dely: 5}}}",
        "run:\n  slotz: 5",
    ],
)
def test_what_a_schema_can_tell_it_tells(lines: str) -> None:
    assert complaints(f"name: shop\n{lines}\n")


def test_a_manifest_without_a_name_is_none() -> None:
    assert complaints("count: 1\n")


def test_every_key_says_what_it_means() -> None:
    """In an editor, on hover; and in the list that a complaint about a missing key ends with."""
    silent = [
        f"{section}.{key}"
        for section, part in {"Manifest": schema(), **schema()["$defs"]}.items()
        for key, value in part["properties"].items()
        if not value.get("description", "").endswith((".", "…")) and "$ref" not in str(value)
    ]

    assert silent == []


def test_the_section_run_has_every_setting_of_a_worker() -> None:
    from forebay.cli.resolve import SETTINGS

    assert set(Run.model_fields) == {"queue", *(name.replace("-", "_") for name in SETTINGS)}
    assert {name.replace("-", "_"): setting.field for name, setting in SETTINGS.items() if setting.field} == FIELDS


def test_a_manifest_has_no_key_that_is_not_a_fields_name() -> None:
    assert set(schema()["properties"]) == {*Manifest.model_fields, "environments"}
