"""What a handler learns and asks while it runs, from a coroutine and from a thread."""

from __future__ import annotations

import asyncio
import logging
import threading
from datetime import UTC, datetime, timedelta

import pytest
from tests.api.calling import CANARY, attempt, message

from forebay import Context, JobError, SettingsError
from forebay.clock import VirtualClock
from forebay.model import Attempt

PATIENCE_S = 30.0


def _attempt() -> Attempt:
    return attempt(message(f'{{"key": "{CANARY}"}}'), "thumbnail")


def rise(one: Attempt, flag: str) -> None:
    """Raise a flag as the driver does: first the flag, then its listeners."""
    setattr(one.signals, flag, True)
    for listener in tuple(one.signals.listeners):
        listener()


def test_the_attempt_is_the_delivery_that_sqs_has_counted() -> None:
    context = Context(_attempt())

    assert context.attempt == 3
    assert context.message.message_id == "message-1"
    assert context.job == "thumbnail"


def test_the_deadline_is_the_control_loops_on_the_wall_clock() -> None:
    clock = VirtualClock(start_at=500.0, start_utc=datetime(2026, 11, 23, 12, tzinfo=UTC))
    one = _attempt()
    one.signals.deadline_at = 530.0
    context = Context(one, clock=clock)

    clock.advance(10.0)

    assert context.remaining_s == 20.0
    assert context.deadline == datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC)

    clock.advance(100.0)

    assert context.remaining_s == 0.0


def test_the_whole_limit_remains_until_the_control_loop_has_set_the_deadline() -> None:
    clock = VirtualClock()

    context = Context(_attempt(), clock=clock)

    assert context.remaining_s == 60.0
    assert context.deadline - clock.utc() == timedelta(seconds=60)


def test_asking_for_time_goes_to_the_control_loop_in_seconds() -> None:
    asked: list[tuple[int, float]] = []
    one = _attempt()
    one.signals.extend = lambda number, limit_s: asked.append((number, limit_s))

    Context(one).extend("1h30m")

    assert asked == [(1, 5_400.0)]


@pytest.mark.parametrize("limit", ["0.5s", "13h", -1, "soon"])
def test_time_that_sqs_cannot_give_is_refused_at_the_call(limit: str | int) -> None:
    one = _attempt()
    one.signals.extend = lambda number, limit_s: None

    with pytest.raises(SettingsError):
        Context(one).extend(limit)


def test_asking_for_time_outside_of_a_worker_is_an_error_and_not_a_silence() -> None:
    with pytest.raises(JobError, match="no worker runs"):
        Context(_attempt()).extend("5m")


@pytest.mark.parametrize("flag", ["stopping", "lease_lost"])
def test_a_coroutine_waits_until_its_own_flag_rises(flag: str) -> None:
    other = {"stopping": "lease_lost", "lease_lost": "stopping"}[flag]
    one = _attempt()

    async def handler() -> list[str]:
        told: list[str] = []

        async def wait() -> None:
            await getattr(Context(one), flag)
            told.append(flag)

        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0)
        assert one.signals.listeners
        rise(one, other)
        for _ in range(5):
            await asyncio.sleep(0)
        told.append("the other rose")
        threading.Thread(target=rise, args=(one, flag)).start()
        await asyncio.wait_for(waiting, PATIENCE_S)
        return told

    assert asyncio.run(handler()) == ["the other rose", flag]
    assert one.signals.listeners == []


def test_a_flag_that_has_risen_is_not_waited_for() -> None:
    one = _attempt()
    one.signals.stopping = True

    async def handler() -> None:
        await Context(one).stopping
        await asyncio.wait_for(Context(one).stopping, PATIENCE_S)

    asyncio.run(handler())
    assert Context(one).stopping.wait()
    assert bool(Context(one).stopping)
    assert not Context(one).lease_lost


def test_a_wait_that_is_given_up_leaves_no_listener() -> None:
    one = _attempt()

    async def handler() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(Context(one).stopping, 0.001)

    asyncio.run(handler())

    assert not Context(one).stopping.wait(0.001)
    assert one.signals.listeners == []


def test_a_thread_waits_until_its_flag_rises() -> None:
    one = _attempt()
    results: list[bool] = []
    thread = threading.Thread(target=lambda: results.append(Context(one).stopping.wait(PATIENCE_S)))
    thread.start()

    rise(one, "lease_lost")
    rise(one, "stopping")
    thread.join(PATIENCE_S)

    assert results == [True]


def test_waiting_as_a_thread_inside_a_coroutine_is_refused_with_the_remedy() -> None:
    async def handler() -> None:
        with pytest.raises(JobError, match=r"await ctx\.stopping"):
            Context(_attempt()).stopping.wait(1.0)

    asyncio.run(handler())


def test_a_loop_that_ended_while_waiting_is_not_woken() -> None:
    """A thread may run an event loop of its own and leave it; the flag may rise later."""
    one = _attempt()
    kept: list[object] = []

    async def handler() -> None:
        waiting = asyncio.ensure_future(Context(one).stopping)
        await asyncio.sleep(0)
        kept.extend(one.signals.listeners)
        waiting.cancel()

    asyncio.run(handler())
    one.signals.stopping = True

    for listener in kept:
        assert callable(listener)
        listener()


def test_log_records_carry_names_and_ids_and_what_the_caller_adds() -> None:
    records: list[logging.LogRecord] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    context = Context(_attempt())
    logger = logging.getLogger("forebay.job.thumbnail")
    kept = Kept()
    logger.addHandler(kept)
    try:
        context.log.warning("resized to %d", 320, extra={"width": 320})
    finally:
        logger.removeHandler(kept)

    told = vars(records[0])
    assert records[0].getMessage() == "resized to 320"
    assert {name: told[name] for name in ("job", "message_id", "attempt", "width")} == {
        "job": "thumbnail",
        "message_id": "message-1",
        "attempt": 3,
        "width": 320,
    }


def test_no_repr_shows_the_body() -> None:
    context = Context(_attempt())

    assert CANARY not in f"{context!r} {context.message!r} {context.stopping!r}"
