"""The controller's loop in virtual time: periods, errors, pauses, and time that passes faster for the law."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import pytest
import trio.testing
from tests.scaling.minutes import queue, service, tracking

from forebay.clock import Clock, SystemClock, VirtualClock
from forebay.errors import SettingsError
from forebay.queue.memory import LoopClock
from forebay.scaling.controller import Controller
from forebay.scaling.law_clock import LapsedMeter, LawClock
from forebay.scaling.port import Decision, QueueReading, ServiceReading


class Meter:
    """Says what it is told to, stamped with its clock, and remembers when it was asked in real time."""

    def __init__(self, clock: Clock, visible: int = 0) -> None:
        self._clock = clock
        self.visible: int | None = visible
        self.trouble: Exception | None = None
        self.takes_s = 0.0
        self.asked_at: list[float] = []

    async def read(self) -> QueueReading | None:
        self.asked_at.append(anyio.current_time())
        if self.takes_s:
            await anyio.sleep(self.takes_s)  # stands for work
        if self.trouble is not None:
            raise self.trouble
        return None if self.visible is None else queue(self.visible, at=self._clock.now())


class Service:
    """Has at once the tasks that it is told to have."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.trouble: Exception | None = None
        self.trouble_of_setting: Exception | None = None
        self.set_at: list[tuple[float, int]] = []
        self.on_read: Callable[[], None] | None = None

    async def read(self) -> ServiceReading:
        if self.on_read is not None:
            self.on_read()
        if self.trouble is not None:
            raise self.trouble
        return service(self.count)

    async def set_desired(self, count: int) -> None:
        if self.trouble_of_setting is not None:
            raise self.trouble_of_setting
        self.count = count
        self.set_at.append((anyio.current_time(), count))


class Bench:
    """A controller with all that it needs, on the loop's own time."""

    def __init__(self, *, count: int = 1, visible: int = 0, time_lapse: float = 1.0) -> None:
        self.began_at = anyio.current_time()
        clock = LawClock(LoopClock(), time_lapse=time_lapse)
        self.meter = Meter(clock, visible)
        self.service = Service(count)
        self.told: list[tuple[Decision, ServiceReading | None]] = []
        self.errors: list[Exception] = []
        self.controller = Controller(
            tracking(100, count_max=50),
            self.meter,
            self.service,
            clock=clock,
            on_decision=lambda decision, reading: self.told.append((decision, reading)),
            on_error=self.errors.append,
        )

    async def run(self, seconds: float) -> None:
        """Let the controller work for so many real seconds."""
        with anyio.move_on_after(seconds):
            await self.controller.run()

    @property
    def set_after_s(self) -> list[tuple[float, int]]:
        return [(round(at - self.began_at, 6), count) for at, count in self.service.set_at]

    @property
    def reasons(self) -> list[str]:
        return [decision.reason for decision, _ in self.told]


def in_virtual_time(test: Callable[[], Awaitable[None]]) -> None:
    """Run `test` on trio; whenever everything waits, time jumps to the next instant that something waits for."""
    clock = trio.testing.MockClock(autojump_threshold=0)
    anyio.run(test, backend="trio", backend_options={"clock": clock})


def test_every_minute_the_law_is_asked_and_its_count_is_set() -> None:
    async def test() -> None:
        bench = Bench(count=2, visible=480)

        await bench.run(190)

        assert [at - bench.began_at for at in bench.meter.asked_at] == pytest.approx([60, 120, 180])
        assert bench.set_after_s == [(180, 5)]
        assert [decision.desired for decision, _ in bench.told] == [None, None, 5]
        assert bench.told[-1][1] == service(2)

    in_virtual_time(test)


def test_with_time_lapse_minutes_and_cooldowns_shrink_alike() -> None:
    async def test() -> None:
        slow = Bench(count=8, visible=0)
        fast = Bench(count=8, visible=0, time_lapse=60)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(slow.run, 30.5 * 60)
            tasks.start_soon(fast.run, 30.5)

        assert [count for _, count in slow.set_after_s] == [4, 2, 1, 0]
        assert [at for at, _ in slow.set_after_s] == pytest.approx([900, 1200, 1500, 1800])
        assert [at for at, _ in fast.set_after_s] == pytest.approx([15, 20, 25, 30])
        assert [count for _, count in fast.set_after_s] == [4, 2, 1, 0]
        assert fast.reasons == slow.reasons

    in_virtual_time(test)


def test_a_meter_of_real_seconds_is_read_in_those_of_the_law() -> None:
    """The local SQS makes its points every 60 s ÷ time lapse, and stamps them with its own clock."""

    async def test() -> None:
        real = LoopClock()
        clock = LawClock(real, time_lapse=20)
        target = Service(2)
        meter = LapsedMeter(Meter(real, 480), clock)
        controller = Controller(tracking(100), meter, target, clock=clock)
        began_at = anyio.current_time()

        with anyio.move_on_after(10):
            await controller.run()

        reading = await meter.read()
        assert [(round(at - began_at, 6), count) for at, count in target.set_at] == [(9, 5)]
        assert reading is not None
        assert reading.at == pytest.approx(200)
        assert reading.period_s == 20 * 60.0

    in_virtual_time(test)


def test_a_reading_that_fails_holds_the_service_and_is_told() -> None:
    async def test() -> None:
        bench = Bench(count=2, visible=480)
        bench.meter.trouble = ConnectionResetError("with a secret")

        await bench.run(310)

        assert bench.service.set_at == []
        assert len(bench.told) == 5
        assert all(decision.desired is None for decision, _ in bench.told)
        assert "the queue's metrics could not be read: ConnectionResetError" in bench.reasons[0]
        assert not any("secret" in reason for reason in bench.reasons)
        assert bench.errors == [bench.meter.trouble] * 5

    in_virtual_time(test)


