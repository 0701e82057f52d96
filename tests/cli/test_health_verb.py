"""`forebay health`: what the health check of a container sees."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.command import run

from forebay.clock import SystemClock
from forebay.observability.health import HealthState, SourceHealth
from forebay.observability.health_server import HealthServer

pytestmark = pytest.mark.processes


class Served:
    """A health server of this process, with a state to change."""

    def __init__(self) -> None:
        clock = SystemClock()
        self.state = HealthState(clock.now() + 3_600.0, {"thumbnails": SourceHealth()})
        self.now = clock.now
        self.server = HealthServer(self.state, clock, "127.0.0.1", 0, look_s=0.01)

    @property
    def address(self) -> str:
        host, port = self.server.address
        return f"{host}:{port}"


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.server.close(wait_s=10.0)


def test_a_well_worker_exits_0(served: Served, tmp_path: Path) -> None:
    alive = run("health", served.address, cwd=tmp_path)
    ready = run("health", "--ready", cwd=tmp_path, env={"FOREBAY_HEALTH": served.address})

    assert (alive.status, alive.out) == (0, "alive\n")
    assert (ready.status, ready.out) == (0, "ready\n")


def test_a_worker_that_waits_for_sqs_is_alive_and_not_ready(served: Served, tmp_path: Path) -> None:
    served.state.sources["thumbnails"].poll_due_since = served.now() - 100.0

    alive = run("health", served.address, cwd=tmp_path)
    ready = run("health", "--ready", served.address, cwd=tmp_path)
    page = run("health", "--ready", "--json", served.address, cwd=tmp_path)

    assert alive.status == 0
    assert (ready.status, ready.out) == (1, "")
    assert "no poll of thumbnails has completed for" in ready.err
    assert json.loads(page.out)["ok"] is False
    assert page.status == 1


def test_a_worker_that_listens_on_every_address_is_asked_on_this_machine(served: Served, tmp_path: Path) -> None:
    ran = run("health", cwd=tmp_path, env={"FOREBAY_HEALTH": f"0.0.0.0:{served.server.address[1]}"})

    assert ran.status == 0


def test_nobody_there_exits_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    ran = run("health", f"127.0.0.1:{port}", cwd=tmp_path)

    assert ran.status == 1
    assert f"no worker answers at 127.0.0.1:{port}" in ran.err
