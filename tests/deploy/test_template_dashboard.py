"""The dashboard in a template."""

from __future__ import annotations

import json
import re
from itertools import combinations
from typing import Any

import pytest
from tests.deploy.golden import NAMES, loaded, template

from forebay.deploy.manifest.model import Manifest
from forebay.deploy.names import Names
from forebay.deploy.template import dashboard
from forebay.deploy.template.intrinsics import Json
from forebay.observability.events import CATALOGUE

PSEUDO = ("AWS::Region", "AWS::Partition", "AWS::AccountId")


def widgets(shop: Manifest, names: Names) -> list[Json]:
    body: str = dashboard.piece(shop, names).resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    found: list[Json] = json.loads(body)["widgets"]
    return found


def shown(**said: Any) -> list[Json]:
    return widgets(Manifest.model_validate({"name": "shop", **said}), Names("shop", "test"))


def titles(found: list[Json]) -> set[str]:
    return {widget["properties"]["title"] for widget in found}


@pytest.mark.parametrize("name", NAMES)
def test_no_two_charts_lie_on_each_other_and_none_beside_the_page(name: str) -> None:
    found = widgets(loaded(name).manifest, loaded(name).names)

    for one, other in combinations(found, 2):
        beside = one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
        assert beside or one["y"] != other["y"], (one, other)
    assert all(widget["x"] + widget["width"] <= 24 for widget in found)


@pytest.mark.parametrize("name", NAMES)
def test_what_cloudformation_fills_in_is_in_the_template(name: str) -> None:
    whole = template(name)
    body = whole["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]

    for place in re.findall(r"\$\{([^}]*)\}", body):
        assert place in PSEUDO or place in whole["Resources"], place


def test_the_charts_of_the_log_ask_for_fields_that_the_log_has() -> None:
    queries = [widget["properties"]["query"] for widget in shown() if widget["type"] == "log"]
    fields = set(CATALOGUE["attempt.finished"].fields) | {"event"}

    assert len(queries) == 2
    for query in queries:
        without_texts = re.sub(r"'[^']*'", "", query)
        words = set(re.findall(r"\b[a-z_]+\b", without_texts)) - {"m"}
        assert words - fields <= {
            *("filter", "and", "stats", "count", "as", "by", "bin", "pct", "sort", "desc"),
            *("jobs", "half", "most"),
        }, query


def test_a_log_of_text_has_no_fields_to_ask_for() -> None:
    assert not [widget for widget in shown(run={"log": "text"}) if widget["type"] == "log"]


def test_tasks_are_shown_where_ecs_counts_them() -> None:
    assert "Tasks" not in titles(shown())
    assert "Tasks" in titles(shown(insights="on"))


def test_a_fair_queue_shows_its_noisy_groups() -> None:
    assert "Fairness" in titles(shown(queue={"type": "fair"}))
    assert "Fairness" not in titles(shown())


def test_it_can_be_switched_off() -> None:
    shop = Manifest.model_validate({"name": "shop", "alarms": {"dashboard": False}})

    assert dashboard.piece(shop, Names("shop", "test")).resources == {}


def test_without_alarms_there_is_no_list_of_them() -> None:
    assert "Alarms" not in titles(shown(alarms={"enabled": False}))