def test_after_readings_that_failed_the_law_goes_on() -> None:
    async def test() -> None:
        bench = Bench(count=2, visible=480)
        bench.service.trouble = OSError("gone")
        await bench.run(130)
        bench.service.trouble = None

        await bench.run(190)

        assert [reading is None for _, reading in bench.told] == [True, True, False, False, False]
        assert bench.reasons[0] == "hold: the service's count could not be read: OSError"
        assert bench.service.count == 5

    in_virtual_time(test)


def test_a_reading_that_never_ends_is_given_up() -> None:
    async def test() -> None:
        bench = Bench(count=2, visible=480)
        bench.meter.takes_s = 1e9

        await bench.run(190)

        assert [at - bench.began_at for at in bench.meter.asked_at] == pytest.approx([60, 120, 180])
        assert "TimeoutError" in bench.reasons[0]

    in_virtual_time(test)


def test_a_count_that_cannot_be_set_is_told_and_ordered_again() -> None:
    async def test() -> None:
        bench = Bench(count=2, visible=480)
        bench.service.trouble_of_setting = PermissionError("no")
        await bench.run(190)
        bench.service.trouble_of_setting = None

        await bench.run(70)

        assert bench.told[2][0].desired is None
        assert bench.reasons[2].startswith("hold: the count could not be set to 5: PermissionError; scale out 2 → 5")
        assert bench.service.count == 5
        assert len(bench.told) == 4

    in_virtual_time(test)


def test_slow_readings_do_not_make_the_period_longer() -> None:
    async def test() -> None:
        bench = Bench()
        bench.meter.takes_s = 7.0

        await bench.run(10 * 60 + 30)

        assert [at - bench.began_at for at in bench.meter.asked_at] == pytest.approx([60.0 * n for n in range(1, 11)])

    in_virtual_time(test)


def test_periods_that_were_missed_are_not_made_up() -> None:
    """At 60 times the speed a period is a second, and a reading of 2.5 seconds swallows two others."""

    async def test() -> None:
        bench = Bench(time_lapse=60)
        bench.meter.takes_s = 2.5

        await bench.run(9.4)

        assert [at - bench.began_at for at in bench.meter.asked_at] == pytest.approx([1, 4, 7])

    in_virtual_time(test)


def test_while_paused_nothing_is_set_but_everything_is_told() -> None:
    async def test() -> None:
        bench = Bench(count=2, visible=480)
        bench.controller.pause()
        await bench.run(310)
        paused = list(bench.service.set_at)
        bench.controller.resume()

        await bench.run(70)

        assert paused == []
        assert bench.reasons[2].startswith("suspended, or else: scale out 2 → 5")
        assert [decision.desired for decision, _ in bench.told] == [None] * 5 + [5]

    in_virtual_time(test)


def test_a_person_who_takes_over_during_the_readings_wins() -> None:
    async def test() -> None:
        bench = Bench(count=2, visible=480)
        await bench.run(130)
        bench.service.on_read = bench.controller.pause

        await bench.run(70)

        assert len(bench.told) == 3
        assert bench.service.set_at == []

    in_virtual_time(test)


def test_a_count_that_is_wanted_already_is_not_set_again() -> None:
    class Two:
        """A law that always wants two tasks."""

        name = "two"
        target = 2.0

        def decide(self, queue: QueueReading | None, service: ServiceReading, *, now: float) -> Decision:
            return Decision(desired=2, reason="two")

    async def test() -> None:
        clock = LawClock(LoopClock())
        target = Service(1)
        controller = Controller(Two(), Meter(clock), target, clock=clock)

        with anyio.move_on_after(310):
            await controller.run()

        assert [count for _, count in target.set_at] == [2]
        assert [made.decision.desired for made in controller.decisions] == [2] * 5

    in_virtual_time(test)


def test_the_last_hundred_decisions_are_kept_and_numbered() -> None:
    async def test() -> None:
        bench = Bench()

        await bench.run(120 * 60 + 30)

        numbers = [made.number for made in bench.controller.decisions]
        assert numbers == list(range(21, 121))
        assert bench.controller.decisions[-1].at == pytest.approx(120 * 60)
        assert bench.controller.decisions[-1].decision == bench.told[-1][0]

    in_virtual_time(test)


def test_the_same_controller_works_on_asyncio() -> None:
    async def test() -> None:
        clock = LawClock(SystemClock(), time_lapse=600)
        target = Service(2)
        scaled = anyio.Event()
        controller = Controller(
            tracking(100),
            Meter(clock, 480),
            target,
            clock=clock,
            on_decision=lambda decision, _: scaled.set() if decision.desired == 5 else None,
        )

        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(controller.run)
                await scaled.wait()
                tasks.cancel_scope.cancel()

        assert target.count == 5

    anyio.run(test, backend="asyncio")


def test_the_laws_clock_runs_as_many_times_as_fast_as_it_is_told() -> None:
    clock = VirtualClock(start_at=1000.0)
    lapsed = LawClock(clock, time_lapse=20)
    began_utc = clock.utc()

    clock.advance(3)

    assert lapsed.now() == 60
    assert lapsed.real_s(60) == 3
    assert (lapsed.utc() - began_utc).total_seconds() == 3


@pytest.mark.parametrize("time_lapse", [0, -1, float("nan"), float("inf")])
def test_a_time_lapse_that_makes_no_sense_is_refused(time_lapse: float) -> None:
    with pytest.raises(SettingsError, match="time_lapse"):
        LawClock(VirtualClock(), time_lapse=time_lapse)
