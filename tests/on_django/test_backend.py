"""Django's tasks as they are sent: what travels, what is promised, and what is refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.test import override_settings
from django.utils import timezone
from tests.on_django.conftest import Caught
from tests.on_django.declared import aadd, add, fails

from forebay.django import SqsBackend
from forebay.django.framework import InvalidTask, TaskResultStatus, task_backends, task_enqueued


def tasks(**params: Any) -> dict[str, Any]:
    return {"default": {"BACKEND": "forebay.django.SqsBackend", **params}}


@pytest.fixture
def enqueued() -> Iterator[list[Any]]:
    told: list[Any] = []

    def listen(sender: Any, task_result: Any, **_: Any) -> None:
        told.append((sender, task_result.id, task_result.task.module_path))

    task_enqueued.connect(listen)
    yield told
    task_enqueued.disconnect(listen)


def test_a_task_travels_as_a_job_named_by_its_module_path(caught: Caught, enqueued: list[Any]) -> None:
    result = add.enqueue(1, b=2)

    ((address, message),) = caught.messages
    assert address == "default"
    assert message.attributes == {"job": ("String", "tests.on_django.declared.add")}
    assert json.loads(message.body) == {"args": [1], "kwargs": {"b": 2}}
    assert (result.id, result.status, result.attempts) == ("id-0", TaskResultStatus.READY, 0)
    assert enqueued == [(SqsBackend, "id-0", "tests.on_django.declared.add")]


def test_a_coroutine_sends_alike(caught: Caught) -> None:
    result = asyncio.run(aadd.aenqueue(1))

    assert result.id == "id-0"
    assert json.loads(caught.messages[0][1].body) == {"args": [1], "kwargs": {}}


def test_run_after_is_a_delay(caught: Caught) -> None:
    add.using(run_after=timezone.now() + timedelta(minutes=5)).enqueue(1)
    add.using(run_after=timezone.now() - timedelta(minutes=5)).enqueue(1)

    later, at_once = (message for _, message in caught.messages)
    assert 290 <= later.delay_s <= 300
    assert at_once.delay_s == 0


def test_run_after_beyond_what_sqs_can_wait_for_is_an_invalid_task(caught: Caught) -> None:
    with pytest.raises(InvalidTask, match="15 minutes"):
        add.using(run_after=timezone.now() + timedelta(hours=1))
    assert caught.messages == []


def test_what_sqs_cannot_do_is_not_promised() -> None:
    backend = task_backends["default"]

    assert (backend.supports_defer, backend.supports_async_task) == (True, True)
    assert (backend.supports_priority, backend.supports_get_result) == (False, False)
    with pytest.raises(InvalidTask, match="priority"):
        add.using(priority=5)
    with pytest.raises(NotImplementedError):
        add.get_result("id-0")


def test_arguments_that_json_does_not_have_are_refused_before_anything_is_sent(caught: Caught) -> None:
    with pytest.raises(TypeError):
        add.enqueue(object())  # type: ignore[arg-type]
    assert caught.messages == []


@pytest.mark.parametrize(
    ("urls", "queue_name", "address"),
    [
        ("", "default", "default"),
        ("http://sqs/1/first http://sqs/1/mail", "default", "http://sqs/1/first"),
        ("http://sqs/1/first http://sqs/1/mail", "mail", "http://sqs/1/mail"),
        ("http://sqs/1/first", "mail", "mail"),
        ("http://sqs/1/first", "given", "http://sqs/1/elsewhere"),
    ],
)
def test_each_of_djangos_queues_has_its_queue(
    monkeypatch: pytest.MonkeyPatch, caught: Caught, urls: str, queue_name: str, address: str
) -> None:
    monkeypatch.setenv("FOREBAY_QUEUE_URL", urls)
    given = {"queues": {"given": "http://sqs/1/elsewhere"}}
    with override_settings(TASKS=tasks(QUEUES=["default", "mail", "given"], OPTIONS=given)):
        add.using(queue_name=queue_name).enqueue(1)

    assert caught.messages[0][0] == address


def test_a_fifo_queue_keeps_the_tasks_of_one_kind_in_order(caught: Caught) -> None:
    with override_settings(TASKS=tasks(OPTIONS={"queues": {"default": "shop.fifo"}})):
        add.enqueue(1)
        add.enqueue(1)

    first, second = (message for _, message in caught.messages)
    assert first.group == second.group == "tests.on_django.declared.add"
    assert first.dedupe != second.dedupe, "two tasks that are alike are two tasks"


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"OPTIONS": {"timeout": "5m"}}, "'timeout', but forebay.django knows queues, modules, job, jobs"),
        ({"QUEUES": ["default"], "OPTIONS": {"queues": {"mail": "x"}}}, "'mail', which is not among its QUEUES"),
    ],
)
def test_options_that_mean_nothing_are_named(params: dict[str, Any], told: str) -> None:
    with override_settings(TASKS=tasks(**params)), pytest.raises(ImproperlyConfigured, match=told):
        fails.enqueue("x")


def test_what_waits_for_a_transaction_is_sent_when_it_is_committed_and_never_when_it_is_not(
    caught: Caught, connected: Any
) -> None:
    with transaction.atomic():
        transaction.on_commit(partial(add.enqueue, 1))
        assert caught.messages == []
    with transaction.atomic():
        transaction.on_commit(partial(add.enqueue, 2))
        transaction.set_rollback(True)

    assert [json.loads(message.body)["args"] for _, message in caught.messages] == [[1]]
