"""The executor of plain functions: one outcome for each attempt, and threads that nothing ends."""

from __future__ import annotations

import random
import sys
import threading
from contextvars import ContextVar

import pytest
from tests.handlers.collecting import PATIENCE_S, Collected, attempt, must, opened, registry_of

from forebay import Reject, RetryLater
from forebay.handlers.on_thread import ThreadExecutor
from forebay.model import SUCCEEDED, Attempt, Failed, Interrupted, Postponed, Rejected, TimedOut


def noop(_: Attempt) -> None:
    return None


def test_a_handler_that_returns_has_succeeded_whatever_it_returned() -> None:
    def odd(_: Attempt) -> object:
        return ValueError("returned, not raised")

    with opened(one := ThreadExecutor(registry_of("thread", noop=noop, odd=odd), 2)) as collected:
        one.start([attempt(1, "noop"), attempt(2, "odd")])

        assert collected.outcomes(2) == {1: SUCCEEDED, 2: SUCCEEDED}


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), GeneratorExit(), StopIteration()])
def test_no_exception_ends_a_thread(error: BaseException) -> None:
    def throw(_: Attempt) -> None:
        raise error

    with opened(one := ThreadExecutor(registry_of("thread", throw=throw, noop=noop), 1)) as collected:
        one.start([attempt(1, "throw"), attempt(2, "noop")])

        outcomes = collected.outcomes(2)

    assert isinstance(outcomes[1], Failed)
    assert outcomes[2] == SUCCEEDED


def test_answers_reach_the_control_loop() -> None:
    def later(_: Attempt) -> None:
        raise RetryLater("2m")

    def never(_: Attempt) -> None:
        raise Reject("no")

    with opened(one := ThreadExecutor(registry_of("thread", later=later, never=never), 2)) as collected:
        one.start([attempt(1, "later"), attempt(2, "never")])

        assert collected.outcomes(2) == {1: Postponed(120.0), 2: Rejected("no")}


def test_no_more_threads_than_allowed_and_no_more_than_needed() -> None:
    together = threading.Barrier(4, timeout=PATIENCE_S)
    seen: set[str] = set()

    def meets(_: Attempt) -> None:
        seen.add(threading.current_thread().name)
        together.wait()

    with opened(one := ThreadExecutor(registry_of("thread", meets=meets), 4)) as collected:
        # Four must be there at once for any to go on, so four run at once; sixteen come by.
        one.start([attempt(number, "meets") for number in range(16)])
        collected.outcomes(16)

    assert len(seen) == 4

    with opened(one := ThreadExecutor(registry_of("thread", noop=noop), 32)) as collected:
        for number in range(5):
            one.start([attempt(number, "noop")])
            collected.outcomes(number + 1)

        assert sum(thread.name.startswith("forebay-thread") for thread in threading.enumerate()) == 1


def test_threads_end_with_the_process_whatever_runs_in_them() -> None:
    go_on = threading.Event()

    def blocks(_: Attempt) -> None:
        must(go_on)

    with opened(one := ThreadExecutor(registry_of("thread", blocks=blocks), 1)) as collected:
        one.start([attempt(1, "blocks")])

        ours = [thread for thread in threading.enumerate() if thread.name.startswith("forebay-thread")]
        go_on.set()
        collected.outcomes(1)

    assert [thread.daemon for thread in ours] == [True]


def test_an_interrupt_can_only_ask() -> None:
    started, asked = threading.Event(), threading.Event()

    def stops_when_asked(one: Attempt) -> None:
        one.signals.listeners.append(asked.set)
        started.set()
        must(asked)
        assert one.signals.stopping

    with opened(one := ThreadExecutor(registry_of("thread", stops_when_asked=stops_when_asked), 1)) as collected:
        one.start([attempt(1, "stops_when_asked")])
        must(started)
        one.interrupt(1, because_of_limit=True)

        assert collected.outcomes(1) == {1: SUCCEEDED}, "it finished, so it is done"
    assert not one.can_kill


@pytest.mark.parametrize(("because_of_limit", "expected"), [(True, TimedOut(60.0)), (False, Interrupted())])
def test_an_attempt_that_waits_for_a_thread_ends_at_once(because_of_limit: bool, expected: object) -> None:
    started, go_on = threading.Event(), threading.Event()

    def blocks(_: Attempt) -> None:
        started.set()
        must(go_on)

    with opened(one := ThreadExecutor(registry_of("thread", blocks=blocks, noop=noop), 1)) as collected:
        one.start([attempt(1, "blocks"), attempt(2, "noop")])
        must(started)
        one.interrupt(2, because_of_limit=because_of_limit)

        assert collected.outcomes(1) == {2: expected}, "while the thread is still busy"
        go_on.set()
        assert collected.outcomes(2)[1] == SUCCEEDED


