"""One call to SQS from end to end: located, signed, sent, understood, and mended where the service says how.

Rules kept here and nowhere else:

1. Long polls and all other calls have connections of their own: forty polls can never starve a heartbeat.
2. A call is repeated here for two reasons only, each at most once: the service calls the credentials expired, or
   the clocks differ. All other repetition is the caller's, who knows what is at stake.
3. Where to call and as whom is found out at the first call, never at construction.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple, cast

from forebay.clock import Clock, SystemClock
from forebay.errors import Fault, FaultKind, QueueError
from forebay.queue import faults
from forebay.queue.attributes import Json
from forebay.queue.codec import decode
from forebay.queue.connect import TransportFactory, connect
from forebay.queue.keyring import Keyring, Notify, ignore, outcome_of
from forebay.queue.resolve import ClientConfig, Location, Resolver
from forebay.queue.service_clock import ServiceClock, parse_date
from forebay.queue.shapes import malformed
from forebay.queue.signing import Credentials, Signer
from forebay.queue.transport import Answer

POLLS_MAX = 256
"""Long polls open at once. Far above what one worker's slots call for."""

CALLS_MAX = 64
"""Other calls open at once: at 10 ms each, 64,000 messages settled or renewed a second."""

SKEW_MIN_S = 240.0
"""A wrong signature is blamed on the clocks only when they differ by more. SigV4 allows 5 min."""

_CHUNK_BYTES = 65_536
"""SQS bills each started 64 KiB of a payload as one request (facts/sqs.md section 2)."""


class Called(NamedTuple):
    """What a successful call brought."""

    answer: Json
    first_byte_at: float


class Tally:
    """What this client has asked of SQS so far."""

    __slots__ = ("billed", "requests")

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        """Requests sent, by operation, refused ones included."""
        self.billed = 0
        """Requests as SQS bills them: one for each started 64 KiB."""


class _Line:
    """The way to the service, once it is known."""

    __slots__ = ("calls", "polls", "signer")

    def __init__(self, location: Location, make: TransportFactory) -> None:
        self.signer = Signer(location.endpoint, location.region)
        self.polls = make(location, POLLS_MAX)
        self.calls = make(location, CALLS_MAX)


