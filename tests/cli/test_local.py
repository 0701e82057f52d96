"""`forebay local`: the whole system as a user starts it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from time import monotonic

import pytest
from tests.cli.command import PATIENCE_S, Ran, forebay, run, surroundings

pytestmark = pytest.mark.processes

JOBS = """\
from forebay import Context, Reject, Worker

worker = Worker("shop")

@worker.default
async def work(ctx: Context, body: str) -> None:
    if body == "13":
        raise Reject("unlucky")
    ctx.log.info("worked")
"""

TWO_QUEUES = """\
from forebay import Worker

worker = Worker("shop")

@worker.default
async def first(body: str) -> None:
    await slow.aenqueue(body)

@worker.job(queue="https://sqs.eu-west-1.amazonaws.com/123456789012/slow")
async def slow(body: str) -> None: ...
"""

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ")


class Started:
    """A `forebay local` that runs, and its output as far as it was read."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*forebay(), "local", "--port", "0", *arguments],
            cwd=folder,
            env=surroundings(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []

    def read_until(self, part: str) -> str:
        """Return the first line that holds `part`; fails when the output ends without one."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if part in line:
                return line
        raise AssertionError(f"no line with {part!r} in {self.lines}")

    def worker_pids(self) -> list[int]:
        """The numbers of the processes that it has started, as the system has them."""
        found = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True, check=True
        )
        return [int(number) for number in found.stdout.split()]

    def insist(self, number: signal.Signals) -> None:
        """Send the signal until the process has gone: a storm, of which the second one that counts ends it."""
        until = monotonic() + PATIENCE_S
        while self.process.poll() is None and monotonic() < until:
            self.process.send_signal(number)
            time.sleep(0.15)  # between two looks

    def end(self) -> int:
        """Wait for the end and return the exit status."""
        out, _ = self.process.communicate(timeout=PATIENCE_S)
        self.lines += out.splitlines()
        return self.process.returncode


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(JOBS)
    return tmp_path


def is_gone(pid: int) -> bool:
    """Say whether the process ends in time."""
    until = monotonic() + PATIENCE_S
    while monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        state = Path(f"/proc/{pid}/stat")
        if state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z":
            return True  # Dead, and whoever inherited it has not looked yet.
    return False


def local(folder: Path, *arguments: str) -> Ran:
    return run("local", "--port", "0", *arguments, cwd=folder)


def test_one_task_shows_the_articles_lines_in_the_articles_order_and_leaves(folder: Path) -> None:
    ran = local(folder, "--tasks", "1", "--spike", "1:20")

    said = [STAMP.sub("", line) for line in ran.out.splitlines() if STAMP.match(line)]
    message_id = said[3].split(" ")[0]
    assert said[1:8] == [
        "Acquiring task protection",
        "Long polling for messages",
        f"{message_id} - Received",
        f"{message_id} - Working for 20 milliseconds",
        f"{message_id} - Done",
        "Releasing task protection",
        "Task protection released",
    ]
    assert said[-1].startswith("Worker stopped (SIGTERM), exit status 0: received 1 = succeeded 1 + ")
    assert ran.out.splitlines()[-1].startswith("1 messages sent, 1 deleted, 0 left in the queue, 0 in the dead-letter")
    assert (ran.status, ran.err) == (0, "")


def test_the_ledgers_of_all_tasks_are_summed_at_the_end(folder: Path) -> None:
    ran = local(folder, "--tasks", "2-2", "--spike", "30:100")

    summed = next(line for line in ran.out.splitlines() if line.startswith("the ledgers of 2 tasks, summed: "))
    assert "received 30 = succeeded 30 + " in summed
    assert summed.endswith("; orphaned 0")
    assert len({line.split("[")[1][:8] for line in ran.out.splitlines() if "] Worker sample started" in line}) == 2
    assert ran.status == 0


def test_from_zero_tasks_a_spike_wakes_the_service(folder: Path) -> None:
    ran = local(folder, "--tasks", "0-2", "--spike", "5:50", "--time-lapse", "60")

    assert "5 messages sent, 5 deleted, 0 left in the queue" in ran.out.splitlines()[-1]
    assert ran.status == 0


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--tasks", "8-2"), "--tasks 8-2: MIN must not be above MAX"),
        (("--tasks", "many"), "--tasks 'many' is neither MIN-MAX, such as 0-8, nor a number of tasks"),
        (("--spike", "300"), "--spike '300' is not N:MS, such as 100:500"),
        (("--time-lapse", "0"), "--time-lapse 0 is outside 1 to 1,000"),
        (("--open", "--no-page"), "--open shows the page that --no-page leaves out"),
        (("--", "--log", "xml"), "--log 'xml' is neither text nor json"),
    ],
)
def test_an_option_that_makes_no_sense_is_told_before_anything_starts(
    folder: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    ran = local(folder, *arguments)

    assert complaint in ran.err
    assert (ran.out, ran.status) == ("", 2)


def test_a_port_that_is_taken_is_told_with_who_has_it(folder: Path) -> None:
    started = Started(folder, "--stay", "--spike", "0")
    page = started.read_until("The page: ").split()[-1]
    port = page.rstrip("/").rpartition(":")[2]

    ran = run("local", "--port", port, cwd=folder)
    started.insist(signal.SIGINT)
    started.end()

    assert f"port {port} is taken (another `forebay local` (process {started.process.pid}) is at" in ran.err
    assert "choose another --port" in ran.err
    assert ran.status == 2


def test_with_json_lines_standard_output_holds_objects_only(folder: Path) -> None:
    ran = local(folder, "--tasks", "1", "--spike", "3:1", "--", "--log", "json")

    events = [json.loads(line)["event"] for line in ran.out.splitlines()]
    assert events[0] == "worker.started"
    assert events[-1] == "worker.stopped"
    assert events.count("attempt.finished") == 3
    assert len({json.loads(line)["task"] for line in ran.out.splitlines()}) == 1
    assert "AWS_ENDPOINT_URL_SQS=" in ran.err
    assert ran.status == 0


def test_the_lines_that_it_prints_point_other_programs_at_it(folder: Path) -> None:
    started = Started(folder, "shop", "--stay")
    exports = started.read_until("export AWS_ENDPOINT_URL_SQS=")
    env = dict(pair.split("=", 1) for pair in exports.replace("export", "").split())

    sent = run("send", "7", "--count", "5", cwd=folder, env=env)
    started.read_until("Every job is done")
    started.insist(signal.SIGINT)
    started.end()

    assert sent.status == 0
    assert set(env) == {
        "AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_ECS", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION",
        "AWS_DEFAULT_REGION", "FOREBAY_QUEUE_URL", "FOREBAY_CLUSTER", "FOREBAY_SERVICE",
    }  # fmt: skip
    assert "5 messages sent, 5 deleted" in started.lines[-1]


def test_a_target_of_ones_own_leaves_once_something_was_sent_and_done(folder: Path) -> None:
    ran = local(folder, "shop", "--spike", "2:7")

    assert ran.status == 0
    assert ran.out.count("INFO forebay.job.default: worked") == 2


def test_jobs_with_a_queue_of_their_own_are_done_here_too(folder: Path) -> None:
    (folder / "two.py").write_text(TWO_QUEUES)

    ran = local(folder, "two:worker", "--spike", "3:1", "--exit-when-drained")

    summed = next(line for line in ran.out.splitlines() if "received 6 = succeeded 6 + " in line)
    assert "orphaned 0" in summed
    assert ran.out.splitlines()[-1].startswith("6 messages sent, 6 deleted, 0 left in the queue")
    assert (ran.status, ran.err) == (0, "")


def test_jobs_that_were_given_up_make_it_exit_1(folder: Path) -> None:
    ran = local(folder, "shop", "--spike", "2:13")

    assert "moved to the dead-letter queue: unlucky" in ran.out
    assert "2 in the dead-letter queue" in ran.out.splitlines()[-1]
    assert ran.status == 1


def test_a_worker_that_cannot_start_ends_it_with_the_workers_status(folder: Path) -> None:
    ran = local(folder, "--", "--slots", "0")

    assert "slots=0 is outside 1 to 100,000" in ran.out
    assert ran.status == 2


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs Linux's /proc and ps")
def test_the_worker_does_not_outlive_it_even_when_it_is_killed(folder: Path) -> None:
    started = Started(folder, "--tasks", "2-2", "--spike", "30:60000")
    started.read_until("Working for")
    workers = started.worker_pids()

    started.process.kill()
    started.process.communicate(timeout=PATIENCE_S)

    assert len(workers) >= 2
    assert all(is_gone(worker) for worker in workers)


def test_the_first_signal_drains_and_lets_a_running_job_finish(folder: Path) -> None:
    started = Started(folder, "--tasks", "1", "--spike", "1:1500")
    started.read_until("Working for")

    started.process.send_signal(signal.SIGTERM)
    status = started.end()

    assert any(line.endswith(" - Done") for line in started.lines)
    assert "1 messages sent, 1 deleted" in started.lines[-1]
    assert status == 0


def test_a_storm_of_signals_stops_it_at_once_and_the_job_is_given_back(folder: Path) -> None:
    started = Started(folder, "--tasks", "1", "--spike", "1:60000")
    started.read_until("Working for")

    started.process.send_signal(signal.SIGTERM)
    started.read_until("Stopping (SIGTERM)")
    started.insist(signal.SIGTERM)
    status = started.end()

    assert "1 messages sent, 0 deleted, 1 left in the queue" in started.lines[-1]
    assert status == 1
