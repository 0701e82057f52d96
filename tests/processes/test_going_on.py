"""Jobs that outlive their worker, in real processes: restarts, checkpoints, exact counts, and SIGKILL in between."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.processes.harness import Sqs, WorkerProcess, assert_exact, running, wait_for

from forebay.model import ATTEMPT_ATTRIBUTE, CHECKPOINT_ATTRIBUTE, FIRST_SENT_ATTRIBUTE

pytestmark = pytest.mark.processes

STEPS = 40

APP = """
import asyncio, os
from pathlib import Path
from forebay import Context, Worker

worker = Worker("sums")
STEPS = 40
STEP_S = 0.05


def begun(ctx):
    state = ctx.state or {"next": 0, "sum": 0, "workers": []}
    ctx.log.info("from %d", state["next"])
    return {**state, "workers": [*state["workers"], os.getpid()]}


def step(ctx, state):
    state["sum"] += state["next"]
    state["next"] += 1
    ctx.log.info("reached %d", state["next"])
    ctx.checkpoint(state)


def done(state, out):
    Path(out).write_text(f"{state['sum']} {len(set(state['workers']))}")


@worker.job(timeout="5m", attempts=3)
def on_thread(ctx: Context, out: str) -> None:
    state = begun(ctx)
    while state["next"] < STEPS:
        ctx.stopping.wait(STEP_S)
        step(ctx, state)
    done(state, out)


@worker.job(timeout="5m", attempts=3, isolate=True)
def in_child(ctx: Context, out: str) -> None:
    state = begun(ctx)
    while state["next"] < STEPS:
        ctx.stopping.wait(STEP_S)
        step(ctx, state)
    done(state, out)


@worker.job(timeout="5m", attempts=3)
async def on_loop(ctx: Context, out: str) -> None:
    state = begun(ctx)
    while state["next"] < STEPS:
        await asyncio.sleep(STEP_S)
        step(ctx, state)
    done(state, out)


@worker.job(timeout="5m", attempts=3)
async def saves_only_when_asked(ctx: Context, out: str) -> None:
    ctx.log.info("from %s", ctx.state)
    if ctx.state is None:
        ctx.checkpoint("half of it")
        ctx.log.info("waiting")
        await asyncio.Event().wait()
    Path(out).write_text(ctx.state)


@worker.job(timeout="1m", attempts=3)
async def short(number: int, out: str) -> None:
    await asyncio.sleep(0.5)
    with open(out, "a") as file:
        file.write(f"{number}\\n")


@worker.job(timeout="1m", attempts=3, retry="resend", backoff="1s")
async def fails(ctx: Context, flag: str) -> None:
    ctx.log.info("attempt %d", ctx.attempt)
    if not os.path.exists(flag):
        await asyncio.Event().wait()
    ctx.checkpoint({"attempt": ctx.attempt})
    raise ValueError("not today")
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    (tmp_path / "sums.py").write_text(APP, encoding="utf-8")
    return tmp_path


def works(sqs: Sqs, queue: str, app: Path, *arguments: str, slots: int = 1) -> WorkerProcess:
    # With one slot no poll is open while the job runs, so nothing that goes back has to wait for one to end.
    return WorkerProcess(sqs, [queue], "--slots", str(slots), *arguments, target="sums:worker", folder=app)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def told(worker: WorkerProcess, words: str) -> list[int]:
    """The numbers that the handler has logged after these words."""
    messages = [str(line.get("message", "")) for line in worker.events("log")]
    return [int(message.removeprefix(words)) for message in messages if message.startswith(words)]