class Caller:
    """Calls the operations of SQS for one queue's Region. Used on one event loop only."""

    def __init__(
        self,
        queue_url: str,
        resolver: Resolver,
        *,
        make_transport: TransportFactory = connect,
        clock: Clock | None = None,
        wall: Callable[[], float] = time.time,
        notify: Notify = ignore,
    ) -> None:
        self._queue_url = queue_url
        self._resolver = resolver
        self._clock = clock if clock is not None else SystemClock()
        self._wall = wall
        self._notify = notify
        self._make_transport = make_transport
        self._keyring = Keyring(resolver.credential_source(), clock=self._clock, notify=notify)
        self._line: _Line | None = None
        self._locating: asyncio.Task[_Line] | None = None
        self._is_closed = False
        self.service_clock = ServiceClock()
        self.tally = Tally()

    @classmethod
    def from_config(cls, queue_url: str, config: ClientConfig, *, notify: Notify = ignore) -> Caller:
        return cls(queue_url, Resolver(config), notify=notify)

    @property
    def utc_s(self) -> float:
        """The service's wall clock, in seconds of the Unix epoch, as far as its answers have told."""
        return self._wall() + self.service_clock.offset_s

    async def call(
        self, operation: str, body: bytes, *, timeout_s: float, is_poll: bool = False, is_repeatable: bool = True
    ) -> Called:
        """Call `operation` with the JSON `body` and return its answer. Raises `QueueError`, and nothing else."""
        try:
            return await self._call(operation, body, timeout_s, is_poll, is_repeatable)
        except QueueError as error:
            if error.operation:
                raise
            raise QueueError(error.fault, operation=operation) from error

    async def aclose(self) -> None:
        """Close every connection. Calls still open end with an error."""
        self._is_closed = True
        self._keyring.close()
        if self._locating is not None:
            self._locating.cancel()
        if self._line is not None:
            await self._line.polls.aclose()
            await self._line.calls.aclose()

    async def _call(self, operation: str, body: bytes, timeout_s: float, is_poll: bool, is_repeatable: bool) -> Called:
        line = self._line if self._line is not None else await self._located()
        deadline_at = self._clock.now() + timeout_s
        transport = line.polls if is_poll else line.calls
        credentials = self._keyring.at_hand() or await self._keyring.get()
        may_refresh, may_correct = True, True
        while True:
            utc_s = self._wall()
            headers = line.signer.headers(operation, body, credentials, utc_s=utc_s)
            self.tally.requests[operation] += 1
            chunks = _chunks(body)
            self.tally.billed += chunks  # Answered or not.
            answer = await transport.request(
                body, headers, timeout_s=max(0.001, deadline_at - self._clock.now()), is_repeatable=is_repeatable
            )
            self.tally.billed += max(0, _chunks(answer.body) - chunks)
            self.service_clock.observe(answer.headers.get("date"), utc_s=self._wall())
            if answer.status == 200:
                return Called(_read_object(answer.body), answer.first_byte_at)
            fault = read_fault(answer)
            if may_correct and self._is_corrected(line.signer, fault, answer, utc_s):
                may_correct = False
            elif may_refresh and fault.code in faults.EXPIRED_WORDS:
                credentials = await self._renewed(credentials, fault)
                may_refresh = False
            else:
                raise QueueError(fault)

    async def _renewed(self, rejected: Credentials, fault: Fault) -> Credentials:
        renewed = await self._keyring.replace(rejected)
        if renewed is None:
            raise QueueError(fault)
        return renewed

    def _is_corrected(self, signer: Signer, fault: Fault, answer: Answer, utc_s: float) -> bool:
        """Set the signer's clock by the service's if that is what the fault is about."""
        if fault.code not in faults.SKEW_WORDS and fault.code not in faults.SIGNATURE_WORDS:
            return False
        service_s = parse_date(answer.headers.get("date", ""))
        if service_s is None:
            return False
        skew_s = service_s - utc_s
        off_by_s = abs(skew_s - signer.skew_s)
        if fault.code not in faults.SKEW_WORDS and off_by_s < SKEW_MIN_S:
            return False
        if off_by_s < 1.0:  # signed by this very clock already
            return False
        signer.skew_s = skew_s
        self._notify("clock.corrected", {"skew_s": round(skew_s, 1)})
        return True

    async def _located(self) -> _Line:
        if self._is_closed:
            raise QueueError(Fault(FaultKind.UNAVAILABLE, "Closed", "this client has been closed"))
        if self._locating is None:
            self._locating = asyncio.get_running_loop().create_task(self._locate(), name="forebay endpoint")
        task = self._locating
        try:
            return await outcome_of(task)
        finally:
            if task.done() and self._locating is task:
                self._locating = None  # a failure is not kept: the next call asks again

    async def _locate(self) -> _Line:
        location = await asyncio.to_thread(self._resolver.locate, self._queue_url)
        self._line = _Line(location, self._make_transport)
        return self._line


def _chunks(content: bytes) -> int:
    return math.ceil(max(1, len(content)) / _CHUNK_BYTES)


def read_fault(answer: Answer) -> Fault:
    """Return what an answer other than 200 means."""
    shape, message = answer.headers.get("x-amzn-errortype", ""), ""
    try:
        fields = _read_object(answer.body)
    except QueueError:
        fields = {}  # a proxy's or load balancer's page: its status must do
    if fields:
        shape = str(fields.get("__type") or fields.get("code") or shape)
        message = str(fields.get("message") or fields.get("Message") or "")
    query_code = answer.headers.get("x-amzn-query-error", "").partition(";")[0]
    return faults.classify(answer.status, (shape, query_code), message)


def _read_object(body: bytes) -> Json:
    if not body:
        return {}
    try:
        value = decode(body)
    except ValueError as error:
        raise malformed("it is not JSON") from error
    if not isinstance(value, dict):
        raise malformed("it is not a JSON object")
    return cast("Json", value)
