"""What a test of a user's sees of a run: outcomes, time, trouble, and what is left in the queue."""

from __future__ import annotations

import asyncio
import json
import os
import threading

import pytest

from forebay import Context, Reject, RetryLater, SettingsError, Worker
from forebay.queue.port import Counts
from forebay.testing import JobsGivenUp, LocalCloud, LocalQueue, NotDrained


def test_every_attempt_is_told_in_order_with_what_it_raised(forebay_queue: LocalQueue) -> None:
    worker = Worker("w")
    error = KeyError("a value that nobody else is to see")

    @worker.job(attempts=2)
    def fails() -> None:
        raise error

    fails.enqueue()

    report = forebay_queue.work(worker, failures="return")

    assert [(one.job, one.attempt, one.outcome, one.settlement) for one in report.attempts] == [
        ("fails", 1, "failed", "release"),
        ("fails", 2, "failed", "bury"),
    ]
    assert report.exceptions == [error, error]
    assert "a value" not in repr(report)
    assert (report.received, report.retried, report.buried, report.exit_status) == (2, 1, 1, 0)


def test_hidden_retries_and_delays_pass_at_once(forebay_queue: LocalQueue) -> None:
    worker = Worker("w")

    @worker.job
    async def later(ctx: Context) -> None:
        if ctx.attempt == 1:
            raise RetryLater("3h")

    later.options(delay="15m").enqueue()

    report = forebay_queue.work(worker)

    assert report.outcomes == ["postponed", "succeeded"]
    assert report.lasted_s > 900 + 3 * 3600


def test_a_quiet_run_leaves_what_waits_for_its_time(forebay_cloud: LocalCloud, forebay_queue: LocalQueue) -> None:
    worker = Worker("w")

    @worker.job
    def later(ctx: Context) -> None:
        if ctx.attempt == 1:
            raise RetryLater("10m")

    later.enqueue()
    later.options(delay="5m").enqueue()

    first = forebay_queue.work(worker, until="quiet")
    counts = forebay_queue.counts()
    forebay_cloud.advance(601)

    assert first.outcomes == ["postponed"]
    assert counts == Counts(visible=0, in_flight=1, delayed=1)
    assert forebay_queue.counts() == Counts(visible=2, in_flight=0, delayed=0)


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_a_handler_sees_its_time_limit_by_the_machines_clock(forebay_queue: LocalQueue, kind: str) -> None:
    """Also after hours that were skipped, and after it has asked for more."""
    worker = Worker("w")
    seen: list[float] = []

    def look(ctx: Context) -> None:
        seen.append(ctx.remaining_s)
        if ctx.attempt == 1:
            raise RetryLater("2h")

    if kind == "def":
        worker.job(name="look", timeout="5m")(look)
    else:

        @worker.job(name="look", timeout="5m")
        async def look_on_loop(ctx: Context) -> None:
            look(ctx)

    forebay_queue.send({}, job="look")

    forebay_queue.work(worker)

    assert [290 < remaining_s <= 300 for remaining_s in seen] == [True, True]


def test_time_stands_where_it_is_while_code_runs(forebay_queue: LocalQueue) -> None:
    """A handler that waits for another thread is not timed out by skipped hours."""
    worker = Worker("w")
    went_on = threading.Event()

    @worker.job(timeout="60s")
    def first() -> None:
        assert went_on.wait(20)

    @worker.job
    def second() -> None:
        went_on.set()

    first.enqueue()
    second.enqueue()

    report = forebay_queue.work(worker)

    assert sorted(report.outcomes) == ["succeeded", "succeeded"]


def test_a_job_that_a_job_enqueues_is_worked_too(forebay_cloud: LocalCloud) -> None:
    worker = Worker("reports", queue="reports")
    seen: list[int] = []

    @worker.job
    def count_down(n: int) -> None:
        seen.append(n)
        if n > 0:
            count_down.enqueue(n=n - 1)

    queue = forebay_cloud.create_queue("reports")
    count_down.enqueue(n=3)

    forebay_cloud.run(worker)

    assert seen == [3, 2, 1, 0]
    assert queue.counts().is_empty


def test_a_missing_queue_is_named_with_the_line_that_makes_it(forebay_cloud: LocalCloud) -> None:
    worker = Worker("reports")
    worker.default(lambda: None)

    with pytest.raises(SettingsError, match=r"no queue 'reports'.*create_queue\('reports'\)"):
        forebay_cloud.run(worker)


def test_a_worker_that_never_ends_fails_the_test_with_what_is_left(forebay_cloud: LocalCloud) -> None:
    worker = Worker("w")

    @worker.job
    def again() -> None:
        raise RetryLater("1h")

    queue = forebay_cloud.create_queue("endless", dead_letter=False, MessageRetentionPeriod=1_209_600)
    queue.send({}, job="again")

    with pytest.raises(NotDrained, match="1 in flight") as raised:
        queue.work(worker, patience_s=0.3)

    assert set(raised.value.report.outcomes) == {"postponed"}


def test_code_that_does_not_end_does_not_hang_the_test(forebay_queue: LocalQueue) -> None:
    worker = Worker("w")
    may_go = threading.Event()

    @worker.job
    def stuck() -> None:
        may_go.wait(30)

    stuck.enqueue()

    with pytest.raises(NotDrained):
        forebay_queue.work(worker, patience_s=0.2)

    may_go.set()


def test_a_message_that_sqs_moved_away_itself_is_no_silent_loss(forebay_cloud: LocalCloud) -> None:
    """`RetryLater` never gives up; the queue's maxReceiveCount does."""
    worker = Worker("w")

    @worker.job
    def again() -> None:
        raise RetryLater("1m")

    queue = forebay_cloud.create_queue("jobs", receives_max=3)
    message_id = queue.send({}, job="again")

    with pytest.raises(JobsGivenUp, match="1 moved by SQS itself") as raised:
        queue.work(worker)

    assert raised.value.report.moved == (message_id,)
    assert [letter.message_id for letter in queue.dead_letters()] == [message_id]


