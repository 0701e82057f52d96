"""The page docs/operations.md has a section for each alarm, with the alarm's own words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.deploy.golden import NAMES, template

from forebay.deploy.live.alarms import SIGNALS
from forebay.deploy.template import alarms

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operations.md"


def sections() -> dict[str, str]:
    parts = re.split(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("alarm", alarms.FIRST_AID)
def test_each_alarm_has_a_section_that_begins_with_its_description(alarm: str) -> None:
    assert sections()[alarm].strip().startswith(f"**{alarms.FIRST_AID[alarm]}**")


def test_every_alarm_of_a_template_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    found = {
        logical_id
        for name in NAMES
        for logical_id, resource in template(name)["Resources"].items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }

    assert found >= alarms.FIRST_AID.keys()
    assert [logical_id for logical_id in found if logical_id not in page] == []


def test_each_alarm_of_a_template_tells_of_trouble_or_is_known_to_scale_only() -> None:
    found = {
        logical_id
        for name in NAMES
        for logical_id, resource in template(name)["Resources"].items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }

    assert found - SIGNALS == alarms.FIRST_AID.keys()
    assert not SIGNALS & alarms.FIRST_AID.keys()


def test_the_page_has_no_alarm_that_is_none() -> None:
    assert {title for title in sections() if title.endswith("Alarm")} == alarms.FIRST_AID.keys()
