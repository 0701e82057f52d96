"""What `forebay status` shows, held against whole screens: the first of them is the article's."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.cli.pacing import NOW, VirtualPace

from forebay.cli.cost_lines import cost_lines
from forebay.cli.plain import plain
from forebay.cli.shapes import ago, bar, columns, event_text, span
from forebay.cli.status import follow
from forebay.cli.status_screen import screen
from forebay.deploy.live.values import (
    Age,
    AlarmState,
    Bounds,
    DeadLetters,
    Happening,
    Protected,
    QueueState,
    ScalingState,
    ServiceState,
    Status,
    Tasks,
    TaskState,
    Unread,
)
from forebay.deploy.live.where import Where
from forebay.deploy.manifest.model import Manifest
from forebay.deploy.rollout import Deployment, StopGroup
from forebay.errors import DeployError

DEPLOYED = Deployment("ecs-svc/1", "PRIMARY", "1", "completed", 1, 1, 0, 0)
TASK = TaskState(
    task_id="0506b170f2a14cd59fb0f1a7b1c5e3a1",
    status="RUNNING",
    revision=1,
    created_utc=NOW - timedelta(minutes=9),
    started_utc=NOW - timedelta(minutes=8, seconds=20),
    health="HEALTHY",
    capacity="FARGATE",
    has_exec=False,
    is_stopping=False,
)
SERVICE = ServiceState(
    status="ACTIVE", desired=1, running=1, pending=0, revision=1, has_exec=False, deployments=(DEPLOYED,), events=()
)
QUEUE = QueueState(
    name="queue-consumer-test",
    url="https://sqs.eu-central-1.amazonaws.com/1/queue-consumer-test",
    visible=0,
    in_flight=0,
    delayed=0,
    oldest=None,
    dead=DeadLetters("queue-consumer-test-dead", 0),
)
AT_REST = Status(
    where=Where(service="queue-consumer", cluster="queue-consumer-test", environment="test"),
    read_utc=NOW,
    service=SERVICE,
    tasks=Tasks((TASK,), ()),
    protected=(),
    queue=QUEUE,
    scaling=None,
    alarms=(),
)
DENIED = Unread("reading the alarms: arn:aws:iam::1:user/ann lacks the permission cloudwatch:DescribeAlarms")

ARTICLE = """\
Task Summary

  Running   ██████████  1/1 desired tasks are running


  ID        Status      Revision    Started At
  --        ------      --------    ----------
  0506b170  RUNNING     1           8 minutes ago
"""


def shown(status: Status) -> str:
    return "\n".join(screen(status)) + "\n"


def test_a_service_at_rest_is_the_article_s_screen_with_what_copilot_did_not_know_below_it() -> None:
    assert shown(AT_REST) == (
        ARTICLE
        + """
Deployments

           Revision  Rollout      Desired  Running  Failed  Pending
  PRIMARY  1         [completed]  1        1        0       0

Queue

  queue-consumer-test       0 visible, 0 in flight, 0 delayed
  queue-consumer-test-dead  0 dead letters
"""
    )


def test_the_page_shows_this_screen() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "status.md"

    assert f"Found service {AT_REST.where.title}\n{shown(AT_REST)}```" in page.read_text(encoding="utf-8")


def test_a_service_in_trouble_tells_what_happens_and_what_to_do() -> None:
    busy = replace(TASK, task_id="a" * 32, is_stopping=True, capacity="FARGATE_SPOT")
    stopped = StopGroup("OutOfMemoryError: killed", 5, ("bbbb0001", "bbbb0002", "bbbb0003"), "raise `memory:`")
    status = replace(
        AT_REST,
        service=replace(
            SERVICE,
            desired=3,
            deployments=(
                Deployment("ecs-svc/2", "PRIMARY", "2", "in progress", 3, 1, 5, 2),
                Deployment("ecs-svc/1", "ACTIVE", "1", "completed", 0, 1, 0, 0),
            ),
            events=(Happening(NOW - timedelta(seconds=90), "(service x) was unable to place a task."),),
        ),
        tasks=Tasks((busy, TASK), (stopped,)),
        protected=(Protected("a" * 32, NOW + timedelta(hours=1, minutes=59)),),
        queue=replace(
            QUEUE,
            visible=1_234,
            in_flight=10,
            oldest=Age(3_720.0, NOW - timedelta(minutes=1)),
            dead=DeadLetters("d", 1),
        ),
        scaling=ScalingState(
            Bounds(least=1, most=8, suspended=("in", "out")),
            (Happening(NOW - timedelta(minutes=3), "Setting desired count to 3"),),
        ),
        alarms=(
            AlarmState(
                name="shop-test-OldestMessageAlarm-1X2Y",
                label="OldestMessageAlarm",
                state="ALARM",
                since_utc=NOW - timedelta(minutes=5),
                about="Messages wait too long. Look at the tasks first.",
            ),
            AlarmState(
                name="TargetTracking-service/shop-test/shop-AlarmLow-1b2c",
                label="AlarmLow",
                state="ALARM",
                since_utc=NOW - timedelta(hours=3),
                about="DO NOT EDIT OR DELETE.",
                is_signal=True,
            ),
        ),
    )

    assert (
        shown(status)
        == """\
