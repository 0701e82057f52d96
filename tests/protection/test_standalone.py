"""`async with TaskProtection() as p: async with p.hold(): …` against the local agent, on every event loop."""

from __future__ import annotations

import logging
from collections.abc import Callable

import anyio
import pytest

from forebay.cloud.background import InThread
from forebay.cloud.chaos import ChaosRule, Effect
from forebay.cloud.ecs_agent import EcsAgent
from forebay.errors import ProtectionError, SettingsError
from forebay.protection import ArticleSettings, ProtectionEvent, TaskProtection
from forebay.protection.actions import Tuning

pytestmark = pytest.mark.anyio


def protecting(agent: InThread[EcsAgent], **options: object) -> TaskProtection:
    return TaskProtection(agent_uri=agent.service.agent_uri(), **{"linger_s": 0.0, **options})  # type: ignore[arg-type]


def writes(agent: InThread[EcsAgent]) -> list[tuple[bool | None, int | None]]:
    return agent.call(lambda service: [(call.enabled, call.minutes) for call in service.calls if call.method == "PUT"])


def is_held_in_truth(agent: InThread[EcsAgent]) -> bool:
    return agent.call(lambda service: service.ecs.expiry(service.tasks["worker-1"]) is not None)


def harm(agent: InThread[EcsAgent], effect: Effect, detail: str = "", times: int | None = None) -> None:
    agent.call(lambda service: service.chaos.add(ChaosRule(effect=effect, detail=detail, times=times)))


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what a call on another thread brings about."""
    with anyio.fail_after(5):
        while not condition():  # noqa: ASYNC110 - the agent lives on another loop: there is no event to wait for
            await anyio.sleep(0.005)


async def test_a_block_is_protected_from_its_first_line_to_its_last(agent: InThread[EcsAgent]) -> None:
    async with protecting(agent) as protection, protection.hold(limit_s=900) as is_protected:
        held_inside = is_held_in_truth(agent)

    assert is_protected
    assert held_inside
    assert not is_held_in_truth(agent)
    assert writes(agent) == [(True, 20), (False, None)]


async def test_the_hold_ends_with_the_last_of_several_blocks(agent: InThread[EcsAgent]) -> None:
    seen: list[bool] = []

    async def work(protection: TaskProtection, leave: anyio.Event) -> None:
        async with protection.hold(limit_s=900):
            await leave.wait()

    async with protecting(agent) as protection:
        first, second = anyio.Event(), anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(work, protection, first)
            tasks.start_soon(work, protection, second)
            await until(lambda: is_held_in_truth(agent))
            first.set()
            await anyio.wait_all_tasks_blocked()
            seen.append(is_held_in_truth(agent))
            second.set()
        await until(lambda: not is_held_in_truth(agent))

    assert seen == [True]
    assert writes(agent) == [(True, 20), (False, None)]


async def test_blocks_that_follow_each_other_share_a_hold_through_the_linger(agent: InThread[EcsAgent]) -> None:
    async with protecting(agent, linger_s=60.0) as protection:
        for _ in range(20):
            async with protection.hold(limit_s=900):
                assert protection.is_protected

    assert writes(agent) == [(True, 20), (False, None)]  # leaving the library does not wait for the linger


async def test_a_block_without_a_limit_asks_for_the_longest_hold(agent: InThread[EcsAgent]) -> None:
    async with protecting(agent) as protection, protection.hold():
        pass

    assert writes(agent)[0] == (True, 170)


async def test_a_refusal_lets_the_block_run_and_says_why(agent: InThread[EcsAgent]) -> None:
    harm(agent, Effect.REFUSE)

    async with protecting(agent) as protection, protection.hold(limit_s=900) as is_protected:
        reason = protection.reason

    assert not is_protected
    assert reason == "DEPLOYMENT_BLOCKED"


async def test_strict_turns_a_refusal_into_an_error_before_the_block(agent: InThread[EcsAgent]) -> None:
    harm(agent, Effect.DENY)
    entered = False

    async with protecting(agent, strict=True) as protection:
        with pytest.raises(ProtectionError, match="AccessDeniedException"):
            async with protection.hold(limit_s=900):
                entered = True

    assert not entered


async def test_patience_that_runs_out_lets_the_block_run_unprotected(agent: InThread[EcsAgent]) -> None:
    harm(agent, Effect.REFUSE)

    async with protecting(agent) as protection, protection.hold(limit_s=900, patience_s=0.05) as is_protected:
        pass

    assert not is_protected


async def test_patience_is_rewarded_when_the_service_comes_round(agent: InThread[EcsAgent]) -> None:
    async with protecting(agent, tuning=Tuning(retry_first_s=0.05)) as protection:
        await until(lambda: agent.call(lambda service: len(service.calls)) == 1)  # the look at the start
        harm(agent, Effect.REFUSE, times=1)
        async with protection.hold(limit_s=900, patience_s=30) as is_protected:
            pass

    assert is_protected


async def test_a_lost_answer_is_looked_into(agent: InThread[EcsAgent]) -> None:
    async with protecting(agent) as protection:
        await until(lambda: agent.call(lambda service: len(service.calls)) == 1)
        harm(agent, Effect.SERVER_ERROR, "timeout-carried-out", times=1)
        async with protection.hold(limit_s=900) as is_protected:
            pass

    assert is_protected
    methods = agent.call(lambda service: [call.method for call in service.calls])
    assert methods == ["GET", "PUT", "GET", "PUT"]


async def test_a_stale_hold_is_cleared_at_the_start(agent: InThread[EcsAgent]) -> None:
    agent.call(lambda service: service.ecs.set(service.tasks["worker-1"], minutes=100))
    events: list[str] = []

    async with protecting(agent, on_event=lambda event: events.append(event.name)):
        await until(lambda: not is_held_in_truth(agent))
        await until(lambda: "unprotected" in events)

    assert events == ["foreign", "unprotected"]


async def test_events_have_the_articles_names_and_carry_figures(agent: InThread[EcsAgent]) -> None:
    events: list[ProtectionEvent] = []

    async with protecting(agent, on_event=events.append) as protection:
        async with protection.hold(limit_s=900):
            pass
        await until(lambda: not is_held_in_truth(agent))
        await until(lambda: len(events) == 2)
        harm(agent, Effect.REFUSE)
        async with protection.hold(limit_s=900):
            pass

    assert [event.name for event in events] == ["protected", "unprotected", "rejected"]
    assert events[0].fields["minutes"] == 20
    assert events[2].fields["reason"] == "DEPLOYMENT_BLOCKED"


async def test_a_listener_that_fails_does_not_end_protection(
    agent: InThread[EcsAgent], caplog: pytest.LogCaptureFixture
) -> None:
    def fail(event: ProtectionEvent) -> None:
        raise RuntimeError("a secret")

    async with protecting(agent, on_event=fail) as protection, protection.hold(limit_s=900) as is_protected:
        pass

    assert is_protected
    assert "RuntimeError" in caplog.text
    assert "a secret" not in caplog.text


async def test_an_exception_in_the_block_comes_out_as_itself_and_lets_go(agent: InThread[EcsAgent]) -> None:
    with pytest.raises(ZeroDivisionError):
        async with protecting(agent) as protection, protection.hold(limit_s=900):
            raise ZeroDivisionError

    assert not is_held_in_truth(agent)


async def test_a_cancelled_program_still_lets_go(agent: InThread[EcsAgent]) -> None:
    with anyio.move_on_after(30) as scope:
        async with protecting(agent) as protection, protection.hold(limit_s=900):
            scope.cancel()
            await anyio.sleep_forever()

    assert not is_held_in_truth(agent)


async def test_after_stop_nothing_is_called_and_nothing_waits(agent: InThread[EcsAgent]) -> None:
    async with protecting(agent) as protection:
        async with protection.hold(limit_s=900):
            protection.stop()
        calls = agent.call(lambda service: len(service.calls))
        async with protection.hold(limit_s=90_000) as is_protected:
            pass

    assert not is_protected
    assert agent.call(lambda service: len(service.calls)) == calls
    assert is_held_in_truth(agent)


async def test_the_articles_settings_fix_every_hold(agent: InThread[EcsAgent]) -> None:
    settings = ArticleSettings(desired_protection_duration_in_mins=3)
    protection = TaskProtection.from_article_settings(settings, agent_uri=agent.service.agent_uri())

    async with protection, protection.hold(limit_s=36_000):
        pass

    assert writes(agent) == [(True, 3), (False, None)]


async def test_outside_ecs_it_says_so_once_and_carries_on(caplog: pytest.LogCaptureFixture) -> None:
    entered = 0
    with caplog.at_level(logging.WARNING, logger="forebay.protection"):
        for _ in range(2):
            async with TaskProtection() as protection, protection.hold(limit_s=900) as is_protected:
                entered += 1

    assert entered == 2
    assert not is_protected
    assert not protection.is_available
    assert caplog.text.count("ECS_AGENT_URI") <= 1  # once a process: an earlier test may have used it up


async def test_outside_ecs_strict_is_an_error_at_the_start() -> None:
    with pytest.raises(ProtectionError, match="ECS_AGENT_URI is not set"):
        async with TaskProtection(strict=True):
            raise AssertionError("entered")


async def test_the_agents_address_comes_from_the_environment(
    agent: InThread[EcsAgent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECS_AGENT_URI", agent.service.agent_uri())

    async with TaskProtection() as protection, protection.hold(limit_s=900) as is_protected:
        pass

    assert is_protected


async def test_a_malformed_address_is_an_error_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECS_AGENT_URI", "nonsense")

    with pytest.raises(SettingsError, match="ECS_AGENT_URI='nonsense'"):
        TaskProtection()
