"""The health pages over HTTP, from a thread of their own.

Rules kept here and nowhere else:

1. Nothing here runs on the control loop or waits for it.
2. Only GET and HEAD, only the three pages, only requests that name this host: a web page elsewhere that has its name
   resolve to this machine (DNS rebinding) is turned away.
3. A client that sends nothing is dropped after `CLIENT_SILENCE_MAX_S`.
"""

from __future__ import annotations

import ipaddress
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET, AF_INET6
from typing import Any

from forebay.clock import Clock
from forebay.errors import SettingsError
from forebay.observability.health import HealthState, judge

CLIENT_SILENCE_MAX_S = 5.0


class HealthServer:
    """Serves `/live`, `/ready` and `/` until closed."""

    def __init__(
        self, state: HealthState, clock: Clock, host: str = "127.0.0.1", port: int = 8080, *, look_s: float = 0.5
    ) -> None:
        """Listen at once; `look_s` is how often the thread looks whether it is to end.

        Raises `SettingsError` when the address cannot be had.
        """

        class Pages(_Pages):
            pass

        Pages.state, Pages.clock, Pages.host = state, clock, host
        server_type = type("_Server", (_Server,), {"address_family": AF_INET6 if ":" in host else AF_INET})
        try:
            self._server: _Server = server_type((host, port), Pages)
        except OSError as error:
            raise SettingsError(
                f"--health {host}:{port} cannot be listened on ({error.strerror or error}): "
                "choose another port, or stop what uses it"
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": look_s}, name="forebay-health", daemon=True
        )
        self._thread.start()

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens: the port that was given, or the one that the system chose for 0."""
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    def close(self, *, wait_s: float = 0.0) -> None:
        """Stop answering soon; `wait_s` waits for it. Returns at once otherwise: the control loop may call it."""
        ending = threading.Thread(target=self._end, name="forebay-health-end", daemon=True)
        ending.start()
        if wait_s:
            ending.join(wait_s)

    def _end(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 32

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle is its own affair: nothing is printed."""


class _Pages(BaseHTTPRequestHandler):
    state: HealthState
    clock: Clock
    host: str
    timeout = CLIENT_SILENCE_MAX_S
    server_version = "forebay"
    sys_version = ""

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, *, with_body: bool) -> None:
        if not is_this_host(self.headers.get("Host"), self.host):
            self._send(421, {"error": "this server answers only for addresses and names of its own"}, with_body)
            return
        verdict = judge(self.path, self.state, self.clock)
        if verdict is None:
            self._send(404, {"error": "there is /live, /ready and /"}, with_body)
            return
        status = 200 if verdict.is_well else 503
        self._send(
            status, {"ok": verdict.is_well, "reasons": list(verdict.reasons), "notes": list(verdict.notes)}, with_body
        )

    def _send(self, status: int, page: dict[str, object], with_body: bool) -> None:
        body = (json.dumps(page, ensure_ascii=False) + "\n").encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Health checks come every few seconds for ever: they are not logged."""


def is_this_host(header: str | None, host: str) -> bool:
    """Say whether the Host header names an address, `localhost` or the host that we were told to listen on."""
    if header is None:
        return True  # HTTP/1.0, as simple probes speak it. A browser always sends one.
    name = header.strip()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    if name.lower() in ("localhost", host.lower()):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
