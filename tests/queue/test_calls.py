"""One call from end to end: what is mended on the way, what is told to the caller, and what never happens."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.queue.signatures import amz_moment
from tests.queue.wire_clients import QUEUE, a_client, config
from tests.queue.wire_servers import Request, always, answer, error, in_turn, never, serving

from forebay.errors import FaultKind, QueueError
from forebay.queue.keyring import CredentialSource
from forebay.queue.port import Visibility
from forebay.queue.resolve import ClientConfig, Resolver
from forebay.queue.signing import Credentials
from forebay.queue.wire import SqsClient

pytestmark = pytest.mark.anyio


class Rotating:
    """A credential source that gives AK1, AK2 and so on, one for each load."""

    def __init__(self, *, different: bool = True) -> None:
        self.loads = 0
        self.different = different

    def load(self) -> Credentials:
        self.loads += 1
        return Credentials(f"AK{self.loads if self.different else 0}", "secret")

    def refresh(self) -> Credentials:
        return self.load()

    def expires_within(self, seconds: float) -> bool:
        return False


class ResolverWith(Resolver):
    """A resolver whose credentials come from `source`."""

    def __init__(self, config: ClientConfig, source: CredentialSource) -> None:
        super().__init__(config)
        self.source = source

    def credential_source(self) -> CredentialSource:
        return self.source


def key_of(request: Request) -> str:
    return request.headers["authorization"].partition("Credential=")[2].partition("/")[0]


async def fault_of(client: SqsClient) -> QueueError:
    with pytest.raises(QueueError) as caught:
        await client.get_queue_url("jobs")
    return caught.value


@pytest.mark.parametrize(
    "shape", ["ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"]
)
async def test_expired_credentials_are_fetched_anew_once_and_the_call_repeated(shape: str) -> None:
    source = Rotating()
    replies = in_turn(error(shape, status=403), answer({"QueueUrl": "url"}))

    async with serving(replies) as server:
        resolver = ResolverWith(config(f"http://127.0.0.1:{server.port}"), source)
        async with a_client(server.port, resolver=resolver) as client:
            assert await client.get_queue_url("jobs") == "url"

    assert [key_of(request) for request in server.requests] == ["AK1", "AK2"]


async def test_credentials_that_stay_expired_end_the_call() -> None:
    async with serving(always(error("ExpiredToken", status=403))) as server:
        resolver = ResolverWith(config(f"http://127.0.0.1:{server.port}"), Rotating())
        async with a_client(server.port, resolver=resolver) as client:
            refused = await fault_of(client)

    assert refused.fault.kind is FaultKind.CREDENTIALS
    assert len(server.requests) == 2


async def test_a_call_is_not_repeated_with_the_very_credentials_that_were_refused() -> None:
    async with serving(always(error("ExpiredToken", status=403))) as server:
        resolver = ResolverWith(config(f"http://127.0.0.1:{server.port}"), Rotating(different=False))
        async with a_client(server.port, resolver=resolver) as client:
            refused = await fault_of(client)

    assert refused.fault.kind is FaultKind.CREDENTIALS
    assert len(server.requests) == 1


SKEWED = [
    ("RequestExpired", ""),
    ("RequestTimeTooSkewed", ""),
    ("InvalidSignatureException", "Signature expired: 20261123T141333Z is now earlier than 20261123T150000Z"),
    ("SignatureDoesNotMatch", "Signature not yet current"),
]


@pytest.mark.parametrize(("shape", "message"), SKEWED)
@pytest.mark.parametrize("ahead_s", [3_600, -86_400])
async def test_a_wrong_clock_is_corrected_by_the_servers_date_and_the_call_repeated(
    shape: str, message: str, ahead_s: int
) -> None:
    """The service is `ahead_s` before this machine. Later calls are signed rightly at once."""
    service_s = time.time() + ahead_s
    told: list[str] = []
    refusal = error(shape, status=403, message=message, date=service_s)

    async with (
        serving(in_turn(refusal, answer({"QueueUrl": "url"}))) as server,
        a_client(server.port, notify=lambda event, fields: told.append(event)) as client,
    ):
        assert await client.get_queue_url("jobs") == "url"
        assert await client.get_queue_url("jobs") == "url"

    off_by_s = [abs(amz_moment(request.headers["x-amz-date"]).timestamp() - service_s) for request in server.requests]
    assert off_by_s[0] > 3_000
    assert off_by_s[1] < 30
    assert off_by_s[2] < 30
    assert told == ["clock.corrected"]


async def test_a_clock_is_corrected_once_in_a_call() -> None:
    refusal = error("RequestExpired", status=403, date=time.time() + 3_600)

    async with serving(always(refusal)) as server, a_client(server.port) as client:
        refused = await fault_of(client)

    assert refused.fault.kind is FaultKind.CREDENTIALS
    assert len(server.requests) == 2


async def test_a_wrong_secret_is_not_blamed_on_a_clock_that_is_right() -> None:
    refusal = error("SignatureDoesNotMatch", status=403, date=time.time())

    async with serving(always(refusal)) as server, a_client(server.port) as client:
        refused = await fault_of(client)

    assert refused.fault.kind is FaultKind.CREDENTIALS
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (error("QueueDoesNotExist", query="AWS.SimpleQueueService.NonExistentQueue"), FaultKind.MISSING),
        (answer(b"", status=400, headers={"x-amzn-query-error": "RequestThrottled;Sender"}), FaultKind.THROTTLED),
        (answer(b"<html>Bad Gateway</html>", status=502), FaultKind.UNAVAILABLE),
        (answer(b"Too many", status=429), FaultKind.THROTTLED),
        (answer({"__type": 5, "message": [1]}, status=400), FaultKind.REFUSED),
        (
            answer({"Message": "no"}, status=403, headers={"x-amzn-ErrorType": "AccessDeniedException:x"}),
            FaultKind.DENIED,
        ),
        (answer(b"[]", status=500), FaultKind.UNAVAILABLE),
        (answer(b"", status=301, headers={"Location": "http://127.0.0.1:1/"}), FaultKind.REFUSED),
    ],
)
async def test_an_error_is_classified_whatever_form_it_has(reply: bytes, kind: FaultKind) -> None:
    async with serving(always(reply)) as server, a_client(server.port) as client:
        refused = await fault_of(client)

    assert refused.fault.kind is kind
    assert refused.operation == "GetQueueUrl"
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", [b"[]", b"null", b'"x"', b"{", b'{"QueueUrl":', b"\xff\xfe", b"[" * 100_000])
async def test_an_answer_that_is_no_object_may_still_have_been_carried_out(body: bytes) -> None:
    async with serving(always(answer(body))) as server, a_client(server.port) as client:
        refused = await fault_of(client)

    assert refused.fault.kind is FaultKind.NO_ANSWER


async def calls_of(client: SqsClient) -> list[object]:
    """Call every operation and collect results and queue errors. Anything else escapes."""

    async def tried(call: Callable[[], object]) -> object:
        with contextlib.suppress(QueueError):
            return await call()  # type: ignore[misc]
        return None

    return [
        await tried(lambda: client.receive_message(QUEUE, count_max=10, wait_s=0, visibility_s=30)),
        await tried(lambda: client.delete_message_batch(QUEUE, ["r"] * 3)),
        await tried(lambda: client.change_message_visibility_batch(QUEUE, [Visibility("r", 5)])),
        await tried(lambda: client.get_queue_attributes(QUEUE, ["All"])),
        await tried(lambda: client.get_queue_url("q")),
    ]


BODIES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [b"", b"{}", b'{"Messages":[{}]}', b'{"Messages":{"a":1}}', b'{"Successful":[{"Id":1}]}', b'{"Failed":5}']
    ),
)


@given(body=BODIES, status=st.sampled_from([200, 200, 200, 400, 403, 500, 503]), cut=st.integers(0, 3))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_answer_of_a_server_makes_a_client_raise_anything_but_a_queue_error(
    body: bytes, status: int, cut: int
) -> None:
    async def scenario() -> None:
        whole = answer(body, status=status)

        async def answering(request: Request, writer: asyncio.StreamWriter) -> None:
            writer.write(whole[: len(whole) - cut])
            if cut:
                writer.close()

        async with serving(answering) as server, a_client(server.port) as client:
            assert len(await calls_of(client)) == 5

    asyncio.run(scenario())


async def test_a_hundred_long_polls_do_not_keep_a_renewal_waiting() -> None:
    polls_open = asyncio.Event()
    waiting = 0

    async def polls_hang(request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal waiting
        if request.operation == "ReceiveMessage":
            waiting += 1
            if waiting == 100:
                polls_open.set()
            await never(request, writer)
        else:
            writer.write(answer({"Successful": [{"Id": "0"}]}))

    async with serving(polls_hang) as server, a_client(server.port) as client:
        polls = [
            asyncio.create_task(client.receive_message(QUEUE, count_max=10, wait_s=20, visibility_s=30))
            for _ in range(100)
        ]
        await asyncio.wait_for(polls_open.wait(), 20)

        renewed = await client.change_message_visibility_batch(QUEUE, [Visibility("r", 30)], timeout_s=5)

        assert renewed == {}
        for poll in polls:
            poll.cancel()
        await asyncio.gather(*polls, return_exceptions=True)


async def test_a_hung_service_is_given_up_after_the_wait_and_the_margin() -> None:
    async def hung_at_last(request: Request, writer: asyncio.StreamWriter) -> None:
        if len(server.requests) == 1:
            writer.write(answer())
        else:
            await never(request, writer)

    async with serving(hung_at_last) as server, a_client(server.port) as client:
        await client.receive_message(QUEUE, count_max=1, wait_s=0, visibility_s=30)
        with pytest.raises(QueueError) as caught:
            await client.receive_message(QUEUE, count_max=1, wait_s=0, visibility_s=30, margin_s=0.1)

    assert caught.value.fault.kind is FaultKind.NO_ANSWER
    assert len(server.requests) == 2


async def test_a_client_that_was_closed_says_so() -> None:
    async with serving(always(answer())) as server:
        async with a_client(server.port) as client:
            pass

        assert (await fault_of(client)).fault.kind is FaultKind.UNAVAILABLE


async def test_requests_are_counted_as_made_and_as_billed() -> None:
    async with serving(always(answer({"QueueUrl": "u" * 140_000}))) as server, a_client(server.port) as client:
        await client.get_queue_url("q")
        await client.get_queue_url("q")

    assert client.caller.tally.requests == {"GetQueueUrl": 2}
    assert client.caller.tally.billed == 6


async def test_nothing_is_looked_up_before_the_first_call() -> None:
    source = Rotating()
    async with serving(always(answer({"QueueUrl": "u"}))) as server:
        resolver = ResolverWith(config(f"http://127.0.0.1:{server.port}"), source)
        async with a_client(server.port, resolver=resolver) as client:
            before = (source.loads, server.connections)
            await asyncio.gather(*(client.get_queue_url("q") for _ in range(5)))

    assert before == (0, 0)
    assert source.loads == 1


async def test_closing_while_credentials_are_awaited_is_an_error_and_no_cancellation() -> None:
    gate, loop, asked = threading.Event(), asyncio.get_running_loop(), asyncio.Event()

    class Slow(Rotating):
        def load(self) -> Credentials:
            loop.call_soon_threadsafe(asked.set)
            gate.wait(5)
            return super().load()

    async with serving(always(answer({"QueueUrl": "u"}))) as server:
        resolver = ResolverWith(config(f"http://127.0.0.1:{server.port}"), Slow())
        async with a_client(server.port, resolver=resolver) as client:
            waiting = asyncio.create_task(client.get_queue_url("q"))
            await asyncio.wait_for(asked.wait(), 5)
            await client.aclose()
            gate.set()

            with pytest.raises(QueueError) as caught:
                await waiting

    assert caught.value.fault.kind is FaultKind.UNAVAILABLE
