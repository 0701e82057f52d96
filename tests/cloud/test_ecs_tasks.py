"""One task as a process: its lines, its signals, its end, and that nothing of it is left."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from tests.cloud.ecs_tasks import IDLE, LEAVES_ON_SIGTERM, STUBBORN, Heard, Task, environment, is_alive, program

from forebay.cloud.background import fastest_loop
from forebay.cloud.ecs_guard import Guard
from forebay.cloud.ecs_process_end import ProcessEnd
from forebay.cloud.ecs_task_log import TaskLog
from forebay.cloud.ecs_tasks import TaskCommand, TaskProcess

Scenario = Callable[[], Coroutine[Any, Any, None]]

pytestmark = pytest.mark.processes


def run(scenario: Scenario) -> None:
    """Run on the loop that the product uses."""
    with asyncio.Runner(loop_factory=fastest_loop()) as runner:
        runner.run(scenario())


def test_lines_of_both_streams_come_whole_and_before_the_end() -> None:
    async def scenario() -> None:
        async with Task("say('one')\nsys.stderr.write('two\\nthr')\nsys.stderr.write('ee')\nsys.exit(3)") as task:
            assert await task.heard.exit() == 3
        assert task.heard.lines == ["one", "two", "three"]
        assert task.process.exit_code == 3
        assert task.log.last(2) == ["two", "three"]

    run(scenario)


def test_what_is_left_in_the_pipe_is_read_before_the_end_is_told() -> None:
    async def scenario() -> None:
        async with Task("os.write(1, b'x\\n' * 30000)") as task:
            assert await task.heard.exit() == 0
        assert len(task.heard.lines) == 30_000

    run(scenario)


def test_a_task_that_reads_finds_nothing_and_has_a_session_of_its_own() -> None:
    async def scenario() -> None:
        async with Task("say(repr(sys.stdin.read()), os.getsid(0) == os.getpid())") as task:
            await task.heard.exit()
        assert task.heard.lines == ["'' True"]

    run(scenario)


def test_sigterm_asks_and_sigkill_ends() -> None:
    async def scenario() -> None:
        async with Task(LEAVES_ON_SIGTERM) as polite, Task(STUBBORN) as stubborn:
            await polite.heard.line("ready")
            await stubborn.heard.line("ready")
            polite.process.terminate()
            stubborn.process.terminate()
            assert await polite.heard.exit() == 0
            assert stubborn.process.is_running
            stubborn.process.kill()
            assert await stubborn.heard.exit() == -signal.SIGKILL

    run(scenario)


def test_a_frozen_task_stands_still_until_it_is_let_go() -> None:
    async def scenario() -> None:
        async with Task(LEAVES_ON_SIGTERM) as task:
            await task.heard.line("ready")
            task.process.freeze(True)
            task.process.terminate()  # It waits, with the process.
            assert task.process.is_frozen
            assert task.process.is_running
            task.process.freeze(False)
            assert await task.heard.exit() == 0

    run(scenario)


def test_a_frozen_task_can_be_killed() -> None:
    async def scenario() -> None:
        async with Task(IDLE) as task:
            await task.heard.line("ready")
            task.process.freeze(True)
            task.process.kill()
            assert await task.heard.exit() == -signal.SIGKILL
            assert not task.process.is_frozen

    run(scenario)


GRANDCHILD = """
child = os.fork()
if child == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    say('grandchild', os.getpid())
    while True: signal.pause()
"""


def test_what_a_task_has_started_ends_with_it() -> None:
    async def scenario() -> None:
        async with Task(GRANDCHILD + "signal.pause()") as task:
            while not any(line.startswith("grandchild") for line in task.heard.lines):
                task.heard.news.clear()
                await task.heard.news.wait()
            grandchild = int(task.heard.lines[0].split()[1])
            task.process.terminate()
            await task.heard.exit()
        assert task.process.pid is not None
        assert not is_alive(task.process.pid)
        await gone(grandchild)

    run(scenario)


async def gone(pid: int) -> None:
    """Wait until somebody else's child has been reaped: a pidfd would tell of a zombie already."""
    async with asyncio.timeout(10):
        while is_alive(pid) and not is_zombie(pid):  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.005)  # between two looks at another process