def test_contexts_are_fresh_for_each_attempt() -> None:
    variable: ContextVar[str] = ContextVar("variable", default="fresh")
    seen: list[str] = []

    def writes(_: Attempt) -> None:
        seen.append(variable.get())
        variable.set("left behind")

    with opened(one := ThreadExecutor(registry_of("thread", writes=writes), 1)) as collected:
        variable.set("of the control loop")
        one.start([attempt(number, "writes") for number in range(3)])
        collected.outcomes(3)

    assert seen == ["fresh"] * 3


def test_asking_for_time_reaches_the_control_loop() -> None:
    def asks(one: Attempt) -> None:
        assert one.signals.extend is not None
        one.signals.extend(one.number, 300.0)

    with opened(one := ThreadExecutor(registry_of("thread", asks=asks), 1)) as collected:
        one.start([attempt(1, "asks")])
        collected.outcomes(1)

    assert collected.extensions == [(1, 300.0)]


def test_outcomes_gather_while_a_delivery_is_under_way() -> None:
    """The first delivery is held up until everything else has finished: the rest comes in one batch."""

    class HeldUp(Collected):
        def ended(self, batch: object, /) -> None:
            if not self.batches:
                must(others_done)
            super().ended(batch)  # type: ignore[arg-type]

    others_done = threading.Event()
    left = list(range(99))

    def counts(_: Attempt) -> None:
        left.pop()
        if not left:
            others_done.set()

    collected = HeldUp()
    one = ThreadExecutor(registry_of("thread", noop=noop, counts=counts), 4)
    one.open(collected)
    one.start([attempt(0, "noop")])
    one.start([attempt(number, "counts") for number in range(1, 100)])

    assert len(collected.outcomes(100)) == 100
    assert one.close(wait_s=PATIENCE_S)
    assert len(collected.batches) <= 8


def test_a_storm_of_everything_yields_each_outcome_once() -> None:
    """Thousands of attempts that return, raise and wait to be asked, interrupted at random."""
    dice = random.Random(20260101)

    def raises(one: Attempt) -> None:
        raise random.Random(one.number).choice([ValueError(one.number), SystemExit(), Reject("no"), RetryLater()])

    def waits(one: Attempt) -> None:
        asked = threading.Event()
        one.signals.listeners.append(asked.set)
        if not one.signals.stopping:
            must(asked)

    number = 0
    kept = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with opened(one := ThreadExecutor(registry_of("thread", noop=noop, raises=raises, waits=waits), 8)) as got:
            while number < 4_000:
                batch = [
                    attempt(number + offset, dice.choice(["noop", "noop", "raises", "raises", "waits"]))
                    for offset in range(dice.randint(1, 20))
                ]
                one.start(batch)
                # Each is interrupted while it waits, runs or has ended long ago: whoever is first, one outcome comes.
                for each in batch:
                    if each.job == "waits" or dice.random() < 0.3:
                        one.interrupt(each.number, because_of_limit=dice.random() < 0.5)
                number += len(batch)

            assert set(got.outcomes(number)) == set(range(number))
    finally:
        sys.setswitchinterval(kept)


def test_a_machine_without_another_thread_blames_no_job() -> None:
    class NoThread(threading.Thread):
        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    with opened(one := ThreadExecutor(registry_of("thread", noop=noop), 4, make_thread=NoThread)) as collected:
        one.start([attempt(1, "noop"), attempt(2, "noop")])

        assert collected.outcomes(2) == dict.fromkeys((1, 2), Postponed(None, "no thread could be started"))


def test_close_ends_what_waits_and_says_when_some_code_will_not_end() -> None:
    started, go_on = threading.Event(), threading.Event()

    def blocks(_: Attempt) -> None:
        started.set()
        must(go_on)

    collected = Collected()
    one = ThreadExecutor(registry_of("thread", blocks=blocks, noop=noop), 1)
    one.open(collected)
    one.start([attempt(1, "blocks"), attempt(2, "noop")])
    must(started)

    assert not one.close(wait_s=0.01)
    assert collected.outcomes(1) == {2: Interrupted()}

    go_on.set()
    assert one.close(wait_s=PATIENCE_S)
    assert collected.outcomes(2)[1] == SUCCEEDED


def test_what_is_started_after_close_is_interrupted() -> None:
    collected = Collected()
    one = ThreadExecutor(registry_of("thread", noop=noop), 1)
    one.open(collected)
    one.close(wait_s=PATIENCE_S)

    one.start([attempt(1, "noop")])

    assert collected.outcomes(1) == {1: Interrupted()}
    assert one.blockage(now=5.0) is None
