"""The tutorial is followed step by step: its files are written, its commands typed, its outputs looked for.

Rules kept here and nowhere else:

1. Everything comes from the page. Only ports are exchanged for free ones, and nothing is installed.
2. A line of an output block has to appear in what the commands above it have printed, as often as it stands there.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.processes.harness import PATIENCE_S, clean_environment, free_port, wait_for

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tutorial.md"
BLOCK = re.compile(r"([^\n]*)\n\n```(\w+)\n(.*?)```", re.DOTALL)
STAY_OPEN = ("forebay.cloud.sqs_server", "uvicorn")
"""Commands that the page types into terminals of their own."""

pytestmark = [pytest.mark.processes, pytest.mark.slow]


class Reader:
    """Somebody who does what the page says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = {**clean_environment(), "PATH": programs, "PYTHONDONTWRITEBYTECODE": "1"}
        self.ports = {"9324": str(free_port()), "8000": str(free_port())}
        self.printed = ""
        self.terminals: list[subprocess.Popen[str]] = []

    def follow(self, before: str, language: str, text: str) -> None:
        match language:
            case "python":
                self.write(before, text)
            case "sh":
                self.printed = ""
                for line in text.splitlines():
                    self.type(line)
            case "text":
                self.compare(text)
            case other:
                raise AssertionError(f"nobody knows what to do with a block of {other}")

    def write(self, before: str, text: str) -> None:
        (name,) = re.findall(r"`(\w+\.py)`:$", before)
        path = self.folder / name
        is_more = re.search(r"\bAdd to\b", before) is not None or before.startswith("`pictures.py`")
        assert path.exists() == is_more, before
        with path.open("a", encoding="utf-8") as file:
            file.write(f"\n\n{text}" if is_more else text)

    def type(self, line: str) -> None:
        for port, free in self.ports.items():
            line = re.sub(rf"\b{port}\b", free, line)
        name, *rest = words = shlex.split(line)
        if name == "export":
            variable, _, value = rest[0].partition("=")
            self.environment[variable] = value
        elif words[:2] == ["pip", "install"]:
            assert [package for package in words[2:] if find_spec(package) is None] == []
        elif any(word in STAY_OPEN for word in words):
            self.open_terminal(words)
        else:
            self.run(words)

    def open_terminal(self, words: list[str]) -> None:
        command = [shutil.which(words[0], path=self.environment["PATH"]) or words[0], *words[1:]]
        self.terminals.append(
            subprocess.Popen(
                command, cwd=self.folder, env=self.environment, text=True, stdout=subprocess.DEVNULL, stderr=None
            )
        )
        port = int(words[words.index("--port") + 1])
        wait_for(lambda: _listens(port), f"{words[0]} on port {port}")

    def run(self, words: list[str]) -> None:
        program = shutil.which(words[0], path=self.environment["PATH"])
        assert program is not None, f"{words[0]} is not on this machine"
        done = subprocess.run(
            [program, *words[1:]], cwd=self.folder, env=self.environment, text=True, check=False,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        self.printed += done.stdout

    def compare(self, text: str) -> None:
        for line, times in Counter(text.splitlines()).items():
            assert self.printed.count(line) >= times, f"{line!r} is not in:\n{self.printed}"

    def leave(self) -> None:
        for terminal in reversed(self.terminals):
            terminal.send_signal(signal.SIGTERM)
            terminal.wait(PATIENCE_S)


def _listens(port: int) -> bool | None:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0 or None


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    reader = Reader(tmp_path)
    try:
        yield reader
    finally:
        reader.leave()


@pytest.mark.skipif(shutil.which("curl") is None, reason="the page asks with curl")
def test_every_step_of_the_tutorial_does_what_it_says(reader: Reader) -> None:
    text = PAGE.read_text(encoding="utf-8")
    blocks = BLOCK.findall(text)

    for before, language, body in blocks:
        reader.follow(before, language, body)

    assert len(blocks) == text.count("```") // 2