def is_zombie(pid: int) -> bool:
    """A container's process 1 may not reap what it did not start; dead it is all the same."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_command_that_does_not_exist_is_an_error_and_leaves_nothing_open() -> None:
    async def scenario() -> None:
        heard, guard = Heard(), Guard()
        task = TaskProcess("task-1", TaskLog(), guard=guard, on_line=heard.on_line, on_exit=heard.on_exit)
        before = len(os.listdir("/dev/fd"))
        guard.open()
        with_guard = len(os.listdir("/dev/fd"))
        with pytest.raises(FileNotFoundError):
            task.start(TaskCommand(arguments=["/nowhere/at-all"], environment={}))
        assert len(os.listdir("/dev/fd")) == with_guard
        guard.close()
        assert len(os.listdir("/dev/fd")) == before
        assert not task.is_running

    run(scenario)


def test_the_end_is_told_even_when_who_hears_the_lines_fails() -> None:
    async def scenario() -> None:
        failures: list[str] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: failures.append(str(context.get("exception") or context["message"]))
        )
        heard, guard = Heard(), Guard()

        def fail(_task_id: str, line: bytes) -> None:
            raise ValueError(f"cannot make sense of {line!r}")

        task = TaskProcess("task-1", TaskLog(), guard=guard, on_line=fail, on_exit=heard.on_exit)
        task.start(TaskCommand(arguments=program("os.write(1, b'left in the pipe')"), environment=environment()))
        assert await heard.exit() == 0
        guard.close()
        assert any("cannot make sense" in failure for failure in failures)

    run(scenario)


def test_descriptors_and_pids_of_ended_tasks_are_given_back() -> None:
    async def scenario() -> None:
        async with Task("pass"):  # The loop opens what it needs once.
            pass
        before = len(os.listdir("/dev/fd"))
        for _ in range(3):
            async with Task("say('done')") as task:
                await task.heard.exit()
            assert task.process.pid is not None
            assert not is_alive(task.process.pid)
        assert len(os.listdir("/dev/fd")) == before

    run(scenario)


def test_signals_to_a_task_that_has_ended_go_to_nobody() -> None:
    async def scenario() -> None:
        async with Task("pass") as task:
            await task.heard.exit()
            task.process.terminate()
            task.process.kill()
            task.process.freeze(True)
            assert not task.process.is_frozen

    run(scenario)


def test_what_a_task_used_is_known_when_it_has_ended() -> None:
    async def scenario() -> None:
        async with Task("x = bytearray(30_000_000); sum(range(300_000))") as task:
            await task.heard.exit()
        usage = task.process.usage
        assert usage is not None
        assert usage.cpu_s > 0
        assert 30_000_000 < usage.memory_peak_bytes < 3_000_000_000

    run(scenario)


def test_the_lines_of_a_task_are_appended_to_its_file(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Task("say('one'); say('two')", file=tmp_path / "logs" / "jobs" / "task-1.log") as task:
            await task.heard.exit()

    run(scenario)
    assert (tmp_path / "logs" / "jobs" / "task-1.log").read_text() == "one\ntwo\n"


def test_without_pidfds_a_thread_tells_of_the_end_and_leaves_the_process_to_be_reaped() -> None:
    async def scenario() -> None:
        ended = asyncio.Event()
        child = subprocess.Popen(program("sys.exit(7)"), env=environment())  # noqa: ASYNC220 - it does not wait
        ProcessEnd(child.pid, ended.set, by_thread=True)
        async with asyncio.timeout(20):
            await ended.wait()
        assert child.wait() == 7

    run(scenario)


def test_on_asyncios_own_loop_it_works_as_well() -> None:
    async def scenario() -> None:
        async with Task("say('here')") as task:
            assert await task.heard.exit() == 0
        assert task.heard.lines == ["here"]

    asyncio.run(scenario())
