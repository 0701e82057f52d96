"""The calls that a simulated worker makes to the service: what it asks, and which fact answers it.

Rules kept here and nowhere else:

1. Every call is answered by exactly the fact that a driver would put into its inbox.
2. A poll that is left, by a worker that abandons it or dies, is cancelled at the service only half of the time; else
   its messages are hidden and reach nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import TYPE_CHECKING

from forebay.errors import Fault
from forebay.model import Message
from forebay.queue.port import Counts, Description
from forebay.rules.queue_semantics import Waiter
from forebay.testing.world_service import Fate
from forebay.worker.batching import Batch
from forebay.worker.leases import NETWORK_DELAY_MAX_S
from forebay.worker.vocabulary import (
    AbandonPolls,
    Buried,
    Bury,
    Count,
    Counted,
    Deleted,
    Described,
    MessagesReceived,
    Receive,
    ReceiveFailed,
    Released,
    Renewed,
    Resend,
    Resent,
)

if TYPE_CHECKING:
    from forebay.testing.world import World
    from forebay.testing.world_process import Process

PROBE_PATIENCE_S = 2.0
"""As in `worker.polls`: how much longer than its wait a probe may take."""


class Calls:
    """What one worker has under way."""

    def __init__(self, world: World, process: Process, rng: Random) -> None:
        self._world = world
        self._process = process
        self._rng = rng
        self._waiters: dict[tuple[str, int], Waiter] = {}

    def leave_all(self) -> None:
        """The process is gone."""
        for key in list(self._waiters):
            self._leave_poll(key)

    def receive(self, command: Receive) -> None:
        world, key = self._world, (command.source, command.poll)
        asked_at = world.time.now

        def serve(respond: Callable[[list[Message]], None]) -> None:
            def answered(messages: list[Message]) -> None:
                self._waiters.pop(key, None)
                respond(messages)

            waiter = world.service.receive(
                command.source,
                count_max=command.count_max,
                wait_s=command.wait_s,
                visibility_s=command.visibility_s,
                answered=answered,
            )
            if waiter is not None and self._process.is_alive:
                self._waiters[key] = waiter

        def reply(result: list[Message] | Fault) -> None:
            if not self._process.witness.polls.is_open(*key):
                return
            if isinstance(result, Fault):
                self._process.hear(ReceiveFailed(*key, result))
            else:
                self._process.hear(MessagesReceived(*key, result, asked_at, world.time.now, self._queue_wait_s(result)))

        world.network.call(
            serve,
            reply,
            wait_s=command.wait_s,
            timeout_s=command.wait_s + PROBE_PATIENCE_S if command.is_probe else None,
            answer_delay_max_s=min(NETWORK_DELAY_MAX_S, command.visibility_s / 6),
        )

    def _queue_wait_s(self, messages: Sequence[Message]) -> float:
        now_ms = 1000 * (self._world.time.now + self._world.network.wrong_by_s())
        waits = [now_ms - (message.sent_at_ms or 0) for message in messages if message.receive_count == 1]
        return max(0.0, max(waits, default=0.0) / 1000)

    def abandon(self, command: AbandonPolls) -> None:
        for key in [key for key in self._waiters if key[0] == command.source]:
            self._leave_poll(key)

    def _leave_poll(self, key: tuple[str, int]) -> None:
        """Half of the time the service notices; else the poll's messages are hidden, and reach nobody."""
        waiter = self._waiters.pop(key)
        if self._rng.random() < 0.5:
            self._world.service.cancel(waiter)

    def send_batch(self, batch: Batch) -> None:
        world, (kind, url, entries) = self._world, batch
        asked_at = world.time.now

        def serve(respond: Callable[[Fate], None]) -> None:
            perform = world.service.delete if kind == "delete" else world.service.change
            respond(perform(url, entries, world.network.entry_fault))

        def reply(result: Fate | Fault) -> None:
            failed = dict.fromkeys((entry.number for entry in entries), result) if isinstance(result, Fault) else result
            if kind == "delete":
                self._process.hear(Deleted(entries, failed))
            elif kind == "renew":
                self._process.hear(Renewed(entries, asked_at, failed))
            else:
                self._process.hear(Released(entries, failed))

        world.network.call(serve, reply)

    def bury(self, command: Bury) -> None:
        def serve(respond: Callable[[None], None]) -> None:
            self._world.service.bury(command.message)
            respond(None)

        def reply(result: Fault | None) -> None:
            self._process.hear(Buried(command.number, result))

        self._world.network.call(serve, reply)

    def resend(self, command: Resend) -> None:
        origin = self._process.executor.codes[command.number].known

        def serve(respond: Callable[[None], None]) -> None:
            self._world.service.resend(command.source, command.message, origin)
            respond(None)

        def reply(result: Fault | None) -> None:
            self._process.hear(Resent(command.number, result))

        self._world.network.call(serve, reply)

    def count(self, command: Count) -> None:
        def reply(result: Counts | Fault) -> None:
            if isinstance(result, Fault):
                self._process.hear(Counted(command.source, None, result))
            else:
                self._process.hear(Counted(command.source, result))

        self._world.network.call(lambda respond: respond(self._world.service.count(command.source)), reply)

    def describe(self, url: str, pause_s: float = 0.2) -> None:
        """Ask until there is an answer; a failure is a failed poll, as in the driver."""

        def reply(result: Description | Fault) -> None:
            if isinstance(result, Fault):
                self._process.hear(ReceiveFailed(url, 0, result))
                self._world.time.after(pause_s, lambda: self.describe(url, min(2 * pause_s, 3.0)))
            else:
                self._process.hear(Described(url, result))

        if self._process.is_alive and not self._process.is_stopping:
            self._world.network.call(lambda respond: respond(self._world.service.describe(url)), reply)