@pytest.mark.parametrize(("job", "hops"), [("on_thread", 3), ("on_loop", 1), ("in_child", 1)])
def test_a_job_longer_than_any_worker_hops_on_and_ends_with_the_right_sum(
    sqs: Sqs, app: Path, stack: ExitStack, job: str, hops: int
) -> None:
    """Workers are stopped under it and one is killed; what was reached before a stop is never done again."""
    queue, out = sqs.queue(), app / "sum"
    sqs.send(queue, {"out": str(out)}, job=job)
    reached = 0
    for _ in range(hops):
        worker = works(sqs, queue, app, "--drain", "20")
        stack.callback(worker.close)
        worker.wait_line("log", message=f"reached {reached + 5}")
        worker.signal()
        assert worker.wait() == 0
        assert worker.ledger["continued"] == 1
        assert told(worker, "from ") == [reached]
        reached = max(told(worker, "reached "))
        (goes_on,) = worker.events("message.continued")
        assert goes_on["state_bytes"] > 10

    killed = works(sqs, queue, app, "--visibility", "2")
    stack.callback(killed.close)
    killed.wait_line("log", message=f"reached {reached + 5}")
    killed.signal(signal.SIGKILL)
    killed.wait()

    last = works(sqs, queue, app, "--visibility", "2", "--exit-when-empty")
    stack.callback(last.close)
    assert last.wait() == 0
    assert told(last, "from ") == [reached], "a killed worker costs what came after the last hop, and no more"
    assert out.read_text() == f"{sum(range(STEPS))} {hops + 1}"
    assert_exact(last.ledger)


def test_what_a_drain_interrupts_goes_on_from_its_last_checkpoint(sqs: Sqs, app: Path) -> None:
    queue, out = sqs.queue(), app / "text"
    sqs.send(queue, {"out": str(out)}, job="saves_only_when_asked")
    with running(sqs, [queue], "--slots", "1", "--drain", "0.3", target="sums:worker", folder=app) as first:
        first.wait_line("log", message="waiting")
        first.signal()
        assert first.wait() == 0
    with running(sqs, [queue], "--exit-when-empty", target="sums:worker", folder=app) as second:
        assert second.wait() == 0

    finished = first.wait_line("attempt.finished")
    assert (finished["outcome"], finished["settlement"]) == ("interrupted", "continue")
    assert [raw for raw in first.raw if "half of it" in raw] == [], "a state is never logged"
    assert out.read_text() == "half of it"


def test_the_message_of_a_job_that_goes_on_carries_its_state_in_the_body(sqs: Sqs, app: Path) -> None:
    queue = sqs.queue()
    sqs.send(queue, {"out": "nowhere"}, job="saves_only_when_asked")
    with running(sqs, [queue], "--slots", "1", "--drain", "0.3", target="sums:worker", folder=app) as worker:
        worker.wait_line("log", message="waiting")
        worker.signal()
        worker.wait()

    (message,) = sqs.take(queue)
    assert message["Body"] == '{"out": "nowhere","forebay.checkpoint":"half of it"}'
    assert message["MessageAttributes"][CHECKPOINT_ATTRIBUTE]["StringValue"] == str(len('{"out": "nowhere"'))
    assert FIRST_SENT_ATTRIBUTE in message["MessageAttributes"]
    assert ATTEMPT_ATTRIBUTE not in message["MessageAttributes"], "nothing has failed"


def test_without_the_permission_to_send_the_job_is_given_back_and_says_what_to_grant(sqs: Sqs, app: Path) -> None:
    queue = sqs.queue()
    sqs.send(queue, {"out": "nowhere"}, job="saves_only_when_asked")
    sqs.deny("SendMessage")
    try:
        with running(sqs, [queue], "--slots", "1", "--drain", "0.3", target="sums:worker", folder=app) as worker:
            worker.wait_line("log", message="waiting")
            worker.signal()
            assert worker.wait() == 0
    finally:
        sqs.deny()

    missing = worker.wait_line("permission.missing", action="sqs:SendMessage")
    assert '"sqs:SendMessage"' in missing["grant"]
    assert (worker.ledger["released"], worker.ledger["continued"]) == (1, 0)
    assert sqs.counts(queue) == (1, 0, 0)


