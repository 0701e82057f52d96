"""How records of the standard `logging` module become lines."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator

import pytest
from tests.observability.kept_lines import CANARY, KeptLines, attempt

from forebay.observability.current import CURRENT_ATTEMPT
from forebay.observability.events import Keep
from forebay.observability.logs import SAMPLE_LOGGER, LogHandler, install
from forebay.settings import LogFormat


@pytest.fixture
def lines() -> KeptLines:
    return KeptLines()


class Root(logging.RootLogger):
    """A root of one's own, so that the program's is left alone."""


@pytest.fixture
def root() -> Root:
    return Root(logging.WARNING)


@pytest.fixture
def inside_an_attempt() -> Iterator[None]:
    token = CURRENT_ATTEMPT.set(attempt(7, receive_count=2))
    yield
    CURRENT_ATTEMPT.reset(token)


def logger_of(root: Root, name: str) -> logging.Logger:
    logger = logging.Logger(name)
    logger.parent = root
    return logger


def with_handler(root: Root, lines: KeptLines, log: LogFormat, **choices: str) -> LogHandler:
    handler = LogHandler(lines, log=log, error_detail="full" if choices.get("error_detail") == "full" else "frames")
    install(handler, root, log=log)
    return handler


@pytest.mark.usefixtures("inside_an_attempt")
def test_a_record_inside_an_attempt_names_its_job_and_message(lines: KeptLines, root: Root) -> None:
    with_handler(root, lines, "json")

    logger_of(root, "shop.orders").info("charged %s", "EUR 3", extra={"order": 42, "cart": ["a"]})

    [line] = lines.events
    assert line.pop("at").endswith("Z")
    assert line == {
        "event": "log", "level": "INFO", "logger": "shop.orders", "message": "charged EUR 3", "job": "resize",
        "message_id": "id-7", "attempt": 2, "queue": "thumbnails", "order": 42,
    }  # fmt: skip


@pytest.mark.usefixtures("inside_an_attempt")
def test_in_text_a_record_is_one_readable_line(lines: KeptLines, root: Root) -> None:
    with_handler(root, lines, "text")

    logger_of(root, "shop.orders").warning("two\nlines")

    assert lines.lines[0][24:] == " WARNING shop.orders: two | lines job=resize message_id=id-7\n"
    assert lines.keeps == [Keep.IMPORTANT]


@pytest.mark.usefixtures("inside_an_attempt")
def test_the_samples_lines_are_shown_as_in_the_article(lines: KeptLines, root: Root) -> None:
    with_handler(root, lines, "text")

    logger_of(root, SAMPLE_LOGGER).info("id-7 - Working for 20000 milliseconds")

    assert lines.lines[0][24:] == " id-7 - Working for 20000 milliseconds\n"


def test_info_is_shown_unless_the_user_chose_a_level(lines: KeptLines, root: Root) -> None:
    chosen = Root(logging.ERROR)

    with_handler(root, lines, "text")
    with_handler(chosen, lines, "text")

    assert root.level == logging.INFO
    assert chosen.level == logging.ERROR


def test_in_json_a_plain_stream_handler_gives_way_and_other_handlers_stay(lines: KeptLines, root: Root) -> None:
    plain, other = logging.StreamHandler(sys.stderr), logging.NullHandler()
    root.handlers = [plain, other]

    handler = with_handler(root, lines, "json")

    assert root.handlers == [other, handler]


def test_in_text_a_stream_handler_of_the_users_stays_and_ours_is_not_added(lines: KeptLines, root: Root) -> None:
    root.handlers = [logging.StreamHandler(sys.stdout)]

    with_handler(root, lines, "text")

    assert [type(handler) for handler in root.handlers] == [logging.StreamHandler]


def test_a_record_that_cannot_be_formatted_is_told_without_its_arguments(
    lines: KeptLines, root: Root, capsys: pytest.CaptureFixture[str]
) -> None:
    with_handler(root, lines, "json")

    logger_of(root, "shop").info("%d", CANARY)

    assert "cannot be formatted" in lines.events[0]["message"]
    assert CANARY not in lines.lines[0]
    assert capsys.readouterr() == ("", "")


def test_the_users_own_exception_record_keeps_its_traceback(lines: KeptLines, root: Root) -> None:
    with_handler(root, lines, "json")

    _log_an_exception(logger_of(root, "shop"))

    assert f"ValueError: {CANARY}" in lines.events[0]["exception"]


@pytest.mark.parametrize("library", ["asyncio", "django.tasks", "django_tasks"])
@pytest.mark.parametrize("log", ["json", "text"])
def test_a_librarys_record_of_a_handlers_exception_shows_its_place_only(
    lines: KeptLines, root: Root, log: LogFormat, library: str
) -> None:
    with_handler(root, lines, log)

    _log_an_exception(logger_of(root, library))

    assert CANARY not in "".join(lines.lines)
    assert "ValueError at " in lines.lines[0]
    assert "_log_an_exception" in lines.lines[0]


def test_a_librarys_record_is_whole_when_error_detail_is_full(lines: KeptLines, root: Root) -> None:
    with_handler(root, lines, "json", error_detail="full")

    _log_an_exception(logger_of(root, "asyncio"))

    assert CANARY in lines.events[0]["message"]
    assert json.loads(lines.lines[0])["level"] == "ERROR"


def _log_an_exception(logger: logging.Logger) -> None:
    try:
        raise ValueError(CANARY)
    except ValueError:
        logger.exception("Task exception was never retrieved\nfuture: <Task exception=ValueError(%r)>", CANARY)
