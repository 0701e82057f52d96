"""`handler:` of forebay.yml, where no TARGET is given."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.command import run

from forebay.api.project_file import Written, handler, handler_in
from forebay.errors import SettingsError

JOBS = """\
from forebay import Worker

thumbnails = Worker("thumbnails", slots=7)
orders = Worker("orders", slots=9)

@thumbnails.default
@orders.default
async def work(body: dict[str, str]) -> None: ...
"""

URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/thumbnails"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "jobs.py").write_text(JOBS)
    (tmp_path / "forebay.yml").write_text("name: shop\nhandler: jobs:orders\nqueue: {type: !Odd fifo}\n")
    return tmp_path


@pytest.mark.processes
@pytest.mark.parametrize(("arguments", "slots"), [((), 9), (("jobs:thumbnails",), 7)])
def test_the_projects_handler_is_worked_unless_a_target_is_given(
    folder: Path, arguments: tuple[str, ...], slots: int
) -> None:
    ran = run("doctor", "--settings", "--json", *arguments, cwd=folder)

    assert json.loads(ran.out)["slots"] == {"value": slots, "source": "code"}


@pytest.mark.processes
@pytest.mark.parametrize(
    ("verb", "arguments"),
    [("run", ("--queue", URL)), ("local", ("--no-page",))],
)
def test_a_handler_that_is_not_there_is_told_with_its_line(folder: Path, verb: str, arguments: tuple[str, ...]) -> None:
    (folder / "forebay.yml").write_text("name: shop\nhandler: shop.jobs:worker\n")

    ran = run(verb, *arguments, cwd=folder)

    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("forebay: forebay.yml line 2, handler: there is no module 'shop', neither in ")


def test_there_need_be_no_file_and_no_handler_in_it(tmp_path: Path) -> None:
    assert handler(tmp_path) is None
    assert handler_in("name: shop\nhandler:\nrun:\n") is None
    assert handler_in("schedules:\n  handler: not-ours\n") is None


def test_a_handler_is_read_with_its_line_and_without_its_comment() -> None:
    assert handler_in('name: a\nhandler: "shop.jobs:worker"  # ours\n') == Written(
        ("shop.jobs:worker",), "forebay.yml line 2"
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("handler:\n  shop:worker\n", "line 2: write the handler on the line of its key"),
        ("handler: shop\n  :worker\n", "line 2: write the handler on the line of its key"),
        ("handler: a:b\nhandler: c:d\n", "line 2: handler is set twice"),
        ("handler: &a b\n", "line 1: '&a b' is not a plain value"),
    ],
)
def test_a_handler_that_cannot_be_read_is_never_taken_for_none(text: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        handler_in(text)


def test_what_else_stands_in_the_file_may_look_like_anything() -> None:
    text = "name: &a shop\nx: {[}\n? !y\n: - *a\n\tz: |\n\t\trun\nhandler: a:b\n"

    assert handler_in(text) == Written(("a:b",), "forebay.yml line 7")
