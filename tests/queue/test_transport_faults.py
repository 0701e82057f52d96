"""What a network can do to a request: one suite, both transports.

Each test says what the server does and what the caller must be told: `UNAVAILABLE` when nothing was sent,
`NO_ANSWER` when it may have been carried out.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl

import pytest
from tests.queue.wire_servers import LOOPS, Authority, Connect, Request, always, answer, never, reset, serving

from forebay.errors import FaultKind, QueueError
from forebay.queue.direct import DirectTransport
from forebay.queue.proxied import ProxiedTransport
from forebay.queue.transport import Endpoint, Transport

pytestmark = pytest.mark.anyio

HEADERS = {"X-Amz-Target": "AmazonSQS.Test"}


@pytest.fixture(params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> object:
    return request.param


async def fault_of(transport: Transport, *, timeout_s: float = 5.0, is_repeatable: bool = True) -> FaultKind:
    with pytest.raises(QueueError) as caught:
        await transport.request(b"{}", HEADERS, timeout_s=timeout_s, is_repeatable=is_repeatable)
    return caught.value.fault.kind


async def test_a_certificate_of_an_unknown_authority_is_refused_with_the_remedy(
    connect: Connect, authority: Authority
) -> None:
    async with (
        serving(always(answer()), tls=authority.server) as server,
        connect(server.port, scheme="https") as transport,
    ):
        with pytest.raises(QueueError) as caught:
            await transport.request(b"{}", HEADERS, timeout_s=5)

    assert caught.value.fault.kind is FaultKind.UNAVAILABLE
    assert "AWS_CA_BUNDLE" in caught.value.fault.detail
    assert server.requests == []


async def test_a_missing_file_of_certificates_is_a_queue_error(connect: Connect) -> None:
    def broken() -> ssl.SSLContext:
        return ssl.create_default_context(cafile="/nowhere/ca.pem")

    async with serving(always(answer())) as server, connect(server.port, scheme="https", tls=broken) as transport:
        assert await fault_of(transport) is FaultKind.UNAVAILABLE


async def test_plain_http_where_tls_is_expected_cannot_be_connected(connect: Connect) -> None:
    async def no_tls_here(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    listening = await asyncio.start_server(no_tls_here, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]

    async with listening, connect(port, scheme="https") as transport:
        assert await fault_of(transport) is FaultKind.UNAVAILABLE


async def test_a_connection_that_does_not_come_about_in_time_was_never_sent(connect: Connect) -> None:
    """The server takes the TCP connection and then says nothing: TLS is never agreed on."""
    async with serving(never) as server, connect(server.port, scheme="https") as transport:
        assert await fault_of(transport, timeout_s=0.2) is FaultKind.UNAVAILABLE
        assert server.requests == []


async def test_headers_without_end_are_no_answer(connect: Connect) -> None:
    async def endless(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nX-Much: ")
        for _ in range(40):
            writer.write(b"x" * 10_000)
            await writer.drain()

    async with serving(endless) as server, connect(server.port) as transport:
        assert await fault_of(transport) is FaultKind.NO_ANSWER


async def test_a_connection_refused_was_never_sent(connect: Connect) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with connect(unused.getsockname()[1]) as transport:
            assert await fault_of(transport) is FaultKind.UNAVAILABLE


async def test_an_unknown_host_was_never_sent(kind: str) -> None:
    endpoint = Endpoint.parse("http://no-such-host.invalid")
    transport: Transport = DirectTransport(endpoint) if kind == "direct" else ProxiedTransport(endpoint, proxy=None)
    try:
        assert await fault_of(transport) is FaultKind.UNAVAILABLE
    finally:
        await transport.aclose()


async def test_a_reset_on_a_fresh_connection_is_no_answer(connect: Connect) -> None:
    async def resetting(request: Request, writer: asyncio.StreamWriter) -> None:
        reset(writer)

    async with serving(resetting) as server, connect(server.port) as transport:
        assert await fault_of(transport) is FaultKind.NO_ANSWER
        assert len(server.requests) == 1


async def test_silence_runs_out_of_time_and_takes_its_connection_with_it(connect: Connect) -> None:
    async def silent_at_last(request: Request, writer: asyncio.StreamWriter) -> None:
        if len(server.requests) == 1:
            writer.write(answer())
        else:
            await never(request, writer)

    async with serving(silent_at_last) as server, connect(server.port) as transport:
        await transport.request(b"{}", HEADERS, timeout_s=5)

        assert await fault_of(transport, timeout_s=0.1) is FaultKind.NO_ANSWER
        await asyncio.wait_for(server.all_closed.wait(), 5)
        assert len(server.requests) == 2


async def test_a_server_that_stops_in_the_middle_runs_out_of_time(connect: Connect) -> None:
    async def stalling_at_last(request: Request, writer: asyncio.StreamWriter) -> None:
        whole = answer(b'{"a":1}')
        if len(server.requests) == 1:
            writer.write(whole)
        else:
            writer.write(whole[:-2])
            await never(request, writer)

    async with serving(stalling_at_last) as server, connect(server.port) as transport:
        await transport.request(b"{}", HEADERS, timeout_s=5)

        assert await fault_of(transport, timeout_s=0.1) is FaultKind.NO_ANSWER


async def test_a_kept_connection_that_the_server_closes_unanswered_is_replaced_once(connect: Connect) -> None:
    """The keep-alive race: the server closes an idle connection just as the next request is written."""

    async def closing_second_use(request: Request, writer: asyncio.StreamWriter) -> None:
        if sum(seen.connection == request.connection for seen in server.requests) == 2:
            writer.close()
        else:
            writer.write(answer(b'{"a":1}'))

    async with serving(closing_second_use) as server, connect(server.port) as transport:
        await transport.request(b"{}", HEADERS, timeout_s=5)
        got = await transport.request(b"{}", HEADERS, timeout_s=5)

        assert got.body == b'{"a":1}'
        assert [request.connection for request in server.requests] == [1, 1, 2]


async def test_a_request_that_must_not_be_repeated_is_sent_once(connect: Connect) -> None:
    async def closing_second_use(request: Request, writer: asyncio.StreamWriter) -> None:
        if len(server.requests) == 2:
            writer.close()
        else:
            writer.write(answer())

    async with serving(closing_second_use) as server, connect(server.port) as transport:
        await transport.request(b"{}", HEADERS, timeout_s=5, is_repeatable=False)

        assert await fault_of(transport, is_repeatable=False) is FaultKind.NO_ANSWER
        assert len(server.requests) == 2


async def test_stale_connections_are_dropped_until_a_request_gets_through(connect: Connect) -> None:
    """All idle connections went stale at once: the server was replaced."""
    is_new = False

    async def replaced(request: Request, writer: asyncio.StreamWriter) -> None:
        if is_new and request.connection <= 4:
            writer.close()
        else:
            await asyncio.sleep(0)
            writer.write(answer())

    async with serving(replaced) as server, connect(server.port) as transport:
        await asyncio.gather(*(transport.request(b"{}", HEADERS, timeout_s=5) for _ in range(4)))
        is_new = True

        got = await transport.request(b"{}", HEADERS, timeout_s=5)

        assert got.status == 200
        assert server.connections == 5


async def test_a_cancelled_request_closes_its_connection(connect: Connect) -> None:
    async with serving(never) as server, connect(server.port) as transport:
        request = asyncio.create_task(transport.request(b"{}", HEADERS, timeout_s=60))
        await asyncio.wait_for(server.asked.wait(), 5)

        request.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await request

        await asyncio.wait_for(server.all_closed.wait(), 5)


async def test_requests_beyond_the_budget_wait_for_their_turn(connect: Connect) -> None:
    gate = asyncio.Event()

    async def gated(request: Request, writer: asyncio.StreamWriter) -> None:
        await gate.wait()
        writer.write(answer())

    async with serving(gated) as server, connect(server.port, connections_max=2) as transport:
        requests = [asyncio.create_task(transport.request(b"{}", HEADERS, timeout_s=10)) for _ in range(6)]
        await asyncio.wait_for(server.asked.wait(), 5)
        gate.set()
        answers = await asyncio.gather(*requests)

        assert [got.status for got in answers] == [200] * 6
        assert server.connections == 2


async def test_waiting_for_a_connection_counts_against_the_time(connect: Connect) -> None:
    async with serving(never) as server, connect(server.port, connections_max=1) as transport:
        first = asyncio.create_task(transport.request(b"{}", HEADERS, timeout_s=60))
        await asyncio.wait_for(server.asked.wait(), 5)

        assert await fault_of(transport, timeout_s=0.1) is FaultKind.UNAVAILABLE
        assert len(server.requests) == 1

        first.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await first


async def test_a_closed_transport_refuses(connect: Connect) -> None:
    async with serving(always(answer())) as server:
        async with connect(server.port) as transport:
            pass

        assert await fault_of(transport) is FaultKind.UNAVAILABLE


@pytest.mark.parametrize(
    "cut",
    [
        b"HTT",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        answer(b'{"a":1}')[:-3],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    ],
)
async def test_an_answer_cut_off_is_no_answer(connect: Connect, cut: bytes) -> None:
    async def cutting(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(cut)
        await writer.drain()
        writer.close()

    async with serving(cutting) as server, connect(server.port) as transport:
        assert await fault_of(transport) is FaultKind.NO_ANSWER
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02F" * 4,
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
    ],
)
async def test_garbage_is_no_answer(connect: Connect, garbage: bytes) -> None:
    async def babbling(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(garbage)
        await writer.drain()
        writer.close()

    async with serving(babbling) as server, connect(server.port) as transport:
        assert await fault_of(transport) is FaultKind.NO_ANSWER


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_an_answer_beyond_the_limit_is_not_read_to_its_end(connect: Connect, is_chunked: bool) -> None:
    async def huge(request: Request, writer: asyncio.StreamWriter) -> None:
        if is_chunked:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        for _ in range(1_000):
            writer.write((b"186a0\r\n" if is_chunked else b"") + b"x" * 100_000 + (b"\r\n" if is_chunked else b""))
            await writer.drain()

    async with serving(huge) as server, connect(server.port, answer_max_bytes=1_000_000) as transport:
        assert await fault_of(transport) is FaultKind.NO_ANSWER
