"""The page docs/scaling.md is executed: its laws, its controller, and the sentences that it shows."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import trio.testing
from tests.scaling.closed_loop import ClosedLoop, changes, spike, table
from tests.scaling.minutes import Minutes, queue, service, tracking

from forebay.queue.memory import LoopClock
from forebay.scaling.law_clock import LawClock
from forebay.scaling.port import QueueReading, ServiceReading

PAGE = Path(__file__).resolve().parents[2] / "docs" / "scaling.md"
TEXT = PAGE.read_text(encoding="utf-8")


def block(word: str) -> Any:
    """Run the page's Python block that holds `word` and return what it defines."""
    found = [code for code in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL) if word in code]
    assert len(found) == 1, word
    names: dict[str, Any] = {"__name__": "page"}
    exec(compile(found[0], str(PAGE), "exec"), names)  # the page's own code
    return SimpleNamespace(**names)


def test_the_page_shows_the_spike_as_it_is_simulated() -> None:
    loop = ClosedLoop(tracking(600, count_max=20), spike(6000, at_s=250))

    shown = table(loop.run(70))

    print(shown)
    assert loop.done == 6000
    assert max(loop.waited_s) // 60 == 13
    assert shown in TEXT


def test_the_law_of_the_page_is_the_one_that_its_formula_gives() -> None:
    assert block("backlog_target").law.target == 100


def test_the_other_law_of_the_page_gives_every_message_a_slot() -> None:
    law = block("SlotForEachMessage").SlotForEachMessage(slots=10, count_max=8)
    loop = ClosedLoop(law, spike(45, at_s=90), slots=10, job_s=300)

    rows = loop.run(12)

    assert changes(rows) == [(2, 0, 5), (8, 5, 0)]
    assert loop.done == 45
    assert rows[1].decision.reason == "scale 0 → 5: 45 messages, 10 slots a task"


def test_the_controller_of_the_page_scales() -> None:
    page = block("LawClock")
    assert page.clock.real_s(60) == 1
    ordered: list[int] = []

    class Fixed:
        """A queue with 45 messages."""

        def __init__(self, clock: LawClock) -> None:
            self._clock = clock

        async def read(self) -> QueueReading:
            return queue(45, at=self._clock.now())

    class Orders:
        """Two tasks; remembers what is ordered."""

        async def read(self) -> ServiceReading:
            return service(2)

        async def set_desired(self, count: int) -> None:
            ordered.append(count)

    async def test() -> None:
        clock = LawClock(LoopClock(), time_lapse=60)
        law = block("SlotForEachMessage").SlotForEachMessage(slots=10, count_max=8)
        with anyio.move_on_after(2.5):
            await page.scale(law, Fixed(clock), Orders(), clock)

    anyio.run(test, backend="trio", backend_options={"clock": trio.testing.MockClock(autojump_threshold=0)})

    assert ordered == [5, 5]


def test_the_reasons_that_the_page_shows_are_those_that_the_law_gives() -> None:
    shown = re.search(r"says why, with its figures:\n\n```\n(.*?)```", TEXT, re.DOTALL)
    assert shown is not None
    out, within, idle, guarded = (Minutes(tracking(100), running=running) for running in (2, 2, 8, 4))
    out.minutes(3, 480)
    within.minute(190)
    idle.minutes(18, 0)
    guarded.minutes(15, 340)

    said = {decision.reason for told in (out, within, idle, guarded) for decision in told.decisions}

    assert set(shown[1].splitlines()) <= said