Task Summary

  Running   ███░░░░░░░  1/3 desired tasks are running


  ID        Status             Revision    Started At     Protected                 Capacity
  --        ------             --------    ----------     ---------                 --------
  aaaaaaaa  RUNNING, stopping  1           8 minutes ago  until 13:59:00Z (1 hour)  FARGATE_SPOT
  0506b170  RUNNING            1           8 minutes ago                            FARGATE

Deployments

           Revision  Rollout        Desired  Running  Failed  Pending
  PRIMARY  2         [in progress]  3        1        5       2
  ACTIVE   1         [completed]    0        1        0       0
  1 minute ago: was unable to place a task.

Queue

  queue-consumer-test  1,234 visible, 10 in flight, 0 delayed; the oldest had waited 1 hour at 11:59:00Z
  d                    1 dead letter

Stopped Tasks

  5 × OutOfMemoryError: killed (bbbb0001, bbbb0002, bbbb0003, …)
      → raise `memory:`

Scaling

  1 to 8 tasks; suspended (in, out): `forebay scale --resume` lets it go on
  3 minutes ago: Setting desired count to 3

Alarms

  Name                State       For
  ----                -----       ---
  OldestMessageAlarm  ALARM       5 minutes
  AlarmLow            scales      3 hours
  OldestMessageAlarm: Messages wait too long. Look at the tasks first.
