"""Every answer of the agent's tables (facts/ecs-task-protection.md section 1), over real sockets."""

from __future__ import annotations

import pytest
from tests.protection.raw_server import http, raw_server

from forebay.clock import VirtualClock
from forebay.cloud.agent_calls import Call
from forebay.cloud.agent_ecs import AgentTask, Failure
from forebay.cloud.background import InThread
from forebay.cloud.chaos import ChaosRule, Effect
from forebay.cloud.ecs_agent import EcsAgent
from forebay.errors import SettingsError
from forebay.protection.ecs import EcsProtection
from forebay.protection.port import Held, Refused, Unheld

UNPROTECTED = '{"protection":{"ExpirationDate":null,"ProtectionEnabled":false,"TaskArn":"a"}}'


def harm(agent: InThread[EcsAgent], effect: Effect, detail: str = "", **fields: float) -> None:
    rule = ChaosRule(effect=effect, detail=detail, delay_s=fields.get("delay_s", 0.0))
    agent.call(lambda service: service.chaos.add(rule))


def protection(agent: InThread[EcsAgent], endpoint_id: str = "worker-1", timeout_s: float = 6.0) -> EcsProtection:
    return EcsProtection(agent.service.agent_uri(endpoint_id), timeout_s=timeout_s)


def calls(agent: InThread[EcsAgent]) -> list[Call]:
    return agent.call(lambda service: list(service.calls))


def is_held_in_truth(agent: InThread[EcsAgent]) -> bool:
    return agent.call(lambda service: service.ecs.expiry(service.tasks["worker-1"]) is not None)


# ── success ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.anyio
async def test_hold_look_and_unhold_are_what_the_agent_takes_them_for(agent: InThread[EcsAgent]) -> None:
    client = protection(agent)

    held = await client.hold(minutes=5)
    seen = await client.look()
    unheld = await client.unhold()
    unseen = await client.look()

    assert isinstance(held, Held)
    assert isinstance(seen, Held)
    assert (unheld, unseen) == (Unheld(), Unheld())
    assert [(call.method, call.enabled, call.minutes) for call in calls(agent)] == [
        ("PUT", True, 5),
        ("GET", None, None),
        ("PUT", False, None),
        ("GET", None, None),
    ]


@pytest.mark.anyio
async def test_a_hold_counts_from_the_request_on_the_clock_that_is_given(agent: InThread[EcsAgent]) -> None:
    client = EcsProtection(agent.service.agent_uri(), clock=VirtualClock(start_at=50.0))

    held = await client.hold(minutes=5)

    assert held == Held(until_at=50.0 + 300.0)  # never more than was asked for, whatever the two clocks say


# ── failures: HTTP 200 ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("reason", "is_lasting"), [("DEPLOYMENT_BLOCKED", False), ("TASK_NOT_VALID", True), ("MISSING", True)]
)
async def test_http_200_with_a_failure_is_a_refusal(agent: InThread[EcsAgent], reason: str, is_lasting: bool) -> None:
    harm(agent, Effect.REFUSE, reason)

    answer = await protection(agent).hold(minutes=5)

    assert answer == Refused(reason, is_lasting=is_lasting)
    assert calls(agent)[0].status == 200
    assert not is_held_in_truth(agent)


@pytest.mark.anyio
async def test_a_look_can_be_refused_with_http_200_too(agent: InThread[EcsAgent]) -> None:
    agent.call(lambda service: service.add(AgentTask("lonely", service="")))

    assert await protection(agent, "lonely").look() == Refused("TASK_NOT_VALID", is_lasting=True)


