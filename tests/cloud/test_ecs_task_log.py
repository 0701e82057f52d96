"""The log stream of a task: lines out of pieces, the newest kept, a file that may fail."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.cloud.ecs_task_log import LineSplitter, TaskLog


@given(st.lists(st.binary(max_size=12).map(lambda text: text.replace(b"\x00", b"\n"))))
def test_lines_do_not_depend_on_how_the_bytes_are_cut(pieces: list[bytes]) -> None:
    splitter = LineSplitter()

    lines = [line for piece in pieces for line in splitter.feed(piece)] + splitter.end()

    whole = b"".join(pieces)
    assert lines == (whole.split(b"\n")[:-1] if whole.endswith(b"\n") else whole.split(b"\n") if whole else [])


@given(st.lists(st.binary(min_size=1, max_size=30)), st.integers(1, 7))
def test_a_line_that_is_too_long_comes_in_pieces_and_nothing_is_lost(pieces: list[bytes], bound: int) -> None:
    splitter = LineSplitter(line_max_bytes=bound)

    lines = [line for piece in pieces for line in splitter.feed(piece)] + splitter.end()

    assert b"".join(lines) == b"".join(pieces).replace(b"\n", b"")
    assert all(len(line) <= bound for line in lines)


def test_the_newest_lines_are_kept() -> None:
    log = TaskLog(lines_max=3)

    log.add([b"%d" % number for number in range(5)])

    assert log.last(100) == ["2", "3", "4"]
    assert log.last(2) == ["3", "4"]
    assert log.last(0) == []
    assert log.last(-1) == []


def test_long_lines_take_the_place_of_many() -> None:
    log = TaskLog(bytes_max=10)

    log.add([b"a" * 4, b"b" * 4, b"c" * 4])

    assert log.last(100) == ["bbbb", "cccc"]


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    log = TaskLog()

    log.add([b"caf\xe9"])

    assert log.last(1) == ["caf\ufffd"]


def test_every_line_goes_into_the_file_however_few_are_kept(tmp_path: Path) -> None:
    log = TaskLog(tmp_path / "deep" / "task.log", lines_max=1)

    log.add([b"one", b"two"])
    log.add([])
    log.add([b"three"])
    log.close()

    assert (tmp_path / "deep" / "task.log").read_bytes() == b"one\ntwo\nthree\n"


def test_a_file_that_cannot_be_written_is_given_up_and_the_stream_says_so(tmp_path: Path) -> None:
    (tmp_path / "in the way").write_text("")
    log = TaskLog(tmp_path / "in the way" / "task.log")

    log.add([b"one"])
    log.add([b"two"])

    first, told, last = log.last(3)
    assert (first, last) == ("one", "two")
    assert "is given up" in told


@pytest.mark.parametrize("count", [1, 3])
def test_a_line_of_exactly_the_bound_is_one_line(count: int) -> None:
    splitter = LineSplitter(line_max_bytes=4)

    assert splitter.feed(b"abcd\n" * count) == [b"abcd"] * count
    assert splitter.end() == []
