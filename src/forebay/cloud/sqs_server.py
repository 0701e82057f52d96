"""Amazon SQS on this machine: the rules of `rules.queue_semantics` behind the AWS JSON protocol, on loopback.

Rules kept here and nowhere else:

1. One event loop turns the rules; a request is carried out the moment it is complete, and a waiting poll is answered
   in the same turn as the send that serves it.
2. Any credentials and any signature will do. Denials and breakages are made on purpose only: `deny()` and `chaos`.
3. Every request is counted under its operation, whatever becomes of it.

In process: `async with SqsServer() as server`. From blocking code: `with SqsServer.in_thread() as running`. As a
process: `python -m forebay.cloud.sqs_server --queue jobs --data DIR`, which prints one line of JSON when it is ready.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from forebay.clock import Clock, SystemClock
from forebay.cloud.background import InThread
from forebay.cloud.chaos import UNHARMED, Chaos, Effect, Strike
from forebay.cloud.front_door import FrontDoor
from forebay.cloud.http import Exchange
from forebay.cloud.queue_metrics import QueueMetrics
from forebay.cloud.sqs_answers import write_answer
from forebay.cloud.sqs_control import answer_control
from forebay.cloud.sqs_counts import Counts, queue_figures
from forebay.cloud.sqs_journal import NoJournal, open_journal
from forebay.cloud.sqs_operations import Operations, read_params
from forebay.cloud.sqs_protocol import Json, dumps
from forebay.cloud.sqs_refusals import check_signing_time, refuse_denied, refuse_struck
from forebay.cloud.sqs_struck import call_struck
from forebay.cloud.timers import Timers
from forebay.rules.queue_semantics import QueueService, ServiceFailure, Waiter

SERVICE = "AmazonSQS"
CONTROLS = "/_forebay/"
_OPERATION_AT = len(SERVICE) + 1


class SqsServer:
    """The local SQS. Its queues live in memory, and in a folder if it is given one."""

    def __init__(
        self,
        *,
        port: int = 0,
        region: str = "us-east-1",
        account: str = "000000000000",
        seed: int = 0,
        clock: Clock | None = None,
        abandoned_polls_swallow: bool = False,
        time_lapse: float = 1.0,
        door: FrontDoor | None = None,
        data: Path | None = None,
    ) -> None:
        """`port=0` lets the system choose. `seed` sets every die: ids, samples, chaos. `time_lapse` shortens the minute
        of the queue metrics, and nothing else. `door` is an open one that is shared with other services; without it the
        server has one of its own, on `port`. `data` is where queues are kept; without it they end with the server.
        """
        self._clock = clock or SystemClock()
        rng = Random(seed)
        epoch_ms = int(self._clock.utc().timestamp() * 1000 - self._clock.now() * 1000)
        self.service = QueueService(region, account, rng, epoch_ms=epoch_ms)
        self.journal = NoJournal()
        """What keeps the queues, and says in `failure` why it cannot any more: then every request is dropped."""
        self._open_journal = partial(open_journal, data, self.service, rng, seed=seed, epoch_s=epoch_ms / 1000)
        self._stack = AsyncExitStack()
        self.chaos = Chaos(Random(seed + 1))
        self.counts = Counts()
        self.metrics = QueueMetrics(self.service, self._clock, time_lapse=time_lapse)
        self.abandoned_polls_swallow = abandoned_polls_swallow
        """A long poll whose client has left goes on waiting, and what it gets is hidden in vain, as on AWS."""
        self.denied: frozenset[str] = frozenset()
        self._operations = Operations(self.service)
        self._owns_door = door is None
        self.door = FrontDoor(port=port) if door is None else door
        """Other services may be registered here too: `server.door.serve(name, accept)`."""
        self._open_polls: dict[Waiter, Callable[[Json | ServiceFailure], None]] = {}
        self._timers = Timers(self._clock, self.turn)
        self._request_number = 0

    # ── life ───────────────────────────────────────────────────────────────────────────────────────────────

    async def __aenter__(self) -> SqsServer:
        async with AsyncExitStack() as stack:
            if self._owns_door:
                await stack.enter_async_context(self.door)
            self.journal = self._open_journal()
            stack.callback(self.journal.close)
            self._stack = stack.pop_all()
        self.door.serve(SERVICE, self.accept)
        self.door.serve_path(CONTROLS, self._control)
        self.service.registry.endpoint = self.door.endpoint_url
        self.turn()  # Sets the alarm: metrics are made whether anybody calls or not.
        return self

    async def __aexit__(self, *why: Any) -> None:
        self._timers.cancel()
        self.door.withdraw(SERVICE)
        self.door.withdraw_path(CONTROLS)
        await self._stack.__aexit__(*why)

    @classmethod
    def in_thread(cls, **options: Any) -> InThread[SqsServer]:
        """Return a context manager that runs a server on a loop of its own in a thread."""
        return InThread(lambda: cls(**options))

    @property
    def endpoint_url(self) -> str:
        """What `AWS_ENDPOINT_URL_SQS` is to be."""
        return self.door.endpoint_url

    url = endpoint_url

    @property
    def port(self) -> int:
        return self.door.port

    # ── for tests and tools in this process; on the server's own loop ──────────────────────────────────────

    def create_queue(self, name: str, **attributes: str) -> str:
        """Create a queue and return its URL."""
        url = self.service.create_queue(name, attributes, now=self._clock.now())
        self.journal.commit()
        return url

    def ensure_queue(self, name: str, **attributes: str) -> str:
        """Return the URL of the queue of this name, as it was kept, or create it."""
        registry = self.service.registry
        return registry.url(name) if name in registry.by_name else self.create_queue(name, **attributes)

    def end_polls(self) -> None:
        """Answer every open long poll with nothing, now: whoever waits may leave. Later polls wait as ever."""
        for queue in self.service.registry.by_name.values():
            queue.end_waiters()
        self._hand_out()

    def deny(self, *actions: str) -> None:
        """Answer these actions (and their batch forms) with AccessDenied from now on; replaces the earlier set."""
        self.denied = frozenset(actions)

    @property
    def clock_ahead_s(self) -> float:
        """How far the service's wall clock is ahead of the machine's. Signing times are checked when it is not 0."""
        return self.door.clock_ahead_s

    @clock_ahead_s.setter
    def clock_ahead_s(self, seconds: float) -> None:
        self.door.clock_ahead_s = seconds

    def stats(self) -> Json:
        """What has been asked of the server so far, and what it holds now."""
        now = self._clock.now()
        return {
            **self.counts.shown(),
            "polls_open": len(self._open_polls),
            "queues": {url: queue_figures(self.service, url, now) for url in self.service.registry.list_urls()[0]},
        }

    # ── a request ──────────────────────────────────────────────────────────────────────────────────────────

    def accept(self, exchange: Exchange) -> None:
        """Take over a request whose target is of this service."""
        operation = exchange.headers["x-amz-target"][_OPERATION_AT:]
        self.counts.requests[operation or "unknown"] += 1
        strike = self.chaos.strike(operation)
        if strike is UNHARMED:
            self._carry_out(exchange, operation, strike)
        elif strike.effect is Effect.DROP_BEFORE:
            self._timers.later(strike.delay_before_s + strike.delay_s, exchange.drop)
        elif strike.effect is not Effect.BLACK_HOLE:
            self._timers.later(strike.delay_before_s, lambda: self._carry_out(exchange, operation, strike))

    def _carry_out(self, exchange: Exchange, operation: str, strike: Strike) -> None:
        """Give the request to the rules, unless it is to fail, and answer at once or when the poll has ended."""

        def answer(result: Json | ServiceFailure) -> None:
            self._timers.later(strike.delay_s, lambda: self._answer(exchange, operation, result, strike))

        if exchange.is_gone:
            return  # A late request whose client left meanwhile never arrived.
        now = self._clock.now()
        try:
            params = read_params(exchange.body)
            self.metrics.touch(params.get("QueueUrl") or params.get("QueueName"), now)
            refuse_denied(operation, self.denied, strike, self.service.region)
            if self.clock_ahead_s:
                there = self._clock.utc() + timedelta(seconds=self.clock_ahead_s)
                check_signing_time(exchange.headers.get("x-amz-date", ""), there)
            refuse_struck(strike)
            result = call_struck(self._operations, operation, params, strike, self.chaos.rng, now)
        except ServiceFailure as failure:
            answer(failure)
        else:
            if isinstance(result, Waiter):
                self._open_polls[result] = answer
                exchange.on_gone = lambda: self._poll_left(result)
            else:
                answer(result)
        self._hand_out()

    def _control(self, exchange: Exchange) -> None:
        status, shown = answer_control(self, exchange.method, exchange.path, exchange.query, exchange.body)
        exchange.answer(status, dumps(shown), content_type="application/json")
        self._hand_out()

    def _answer(self, exchange: Exchange, operation: str, result: Json | ServiceFailure, strike: Strike) -> None:
        self._request_number += 1
        if strike.effect is not Effect.DROP_AFTER:
            if isinstance(result, ServiceFailure):
                self.counts.refusals[result.legacy_code] += 1
            else:
                self.counts.note(operation, result, self._clock.now())
        self.journal.hold(exchange, partial(write_answer, exchange, result, strike, self._request_number))

    def _poll_left(self, waiter: Waiter) -> None:
        """The client of an open long poll has gone."""
        self._open_polls.pop(waiter, None)  # Absent when it has ended and its answer is being held back.
        self.service.cancel(waiter, swallow=self.abandoned_polls_swallow)

    # ── time ───────────────────────────────────────────────────────────────────────────────────────────────

    def _hand_out(self) -> None:
        """Answer the polls that have ended, and see that the next event is not missed."""
        for waiter in self.service.take_answered():
            answer = self._open_polls.pop(waiter, None)
            if answer is not None:
                answer(waiter.failure or self._operations.received(waiter))
        self._timers.alarm_by(self.service.due_at)
        self.journal.soon()

    def turn(self) -> None:
        """Let everything happen that is due by the clock. The alarm's task, and that of who moves the clock by hand."""
        self.service.advance(self._clock.now())
        self.service.next_event_at()  # Bounds are looked at anew, so that stale ones do not wake us again.
        self._hand_out()


if __name__ == "__main__":
    import sys

    from forebay.cloud.sqs_process import main

    sys.exit(main(sys.argv[1:]))