# ── errors ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("effect", "detail", "reason", "is_lasting", "is_unknown"),
    [
        (Effect.THROTTLE, "", "ThrottlingException", False, False),
        (Effect.THROTTLE, "agent", "TooManyRequests", False, False),
        (Effect.DENY, "", "AccessDeniedException", True, False),
        (Effect.DENY, "role", "AccessDeniedException", True, False),
        (Effect.MISSING, "", "ResourceNotFoundException", True, False),
        (Effect.MISSING, "ClusterNotFoundException", "ClusterNotFoundException", True, False),
        (Effect.MISSING, "ClientException", "ClientException", True, False),
        (Effect.MISSING, "UnsupportedFeatureException", "UnsupportedFeatureException", True, False),
        (Effect.EXPIRED_TOKEN, "", "ExpiredTokenException", False, False),
        (Effect.SERVER_ERROR, "", "ServerException", False, True),
        (Effect.UNAVAILABLE, "", "ServerException", False, True),
        (Effect.SERVER_ERROR, "find-task", "ServerException", False, False),
        (Effect.SERVER_ERROR, "timeout", "RequestCanceled", False, True),
        (Effect.DROP_BEFORE, "", "ConnectionCut", False, True),
        (Effect.DROP_AFTER, "", "ConnectionCut", False, True),
        (Effect.CUT_SHORT, "", "ConnectionCut", False, True),
        (Effect.MALFORMED, "", "UnreadableAnswer", False, True),
    ],
)
async def test_each_error_says_whether_it_lasts_and_whether_the_write_may_have_happened(
    agent: InThread[EcsAgent], effect: Effect, detail: str, reason: str, is_lasting: bool, is_unknown: bool
) -> None:
    harm(agent, effect, detail)

    answer = await protection(agent).hold(minutes=5)

    assert isinstance(answer, Refused)
    assert (answer.reason, answer.is_lasting, answer.is_unknown) == (reason, is_lasting, is_unknown)


@pytest.mark.anyio
async def test_a_504_after_the_hold_was_carried_out_is_unknown_and_a_look_tells(agent: InThread[EcsAgent]) -> None:
    harm(agent, Effect.SERVER_ERROR, "timeout-carried-out")

    answer = await protection(agent).hold(minutes=5)
    agent.call(lambda service: service.chaos.clear())
    seen = await protection(agent).look()

    assert isinstance(answer, Refused)
    assert answer.is_unknown
    assert isinstance(seen, Held)


@pytest.mark.anyio
async def test_an_agent_that_waits_too_long_for_ecs_says_504_and_nothing_has_happened(
    agent: InThread[EcsAgent],
) -> None:
    harm(agent, Effect.DELAY_BEFORE, delay_s=60.0)

    answer = await protection(agent).hold(minutes=5)

    assert isinstance(answer, Refused)
    assert answer.reason == "RequestCanceled"
    assert not is_held_in_truth(agent)


@pytest.mark.anyio
async def test_an_agent_that_never_answers_is_given_up(agent: InThread[EcsAgent]) -> None:
    harm(agent, Effect.BLACK_HOLE)

    answer = await protection(agent, timeout_s=0.1).hold(minutes=5)

    assert answer == Refused("Timeout", is_lasting=False, detail="no answer in 0.1 s", is_unknown=True)


@pytest.mark.anyio
async def test_a_look_changes_nothing_so_nothing_about_it_is_unknown(agent: InThread[EcsAgent]) -> None:
    harm(agent, Effect.DROP_BEFORE)

    answer = await protection(agent).look()

    assert isinstance(answer, Refused)
    assert not answer.is_unknown


@pytest.mark.anyio
async def test_nobody_listening_is_a_refusal_that_passes_and_certainly_did_nothing() -> None:
    async with raw_server(b"") as address:
        pass  # The port was real a moment ago.

    answer = await EcsProtection(address).hold(minutes=5)

    assert isinstance(answer, Refused)
    assert (answer.reason, answer.is_lasting, answer.is_unknown) == ("ConnectionFailed", False, False)


@pytest.mark.anyio
async def test_an_endpoint_that_the_agent_does_not_know_lasts(agent: InThread[EcsAgent]) -> None:
    answer = await protection(agent, "nobody").hold(minutes=5)

    assert answer == Refused(
        "ResourceNotFoundException", is_lasting=True, detail="Failed to find a task for the request"
    )