def test_a_copy_whose_answer_is_lost_loses_nothing(sqs: Sqs, app: Path) -> None:
    """The copy may be there twice then, and the job is done twice: at least once is what SQS promises, too."""
    queue, out = sqs.queue(), app / "text"
    sqs.send(queue, {"out": str(out)}, job="saves_only_when_asked")
    with running(sqs, [queue], "--slots", "1", "--drain", "0.3", target="sums:worker", folder=app) as first:
        first.wait_line("log", message="waiting")
        sqs.chaos({"effect": "drop_after", "operations": ["SendMessageBatch"], "times": 1})
        first.signal()
        assert first.wait() == 0
    sqs.chaos()

    assert first.ledger["continued"] == 1
    with running(sqs, [queue], "--exit-when-empty", target="sums:worker", folder=app) as second:
        assert second.wait() == 0
    assert out.read_text() == "half of it"
    assert second.ledger["succeeded"] in (1, 2)


def test_five_rolling_restarts_on_a_full_queue_bury_nothing_and_lose_nothing(
    sqs: Sqs, app: Path, stack: ExitStack
) -> None:
    """C13: two workers, restarted by turns under load, with a drain that interrupts what runs."""
    dead, out = sqs.queue(), app / "done"
    queue = sqs.queue(dead_letter=dead, receives_max=3 + 10)
    sqs.send(queue, *({"number": number, "out": str(out)} for number in range(300)), job="short")
    seats = [works(sqs, queue, app, "--drain", "0.1", slots=8) for _ in range(2)]
    ended: list[WorkerProcess] = []
    for turn in range(5):
        worker = seats[turn % 2]
        stack.callback(worker.close)
        worker.wait_line("attempt.started", count=12)
        worker.signal()
        assert worker.wait() == 0
        ended.append(worker)
        seats[turn % 2] = works(sqs, queue, app, "--drain", "0.1", slots=8)
    for worker in seats:
        stack.callback(worker.close)
    wait_for(lambda: len(set(out.read_text().split())) == 300 or None, "every job")
    sqs.wait_until(queue, lambda counts: counts == (0, 0, 0))
    for worker in seats:
        worker.signal()
        worker.wait()

    assert sqs.counts(dead) == (0, 0, 0)
    assert sum(worker.ledger["released"] for worker in ended) >= 5, "the restarts have interrupted work"
    for worker in [*ended, *seats]:
        assert_exact(worker.ledger)
        assert (worker.ledger["buried"], worker.ledger["lease_lost"]) == (0, 0)


def test_with_resend_restarts_cost_no_attempt_and_failures_are_counted_one_by_one(sqs: Sqs, app: Path) -> None:
    dead, flag = sqs.queue(), app / "flag"
    queue = sqs.queue(dead_letter=dead, receives_max=13)
    (sent,) = sqs.send(queue, {"flag": str(flag)}, job="fails")
    for _ in range(3):
        with running(sqs, [queue], "--slots", "1", "--drain", "0.1", target="sums:worker", folder=app) as worker:
            worker.wait_line("log", message="attempt 1")
            worker.signal()
            assert worker.wait() == 0
            assert worker.ledger["released"] == 1

    flag.touch()
    with running(sqs, [queue], "--exit-when-empty", target="sums:worker", folder=app) as last:
        assert last.wait() == 0
    (buried,) = sqs.take(dead)

    assert told(last, "attempt ") == [1, 2, 3]
    assert (last.ledger["retried"], last.ledger["buried"]) == (2, 1)
    assert last.events("message.buried")[0]["reason"] == "failed with ValueError on attempt 3 of 3"
    assert sent not in {line["message_id"] for line in last.events("message.buried")}, "it was sent again since"
    assert buried["Body"].endswith(',"forebay.checkpoint":{"attempt":2}}'), "what the last attempt started from"
    assert ATTEMPT_ATTRIBUTE not in buried["MessageAttributes"], "moved back, it has all its attempts again"
