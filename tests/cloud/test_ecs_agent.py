"""The local ECS agent, asked by plain HTTP as any container would (facts/ecs-task-protection.md sections 1, 2, 5)."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.cloud.agent_client import STATE, ask, harm, put

from forebay.clock import VirtualClock
from forebay.cloud.agent_ecs import AgentTask, EcsError, Failure, Question, Verdict
from forebay.cloud.background import InThread
from forebay.cloud.chaos import Effect
from forebay.cloud.ecs_agent import EcsAgent


@pytest.fixture
def agent() -> Iterator[InThread[EcsAgent]]:
    with EcsAgent.in_thread(ecs_timeout_s=0.05) as running:
        yield running


# ── the order of checks ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "body", ["", "{", "[]", '"x"', '{"Unknown":1}', '{"ProtectionEnabled":"true"}', '{"ExpiresInMinutes":1.5}']
)
def test_a_body_that_cannot_be_decoded_is_refused_before_the_task_is_looked_for(
    agent: InThread[EcsAgent], body: str
) -> None:
    said = ask(agent, "PUT", STATE.replace("worker-1", "nobody"), body)

    assert said.status == 400
    assert said.json == {
        "error": {
            "Code": "InvalidParameterException",
            "Message": "UpdateTaskProtection: failed to decode request",
        }
    }


def test_an_unknown_task_is_missed_before_the_field_is(agent: InThread[EcsAgent]) -> None:
    said = ask(agent, "PUT", STATE.replace("worker-1", "nobody"), "{}")

    assert said.status == 404
    assert said.json["error"] == {
        "Code": "ResourceNotFoundException",
        "Message": "Failed to find a task for the request",
    }


@pytest.mark.parametrize("body", ["{}", "null", '{"ProtectionEnabled":null,"ExpiresInMinutes":5}'])
def test_a_missing_field_is_refused_before_the_role_and_names_the_task(agent: InThread[EcsAgent], body: str) -> None:
    task = agent.call(lambda service: service.add(AgentTask("bare", has_role=False)))

    said = ask(agent, "PUT", STATE.replace("worker-1", "bare"), body)

    assert said.status == 400
    assert said.json["error"] == {
        "Arn": task.arn,
        "Code": "InvalidParameterException",
        "Message": "Invalid request: does not contain 'ProtectionEnabled' field",
    }


def test_a_task_without_a_role_is_refused_before_ecs_is_asked(agent: InThread[EcsAgent]) -> None:
    agent.call(lambda service: service.add(AgentTask("bare", has_role=False, service="")))

    said = ask(agent, "GET", STATE.replace("worker-1", "bare"))

    assert said.status == 403
    assert said.json["error"]["Code"] == "AccessDeniedException"
    assert said.json["error"]["Message"] == "Invalid Request: no task IAM role credentials available for task"
    assert "requestID" not in said.json


def test_a_task_of_no_service_is_a_failure_with_http_200(agent: InThread[EcsAgent]) -> None:
    task = agent.call(lambda service: service.add(AgentTask("alone", service="")))

    said = ask(agent, "PUT", STATE.replace("worker-1", "alone"), '{"ProtectionEnabled":true}')

    assert said.status == 200
    assert said.json == {"failure": {"Arn": task.arn, "Detail": None, "Reason": "TASK_NOT_VALID"}}


@pytest.mark.parametrize("method", ["POST", "DELETE", "PATCH", "HEAD"])
def test_other_methods_get_an_empty_405(agent: InThread[EcsAgent], method: str) -> None:
    said = ask(agent, method)

    assert (said.status, said.text) == (405, "")


def test_doubled_slashes_get_a_redirect_to_the_clean_path(agent: InThread[EcsAgent]) -> None:
    said = ask(agent, "PUT", STATE.replace("/task", "//task"), '{"ProtectionEnabled":true}')

    assert said.status == 301
    assert said.headers["location"] == STATE


def test_a_path_that_the_agent_does_not_have_is_not_found_in_plain_text(agent: InThread[EcsAgent]) -> None:
    said = ask(agent, "GET", "/api/worker-1/other")

    assert (said.status, said.text) == (404, "404 page not found\n")


# ── protection ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_task_that_nobody_has_protected_says_so(agent: InThread[EcsAgent]) -> None:
    task = agent.service.tasks["worker-1"]

    said = ask(agent, "GET")

    assert said.status == 200
    assert said.headers["content-type"] == "application/json"
    assert said.json == {
        "protection": {"ExpirationDate": None, "ProtectionEnabled": False, "TaskArn": task.arn},
    }


def test_protection_is_set_seen_and_cleared(agent: InThread[EcsAgent]) -> None:
    set_to = put(agent, ProtectionEnabled=True, ExpiresInMinutes=5).json["protection"]
    seen = ask(agent, "GET").json["protection"]
    cleared = put(agent, ProtectionEnabled=False).json["protection"]

    assert set_to["ProtectionEnabled"] is True
    assert seen["ProtectionEnabled"] is True
    assert cleared == {
        "ExpirationDate": None,
        "ProtectionEnabled": False,
        "TaskArn": agent.service.tasks["worker-1"].arn,
    }


def at_noon(milliseconds: int = 0, **options: Any) -> InThread[EcsAgent]:
    """An agent whose clock stands."""
    start_utc = datetime(2026, 12, 20, 12, 0, 0, milliseconds * 1_000, tzinfo=UTC)
    return EcsAgent.in_thread(clock=VirtualClock(start_utc=start_utc), **options)


@pytest.mark.parametrize(("milliseconds", "written"), [(837, "12:05:00.837Z"), (830, "12:05:00.83Z"), (0, "12:05:00Z")])
def test_a_write_tells_milliseconds_unless_they_are_zero_and_a_look_whole_seconds(
    milliseconds: int, written: str
) -> None:
    with at_noon(milliseconds) as agent:
        set_to = put(agent, ProtectionEnabled=True, ExpiresInMinutes=5).json["protection"]
        seen = ask(agent, "GET").json["protection"]

    assert set_to["ExpirationDate"] == f"2026-12-20T{written}"
    assert seen["ExpirationDate"] == "2026-12-20T12:05:00Z"


def test_without_minutes_two_hours_are_meant() -> None:
    with at_noon() as agent:
        said = put(agent, ProtectionEnabled=True)

    assert said.json["protection"]["ExpirationDate"] == "2026-12-20T14:00:00Z"


def test_protection_ends_by_itself_at_its_expiry() -> None:
    clock = VirtualClock()
    with EcsAgent.in_thread(clock=clock) as agent:
        put(agent, ProtectionEnabled=True, ExpiresInMinutes=1)
        agent.call(lambda _: clock.advance(59.9))
        before = ask(agent, "GET").json["protection"]["ProtectionEnabled"]
        agent.call(lambda _: clock.advance(0.1))
        after = ask(agent, "GET").json["protection"]["ProtectionEnabled"]

    assert (before, after) == (True, False)


def test_asking_again_resets_the_clock_even_to_less() -> None:
    with at_noon() as agent:
        put(agent, ProtectionEnabled=True, ExpiresInMinutes=60)
        said = put(agent, ProtectionEnabled=True, ExpiresInMinutes=1)

    assert said.json["protection"]["ExpirationDate"] == "2026-12-20T12:01:00Z"


@pytest.mark.parametrize("minutes", [0, -1, 2_881, 2**31])
def test_minutes_out_of_bounds_are_refused_by_ecs_with_a_request_id(agent: InThread[EcsAgent], minutes: int) -> None:
    said = put(agent, ProtectionEnabled=True, ExpiresInMinutes=minutes)

    assert said.status == 400
    assert said.json["error"]["Code"] == "InvalidParameterException"
    assert re.fullmatch(r"[0-9a-f-]{36}", said.json["requestID"])


def test_each_task_has_its_own_protection(agent: InThread[EcsAgent]) -> None:
    agent.call(lambda service: service.add(AgentTask("worker-2")))

    put(agent, ProtectionEnabled=True)

    assert ask(agent, "GET", STATE.replace("worker-1", "worker-2")).json["protection"]["ProtectionEnabled"] is False


def test_whoever_decides_is_asked_and_obeyed() -> None:
    asked: list[Question] = []

    def decide(question: Question) -> Verdict | None:
        asked.append(question)
        return Failure("DEPLOYMENT_BLOCKED") if question.enabled else None

    with EcsAgent.in_thread(decide=decide) as agent:
        refused = put(agent, ProtectionEnabled=True, ExpiresInMinutes=7)
        seen = ask(agent, "GET")
        cleared = put(agent, ProtectionEnabled=False)

    assert (refused.status, refused.json["failure"]["Reason"]) == (200, "DEPLOYMENT_BLOCKED")
    assert seen.json["protection"]["ProtectionEnabled"] is False
    assert "protection" in cleared.json
    assert [(question.operation, question.enabled, question.minutes) for question in asked] == [
        ("update", True, 7),
        ("get", None, None),
        ("update", False, None),
    ]


def test_a_decision_can_be_an_error_of_ecs() -> None:
    with EcsAgent.in_thread(decide=lambda _: EcsError(400, "ClusterNotFoundException", "Cluster not found.")) as agent:
        said = ask(agent, "GET")

    assert said.status == 400
    assert said.json["error"]["Code"] == "ClusterNotFoundException"


# ── limits ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_agent_lets_sixty_calls_through_at_once_and_forty_a_second() -> None:
    clock = VirtualClock()
    with EcsAgent.in_thread(clock=clock) as agent:
        first = [ask(agent, "GET").status for _ in range(61)]
        agent.call(lambda _: clock.advance(0.5))
        later = [ask(agent, "GET").status for _ in range(21)]
        elsewhere = ask(agent, "GET", "/v4/worker-1/task").status

    assert first == [200] * 60 + [429]
    assert later == [200] * 20 + [429]
    assert elsewhere == 200  # another path, another bucket


def test_the_agents_limit_is_told_in_plain_text() -> None:
    with EcsAgent.in_thread(agent_burst=1, clock=VirtualClock()) as agent:
        ask(agent, "GET")
        said = ask(agent, "GET")

    assert said.status == 429
    assert said.text == "You have reached maximum request limit."
    assert said.headers["content-type"].startswith("text/plain")
    assert said.headers["x-rate-limit-limit"] == "40.00"
    assert said.headers["x-rate-limit-duration"] == "1"


def test_the_limit_of_ecs_behind_all_tasks_is_a_throttling_exception() -> None:
    tasks = [AgentTask("worker-1"), AgentTask("worker-2")]
    with EcsAgent.in_thread(tasks, ecs_burst=1, clock=VirtualClock()) as agent:
        ask(agent, "GET")
        said = ask(agent, "GET", STATE.replace("worker-1", "worker-2"))

    assert said.status == 400
    assert said.json["error"]["Code"] == "ThrottlingException"
    assert said.json["error"]["Message"] == "Rate exceeded"


# ── trouble on order ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("effect", "detail", "status", "code"),
    [
        (Effect.THROTTLE, "", 400, "ThrottlingException"),
        (Effect.DENY, "", 400, "AccessDeniedException"),
        (Effect.DENY, "role", 403, "AccessDeniedException"),
        (Effect.MISSING, "", 404, "ResourceNotFoundException"),
        (Effect.SERVER_ERROR, "", 500, "ServerException"),
        (Effect.SERVER_ERROR, "find-task", 500, "ServerException"),
        (Effect.SERVER_ERROR, "timeout", 504, "RequestCanceled"),
        (Effect.UNAVAILABLE, "", 503, "ServerException"),
    ],
)
def test_trouble_comes_in_the_agents_own_words(
    agent: InThread[EcsAgent], effect: Effect, detail: str, status: int, code: str
) -> None:
    harm(agent, effect, detail)

    said = put(agent, ProtectionEnabled=True)

    assert (said.status, said.json["error"]["Code"]) == (status, code)
    assert agent.call(lambda service: service.ecs.expiry(service.tasks["worker-1"])) is None


@pytest.mark.parametrize(("effect", "is_carried_out"), [(Effect.DROP_BEFORE, False), (Effect.DROP_AFTER, True)])
def test_a_dropped_call_may_have_been_carried_out(
    agent: InThread[EcsAgent], effect: Effect, is_carried_out: bool
) -> None:
    harm(agent, effect)

    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        put(agent, ProtectionEnabled=True)

    is_held = agent.call(lambda service: service.ecs.expiry(service.tasks["worker-1"]) is not None)
    assert is_held is is_carried_out


def test_trouble_can_be_ordered_and_cleared_over_http(agent: InThread[EcsAgent]) -> None:
    ordered = ask(agent, "POST", "/_forebay/chaos", '{"effect":"refuse","detail":"MISSING","times":1}')
    refused = put(agent, ProtectionEnabled=True)
    again = put(agent, ProtectionEnabled=True)
    ask(agent, "POST", "/_forebay/chaos?task=worker-2", '{"effect":"throttle"}')
    other_task = put(agent, ProtectionEnabled=True)

    assert ordered.status == 200
    assert refused.json["failure"]["Reason"] == "MISSING"
    assert "protection" in again.json
    assert "protection" in other_task.json
