"""The line in front of a transport's connections: fair, bounded, and without lost turns."""

from __future__ import annotations

import asyncio

import pytest

from forebay.errors import FaultKind, QueueError
from forebay.queue.transport import Line


def test_turns_go_to_those_who_wait_in_the_order_they_came() -> None:
    async def run() -> list[str]:
        line, order = Line(1), list[str]()

        async def one(name: str) -> None:
            await line.enter(timeout_s=5)
            order.append(name)
            line.leave()

        assert line.enter_at_once()
        waiting = [asyncio.create_task(one(name)) for name in "abc"]
        await asyncio.sleep(0)
        line.leave()
        assert not line.enter_at_once()  # The turn belongs to the first in line already.
        await asyncio.gather(*waiting)
        return order

    assert asyncio.run(run()) == ["a", "b", "c"]


def test_who_waits_too_long_is_told_and_costs_no_turn() -> None:
    async def run() -> QueueError:
        line = Line(1)
        assert line.enter_at_once()
        with pytest.raises(QueueError) as told:
            await line.enter(timeout_s=0)
        line.leave()
        assert line.enter_at_once()
        return told.value

    assert asyncio.run(run()).fault.kind is FaultKind.UNAVAILABLE


def test_a_turn_that_comes_in_the_moment_of_giving_up_goes_on_to_the_next() -> None:
    async def run() -> bool:
        line = Line(1)
        assert line.enter_at_once()
        waiting = asyncio.create_task(line.enter(timeout_s=5))
        await asyncio.sleep(0)

        line.leave()  # The turn is given…
        waiting.cancel()  # …and before it is taken, nobody wants it any more.
        await asyncio.wait([waiting])

        return line.enter_at_once()

    assert asyncio.run(run())
