"""A real browser for the tests, and a viewer in it that notes what must never happen.

Rules kept here and nowhere else:

1. The browser is the one named in FOREBAY_CHROMIUM, else Debian's Chromium or a Chrome by its usual names.
2. A viewer fails its test when the page asked anything of another machine, wrote an error to the console, or threw one.
   A test that cuts the connection says so beforehand (`expects_cuts`), and so does one that is refused something.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect

COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
OUTPUT = Path(__file__).resolve().parent.parent.parent / "test-output" / "browser"
PATIENCE_MS = 20_000
DESK = (1280, 900)
PHONE = (360, 740)

expect.set_options(timeout=PATIENCE_MS)


def executable() -> str | None:
    """Return the browser's command; None: there is none."""
    candidates = (os.environ.get("FOREBAY_CHROMIUM", ""), *COMMANDS)
    return next((found for name in candidates if name and (found := shutil.which(name))), None)


class Viewer:
    """Somebody who looks at the page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.strangers: list[str] = []
        self.expects_cuts = False
        self.expects_refusals = False
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(f"thrown: {error.message}"))
        page.on("request", self._watch)

    def open(self, url: str) -> Page:
        """Open a page and wait until it is live."""
        self.page.goto(url)
        expect(self.page.locator("#connection-text")).to_have_text("live")
        return self.page

    def await_charts(self) -> None:
        """Wait until all four charts are drawn."""
        expect(self.page.locator("#charts .main-svg").first).to_be_visible()
        expect(self.page.locator("#charts .plot.js-plotly-plot")).to_have_count(4)

    def until(self, question: str, argument: object = None) -> None:
        """Wait until JavaScript answers a question with yes. (Playwright's own way needs eval; the page forbids it.)"""
        deadline_at = monotonic() + PATIENCE_MS / 1_000
        while not self.page.evaluate(question, argument):
            assert monotonic() < deadline_at, f"never true: {question}"
            self.page.wait_for_timeout(30)  # between two looks

    def keep(self, name: str, *, is_whole: bool = True) -> None:
        """Keep a screenshot as test output."""
        OUTPUT.mkdir(parents=True, exist_ok=True)
        self.page.evaluate("scrollTo(0, 0)")
        self.page.screenshot(path=OUTPUT / f"{name}.png", full_page=is_whole)

    def judge(self) -> None:
        """Fail if something happened that must not."""
        assert self.strangers == []
        assert self.complaints == []

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        if self.expects_cuts and "net::ERR_" in message.text:
            return
        if self.expects_refusals and "the server responded with a status of 409" in message.text:
            return
        self.complaints.append(f"{message.type}: {message.text}")

    def _watch(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and address.hostname != "127.0.0.1":
            self.strangers.append(request.url)


@contextmanager
def viewer_of(
    browser: Browser, size: tuple[int, int] = DESK, *, is_dark: bool = False, is_calm: bool = True
) -> Iterator[Viewer]:
    """A viewer with a window of its own, and the judgement at its end."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if is_dark else "light",
        reduced_motion="reduce" if is_calm else "no-preference",
        locale="en-GB",
    )
    context.set_default_timeout(PATIENCE_MS)
    try:
        viewer = Viewer(context.new_page())
        yield viewer
        viewer.judge()
    finally:
        context.close()
