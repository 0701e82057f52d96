"""How one event becomes one line."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.observability.events import CATALOGUE
from forebay.observability.lines import json_line, text_line

AT = datetime(2026, 11, 23, 14, 13, 33, 343_900, tzinfo=UTC)


def test_a_json_line_is_one_object_with_event_time_and_flat_fields() -> None:
    line = json_line("drain.started", {"reason": "SIGTERM", "running": 3, "limit_s": 25.0}, AT)

    assert line == (
        '{"event":"drain.started","at":"2026-11-23T14:13:33.343Z","reason":"SIGTERM","running":3,"limit_s":25.0}\n'
    )


def test_a_json_line_tells_its_level_unless_it_is_info() -> None:
    line = json_line("poll.failed", {"queue": "thumbnails", "code": "RequestThrottled"}, AT)

    assert json.loads(line)["level"] == "WARNING"


def test_a_time_elsewhere_is_told_in_utc() -> None:
    at = datetime(2026, 11, 23, 16, 13, 33, 343_000, tzinfo=timezone(timedelta(hours=2)))

    assert text_line("poll.started", {}, at) == "2026-11-23T14:13:33.343Z Long polling for messages\n"


@pytest.mark.parametrize(
    ("event", "fields", "message"),
    [
        ("protection.acquiring", {"minutes": 8}, "Acquiring task protection"),
        ("poll.started", {"queue": "thumbnails", "wait_s": 20.0}, "Long polling for messages"),
        ("protection.releasing", {}, "Releasing task protection"),
        ("protection.released", {}, "Task protection released"),
        (
            "drain.started",
            {"reason": "SIGTERM", "running": 2, "waiting": 0, "limit_s": 25.0, "poll_ends_in_s": 17.5},
            "Stopping (SIGTERM): 2 running, 0 waiting, at most 25 s; the open poll ends in 17.5 s",
        ),
        (
            "poll.failed",
            {"queue": "thumbnails", "code": "RequestThrottled", "detail": "", "retry_in_s": 0.25, "suppressed": 4},
            "Cannot receive from thumbnails: RequestThrottled; next try in 0.25 s (4 more like this)",
        ),
        ("something.new", {"size_bytes": 12, "name": None}, "something.new size_bytes=12"),
        ("lease.lost", {"reason": "no message id"}, "lease.lost reason=no message id"),
    ],
)
def test_a_text_line_is_a_time_and_a_sentence(event: str, fields: dict[str, object], message: str) -> None:
    assert text_line(event, fields, AT) == f"2026-11-23T14:13:33.343Z {message}\n"


def test_the_ledger_adds_up_in_words() -> None:
    fields = {
        "received": 7, "succeeded": 4, "retried": 1, "buried": 0, "parked": 0, "continued": 0, "duplicate": 0,
        "released": 2, "lease_lost": 0, "orphaned": 0, "reason": "SIGTERM", "exit_status": 0, "requests": 12,
        "estimated_usd": 0.000005,
    }  # fmt: skip

    assert text_line("worker.stopped", fields, AT) == (
        "2026-11-23T14:13:33.343Z Worker stopped (SIGTERM), exit status 0: received 7 = succeeded 4 + retried 1 "
        "+ buried 0 + parked 0 + continued 0 + duplicate 0 + released 2 + lease lost 0; orphaned 0; 12 requests, "
        "about 0.000005 USD\n"
    )


def test_protection_held_is_told_in_json_only_since_the_article_has_no_such_line() -> None:
    assert text_line("protection.held", {"minutes": 8}, AT) is None
    assert json.loads(json_line("protection.held", {"minutes": 8}, AT))["minutes"] == 8


@given(
    st.sampled_from(sorted(CATALOGUE)),
    st.dictionaries(st.text(), st.one_of(st.none(), st.integers(), st.floats(), st.text(), st.binary(), st.booleans())),
)
def test_whatever_the_fields_hold_a_line_is_one_line(event: str, fields: dict[str, object]) -> None:
    text = text_line(event, fields, AT)
    as_json = json_line(event, fields, AT)

    assert text is None or re.fullmatch(r"[^\r\n]*\n", text)
    assert as_json.count("\n") == 1
    assert as_json.endswith("\n")
    assert json.loads(as_json)["event"] == event


class _Broken:
    def __str__(self) -> str:
        raise RuntimeError("no")


def test_a_value_that_cannot_be_shown_is_shown_as_its_type() -> None:
    line = json_line("something.new", {"size": 1, "value": _Broken()}, AT)

    assert json.loads(line)["value"] == "<_Broken: RuntimeError while shown>"
    assert "<_Broken" in (text_line("something.new", {"value": _Broken()}, AT) or "")
