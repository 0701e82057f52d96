"""What a server may rightly answer, however it frames it: one suite, both transports."""

from __future__ import annotations

import asyncio

import pytest
from tests.queue.wire_servers import LOOPS, Authority, Connect, Request, always, answer, in_turn, serving

from forebay.clock import VirtualClock

pytestmark = pytest.mark.anyio

HEADERS = {"X-Amz-Target": "AmazonSQS.Test"}


@pytest.fixture(params=LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> object:
    return request.param


async def test_an_answer_comes_back_whole_with_its_headers(connect: Connect) -> None:
    reply = answer(b'{"a":1}', headers={"X-Amzn-RequestId": "r-1"})

    async with serving(always(reply)) as server, connect(server.port) as transport:
        got = await transport.request(b'{"q":"\xc3\xa9"}', HEADERS, timeout_s=5)

    assert (got.status, got.body, got.headers["x-amzn-requestid"]) == (200, b'{"a":1}', "r-1")
    assert got.first_byte_at > 0
    assert server.requests[0].body == b'{"q":"\xc3\xa9"}'
    assert server.requests[0].headers["x-amz-target"] == "AmazonSQS.Test"
    assert server.requests[0].headers["host"] == f"127.0.0.1:{server.port}"


async def test_requests_one_after_another_share_a_connection(connect: Connect) -> None:
    async with serving(always(answer())) as server, connect(server.port) as transport:
        for _ in range(5):
            await transport.request(b"{}", HEADERS, timeout_s=5)

        assert server.connections == 1


async def test_closing_leaves_no_connection_open(connect: Connect) -> None:
    async with serving(always(answer())) as server:
        async with connect(server.port) as transport:
            await asyncio.gather(*(transport.request(b"{}", HEADERS, timeout_s=5) for _ in range(5)))

        await asyncio.wait_for(server.all_closed.wait(), 5)

        assert server.open_connections == 0


async def test_tls_with_a_certificate_of_ones_own_works(connect: Connect, authority: Authority) -> None:
    async with (
        serving(always(answer(b'{"a":1}')), tls=authority.server) as server,
        connect(server.port, scheme="https", tls=lambda: authority.client) as transport,
    ):
        answers = [await transport.request(b"{}", HEADERS, timeout_s=5) for _ in range(3)]

    assert [got.body for got in answers] == [b'{"a":1}'] * 3
    assert server.connections == 1


async def test_chunked_answers_are_put_together(connect: Connect) -> None:
    chunked = (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b'4\r\n{"a"\r\n3;note=x\r\n:1}\r\n0\r\nX-Trailer: y\r\n\r\n'
    )

    async def in_drops(request: Request, writer: asyncio.StreamWriter) -> None:
        for position in range(0, len(chunked), 7):
            writer.write(chunked[position : position + 7])
            await writer.drain()
            await asyncio.sleep(0)

    async with serving(in_drops) as server, connect(server.port) as transport:
        answers = [await transport.request(b"{}", HEADERS, timeout_s=5) for _ in range(2)]

        assert [got.body for got in answers] == [b'{"a":1}'] * 2
        assert server.connections == 1


async def test_an_answer_without_a_length_ends_with_the_connection(connect: Connect) -> None:
    async def until_closed(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b'HTTP/1.1 200 OK\r\n\r\n{"a":1}')
        writer.close()

    async with serving(until_closed) as server, connect(server.port) as transport:
        got = await transport.request(b"{}", HEADERS, timeout_s=5)

        assert got.body == b'{"a":1}'


async def test_connection_close_is_obeyed(connect: Connect) -> None:
    async with serving(always(answer(headers={"Connection": "close"}))) as server, connect(server.port) as transport:
        for _ in range(3):
            await transport.request(b"{}", HEADERS, timeout_s=5)

        assert server.connections == 3


async def test_interim_answers_are_passed_over(connect: Connect) -> None:
    both = b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b'{"a":1}')

    async with serving(always(both)) as server, connect(server.port) as transport:
        got = await transport.request(b"{}", HEADERS, timeout_s=5)

        assert (got.status, got.body) == (200, b'{"a":1}')


@pytest.mark.parametrize("status", [301, 400, 403, 404, 429, 500, 503])
async def test_any_status_is_an_answer(connect: Connect, status: int) -> None:
    reply = answer(b"{}", status=status, headers={"Location": "http://127.0.0.1:1/"})

    async with serving(always(reply)) as server, connect(server.port) as transport:
        got = await transport.request(b"{}", HEADERS, timeout_s=5)

        assert got.status == status
        assert len(server.requests) == 1


async def test_an_answer_of_several_megabytes_comes_whole(connect: Connect) -> None:
    body = b'{"a":"' + b"x" * 9_000_000 + b'"}'

    async with serving(always(answer(body))) as server, connect(server.port) as transport:
        got = await transport.request(b"{}", HEADERS, timeout_s=20)

        assert got.body == body


async def test_a_slow_answer_is_waited_for(connect: Connect) -> None:
    whole = answer(b'{"a":1}')

    async def dripping(request: Request, writer: asyncio.StreamWriter) -> None:
        for position in range(len(whole)):
            writer.write(whole[position : position + 1])
            await writer.drain()
            await asyncio.sleep(0)

    async with serving(dripping) as server, connect(server.port) as transport:
        got = await transport.request(b"{}", HEADERS, timeout_s=20)

        assert got.body == b'{"a":1}'


async def test_answers_in_turn_go_to_those_who_asked(connect: Connect) -> None:
    replies = in_turn(answer(b'"1"'), answer(b'"2"'), answer(b'"3"'))

    async with serving(replies) as server, connect(server.port) as transport:
        bodies = [(await transport.request(b"{}", HEADERS, timeout_s=5)).body for _ in range(3)]

    assert bodies == [b'"1"', b'"2"', b'"3"']


async def test_an_answer_counts_from_its_first_byte_and_not_from_its_last(connect: Connect) -> None:
    """A lease must not be trusted longer because a large answer took its time."""
    stamped = asyncio.Event()

    class Watched(VirtualClock):
        def now(self) -> float:
            if server.requests:
                stamped.set()
            return super().now()

    clock = Watched(start_at=0.0)
    whole = answer(b'{"a":"' + b"x" * 1_000 + b'"}')

    async def in_two_parts(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(whole[:500])
        await writer.drain()
        await stamped.wait()
        clock.advance(100.0)
        writer.write(whole[500:])

    async with serving(in_two_parts) as server, connect(server.port, clock=clock) as transport:
        got = await transport.request(b"{}", HEADERS, timeout_s=5)

    assert got.first_byte_at == 0.0
    assert clock.now() == 100.0