def test_a_parked_message_ends_a_run_without_a_dead_letter_queue(forebay_cloud: LocalCloud) -> None:
    worker = Worker("w")

    @worker.job
    def never() -> None:
        raise Reject("no")

    queue = forebay_cloud.create_queue("bare", dead_letter=False)
    queue.send({}, job="never")

    report = queue.work(worker, failures="return")

    assert [one.settlement for one in report.attempts] == ["park"]
    assert queue.dead_letters() == []


def test_a_dead_letter_says_why(forebay_queue: LocalQueue) -> None:
    worker = Worker("w")

    @worker.job
    def picky(width: int) -> None: ...

    forebay_queue.send({"width": "wide"}, job="picky")

    with pytest.raises(JobsGivenUp, match=r"picky \(rejected with Reject in attempt 1\)"):
        forebay_queue.work(worker)

    (letter,) = forebay_queue.dead_letters()
    assert letter.job == "picky"
    assert letter.error["outcome"] == "rejected"
    assert letter.arguments == {"width": "wide"}


def test_looking_at_messages_changes_nothing(forebay_queue: LocalQueue) -> None:
    forebay_queue.send("plain text", tenant="t1", size=3, picture=b"\x00")

    first, second = forebay_queue.messages(), forebay_queue.messages()

    assert first == second
    assert (first[0].body, first[0].place, first[0].receive_count) == ("plain text", "visible", 0)
    assert first[0].attributes == {"tenant": "t1", "size": "3", "picture": b"\x00"}
    forebay_queue.purge()
    forebay_queue.purge()
    assert forebay_queue.messages() == []


def test_throttling_and_a_network_hole_are_got_over(forebay_cloud: LocalCloud, forebay_queue: LocalQueue) -> None:
    worker = Worker("w")
    done: list[str] = []

    @worker.job
    async def thumbnail(key: str) -> None:
        done.append(key)

    thumbnail.enqueue(key="a.png")
    forebay_cloud.sqs.throttle("ReceiveMessage", times=3)
    forebay_cloud.sqs.hole("DeleteMessageBatch", times=1)

    report = forebay_queue.work(worker)

    assert done == ["a.png"]
    assert report.succeeded == 1
    assert forebay_cloud.sqs.requests()["DeleteMessageBatch"] == 2


def test_a_worker_that_is_denied_to_receive_fails_the_test(
    forebay_cloud: LocalCloud, forebay_queue: LocalQueue
) -> None:
    worker = Worker("w")
    worker.default(lambda: None)
    forebay_queue.send("{}")
    forebay_cloud.sqs.deny("ReceiveMessage")

    with pytest.raises(NotDrained, match="exit status 1: receiving is denied"):
        forebay_queue.work(worker)

    forebay_cloud.sqs.calm()
    assert forebay_queue.work(worker).succeeded == 1


def test_a_refused_protection_delays_the_job_until_it_is_granted(
    forebay_cloud: LocalCloud, forebay_queue: LocalQueue
) -> None:
    worker = Worker("w")
    was_protected: list[bool] = []
    agent = forebay_cloud.agent

    @worker.job
    async def long() -> None:
        was_protected.append(agent.is_protected)

    long.enqueue()
    agent.refuse(times=2)

    report = forebay_queue.work(worker)

    assert was_protected == [True]
    assert report.succeeded == 1
    assert [call.outcome for call in agent.calls if call.method == "PUT"][:3] == ["DEPLOYMENT_BLOCKED"] * 2 + ["held"]
    assert os.environ["ECS_AGENT_URI"] == agent.uri


def test_a_coroutine_sends_and_works_without_blocking_its_loop(forebay_queue: LocalQueue) -> None:
    worker = Worker("w")
    meanwhile = 0

    @worker.job
    async def job() -> None:
        await asyncio.sleep(0.05)  # Stands for work.

    async def test() -> int:
        nonlocal meanwhile
        await job.aenqueue()
        working = asyncio.create_task(forebay_queue.awork(worker))
        while not working.done():
            meanwhile += 1
            await asyncio.sleep(0.01)  # Stands for work of the test's own loop.
        return working.result().succeeded

    assert asyncio.run(test()) == 1
    assert meanwhile > 1


def test_a_cloud_of_ones_own_lives_as_long_as_its_block() -> None:
    before = set(threading.enumerate())

    with LocalCloud() as cloud:
        queue = cloud.create_queue("jobs")
        queue.send({})
        endpoint = cloud.environment["AWS_ENDPOINT_URL_SQS"]
        assert json.loads(queue.messages()[0].body) == {}

    assert set(threading.enumerate()) == before
    assert endpoint.startswith("http://127.0.0.1:")


@pytest.mark.forebay(time="real")
def test_in_real_time_nothing_is_skipped(forebay_queue: LocalQueue) -> None:
    worker = Worker("w")

    @worker.job
    def later(ctx: Context) -> None:
        if ctx.attempt == 1:
            raise RetryLater(1)

    later.enqueue()

    report = forebay_queue.work(worker)

    assert report.outcomes == ["postponed", "succeeded"]
    assert 1 <= report.lasted_s < 20


@pytest.mark.parametrize("time", ["fast", ""])
def test_a_time_that_there_is_not_is_refused(time: str) -> None:
    with pytest.raises(SettingsError, match="'virtual' nor 'real'"):
        LocalCloud(time=time)  # type: ignore[arg-type]
