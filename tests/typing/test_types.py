"""What type checkers see: jobs are sent with their own parameters, and nothing else passes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
MUST_PASS = HERE / "must_pass.py"
MUST_FAIL = HERE / "must_fail" / "wrong_calls.py"

pytestmark = pytest.mark.slow


def _expected(file: Path) -> set[int]:
    lines = file.read_text(encoding="utf-8").splitlines()
    return {number for number, line in enumerate(lines, start=1) if line.endswith("# error")}


def _run(*command: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    ).stdout


def _lines_refused_by_mypy(file: Path) -> set[int]:
    told = _run("mypy", "--no-error-summary", "--show-absolute-path", str(file))
    found = re.findall(rf"^{re.escape(str(file))}:(\d+): error:", told, re.MULTILINE)
    assert told.count(": error:") == len(found), told
    return {int(number) for number in found}


def _lines_refused_by_pyright(file: Path) -> set[int]:
    if shutil.which("node") is None:
        pytest.skip("pyright needs node, which is not on this machine")
    told = json.loads(_run("pyright", "--outputjson", str(file)))
    assert told["summary"]["filesAnalyzed"] == 1, told
    return {
        problem["range"]["start"]["line"] + 1
        for problem in told["generalDiagnostics"]
        if problem["severity"] == "error"
    }


def test_mypy_accepts_what_is_right() -> None:
    assert _lines_refused_by_mypy(MUST_PASS) == set()


def test_mypy_refuses_each_wrong_line_and_no_other() -> None:
    assert _lines_refused_by_mypy(MUST_FAIL) == _expected(MUST_FAIL)


def test_pyright_accepts_what_is_right() -> None:
    assert _lines_refused_by_pyright(MUST_PASS) == set()


def test_pyright_refuses_each_wrong_line_and_no_other() -> None:
    assert _lines_refused_by_pyright(MUST_FAIL) == _expected(MUST_FAIL)
