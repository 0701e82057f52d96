"""`forebay send`: against a local SQS over the real wire, and its batching against a sink of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.cli.command import run
from tests.cli.conftest import Cloud

from forebay.cli.sending import Dispatch, Rate, Refusals, batches, json_lines
from forebay.cloud.chaos import ChaosRule, Effect
from forebay.errors import Fault, FaultKind, QueueError
from forebay.queue.port import BODY_MAX_BYTES, Outgoing, Sent


@pytest.mark.processes
def test_each_message_sent_prints_its_id_in_order(cloud: Cloud, tmp_path: Path) -> None:
    ran = run("send", "1", "2", "--count", "15", cwd=tmp_path, env=cloud.env)

    ids = ran.out.split()
    assert (ran.status, ran.err) == (0, "")
    assert len(ids) == len(set(ids)) == 30
    assert cloud.counts()["visible"] == 30


@pytest.mark.processes
def test_the_queue_may_be_named_and_delayed(cloud: Cloud, tmp_path: Path) -> None:
    ran = run("send", "1", "--queue", "jobs", "--delay", "60", "--job", "resize", cwd=tmp_path, env=cloud.env)

    assert ran.status == 0
    assert cloud.counts()["delayed"] == 1


@pytest.mark.processes
def test_lines_on_standard_input_are_jobs_and_a_bad_one_is_named_and_exits_1(cloud: Cloud, tmp_path: Path) -> None:
    ran = run("send", cwd=tmp_path, env=cloud.env, stdin='{"key": "a"}\n\n{"key": canary-7f3a}\n{"key": "b"}\n')

    assert len(ran.out.split()) == 2
    assert ran.err.startswith("forebay: line 3 was not sent: not JSON (")
    assert "canary" not in ran.err
    assert ran.status == 1
    assert cloud.counts()["visible"] == 2


@pytest.mark.processes
def test_messages_that_are_not_taken_are_named_and_exit_1(cloud: Cloud, tmp_path: Path) -> None:
    rule = ChaosRule(effect=Effect.FAIL_ENTRIES, operations=("SendMessageBatch",), entries=1)
    cloud.sqs.call(lambda server: server.chaos.replace([rule]))

    ran = run("send", "1", "2", "3", cwd=tmp_path, env=cloud.env)

    assert ran.status == 1
    assert "was not sent: InternalFailure" in ran.err or "was not sent: InternalError" in ran.err
    assert len(ran.out.split()) + ran.err.count("was not sent") == 3


@pytest.mark.processes
def test_a_queue_that_does_not_exist_exits_1_with_the_services_words(cloud: Cloud, tmp_path: Path) -> None:
    ran = run("send", "1", "--queue", "nosuch", cwd=tmp_path, env=cloud.env)

    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith("forebay: GetQueueUrl: ")
    assert "Traceback" not in ran.err


class SlowSink:
    """Answers each batch after a while that the test has chosen, and remembers when it came."""

    def __init__(self, delays_s: Sequence[float] = ()) -> None:
        self._delays = list(delays_s)
        self.batches: list[int] = []
        self.in_flight = 0
        self.in_flight_max = 0
        self.is_closed = False

    async def send(self, messages: Sequence[Outgoing]) -> Sequence[Sent]:
        self.batches.append(len(messages))
        self.in_flight += 1
        self.in_flight_max = max(self.in_flight_max, self.in_flight)
        for _ in range(int(self._delays.pop(0)) if self._delays else 0):
            await asyncio.sleep(0)
        self.in_flight -= 1
        if messages[0].body == "fails":
            raise QueueError(Fault(FaultKind.DENIED, "AccessDenied", "not you"))
        return [Sent(f"id-{message.body}", None) for message in messages]

    async def aclose(self) -> None:
        self.is_closed = True


def sent_through(sink: SlowSink, bodies: Sequence[str], *, in_flight_max: int = 8) -> tuple[list[str], list[str], int]:
    """Return what was told, what was refused, and how many messages were answered for."""
    told: list[str] = []
    refused: list[str] = []
    answered: list[int] = []
    dispatch = Dispatch(tell=told.append, refusals=Refusals(refused.append), in_flight_max=in_flight_max)

    async def opened() -> SlowSink:
        return sink

    asyncio.run(dispatch.run(opened, [Outgoing(body) for body in bodies], sent=answered.append))
    return told, refused, sum(answered)


def test_ids_are_told_in_the_order_of_the_jobs_though_answers_come_in_another() -> None:
    sink = SlowSink(delays_s=[50, 1, 30, 0])
    bodies = [str(number) for number in range(40)]

    told, _, answered = sent_through(sink, bodies)

    assert told == [f"id-{body}" for body in bodies]
    assert answered == 40
    assert sink.in_flight_max > 1
    assert sink.is_closed


def test_within_a_group_one_batch_goes_at_a_time() -> None:
    sink = SlowSink(delays_s=[5, 5, 5])

    sent_through(sink, ["x"] * 30, in_flight_max=1)

    assert sink.in_flight_max == 1


def test_a_call_that_fails_as_a_whole_names_each_of_its_messages_and_the_others_go() -> None:
    told, refused, answered = sent_through(SlowSink(), ["fails", *["x"] * 14])

    assert len(told) == 5
    assert refused[0] == "message 1 was not sent: AccessDenied: not you"
    assert len(refused) == 10
    assert answered == 15


def test_batches_hold_ten_messages_and_a_mebibyte() -> None:
    small = [Outgoing("x")] * 25
    large = [Outgoing("x" * (BODY_MAX_BYTES // 3))] * 5

    assert [len(batch) for batch in batches(small, count_max=10)] == [10, 10, 5]
    assert [len(batch) for batch in batches(large, count_max=10)] == [2, 2, 1]


@pytest.mark.parametrize(("per_second", "batch"), [(0.5, 1), (5, 1), (30, 3), (100, 10), (100_000, 10)])
def test_a_slow_rate_is_kept_with_small_batches(per_second: float, batch: int) -> None:
    assert Rate(per_second).batch_max == batch


def test_a_rate_is_not_exceeded() -> None:
    """Ten batches at ten a second: the last leaves nine tenths of a second after the first, or later."""
    loop_times: list[float] = []

    class TimedSink(SlowSink):
        async def send(self, messages: Sequence[Outgoing]) -> Sequence[Sent]:
            loop_times.append(asyncio.get_running_loop().time())
            return await super().send(messages)

    sink = TimedSink()

    async def opened() -> SlowSink:
        return sink

    dispatch = Dispatch(tell=lambda _: None, refusals=Refusals(lambda _: None), rate=Rate(10))
    asyncio.run(dispatch.run(opened, [Outgoing("x")] * 10, sent=lambda _: None))

    assert sink.batches == [1] * 10
    assert loop_times[-1] - loop_times[0] >= 0.85


def test_only_lines_that_are_json_are_jobs() -> None:
    refused: list[str] = []

    bodies = list(json_lines(['{"a": 1}\n', "250\n", "  \n", "not json\n"], Refusals(refused.append)))

    assert bodies == ['{"a": 1}', "250"]
    assert len(refused) == 1
