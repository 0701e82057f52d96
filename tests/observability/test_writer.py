"""The writer thread against real pipes: read, full, broken and closed."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from time import monotonic, perf_counter

import pytest

from forebay.observability.events import Keep
from forebay.observability.writer import Writer

PATIENCE_S = 10.0


class Pipe:
    """A real pipe. `read_all` ends when the writing side is closed."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        self._open = {self.reader, self.writer}

    def close(self, descriptor: int) -> None:
        self._open.discard(descriptor)
        os.close(descriptor)

    def read(self, size: int) -> str:
        """Return exactly `size` bytes as text."""
        taken = b""
        while len(taken) < size:
            taken += os.read(self.reader, size - len(taken))
        return taken.decode()

    def read_what_there_is(self) -> None:
        """Take what lies in the pipe, if anything does."""
        while select.select([self.reader], [], [], 0)[0]:
            os.read(self.reader, 65_536)

    def fill(self) -> None:
        """Fill the pipe: nothing more can be written before somebody reads."""
        os.set_blocking(self.writer, False)
        with suppress(BlockingIOError):
            while True:
                os.write(self.writer, b"\n" * 1_000)
        with suppress(BlockingIOError):
            while True:
                os.write(self.writer, b"\n")
        os.set_blocking(self.writer, True)

    def close_all(self) -> None:
        for descriptor in list(self._open):
            self.close(descriptor)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close_all()


def eventually(is_so: Callable[[], bool]) -> bool:
    """Say whether it comes true in time; the condition belongs to another thread."""
    event = threading.Event()
    until = monotonic() + PATIENCE_S
    while monotonic() < until:
        if is_so():
            return True
        event.wait(0.005)
    return False


def test_lines_leave_whole_and_in_order(pipe: Pipe) -> None:
    writer = Writer(pipe.writer)
    lines = [f"line {number} é\n" for number in range(2_000)]

    for line in lines:
        writer.write(line)

    assert pipe.read(len("".join(lines).encode())) == "".join(lines)
    assert writer.close(PATIENCE_S) is True


def test_closing_writes_what_waits(pipe: Pipe) -> None:
    writer = Writer(pipe.writer)

    writer.write("the ledger\n", Keep.VITAL)

    assert writer.close(PATIENCE_S) is True
    assert pipe.read(11) == "the ledger\n"


def test_a_pipe_that_nobody_reads_blocks_no_caller_and_drops_only_routine_lines(pipe: Pipe) -> None:
    writer = Writer(pipe.writer, routine_bytes_max=100_000)
    routine, important, vital = "r" * 99 + "\n", "i" * 99 + "\n", "v" * 99 + "\n"

    began = perf_counter()
    for _ in range(20_000):
        writer.write(routine)
    for _ in range(50):
        writer.write(important, Keep.IMPORTANT)
    writer.write(vital, Keep.VITAL)
    took_s = perf_counter() - began
    gave_up = writer.close(0.05)

    assert took_s < PATIENCE_S  # the pipe is full, and 20,000 calls have returned
    assert gave_up is False
    dropped = writer.take_dropped(at_the_end=True)
    assert 15_000 < dropped < 20_000
    written = pipe.read(100 * (20_000 - dropped + 51))
    assert written == routine * (20_000 - dropped) + important * 50 + vital


def test_important_lines_have_a_bound_too_and_vital_ones_have_none(pipe: Pipe) -> None:
    writer = Writer(pipe.writer, routine_bytes_max=1_000, important_bytes_max=100_000)
    line = "x" * 999 + "\n"

    for _ in range(1_000):
        writer.write(line, Keep.IMPORTANT)
    important_dropped = writer.take_dropped(at_the_end=True)
    for _ in range(1_000):
        writer.write(line, Keep.VITAL)

    assert 500 < important_dropped < 1_000
    assert writer.take_dropped(at_the_end=True) == 0
    pipe.read(1_000 * (2_000 - important_dropped))
    assert writer.close(PATIENCE_S) is True


def test_what_was_dropped_is_told_once_there_is_room_to_say_so(pipe: Pipe) -> None:
    pipe.fill()
    writer = Writer(pipe.writer, routine_bytes_max=10_000)
    line = "x" * 999 + "\n"
    for _ in range(1_000):
        writer.write(line)

    while_full = writer.take_dropped()
    told: list[int] = []

    def read_and_ask() -> bool:
        pipe.read_what_there_is()
        told.append(writer.take_dropped())
        return told[-1] > 0

    assert while_full == 0
    assert eventually(read_and_ask)
    assert told[-1] > 900
    assert writer.take_dropped() == 0


def test_a_broken_pipe_swallows_lines_without_a_word(pipe: Pipe) -> None:
    writer = Writer(pipe.writer)
    pipe.close(pipe.reader)

    writer.write("nobody reads this\n")

    assert eventually(lambda: writer.is_broken)
    writer.write("nor this\n", Keep.VITAL)
    assert writer.close(PATIENCE_S) is False


def test_output_that_was_never_open_stops_nothing(pipe: Pipe) -> None:
    pipe.close(pipe.writer)
    writer = Writer(pipe.writer)

    writer.write("into nothing\n", Keep.VITAL)

    assert writer.is_broken
    assert writer.close(PATIENCE_S) is False


def test_closing_standard_output_in_user_code_does_not_send_lines_elsewhere(pipe: Pipe) -> None:
    writer = Writer(pipe.writer)
    number = pipe.writer
    pipe.close(number)
    other_reader, other_writer = os.pipe()
    assert number in (other_reader, other_writer)  # the system gives the number away again

    writer.write("still logged\n")

    assert pipe.read(13) == "still logged\n"
    assert writer.close(PATIENCE_S) is True
    os.close(other_reader)
    os.close(other_writer)


def test_a_pipe_that_was_made_non_blocking_is_waited_for(pipe: Pipe) -> None:
    os.set_blocking(pipe.writer, False)
    writer = Writer(pipe.writer)
    text = "x" * 99_999 + "\n"

    for _ in range(5):
        writer.write(text)

    assert pipe.read(500_000) == text * 5
    assert writer.close(PATIENCE_S) is True


def test_a_text_that_utf_8_cannot_hold_is_written_all_the_same(pipe: Pipe) -> None:
    writer = Writer(pipe.writer)

    writer.write("half a pair: \ud83d\n")

    assert writer.close(PATIENCE_S) is True
    assert pipe.read(20) == "half a pair: \\ud83d\n"
