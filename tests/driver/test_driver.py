"""The shipped driver on trio's mock clock: hours pass in milliseconds, and nothing is left to chance."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import pytest
import trio.testing
from tests.driver.fakes import Bench, KindAgent

from forebay.handlers.executor import Blockage
from forebay.model import CONTINUED, SUCCEEDED, Attempt, Failed, Outcome, Rejected, TimedOut
from forebay.worker.driver import Driver


def in_virtual_time(test: Callable[[], Awaitable[None]]) -> None:
    """Run `test` on trio; whenever everything waits, time jumps to the next instant that something waits for."""
    clock = trio.testing.MockClock(autojump_threshold=0)
    anyio.run(test, backend="trio", backend_options={"clock": clock})


def sleeping(seconds: float) -> Callable[[Attempt], Awaitable[Outcome]]:
    async def code(attempt: Attempt) -> Outcome:
        await anyio.sleep(seconds)
        return SUCCEEDED

    return code


async def until_empty(bench: Bench) -> None:
    while not (await bench.queue.count()).is_empty:  # noqa: ASYNC110 - virtual time, and a queue tells nobody
        await anyio.sleep(0.1)


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 - virtual time costs nothing
        await anyio.sleep(1)


def test_jobs_are_received_run_and_deleted() -> None:
    async def test() -> None:
        bench = Bench()
        await bench.send(*"abcdefghijklmno")

        async def script(driver: Driver) -> None:
            await until_empty(bench)
            driver.stop("test")

        ended = await bench.run(script)

        assert ended.status == 0
        assert bench.ledger["succeeded"] == 15
        assert len(bench.recording.attempts) == 15

    in_virtual_time(test)


def test_a_job_of_two_hours_keeps_its_lease_by_heartbeats() -> None:
    async def test() -> None:
        bench = Bench(sleeping(2 * 3600.0), limit_s=41_000.0)
        await bench.send("long")

        async def script(driver: Driver) -> None:
            await until_empty(bench)
            driver.stop("test")

        ended = await bench.run(script)

        assert ended.status == 0
        assert bench.ledger["received"] == 1
        assert bench.ledger["succeeded"] == 1
        assert "lease.lost" not in bench.recording.names()

    in_virtual_time(test)


def test_a_stop_gives_back_what_the_open_poll_still_brings() -> None:
    async def test() -> None:
        bench = Bench()

        async def script(driver: Driver) -> None:
            await anyio.sleep(1)
            driver.stop("test")
            await anyio.sleep(1)
            await bench.send("late")

        ended = await bench.run(script)

        assert ended.status == 0
        assert bench.ledger["released"] == 1
        assert bench.recording.attempts == []
        assert (await bench.queue.count()).visible == 1

    in_virtual_time(test)


def test_what_outlives_the_drain_is_interrupted_and_given_back() -> None:
    async def test() -> None:
        bench = Bench(sleeping(3600), drain_s=10.0, slots=1)
        await bench.send("endless")

        async def script(driver: Driver) -> None:
            await anyio.sleep(1)
            driver.stop("test")

        ended = await bench.run(script)

        assert ended.status == 0
        assert not ended.code_still_runs
        assert bench.ledger["released"] == 1
        assert 10 <= anyio.current_time() - bench.began_at < 16

    in_virtual_time(test)


def test_a_second_stop_leaves_within_a_second() -> None:
    async def test() -> None:
        bench = Bench(sleeping(3600), slots=1)
        await bench.send("endless")

        async def script(driver: Driver) -> None:
            await anyio.sleep(1)
            driver.stop("first")
            await anyio.sleep(1)
            driver.stop_now("second")

        ended = await bench.run(script)

        assert ended.status == 1
        assert anyio.current_time() - bench.began_at <= 3.1

    in_virtual_time(test)


def test_code_that_swallows_its_interruption_is_left_behind() -> None:
    async def stubborn(attempt: Attempt) -> Outcome:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(3600)
        return SUCCEEDED

    async def test() -> None:
        bench = Bench(stubborn, drain_s=1.0, slots=1)
        await bench.send("stubborn")

        async def script(driver: Driver) -> None:
            await anyio.sleep(1)
            driver.stop("test")

        ended = await bench.run(script)

        assert ended.code_still_runs
        assert bench.ledger["released"] == 1
        assert "attempt.stuck" in bench.recording.names()

    in_virtual_time(test)


def test_a_job_past_its_limit_is_timed_out_and_tried_again() -> None:
    async def test() -> None:
        bench = Bench(sleeping(3600), limit_s=30.0, slots=1)
        await bench.send("slow")

        async def script(driver: Driver) -> None:
            await until(lambda: bench.recording.conclusions)
            driver.stop("test")

        await bench.run(script)

        first = bench.recording.conclusions[0]
        assert isinstance(first.outcome, TimedOut)
        assert first.lasted_s == pytest.approx(30.0)
        assert first.settlement == "release"
        assert bench.ledger["retried"] >= 1

    in_virtual_time(test)


def test_a_rejected_job_goes_to_the_dead_letter_queue_with_a_note() -> None:
    async def rejecting(attempt: Attempt) -> Outcome:
        return Rejected("not mine")

    async def test() -> None:
        bench = Bench(rejecting)
        bench.queue = bench.queues.create(
            "with-dead-letters",
            RedrivePolicy='{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:buried", "maxReceiveCount": 9}',
        )
        await bench.send("bad")

        async def script(driver: Driver) -> None:
            await until_empty(bench)
            driver.stop("test")

        await bench.run(script)

        received = await bench.buried.receive(count_max=10, wait_s=0, visibility_s=30)
        (copy,) = received.messages
        assert copy.body == "bad"
        assert '"reason": "not mine"' in copy.attributes["forebay.error"].value
        assert bench.ledger["buried"] == 1

    in_virtual_time(test)


def test_a_rejected_job_without_a_dead_letter_queue_is_parked_and_never_deleted() -> None:
    async def rejecting(attempt: Attempt) -> Outcome:
        return Rejected("not mine")

    async def test() -> None:
        bench = Bench(rejecting)
        await bench.send("bad")

        async def script(driver: Driver) -> None:
            await anyio.sleep(60)
            driver.stop("test")

        await bench.run(script)

        assert bench.ledger["parked"] == 1
        assert (await bench.queue.count()).in_flight == 1

    in_virtual_time(test)


def test_a_failed_job_is_tried_as_often_as_it_may_be_and_then_given_up() -> None:
    async def failing(attempt: Attempt) -> Outcome:
        return Failed("builtins.ValueError", "f00d")

    async def test() -> None:
        bench = Bench(failing)
        await bench.send("broken")

        async def script(driver: Driver) -> None:
            await until(lambda: "message.parked" in bench.recording.names())
            driver.stop("test")

        await bench.run(script)

        assert [conclusion.settlement for conclusion in bench.recording.conclusions] == ["release"] * 4 + ["park"]
        assert bench.ledger["retried"] == 4
        assert bench.ledger["parked"] == 1

    in_virtual_time(test)


def test_protection_is_held_before_the_job_and_goes_after_its_settlement() -> None:
    async def test() -> None:
        agent = KindAgent()
        started: list[float] = []

        async def code(attempt: Attempt) -> Outcome:
            started.append(anyio.current_time())
            await anyio.sleep(5)
            return SUCCEEDED

        bench = Bench(code, agent=agent, protection_linger_s=10.0)

        async def script(driver: Driver) -> None:
            await anyio.sleep(30)
            await bench.send("job")
            await anyio.sleep(60)
            driver.stop("test")

        await bench.run(script)

        holds = [at for call, at in agent.calls if call == "hold"]
        unholds = [at for call, at in agent.calls if call == "unhold"]
        assert len(holds) == 1
        assert holds[0] <= started[0]
        assert len(unholds) == 1
        assert unholds[0] == pytest.approx(started[0] + 5 + 10, abs=1)

    in_virtual_time(test)


def test_a_job_that_goes_on_elsewhere_is_sent_again_and_then_deleted() -> None:
    async def test() -> None:
        states: list[str | None] = []

        async def code(attempt: Attempt) -> Outcome:
            states.append(attempt.message.state)
            await anyio.sleep(5)
            if attempt.message.state is not None:
                return SUCCEEDED
            attempt.signals.checkpoint = '{"page":3}'
            return CONTINUED

        bench = Bench(code, exit_when_empty=True)
        await bench.send('{"key": 1}')

        async def script(driver: Driver) -> None: ...

        exit_ = await bench.run(script)

        assert exit_.status == 0
        assert states == [None, '{"page":3}']
        assert {name: count for name, count in bench.ledger.items() if count} == {
            "received": 2,
            "continued": 1,
            "succeeded": 1,
        }
        assert [attempt.message.body for attempt in bench.recording.attempts] == ['{"key": 1}'] * 2

    in_virtual_time(test)


def test_a_blocked_executor_is_reported_with_its_stack() -> None:
    async def test() -> None:
        bench = Bench(sleeping(5))
        await bench.send("job")

        async def script(driver: Driver) -> None:
            await anyio.sleep(1)
            bench.executor.blocked = Blockage(2.5, ("jobs.py:7 handler",))
            await anyio.sleep(3)
            bench.executor.blocked = None
            driver.stop("test")

        await bench.run(script)

        blocked = [fields for event, fields in bench.recording.events if event == "handlers.blocked"]
        assert blocked == [{"blocked_s": 2.5, "stack": "jobs.py:7 handler"}]

    in_virtual_time(test)


def test_an_idle_worker_asks_three_times_a_minute() -> None:
    async def test() -> None:
        bench = Bench()

        async def script(driver: Driver) -> None:
            await anyio.sleep(600)
            driver.stop("test")

        await bench.run(script)

        polls = bench.recording.names().count("poll.started")
        assert polls <= 31

    in_virtual_time(test)


def test_code_that_does_not_end_is_told_with_the_place_where_it_stands() -> None:
    async def stubborn(attempt: Attempt) -> Outcome:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(3600)
        return SUCCEEDED

    async def test() -> None:
        bench = Bench(stubborn, drain_s=1.0, limit_s=10.0, slots=1)
        await bench.send("stubborn")

        async def script(driver: Driver) -> None: ...

        ended = await bench.run(script)

        assert ended.status == 1
        assert ended.reason.endswith("does not stop")
        (fields,) = [fields for event, fields in bench.recording.events if event == "attempt.stuck"]
        assert fields["stack"] == "app/jobs.py:7 spins"

    in_virtual_time(test)


def test_no_more_start_than_an_executor_says_it_has_room_for() -> None:
    async def test() -> None:
        bench = Bench(sleeping(5), slots=4)
        await bench.send("a", "b", "c")

        async def script(driver: Driver) -> None:
            bench.executor.say_room(1)
            await until(lambda: bench.recording.attempts)
            await anyio.sleep(1)
            began = len(bench.recording.attempts)
            bench.executor.say_room(3)
            await until(lambda: len(bench.recording.attempts) == 3)
            assert began == 1
            driver.stop("test")

        await bench.run(script)

        assert bench.ledger["succeeded"] == 3

    in_virtual_time(test)
