"""The page's controls: each method of the cloud has one, and nothing wrong gets through."""

from __future__ import annotations

import asyncio
import inspect
import json
from typing import Any

import aiohttp
import pytest
from tests.browser.fake_cloud import FakeCloud

from forebay.local.page import Page
from forebay.local.page.controls import CONTROLS
from forebay.local.port import LocalCloud

VIEWS = {"picture", "log_lines"}
"""Methods that look and do nothing."""


def _ask(control: str, body: object, *, cloud: FakeCloud | None = None) -> tuple[int, dict[str, Any]]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def main() -> tuple[int, dict[str, Any]]:
        async with Page(cloud or FakeCloud(), 0) as page, aiohttp.ClientSession(base_url=page.url) as session:
            headers = {"Content-Type": "application/json"}
            async with session.post(f"/do/{control}", data=content, headers=headers) as answer:
                return answer.status, await answer.json()

    return asyncio.run(main())


def test_every_method_of_the_cloud_has_a_control_with_its_very_arguments() -> None:
    methods = {
        name: [parameter for parameter in inspect.signature(method).parameters if parameter != "self"]
        for name, method in vars(LocalCloud).items()
        if not name.startswith("_") and inspect.isfunction(method) and name not in VIEWS
    }

    assert {name: list(control.values) for name, control in CONTROLS.items()} == methods


def test_a_control_does_what_it_says_and_answers_with_its_result() -> None:
    cloud = FakeCloud()

    assert _ask("send", {"count": 7, "job_ms": 100}, cloud=cloud) == (200, {"result": 7})
    assert _ask("deploy", {}, cloud=cloud) == (200, {"result": 2})
    assert _ask("set_scaled", {"is_scaled": False}, cloud=cloud) == (200, {"result": None})

    assert (cloud.service.sent, cloud.service.revision, cloud.service.is_scaled) == (7, 2, False)


def test_what_the_cloud_refuses_is_answered_with_its_own_sentence() -> None:
    status, said = _ask("kill", {"task_id": "none"})

    assert (status, said) == (409, {"error": "there is no task none"})


@pytest.mark.parametrize(
    ("control", "body", "named"),
    [
        ("send", {"count": 0, "job_ms": 5}, "count must be a whole number from 1 to 100,000, not 0"),
        ("send", {"count": 1.5, "job_ms": 5}, "count must be"),
        ("send", {"count": True, "job_ms": 5}, "count must be"),
        ("send", {"count": "7", "job_ms": 5}, 'not "7"'),
        ("send", {"count": 7, "job_ms": 39_600_001}, "job_ms must be"),
        ("send", {"count": 7}, "job_ms is missing"),
        ("send", {"count": 7, "job_ms": 5, "body": "x"}, "body is not a value of this control"),
        ("send", [7, 5], "a JSON object is needed"),
        ("send", b"{", "the body is not JSON"),
        ("send", b"\xff\xfe", "the body is not JSON"),
        ("set_rate", {"per_s": -1, "job_ms": 5}, "per_s must be a number from 0 to 10,000, not -1"),
        ("set_rate", b'{"per_s": NaN, "job_ms": 5}', "per_s must be"),
        ("set_rate", b'{"per_s": 1e999, "job_ms": 5}', "per_s must be"),
        ("set_desired", {"count": None}, "count must be a whole number from 0 to 1,000, not null"),
        ("set_scaled", {"is_scaled": 1}, "is_scaled must be true or false, not 1"),
        ("kill", {"task_id": ""}, "task_id must be a text"),
        ("kill", {"task_id": ["a"]}, "task_id must be a text"),
        ("hole", {"seconds": 4000}, "seconds must be"),
        ("clear_faults", {"seconds": 4}, "it takes none"),
    ],
)
def test_a_bad_value_is_named_and_nothing_happens(control: str, body: object, named: str) -> None:
    cloud = FakeCloud()

    status, said = _ask(control, body, cloud=cloud)

    assert status == 400
    assert named in said["error"]
    assert cloud.service.sent == 0


@pytest.mark.parametrize("control", ["picture", "__init__", "log_lines", "nothing"])
def test_what_is_not_a_control_cannot_be_called(control: str) -> None:
    status, said = _ask(control, {})

    assert status == 404
    assert "there is no control" in said["error"]


def test_a_request_that_is_too_long_is_refused() -> None:
    async def main() -> int:
        async with (
            Page(FakeCloud(), 0) as page,
            aiohttp.ClientSession(base_url=page.url) as session,
            session.post("/do/send", json={"count": "9" * 100_000}) as answer,
        ):
            return answer.status

    assert asyncio.run(main()) == 413
