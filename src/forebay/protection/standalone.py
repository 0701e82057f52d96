"""Task protection for any asyncio or trio program: `async with TaskProtection() as p: async with p.hold(): …`.

Rules kept here and nowhere else:

1. Holds are counted: the task is protected while any block is inside `hold`, and lets go when the last has left and
   the linger is over. Blocks never wait for a let-go.
2. One task writes to ECS, by the same policy as the worker's engine; blocks only say what they want.
3. Outside ECS it says so once and carries on; `strict=True` turns that, and every refusal, into a `ProtectionError`.
4. This face has no command line behind it; so it alone reads `ECS_AGENT_URI` from the environment.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from random import Random
from types import TracebackType

import anyio

from forebay.clock import Clock
from forebay.errors import ProtectionError
from forebay.protection.article import ArticleSettings
from forebay.protection.ecs import AGENT_URI_VARIABLE, EcsProtection
from forebay.protection.policy import Action, HoldFor, LetGo, Look, Policy, Tuning
from forebay.protection.port import Held, Protection, ProtectionAnswer, Refused, Unheld
from forebay.protection.telling import ABSENCE, Listener, tell, warn_of_absence

UNLIMITED_S = 10.0 * 365 * 86_400
"""A hold without a limit: it is renewed for as long as the block lasts."""

CLOSING_S = 6.0
"""At most so long does leaving `TaskProtection` wait for the last let-go."""

MARGIN_S = 5.0


class LoopClock:
    """The running event loop's time, which a test's loop may turn by hand."""

    def now(self) -> float:
        return anyio.current_time()

    def utc(self) -> datetime:
        return datetime.now(UTC)


class TaskProtection:
    """Keeps ECS from scaling this task in while blocks of code ask for it."""

    def __init__(
        self,
        *,
        agent_uri: str | None = None,
        strict: bool = False,
        linger_s: float = 10.0,
        tuning: Tuning | None = None,
        on_event: Listener | None = None,
        protection: Protection | None = None,
        clock: Clock | None = None,
        rng: Random | None = None,
    ) -> None:
        """Get ready; nothing is called before `async with`.

        `agent_uri` stands in for `ECS_AGENT_URI`. `protection` is for tests and for agents of another kind.
        `on_event` is called on the event loop and must not block. Raises `SettingsError` on a malformed address.
        """
        self._clock = clock if clock is not None else LoopClock()
        uri = agent_uri if agent_uri is not None else os.environ.get(AGENT_URI_VARIABLE, "")
        if protection is None and uri:
            protection = EcsProtection(uri, clock=self._clock)
        self._protection = protection
        self._strict = strict
        self._on_event = on_event
        self._policy = Policy(
            mode="auto",
            linger_s=linger_s,
            margin_s=MARGIN_S,
            rng=rng if rng is not None else Random(),
            is_available=protection is not None,
            tuning=tuning if tuning is not None else Tuning(),
        )
        self._wanted: dict[object, float] = {}
        self._changed: anyio.Event | None = None
        self._reason: str | None = None
        self._is_closing = False
        self._stack = AsyncExitStack()

    @classmethod
    def from_article_settings(
        cls,
        settings: ArticleSettings | None = None,
        *,
        agent_uri: str | None = None,
        strict: bool = False,
        on_event: Listener | None = None,
        protection: Protection | None = None,
    ) -> TaskProtection:
        """Return a `TaskProtection` that behaves by the settings of the article's ProtectionManager."""
        settings = settings if settings is not None else ArticleSettings()
        return cls(
            agent_uri=agent_uri,
            strict=strict,
            linger_s=settings.linger_s,
            tuning=settings.tuning,
            on_event=on_event,
            protection=protection,
        )

    @property
    def is_available(self) -> bool:
        """False outside ECS: nothing is protected then, and nothing is called."""
        return self._protection is not None

    @property
    def is_protected(self) -> bool:
        """Whether ECS spares this task right now, as far as is known."""
        return self._changed is not None and self._policy.is_held(self._clock.now())

    @property
    def reason(self) -> str | None:
        """Why protection was last refused, in ECS's words; None when it was not."""
        return self._reason

    def stop(self) -> None:
        """Make no further call: for a SIGTERM handler on the loop. ECS has chosen this task; no call undoes that."""
        self._policy.stop()
        self._announce()

    async def __aenter__(self) -> TaskProtection:
        assert self._changed is None, "a TaskProtection is entered once"
        if self._protection is None:
            if self._strict:
                raise ProtectionError(ABSENCE)
            warn_of_absence()
        self._changed = anyio.Event()
        if self._protection is not None:
            tasks = await self._stack.enter_async_context(anyio.create_task_group())
            tasks.start_soon(self._write, self._protection)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._is_closing = True
        self._announce()
        # The block's own exception stays out of the task group, which would wrap it in a group.
        await self._stack.aclose()

    @asynccontextmanager
    async def hold(self, *, limit_s: float | None = None, patience_s: float = 0.0) -> AsyncGenerator[bool, None]:
        """Protect the task for as long as the block lasts; yields whether it is protected when the block starts.

        `limit_s` is the longest that the block may take: a hold of that length is asked for once; without it a hold is
        renewed until the block ends. After a refusal that may pass, waits up to `patience_s` for a better answer.
        Raises `ProtectionError` before the block when `strict` and not protected.
        """
        assert limit_s is None or limit_s > 0, limit_s
        assert self._changed is not None, "enter the TaskProtection first: async with TaskProtection() as p"
        started_at = self._clock.now()
        token, until_at = object(), started_at + (UNLIMITED_S if limit_s is None else limit_s)
        self._wanted[token] = until_at
        self._announce()
        try:
            is_covered = await self._settle(until_at, patience_until=started_at + patience_s)
            if is_covered:
                self._policy.job_started(self._clock.now())
            elif self._strict:
                raise ProtectionError(f"ECS does not protect this task: {self._reason or 'it is being stopped'}")
            yield is_covered
        finally:
            del self._wanted[token]
            self._announce()

    async def _settle(self, until_at: float, *, patience_until: float) -> bool:
        """Wait until work up to `until_at` is covered, or is not going to be."""
        while not self._policy.covers(until_at, now=self._clock.now()):
            if self._protection is None or self._is_closing or self._policy.is_stopped:
                return False
            is_paused = self._policy.is_paused
            if self._policy.is_unprotected_for_good or (is_paused and self._clock.now() >= patience_until):
                return False
            await self._news(until_at=patience_until if is_paused else None)
        return True

    # ── the one writer ─────────────────────────────────────────────────────────────────────────────────────

    async def _write(self, protection: Protection) -> None:
        """Make the policy's calls until closing; then let go, if that is still ours to do."""
        try:
            while not self._is_closing:
                action = self._next()
                if action is None:
                    await self._news(until_at=self._policy.wake_at)
                    continue
                # An answer is waited for even while closing: a call that is cut off leaves the state unknown.
                with anyio.CancelScope(shield=True):
                    self._take(await _perform(protection, action))
        finally:
            await self._let_go(protection)

    def _next(self) -> Action | None:
        now = self._clock.now()
        self._policy.want(max(self._wanted.values(), default=None), now=now)
        return self._policy.next(now=now)

    def _take(self, answer: ProtectionAnswer) -> None:
        if isinstance(answer, Refused):
            self._reason = f"{answer.reason}: {answer.detail}" if answer.detail else answer.reason
        elif isinstance(answer, Held):
            self._reason = None
        told = self._policy.answered(answer, now=self._clock.now())
        self._announce()
        for event, fields in told:
            tell(event, fields, self._on_event)

    async def _let_go(self, protection: Protection) -> None:
        if self._policy.is_stopped or not self._policy.is_held(self._clock.now()):
            return
        with anyio.move_on_after(CLOSING_S, shield=True):
            if isinstance(await protection.unhold(), Unheld):
                tell("protection.released", {}, self._on_event)

    async def _news(self, *, until_at: float | None) -> None:
        """Wait for a change, at most until `until_at`."""
        assert self._changed is not None
        left_s = None if until_at is None else max(0.0, until_at - self._clock.now())
        with anyio.move_on_after(left_s):
            await self._changed.wait()

    def _announce(self) -> None:
        """Wake everybody who waits for a change."""
        if self._changed is not None:
            self._changed.set()
            self._changed = anyio.Event()


async def _perform(protection: Protection, action: Action) -> ProtectionAnswer:
    match action:
        case HoldFor(minutes=minutes):
            return await protection.hold(minutes=minutes)
        case LetGo():
            return await protection.unhold()
        case Look():
            return await protection.look()
