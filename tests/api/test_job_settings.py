"""What is said of a job where it is declared: each setting arrives where it works, and nonsense is refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest
from tests.api.calling import CANARY, Outbox, outcome, worker_with_outbox

from forebay import ForebayError, JobError, Queue, SettingsError, Worker
from forebay.model import SUCCEEDED, Rejected

URL = "https://sqs.eu-west-1.amazonaws.com/123456789012"


def declared(worker: Worker, **settings: Any) -> Callable[[], None]:
    """Declare a job called `thumbnail` with these settings."""
    return worker.job(name="thumbnail", **settings)(lambda: None)


@pytest.mark.parametrize(
    ("settings", "carried"),
    [
        ({"aliases": ["old", "older"]}, {"aliases": ("old", "older")}),
        ({"subject": "order placed"}, {"subject": "order placed"}),
        ({"detail_type": "Order Placed"}, {"detail_type": "Order Placed"}),
        ({"slots": 3}, {"slots_max": 3}),
        ({"backoff": "10s"}, {"backoff_first_s": 10.0, "backoff_ceiling_s": 10.0}),
        ({"backoff": ("1s", "1h")}, {"backoff_first_s": 1.0, "backoff_ceiling_s": 3600.0}),
        ({"retry": "resend"}, {"retry": "resend"}),
        ({"timeout": None, "attempts": None, "slots": None}, {"attempts_max": None, "slots_max": None}),
    ],
)
def test_each_setting_reaches_the_handler(settings: Mapping[str, Any], carried: Mapping[str, object]) -> None:
    worker = Worker("shop")
    declared(worker, **settings)

    handler = worker.registry["thumbnail"]

    assert {name: getattr(handler, name) for name in carried} == carried


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"aliases": "old"}, r"aliases of job 'thumbnail' must be a list"),
        ({"slots": 0}, r"slots=0 of job 'thumbnail'"),
        ({"slots": 2.5}, r"slots=2.5 of job 'thumbnail'"),
        ({"backoff": ("1h", "1s")}, r"backoff=.*'thumbnail'"),
        ({"backoff": "13h"}, r"backoff=.*'thumbnail'.*12 h"),
        ({"retry": "never"}, r"retry='never' of job 'thumbnail' is none of count, resend"),
        ({"unknown": "keep"}, r"unknown='keep' of job 'thumbnail' is none of ignore, reject"),
        ({"memory": "1GiB"}, r"memory=… on job 'thumbnail' needs isolate=True"),
        ({"recycle": 5}, r"recycle=… on job 'thumbnail' needs isolate=True"),
        ({"queue": " "}, r"queue=' ' of job 'thumbnail'"),
        ({"queue": "a b"}, r"queue='a b' of job 'thumbnail' is no URL and no name"),
        ({"subject": ""}, r"subject='' of job 'thumbnail'"),
        ({"detail_type": 5}, r"detail_type=5 of job 'thumbnail'"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_value_and_its_job(settings: Mapping[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        declared(Worker("shop"), **settings)


def test_a_setting_that_does_not_exist_is_told_with_those_that_do() -> None:
    with pytest.raises(TypeError, match=r"job 'thumbnail' has no setting 'retries'; there are .*attempts.*retry"):
        declared(Worker("shop"), retries=5)


@pytest.mark.parametrize("setting", ["name", "aliases", "queue", "subject", "detail_type"])
def test_the_default_handler_has_no_settings_of_names_and_routes(setting: str) -> None:
    worker = cast("Any", Worker("shop"))

    with pytest.raises(TypeError, match=rf"the default handler has no setting '{setting}'; there are .*timeout"):
        worker.default(**{setting: "x"})(lambda body: None)


def test_the_default_handler_takes_the_settings_of_running() -> None:
    worker = Worker("shop")

    @worker.default(timeout="5m", attempts=2, backoff="1s", slots=4, retry="resend")
    def anything(body: str) -> None: ...

    default = worker.registry.default
    assert default is not None
    assert (default.limit_s, default.attempts_max, default.slots_max) == (300.0, 2, 4)
    assert (default.backoff_first_s, default.retry) == (1.0, "resend")


def _first() -> None: ...


def _second() -> None: ...


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ({"name": "a"}, {"name": "b", "aliases": ["a"]}, "are named 'a'"),
        ({"name": "b", "aliases": ["a"]}, {"name": "a"}, "are named 'a'"),
        ({"name": "a", "aliases": ["c"]}, {"name": "b", "aliases": ["c"]}, "are named 'c'"),
        ({"name": "a", "subject": "s"}, {"name": "b", "subject": "s"}, "have the subject 's'"),
        ({"name": "a", "detail_type": "d"}, {"name": "b", "detail_type": "d"}, "have the detail_type 'd'"),
    ],
)
def test_what_leads_to_two_jobs_is_an_error_that_names_both(
    first: Mapping[str, Any], second: Mapping[str, Any], told: str
) -> None:
    worker = Worker("shop")
    worker.job(**first)(_first)

    with pytest.raises(JobError, match=rf"{told} \(.*_first and .*_second\): give one of them"):
        worker.job(**second)(_second)
    assert [job.name for job in worker.jobs] == [first["name"]], "the second one is not half declared"


def test_a_subject_and_a_detail_type_may_read_alike() -> None:
    worker = Worker("shop")
    worker.job(name="a", subject="placed")(_first)
    worker.job(name="b", detail_type="placed", aliases=["placed"])(_second)

    assert [handler.name for handler in worker.registry] == ["a", "b"]


@pytest.mark.parametrize("aliases", [["default"], ["with\nline"], [""], ["twice", "twice"], ["thumbnail"]])
def test_aliases_are_names_like_any_other(aliases: list[str]) -> None:
    with pytest.raises(JobError):
        declared(Worker("shop"), aliases=aliases)


def test_a_job_with_a_queue_of_its_own_is_sent_there() -> None:
    worker, outbox = worker_with_outbox()
    elsewhere = Outbox()

    @worker.job(queue=Queue("slow", sender=elsewhere))
    def slow() -> None: ...

    @worker.job
    def quick() -> None: ...

    slow.enqueue()
    slow.options(delay="5s").enqueue()
    quick.enqueue()

    assert [len(box.messages) for box in (elsewhere, outbox)] == [2, 1]


def test_a_worker_works_the_queues_of_its_jobs_unless_it_is_told_which_ones() -> None:
    worker = Worker("shop")
    worker.job(name="slow", queue="slow")(_first)
    worker.job(name="slower", queue="slow")(_second)

    assert worker.arguments["queue"] == ("shop", "slow")
    assert worker.queue.address == "shop"


def test_in_a_run_the_url_of_a_jobs_queue_is_known() -> None:
    """The code names it, the run has looked it up: a job that sends another one asks for nothing again."""
    worker = Worker("shop")
    slow = worker.job(name="slow", queue="slow")(_first)

    before = slow.call().queue.address
    worker.home.works([f"{URL}/shop", f"{URL}/slow"])
    during = slow.call().queue
    worker.home.works([f"{URL}/shop"])
    elsewhere = slow.call().queue.address

    assert (before, during.address, elsewhere) == ("slow", f"{URL}/slow", "slow")
    assert slow.call().queue is slow.call().queue


@pytest.mark.parametrize("job", ["thumbnail", "nothing"])
def test_unknown_fields_can_be_refused_by_name_and_never_by_value(job: str) -> None:
    worker = Worker("shop")

    @worker.job(unknown="reject")
    def thumbnail(key: str = "") -> None: ...

    @worker.job(unknown="reject")
    def nothing() -> None: ...

    assert outcome(worker, "{}", job=job) == SUCCEEDED
    assert outcome(worker, f'{{"colour": "{CANARY}"}}', job=job) == Rejected("colour: Extra inputs are not permitted")
    assert outcome(worker, f'{{"{CANARY}!": 1}}', job=job) == Rejected("…: Extra inputs are not permitted")


def test_unknown_fields_of_a_default_handler_with_several_parameters_can_be_refused() -> None:
    worker = Worker("shop")

    @worker.default(unknown="reject")
    def handler(key: str, width: int) -> None: ...

    body = '{"key": "a", "width": 1, "colour": "red"}'
    assert outcome(worker, body) == Rejected("colour: Extra inputs are not permitted")


def test_what_takes_a_whole_body_knows_its_fields_itself() -> None:
    worker = Worker("shop")
    worker.default(unknown="reject")(lambda body: None)

    with pytest.raises(JobError, match=r"unknown='reject' on 'default' needs several parameters.*extra='forbid'"):
        assert worker.registry


@pytest.mark.parametrize("job_field", ["", "  ", 5])
def test_a_job_field_has_a_name(job_field: Any) -> None:
    with pytest.raises(SettingsError, match=r"job_field=.* of worker 'shop'"):
        Worker("shop", job_field=job_field)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"name": 5}, "5 cannot name a job"),
        ({"aliases": [5]}, "5 cannot name a job"),
        ({"isolate": "no"}, "isolate='no' of job 'job' is none of True, False"),
        ({"isolate": 1}, "isolate=1 of job 'job' is none of True, False"),
        ({"backoff": ("1s",)}, "must be one delay, or two"),
    ],
)
def test_settings_of_another_type_are_refused_in_words(settings: dict[str, Any], told: str) -> None:
    def job() -> None: ...

    with pytest.raises(ForebayError, match=re.escape(told)):
        Worker("shop").job(**settings)(job)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"name": 5}, "a worker needs a name, but 5 is none"),
        ({"name": ""}, "a worker needs a name, but '' is none"),
        ({"name": "shop", "queue": 5}, "queue=5 of worker 'shop'"),
        ({"name": "shop", "queue": [5]}, "a queue of worker 'shop' is no URL and no name: 5"),
    ],
)
def test_a_worker_of_other_types_is_refused_in_words(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(told)):
        Worker(**arguments)
