"""A wire between a worker and a local service that can be cut and can swallow everything; a service that says no."""

from __future__ import annotations

import contextlib
import http.server
import json
import selectors
import socket
import threading
from urllib.parse import urlsplit


class Wire:
    """Forwards TCP connections to `endpoint` until told otherwise."""

    def __init__(self, endpoint: str) -> None:
        parts = urlsplit(endpoint)
        assert parts.hostname is not None
        assert parts.port is not None
        self._target = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._swallows = False
        self._closing = False
        self._pairs: dict[socket.socket, socket.socket | None] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._forward, daemon=True)
        self._thread.start()

    def swallow(self) -> None:
        """From now on nothing comes through in either direction, and nobody is told."""
        self._swallows = True

    def mend(self) -> None:
        """New connections work again. Those of the meantime stay silent for ever."""
        self._swallows = False

    @property
    def callers(self) -> int:
        """How many connections there are, silent ones included."""
        return len(self._pairs)

    def close(self) -> None:
        self._closing = True
        with contextlib.suppress(OSError):
            socket.create_connection(self._listener.getsockname()).close()
        self._thread.join(10)
        for one in list(self._pairs):
            one.close()
        self._selector.close()
        self._listener.close()

    def _forward(self) -> None:
        while not self._closing:
            for key, _ in self._selector.select(timeout=0.1):
                one = key.fileobj
                assert isinstance(one, socket.socket)
                if one is self._listener:
                    self._accept()
                else:
                    self._pass_on(one)
            if self._swallows:
                self._silence_all()

    def _accept(self) -> None:
        caller, _ = self._listener.accept()
        if self._swallows or self._closing:
            self._pairs[caller] = None  # Held open, never read.
            return
        service = socket.create_connection(self._target)
        for one, other in ((caller, service), (service, caller)):
            self._pairs[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _silence_all(self) -> None:
        for one in [one for one, other in self._pairs.items() if other is not None]:
            self._selector.unregister(one)
            self._pairs[one] = None

    def _pass_on(self, one: socket.socket) -> None:
        other = self._pairs.get(one)
        if other is None or self._swallows:
            return
        try:
            content = one.recv(1 << 16)
            if content:
                other.sendall(content)
                return
        except OSError:
            pass  # A side that has gone is treated as one that has closed.
        for side in (one, other):
            if self._pairs.pop(side, None) is not None:
                self._selector.unregister(side)
            side.close()


class Refusing:
    """An endpoint that answers every request with the same error, and remembers how each was signed."""

    def __init__(self, status: int, code: str) -> None:
        self.scopes: list[str] = []
        content = json.dumps({"__type": f"com.amazonaws.sqs#{code}", "message": "as always"}).encode()
        scopes = self.scopes

        class Pages(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                scopes.append(self.headers["Authorization"])
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing is printed."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
