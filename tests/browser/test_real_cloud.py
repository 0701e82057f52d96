"""The page over the real `forebay local`: real tasks, real signals, a real browser, and nothing scripted."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.browser.viewer import Viewer
from tests.cli.test_local import Started

pytestmark = [pytest.mark.browser, pytest.mark.processes]

SOON_MS = 30_000
"""For what real processes do: start, work, be stopped."""

BRIEFLY = ("--", "--protect", "auto", "--linger", "1")
"""The sample's worker would be protected whenever it polls, as the article's is."""


@contextmanager
def opened(viewer: Viewer, folder: Path, *arguments: str) -> Iterator[Page]:
    """The page of a local cloud of one's own."""
    started = Started(folder, "--stay", "--spike", "0", "--cold-start", "0.2", *arguments)
    try:
        page = viewer.open(started.read_until("The page: ").split()[-1])
        expect(page.locator("#tasks .task").first).to_contain_text("idle", timeout=SOON_MS)
        yield page
        viewer.expects_cuts = True
        page.goto("about:blank")
    finally:
        started.insist(signal.SIGINT)
        started.end()


def send(page: Page, count: int, job_ms: int) -> None:
    form = page.locator("#send")
    form.get_by_label("Jobs").fill(str(count))
    form.get_by_label("of ms").fill(str(job_ms))
    form.get_by_role("button", name="Send").click()
    expect(page.locator("#toasts")).to_contain_text(f"{count} jobs sent.")


def test_a_task_is_protected_while_it_works_and_no_longer(viewer: Viewer, tmp_path: Path) -> None:
    with opened(viewer, tmp_path, "--tasks", "1-1", *BRIEFLY) as page:
        send(page, 3, 2_500)

        shield = page.locator("#tasks .shield")
        expect(shield).to_contain_text("protected, ", timeout=SOON_MS)
        expect(page.locator("#f-protected")).to_have_text("1")
        expect(page.locator("#f-completions-note")).to_have_text("3 done", timeout=SOON_MS)
        expect(shield).to_be_hidden(timeout=SOON_MS)
        expect(page.locator("#tasks .task")).to_contain_text("3 done")
        page.get_by_role("button", name="Logs task").click()
        expect(page.get_by_role("dialog")).to_contain_text("attempt.finished")
        page.keyboard.press("Escape")


def test_scaled_to_zero_a_task_finishes_its_job_first(viewer: Viewer, tmp_path: Path) -> None:
    with opened(viewer, tmp_path, "--tasks", "1-2", *BRIEFLY, "--drain", "2") as page:
        send(page, 1, 5_000)
        expect(page.locator("#f-protected")).to_have_text("1", timeout=SOON_MS)

        page.get_by_label("Desired tasks").fill("0")
        page.locator("#desired").get_by_role("button", name="Set").click()

        expect(page.locator("#events")).to_contain_text("was unable to scale in", timeout=SOON_MS)
        expect(page.locator("#f-completions-note")).to_have_text("0 done")
        expect(page.locator("#f-completions-note")).to_have_text("1 done", timeout=SOON_MS)
        expect(page.locator("#stopped .task").first).to_contain_text("stopped, exit 0", timeout=SOON_MS)
        expect(page.locator("#f-tasks")).to_have_text("0 / 0", timeout=SOON_MS)


def test_the_job_of_a_killed_task_comes_back_and_is_done(viewer: Viewer, tmp_path: Path) -> None:
    with opened(viewer, tmp_path, "--tasks", "1-1", *BRIEFLY, "--visibility", "5") as page:
        send(page, 1, 2_500)
        expect(page.locator("#tasks .task").first).to_contain_text("busy", timeout=SOON_MS)

        page.get_by_role("button", name="kill -9 task").click()

        expect(page.locator("#stopped .task").first).to_contain_text("stopped, exit 137", timeout=SOON_MS)
        expect(page.locator("#f-completions-note")).to_have_text("0 done")
        expect(page.locator("#f-completions-note")).to_have_text("1 done", timeout=SOON_MS)
        expect(page.locator("#f-depth")).to_have_text("0")
        expect(page.locator("#tasks .task").first).to_contain_text("1 done", timeout=SOON_MS)


def test_the_comparison_of_the_articles_two_pictures_runs_to_its_end(viewer: Viewer, tmp_path: Path) -> None:
    with opened(viewer, tmp_path, "--tasks", "1-2") as page:
        form = page.locator("#compare")
        form.get_by_label("Jobs").fill("12")
        form.get_by_label("of ms").fill("800")
        form.get_by_role("button", name="Compare").click()

        expect(page.locator("#verdict")).to_contain_text("times the compute", timeout=2 * SOON_MS)
        expect(page.locator("#sides .js-plotly-plot")).to_have_count(2)
        viewer.keep("real-comparison")
