"""What a run is told from outside: options, variables, `forebay.yml`, and which of them wins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.processes.harness import Sqs, WorkerProcess, free_port, running
from tests.processes.network import Refusing

pytestmark = pytest.mark.processes

NOWHERE = "http://127.0.0.1:1/000000000000/nowhere"


def started_with(
    sqs: Sqs, *arguments: str, environment: Mapping[str, str], folder: Path | None = None
) -> WorkerProcess:
    """Run until the queues are empty; return how it went."""
    with running(sqs, [], "--exit-when-empty", *arguments, environment=environment, folder=folder) as worker:
        worker.wait()
    return worker


def test_every_queue_of_the_variable_is_worked(sqs: Sqs) -> None:
    queues = [sqs.queue(), sqs.queue()]
    for queue in queues:
        sqs.send(queue, "1", "1")

    worker = started_with(sqs, environment={"FOREBAY_QUEUE_URL": f" {queues[0]}\n\t{queues[1]} "})

    assert worker.process.returncode == 0
    assert worker.events("worker.started")[0]["queues"] == " ".join(queues)
    assert worker.ledger["succeeded"] == 4
    assert [sqs.counts(queue) for queue in queues] == [(0, 0, 0)] * 2


@pytest.mark.parametrize("stronger", ["", "  "], ids=["empty", "blank"])
def test_a_variable_without_content_counts_as_not_set(sqs: Sqs, stronger: str) -> None:
    queue = sqs.queue()
    others = {"FOREBAY_SLOTS": "", "FOREBAY_HEALTH": "", "FOREBAY_DEAD_LETTER": "", "ECS_AGENT_URI": ""}

    worker = started_with(sqs, environment={"FOREBAY_QUEUE_URL": stronger, "COPILOT_QUEUE_URI": queue, **others})

    assert worker.process.returncode == 0
    assert worker.events("worker.started")[0]["queues"] == queue


def test_our_variable_goes_before_copilots(sqs: Sqs) -> None:
    queue = sqs.queue()

    worker = started_with(sqs, environment={"FOREBAY_QUEUE_URL": queue, "COPILOT_QUEUE_URI": NOWHERE})

    assert worker.events("worker.started")[0]["queues"] == queue
    assert worker.process.returncode == 0


def test_the_option_goes_before_the_variable_and_the_variable_before_the_file(sqs: Sqs, tmp_path: Path) -> None:
    (tmp_path / "forebay.yml").write_text("run:\n  slots: 3\n  drain: 3\n  visibility: 33\n")
    environment = {"FOREBAY_QUEUE_URL": NOWHERE, "FOREBAY_SLOTS": "2", "FOREBAY_DRAIN": "2"}

    worker = started_with(sqs, "--queue", sqs.queue(), "--slots", "1", environment=environment, folder=tmp_path)

    started = worker.events("worker.started")[0]
    assert (started["slots"], started["drain_s"], started["visibility_s"]) == (1, 2, 33)


def test_the_endpoint_of_sqs_goes_before_the_endpoint_of_everything(sqs: Sqs) -> None:
    queue = sqs.queue()

    worker = started_with(sqs, "--queue", queue, environment={"AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"})

    assert worker.process.returncode == 0


def test_the_endpoint_of_everything_is_used_where_sqs_has_none_of_its_own(sqs: Sqs) -> None:
    """The queue's URL is AWS's, as it is when a test environment stands in front of a real configuration."""
    name = sqs.queue().rsplit("/", 1)[-1]
    environment = {"AWS_ENDPOINT_URL_SQS": "", "AWS_ENDPOINT_URL": sqs.endpoint}

    worker = started_with(sqs, "--queue", name, environment=environment)

    assert worker.process.returncode == 0
    assert worker.events("worker.started")[0]["queues"].startswith(sqs.endpoint)


@pytest.mark.parametrize(("queue_region", "signed_for"), [("eu-north-1", "eu-north-1"), ("", "us-west-2")])
def test_requests_are_signed_for_the_queues_region_if_it_is_named_and_else_for_awss(
    sqs: Sqs, queue_region: str, signed_for: str
) -> None:
    refusing = Refusing(403, "AccessDenied")
    regions = {"QUEUE_REGION": queue_region, "AWS_REGION": "us-west-2"}

    worker = started_with(sqs, "--queue", "jobs", environment={"AWS_ENDPOINT_URL_SQS": refusing.endpoint, **regions})
    refusing.close()

    assert worker.process.returncode == 1
    assert refusing.scopes
    assert all(f"/{signed_for}/sqs/aws4_request" in scope for scope in refusing.scopes)


@pytest.mark.parametrize(
    "address",
    ["/0000/demo", "two words", "https://", "ftp://host/1/q", "https://sqs.eu-west-1.amazonaws.com",
     "http://127.0.0.1:99999/1/q", "arn:aws:sqs:eu-west-1:1:q", "q" * 81],
)  # fmt: skip
def test_what_can_be_no_queue_is_refused_before_anything_starts(sqs: Sqs, address: str) -> None:
    with running(sqs, [address]) as worker:
        status = worker.wait()

    assert status == 2
    assert "must be a queue's URL" in worker.errors
    assert worker.errors.count("\n") == 1
    assert worker.raw == []


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("AWS_ENDPOINT_URL_SQS", "garbage", "AWS_ENDPOINT_URL_SQS: the endpoint 'garbage' must look like https://"),
        ("FOREBAY_QUEUE_URL", "/0000/demo", "FOREBAY_QUEUE_URL: '/0000/demo' must be a queue's URL"),
        ("FOREBAY_DEAD_LETTER", "dead", "FOREBAY_DEAD_LETTER: dead-letter='dead' must be a queue's URL"),
        ("FOREBAY_DRAIN", "nan", "FOREBAY_DRAIN: drain='nan' must be a number of seconds"),
        ("FOREBAY_VISIBILITY", "1", "visibility=1 is outside 2 to 43,190 (visibility from FOREBAY_VISIBILITY)"),
        ("FOREBAY_MARGIN", "30", "under a third of visibility=60"),
        ("FOREBAY_BUFFER_BYTES", "12", "buffer_bytes=12 is outside 1,048,576 to"),
        ("FOREBAY_EXIT_WHEN_EMPTY", "perhaps", "exit-when-empty='perhaps' must be true or false"),
        ("ECS_AGENT_URI", "garbage", "ECS_AGENT_URI='garbage' is not an http:// address"),
    ],
)
def test_a_bad_value_of_a_variable_is_told_with_the_variables_name(
    sqs: Sqs, variable: str, value: str, complaint: str
) -> None:
    queues = [] if variable == "FOREBAY_QUEUE_URL" else ["jobs"]
    with running(sqs, queues, environment={variable: value}) as worker:
        status = worker.wait()

    assert status == 2
    assert complaint in worker.errors
    assert worker.raw == []
