"""What is known of a death: read from what Python wrote in its last moment, and from who noted what before."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from typing import IO

import pytest

from forebay.handlers.child_process import Death
from forebay.handlers.crash import OUT_OF_MEMORY, blamed, crashed, read_dump
from forebay.handlers.crash_board import BOARD_BYTES, CrashBoard, noted

DUMP = """\
Fatal Python error: Segmentation fault

Thread 0x00007f0000000001 (most recent call first):
  File "/app/other.py", line 9 in bystander

Current thread 0x00007f0000000002 (most recent call first):
  File "/app/jobs.py", line 20 in inner
  File "/app/jobs.py", line 12 in resize

Thread 0x00007f0000000003 (most recent call first):
  File "/app/other.py", line 1 in bystander

Extension modules: _cffi_backend (total: 1)
"""
NOTHING = read_dump("")


def death(exit_code: int, *, board: bytes = b"", was_out_of_memory: bool = False) -> Death:
    return Death(exit_code, 1024, "", board, was_out_of_memory)


def test_the_stack_is_that_of_the_thread_in_which_it_happened_outermost_first() -> None:
    told = read_dump(DUMP)

    assert (told.error, told.thread) == ("Segmentation fault", 0x7F0000000002)
    assert told.stack == ("app/jobs.py:12 resize", "app/jobs.py:20 inner")


@pytest.mark.parametrize("dump", ["", "Fatal Py", "Current thread 0xzz", DUMP[:120]])
def test_a_dump_that_was_cut_off_tells_what_it_can(dump: str) -> None:
    assert read_dump(dump).stack == ()


@pytest.mark.parametrize(
    ("exit_code", "was_out_of_memory", "reason", "name"),
    [
        (-signal.SIGABRT, False, "Aborted", "SIGABRT"),
        (-signal.SIGKILL, False, "killed from outside, perhaps by the kernel for want of memory", "SIGKILL"),
        (-signal.SIGKILL, True, "killed by the kernel: the container was out of memory", "SIGKILL"),
        (3, False, "the process left by itself", None),
        (OUT_OF_MEMORY, False, "no memory left under the job's limit", None),
    ],
)
def test_the_cause_is_told_as_far_as_it_is_known(
    exit_code: int, was_out_of_memory: bool, reason: str, name: str | None
) -> None:
    outcome = crashed(death(exit_code, was_out_of_memory=was_out_of_memory), NOTHING)

    assert (outcome.reason, outcome.signal, outcome.exit_code) == (reason, name, exit_code)


@pytest.fixture
def board_file() -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as file:
        file.truncate(BOARD_BYTES)
        yield file


def board_with(board_file: IO[bytes], *numbers: int) -> tuple[bytes, dict[int, int]]:
    """A board on which a thread for each attempt has left a note; which thread did which."""
    descriptor = board_file.fileno()
    board = CrashBoard(descriptor)
    all_there = threading.Barrier(len(numbers) + 1)

    def note(number: int) -> None:
        board.noting(number)
        all_there.wait()  # So that no two have the same identity, one after the other.

    threads = [threading.Thread(target=note, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    all_there.wait()
    for thread in threads:
        thread.join()
    left = os.pread(descriptor, BOARD_BYTES, 0)
    return left, {number: thread for thread, number in noted(left)}


def test_only_the_attempt_whose_thread_crashed_is_blamed(board_file: IO[bytes]) -> None:
    board, threads = board_with(board_file, 1, 2, 3)
    told = read_dump(f"Fatal Python error: Aborted\n\nCurrent thread {threads[2]:#x} (most recent call first):\n")

    assert blamed(death(-6, board=board), told, {1, 2, 3}) == {2}


def test_a_crash_on_the_loop_is_no_fault_of_the_jobs_in_threads(board_file: IO[bytes]) -> None:
    board, _ = board_with(board_file, 1, 2)
    told = read_dump("Fatal Python error: Aborted\n\nCurrent thread 0x1 (most recent call first):\n")

    assert blamed(death(-6, board=board), told, {1, 2, 7, 8}) == {7, 8}


def test_when_nobody_can_tell_all_are_blamed(board_file: IO[bytes]) -> None:
    board, _ = board_with(board_file, 1, 2)

    assert blamed(death(-9, board=board), NOTHING, {1, 2, 7}) == {1, 2, 7}


def test_a_note_is_taken_back_when_the_attempt_has_ended(board_file: IO[bytes]) -> None:
    descriptor = board_file.fileno()
    board = CrashBoard(descriptor)

    take_back = board.noting(1)
    during = [number for _, number in noted(os.pread(descriptor, BOARD_BYTES, 0))]
    take_back()
    after = [number for _, number in noted(os.pread(descriptor, BOARD_BYTES, 0))]

    assert (during, after) == ([1], [])
