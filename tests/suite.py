"""All tests, in three passes: the image, other real processes, then everything else, several tests at once.

Rules kept here and nowhere else:

1. Tests of real processes mostly wait, for time-outs and for each other; they never share the machine with tests that
   compute, which would make them late.
2. The image is built once, by one process, with the machine to itself: several would each build their own.
3. Every pass runs even if one before it has failed, so that one run tells everything.
4. A test of real processes that fails is run once more, alone: on a machine that others share, seconds can be late. If
   it passes then it is named as unsteady; more than a few at once are no accident and are not run again.
5. The last line adds the passes up, so that the count of a run can be read from it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

PASSES = {"images": 1, "processes and not images": 3, "not processes": 2}
"""The marks of each pass, and how many tests run at once: one a core for what computes, more for what waits."""
NO_TESTS_COLLECTED = 5
UNSTEADY_MAX = 3
"""Failures of real processes that are given a second chance."""


class Count(NamedTuple):
    """What became of the tests of a run."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def count(report: Path) -> Count:
    """Read a report in JUnit's form. What pytest calls an error (of set-up, say) is a failure here."""
    if not report.exists():  # The run ended before it could write one, and has said why.
        return Count(failed=1)
    total = failed = skipped = 0
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):
        total += int(suite.get("tests", 0))
        failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped += int(suite.get("skipped", 0))
    return Count(total - failed - skipped, failed, skipped)


def failures(report: Path) -> list[str]:
    """Return the names of the tests that a report says have failed."""
    if not report.exists():
        return []
    cases = ElementTree.parse(report).getroot().iter("testcase")
    return [
        str(case.get("name")) for case in cases if case.find("failure") is not None or case.find("error") is not None
    ]


def passes_alone(marks: str, report: Path, arguments: list[str]) -> bool:
    """Run the tests that have failed once more, one after the other. False too when pytest ended before its report."""
    if not failures(report):
        return False
    command = [sys.executable, "-m", "pytest", "-q", "-m", marks, "--last-failed", "--last-failed-no-failures=none"]
    return subprocess.run([*command, *arguments], check=False).returncode == 0


def added(counts: list[Count]) -> Count:
    return Count(*(sum(column) for column in zip(*counts, strict=True)))


def main(arguments: list[str]) -> int:
    """Run all passes with further arguments for pytest. Return 0 if every test passed."""
    counts: list[Count] = []
    status = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, (marks, workers) in enumerate(PASSES.items()):
            report = Path(folder) / f"{number}.xml"
            command = [sys.executable, "-m", "pytest", "-q", "-m", marks, f"--numprocesses={workers}"]
            ended = subprocess.run(
                [*command, "--dist=worksteal", f"--junit-xml={report}", *arguments], check=False
            ).returncode
            if ended == NO_TESTS_COLLECTED:
                continue
            found = count(report)
            if marks != "not processes" and 0 < found.failed <= UNSTEADY_MAX and passes_alone(marks, report, arguments):
                print(f"UNSTEADY: {', '.join(failures(report))}", flush=True)
                found, ended = found._replace(passed=found.passed + found.failed, failed=0), 0
            status = status or ended
            counts.append(found)
    total = added(counts)
    print(total, flush=True)
    return status or (1 if total.failed or not total.passed else 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
