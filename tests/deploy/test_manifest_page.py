"""The page about the manifest, held against the model: keys, defaults, bounds and choices; its manifests are loaded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from forebay.deploy.manifest import surroundings, workload
from forebay.deploy.manifest.fargate import MEMORY_MIB, refusal
from forebay.deploy.manifest.loading import load, parsed
from forebay.deploy.manifest.model import Manifest
from forebay.deploy.manifest.reading import read
from forebay.deploy.manifest.running import Run
from forebay.deploy.manifest.tree import plain

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "manifest.md").read_text(encoding="utf-8")

SECTIONS: dict[str, type[BaseModel]] = {
    "The service": Manifest,
    "image": workload.Image,
    "image.build": workload.Build,
    "queue": workload.Queue,
    "scaling": workload.Scaling,
    "spot": workload.Spot,
    "deployment": workload.Deployment,
    "network": surroundings.Network,
    "schedules": surroundings.Schedule,
    "topics": surroundings.Subscription,
    "logs": surroundings.Logs,
    "alarms": surroundings.Alarms,
    "permissions": surroundings.Permission,
    "run": Run,
}
CODE = re.compile(r"`([^`]*)`")


def rows(section: str) -> dict[str, tuple[str, str]]:
    """Key → its default and bounds, as the section's table has them."""
    text = PAGE.split(f"\n### {section}\n")[1].split("\n### ")[0]
    lines = [re.split(r"(?<!\\)\|", line)[1:4] for line in text.splitlines() if line.startswith("| `")]
    return {key.strip(" `"): (default.strip(), bounds.strip()) for key, default, bounds in lines}


def fields() -> Iterator[tuple[str, str, FieldInfo]]:
    for section, model in SECTIONS.items():
        for key, field in model.model_fields.items():
            yield section, key, field


def value_of(text: str, field: FieldInfo) -> Any:
    """What a value of the page means to the manifest."""
    written = plain(read(f"value: {text}\n".encode(), "page")[1])["value"]
    return TypeAdapter(field.rebuild_annotation()).validate_python(written)


def choices_of(annotation: Any) -> list[str]:
    if get_origin(annotation) is Literal:
        return [str(choice) for choice in get_args(annotation)]
    return [choice for one in get_args(annotation) for choice in choices_of(one)]


def bounds_of(field: FieldInfo) -> dict[str, Any]:
    return {
        name: getattr(mark, name)
        for mark in field.metadata
        for name in ("ge", "le")
        if getattr(mark, name, None) is not None
    }


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_of_a_section_stands_in_its_table(section: str) -> None:
    more = ["environments"] if section == "The service" else []

    assert list(rows(section)) == [*SECTIONS[section].model_fields, *more]


def test_the_page_has_a_table_for_each_section_of_the_model() -> None:
    held = {kind for model in SECTIONS.values() for kind in _sections_in(model)}

    assert held - set(SECTIONS.values()) == set()


def _sections_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from _sections_in(field.annotation)
    for one in get_args(annotation):
        yield from _sections_in(one)


def test_the_defaults_of_the_page_are_those_of_the_model() -> None:
    wrong: list[str] = []
    for section, key, field in fields():
        told = rows(section)[key][0]
        default = field.get_default(call_default_factory=True)
        if default is PydanticUndefined:
            right = told == "required"
        elif isinstance(default, BaseModel) or default is None or default == ():
            right = CODE.fullmatch(told) is None and told != "required"
        elif default == {}:
            right = told in ("none", "`{}`")
        else:
            code = CODE.fullmatch(told)
            right = code is not None and value_of(code[1], field) == default
        if not right:
            wrong.append(f"{section}: {key} is {default!r}, not {told}")

    assert wrong == []


def test_the_bounds_of_the_page_are_those_of_the_model() -> None:
    wrong: list[str] = []
    for section, key, field in fields():
        told = CODE.findall(rows(section)[key][1])
        bounds = bounds_of(field)
        if bounds and [value_of(one, field) for one in told] != list(bounds.values()):
            wrong.append(f"{section}: {key} is {bounds}, not {told}")

    assert wrong == []


def test_the_choices_of_the_page_are_those_of_the_model() -> None:
    wrong: list[str] = []
    for section, key, field in fields():
        choices = choices_of(field.annotation)
        told = CODE.findall(rows(section)[key][1])
        if choices and key != "retention_days" and told != choices:
            wrong.append(f"{section}: {key} is one of {choices}, not {told}")

    assert wrong == []


def test_the_pairs_of_cpu_and_memory_are_fargates() -> None:
    found = {
        int(cpu): memory.strip()
        for cpu, memory in re.findall(r"^\| `(\d+)` \| [^|]+ \| ([^|`]+) \|$", PAGE.split("### CPU")[1], flags=re.M)
    }

    assert found.keys() == MEMORY_MIB.keys()
    for cpu, memory in found.items():
        refused = refusal(cpu, 1)
        assert refused is not None
        assert refused.endswith(f"with cpu: {cpu}, but {memory}")


def test_what_a_way_out_costs_is_what_the_price_file_makes_of_it() -> None:
    usd = json.loads((ROOT / "src" / "forebay" / "deploy" / "prices.json").read_text(encoding="utf-8"))["usd"]
    address, gateway, endpoint = usd["public_ipv4_hour"], usd["nat_gateway_hour"], usd["endpoint_zone_hour"]
    month = [f"{hour * 730:.2f}" for hour in (address, gateway + address, endpoint)]

    described = surroundings.Network.model_fields["egress"].description or ""
    told = PAGE.split("\nWhat `egress` costs")[1].split("\n\n")[0]

    assert re.findall(r"[0-9]+\.[0-9]+", described) == month
    assert re.findall(r"[0-9]+\.[0-9]+", told) == month


MANIFESTS = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.S)


@pytest.mark.parametrize(
    "text", MANIFESTS, ids=[re.findall(r"^name: (.*)$", text, flags=re.M)[0] for text in MANIFESTS]
)
def test_each_manifest_of_the_page_loads_in_each_of_its_environments(text: str, tmp_path: Path) -> None:
    path = tmp_path / "forebay.yml"
    path.write_text(text, encoding="utf-8")
    names = parsed(text.encode(), "production" if "environments" in text else None, file="page", folder=tmp_path)

    for environment in names.environments:
        assert load(path, environment).manifest.name


def test_the_page_has_a_tiny_a_scaled_and_a_fifo_manifest() -> None:
    tiny, scaled, fifo = (
        parsed(text.encode(), "production" if "environments" in text else None, file="page", folder=Path())
        for text in MANIFESTS
    )

    assert tiny.manifest == Manifest(name="queue-consumer", handler="shop.jobs:worker")
    assert scaled.manifest.is_scaled
    assert (scaled.manifest.spot.base, scaled.manifest.spot.percent) == (2, 75)
    assert fifo.names.queue == "ledger-test.fifo"
