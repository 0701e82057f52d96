"""Through a proxy: chosen where botocore would choose one, for plain HTTP and for TLS, and quiet about its password."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from tests.queue.wire_clients import config
from tests.queue.wire_servers import Authority, always, answer, serving

from forebay.cloud.sqs_server import SqsServer
from forebay.errors import FaultKind, QueueError
from forebay.queue.calls import Caller
from forebay.queue.connect import connect, tls_context
from forebay.queue.direct import DirectTransport
from forebay.queue.port import Outgoing
from forebay.queue.proxied import ProxiedTransport
from forebay.queue.resolve import ClientConfig, Location, Resolver
from forebay.queue.sink import SqsSink
from forebay.queue.sqs import SqsSource
from forebay.queue.transport import Endpoint
from forebay.queue.wire import SqsClient

pytestmark = pytest.mark.anyio

PASSWORD = "hunter2"


@dataclass
class Proxy:
    """A forward proxy that notes whom it was asked for and with which authorization."""

    url: str = ""
    asked: list[str] = field(default_factory=list)
    authorizations: set[str | None] = field(default_factory=set)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass  # one side has gone: the other is told below
    finally:
        writer.close()


@asynccontextmanager
async def proxying(*, refuses: bool = False) -> AsyncIterator[Proxy]:
    proxy = Proxy()
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has gone, or the test is over
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
        headers = dict(line.decode().lower().split(": ", 1) for line in head.split(b"\r\n")[1:-2])
        proxy.asked.append(f"{method} {target}")
        proxy.authorizations.add(headers.get("proxy-authorization"))
        if refuses:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        host, _, port = (target if method == "CONNECT" else target.split("/")[2]).partition(":")
        upstream_reader, upstream = await asyncio.open_connection(host, int(port))
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            upstream.write(head)
        await asyncio.gather(_pipe(reader, upstream), _pipe(upstream_reader, writer))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    proxy.url = f"http://user:{PASSWORD}@127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class ThroughProxy(Resolver):
    """A resolver that has found a proxy."""

    def __init__(self, config: ClientConfig, proxy: str) -> None:
        super().__init__(config)
        self._proxy_url = proxy

    def locate(self, queue_url: str) -> Location:
        return replace(super().locate(queue_url), proxy=self._proxy_url)


async def test_a_queue_is_worked_through_a_proxy() -> None:
    async with SqsServer() as server, proxying() as proxy:
        url = server.create_queue("jobs")
        client = SqsClient(Caller(url, ThroughProxy(config(server.endpoint_url), proxy.url)))
        source, sink = SqsSource(url, client), SqsSink(url, client)
        await sink.send([Outgoing("x")])
        (message,) = (await source.receive(count_max=10, wait_s=0, visibility_s=30)).messages
        assert await source.delete([message.receipt]) == {}
        await source.aclose()

        assert set(proxy.asked) == {f"POST {server.endpoint_url}/"}
    assert message.body == "x"
    assert {b64encode(f"user:{PASSWORD}".encode()).decode().lower()} == {
        (authorization or "").removeprefix("basic ") for authorization in proxy.authorizations
    }


async def test_tls_goes_through_a_proxy_in_a_tunnel(authority: Authority) -> None:
    async with serving(always(answer(b'{"a":1}')), tls=authority.server) as server, proxying() as proxy:
        endpoint = Endpoint.parse(f"https://127.0.0.1:{server.port}")
        transport = ProxiedTransport(endpoint, proxy=proxy.url, tls=lambda: authority.client)
        got = await transport.request(b"{}", {}, timeout_s=5)
        await transport.aclose()

    assert got.body == b'{"a":1}'
    assert proxy.asked == [f"CONNECT 127.0.0.1:{server.port}"]


async def test_a_proxy_that_refuses_a_tunnel_is_named_without_its_password(authority: Authority) -> None:
    async with serving(always(answer()), tls=authority.server) as server, proxying(refuses=True) as proxy:
        endpoint = Endpoint.parse(f"https://127.0.0.1:{server.port}")
        transport = ProxiedTransport(endpoint, proxy=proxy.url, tls=lambda: authority.client)
        with pytest.raises(QueueError, match="proxy") as caught:
            await transport.request(b"{}", {}, timeout_s=5)
        await transport.aclose()

    assert caught.value.fault.kind is FaultKind.UNAVAILABLE
    assert PASSWORD not in str(caught.value)


async def test_a_proxy_that_is_not_there_is_unavailable() -> None:
    transport = ProxiedTransport(Endpoint.parse("http://127.0.0.1:9"), proxy=f"http://user:{PASSWORD}@127.0.0.1:1")
    with pytest.raises(QueueError) as caught:
        await transport.request(b"{}", {}, timeout_s=5)
    await transport.aclose()

    assert caught.value.fault.kind is FaultKind.UNAVAILABLE
    assert PASSWORD not in str(caught.value)


async def test_the_transport_follows_from_the_proxy() -> None:
    location = Location(Endpoint.parse("http://127.0.0.1:9"), "eu-west-1")

    assert isinstance(connect(location, 4), DirectTransport)
    assert isinstance(connect(replace(location, proxy="http://proxy:1"), 4), ProxiedTransport)


def test_a_location_never_shows_its_proxys_password() -> None:
    shown = repr(Location(Endpoint.parse("http://127.0.0.1:9"), "r", proxy=f"http://user:{PASSWORD}@proxy"))

    assert PASSWORD not in shown


def test_certificates_of_ones_own_replace_the_systems(authority: Authority) -> None:
    own = tls_context(str(authority.ca_file))

    assert own.cert_store_stats()["x509_ca"] == 1
    assert own.check_hostname
    assert tls_context(None).check_hostname
