"""What a person at a terminal sees: real pseudo-terminals."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic

import pytest
from tests.cli.command import PATIENCE_S, forebay, surroundings
from tests.cli.conftest import Cloud

pytestmark = pytest.mark.processes


class Terminal:
    """A process on a terminal of its own, and what it has shown."""

    def __init__(self, command: Sequence[str], cwd: Path, env: dict[str, str] | None = None) -> None:
        self._leader, follower = pty.openpty()
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env=surroundings(env),
            stdin=follower,
            stdout=follower,
            stderr=follower,
            start_new_session=True,
        )
        os.close(follower)
        self.shown = ""

    def read_until(self, part: str) -> None:
        """Read on until `part` is on the screen."""
        while part not in self.shown:
            try:
                self.shown += os.read(self._leader, 4096).decode()
            except OSError as error:  # How Linux says that the other side has gone.
                raise AssertionError(f"{part!r} was never shown:\n{self.shown}") from error

    def type(self, text: str) -> None:
        """Write as a person does at the keyboard."""
        os.write(self._leader, text.encode())

    def insist(self, number: signal.Signals) -> int:
        """Send the signal until the process has gone; return its exit status."""
        until = monotonic() + PATIENCE_S
        while self.process.poll() is None and monotonic() < until:
            self.process.send_signal(number)
            time.sleep(0.15)  # between two looks
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._leader)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


def test_on_a_terminal_local_stays_and_says_how_to_go_on_and_how_to_stop(
    tmp_path: Path, terminals: list[Terminal]
) -> None:
    terminal = Terminal([*forebay(), "local", "--port", "0", "--tasks", "1", "--spike", "1:10"], tmp_path)
    terminals.append(terminal)

    terminal.read_until("Every job is done. Send more from the page or with `forebay send`; Ctrl-C stops.")
    terminal.process.send_signal(signal.SIGINT)
    terminal.read_until("1 messages sent, 1 deleted")

    assert "one task's ledger: received 1 = succeeded 1" in terminal.shown
    assert terminal.process.wait(PATIENCE_S) == 0


def test_without_a_page_local_shows_a_live_view_and_the_ledgers_below_it(
    tmp_path: Path, terminals: list[Terminal]
) -> None:
    terminal = Terminal([*forebay(), "local", "--port", "0", "--no-page", "--tasks", "1", "--spike", "1:10"], tmp_path)
    terminals.append(terminal)

    terminal.read_until("Send more with `forebay send`; Ctrl-C stops.")
    terminal.read_until("1 sent, 1 done")
    terminal.process.send_signal(signal.SIGINT)
    terminal.read_until("1 messages sent, 1 deleted")

    assert terminal.shown.rindex("1 sent, 1 done") < terminal.shown.index("one task's ledger: received 1")
    assert terminal.process.wait(PATIENCE_S) == 0


def test_an_idle_worker_on_a_terminal_says_how_long_its_open_poll_will_take(
    cloud: Cloud, tmp_path: Path, terminals: list[Terminal]
) -> None:
    terminal = Terminal([*forebay(), "run"], tmp_path, dict(cloud.env))
    terminals.append(terminal)

    terminal.read_until("Long polling for messages")
    terminal.process.send_signal(signal.SIGINT)
    terminal.read_until("A second Ctrl-C stops now")
    status = terminal.insist(signal.SIGINT)

    assert "Stopping (SIGINT): 0 running" in terminal.shown
    assert status == 1


def test_many_jobs_are_sent_with_a_progress_bar(cloud: Cloud, tmp_path: Path, terminals: list[Terminal]) -> None:
    terminal = Terminal([*forebay(), "send", "1", "--count", "500"], tmp_path, dict(cloud.env))
    terminals.append(terminal)

    terminal.read_until("100%")

    assert terminal.process.wait(PATIENCE_S) == 0
    assert "sending" in terminal.shown
    assert cloud.counts()["visible"] == 500


def test_send_without_anything_to_send_does_not_wait_for_the_keyboard(
    cloud: Cloud, tmp_path: Path, terminals: list[Terminal]
) -> None:
    terminal = Terminal([*forebay(), "send"], tmp_path, dict(cloud.env))
    terminals.append(terminal)

    terminal.read_until("nothing to send: give a BODY, or JSON lines on standard input")

    assert terminal.process.wait(PATIENCE_S) == 2
