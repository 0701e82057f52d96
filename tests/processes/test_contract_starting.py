"""How a run begins: TARGET, a service that is not there yet, and a stop that comes before there is anything to stop."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from tests.processes.harness import Sqs, free_port, running, wait_for
from tests.processes.network import Refusing, Wire

pytestmark = pytest.mark.processes

NO_HOST = "http://no-such-host.invalid"


@pytest.mark.parametrize("kind", ["URL", "name"])
def test_a_worker_that_is_started_before_its_service_works_as_soon_as_that_is_there(sqs: Sqs, kind: str) -> None:
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    address = f"{endpoint}/000000000000/late" if kind == "URL" else "late"
    with running(sqs, [address], "--exit-when-empty", environment={"AWS_ENDPOINT_URL_SQS": endpoint}) as worker:
        refused = worker.wait_line("poll.failed", count=2)
        late = Sqs("--port", str(port), "--queue", "late")
        try:
            late.send(f"{endpoint}/000000000000/late", "1")
            status = worker.wait()
        finally:
            late.close()

    assert refused["kind"] == "unavailable"
    assert refused["retry_in_s"] <= 3.0
    assert status == 0
    assert worker.ledger["succeeded"] == 1


@pytest.mark.parametrize("address", [f"{NO_HOST}/1/jobs", "jobs"], ids=["URL", "name"])
def test_a_host_that_is_not_found_is_named_and_looked_for_again(sqs: Sqs, address: str) -> None:
    """Names may come to life later than workers do, in a container's network above all."""
    with running(sqs, [address], environment={"AWS_ENDPOINT_URL_SQS": NO_HOST}) as worker:
        failed = worker.wait_line("poll.failed", count=2)
        worker.signal()
        status = worker.wait()

    assert failed["code"] == "HostNotFound"
    assert "no-such-host.invalid" in failed["detail"]
    assert status == 0


def test_a_queue_that_is_not_found_by_its_name_ends_the_worker_with_a_ledger(sqs: Sqs) -> None:
    with running(sqs, ["no-such-queue"]) as worker:
        status = worker.wait()

    assert status == 1
    assert worker.errors == ""
    assert worker.ledger["reason"].startswith("the queue does not exist: check the URL and the Region")
    assert (worker.ledger["exit_status"], worker.ledger["received"], worker.ledger["orphaned"]) == (1, 0, 0)


def test_a_run_without_any_region_ends_with_what_to_set(sqs: Sqs) -> None:
    environment = {"AWS_REGION": "", "AWS_ENDPOINT_URL_SQS": "", "AWS_CONFIG_FILE": "/dev/null"}
    with running(sqs, ["jobs"], environment=environment) as worker:
        status = worker.wait()

    assert status == 1
    assert "set AWS_REGION (or QUEUE_REGION)" in worker.ledger["reason"]


def test_a_request_that_the_service_refuses_from_the_start_ends_the_worker(sqs: Sqs) -> None:
    """A disabled key is no outage: the same request is refused for as long as somebody leaves it disabled."""
    refusing = Refusing(400, "KmsDisabled")
    with running(sqs, [sqs.queue()], environment={"AWS_ENDPOINT_URL_SQS": refusing.endpoint}) as worker:
        status = worker.wait()
    refusing.close()

    assert status == 1
    assert "KmsDisabled" in worker.ledger["reason"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("kind", ["URL", "name"])
def test_a_stop_while_the_service_is_a_black_hole_is_obeyed_at_once(
    sqs: Sqs, kind: str, number: signal.Signals
) -> None:
    queue = sqs.queue()
    wire = Wire(sqs.endpoint)
    wire.swallow()
    address = queue if kind == "URL" else queue.rsplit("/", 1)[-1]
    with running(sqs, [address], environment={"AWS_ENDPOINT_URL_SQS": wire.endpoint}) as worker:
        wait_for(lambda: wire.callers or None, "a request")
        worker.signal(number)
        status = worker.wait()
    wire.close()

    assert status == 0
    assert worker.ledger["reason"] == number.name
    assert worker.ledger["received"] == 0


SLOW_TO_IMPORT = """
import pathlib, threading
pathlib.Path("importing").touch()
threading.Event().wait()
"""


def test_a_stop_while_the_users_module_is_imported_ends_with_status_0(sqs: Sqs, tmp_path: Path) -> None:
    """As process 1 of a container, without a handler of its own, it would not even be noticed."""
    (tmp_path / "jobs.py").write_text(SLOW_TO_IMPORT)
    with running(sqs, [sqs.queue()], target="jobs", folder=tmp_path) as worker:
        wait_for(lambda: True if (tmp_path / "importing").exists() else None, "the import")
        worker.signal()
        status = worker.wait()

    assert status == 0
    assert worker.raw == []
    assert worker.errors == ""


NESTED = """
from forebay import Worker

class Shop:
    worker = Worker("shop")

@Shop.worker.default
def body(text: str) -> None:
    print("did", text)
"""


def test_a_target_may_name_an_attribute_of_an_attribute_in_a_package(sqs: Sqs, tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "jobs.py").write_text(NESTED)
    queue = sqs.queue()
    sqs.send(queue, "it")
    with running(sqs, [queue], "--exit-when-empty", target="shop.jobs:Shop.worker", folder=tmp_path) as worker:
        status = worker.wait()

    assert status == 0
    assert "did it" in worker.raw


@pytest.mark.parametrize("keyword", ["def", "async def"])
def test_a_handler_that_generates_is_refused_where_it_is_declared(sqs: Sqs, tmp_path: Path, keyword: str) -> None:
    (tmp_path / "jobs.py").write_text(
        f"from forebay import Worker\nworker = Worker('w')\n@worker.job\n{keyword} stream():\n    yield 1\n"
    )
    with running(sqs, [sqs.queue()], target="jobs", folder=tmp_path) as worker:
        status = worker.wait()

    assert status == 2
    assert "job 'stream' has a `yield` in it: a job returns, it does not generate" in worker.errors
    assert 'jobs.py", line 3' in worker.errors


def test_annotations_that_make_no_sense_are_told_before_the_first_receive(sqs: Sqs, tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(
        "from forebay import Worker\nworker = Worker('w')\n@worker.job\ndef f(a: 'Nowhere') -> None: ...\n"
    )
    before = sqs.requests("ReceiveMessage")
    with running(sqs, [sqs.queue()], target="jobs", folder=tmp_path) as worker:
        status = worker.wait()

    assert status == 2
    assert "'Nowhere'" in worker.errors
    assert "job 'f'" in worker.errors
    assert sqs.requests("ReceiveMessage") == before
