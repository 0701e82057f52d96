"""The catalogue, the page that explains it, and the code that reports: all three name the same things."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from forebay.observability.events import CATALOGUE, COMMON_FIELDS, LEDGER, OUTCOMES, EventKind, Keep, Level

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "events.md"

PROMISED = (
    "worker.started", "poll.failed", "attempt.started", "attempt.finished", "attempts.summary", "lease.lost",
    "message.buried", "message.parked", "protection.held", "protection.refused", "protection.released",
    "drain.started", "handlers.blocked", "attempt.stuck", "worker.stopped", "log", "log.dropped",
)  # fmt: skip
"""The events that others may rely on (DESIGN section 2)."""


def page_events() -> dict[str, str]:
    """Name → text of its section in docs/events.md."""
    parts = re.split(r"^### `([^`]+)`$", PAGE.read_text(encoding="utf-8"), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def reported() -> Iterator[tuple[str, str, list[str] | None]]:
    """(place, event, keyword fields or None when they are not literal) for each report in our code."""
    for path in sorted((ROOT / "src").rglob("*.py")):
        if path.parent.name in ("local", "cli"):  # They tell people, not machines.
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            first = node.args[0]
            if name not in ("report", "Report", "_tell") or not isinstance(first, ast.Constant):
                continue
            fields: list[str] | None = [keyword.arg for keyword in node.keywords if keyword.arg]
            if len(node.args) > 1:
                given = node.args[1]
                is_literal = isinstance(given, ast.Dict) and all(isinstance(key, ast.Constant) for key in given.keys)
                fields = [str(key.value) for key in given.keys if isinstance(key, ast.Constant)] if is_literal else None  # type: ignore[attr-defined]
            yield f"{path.name}:{node.lineno}", str(first.value), fields


@pytest.mark.parametrize("event", PROMISED)
def test_every_promised_event_is_in_the_catalogue(event: str) -> None:
    assert event in CATALOGUE


def test_the_page_lists_exactly_the_catalogue_in_its_order() -> None:
    assert list(page_events()) == list(CATALOGUE)


@pytest.mark.parametrize("kind", CATALOGUE.values(), ids=lambda kind: kind.name)
def test_the_page_explains_every_field_of_an_event(kind: EventKind) -> None:
    section = page_events()[kind.name]

    listed = dict(re.findall(r"^\| `([^`]+)` \| (.*) \|$", section, flags=re.M))
    assert listed == kind.fields
    assert kind.level.name in section


@pytest.mark.parametrize("kind", CATALOGUE.values(), ids=lambda kind: kind.name)
def test_a_text_line_uses_fields_of_the_event_only(kind: EventKind) -> None:
    used = set(re.findall(r"\{(\w+)\}", kind.text or ""))

    assert used <= set(kind.fields)


def test_what_is_reported_is_in_the_catalogue_with_every_field() -> None:
    assert len(list(reported())) > 10  # else this looks in the wrong place
    unknown = [
        f"{place} {event} {field}"
        for place, event, fields in reported()
        for field in (fields or ())
        if event not in CATALOGUE or (field not in CATALOGUE[event].fields and field not in COMMON_FIELDS)
    ]
    missing = [f"{place} {event}" for place, event, _ in reported() if event not in CATALOGUE]

    assert unknown + missing == []


def test_work_lost_and_the_ledger_are_never_dropped_with_the_routine() -> None:
    kept = {kind.name for kind in CATALOGUE.values() if kind.keep is not Keep.ROUTINE}

    assert {kind.name for kind in CATALOGUE.values() if kind.level is Level.ERROR} <= kept
    assert {name for name, kind in CATALOGUE.items() if kind.keep is Keep.VITAL} >= {"worker.started", "worker.stopped"}


def test_the_ledger_and_the_outcomes_have_their_fields() -> None:
    assert set(LEDGER) <= set(CATALOGUE["worker.stopped"].fields)
    assert set(OUTCOMES) <= set(CATALOGUE["attempts.summary"].fields)
