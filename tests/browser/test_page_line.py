"""The page's connection in a real browser: live, paused, lost, and found again."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from tests.browser.stage import Stage
from tests.browser.viewer import Viewer

pytestmark = [pytest.mark.browser, pytest.mark.processes]


def test_a_lost_connection_is_told_at_once_and_found_again(viewer: Viewer) -> None:
    viewer.expects_cuts = True
    with Stage() as stage:
        stage.send(30, 5_000)
        stage.advance(6)
        page = viewer.open(stage.url)
        viewer.await_charts()
        port = stage.port
    banner = page.locator("#banner")
    expect(banner).to_contain_text("Connection to forebay local lost. The values are from")
    expect(banner).to_contain_text("Next try in")
    expect(page.locator("#connection-text")).to_have_text("connection lost")
    expect(page.locator("#f-depth")).to_have_text("30")
    viewer.keep("lost")

    with Stage(port=port) as stage:
        page.get_by_role("button", name="Try now").click()
        expect(page.locator("#connection-text")).to_have_text("live")
        expect(banner).to_be_hidden()
        expect(page.locator("#f-depth")).to_have_text("0")


def test_without_anybodys_help_the_page_finds_its_way_back(viewer: Viewer) -> None:
    viewer.expects_cuts = True
    with Stage(with_charts=False) as stage:
        page = viewer.open(stage.url)
        port = stage.port
    expect(page.locator("#connection-text")).to_have_text("connection lost")

    with Stage(port=port, with_charts=False):
        expect(page.locator("#connection-text")).to_have_text("live")


def test_a_cloud_that_said_it_stops_is_not_called_lost(viewer: Viewer) -> None:
    viewer.expects_cuts = True
    with Stage(with_charts=False) as stage:
        page = viewer.open(stage.url)
        stage.tell(lambda cloud: setattr(cloud, "is_stopping", True))
        expect(page.locator("#connection-text")).to_have_text("stopping")

    expect(page.locator("#banner")).to_contain_text("forebay local has stopped.")


def test_a_paused_view_stands_still_and_goes_on_with_what_was_missed(bare_stage: Stage, viewer: Viewer) -> None:
    page = viewer.open(bare_stage.url)
    pause = page.get_by_role("button", name="Pause view")
    pause.click()
    expect(page.locator("#connection-text")).to_have_text("view paused")
    expect(pause).to_have_attribute("aria-pressed", "true")
    bare_stage.send(44, 1_000)
    bare_stage.await_pictures(2)
    assert page.locator("#f-depth").inner_text() == "0"

    pause.click()

    expect(page.locator("#f-depth")).to_have_text("44")


def test_a_paused_view_that_loses_its_connection_says_so_and_is_paused_again_after(viewer: Viewer) -> None:
    viewer.expects_cuts = True
    with Stage(with_charts=False) as stage:
        page = viewer.open(stage.url)
        page.get_by_role("button", name="Pause view").click()
        port = stage.port
    expect(page.locator("#connection-text")).to_have_text("connection lost")

    with Stage(port=port, with_charts=False):
        page.get_by_role("button", name="Try now").click()
        expect(page.locator("#connection-text")).to_have_text("view paused")
        expect(page.locator("#banner")).to_be_hidden()
