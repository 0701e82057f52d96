"""The network between a simulated worker and the service: what becomes of each call on its way there and back.

Rules kept here and nowhere else:

1. Every call is answered to its caller exactly once: by the service, or by the caller's own time-out.
2. A call whose caller has given up may still arrive and be carried out.
3. A receive's answer is under way no longer than the leases allow for (`leases.NETWORK_DELAY_MAX_S`): beyond that a
   real transport's stamp would be late as well, and no worker could know.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import TYPE_CHECKING, TypeVar

from forebay.errors import Fault, FaultKind
from forebay.queue.faults import classify
from forebay.rules.queue_errors import ServiceFailure
from forebay.testing.world_plan import Faults, WindowKind

if TYPE_CHECKING:
    from forebay.testing.world_time import Time

T = TypeVar("T")
Serve = Callable[[Callable[[T], None]], None]
"""Carries a call out at the service, and answers through the callback: at once, or later (a long poll)."""

NO_ANSWER = Fault(FaultKind.NO_ANSWER, "NoAnswer")
UNAVAILABLE = Fault(FaultKind.UNAVAILABLE, "ServiceUnavailable")
THROTTLED = Fault(FaultKind.THROTTLED, "RequestThrottled")
DENIED = Fault(FaultKind.DENIED, "AccessDenied")
CREDENTIALS = Fault(FaultKind.CREDENTIALS, "ExpiredToken")

_WINDOW_FAULTS: dict[WindowKind, Fault] = {
    "unavailable": UNAVAILABLE,
    "throttled": THROTTLED,
    "denied": DENIED,
    "credentials": CREDENTIALS,
}

LATENCY_S = 0.01


class Network:
    """The way to the service and back."""

    def __init__(self, time: Time, faults: Faults, rng: Random) -> None:
        self._time = time
        self._faults = faults
        self._rng = rng
        self._refusals = (THROTTLED, UNAVAILABLE, UNAVAILABLE, Fault(FaultKind.THROTTLED, "KmsThrottled"))

    def calm(self) -> None:
        """From now on nothing goes wrong."""
        self._faults = Faults(timeout_s=self._faults.timeout_s)

    def call(
        self,
        serve: Serve[T],
        reply: Callable[[T | Fault], None],
        *,
        wait_s: float = 0.0,
        timeout_s: float | None = None,
        answer_delay_max_s: float | None = None,
    ) -> None:
        """Make a call. `wait_s` is how long the service may take; `timeout_s` cuts the caller's patience short."""
        faults, rng, time = self._faults, self._rng, self._time
        patience_s = (faults.timeout_s + wait_s) if timeout_s is None else timeout_s
        is_answered = False

        def answer(result: T | Fault) -> None:
            nonlocal is_answered
            if not is_answered:
                is_answered = True
                reply(result)

        way_there_s = self._latency_s(faults)
        way_back_s = self._latency_s(faults)
        if answer_delay_max_s is not None:
            way_back_s = min(way_back_s, 0.9 * answer_delay_max_s)
        window = self._window(time.now)
        gives_up_s = patience_s
        is_lost = window == "black_hole" or rng.random() < faults.lose_request
        if not is_lost and faults.arrive_late and rng.random() < faults.arrive_late:
            gives_up_s = rng.uniform(0.01, patience_s)  # Cut off, or out of patience; the request is still on its way.
            way_there_s = gives_up_s + rng.uniform(0.0, 2 * faults.timeout_s)
        loses_answer = bool(faults.lose_answer) and rng.random() < faults.lose_answer
        if (loses_answer or is_lost) and rng.random() < 0.5:
            gives_up_s = rng.uniform(way_there_s, patience_s) if way_there_s < patience_s else patience_s
        time.after(gives_up_s, lambda: answer(NO_ANSWER))
        if not is_lost:
            refusal = self._refusal(window)
            breaks = refusal is None and bool(faults.break_after) and rng.random() < faults.break_after

            def served(result: T) -> None:
                if not loses_answer and self._window(time.now) != "black_hole":
                    time.after(way_back_s, lambda: answer(UNAVAILABLE if breaks else result))

            def arrive() -> None:
                if refusal is not None:
                    time.after(way_back_s, partial(answer, refusal))
                    return
                try:
                    serve(served)
                except ServiceFailure as failure:
                    fault = classify(failure.http_status, (failure.shape, failure.legacy_code), failure.message)
                    time.after(way_back_s, lambda: answer(fault))

            time.after(way_there_s, arrive)

    def entry_fault(self) -> Fault | None:
        """Whether one entry of a batch fails alone, and how."""
        if self._faults.fail_entry and self._rng.random() < self._faults.fail_entry:
            return self._rng.choice(self._refusals)
        return None

    def wrong_by_s(self) -> float:
        """How wrong a reading of the wall clock is at the moment."""
        step_s = self._faults.clock_step_s
        return self._rng.uniform(-step_s, step_s) if step_s else 0.0

    def stall_s(self) -> float:
        """How long the control loop stands still now. Mostly 0."""
        faults = self._faults
        if faults.stall and self._rng.random() < faults.stall:
            return self._rng.uniform(0.0, faults.stall_max_s)
        return 0.0

    def _latency_s(self, faults: Faults) -> float:
        rng = self._rng
        if faults.be_slow and rng.random() < faults.be_slow:
            return rng.uniform(0.0, faults.timeout_s)
        return LATENCY_S * rng.random()

    def _window(self, now: float) -> WindowKind | None:
        for window in self._faults.windows:
            if window.from_at <= now < window.until_at:
                return window.kind
        return None

    def _refusal(self, window: WindowKind | None) -> Fault | None:
        if window is not None:
            return _WINDOW_FAULTS[window]
        if self._faults.refuse and self._rng.random() < self._faults.refuse:
            return self._rng.choice(self._refusals)
        return None
