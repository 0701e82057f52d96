"""A web application's event loop does not stand still for the first job that it sends."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from forebay.cloud.sqs_server import SqsServer

PROGRAM = """
import asyncio, json, sys, threading
from importlib.abc import MetaPathFinder

from forebay import Queue, Worker, aenqueue_many

worker = Worker("shop", queue=sys.argv[1])

@worker.job
def thumbnail(key: str, width: int = 320) -> None: ...

class Watch(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if threading.current_thread() is threading.main_thread():
            on_the_loop.append(name)

async def main():
    sys.meta_path.insert(0, Watch())
    match sys.argv[2]:
        case "job":
            await thumbnail.aenqueue(key="a.png")
        case "queue":
            await Queue(sys.argv[1]).aenqueue("thumbnail", key="a.png")
        case "many":
            await aenqueue_many(thumbnail.call(key=key) for key in ("a.png", "b.png"))

on_the_loop = []
asyncio.run(main())
print(json.dumps([on_the_loop, "pydantic_core" in sys.modules and "forebay.queue.wire" in sys.modules]))
"""

LARGE = ("botocore", "forebay.queue.sender", "forebay.queue.wire", "pydantic", "pydantic_core", "ssl")


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a producer with a queue called `shop`."""
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
    with SqsServer.in_thread() as local:
        url = local.call(lambda service: service.create_queue("shop"))
        endpoint = local.call(lambda service: service.endpoint_url)
        return subprocess.run(
            [sys.executable, "-c", program, url, *arguments],
            env={**os.environ, **keys, "AWS_ENDPOINT_URL_SQS": endpoint},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )


@pytest.mark.parametrize("way", ["job", "queue", "many"])
def test_nothing_large_is_imported_on_the_event_loop(way: str) -> None:
    done = run(PROGRAM, way)

    on_the_loop, is_loaded = json.loads(done.stdout)
    # What a module imports late, one by one and in microseconds, is none of this test's business.
    assert [name for name in on_the_loop if name in LARGE] == []
    assert is_loaded, "what is never imported proves nothing"


def test_a_script_that_sends_ends_without_a_word() -> None:
    """Looking a queue up by its name needs threads, which must not be in the way when the interpreter shuts down."""
    done = run("from forebay import Queue; Queue('shop').enqueue('thumbnail', key='a.png')")

    assert (done.stdout, done.stderr) == ("", "")
