"""How children find the worker, and what they run beside isolated jobs: programs, hooks, all jobs of a worker."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.handlers.children import is_alive
from tests.processes.harness import KEYS, PATIENCE_S, Sqs, assert_exact, clean_environment, running

pytestmark = pytest.mark.processes

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "processes.md").read_text(encoding="utf-8")

PROGRAM = """
import os, sys
from forebay import Context, Worker

worker = Worker("program")
print("imported as", __name__)

@worker.job(isolate=True)
def where(ctx: Context) -> None:
    ctx.log.info("in %d, arguments %s", os.getpid(), sys.argv[1:])

if __name__ == "__main__":
    worker.run()
"""

UNGUARDED = PROGRAM.replace('if __name__ == "__main__":\n    ', "")

HIDDEN = """
from forebay import Worker

def main():
    worker = Worker("hidden")

    @worker.job(isolate=True)
    def noop(): ...

    worker.run()

main()
"""

SERVING = """
import asyncio, logging, os
from forebay import Context, Worker

worker = Worker("served")

@worker.job(isolate=True)
def works(ctx: Context) -> None:
    ctx.log.info("in %d", os.getpid())
    print("printed")

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="PROGRAM %(levelname)s %(name)s %(message)s")
    print("status", asyncio.run(worker.serve()))
"""

HOOKS = """
import os
from dataclasses import dataclass
from forebay import Context, Worker

worker = Worker("hooked")

@dataclass
class Db:
    name: str

@worker.on_start
async def connect():
    db = Db(f"opened in {os.getpid()}")
    yield db
    print("closed in", os.getpid())

connect.__annotations__["return"] = __import__("collections.abc").abc.AsyncIterator[Db]

@worker.job(isolate=True)
def uses(ctx: Context) -> None:
    ctx.log.info("%s, used in %d", ctx.shared(Db).name, os.getpid())
"""

MANY = """
import os, threading
from forebay import Context, Worker

worker = Worker("many")

@worker.job
def plain(ctx: Context) -> None:
    ctx.log.info("in %d", os.getpid())
    ctx.stopping.wait(0.2)

@worker.job
async def coroutine(ctx: Context) -> None:
    ctx.log.info("in %d", os.getpid())

@worker.job(attempts=1)
def aborts() -> None:
    os.abort()
"""


STUBBORN = """
import os, time
from forebay import Context, Worker

worker = Worker("stubborn")

@worker.job(timeout="1s")
def never_listens(ctx: Context) -> None:
    ctx.log.info("in %d", os.getpid())
    while True:
        time.sleep(60)
