"""What the health pages say, judged in virtual time and asked over real HTTP."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from forebay.clock import VirtualClock
from forebay.errors import SettingsError
from forebay.observability.health import HealthState, SourceHealth, liveness, readiness
from forebay.observability.health_server import HealthServer

QUEUE = "https://sqs.eu-west-1.amazonaws.com/1/thumbnails"


def a_state(**source: Any) -> HealthState:
    return HealthState(1_000.0, {QUEUE: SourceHealth(**source)})


def test_a_loop_that_turned_within_ten_seconds_is_alive() -> None:
    assert liveness(a_state(), now=1_010.0).is_well
    assert liveness(a_state(), now=1_011.0).reasons == ("the control loop has not turned for 11 s",)


def test_being_alive_says_nothing_about_sqs() -> None:
    state = a_state(poll_due_since=0.0, trouble="connection refused")

    assert liveness(state, now=1_000.0).is_well
    assert not readiness(state, now=1_000.0).is_well


@pytest.mark.parametrize(
    ("source", "is_ready"),
    [
        ({"poll_due_since": 941.0}, True),
        ({"poll_due_since": 939.0}, False),
        ({"poll_due_since": 900.0, "last_completed_at": 941.0}, True),
        ({"poll_due_since": 900.0, "last_completed_at": 939.0}, False),
        ({"poll_due_since": None, "last_completed_at": 0.0}, True),
        ({"poll_due_since": 993.0, "wait_s": 2.0}, False),
    ],
)
def test_ready_means_that_a_poll_has_completed_within_three_waits(source: dict[str, Any], is_ready: bool) -> None:
    assert readiness(a_state(**source), now=1_000.0).is_well is is_ready


def test_full_slots_are_never_red_however_old_the_last_poll_is() -> None:
    state = a_state(poll_due_since=0.0)
    state.full_slots = True

    verdict = readiness(state, now=1_000.0)

    assert verdict.is_well
    assert verdict.notes == ("every slot is taken",)


def test_the_reason_names_the_queue_and_its_trouble() -> None:
    verdict = readiness(a_state(poll_due_since=0.0, trouble="ConnectionRefused"), now=1_000.0)

    assert verdict.reasons == (f"no poll of {QUEUE} has completed for 1000 s: ConnectionRefused",)


def test_one_silent_queue_of_two_makes_the_worker_unready() -> None:
    state = a_state(poll_due_since=999.0)
    state.sources["other"] = SourceHealth(poll_due_since=0.0)

    assert not readiness(state, now=1_000.0).is_well


class Asked:
    """A running server and a way to ask it."""

    def __init__(self) -> None:
        self.clock = VirtualClock(start_at=1_000.0)
        self.state = a_state(poll_due_since=999.0)
        self.server = HealthServer(self.state, self.clock, "127.0.0.1", 0, look_s=0.01)

    def get(self, path: str, *, method: str = "GET", host: str | None = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(*self.server.address, timeout=10)
        connection.request(method, path, headers={"Host": host} if host else {})
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response.status, json.loads(body) if body.startswith(b"{") else body


@pytest.fixture
def asked() -> Iterator[Asked]:
    asked = Asked()
    yield asked
    asked.server.close(wait_s=10.0)


@pytest.mark.parametrize("path", ["/", "/live", "/ready"])
def test_a_well_worker_answers_200(asked: Asked, path: str) -> None:
    assert asked.get(path) == (200, {"ok": True, "reasons": [], "notes": []})


def test_an_outage_of_sqs_is_told_by_ready_and_not_by_live(asked: Asked) -> None:
    asked.clock.advance(70.0)
    asked.state.last_turn_at = asked.clock.now()

    assert asked.get("/live")[0] == 200
    status, page = asked.get("/ready")
    assert status == 503
    assert "no poll of" in page["reasons"][0]
    assert asked.get("/")[0] == 503


@pytest.mark.parametrize("path", ["/live?verbose", "/metrics", "/live/", "/%6cive"])
def test_any_other_page_is_404(asked: Asked, path: str) -> None:
    assert asked.get(path)[0] == 404


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8080", 200),
        ("[::1]:8080", 200),
        ("localhost", 200),
        ("10.0.3.7", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example:80", 421),
    ],
)
def test_a_web_page_elsewhere_cannot_ask_through_its_own_name(asked: Asked, host: str, status: int) -> None:
    assert asked.get("/live", host=host)[0] == status


def test_head_answers_without_a_body_and_post_is_refused(asked: Asked) -> None:
    assert asked.get("/live", method="HEAD") == (200, b"")
    assert asked.get("/live", method="POST")[0] == 501


def test_a_client_that_sends_nothing_does_not_stop_others(asked: Asked) -> None:
    with socket.create_connection(asked.server.address), socket.create_connection(asked.server.address):
        assert asked.get("/live")[0] == 200


def test_an_address_in_use_is_a_settings_error_that_names_it(asked: Asked) -> None:
    host, port = asked.server.address

    with pytest.raises(SettingsError, match=f"--health {host}:{port} cannot be listened on"):
        HealthServer(asked.state, asked.clock, host, port)
