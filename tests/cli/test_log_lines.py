"""What `forebay logs` makes of lines, and how it follows them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from tests.cli.pacing import NOW, VirtualPace

from forebay.cli.log_lines import Shown
from forebay.cli.logs import Teller, go_on
from forebay.cli.pace import FAILURES_MAX
from forebay.deploy.live.logs import Line
from forebay.errors import DeployError
from forebay.observability.lines import json_line

SEVEN_LINES = """\
2023-05-05T18:13:33.343Z Acquiring task protection
2023-05-05T18:13:33.367Z Long polling for messages
2023-05-05T18:13:40.560Z 543ad901-2eb2-4f42-9efe-28a2dd458bc2 - Received
2023-05-05T18:13:40.560Z 543ad901-2eb2-4f42-9efe-28a2dd458bc2 - Working for 20000 milliseconds
2023-05-05T18:14:00.571Z 543ad901-2eb2-4f42-9efe-28a2dd458bc2 - Done
2023-05-05T18:14:00.571Z Releasing task protection
2023-05-05T18:14:00.611Z Task protection released
"""


def line(message: str, *, task: str = "0506b170aaaa", seconds: float = 0.0, event_id: str = "") -> Line:
    return Line(NOW + timedelta(seconds=seconds), task, message, event_id or message)


def told(
    lines: Sequence[Line], capsys: pytest.CaptureFixture[str], *, form: str = "text", is_sample: bool = True
) -> str:
    shown = Shown(form=form, is_sample=is_sample, is_on_terminal=False)  # type: ignore[arg-type]
    Teller(shown).tell(lines)
    return capsys.readouterr().out


def test_the_article_s_seven_lines_show_exactly(capsys: pytest.CaptureFixture[str]) -> None:
    assert told([line(text) for text in SEVEN_LINES.splitlines()], capsys) == SEVEN_LINES


def test_lines_in_json_are_worded_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    at = datetime(2026, 11, 28, 12, tzinfo=UTC)
    acquiring = json_line("protection.acquiring", {}, at).rstrip("\n")

    assert told([line(acquiring)], capsys) == "2026-11-28T12:00:00.000Z Acquiring task protection\n"
    assert told([line(acquiring)], capsys, form="raw") == acquiring + "\n"


def test_what_is_no_event_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line("hello"), line('{"mine": 1}'), line('{"event": "x"'), line("[1]")]

    assert told(lines, capsys) == 'hello\n{"mine": 1}\n{"event": "x"\n[1]\n'


def test_tasks_are_named_as_soon_as_there_are_several(capsys: pytest.CaptureFixture[str]) -> None:
    teller = Teller(Shown(form="text", is_sample=False, is_on_terminal=False))

    teller.tell([line("alone")])
    teller.tell([line("first"), line("second", task="1ba654fcbbbb")])
    teller.tell([line("again")])

    assert capsys.readouterr().out == "alone\n0506b170 first\n1ba654fc second\n0506b170 again\n"


def test_json_holds_the_task_the_time_and_the_message_as_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    found = [json.loads(one) for one in told([line('{"a": 1}'), line("b")], capsys, form="json").splitlines()]

    assert found == [
        {"at": "2026-11-28T12:00:00.000Z", "task": "0506b170aaaa", "message": {"a": 1}},
        {"at": "2026-11-28T12:00:00.000Z", "task": "0506b170aaaa", "message": "b"},
    ]


def test_on_a_terminal_no_line_moves_the_cursor() -> None:
    shown = Shown(form="text", is_sample=False, is_on_terminal=True)

    assert shown.text(line("red \x1b[31m\u202e\tend")) == "red \\x1b[31m\\x202e\tend"


class ScriptedReader:
    """Answers each question with the next of what is written down."""

    def __init__(self, *answers: Sequence[Line] | DeployError) -> None:
        self._answers = list(answers)
        self.starts: list[datetime] = []

    def between(self, start_utc: datetime, end_utc: datetime | None = None) -> list[Line]:
        del end_utc
        self.starts.append(start_utc)
        answer = self._answers.pop(0)
        if isinstance(answer, DeployError):
            raise answer
        return list(answer)

    def last(self, count: int, *, since_utc: datetime, now_utc: datetime) -> list[Line]:
        del now_utc
        return self.between(since_utc)[-count:]


def followed(reader: ScriptedReader, *, looks: int, count: int | None = 10) -> None:
    teller = Teller(Shown(form="text", is_sample=False, is_on_terminal=False))
    go_on(reader, teller, VirtualPace(), reach=timedelta(hours=1), count=count, looks=looks)


def test_following_begins_with_the_last_lines_and_repeats_none(capsys: pytest.CaptureFixture[str]) -> None:
    a, b, c = line("a"), line("b", seconds=1), line("c", seconds=2)

    followed(ScriptedReader([a, b], [a, b], [b, c]), looks=2, count=1)

    assert capsys.readouterr().out == "b\nc\n"


def test_following_from_a_time_tells_a_line_that_came_late(capsys: pytest.CaptureFixture[str]) -> None:
    """CloudWatch had it ready after one that is younger, which the beginning has shown."""
    a, late, b = line("a", seconds=-3), line("late", seconds=-4), line("b", seconds=1)

    followed(ScriptedReader([a], [late, a], [late, a, b]), looks=2, count=None)

    assert capsys.readouterr().out == "a\nlate\nb\n"


def test_following_begins_with_hours_one_after_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    reader = ScriptedReader([line("old", seconds=-7_000)], [line("older than now", seconds=-5)], [])
    teller = Teller(Shown(form="text", is_sample=False, is_on_terminal=False))

    go_on(reader, teller, VirtualPace(), reach=timedelta(hours=2), count=None, looks=1)

    assert capsys.readouterr().out == "old\nolder than now\n"
    assert reader.starts[:2] == [NOW - timedelta(hours=2), NOW - timedelta(hours=1)]


def test_following_survives_a_failure_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    followed(ScriptedReader([], DeployError("throttled"), [line("a")]), looks=2)

    assert capsys.readouterr() == ("a\n", "forebay: throttled; trying on\n")


def test_following_gives_up_after_several_failures_in_a_row() -> None:
    reader = ScriptedReader([], *[DeployError("expired")] * FAILURES_MAX)

    with pytest.raises(DeployError, match="expired"):
        followed(reader, looks=100)
