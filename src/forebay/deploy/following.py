"""Follows an operation of CloudFormation from its beginning to its end, and shows what happens as it happens.

Rules kept here and nowhere else:

1. The operation goes on without us: whatever ends the following, it ends nothing else.
2. Throttled or out of reach, we ask more slowly and go on; after `OUTAGE_MAX_S` without an answer we leave, and say how
   to come back.
3. An operation has ended when the stack's state says so and its events do. Right after the start the state may still
   be the old one; events that do not come are waited for `QUIET_MAX_S` and no longer.
4. Time and pauses come from outside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from botocore.exceptions import BotoCoreError, ClientError

from forebay.clock import Clock
from forebay.deploy.progress import Failure, Progress, Row
from forebay.deploy.rollout import Rollout
from forebay.deploy.services import ServiceWatch
from forebay.deploy.stack_values import StackState
from forebay.deploy.stacks import Stacks
from forebay.deploy.trouble import is_failure, is_throttled, told
from forebay.errors import DeployError

LOOK_S = 2.0
SLOWEST_LOOK_S = 20.0
OUTAGE_MAX_S = 300.0
QUIET_MAX_S = 60.0


@dataclass(frozen=True, slots=True)
class Picture:
    """One look: the whole as it stands, and what is new since the last one."""

    at_utc: datetime
    stack: Row
    rows: tuple[Row, ...]
    rollout: Rollout
    changed: tuple[Row, ...] = ()
    failures: tuple[Failure, ...] = ()
    note: str = ""
    """Something about the following itself."""


class Screen(Protocol):
    """Where pictures are shown."""

    def show(self, picture: Picture) -> None: ...


class Follower:
    """Follows one operation on one stack."""

    def __init__(
        self, stacks: Stacks, service: ServiceWatch | None, progress: Progress, *,
        clock: Clock, pause: Callable[[float], None], screen: Screen, again: str = "forebay deploy",
    ) -> None:  # fmt: skip
        self._stacks = stacks
        self._service = service
        self._progress = progress
        self._clock = clock
        self._pause = pause
        self._screen = screen
        self._again = again
        """The command that comes back to the operation."""
        self._mark: str | None = None
        self._rollout = Rollout()
        self._has_told_refusal = False

    def follow(self, stack_id: str, *, since: str | None) -> StackState:
        """Show what happens after the event `since` until the operation has ended; return the stack as it is then.

        Raises `DeployError` when AWS cannot be asked for `OUTAGE_MAX_S`, or refuses to tell.
        """
        self._mark = since
        look_s, answered_at = LOOK_S, self._clock.now()
        busy_at = answered_at
        while True:
            try:
                state = self._look(stack_id)
            except (ClientError, BotoCoreError) as error:
                if not _may_pass(error) or self._clock.now() - answered_at > OUTAGE_MAX_S:
                    raise self._lost(error) from error
                look_s = min(look_s * 2, SLOWEST_LOOK_S)
                self._draw(note=f"asking again in {look_s:.0f} s: AWS does not answer, or wants fewer requests")
            else:
                look_s, answered_at = LOOK_S, self._clock.now()
                busy_at = answered_at if state.is_busy else busy_at
                if not state.is_busy and (self._has_ended(state) or answered_at - busy_at > QUIET_MAX_S):
                    return state
            self._pause(look_s)

    def _look(self, stack_id: str) -> StackState:
        # The state first: when it is an end, the events that are read after it are all there will be.
        state = self._stacks.state(stack_id)
        if state is None:
            raise DeployError("the stack is gone while it was worked on: somebody else has deleted it")
        events = self._stacks.events(stack_id, since=self._mark)
        if events:
            self._mark = events[-1].event_id
        changed, failures = self._progress.take(events)
        note = ""
        # AWS's own clock says since when: this machine's may differ from it.
        began_utc = self._progress.stack.started_utc
        if self._service is not None and began_utc is not None:
            self._rollout = self._service.look(since_utc=began_utc)
            if self._service.refusal is not None and not self._has_told_refusal:
                note, self._has_told_refusal = self._service.refusal, True
        self._draw(tuple(changed), tuple(failures), note)
        return state

    def _has_ended(self, state: StackState) -> bool:
        return self._progress.stack.status == state.status

    def _lost(self, error: ClientError | BotoCoreError) -> DeployError:
        sentence = told(error, doing="following the stack")
        return DeployError(f"{sentence}. The work goes on in AWS; `{self._again}` comes back to it")

    def _draw(self, changed: tuple[Row, ...] = (), failures: tuple[Failure, ...] = (), note: str = "") -> None:
        progress = self._progress
        self._screen.show(
            Picture(self._clock.utc(), progress.stack, progress.rows, self._rollout, changed, failures, note)
        )


def _may_pass(error: ClientError | BotoCoreError) -> bool:
    if isinstance(error, BotoCoreError):
        return True
    return is_throttled(error) or is_failure(error)
