"""The page's server: one address on this machine, while `async with Page(...)` lasts.

Rules kept here and nowhere else:

1. It listens on the loopback address only, and answers as `guard` lets it.
2. It belongs to the loop of the cloud that it shows and runs no thread: what it shows cannot change under its hands.
3. A port that is taken is told with who has it, when that is a page like this one.
"""

from __future__ import annotations

import asyncio
import os
import socket
from types import TracebackType
from typing import Self

from aiohttp import web

from forebay.errors import SettingsError
from forebay.local.page.controls import perform
from forebay.local.page.files import INDEX, Files
from forebay.local.page.guard import Guard, add_headers
from forebay.local.page.stream import Stream
from forebay.local.port import ControlError, LocalCloud
from forebay.local.ports import LOOPBACK, WHO_PATH, who_is_at

LOG_LINES_MAX = 500
REQUEST_BYTES_MAX = 16 * 1024
CLOSING_S = 1.0
"""How long requests may take to end when the page closes."""


class Page:
    """The live page of a local cloud."""

    def __init__(self, cloud: LocalCloud, port: int, *, with_charts: bool = True) -> None:
        """Prepare a page on `port`; 0: the system chooses one. Charts are shown where their library is installed."""
        self._cloud = cloud
        self._port = port
        self._files = Files(with_charts=with_charts)
        self.stream = Stream(cloud, has_charts=self._files.has_charts)
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://{LOOPBACK}:{self._port}/"

    async def __aenter__(self) -> Self:
        """Listen. Raises SettingsError when the port cannot be had."""
        listener = await self._listen()
        app = web.Application(middlewares=[Guard(self._port).middleware], client_max_size=REQUEST_BYTES_MAX)
        app.on_response_prepare.append(add_headers)
        app.add_routes(
            [
                web.get("/", self._index),
                web.get("/static/{name}", self._file),
                web.get("/events", self.stream.serve),
                web.get("/logs/{task_id}", self._logs),
                web.get(WHO_PATH, self._who),
                web.post("/do/{control}", self._do),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=CLOSING_S)
        await self._runner.setup()
        await web.SockSite(self._runner, listener).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stream.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _listen(self) -> socket.socket:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((LOOPBACK, self._port))
            listener.listen(64)
        except OSError as error:
            listener.close()
            who = await asyncio.to_thread(who_is_at, self._port)
            raise SettingsError(_taken(self._port, error, who)) from error
        listener.setblocking(False)
        self._port = int(listener.getsockname()[1])
        return listener

    async def _index(self, request: web.Request) -> web.Response:
        return self._files.answer(request, INDEX)

    async def _file(self, request: web.Request) -> web.Response:
        return self._files.answer(request, request.match_info["name"])

    async def _logs(self, request: web.Request) -> web.Response:
        try:
            lines = self._cloud.log_lines(request.match_info["task_id"], LOG_LINES_MAX)
        except ControlError as error:
            return web.json_response({"error": str(error)}, status=404)
        return web.json_response({"lines": list(lines)})

    async def _who(self, _request: web.Request) -> web.Response:
        return web.json_response({"process_id": os.getpid(), "page": self.url})

    async def _do(self, request: web.Request) -> web.Response:
        return await perform(self._cloud, request)


def _taken(port: int, error: OSError, who: dict[str, object] | None) -> str:
    if who is not None:
        return (
            f"port {port} is taken by another `forebay local` (process {who['process_id']}, {who.get('page', '')}): "
            "use that one, stop it, or choose another port with --port"
        )
    return (
        f"port {port} cannot be listened on ({error.strerror or error}): choose another with --port, "
        "or stop what uses it"
    )
