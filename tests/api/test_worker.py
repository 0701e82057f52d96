"""The Worker itself: its settings, its registry, and what it costs to declare one."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from forebay import JobError, SettingsError, Worker

HEAVY = {"aiohttp", "anyio", "botocore", "httpx", "orjson", "pydantic", "typer", "uvloop"}

DECLARES = """
import json, sys
from forebay import Context, Message, Queue, Reject, RetryLater, Worker, enqueue_many
worker = Worker("shop", queue="https://sqs.eu-west-1.amazonaws.com/1/shop")
@worker.job(timeout="5m", attempts=5)
async def thumbnail(ctx: Context, key: str, width: int = 320) -> None: ...
@worker.job
def nothing(ctx: Context) -> None: ...
@worker.default
async def raw(message: Message) -> None: ...
declared = sorted({name.split(".")[0] for name in sys.modules})
nothing.call()
called = sorted({name.split(".")[0] for name in sys.modules})
thumbnail.call("a.png")
print(json.dumps([declared, called, sorted({name.split(".")[0] for name in sys.modules})]))
"""


def test_declaring_jobs_loads_nothing_heavy_and_only_arguments_load_pydantic() -> None:
    answer = subprocess.run([sys.executable, "-I", "-c", DECLARES], capture_output=True, text=True, timeout=60)
    assert answer.returncode == 0, answer.stderr

    declared, called, with_arguments = json.loads(answer.stdout)

    assert HEAVY & set(declared) == set()
    assert HEAVY & set(called) == set(), "a job without arguments needs no pydantic"
    assert HEAVY & set(with_arguments) == {"pydantic"}


def test_settings_given_in_code_are_named_as_the_options_of_run() -> None:
    worker = Worker(
        "shop",
        queue="https://sqs.eu-west-1.amazonaws.com/1/shop",
        slots=20,
        visibility="2m",
        margin=2.5,
        drain="1m30s",
        protect="never",
        linger="5s",
        log="json",
        buffer_bytes=1 << 20,
        dead_letter="https://sqs.eu-west-1.amazonaws.com/1/dead",
    )

    assert worker.arguments == {
        "queue": ("https://sqs.eu-west-1.amazonaws.com/1/shop",),
        "slots": 20,
        "visibility": 120,
        "margin": 2.5,
        "drain": 90.0,
        "protect": "never",
        "linger": 5.0,
        "log": "json",
        "buffer-bytes": 1 << 20,
        "dead-letter": "https://sqs.eu-west-1.amazonaws.com/1/dead",
    }


def test_what_is_not_given_stays_open() -> None:
    assert set(Worker("shop").arguments) == {"queue"}


@pytest.mark.parametrize("name", ["", "  "])
def test_a_worker_needs_a_name(name: str) -> None:
    with pytest.raises(SettingsError, match="name"):
        Worker(name)


def test_a_worker_that_declares_nothing_says_so_when_it_is_to_run() -> None:
    with pytest.raises(JobError, match="declares nothing"):
        assert Worker("shop").registry


def test_a_job_declared_later_is_in_the_registry() -> None:
    worker = Worker("shop")
    worker.job(name="first")(lambda: None)
    before = [handler.name for handler in worker.registry]

    worker.job(name="second")(lambda: None)
    worker.default(lambda body: None)

    assert before == ["first"]
    assert [handler.name for handler in worker.registry] == ["first", "second", "default"]
