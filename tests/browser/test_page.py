"""The page in a real browser, over the scripted cloud: what it shows."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from tests.browser.stage import Stage
from tests.browser.viewer import Viewer

pytestmark = [pytest.mark.browser, pytest.mark.processes]


def test_the_first_paint_has_figures(stage: Stage, viewer: Viewer) -> None:
    stage.send(30, 5_000)
    stage.advance(6)

    page = viewer.open(stage.url)

    expect(page.locator("#f-depth")).to_have_text("30")
    expect(page.locator("#f-depth-note")).to_contain_text("in flight")
    expect(page.locator("#f-arrivals-note")).to_have_text("30 sent")
    expect(page.locator("#f-tasks")).to_have_text("3 / 3")
    viewer.await_charts()


def test_the_empty_page_tells_what_to_do_and_steps_aside_once_jobs_come(stage: Stage, viewer: Viewer) -> None:
    page = viewer.open(stage.url)
    empty = page.get_by_role("region", name="Nothing has been sent yet")
    expect(empty).to_be_visible()
    expect(empty).to_contain_text("forebay send 1000 --count 50")
    expect(empty).to_contain_text("AWS_ENDPOINT_URL")
    expect(page.locator("#no-tasks")).to_contain_text("scaled to zero")

    stage.send(1, 1_000)

    expect(empty).to_be_hidden()


def test_jobs_are_sent_and_the_page_says_so(stage: Stage, viewer: Viewer) -> None:
    page = viewer.open(stage.url)
    form = page.locator("#send")
    form.get_by_label("Jobs").fill("70")
    form.get_by_label("of ms").fill("4000")
    form.get_by_role("button", name="Send").click()

    expect(page.locator("#toasts")).to_contain_text("70 jobs sent.")
    expect(page.locator("#f-depth")).to_have_text("70")
    assert stage.tell(lambda cloud: cloud.service.sent) == 70
