"""Code that misuses its process: what it says is bounded, what it breaks is its own, and is told as what it was."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace

from tests.handlers import rude_jobs
from tests.handlers.children import children
from tests.handlers.collecting import attempt

from forebay.model import SUCCEEDED, Crashed, Failed


def test_what_is_put_beside_a_log_record_is_bounded() -> None:
    with children(worker=rude_jobs.worker) as at_work:
        at_work.executor.start([attempt(1, "logs_far_too_much_beside")])

        assert at_work.collected.outcomes(1) == {1: SUCCEEDED}
        at_work.words.logged("beside")

    (record,) = [one for one in at_work.words.records if one.getMessage() == "beside"]
    assert 0 < len(vars(record)["text"]) < 100_000
    assert vars(record)["short"] == "kept"
    assert not hasattr(record, "number"), "JSON has no word for it"


def test_a_log_record_that_cannot_be_sent_is_told_of_and_fails_no_job() -> None:
    with children(worker=rude_jobs.worker) as at_work:
        at_work.executor.start([attempt(1, "logs_what_is_no_record")])

        assert at_work.collected.outcomes(1) == {1: SUCCEEDED}
        at_work.words.logged("a log record at")


def test_a_hundred_failures_with_the_longest_words_are_told_as_such() -> None:
    members = [replace(attempt(number, "fails_in_foxes", str(number)), batch=9) for number in range(100)]
    with children(worker=rude_jobs.worker) as at_work:
        at_work.executor.start(members)

        outcomes = at_work.collected.outcomes(100)

    assert {type(outcome) for outcome in outcomes.values()} == {Failed}


def test_a_pipe_that_the_code_has_spoilt_is_the_reason_of_the_crash() -> None:
    with children(worker=rude_jobs.worker) as at_work:
        at_work.executor.start([attempt(1, "writes_nonsense_on_the_pipe")])

        outcome = at_work.collected.outcomes(1)[1]

    assert isinstance(outcome, Crashed)
    assert "on the pipe to a child process" in outcome.reason


def test_a_program_around_the_worker_that_ignores_its_children_changes_nothing_for_theirs() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with children(worker=rude_jobs.worker) as at_work:
            at_work.executor.start([attempt(1, "runs_a_program_that_fails")])

            assert at_work.words.logged("status") == ["7"]
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_code_finds_python_as_it_always_is() -> None:
    usual = subprocess.run(
        [sys.executable, "-c", "import gc; print(gc.get_threshold())"], capture_output=True, text=True, check=True
    )
    with children(worker=rude_jobs.worker) as at_work:
        at_work.executor.start([attempt(1, "looks_for_garbage")])

        assert at_work.words.logged("thresholds") == [usual.stdout.strip()]


def test_a_request_to_end_is_the_workers_to_obey_and_takes_effect_in_what_the_code_has_started() -> None:
    with children(worker=rude_jobs.worker) as at_work:
        at_work.executor.start([attempt(1, "is_asked_to_end")])

        assert at_work.collected.outcomes(1) == {1: SUCCEEDED}
        assert at_work.words.logged("copy") == [str(-signal.SIGTERM)]


def test_what_the_child_needs_for_itself_does_not_count_against_the_limit() -> None:
    with children() as at_work:
        at_work.executor.start([attempt(1, "has_little")])

        assert at_work.collected.outcomes(1) == {1: SUCCEEDED}


INTERRUPTED = """
import os, signal, socket, threading
from forebay.handlers.child_link import ParentLink
from forebay.handlers.pipe import READ_BYTES, Frames

ours, theirs = socket.socketpair()
link = ParentLink(theirs.detach())
has_interrupted = threading.Event()

def interrupt(number, frame):
    link.send({"t": "inner"})
    has_interrupted.set()

def listen():
    frames = Frames()
    received = ours.recv(1)  # Part of it has come and the rest does not fit: the main thread is in the middle of it.
    os.kill(os.getpid(), signal.SIGUSR1)
    if not has_interrupted.wait(10):
        os._exit(1)
    heard = []
    while len(heard) < 2:
        heard += [header["t"] for header, _ in frames.feed(received)]
        received = ours.recv(READ_BYTES) if len(heard) < 2 else b""
    print(*heard)

signal.signal(signal.SIGUSR1, interrupt)
listening = threading.Thread(target=listen)
listening.start()
link.send({"t": "outer", "words": "x" * 8_000_000})
listening.join()
"""


def test_a_signal_handler_that_logs_in_the_middle_of_a_frame_neither_hangs_nor_cuts_it() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=60, check=False)

    assert (done.stdout, done.returncode) == ("outer inner\n", 0), done.stderr
