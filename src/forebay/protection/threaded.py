"""Task protection for programs of threads: `with SyncTaskProtection() as p: with p.hold(): …`.

An event loop in a thread of its own does what `TaskProtection` does; any number of threads may hold at once.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from types import TracebackType

from anyio.from_thread import BlockingPortal, start_blocking_portal

from forebay.protection.actions import Tuning
from forebay.protection.article import ArticleSettings
from forebay.protection.standalone import TaskProtection
from forebay.protection.telling import Listener


class SyncTaskProtection:
    """The synchronous face of `TaskProtection`, with the same options."""

    def __init__(
        self,
        *,
        agent_uri: str | None = None,
        strict: bool = False,
        linger_s: float = 10.0,
        tuning: Tuning | None = None,
        on_event: Listener | None = None,
    ) -> None:
        """Get ready; the thread starts with `with`. `on_event` is called on that thread and must not block."""
        self._protection = TaskProtection(
            agent_uri=agent_uri, strict=strict, linger_s=linger_s, tuning=tuning, on_event=on_event
        )
        self._portal: BlockingPortal | None = None
        self._stack = ExitStack()

    @classmethod
    def from_article_settings(
        cls,
        settings: ArticleSettings | None = None,
        *,
        agent_uri: str | None = None,
        strict: bool = False,
        on_event: Listener | None = None,
    ) -> SyncTaskProtection:
        """Return a `SyncTaskProtection` that behaves by the settings of the article's ProtectionManager."""
        settings = settings if settings is not None else ArticleSettings()
        return cls(
            agent_uri=agent_uri,
            strict=strict,
            linger_s=settings.linger_s,
            tuning=settings.tuning,
            on_event=on_event,
        )

    def __enter__(self) -> SyncTaskProtection:
        assert self._portal is None, "a SyncTaskProtection is entered once"
        with ExitStack() as stack:
            portal = stack.enter_context(start_blocking_portal())
            stack.enter_context(portal.wrap_async_context_manager(self._protection))
            self._stack = stack.pop_all()
        self._portal = portal
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> bool | None:
        return self._stack.__exit__(kind, error, at)

    def hold(self, *, limit_s: float | None = None, patience_s: float = 0.0) -> AbstractContextManager[bool]:
        """Protect the task for as long as the block lasts: see `TaskProtection.hold`. Any thread may call it."""
        assert self._portal is not None, "enter the SyncTaskProtection first: with SyncTaskProtection() as p"
        return self._portal.wrap_async_context_manager(self._protection.hold(limit_s=limit_s, patience_s=patience_s))

    @property
    def is_available(self) -> bool:
        """False outside ECS: nothing is protected then, and nothing is called."""
        return self._protection.is_available

    @property
    def is_protected(self) -> bool:
        """Whether ECS spares this task right now, as far as is known."""
        return self._portal is not None and self._portal.call(lambda: self._protection.is_protected)

    @property
    def reason(self) -> str | None:
        """Why protection was last refused, in ECS's words; None when it was not."""
        return self._protection.reason

    def stop(self) -> None:
        """Make no further call: from any thread, and for a SIGTERM handler."""
        if self._portal is not None:
            self._portal.start_task_soon(self._protection.stop)