"""


def run_program(sqs: Sqs, queue: str, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **clean_environment(), **KEYS, "AWS_ENDPOINT_URL_SQS": sqs.endpoint, "FOREBAY_QUEUE_URL": queue,
        "FOREBAY_EXIT_WHEN_EMPTY": "true",
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, check=False, timeout=PATIENCE_S,
    )  # fmt: skip


@pytest.mark.parametrize("command", [("program.py", "x"), ("-m", "package.program", "x")], ids=["a file", "a module"])
def test_a_program_that_runs_its_worker_is_imported_again_in_children(
    sqs: Sqs, tmp_path: Path, command: Sequence[str]
) -> None:
    queue = sqs.queue()
    sqs.send(queue, {}, job="where")
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "program.py").write_text(PROGRAM)

    done = run_program(sqs, queue, tmp_path, *command)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "imported as __main__" in done.stdout
    assert "imported as __forebay_main__" in done.stdout
    assert re.search(r"in \d+, arguments \['x'\]", done.stdout), done.stdout


def test_files_of_the_program_that_are_named_like_pythons_own_are_not_taken_for_those(sqs: Sqs, tmp_path: Path) -> None:
    queue = sqs.queue()
    sqs.send(queue, {}, job="where")
    (tmp_path / "jobs.py").write_text(PROGRAM)
    for name in ("signal.py", "socket.py", "tempfile.py"):
        (tmp_path / name).write_text("raise RuntimeError('not the one that is meant')")

    with running(sqs, [queue], "--exit-when-empty", target="jobs", folder=tmp_path) as worker:
        assert worker.wait() == 0, worker.errors

    assert worker.ledger["succeeded"] == 1


def test_a_program_that_runs_its_worker_at_import_is_told_what_to_do(sqs: Sqs, tmp_path: Path) -> None:
    queue = sqs.queue()
    (tmp_path / "program.py").write_text(UNGUARDED)

    worker = subprocess.Popen(
        [sys.executable, "program.py"], cwd=tmp_path, stdout=subprocess.PIPE, text=True,
        env={**clean_environment(), **KEYS, "AWS_ENDPOINT_URL_SQS": sqs.endpoint, "FOREBAY_QUEUE_URL": queue},
    )  # fmt: skip
    assert worker.stdout is not None
    told = next(line for line in worker.stdout if "A child process cannot be used" in line)
    worker.terminate()
    worker.communicate(timeout=PATIENCE_S)

    assert "SettingsError" in told
    assert '`if __name__ == "__main__":`' in told


def test_inside_another_program_records_of_children_go_to_the_handlers_of_the_program(sqs: Sqs, tmp_path: Path) -> None:
    queue = sqs.queue()
    sqs.send(queue, {}, job="works")
    (tmp_path / "program.py").write_text(SERVING)

    done = run_program(sqs, queue, tmp_path, "program.py")

    assert re.search(r"^PROGRAM INFO forebay\.job\.works in \d+$", done.stderr, flags=re.M), done.stderr
    assert done.stdout == "printed\nstatus 0\n"


def test_a_worker_that_no_child_could_find_is_refused_with_the_remedy(sqs: Sqs, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(HIDDEN)

    done = run_program(sqs, sqs.queue(), tmp_path, "program.py")

    assert done.returncode == 2, done.stdout + done.stderr
    assert "bind it to a name at the top of a module" in done.stderr


def test_hooks_run_in_every_child_and_only_there(sqs: Sqs, tmp_path: Path) -> None:
    queue = sqs.queue()
    sqs.send(queue, *({} for _ in range(4)), job="uses")
    (tmp_path / "jobs.py").write_text(HOOKS)

    with running(sqs, [queue], "--exit-when-empty", target="jobs", folder=tmp_path) as worker:
        assert worker.wait() == 0, worker.errors

    used = [re.fullmatch(r"opened in (\d+), used in (\d+)", str(line["message"])) for line in worker.events("log")]
    children = {found[1] for found in used if found}
    closed = {raw.removeprefix("closed in ") for raw in worker.raw if raw.startswith("closed in ")}
    assert all(found and found[1] == found[2] for found in used)
    assert children <= closed, worker.raw
    assert str(worker.process.pid) not in closed


def test_a_start_hook_that_fails_in_children_is_told_with_its_place(sqs: Sqs, tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(HOOKS.replace("    db = Db(", "    raise OSError('down')\n    db = Db("))

    with running(sqs, [sqs.queue()], target="jobs", folder=tmp_path) as worker:
        told = worker.wait_line("child.failed")
        worker.signal()
        status = worker.wait()

    assert (told["error"], status) == ("OSError: down", 0)
    assert re.search(r"jobs\.py:\d+ connect$", told["frames"])


def test_all_jobs_are_spread_over_several_processes_under_one_that_settles(sqs: Sqs, tmp_path: Path) -> None:
    queue = sqs.queue()
    sqs.send(queue, *({} for _ in range(12)), job="plain")
    sqs.send(queue, *({} for _ in range(12)), job="coroutine")
    (tmp_path / "jobs.py").write_text(MANY)
    options = ("--processes", "2", "--slots", "8", "--exit-when-empty")

    with running(sqs, [queue], *options, target="jobs", folder=tmp_path) as worker:
        assert worker.wait() == 0, worker.errors

    processes = Counter(str(line["message"]).removeprefix("in ") for line in worker.events("log"))
    assert sum(processes.values()) == 24
    assert len(processes) == 2
    assert str(worker.process.pid) not in processes
    assert worker.ledger["succeeded"] == 24
    assert_exact(worker.ledger)


def test_a_crash_among_several_jobs_is_the_fault_of_one(sqs: Sqs, tmp_path: Path) -> None:
    dead = sqs.queue()
    queue = sqs.queue(dead_letter=dead)
    sqs.send(queue, *({} for _ in range(6)), job="plain")
    sqs.send(queue, {}, job="aborts")
    (tmp_path / "jobs.py").write_text(MANY)
    options = ("--processes", "1", "--processes", "2", "--slots", "8", "--exit-when-empty")

    with running(sqs, [queue], *options, target="jobs", folder=tmp_path) as worker:
        assert worker.wait() == 0, worker.errors

    crashed = [line["job"] for line in worker.events("attempt.finished") if line["outcome"] == "crashed"]
    assert crashed == ["aborts"]
    assert (worker.ledger["succeeded"], worker.ledger["buried"], worker.ledger["retried"]) == (6, 1, 0)
    assert_exact(worker.ledger)


def test_the_program_of_the_page_works_as_it_stands(sqs: Sqs, tmp_path: Path) -> None:
    code = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.M | re.S)[0]
    queue = sqs.queue()
    sqs.send(queue, {"key": "a.png"}, job="thumbnail")
    (tmp_path / "shop.py").write_text(code)

    with running(sqs, [queue], "--exit-when-empty", target="shop:worker", folder=tmp_path) as worker:
        assert worker.wait() == 0, worker.errors

    assert worker.ledger["succeeded"] == 1
    assert len(worker.events("log")) == 1


def test_code_in_a_shared_child_that_will_not_end_is_released_and_its_process_ended(sqs: Sqs, tmp_path: Path) -> None:
    queue = sqs.queue()
    sqs.send(queue, {}, job="never_listens")
    (tmp_path / "jobs.py").write_text(STUBBORN.replace('timeout="1s"', 'timeout="1h"'))

    with running(
        sqs, [queue], "--processes", "2", "--drain", "1", "--slots", "2", target="jobs", folder=tmp_path
    ) as worker:
        child = int(str(worker.wait_line("log")["message"]).removeprefix("in "))
        worker.signal()
        status = worker.wait()

    assert status == 0
    assert worker.ledger["released"] == 1
    assert_exact(worker.ledger)
    assert not is_alive(child)


def test_code_in_a_shared_child_that_passes_its_limit_is_told_with_its_stack_and_replaced(
    sqs: Sqs, tmp_path: Path
) -> None:
    """A child with several jobs is not killed for one of them, so the whole worker gives its place to a new one."""
    queue = sqs.queue()
    sqs.send(queue, {}, job="never_listens")
    (tmp_path / "jobs.py").write_text(STUBBORN)

    with running(
        sqs, [queue], "--processes", "2", "--drain", "1", "--slots", "2", target="jobs", folder=tmp_path
    ) as worker:
        child = int(str(worker.wait_line("log")["message"]).removeprefix("in "))
        stuck = worker.wait_line("attempt.stuck")
        status = worker.wait()

    assert status == 1
    assert re.search(r"jobs\.py:\d+ never_listens$", stuck["stack"])
    assert not is_alive(child)
    assert_exact(worker.ledger)
