"""What a test sees of a worker in memory: single attempts, work with retries, trouble and what was enqueued."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from forebay import Context, JobError, Queue, Reject, RetryLater, SettingsError, Worker, enqueue_many
from forebay.model import Message
from forebay.queue.port import Counts
from forebay.testing import JobsGivenUp, NotDrained, WorkerClient

Client = Callable[..., WorkerClient]


# ── one attempt ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_one_attempt_runs_the_job_with_what_it_is_given(forebay_client: Client, kind: str) -> None:
    worker, made = Worker("w"), list[str]()
    worker.job(name="thumbnail")(
        _coroutine(lambda key: made.append(key)) if kind == "async def" else _plain(lambda key: made.append(key))
    )

    result = forebay_client(worker).attempt({"key": "a.png"}, job="thumbnail")

    assert made == ["a.png"]
    assert (result.job, result.attempt, result.outcome, result.settlement) == ("thumbnail", 1, "succeeded", "delete")


def test_what_a_job_raises_is_raised_as_it_is(forebay_client: Client) -> None:
    worker, error = Worker("w"), KeyError("a value")

    @worker.job
    def fails() -> None:
        raise error

    @worker.job
    async def never() -> None:
        raise Reject("no")

    client = forebay_client(worker)

    with pytest.raises(KeyError) as raised:
        client.run(fails)
    with pytest.raises(Reject):
        client.run(never)

    assert raised.value is error
    assert client.messages() == client.dead_letters() == []


def test_an_attempt_raises_nothing_and_says_what_would_become_of_the_message(forebay_client: Client) -> None:
    worker = Worker("w")

    @worker.job(attempts=3)
    def fails() -> None:
        raise ValueError("a value that nobody else is to see")

    @worker.job
    def later() -> None:
        raise RetryLater("10m", "the shop is closed")

    client = forebay_client(worker)
    second, third = client.attempt(fails.call(), attempt=2), client.attempt(fails.call(), attempt=3)
    postponed = client.attempt(later.call(), attempt=9)

    assert (second.outcome, second.settlement) == ("failed", "release")
    assert (third.outcome, third.settlement) == ("failed", "bury")
    assert isinstance(third.exception, ValueError)
    assert "a value" not in repr(third)
    assert (postponed.outcome, postponed.delay_s, postponed.reason) == ("postponed", 600, "the shop is closed")


def test_an_attempt_is_the_one_it_is_said_to_be_however_the_job_counts(forebay_client: Client) -> None:
    worker, seen = Worker("w"), list[int]()

    @worker.job(attempts=3, retry="resend")
    def fails(ctx: Context) -> None:
        seen.append(ctx.attempt)
        raise ValueError

    client = forebay_client(worker)
    second, third = client.attempt(fails.call(), attempt=2), client.attempt(fails.call(), attempt=3)
    fails.enqueue()
    report = client.work(failures="return")

    assert (second.attempt, second.settlement) == (2, "resend")
    assert (third.attempt, third.settlement) == (3, "bury")
    assert [one.settlement for one in report.attempts] == ["resend", "resend", "bury"]
    assert seen == [2, 3, 1, 2, 3]


def test_any_body_and_any_message_can_be_attempted(forebay_client: Client) -> None:
    worker, seen = Worker("w"), list[Message | str]()

    @worker.job
    def picky(width: int) -> None: ...

    @worker.default
    def raw(message: Message) -> None:
        seen.append(message)

    client = forebay_client(worker)
    rejected = client.attempt({"width": "wide"}, job="picky")
    client.attempt("plain text", attributes={"tenant": "t1"}, group="g")
    client.attempt(Message("s", "id", "r", "as it came", receive_count=4))

    assert rejected.outcome == "rejected"
    assert rejected.reason.startswith("width: ")
    first, second = seen
    assert isinstance(first, Message)
    assert isinstance(second, Message)
    assert (first.body, first.group, first.attributes["tenant"].value) == ("plain text", "g", "t1")
    assert (second.body, second.receive_count) == ("as it came", 4)


def test_a_message_that_no_handler_takes_is_an_error_of_the_test(forebay_client: Client) -> None:
    worker = Worker("w")
    worker.job(name="known")(_plain(lambda key: None))

    with pytest.raises(JobError, match="no job named 'unknown'"):
        forebay_client(worker).attempt("{}", job="unknown")


def test_single_attempts_leave_the_queues_as_they_are(forebay_client: Client) -> None:
    worker, done = Worker("w"), list[str]()

    @worker.job
    def step(name: str) -> None:
        done.append(name)
        if name == "first":
            step.enqueue(name="second")

    client = forebay_client(worker)
    step.enqueue(name="waiting")
    result = client.run(step, name="first")

    assert done == ["first"]
    assert [(one.job, one.arguments) for one in result.enqueued] == [("step", {"name": "second"})]
    assert client.counts() == Counts(2, 0, 0)
    client.work()
    assert sorted(done) == ["first", "second", "waiting"]


def test_flags_can_be_up_from_the_beginning(forebay_client: Client) -> None:
    worker, seen = Worker("w"), list[tuple[bool, bool]]()

    @worker.job
    def look(ctx: Context) -> None:
        seen.append((bool(ctx.stopping), bool(ctx.lease_lost)))

    client = forebay_client(worker)
    client.attempt(look.call())
    client.attempt(look.call(), stopping=True)
    lost = client.attempt(look.call(), lease_lost=True)

    assert seen == [(False, False), (True, False), (False, True)]
    assert lost.settlement == "none"


# ── work ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_work_goes_on_through_retries_and_delays_until_nothing_is_left(forebay_client: Client) -> None:
    worker, error = Worker("w"), ValueError("no picture")

    @worker.job(attempts=3)
    def strict() -> None:
        raise error

    @worker.job
    async def patient(ctx: Context) -> None:
        if ctx.attempt == 1:
            raise RetryLater("3h")

    client = forebay_client(worker)
    strict.enqueue()
    patient.options(delay="15m").enqueue()

    report = client.work(failures="return")

    assert [(one.attempt, one.settlement) for one in report.of("strict")] == [
        (1, "release"), (2, "release"), (3, "bury"),
    ]  # fmt: skip
    assert report.exceptions.count(error) == 3
    assert [one.outcome for one in report.of("patient")] == ["postponed", "succeeded"]
    assert report.lasted_s == pytest.approx(900 + 3 * 3600, abs=5)
    assert [(one.job, one.attempt) for one in client.retries] == [("strict", 1), ("strict", 2), ("patient", 1)]
    (letter,) = client.dead_letters()
    assert (letter.job, letter.error["type"]) == ("strict", "ValueError")
    assert client.counts().is_empty


def test_many_failures_are_meant_and_no_broken_dependency(forebay_client: Client) -> None:
    """A worker in production would stop burying, and probe: a test would never end."""
    worker = Worker("w")

    @worker.job(attempts=2)
    def strict() -> None:
        raise ValueError

    client = forebay_client(worker)
    enqueue_many(strict.call() for _ in range(80))

    assert client.work(failures="return").buried == 80


def test_a_job_that_is_given_up_fails_a_test_that_does_not_expect_it(forebay_client: Client) -> None:
    worker, error = Worker("w"), ValueError("no picture")

    @worker.job(attempts=1)
    def strict() -> None:
        raise error

    client = forebay_client(worker)
    strict.enqueue()

    with pytest.raises(JobsGivenUp, match=r"strict .failed with ValueError in attempt 1") as raised:
        client.work()

    assert raised.value.__cause__ is error


def test_everything_that_the_process_sends_is_caught(forebay_client: Client) -> None:
    worker = Worker("w", queue="https://sqs.eu-central-1.amazonaws.com/123456789012/orders")

    @worker.job
    async def order(number: int) -> None:
        await Queue("mail").aenqueue("confirm", number=number)

    @worker.job(queue="slow")
    def count(number: int) -> None:
        Queue("https://sqs.eu-central-1.amazonaws.com/123456789012/statistics").enqueue("add", number=number)

    client = forebay_client(worker)
    enqueue_many([order.call(number=1), count.call(number=2)])
    count.options(delay="1m", group="g").enqueue(number=3)
    client.work()

    assert [(one.queue, one.job, one.delay_s, one.group) for one in client.enqueued[:3]] == [
        ("orders", "order", 0, None),
        ("slow", "count", 0, None),
        ("slow", "count", 60, "g"),
    ]
    assert {(one.queue, one.job, one.arguments["number"]) for one in client.enqueued[3:]} == {
        ("mail", "confirm", 1),
        ("statistics", "add", 2),
        ("statistics", "add", 3),
    }
    assert [message.job for message in client.queue_named("mail").messages()] == ["confirm"]
    with pytest.raises(SettingsError, match="no queue 'nowhere'"):
        client.queue_named("nowhere")


def test_many_jobs_that_are_sent_at_once_are_all_there(forebay_client: Client) -> None:
    worker, done = Worker("w"), list[int]()

    @worker.job
    def count(number: int) -> None:
        done.append(number)

    client = forebay_client(worker)
    enqueue_many(count.call(number=number) for number in range(25))
    client.work()

    assert [one.arguments["number"] for one in client.enqueued] == list(range(25))
    assert sorted(done) == list(range(25))


def test_two_clients_serve_each_other(forebay_client: Client) -> None:
    front, back, done = Worker("front"), Worker("back"), list[int]()

    @back.job
    def store(number: int) -> None:
        done.append(number)

    @front.job
    def take(number: int) -> None:
        store.enqueue(number=number)

    back_client, front_client = forebay_client(back), forebay_client(front)
    take.enqueue(number=1)
    front_client.work()
    back_client.work()

    assert done == [1]


def test_a_fifo_worker_has_fifo_queues_throughout(forebay_client: Client) -> None:
    worker, done = Worker("w", queue="orders.fifo"), list[int]()

    @worker.job(attempts=2)
    async def step(number: int) -> None:
        done.append(number)
        if number == 1:
            raise ValueError

    client = forebay_client(worker)
    for number in (1, 2, 3):
        step.options(group="g", dedupe=str(number)).enqueue(number=number)
    client.work(failures="return")

    assert sorted(done) == [1, 1, 2, 3]
    assert [letter.arguments for letter in client.dead_letters()] == [{"number": 1}]
    assert client.run(step, number=4).outcome == "succeeded"


def test_a_quiet_run_leaves_what_waits_and_time_is_the_tests_to_move(forebay_client: Client) -> None:
    worker = Worker("w")

    @worker.job
    async def later(ctx: Context) -> None:
        if ctx.attempt == 1:
            raise RetryLater("10m")

    client = forebay_client(worker)
    later.enqueue()
    first = client.work(until="quiet")
    hidden = client.counts()
    client.advance("10m")

    assert first.outcomes == ["postponed"]
    assert (hidden, client.counts()) == (Counts(0, 1, 0), Counts(1, 0, 0))
    assert client.work().outcomes == ["succeeded"]
    with pytest.raises(SettingsError, match=r"advance\(time\)"):
        client.advance("soon")


def test_a_raw_message_is_sent_as_any_program_would_send_it(forebay_client: Client) -> None:
    worker, seen = Worker("w"), list[str]()
    worker.job(name="thumbnail")(_plain(seen.append))

    client = forebay_client(worker)
    client.send({"key": "a.png"}, job="thumbnail", tenant="t1")
    (message,) = client.messages()
    client.work()

    assert (message.job, message.arguments, message.attributes["tenant"]) == ("thumbnail", {"key": "a.png"}, "t1")
    assert seen == ["a.png"]


# ── stopping and going on ──────────────────────────────────────────────────────────────────────────────────


def test_a_job_that_is_stopped_at_a_checkpoint_says_its_state_and_goes_on_from_one(forebay_client: Client) -> None:
    worker, copied = Worker("w"), list[int]()

    @worker.job
    def copy(ctx: Context, count: int) -> None:
        for number in range(ctx.state or 0, count):
            copied.append(number)
            ctx.checkpoint(number + 1)

    client = forebay_client(worker)
    first = client.attempt(copy.call(count=5), stop_at_checkpoint=2)
    second = client.attempt(copy.call(count=5), state=first.state)

    assert (first.outcome, first.state) == ("continued", 2)
    assert (second.outcome, second.state) == ("succeeded", 5)
    assert copied == [0, 1, 2, 3, 4]


def test_a_state_that_a_message_cannot_carry_is_refused_with_the_reason(forebay_client: Client) -> None:
    worker = Worker("w")
    worker.default(_plain(lambda body: None))

    with pytest.raises(JobError, match=r"state=….*no JSON object"):
        forebay_client(worker).attempt("plain text", state=1)


def test_a_worker_that_is_asked_to_stop_interrupts_what_its_drain_does_not_suffice_for(forebay_client: Client) -> None:
    worker, ends = Worker("w", drain="30s"), list[str]()

    @worker.job
    async def long(ctx: Context) -> None:
        try:
            await ctx.stopping
            ends.append("told")
            await asyncio.sleep(3600 if ctx.attempt == 1 else 10)
            ends.append("done")
        except asyncio.CancelledError:
            ends.append("interrupted")
            raise

    client = forebay_client(worker)
    long.enqueue()
    first = client.work(stop_after="5m")
    second = client.work(stop_after="5m")

    assert first.outcomes == ["interrupted"]
    assert first.lasted_s == pytest.approx(330, abs=3)
    assert second.outcomes == ["succeeded"]
    assert second.lasted_s == pytest.approx(310, abs=3)
    assert ends == ["told", "interrupted", "told", "done"]


# ── trouble ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_job_that_is_given_back_for_ever_ends_the_patience(forebay_client: Client) -> None:
    worker = Worker("w")

    @worker.job
    def again() -> None:
        raise RetryLater("1h")

    client = forebay_client(worker, patience_s=0.2, dead_letter=False)
    again.enqueue()

    with pytest.raises(NotDrained, match=r"after 0.2 real seconds .*1 in flight") as raised:
        client.work()

    assert set(raised.value.report.outcomes) == {"postponed"}


def test_code_that_does_not_end_fails_the_test_and_the_client_says_so(forebay_client: Client) -> None:
    worker, may_go = Worker("w"), threading.Event()

    @worker.job
    def stuck() -> None:
        may_go.wait(30)

    client = forebay_client(worker, patience_s=0.1)
    stuck.enqueue()

    with pytest.raises(NotDrained):
        client.work()
    with pytest.raises(JobError, match="may still run"):
        client.run(stuck)

    may_go.set()


@pytest.mark.anyio
async def test_coroutines_await_their_work_and_are_told_to(forebay_client: Client, anyio_backend_name: str) -> None:
    worker, done = Worker("w"), list[int]()

    @worker.job
    async def job(number: int) -> None:
        done.append(number)

    client = forebay_client(worker)
    client.send({"number": 1}, job="job")

    assert (await client.awork()).succeeded == 1
    assert (await client.arun(job, number=2)).outcome == "succeeded"
    assert done == [1, 2]
    if anyio_backend_name == "asyncio":
        with pytest.raises(JobError, match=r"await client.awork\(\)"):
            client.work()


def test_a_time_that_there_is_not_is_refused() -> None:
    with pytest.raises(SettingsError, match="'virtual' nor 'real'"):
        WorkerClient(Worker("w"), time="fast")  # type: ignore[arg-type]


def test_a_client_leaves_nothing_behind() -> None:
    worker, before = Worker("w", queue="code"), set(threading.enumerate())

    @worker.job
    def job(key: str) -> None: ...

    with WorkerClient(worker) as client:
        client.run(job, key="a")

    assert set(threading.enumerate()) == before
    assert worker.queue.address == "code"


def _plain(act: Callable[[str], object]) -> Callable[[str], None]:
    def thumbnail(key: str) -> None:
        act(key)

    return thumbnail


def _coroutine(act: Callable[[str], object]) -> Callable[[str], object]:
    async def thumbnail(key: str) -> None:
        act(key)

    return thumbnail
