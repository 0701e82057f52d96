"""Which queue a worker's jobs go to."""

from __future__ import annotations

import pytest

from forebay import Queue, SettingsError, Worker

URL = "https://sqs.eu-west-1.amazonaws.com/123456789012"


@pytest.fixture(autouse=True)
def no_queue_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FOREBAY_QUEUE_URL", raising=False)


def test_the_queue_is_named_as_the_worker_when_nothing_else_names_it() -> None:
    worker = Worker("thumbnails")

    assert worker.queue.address == "thumbnails"
    assert worker.arguments["queue"] == ("thumbnails",)


def test_the_environment_names_it_when_the_code_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker("thumbnails")
    monkeypatch.setenv("FOREBAY_QUEUE_URL", f"{URL}/first {URL}/second")

    assert worker.queue.address == f"{URL}/first"


def test_a_producer_with_a_queue_in_code_is_not_led_astray_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOREBAY_QUEUE_URL", f"{URL}/of-another-worker")

    assert Worker("thumbnails", queue=f"{URL}/thumbnails").queue.address == f"{URL}/thumbnails"


def test_in_a_run_jobs_go_to_a_queue_that_the_run_works() -> None:
    worker = Worker("thumbnails", queue=f"{URL}/in-code")

    worker.home.works([f"{URL}/first", f"{URL}/second"])

    assert worker.queue.address == f"{URL}/first"


def test_in_a_run_of_several_queues_the_one_in_code_is_kept() -> None:
    worker = Worker("thumbnails", queue=[f"{URL}/second"])

    worker.home.works([f"{URL}/first", f"{URL}/second"])

    assert worker.queue.address == f"{URL}/second"


def test_a_run_that_knows_urls_finds_the_queue_that_the_code_knows_by_name() -> None:
    worker = Worker("thumbnails", queue="thumbnails")

    worker.home.works([f"{URL}/other", f"{URL}/thumbnails"])

    assert worker.queue.address == f"{URL}/thumbnails"


def test_a_queue_given_as_an_object_is_used_as_it_is() -> None:
    queue = Queue(f"{URL}/thumbnails")
    worker = Worker("thumbnails", queue=queue)

    assert worker.queue is queue
    assert worker.arguments["queue"] == (f"{URL}/thumbnails",)

    worker.home.works([f"{URL}/thumbnails"])

    assert worker.queue is queue


def test_a_worker_without_a_queue_says_what_to_set() -> None:
    worker = Worker("sample", queue=())

    assert "queue" not in worker.arguments
    with pytest.raises(SettingsError, match="FOREBAY_QUEUE_URL"):
        assert worker.queue


@pytest.mark.parametrize("queue", [["a b"], [""], ["first", " "]])
def test_what_is_no_address_is_refused(queue: list[str]) -> None:
    with pytest.raises(SettingsError, match="thumbnails"):
        Worker("thumbnails", queue=queue)


def test_after_a_run_in_a_program_that_goes_on_jobs_go_where_they_went_before() -> None:
    queue = Queue(f"{URL}/thumbnails")
    worker = Worker("thumbnails", queue=queue)
    worker.home.works([f"{URL}/other"])

    worker.home.rests()

    assert worker.queue is queue


def test_a_queue_that_the_environment_names_anew_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = Worker("thumbnails")
    monkeypatch.setenv("FOREBAY_QUEUE_URL", f"{URL}/first")
    first = worker.queue
    same = worker.queue

    monkeypatch.setenv("FOREBAY_QUEUE_URL", f"{URL}/second")

    assert first is same
    assert worker.queue.address == f"{URL}/second"
