"""The benchmarks' own promises: what a table says, what a file keeps, and that a measure can be taken at all."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.drain import Drained
from benchmarks.report import BEGIN, END, Figure, Results, Table, write_between_marks
from benchmarks.speed import times
from benchmarks.usage import Usage

REPOSITORY = Path(__file__).resolve().parent.parent


def run_of(jobs_a_second: float) -> Drained:
    return Drained(jobs=100, lasted_s=100 / jobs_a_second, cpu_s=1.0, server_cpu_s=1.0, requests=20, memory_peak_mb=1.0)


def test_a_figure_at_its_limit_is_met_and_past_it_is_not() -> None:
    assert Figure("requests per job", 0.21, "", 0.21).is_met
    assert not Figure("requests per job", 0.22, "", 0.21).is_met
    assert Figure("jobs/s beside", 2.0, " ×", 2, at_least=True).is_met
    assert not Figure("jobs/s beside", 1.9, " ×", 2, at_least=True).is_met


def test_what_could_not_be_measured_meets_nothing_and_says_so() -> None:
    figure = Figure("jobs/s beside", math.nan, " ×", 2, at_least=True)

    assert not figure.is_met
    assert "not measured" in figure.cells()


def test_a_ratio_is_the_median_of_the_ratios_within_rounds() -> None:
    """A machine that was busy for the second round was busy for both."""
    runs = {"ours": [run_of(100), run_of(10), run_of(120)], "theirs": [run_of(50), run_of(5), run_of(100)]}

    assert times(runs, "ours", "theirs") == pytest.approx(2.0)
    assert math.isnan(times(runs, "ours", "absent"))


def test_only_what_stands_between_the_marks_of_a_file_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")

    write_between_marks(page, "| new |\n")

    assert page.read_text(encoding="utf-8") == f"before\n{BEGIN}\n| new |\n{END}\nafter\n"


def test_a_file_without_marks_is_left_as_it_is(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("no marks", encoding="utf-8")

    with pytest.raises(ValueError, match="has no"):
        write_between_marks(page, "new")

    assert page.read_text(encoding="utf-8") == "no marks"


def test_a_page_of_results_says_what_it_was_made_of() -> None:
    results = Results("commit 1234")
    results.add(Table("Speed", ("", "jobs/s"), [["Forebay", "9"]]), Figure("memory", 10.0, " MB", 60))

    page = results.markdown("Title")

    assert "commit 1234" in page
    assert "| Forebay | 9 |" in page
    assert "| memory | 10 MB | ≤ 60 MB | yes |  |" in page


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="CPU and memory are read from /proc")
def test_the_cpu_time_of_a_process_only_grows_and_its_memory_is_told() -> None:
    before = Usage.of(os.getpid())
    sum(range(200_000))
    after = Usage.of(os.getpid())

    assert after.cpu_s >= before.cpu_s > 0
    assert after.memory_peak_mb >= after.memory_mb > 5


@pytest.mark.processes
@pytest.mark.slow
@pytest.mark.parametrize(
    ("measure", "figure"),
    [
        ("slow-backlog", "requests per job, 20 slots, 200 ms jobs, backlog"),
        ("calling", "routing and validation of a job, more than a raw handler"),
        ("producing", "memory of enqueue_many for 10,000 jobs from a generator"),
        ("crash", "a child process that has crashed is replaced, and the next job begins, after"),
        ("places", "CPU of a job in a child process, more than on a thread"),
    ],
)
def test_a_measure_runs_from_the_command_line_and_prints_its_figure(measure: str, figure: str) -> None:
    """Whether the figure was met is the benchmark's business, not the tests': the machine may be busy."""
    command = [sys.executable, "-m", "benchmarks.run", "--quick", "--only", measure]

    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode in (0, 1), done.stderr
    assert "FAILED" not in done.stderr
    assert figure in done.stdout
