"""`with SyncTaskProtection() as p: with p.hold(): …` from threads."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from forebay.cloud.background import InThread
from forebay.cloud.chaos import ChaosRule, Effect
from forebay.cloud.ecs_agent import EcsAgent
from forebay.errors import ProtectionError
from forebay.protection import ArticleSettings, SyncTaskProtection


def writes(agent: InThread[EcsAgent]) -> list[tuple[bool | None, int | None]]:
    return agent.call(lambda service: [(call.enabled, call.minutes) for call in service.calls if call.method == "PUT"])


def test_a_block_in_a_thread_is_protected(agent: InThread[EcsAgent]) -> None:
    with (
        SyncTaskProtection(agent_uri=agent.service.agent_uri()) as protection,
        protection.hold(limit_s=900) as is_protected,
    ):
        seen = protection.is_protected

    assert is_protected
    assert seen
    assert writes(agent) == [(True, 20), (False, None)]


def test_many_threads_share_one_hold(agent: InThread[EcsAgent]) -> None:
    together = Barrier(8)

    with SyncTaskProtection(agent_uri=agent.service.agent_uri(), linger_s=30.0) as protection:

        def work(_: int) -> bool:
            together.wait()
            with protection.hold(limit_s=900) as is_protected:
                return is_protected

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(work, range(8)))

    assert answers == [True] * 8
    assert len([enabled for enabled, _ in writes(agent) if enabled]) == 1


def test_strict_raises_in_the_thread_that_asked(agent: InThread[EcsAgent]) -> None:
    agent.call(lambda service: service.chaos.add(ChaosRule(effect=Effect.REFUSE, detail="TASK_NOT_VALID")))

    with (
        SyncTaskProtection(agent_uri=agent.service.agent_uri(), strict=True) as protection,
        pytest.raises(ProtectionError, match="TASK_NOT_VALID"),
        protection.hold(limit_s=900),
    ):
        raise AssertionError("entered")


def test_an_exception_in_the_block_comes_out_as_itself(agent: InThread[EcsAgent]) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        SyncTaskProtection(agent_uri=agent.service.agent_uri()) as protection,
        protection.hold(limit_s=900),
    ):
        raise ZeroDivisionError

    assert writes(agent)[-1] == (False, None)


def test_after_stop_nothing_is_called(agent: InThread[EcsAgent]) -> None:
    with SyncTaskProtection(agent_uri=agent.service.agent_uri()) as protection, protection.hold(limit_s=900):
        protection.stop()

    assert writes(agent) == [(True, 20)]


def test_the_articles_settings_work_here_too(agent: InThread[EcsAgent]) -> None:
    settings = ArticleSettings(desired_protection_duration_in_mins=2)

    made = SyncTaskProtection.from_article_settings(settings, agent_uri=agent.service.agent_uri())
    with made as protection, protection.hold():
        pass

    assert writes(agent) == [(True, 2), (False, None)]


def test_outside_ecs_strict_is_an_error_at_the_start() -> None:
    with pytest.raises(ProtectionError, match="ECS_AGENT_URI is not set"), SyncTaskProtection(strict=True):
        raise AssertionError("entered")


def test_outside_ecs_a_process_is_warned_exactly_once() -> None:
    program = (
        "import logging; logging.basicConfig()\n"
        "from forebay.protection import SyncTaskProtection\n"
        "for _ in range(3):\n"
        "    with SyncTaskProtection() as p, p.hold(limit_s=60): print('ran')\n"
    )

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    assert ended.stdout.split() == ["ran"] * 3
    assert ended.stderr.count("ECS_AGENT_URI is not set") == 1


def test_the_pure_policy_loads_no_event_loop() -> None:
    program = (
        "import sys, forebay.protection.policy\n"
        "print([name for name in ('anyio', 'asyncio', 'threading', 'socket') if name in sys.modules])\n"
    )

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    assert "anyio" not in ended.stdout
    assert "asyncio" not in ended.stdout
