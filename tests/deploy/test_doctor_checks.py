"""Every check of `forebay doctor`: what trips it, what is nearest to that and does not, and where it is explained."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.deploy.doctor_cases import Pair, cases, pairs

from forebay.cli.examining import findings
from forebay.deploy.doctor.examine import checks
from forebay.deploy.doctor.finding import Finding

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "doctor.md"
BY_CHECK = {pair.check: pair for pair in pairs()}


def found(situation: dict[str, object], check: str) -> list[Finding]:
    return [finding for finding in findings(*cases(situation)) if finding.check == check]


@pytest.mark.parametrize("pair", pairs(), ids=lambda pair: pair.check)
def test_a_check_is_tripped_and_tells_the_value_that_it_read(pair: Pair) -> None:
    for one in (pair, *pair.also):
        tripped = found(one.trips, one.check)

        told = {finding.value: finding for finding in tripped}
        value = one.value.replace("{folder}", str(Path.cwd()))
        assert value in told
        assert one.severity in (None, told[value].severity)
        assert all(finding.place and finding.why and finding.remedy for finding in tripped)


@pytest.mark.parametrize("pair", pairs(), ids=lambda pair: pair.check)
def test_a_check_is_silent_about_what_is_right(pair: Pair) -> None:
    assert found(pair.passes, pair.check) == []


def test_every_check_has_its_pair() -> None:
    assert list(BY_CHECK) == list(checks())


def test_every_check_has_its_section_on_the_page() -> None:
    """The heading is the check's id, since that is what the output links to; then comes its title."""
    sections = re.findall(r"^### ([\w-]+)\n\n\*\*(.+?)\.\*\*", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)

    assert sections == [(check.id, check.title) for check in checks().values()]


@pytest.mark.parametrize("check", checks().values(), ids=lambda check: check.id)
def test_the_page_says_of_a_check_why_and_what_to_do(check: object) -> None:
    text = PAGE.read_text(encoding="utf-8").split(f"\n### {check.id}\n")[1].split("\n##")[0]  # type: ignore[attr-defined]  # pyright: ignore

    assert len(text.split("\n\n")) >= 3
    assert "Remedy:" in text
