"""Runs a local service on an event loop of its own, in a thread: for tests and for blocking clients such as boto3.

Rules kept here and nowhere else:

1. The service lives on that loop only; other threads reach it through `InThread.call`.
2. Leaving the block closes the service and ends the thread, whatever happened inside.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Generic, TypeVar

Service = TypeVar("Service", bound=AbstractAsyncContextManager[Any])
Answer = TypeVar("Answer")


class InThread(Generic[Service]):
    """A context manager that holds a running service. `service` is the object itself."""

    def __init__(self, make: Callable[[], Service]) -> None:
        self._make = make
        self._service: Service | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._failure: BaseException | None = None
        self._is_ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="forebay-local-service", daemon=True)

    def __enter__(self) -> InThread[Service]:
        self._thread.start()
        self._is_ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._loop is not None
        assert self._stop is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        if self._failure is not None and error is None:
            raise self._failure

    @property
    def service(self) -> Service:
        assert self._service is not None, "not entered"
        return self._service

    def call(self, function: Callable[[Service], Answer]) -> Answer:
        """Run `function(service)` on the service's loop and return its answer."""
        assert self._loop is not None, "not entered"

        async def there() -> Answer:
            return function(self.service)

        return asyncio.run_coroutine_threadsafe(there(), self._loop).result()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=fastest_loop()) as runner:
                runner.run(self._serve())
        except BaseException as failure:  # noqa: BLE001 - handed to the thread that entered the block
            self._failure = failure
        finally:
            self._is_ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with self._make() as service:
            self._service = service
            self._is_ready.set()
            await self._stop.wait()


def fastest_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's factory when it is installed (extra `fast`), else None for asyncio's own loop."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
