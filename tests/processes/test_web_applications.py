"""The web applications under examples/, served as in production, and the page about sending."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.processes.harness import KEYS, PATIENCE_S, Sqs, assert_exact, clean_environment, free_port, running, wait_for

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
DOCS = EXAMPLES.parent / "docs"

pytestmark = pytest.mark.processes


@contextmanager
def serving(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Iterator[list[str]]:
    """Run a web server for the length of a block. Yields its lines, which are complete after the block."""
    lines: list[str] = []
    server = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield lines
    finally:
        server.send_signal(signal.SIGTERM)
        told, _ = server.communicate(timeout=PATIENCE_S)
        lines.extend(told.splitlines())


def ask(url: str, body: bytes | None = None, content_type: str = "application/json") -> tuple[int, Any]:
    """Send a request as soon as somebody listens; return the status and the JSON."""
    request = urllib.request.Request(url, data=body, headers={"Content-Type": content_type})

    def answered() -> tuple[int, Any] | None:
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())
        except urllib.error.URLError:
            return None

    return wait_for(answered, f"an answer of {url}")


def surroundings(sqs: Sqs, url: str, **more: str) -> dict[str, str]:
    """What a web server knows in production, for the local SQS."""
    return {**clean_environment(), **KEYS, "AWS_ENDPOINT_URL_SQS": sqs.endpoint, "FOREBAY_QUEUE_URL": url, **more}


def test_a_fastapi_application_sends_and_a_worker_does_it(sqs: Sqs) -> None:
    url, port = sqs.queue(), free_port()
    folder = EXAMPLES / "fastapi_app"
    base = f"http://127.0.0.1:{port}"

    with serving(["uvicorn", "app:app", "--port", str(port)], folder, surroundings(sqs, url)):
        one = ask(f"{base}/pictures", b'{"key": "a.png", "width": 640}')
        many = ask(f"{base}/albums", json.dumps({"keys": [f"{number}.png" for number in range(25)]}).encode())
        wrong = ask(f"{base}/pictures", b'{"key": "a.png", "width": 0}')
        sqs.deny("SendMessage")  # The permission is named so for batches too.
        try:
            denied = ask(f"{base}/pictures", b'{"key": "b.png"}')
            none_of_them = ask(f"{base}/albums", b'{"keys": ["c.png", "d.png"]}')
        finally:
            sqs.deny()
    with running(sqs, [url], "--exit-when-empty", target="pictures", folder=folder) as worker:
        status = worker.wait()

    assert (one[0], many[0], len(many[1]["jobs"]), wrong[0]) == (202, 202, 25, 422)
    assert denied == (503, {"detail": "the queue takes no jobs now (AccessDeniedException)"})
    assert none_of_them == (503, {"not_sent": [0, 1]})
    assert status == 0
    assert worker.ledger["succeeded"] == 26
    assert {line["message_id"] for line in worker.events("attempt.finished")} <= {one[1]["job"], *many[1]["jobs"]}
    assert_exact(worker.ledger)


SENDS_BEFORE_IT_FORKS = """
import os

def when_ready(server):
    # In the parent, with the application preloaded, before any child is forked: connections and threads are there.
    from shop.tasks import remind
    print("sent by", os.getpid(), remind.enqueue(0).id, flush=True)

def post_request(worker, request, environment, response):
    print("served by", os.getpid(), os.getppid(), flush=True)
"""


def test_a_django_site_sends_from_forked_children_and_a_worker_does_the_tasks(sqs: Sqs, tmp_path: Path) -> None:
    url, port = sqs.queue(), free_port()
    folder = EXAMPLES / "django_site"
    environment = surroundings(
        sqs,
        url,
        DATABASE=str(tmp_path / "db.sqlite3"),
        DJANGO_SETTINGS_MODULE="mysite.settings",
        PYTHONDONTWRITEBYTECODE="1",
    )
    configuration = tmp_path / "gunicorn_conf.py"
    configuration.write_text(SENDS_BEFORE_IT_FORKS, encoding="utf-8")
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(migrate, cwd=folder, env=environment, check=True, timeout=PATIENCE_S)

    gunicorn = [
        "gunicorn",
        "--preload",
        "--workers",
        "2",
        "--bind",
        f"127.0.0.1:{port}",
        "--config",
        str(configuration),
    ]
    order = urllib.parse.urlencode({"articles": "pen,ink"}).encode()
    with serving([*gunicorn, "mysite.wsgi"], folder, environment) as lines:
        made = [ask(f"http://127.0.0.1:{port}/orders/", order, "application/x-www-form-urlencoded") for _ in range(6)]
        with running(
            sqs, [url], "--exit-when-empty", target="forebay.django:worker", folder=folder, environment=environment
        ) as worker:
            status = worker.wait()
        found = [ask(f"http://127.0.0.1:{port}/orders/{answer['order']}/") for _, answer in made]

    (parent,) = re.findall(r"^sent by (\d+) [0-9a-f-]{36}$", "\n".join(lines), re.MULTILINE)
    served = {tuple(line.split()[2:]) for line in lines if line.startswith("served by")}
    assert [code for code, _ in made] == [201] * 6, lines
    assert {above for _, above in served} == {parent}, "children of the process that had sent before it forked"
    assert status == 0, worker.raw[-8:]
    assert worker.ledger["succeeded"] == 1 + 2 * 6
    assert found == [(200, {"articles": "pen,ink", "invoice": "2 articles"})] * 6
    assert_exact(worker.ledger)


def test_the_page_about_sending_is_one_program(sqs: Sqs, tmp_path: Path) -> None:
    page = (DOCS / "sending.md").read_text(encoding="utf-8")
    program = tmp_path / "page.py"
    program.write_text(
        "\n\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))
        + "\n\nprint(drain([(7, 'thumbnail', {'key': 'c.png'})], pictures))\n",
        encoding="utf-8",
    )
    pictures = sqs.client.create_queue(QueueName="pictures")["QueueUrl"]
    url = sqs.queue()

    done = subprocess.run(
        [sys.executable, str(program)],
        env=surroundings(sqs, url, PYTHONPATH=str(EXAMPLES)),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout == "{7}\n"
    assert sqs.counts(url) == (2_500, 0, 0)
    assert sqs.counts(pictures) == (2, 0, 1)
