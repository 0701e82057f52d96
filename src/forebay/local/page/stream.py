"""Pictures as they come: one is drawn for all who look, twice a second, and none when nobody looks.

Rules kept here and nowhere else:

1. A frame is drawn and written as text once, however many look.
2. Whoever is slower than the pictures misses some: the newest is all that is kept. Whoever takes nothing for
   `STALL_S` is dropped.
3. A comparison is in a frame only when it has changed: it is by far the largest part of a picture.
4. The first frame that a viewer gets holds the past as well, so that a reload loses nothing.
"""

from __future__ import annotations

import asyncio
import json

from aiohttp import web

from forebay.local.page.history import COLUMNS, PERIOD_S, History
from forebay.local.port import Comparison, ComparisonSide, LocalCloud

STALL_S = 5.0
CHART_POINTS_MAX = 300
STREAM_HEADERS = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store"}


def frame(event: str, content: object) -> bytes:
    """Return a server-sent event with JSON in it."""
    return f"event: {event}\ndata: {json.dumps(content, separators=(',', ':'), ensure_ascii=False)}\n\n".encode()


def thinned(comparison: Comparison | None) -> Comparison | None:
    """Return the comparison with so many points as a chart can show."""
    if comparison is None:
        return None

    def side(found: ComparisonSide) -> ComparisonSide:
        step = max(1, -(-len(found["points"]) // CHART_POINTS_MAX))
        last = len(found["points"]) - 1
        kept = [number for number in range(last + 1) if number % step == 0 or number == last]
        return {
            **found,
            "points": [found["points"][number] for number in kept],
            "waiting": [found["waiting"][number] for number in kept if number < len(found["waiting"])],
        }

    return {**comparison, "at_once": side(comparison["at_once"]), "smoothed": side(comparison["smoothed"])}


class Stream:
    """Draws the cloud for those who look."""

    def __init__(
        self, cloud: LocalCloud, *, has_charts: bool, period_s: float = PERIOD_S, stall_s: float = STALL_S
    ) -> None:
        self._cloud = cloud
        self._has_charts = has_charts
        self._period_s = period_s
        self._stall_s = stall_s
        self._history = History()
        self._viewers = 0
        self._drawer: asyncio.Task[None] | None = None
        self._newest = b""
        self._number = 0
        self._comparison: Comparison | None = None
        self._turn = asyncio.Event()
        """Set when a frame is there, and replaced for the next one."""

    @property
    def viewers(self) -> int:
        """How many look."""
        return self._viewers

    @property
    def drawn(self) -> int:
        """How many frames have been drawn."""
        return self._number

    def first_frame(self) -> bytes:
        """Return what a viewer gets at once: the picture, the past, and what the numbers of a point are."""
        picture = self._cloud.picture()
        first = {
            "picture": {**picture, "comparison": None},
            "comparison": thinned(picture["comparison"]),
            "columns": COLUMNS,
            "history": self._history.points(),
            "has_charts": self._has_charts,
            "period_s": self._period_s,
        }
        return frame("first", first)

    def draw(self) -> bytes:
        """Draw the cloud as it is now, for everybody."""
        picture = self._cloud.picture()
        comparison = thinned(picture["comparison"])
        content: dict[str, object] = {
            "picture": {**picture, "comparison": None},
            "points": self._history.add(picture),
        }
        if comparison != self._comparison:
            content["comparison"] = self._comparison = comparison
        self._newest = frame("picture", content)
        self._number += 1
        self._turn.set()
        self._turn = asyncio.Event()
        return self._newest

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer `GET /events` until the viewer leaves, stalls, or the page closes."""
        response = web.StreamResponse(headers=STREAM_HEADERS)
        await response.prepare(request)
        self._enter()
        try:
            await self._send(response, self.first_frame())
            while await self._next():
                await self._send(response, self._newest)
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()  # What is in its buffer will never be read.
        except ConnectionError:
            pass  # It has left.
        finally:
            self._leave()
        return response

    async def close(self) -> None:
        """Send everybody away."""
        if self._drawer is not None:
            self._drawer.cancel()
            await asyncio.wait([self._drawer])

    async def _next(self) -> bool:
        """Wait for the next frame; false: there will be none."""
        number = self._number
        await self._turn.wait()
        return self._number > number

    async def _send(self, response: web.StreamResponse, content: bytes) -> None:
        async with asyncio.timeout(self._stall_s):
            await response.write(content)

    def _enter(self) -> None:
        self._viewers += 1
        if self._drawer is None or self._drawer.cancelling():
            self._drawer = asyncio.get_running_loop().create_task(self._draw_on(), name="forebay-page")
            self._drawer.add_done_callback(self._ended)

    def _leave(self) -> None:
        self._viewers -= 1
        if not self._viewers and self._drawer is not None:
            self._drawer.cancel()

    def _ended(self, drawer: asyncio.Task[None]) -> None:
        """No more frames come. A bug is told, and ends the streams; the next viewer begins anew."""
        if drawer is not self._drawer:
            return
        self._drawer = None
        self._turn.set()
        self._turn = asyncio.Event()
        if not drawer.cancelled() and (bug := drawer.exception()) is not None:
            told = {"message": "the page cannot draw the local cloud", "exception": bug, "task": drawer}
            drawer.get_loop().call_exception_handler(told)

    async def _draw_on(self) -> None:
        """Draw at a steady pace, late ones left out."""
        loop = asyncio.get_running_loop()
        due_at = loop.time() + self._period_s
        while True:
            await asyncio.sleep(due_at - loop.time())
            self.draw()
            due_at = max(due_at + self._period_s, loop.time() + self._period_s / 2)
