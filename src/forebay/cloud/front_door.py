"""One loopback port for several AWS services: a request goes to the service that its X-Amz-Target names.

Rules kept here and nowhere else:

1. A target is `<service>.<operation>`; the service's name alone decides who answers: `AmazonSQS`,
   `AmazonEC2ContainerServiceV20141113`. So one `AWS_ENDPOINT_URL` serves boto3's clients of them all.
2. A path that was registered goes before the target: `/_forebay/…` is nobody's operation.
3. What nobody serves is refused with UnsupportedOperation, which names it and lists what is served.

    async with FrontDoor(port=4566) as door:
        door.serve("AmazonEC2ContainerServiceV20141113", ecs.accept)

A service that is given a door registers itself there for as long as it lives. The door is opened and closed by whoever
made it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from types import TracebackType

from forebay.cloud.http import Exchange, LoopbackServer
from forebay.cloud.query_protocol import query_refusal

Accept = Callable[[Exchange], None]
"""Takes a request over: it answers, drops or holds the exchange, now or later, on the same event loop."""


class FrontDoor:
    """Listens on one loopback port, and hands every request to the service that it is for."""

    def __init__(self, *, port: int = 0) -> None:
        """`port=0` lets the system choose."""
        self._http = LoopbackServer(self.accept, port=port)
        self._services: dict[str, Accept] = {}
        self._paths: dict[str, Accept] = {}

    # ── life ───────────────────────────────────────────────────────────────────────────────────────────────

    async def __aenter__(self) -> FrontDoor:
        """Listen. Raises OSError when the port is taken."""
        await self._http.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._http.aclose()

    @property
    def endpoint_url(self) -> str:
        """What `AWS_ENDPOINT_URL` is to be. The door must be open."""
        return self._http.endpoint_url

    @property
    def port(self) -> int:
        return self._http.port

    @property
    def clock_ahead_s(self) -> float:
        """How far the Date header of every answer is ahead of the machine's clock."""
        return self._http.clock_ahead_s

    @clock_ahead_s.setter
    def clock_ahead_s(self, seconds: float) -> None:
        self._http.clock_ahead_s = seconds

    # ── who serves what ────────────────────────────────────────────────────────────────────────────────────

    def serve(self, service: str, accept: Accept) -> None:
        """Hand requests whose target begins with `service` and a dot to `accept`."""
        assert service not in self._services, f"{service} is served already"
        assert "." not in service, service
        self._services[service] = accept

    def withdraw(self, service: str) -> None:
        """Serve it no more."""
        del self._services[service]

    def withdraw_path(self, prefix: str) -> None:
        """Serve it no more."""
        del self._paths[prefix]

    def serve_path(self, prefix: str, accept: Accept) -> None:
        """Hand requests whose path begins with `prefix` to `accept`, whatever their target. The longest prefix wins."""
        assert prefix not in self._paths, f"{prefix} is served already"
        assert prefix.startswith("/"), prefix
        self._paths[prefix] = accept
        self._paths = dict(sorted(self._paths.items(), key=lambda entry: -len(entry[0])))

    def accept(self, exchange: Exchange) -> None:
        """Hand one request to whom it is for."""
        if exchange.path != "/":
            for prefix, accept in self._paths.items():
                if exchange.path.startswith(prefix):
                    accept(exchange)
                    return
        target = exchange.headers.get("x-amz-target", "")
        service = self._services.get(target.partition(".")[0])
        if service is not None:
            service(exchange)
        else:
            self._refuse(exchange, target)

    def _refuse(self, exchange: Exchange, target: str) -> None:
        refusal = None if target else query_refusal(exchange.query, exchange.headers, exchange.body)
        if refusal is not None:
            exchange.answer(400, refusal, content_type="text/xml")
            return
        asked = (
            f"X-Amz-Target {target[:100]!r}" if target else f"{exchange.method} {exchange.path[:100]} without a target"
        )
        served = ", ".join(sorted(self._services)) or "nothing yet"
        message = f"{asked} is not served here. What is: {served}, by the AWS JSON protocol."
        exchange.answer(
            400,
            json.dumps({"__type": "UnsupportedOperation", "message": message}).encode(),
            content_type="application/x-amz-json-1.0",
            headers="x-amzn-query-error: AWS.SimpleQueueService.UnsupportedOperation;Sender\r\n",
        )