@pytest.mark.anyio
async def test_a_task_without_a_role_is_told_so(agent: InThread[EcsAgent]) -> None:
    agent.call(lambda service: service.add(AgentTask("bare", has_role=False)))

    answer = await protection(agent, "bare").look()

    assert isinstance(answer, Refused)
    assert answer.is_lasting
    assert "no task IAM role credentials" in answer.detail


@pytest.mark.anyio
async def test_a_redirect_is_not_followed_but_explained(agent: InThread[EcsAgent]) -> None:
    client = EcsProtection(agent.service.agent_uri().replace("/api/", "/api//"))

    answer = await client.hold(minutes=5)

    assert isinstance(answer, Refused)
    assert (answer.reason, answer.is_lasting) == ("Redirected", True)
    assert "ECS_AGENT_URI" in answer.detail
    assert not is_held_in_truth(agent)


@pytest.mark.anyio
async def test_what_the_scheduler_decides_reaches_the_client(agent: InThread[EcsAgent]) -> None:
    with EcsAgent.in_thread(decide=lambda question: Failure("DEPLOYMENT_BLOCKED", "3 of 2")) as blocked:
        answer = await protection(blocked).hold(minutes=5)

    assert answer == Refused("DEPLOYMENT_BLOCKED", is_lasting=False, detail="3 of 2")


# ── bytes that no agent sends ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (http("405 Method Not Allowed"), "HTTP405"),
        (http("404 Not Found", "404 page not found\n"), "HTTP404"),
        (http("418 I'm a teapot", "[]"), "HTTP418"),
        (http("301 Moved Permanently", "", "Location: /elsewhere"), "Redirected"),
    ],
)
async def test_an_address_that_is_not_the_agents_lasts(said: bytes, reason: str) -> None:
    async with raw_server(said) as address:
        answer = await EcsProtection(address).hold(minutes=5)

    assert isinstance(answer, Refused)
    assert (answer.reason, answer.is_lasting) == (reason, True)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Length: minus one\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}and more\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 70_000 + b"\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 1_100_000,
        http("200 OK", "<html>"),
        http("200 OK", b"\xff\xfe"),
        http("200 OK", "[]"),
        http("200 OK", "{}"),
        http("200 OK", '{"protection":[]}'),
        http("200 OK", '{"protection":{"ProtectionEnabled":"yes"}}'),
        http("200 OK", "[" * 100_000),
    ],
)
async def test_bytes_that_are_no_answer_leave_a_write_unknown(said: bytes) -> None:
    async with raw_server(said) as address:
        answer = await EcsProtection(address).hold(minutes=5)

    assert isinstance(answer, Refused)
    assert answer.is_unknown
    assert not answer.is_lasting


@pytest.mark.anyio
@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n" + http("200 OK", UNPROTECTED),
        b"HTTP/1.1 200 OK\r\n\r\n" + UNPROTECTED.encode(),
        b"HTTP/1.0 200 OK\nContent-Type: application/json\n\n" + UNPROTECTED.encode(),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"".join(b"1\r\n%c\r\n" % byte for byte in UNPROTECTED.encode())
        + b"0\r\n\r\n",
    ],
)
async def test_every_legal_way_to_frame_an_answer_is_read(said: bytes) -> None:
    async with raw_server(said) as address:
        assert await EcsProtection(address).unhold() == Unheld()


@pytest.mark.anyio
async def test_a_server_that_only_listens_costs_no_more_than_the_timeout() -> None:
    async with raw_server(None) as address:
        answer = await EcsProtection(address, timeout_s=0.1).look()

    assert isinstance(answer, Refused)
    assert answer.reason == "Timeout"


# ── the address ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "address", ["", "ecs", "https://169.254.170.2/api/x", "http://", "http://[::1/api", "http://a b/", "http://h:x/"]
)
def test_an_address_that_is_none_is_refused_at_once_by_name(address: str) -> None:
    with pytest.raises(SettingsError, match="ECS_AGENT_URI="):
        EcsProtection(address)


@pytest.mark.anyio
async def test_a_proxy_in_the_environment_is_not_used(
    agent: InThread[EcsAgent], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert isinstance(await protection(agent).hold(minutes=5), Held)
