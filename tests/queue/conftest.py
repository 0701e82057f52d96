"""What the tests of the queue share: the event loop's kind, a certificate authority, and both transports."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.queue.wire_servers import Authority, Connect, make_authority

from forebay.clock import Clock
from forebay.queue.direct import DirectTransport
from forebay.queue.proxied import ProxiedTransport
from forebay.queue.transport import Endpoint, Transport


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(params=["direct", "proxied"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def connect(kind: str) -> Connect:
    @asynccontextmanager
    async def connected(
        port: int,
        *,
        scheme: str = "http",
        tls: Callable[[], ssl.SSLContext] = ssl.create_default_context,
        connections_max: int = 8,
        answer_max_bytes: int = 10_000_000,
        clock: Clock | None = None,
    ) -> AsyncIterator[Transport]:
        endpoint = Endpoint.parse(f"{scheme}://127.0.0.1:{port}")
        options: dict[str, Any] = {
            "connections_max": connections_max,
            "tls": tls,
            "answer_max_bytes": answer_max_bytes,
            "clock": clock,
        }
        transport: Transport = (
            DirectTransport(endpoint, **options)
            if kind == "direct"
            else ProxiedTransport(endpoint, proxy=None, **options)
        )
        try:
            yield transport
        finally:
            await transport.aclose()

    return connected