"""
    )


def test_what_may_not_be_read_is_a_line_in_its_place() -> None:
    status = replace(AT_REST, alarms=DENIED, protected=Unread("p"), queue=replace(QUEUE, oldest=Unread("o"), dead=None))

    lines = screen(status)

    assert lines[lines.index("Alarms") + 2] == f"  not read: {DENIED.reason}"
    assert "  not read: p" in lines
    assert "  not read: o" in lines
    assert any("no dead-letter queue" in line for line in lines)


def test_with_nothing_but_the_queue_readable_the_reasons_stand_once_each() -> None:
    denied = Unread("denied")

    text = shown(replace(AT_REST, service=denied, tasks=Unread("too"), protected=Unread("too"), scaling=denied))

    assert text.count("not read: denied") == 2
    assert text.count("not read: too") == 1


def test_a_local_ecs_says_once_that_it_stands_alone() -> None:
    alone = Unread("x", is_elsewhere=True)

    text = shown(replace(AT_REST, alarms=alone, scaling=alone, queue=replace(QUEUE, oldest=alone)))

    assert "not read" not in text
    assert text.endswith("not asked for.\n")
    assert "Alarms" not in text.split("This ECS")[0]
    assert "Scaling\n" not in text


def test_of_many_tasks_the_first_are_shown_and_the_others_counted() -> None:
    tasks = tuple(replace(TASK, task_id=f"{number:032}") for number in range(300))

    lines = screen(replace(AT_REST, tasks=Tasks(tasks, ())))

    assert "  and 280 more: --json has them all" in lines
    assert len(plain(replace(AT_REST, tasks=Tasks(tasks, ())))["tasks"]["alive"]) == 300


def test_json_has_instants_in_utc_and_reasons_for_what_is_missing() -> None:
    found: dict[str, Any] = json.loads(json.dumps(plain(replace(AT_REST, alarms=DENIED))))

    assert found["read_utc"] == "2026-11-28T12:00:00.000Z"
    assert found["alarms"] == {"unread": DENIED.reason}
    assert found["queue"]["dead"] == {"name": "queue-consumer-test-dead", "count": 0}
    assert found["scaling"] is None


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [
        (0, 0, "░░░░░░░░░░"),
        (0, 5, "░░░░░░░░░░"),
        (1, 1_000, "█░░░░░░░░░"),
        (999, 1_000, "█████████░"),
        (5, 5, "██████████"),
        (3, 1, "██████████"),
    ],
)
def test_a_bar_is_full_only_when_all_is_there_and_empty_only_when_nothing_is(
    part: int, whole: int, expected: str
) -> None:
    assert bar(part, whole) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(-3, "0 seconds"), (0.9, "0 seconds"), (1, "1 second"), (59.9, "59 seconds"), (60, "1 minute"),
     (3_599, "59 minutes"), (7_200, "2 hours"), (172_800, "2 days")],
)  # fmt: skip
def test_a_length_of_time_is_told_in_its_largest_unit(seconds: float, expected: str) -> None:
    assert span(seconds) == expected


def test_what_has_not_been_is_a_dash_and_what_has_just_been_says_so() -> None:
    assert ago(None, NOW) == "-"
    assert ago(NOW, NOW) == "just now"


def test_text_of_aws_cannot_move_the_cursor() -> None:
    group = StopGroup("a\x1b[2J\nb", 1, ("aaaa",), None)

    assert "  1 × a [2J b (aaaa)" in screen(replace(AT_REST, tasks=Tasks((), (group,))))


def test_cost_is_told_a_line_for_each_thing_with_a_range_where_the_service_is_scaled() -> None:
    manifest = Manifest.model_validate({"name": "shop", "run": {"slots": 5}, "scaling": {"min": 1, "max": 4}})

    heading, *lines, summary = [line for line in cost_lines(manifest) if line]

    assert heading == "Cost a month, USD"
    [fargate] = [line for line in lines if line.startswith("  Fargate")]
    assert re.fullmatch(r"  Fargate, x86_64 +9\.01 to 36\.04", fargate)
    assert summary.startswith("  About ")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "(service worker) was unable to reach steady state because (taskSet ecs-svc/125) was unable to scale in "
            "due to (reason 1 tasks under protection)",
            "was unable to reach steady state because it was unable to scale in "
            "due to (reason 1 tasks under protection)",
        ),
        (
            "(service worker, taskSet ecs-svc/12) was unable to scale in due to (reason 2 tasks under protection)",
            "was unable to scale in due to (reason 2 tasks under protection)",
        ),
        (
            "(service worker) has started 1 tasks: (task e95553281aae89fcd2c65f78424ddedb).",
            "has started 1 tasks: (task e9555328).",
        ),
        ("something else", "something else"),
    ],
)
def test_an_event_of_the_scheduler_is_told_without_the_names_that_one_knows(message: str, expected: str) -> None:
    assert event_text(message) == expected


def test_rows_of_different_lengths_make_a_table() -> None:
    assert columns([["a", "b", "c"], ["long", "d"]]) == ["  a     b  c", "  long  d"]


def test_watching_goes_on_after_a_look_that_failed(capsys: pytest.CaptureFixture[str]) -> None:
    looks: list[Status | DeployError] = [AT_REST, DeployError("throttled"), AT_REST]
    seen: list[Status] = []

    def look() -> Status:
        found = looks.pop(0)
        if isinstance(found, DeployError):
            raise found
        return found

    pace = VirtualPace()
    follow(look, seen.append, pace, looks=3)

    assert len(seen) == 2
    assert capsys.readouterr().err == "forebay: throttled; trying on\n"
    assert pace.now() == 4.0


def test_a_first_look_that_fails_is_the_error() -> None:
    def look() -> Status:
        raise DeployError("there is no service")

    with pytest.raises(DeployError, match="no service"):
        follow(look, lambda _: None, VirtualPace())
