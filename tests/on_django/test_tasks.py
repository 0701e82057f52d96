"""Django's tasks as they are done: by a worker that runs tasks and nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings
from tests.api import calling
from tests.api.calling import CANARY, message
from tests.on_django.declared import add, done, fails

from forebay import Worker
from forebay.django import SqsBackend
from forebay.django.backend import OPTIONS
from forebay.django.framework import TaskResultStatus, task_backends, task_finished, task_started
from forebay.django.tasks import built_worker
from forebay.handlers.registry import Unroutable
from forebay.model import SUCCEEDED, Failed, Postponed, Rejected
from forebay.testing import WorkerClient

PATH = "tests.on_django.declared"


@pytest.fixture
def worker() -> Worker:
    done.clear()
    return built_worker()


@pytest.fixture
def signals() -> Iterator[list[Any]]:
    told: list[Any] = []

    def listen(signal: Any, task_result: Any, **_: Any) -> None:
        told.append((signal is task_started, task_result.status, task_result.attempts, len(task_result.errors)))

    for signal in (task_started, task_finished):
        signal.connect(listen)
    yield told
    for signal in (task_started, task_finished):
        signal.disconnect(listen)


@pytest.mark.parametrize("name", ["add", "aadd"])
def test_a_task_is_done_with_its_arguments(worker: Worker, name: str) -> None:
    assert calling.outcome(worker, '{"args": [1], "kwargs": {"b": 2}}', job=f"{PATH}.{name}") == SUCCEEDED
    assert done == [3]


def test_coroutine_functions_run_on_the_event_loop_and_others_in_threads(worker: Worker) -> None:
    assert worker.registry[f"{PATH}.aadd"].runs == "loop"
    assert worker.registry[f"{PATH}.add"].runs == "thread"


def test_a_task_that_wants_it_learns_which_attempt_it_is(worker: Worker) -> None:
    calling.outcome(worker, '{"kwargs": {"name": "x"}}', job=f"{PATH}.counted")

    assert done == [("x", 3, "message-1")]


@pytest.mark.parametrize(
    ("kind", "outcome", "told"),
    [
        ("other", Failed, [(True, "RUNNING", 3, 0), (False, "FAILED", 3, 1)]),
        ("reject", Rejected, [(True, "RUNNING", 3, 0), (False, "FAILED", 3, 1)]),
        ("later", Postponed, [(True, "RUNNING", 3, 0)]),
    ],
)
def test_how_a_task_ends_is_told_to_django_and_to_the_worker(
    worker: Worker, signals: list[Any], kind: str, outcome: type[object], told: list[Any]
) -> None:
    ended = calling.outcome(worker, f'{{"args": ["{kind}"]}}', job=f"{PATH}.fails")

    assert isinstance(ended, outcome)
    assert CANARY not in repr(ended)
    assert signals == [(is_start, TaskResultStatus(status), count, errors) for is_start, status, count, errors in told]


def test_a_message_cannot_have_anything_run_that_is_no_task(worker: Worker) -> None:
    """Names are looked up among the tasks that were found. Nothing is imported because a message says so."""
    for name in (f"{PATH}.not_a_task", "os.system", "shutil.rmtree", "xml.dom.minidom.parseString"):
        found = worker.registry.route(message('{"args": ["x"]}', job=name))
        assert isinstance(found, Unroutable)
    assert done == []


def test_tasks_have_the_settings_that_the_options_give_them() -> None:
    options = {
        "modules": [PATH],
        "job": {"timeout": "2m", "attempts": 7},
        "jobs": {f"{PATH}.add": {"timeout": "1h"}},
    }
    with override_settings(TASKS={"default": {"BACKEND": "forebay.django.SqsBackend", "OPTIONS": options}}):
        registry = built_worker().registry

    assert (registry[f"{PATH}.add"].limit_s, registry[f"{PATH}.add"].attempts_max) == (3600.0, 7)
    assert registry[f"{PATH}.aadd"].limit_s == 120.0


def test_the_worker_works_all_queues_of_its_backends() -> None:
    configured = {
        "default": {"BACKEND": "forebay.django.SqsBackend", "QUEUES": ["default", "mail"]},
        "fifo": {"BACKEND": "forebay.django.SqsBackend", "OPTIONS": {"queues": {"default": "shop.fifo"}}},
    }
    with override_settings(TASKS=configured):
        assert built_worker().arguments["queue"] == ("default", "mail", "shop.fifo")


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({}, "set DJANGO_SETTINGS_MODULE=mysite.settings"),
        ({"DJANGO_SETTINGS_MODULE": "nowhere"}, "No module named"),
        ({"DJANGO_SETTINGS_MODULE": "broken"}, "module 'os' has no attribute 'nothing'"),
        ({"DJANGO_SETTINGS_MODULE": "without"}, "TASKS in the settings names no forebay.django.SqsBackend"),
    ],
)
def test_a_project_that_cannot_be_set_up_is_told_in_words(
    tmp_path: Path, environment: dict[str, str], told: str
) -> None:
    (tmp_path / "broken.py").write_text("import os\nos.nothing\n", encoding="utf-8")
    (tmp_path / "without.py").write_text("SECRET_KEY = 'x'\n", encoding="utf-8")
    done_ = subprocess.run(
        [sys.executable, "-m", "forebay.cli.main", "run", "forebay.django:worker"],
        cwd=tmp_path,
        env={**{k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"}, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done_.returncode == 2
    assert told in done_.stderr


def test_tasks_are_tested_in_memory_as_every_job(worker: Worker) -> None:
    with WorkerClient(worker) as client:
        add.enqueue(1, b=2)
        fails.enqueue("other")
        report = client.work(failures="return")

        assert report.outcomes == ["succeeded", *["failed"] * 5]
        assert client.dead_letters()[0].job == f"{PATH}.fails"
    assert done == [3]


def test_the_page_on_django_names_options_that_there_are() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "django.md").read_text(encoding="utf-8")
    (settings,) = re.findall(r"```python\n(TASKS = .*?)```", page, re.DOTALL)
    read: dict[str, Any] = {}
    exec(settings, read)

    with override_settings(TASKS=read["TASKS"]):
        backend = task_backends["default"]
        assert isinstance(backend, SqsBackend)
        assert backend.address_of("mail").startswith("https://sqs.")
        assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == set(OPTIONS)
