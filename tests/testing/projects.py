"""A user's project in a folder of its own, with jobs, tests, and its own run of pytest."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

PATIENCE_S = 60.0

JOBS = '''
"""The jobs of a small web application."""

from forebay import Context, RetryLater, Worker

worker = Worker("thumbnails")
made = []


@worker.job
async def thumbnail(ctx: Context, key: str) -> None:
    made.append(key)


@worker.job
def strict(key: str) -> None:
    raise ValueError(f"{key} is no picture")


@worker.job
def soon(ctx: Context) -> None:
    if ctx.attempt == 1:
        raise RetryLater(1)
'''

IMPORTS = """
import os
import threading
import time

import pytest

import jobs


@pytest.fixture(autouse=True)
def nothing_made():
    jobs.made.clear()


"""


class Project:
    """A user's project and what its tests say."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("jobs.py", JOBS)
        self.write("pytest.ini", "[pytest]\nfilterwarnings = error\naddopts = --strict-markers\npythonpath = .\n")

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(dedent(text), encoding="utf-8")

    def test(self, text: str) -> None:
        """Write `test_jobs.py`; what it needs is imported already."""
        (self.folder / "test_jobs.py").write_text(IMPORTS + dedent(text), encoding="utf-8")

    def modules(self, name: str) -> set[str]:
        """The names in a file that a test of the project has written."""
        return set(json.loads((self.folder / name).read_text(encoding="utf-8")))

    def run(self, *options: str) -> str:
        """Run the project's tests and return what pytest says."""
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "ECS_", "FOREBAY_", "COPILOT_", "PYTEST_", "COV_"))
        }
        said = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options],
            cwd=self.folder, env={**environment, "PYTHONDONTWRITEBYTECODE": "1"}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=PATIENCE_S,
        )  # fmt: skip
        return said.stdout + said.stderr

    def passes(self, count: int, *options: str) -> None:
        """Assert that so many tests pass, that none does anything else, and that nothing is warned of."""
        said = self.run(*options)
        last = said.strip().splitlines()[-1]
        assert re.fullmatch(rf"={{0,}} ?{count} passed in .*", last), said
