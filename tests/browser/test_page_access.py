"""No violation of WCAG 2 A or AA that a machine can find: axe-core looks at the page in its states, light and dark."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, expect
from tests.browser.stage import Stage
from tests.browser.test_page import cast_of_all_states
from tests.browser.viewer import DESK, PHONE, viewer_of

pytestmark = [pytest.mark.browser, pytest.mark.processes]

RULES = {
    "resultTypes": ["violations"],
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
}


def violations(page: Page) -> list[str]:
    found: list[dict[str, Any]] = Axe().run(page, options=RULES).response["violations"]
    return [f"{one['id']}: {node['target']} {node.get('failureSummary', '')}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
def test_a_busy_page_has_no_violation(stage: Stage, browser: Browser, is_dark: bool) -> None:
    stage.tell(cast_of_all_states)
    stage.send(50, 2_000)
    stage.tell(lambda cloud: cloud.hole(20))
    stage.tell(lambda cloud: cloud.deploy())
    with viewer_of(browser, DESK, is_dark=is_dark) as viewer:
        page = viewer.open(stage.url)
        viewer.await_charts()
        page.locator("#compare").get_by_role("button", name="Compare").click()
        expect(page.locator("#sides .js-plotly-plot")).to_have_count(2)
        stage.advance(19)
        expect(page.locator("#verdict")).to_be_visible()
        viewer.keep("dark" if is_dark else "light")
        page.get_by_text("Table", exact=True).first.click()

        assert violations(page) == []


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
def test_an_empty_page_on_a_phone_has_no_violation(bare_stage: Stage, browser: Browser, is_dark: bool) -> None:
    with viewer_of(browser, PHONE, is_dark=is_dark) as viewer:
        page = viewer.open(bare_stage.url)

        assert violations(page) == []


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
def test_neither_the_log_nor_a_refusal_nor_a_lost_connection_has_a_violation(browser: Browser, is_dark: bool) -> None:
    with viewer_of(browser, is_dark=is_dark) as viewer:
        viewer.expects_cuts = viewer.expects_refusals = True
        with Stage(with_charts=False) as stage:
            stage.tell(cast_of_all_states)
            page = viewer.open(stage.url)
            page.get_by_label("Desired tasks").fill("99")
            page.locator("#desired").get_by_role("button", name="Set").click()
            expect(page.locator("#refusals")).to_contain_text("outside")
            refused = violations(page)
            page.get_by_role("button", name="Logs task 02").click()
            expect(page.get_by_role("dialog")).to_contain_text("worker.started")
            logs = violations(page)
            page.keyboard.press("Escape")
        expect(page.locator("#banner")).to_be_visible()

        assert (refused, logs, violations(page)) == ([], [], [])
