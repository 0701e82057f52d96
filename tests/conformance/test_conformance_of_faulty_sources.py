"""The suite catches sources that are not as SQS: each fault below is one that a fake in somebody's tests has had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import anyio
import pytest
import trio
import trio.testing

from forebay.errors import Fault
from forebay.queue.memory import MemorySource
from forebay.queue.port import Outgoing, Received, Source, Visibility
from forebay.testing.conformance import SCENARIOS, Scenario
from forebay.testing.conformance.memory import MemoryHarness


class _DeletesNothing(MemorySource):
    async def delete(self, receipts: Sequence[str]) -> Mapping[int, Fault]:
        return {}


class _FailsTheWholeBatch(MemorySource):
    async def delete(self, receipts: Sequence[str]) -> Mapping[int, Fault]:
        faults = await super().delete(receipts)
        return {index: next(iter(faults.values())) for index in range(len(receipts))} if faults else {}


class _IgnoresVisibility(MemorySource):
    async def receive(self, *, count_max: int, wait_s: float, visibility_s: int) -> Received:
        return await super().receive(count_max=count_max, wait_s=wait_s, visibility_s=0)


class _AddsToTheLeaseInsteadOfSettingIt(MemorySource):
    async def change_visibility(self, entries: Sequence[Visibility]) -> Mapping[int, Fault]:
        later = [Visibility(receipt, min(seconds + 30, 43_000) if seconds else 0) for receipt, seconds in entries]
        return await super().change_visibility(later)


class _NeverWaits(MemorySource):
    async def receive(self, *, count_max: int, wait_s: float, visibility_s: int) -> Received:
        return await super().receive(count_max=count_max, wait_s=0, visibility_s=visibility_s)


class _SleepsThroughItsPoll(MemorySource):
    async def receive(self, *, count_max: int, wait_s: float, visibility_s: int) -> Received:
        await anyio.sleep(wait_s)
        return await super().receive(count_max=count_max, wait_s=0, visibility_s=visibility_s)


class _ForgetsAttributes(MemorySource):
    async def receive(self, *, count_max: int, wait_s: float, visibility_s: int) -> Received:
        received = await super().receive(count_max=count_max, wait_s=wait_s, visibility_s=visibility_s)
        return received._replace(messages=[replace(message, attributes={}) for message in received.messages])


class _CountsNoReceives(MemorySource):
    async def receive(self, *, count_max: int, wait_s: float, visibility_s: int) -> Received:
        received = await super().receive(count_max=count_max, wait_s=wait_s, visibility_s=visibility_s)
        return received._replace(messages=[replace(message, receive_count=1) for message in received.messages])


class _ResendsAtOnce(MemorySource):
    async def resend(self, message: Outgoing) -> None:
        await super().resend(replace(message, delay_s=0))


class _ResendsWithoutAttributes(MemorySource):
    async def resend(self, message: Outgoing) -> None:
        await super().resend(replace(message, attributes={}))


FAULTY: tuple[type[MemorySource], ...] = (
    _DeletesNothing,
    _FailsTheWholeBatch,
    _IgnoresVisibility,
    _AddsToTheLeaseInsteadOfSettingIt,
    _NeverWaits,
    _SleepsThroughItsPoll,
    _ForgetsAttributes,
    _CountsNoReceives,
    _ResendsAtOnce,
    _ResendsWithoutAttributes,
)


class _FaultyHarness(MemoryHarness):
    kind: type[MemorySource] = MemorySource

    def source(self, key: str) -> Source:
        return self.kind(self.queues, key)


@pytest.mark.parametrize("kind", FAULTY)
def test_a_faulty_source_fails_the_suite(kind: type[MemorySource]) -> None:
    failed: list[str] = []

    for scenario in SCENARIOS:
        try:
            trio.run(_run, scenario, kind, clock=trio.testing.MockClock(autojump_threshold=0))
        except AssertionError:
            failed.append(scenario.__name__)

    assert failed


async def _run(scenario: Scenario, kind: type[MemorySource]) -> None:
    harness = _FaultyHarness()
    harness.kind = kind
    await scenario(harness)
