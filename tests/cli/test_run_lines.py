"""What `forebay run` writes, seen from outside: real processes, a real wire, a real pipe."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.cli.command import PATIENCE_S, forebay, run, surroundings
from tests.cli.conftest import Cloud, a_cloud

from forebay.observability.events import CATALOGUE, COMMON_FIELDS, LEDGER

pytestmark = pytest.mark.processes

CANARY = "canary-7f3a"
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \S.*")

JOBS = """\
import logging

from forebay import Reject, Worker

log = logging.getLogger("shop.orders")
worker = Worker("shop")

@worker.job
async def charge(card: str) -> None:
    log.info("charging", extra={"amount_eur": 3})
    print("printed")

@worker.job
def refund(card: str) -> None:
    raise ValueError("no account for " + card)

@worker.job(attempts=1)
async def pay(card: str) -> None:
    raise KeyError(card)
"""


def events_of(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(JOBS)
    return tmp_path


def send(cloud: Cloud, folder: Path, job: str | None, *bodies: str) -> None:
    named = ["--job", job] if job is not None else []
    assert run("send", *bodies, *named, cwd=folder, env=cloud.env).status == 0


@pytest.fixture(scope="module")
def shop_events(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The lines of one run over jobs that succeed, fail and are hopeless, with a canary in every body."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop.py").write_text(JOBS)
    with a_cloud() as cloud:
        return _lines_of_a_run(cloud, folder)


def _lines_of_a_run(cloud: Cloud, folder: Path) -> list[str]:
    dead = cloud.sqs.call(lambda server: server.create_queue("dead"))
    for job in ("charge", "pay", "nosuch"):
        send(cloud, folder, job, json.dumps({"card": CANARY}))
    send(cloud, folder, "charge", json.dumps({"cart": CANARY}))

    ran = run("run", "shop", "--log", "json", "--exit-when-empty", "--dead-letter", dead, cwd=folder, env=cloud.env)

    assert (ran.status, ran.err) == (0, "")
    return ran.out.splitlines()


def test_every_line_of_ours_is_an_object_of_the_catalogue_with_flat_fields(shop_events: list[str]) -> None:
    events = events_of("\n".join(shop_events))

    assert [line for line in shop_events if not line.startswith("{")] == ["printed"]
    assert {event["event"] for event in events} <= set(CATALOGUE)
    for event in events:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["at"])
        assert not [name for name, value in event.items() if isinstance(value, dict | list)]
        if event["event"] != "log":
            assert set(event) <= set(CATALOGUE[event["event"]].fields) | set(COMMON_FIELDS)


def test_the_events_tell_what_became_of_each_job(shop_events: list[str]) -> None:
    events = events_of("\n".join(shop_events))
    by_name = {name: [event for event in events if event["event"] == name] for name in CATALOGUE}

    finished = {event["job"]: event for event in by_name["attempt.finished"] if event["outcome"] != "rejected"}
    assert finished["charge"]["outcome"] == "succeeded"
    assert finished["pay"]["outcome"] == "failed"
    assert finished["pay"]["error"] == "KeyError"
    assert {"attempt", "message_id", "lasted_s", "settlement"} <= set(finished["charge"])
    assert len(by_name["message.buried"]) == 3  # failed for good, of no job declared here, arguments that do not fit
    [log] = by_name["log"]
    assert (log["logger"], log["message"], log["level"], log["amount_eur"]) == ("shop.orders", "charging", "INFO", 3)
    assert (log["job"], log["message_id"]) == ("charge", finished["charge"]["message_id"])


def test_the_ledger_is_the_last_line_and_adds_up(shop_events: list[str]) -> None:
    last = json.loads(shop_events[-1])

    assert last["event"] == "worker.stopped"
    columns = [last[name] for name in LEDGER if name not in ("received", "orphaned")]
    assert last["received"] == sum(columns) == 4
    assert (last["succeeded"], last["buried"], last["orphaned"]) == (1, 3, 0)
    assert (last["reason"], last["exit_status"]) == ("empty", 0)
    assert last["requests"] > 0
    assert last["estimated_usd"] > 0


def test_bodies_arguments_and_exception_messages_are_in_no_line(shop_events: list[str]) -> None:
    assert CANARY not in "\n".join(shop_events)


def test_an_exceptions_message_is_told_by_choice_only(cloud: Cloud, folder: Path) -> None:
    dead = cloud.sqs.call(lambda server: server.create_queue("dead"))
    send(cloud, folder, "pay", json.dumps({"card": CANARY}))

    ran = run(
        "run", "shop", "--error-detail", "full", "--log", "json", "--exit-when-empty", "--dead-letter", dead,
        cwd=folder, env=cloud.env,
    )  # fmt: skip

    [finished] = [event for event in events_of(ran.out) if event["event"] == "attempt.finished"]
    assert CANARY in finished["error_message"]
    assert "Traceback" in finished["traceback"]


def test_text_lines_begin_with_a_time_in_utc(cloud: Cloud, folder: Path) -> None:
    send(cloud, folder, "charge", json.dumps({"card": CANARY}))

    ran = run("run", "shop", "--exit-when-empty", cwd=folder, env=cloud.env)

    lines = ran.out.splitlines()
    lines.remove("printed")
    assert all(LINE.fullmatch(line) for line in lines)
    assert sum(" INFO shop.orders: charging job=charge message_id=" in line for line in lines) == 1
    assert CANARY not in ran.out


def test_under_protect_always_the_sample_prints_the_articles_seven_lines_in_order(cloud: Cloud, folder: Path) -> None:
    send(cloud, folder, None, "20")

    ran = run("run", "--protect", "always", "--exit-when-empty", cwd=folder, env=cloud.task_env)

    said = [line[25:] for line in ran.out.splitlines()]
    message_id = next(line for line in said if line.endswith(" - Received")).split(" ")[0]
    assert said[1:8] == [
        "Acquiring task protection",
        "Long polling for messages",
        f"{message_id} - Received",
        f"{message_id} - Working for 20 milliseconds",
        f"{message_id} - Done",
        "Releasing task protection",
        "Task protection released",
    ]
    assert ran.status == 0


@pytest.mark.parametrize("kind", ["broken", "silent", "closed"])
def test_whatever_becomes_of_standard_output_jobs_are_done_and_the_status_is_ours(
    cloud: Cloud, folder: Path, kind: str
) -> None:
    """Nobody reads, nobody is there, or there is no standard output at all."""
    send(cloud, folder, None, *["0"] * 100)

    worker = _started_with(kind, folder, {**cloud.env, "FOREBAY_LOG": "json"})
    status = worker.wait(PATIENCE_S)

    counts = cloud.counts()
    assert (counts["visible"], counts["in_flight"]) == (0, 0)
    assert status == 0


def _started_with(kind: str, folder: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    command = [*forebay(), "run", "--exit-when-empty"]
    reader, writer = os.pipe()
    if kind == "broken":
        os.close(reader)
    if kind == "closed":
        command = ["sh", "-c", 'exec "$@" >&-', "sh", *command]
    if kind == "silent":
        # Filled to the brim, so that the first line finds no room.
        os.set_blocking(writer, False)
        try:
            while True:
                os.write(writer, b"x" * 65_536)
        except BlockingIOError:
            os.set_blocking(writer, True)
    worker = subprocess.Popen(command, cwd=folder, env=surroundings(env), stdout=writer, stderr=subprocess.DEVNULL)
    os.close(writer)
    return worker


def test_a_stop_request_is_told_with_what_is_still_running(cloud: Cloud, folder: Path) -> None:
    send(cloud, folder, None, "1000")
    worker = subprocess.Popen(
        [*forebay(), "run", "--log", "json", "--exit-when-empty"],
        cwd=folder,
        env=surroundings(cloud.env),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdout is not None
    lines: list[dict[str, Any]] = []
    for line in worker.stdout:
        lines.append(json.loads(line))
        if lines[-1]["event"] == "attempt.started":
            worker.send_signal(signal.SIGTERM)

    [drain] = [event for event in lines if event["event"] == "drain.started"]
    assert (drain["reason"], drain["running"]) == ("SIGTERM", 1)
    assert lines[-1]["succeeded"] == 1
    assert worker.wait(PATIENCE_S) == 0
    worker.stdout.close()
