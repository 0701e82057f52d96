"""Lines from CloudWatch Logs: the same questions to moto and to a script that pages, delays and shuffles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.deploy.moto_server import MotoCloud
from tests.deploy.scripted_endpoint import ScriptedAws, a_task, serve_tasks

from forebay.deploy.clients import Clients
from forebay.deploy.live.logs import LogReader, Tail, previous_task, stretches
from forebay.deploy.live.where import Where
from forebay.errors import DeployError

GROUP = "/forebay/shop-test"
WHERE = Where(service="shop", cluster="shop-test", log_group=GROUP)
NOW = datetime.now(UTC).replace(microsecond=0)
"""CloudWatch Logs, and so moto, takes no events that are two weeks old."""

Put = Callable[[str, int, str], None]
"""Writes a line of a task, so many seconds before now."""


def milliseconds(seconds_ago: float) -> int:
    return int((NOW - timedelta(seconds=seconds_ago)).timestamp() * 1000)


class ScriptedLogs:
    """Log streams over the real protocol: two events a page, an empty page between, the newest first."""

    def __init__(self, aws: ScriptedAws, *, page: int = 2) -> None:
        self.events: list[dict[str, Any]] = []
        self.given = 0
        """How many events were sent."""
        self._page = page
        aws.on("FilterLogEvents", self._filtered)
        aws.on("DescribeLogStreams", self._streams)

    def put(self, task_id: str, seconds_ago: int, message: str) -> None:
        self.events.append(
            {
                "eventId": f"{len(self.events):08}",
                "logStreamName": f"forebay/worker/{task_id}",
                "timestamp": milliseconds(seconds_ago),
                "message": message,
            }
        )

    def _filtered(self, asked: dict[str, Any]) -> dict[str, Any]:
        phrase = asked.get("filterPattern", '""')[1:-1].replace('\\"', '"').replace("\\\\", "\\")
        fits = [
            event
            for event in reversed(self.events)
            if asked["startTime"] <= event["timestamp"] <= asked.get("endTime", 1 << 62)
            and event["logStreamName"].startswith(asked.get("logStreamNamePrefix", ""))
            and phrase in event["message"]
        ]
        place, is_empty_page = map(int, asked.get("nextToken", "0 1").split())
        if is_empty_page:
            return {"events": [], "nextToken": f"{place} 0"}
        end = place + self._page
        rest = {"nextToken": f"{end} 1"} if end < len(fits) else {}
        self.given += len(fits[place:end])
        return {"events": fits[place:end], **rest}

    def _streams(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert asked["orderBy"] == "LastEventTime"
        assert asked["descending"]
        newest: dict[str, int] = {}
        for event in self.events:
            newest[event["logStreamName"]] = max(event["timestamp"], newest.get(event["logStreamName"], 0))
        return {"logStreams": [{"logStreamName": name} for name in sorted(newest, key=lambda one: -newest[one])]}


@pytest.fixture(params=["moto", "script"])
def put(request: pytest.FixtureRequest) -> Iterator[Put]:
    """A log group with what the test puts into it."""
    if request.param == "script":
        yield ScriptedLogs(request.getfixturevalue("scripted_aws")).put
        return
    cloud: MotoCloud = request.getfixturevalue("moto_cloud")
    logs = cloud.clients().logs
    logs.create_log_group(logGroupName=GROUP)
    known: set[str] = set()

    def put(task_id: str, seconds_ago: int, message: str) -> None:
        stream = f"forebay/worker/{task_id}"
        if stream not in known:
            known.add(stream)
            logs.create_log_stream(logGroupName=GROUP, logStreamName=stream)
        event: Any = {"timestamp": milliseconds(seconds_ago), "message": message}
        logs.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=[event])

    yield put


def reader(**options: Any) -> LogReader:
    return LogReader(Clients(), GROUP, **options)


def test_lines_of_all_tasks_come_in_the_order_of_their_times(put: Put) -> None:
    for task_id, seconds_ago, message in (
        ("aa", 30, "2"),
        ("bb", 40, "1"),
        ("aa", 10, "4"),
        ("bb", 20, "3"),
        ("cc", 5, "5"),
    ):
        put(task_id, seconds_ago, message)

    lines = reader().between(NOW - timedelta(minutes=1))

    assert [(line.task_id, line.message) for line in lines] == [
        ("bb", "1"), ("aa", "2"), ("bb", "3"), ("aa", "4"), ("cc", "5"),
    ]  # fmt: skip
    assert lines[0].at_utc == NOW - timedelta(seconds=40)


def test_a_stretch_of_time_holds_its_start_and_not_its_end(put: Put) -> None:
    for seconds_ago in (30, 20, 10):
        put("aa", seconds_ago, str(seconds_ago))

    lines = reader().between(NOW - timedelta(seconds=30), NOW - timedelta(seconds=10))

    assert [line.message for line in lines] == ["30", "20"]


def test_one_task_is_asked_for_by_the_beginning_of_its_id(put: Put) -> None:
    for task_id in ("0506b170aa", "0506ffff00"):
        put(task_id, 10, task_id)

    assert [line.message for line in reader(task="0506b").between(NOW - timedelta(minutes=1))] == ["0506b170aa"]


def test_lines_are_found_by_a_text_with_spaces(put: Put) -> None:
    put("aa", 20, "Working for 20000 milliseconds")
    put("aa", 10, "Working hard")

    lines = reader(containing="Working for").between(NOW - timedelta(minutes=1))

    assert [line.message for line in lines] == ["Working for 20000 milliseconds"]


def test_the_last_lines_are_found_however_long_ago_they_were(put: Put) -> None:
    for seconds_ago in (5 * 3_600, 3_000, 200, 10):
        put("aa", seconds_ago, str(seconds_ago))

    last = reader().last(3, since_utc=NOW - timedelta(days=7), now_utc=NOW)

    assert [line.message for line in last] == ["3000", "200", "10"]


def test_a_long_time_is_read_an_hour_at_a_time_and_nothing_is_missed(put: Put) -> None:
    for seconds_ago in (9_000, 7_200, 3_600, 3_599, 10):
        put("aa", seconds_ago, str(seconds_ago))

    parts = list(stretches(reader(), NOW - timedelta(hours=3), NOW))

    assert [[line.message for line in part] for part in parts] == [["9000"], ["7200"], ["3600", "3599", "10"]]


def test_no_line_is_older_than_asked(put: Put) -> None:
    for seconds_ago in (500, 200):
        put("aa", seconds_ago, str(seconds_ago))

    last = reader().last(100, since_utc=NOW - timedelta(seconds=300), now_utc=NOW)

    assert [line.message for line in last] == ["200"]


def test_following_tells_each_line_once_and_late_ones_too(put: Put) -> None:
    tail = Tail(reader(), NOW - timedelta(minutes=1))
    put("aa", 20, "first")
    first = tail.more()
    put("aa", 5, "second")
    put("bb", 15, "late, of another task")

    second = tail.more()

    assert [line.message for line in first] == ["first"]
    assert [line.message for line in second] == ["late, of another task", "second"]
    assert tail.more() == []


def test_two_lines_of_the_same_words_and_time_are_two(put: Put) -> None:
    put("aa", 10, "again")
    put("aa", 10, "again")

    assert [line.message for line in Tail(reader(), NOW - timedelta(minutes=1)).more()] == ["again", "again"]


def test_a_log_group_that_is_not_there_is_a_sentence(moto_cloud: MotoCloud) -> None:
    del moto_cloud
    with pytest.raises(DeployError, match="there is no log group /forebay/shop-test: the stack makes it"):
        reader().between(NOW)


def test_the_last_lines_of_a_busy_service_cost_one_question(scripted_aws: ScriptedAws) -> None:
    logs = ScriptedLogs(scripted_aws)
    for _ in range(2):
        logs.put("aa", 1, "line")

    reader().last(2, since_utc=NOW - timedelta(days=7), now_utc=NOW)

    starts = {asked["startTime"] for asked in scripted_aws.asked("FilterLogEvents")}
    assert starts == {milliseconds(60)}


def test_the_last_lines_before_a_silence_are_found_without_reading_all_that_was_said_before(
    scripted_aws: ScriptedAws,
) -> None:
    logs = ScriptedLogs(scripted_aws, page=50)
    days_ago = 3 * 86_400
    for number in range(10_000):
        logs.put("aa", days_ago + 10_000 - number, str(number))

    last = reader(lines_max=50).last(60, since_utc=NOW - timedelta(days=7), now_utc=NOW)

    assert [line.message for line in last] == [str(number) for number in range(9_940, 10_000)]
    assert logs.given < 3_000


def test_the_last_lines_of_one_instant_are_all_read_however_many_they_are(scripted_aws: ScriptedAws) -> None:
    logs = ScriptedLogs(scripted_aws, page=50)
    for number in range(30):
        logs.put("aa", 5, str(number))

    last = reader(lines_max=10).last(20, since_utc=NOW - timedelta(days=7), now_utc=NOW)

    assert [line.message for line in last] == [str(number) for number in range(10, 30)]


def test_text_with_quotes_and_backslashes_is_looked_for_as_it_stands(scripted_aws: ScriptedAws) -> None:
    logs = ScriptedLogs(scripted_aws)
    logs.put("aa", 1, r'{"path":"C:\x"}')

    assert len(reader(containing=r'"C:\x"').between(NOW - timedelta(minutes=1))) == 1
    assert scripted_aws.asked("FilterLogEvents")[0]["filterPattern"] == r'"\"C:\\x\""'


def test_the_previous_task_is_the_one_that_spoke_last_of_those_that_do_not_run(scripted_aws: ScriptedAws) -> None:
    logs = ScriptedLogs(scripted_aws)
    for task_id, seconds_ago in (("alive", 1), ("draining", 2), ("gone", 60), ("longgone", 90)):
        logs.put(task_id, seconds_ago, "line")
    serve_tasks(scripted_aws, a_task("alive"), a_task("draining", desiredStatus="STOPPED"))

    assert previous_task(Clients(), WHERE, GROUP) == "gone"


def test_no_previous_task_is_a_sentence(scripted_aws: ScriptedAws) -> None:
    ScriptedLogs(scripted_aws).put("alive", 1, "line")
    serve_tasks(scripted_aws, a_task("alive"))

    with pytest.raises(DeployError, match="no lines of a task that has stopped"):
        previous_task(Clients(), WHERE, GROUP)


def test_what_following_remembers_does_not_grow_with_what_it_has_told(scripted_aws: ScriptedAws) -> None:
    logs = ScriptedLogs(scripted_aws)
    tail = Tail(reader(), NOW - timedelta(hours=1))
    for seconds_ago in range(600, 0, -100):
        logs.put("aa", seconds_ago, "line")
        assert len(tail.more()) == 1

    starts = [asked["startTime"] for asked in scripted_aws.asked("FilterLogEvents") if "nextToken" not in asked]
    assert starts[1:] == [milliseconds(seconds_ago + 30) for seconds_ago in range(600, 100, -100)]
