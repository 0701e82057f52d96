"""One browser for the tests of a module. Where there is none they are skipped, and in CI they fail.

Playwright's synchronous interface keeps an event loop running in the thread that uses it. So it ends with its module:
other tests of the same process run loops of their own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright
from tests.browser.stage import Stage
from tests.browser.viewer import FLAGS, Viewer, executable, viewer_of


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    command = executable()
    if command is None:
        said = "there is no Chromium: `make setup-browser` installs one, or name yours in FOREBAY_CHROMIUM"
        if os.environ.get("CI") == "true":
            pytest.fail(said)
        pytest.skip(said)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=command, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def viewer(browser: Browser) -> Iterator[Viewer]:
    with viewer_of(browser) as viewer:
        yield viewer


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage() as stage:
        yield stage


@pytest.fixture
def bare_stage() -> Iterator[Stage]:
    """Without charts: their library takes the browser a second of work, and most tests never look at them."""
    with Stage(with_charts=False) as stage:
        yield stage
