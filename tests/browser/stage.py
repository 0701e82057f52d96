"""A stage for the page: the scripted cloud served from a thread of its own, so that a test can direct it in between.

Rules kept here and nowhere else:

1. Time on the stage passes only when a test says so (`advance`); a test never waits for it.
2. The cloud belongs to the thread's loop. A test touches it through `tell` only, which runs there.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

from tests.browser.fake_cloud import FakeCloud

from forebay.local.page import Page

PATIENCE_S = 20.0

Answer = TypeVar("Answer")


class Stage:
    """A page over a scripted cloud. Use as a context manager."""

    def __init__(self, port: int = 0, *, with_charts: bool = True) -> None:
        self.cloud = FakeCloud()
        self.page = Page(self.cloud, port, with_charts=with_charts)
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._is_open = threading.Event()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="stage", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._is_open.wait(PATIENCE_S), "the page did not open"
        assert self.url, "the page could not open"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "the page did not close"

    @property
    def port(self) -> int:
        return int(self.url.rstrip("/").rpartition(":")[2])

    def tell(self, action: Callable[[FakeCloud], Answer]) -> Answer:
        """Do something to the cloud, in its own thread, and return what comes of it."""

        async def act() -> Answer:
            return action(self.cloud)

        return asyncio.run_coroutine_threadsafe(act(), self._loop).result(PATIENCE_S)

    def advance(self, seconds: float) -> None:
        """Let time pass on the stage."""
        self.tell(lambda cloud: cloud.advance(seconds))

    def send(self, count: int, job_ms: int) -> None:
        """Send jobs past the page."""
        self.tell(lambda cloud: cloud.service.send(count, job_ms))

    def await_pictures(self, count: int) -> None:
        """Wait until so many more pictures were drawn for those who look."""

        drawn = self.page.stream.drawn + count
        deadline_at = time.monotonic() + PATIENCE_S
        while self.page.stream.drawn < drawn:
            assert time.monotonic() < deadline_at, "nothing is drawn"
            time.sleep(0.02)  # between two looks

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()
            self._is_open.set()

    async def _serve(self) -> None:
        async with self.page as page:
            self.url = page.url
            self._is_open.set()
            await self._end.wait()
