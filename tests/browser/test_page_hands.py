"""The page's controls in a real browser, by mouse and by keyboard, over the scripted cloud."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect
from tests.browser.fake_cloud import FakeCloud
from tests.browser.stage import Stage
from tests.browser.viewer import Viewer

pytestmark = [pytest.mark.browser, pytest.mark.processes]

TABS_MAX = 30


def tab_to(page: Page, selector: str) -> int:
    """Press Tab until the focus is there; return how often."""
    for presses in range(1, TABS_MAX):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement?.matches(selector) ?? false", selector):
            return presses
    raise AssertionError(f"{selector} is not reached in {TABS_MAX} presses of Tab")


def busy(cloud: FakeCloud) -> None:
    cloud.service.send(20, 600_000)
    cloud.advance(6)


def test_jobs_are_sent_and_the_page_says_so(bare_stage: Stage, viewer: Viewer) -> None:
    page = viewer.open(bare_stage.url)
    form = page.locator("#send")
    form.get_by_label("Jobs").fill("70")
    form.get_by_label("of ms").fill("4000")
    form.get_by_role("button", name="Send").click()

    expect(page.locator("#toasts")).to_contain_text("70 jobs sent.")
    expect(page.locator("#f-depth")).to_have_text("70")
    assert bare_stage.tell(lambda cloud: cloud.service.sent) == 70


def test_a_keyboard_is_enough_to_send_jobs(bare_stage: Stage, viewer: Viewer) -> None:
    page = viewer.open(bare_stage.url)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the figures")).to_be_focused()

    tab_to(page, "#send [name=count]")
    page.keyboard.type("31")
    tab_to(page, "#send button")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    page.keyboard.press("Enter")

    expect(page.locator("#f-depth")).to_have_text("31")
    assert outline == "solid"


def test_the_focus_stays_on_a_tasks_button_while_its_figures_change(bare_stage: Stage, viewer: Viewer) -> None:
    bare_stage.tell(busy)
    page = viewer.open(bare_stage.url)
    button = page.get_by_role("button", name="Freeze task 01").first
    button.focus()
    page.keyboard.press("Enter")
    thaw = page.get_by_role("button", name="Thaw task 01").first

    expect(thaw).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Freeze task 01").first).to_be_focused()


def test_a_steady_stream_flows_until_it_is_stopped(bare_stage: Stage, viewer: Viewer) -> None:
    page = viewer.open(bare_stage.url)
    page.locator("#rate").get_by_label("Per second").fill("12.5")
    page.locator("#rate").get_by_role("button", name="Start").click()
    expect(page.locator("#rate-now")).to_have_text("12.5/s now")

    bare_stage.advance(2)
    expect(page.locator("#f-arrivals-note")).to_have_text("25 sent")
    page.locator("#rate").get_by_role("button", name="Stop").click()

    expect(page.locator("#rate-now")).to_be_hidden()


def test_the_desired_count_is_set_and_the_autoscaler_steps_back(bare_stage: Stage, viewer: Viewer) -> None:
    page = viewer.open(bare_stage.url)
    expect(page.locator("#scaled")).to_have_attribute("aria-checked", "true")
    page.get_by_label("Desired tasks").fill("3")
    page.locator("#desired").get_by_role("button", name="Set").click()

    expect(page.locator("#f-tasks")).to_have_text("0 / 3")
    expect(page.locator("#scaled")).to_have_attribute("aria-checked", "false")
    expect(page.locator("#decisions")).to_contain_text("set by hand")
    page.locator("#scaled").click()
    expect(page.locator("#scaled")).to_have_attribute("aria-checked", "true")


def test_a_refusal_is_shown_in_the_clouds_own_words(bare_stage: Stage, viewer: Viewer) -> None:
    viewer.expects_refusals = True
    page = viewer.open(bare_stage.url)
    page.get_by_label("Desired tasks").fill("99")
    page.locator("#desired").get_by_role("button", name="Set").click()

    expect(page.locator("#refusals")).to_contain_text("99 tasks are outside 0 to 12")


def test_faults_begin_are_counted_down_and_are_cleared(bare_stage: Stage, viewer: Viewer) -> None:
    page = viewer.open(bare_stage.url)
    for name in ("Network hole", "Throttle", "Refuse protection"):
        page.locator("#faults").get_by_role("button", name=name).click()
    listed = page.get_by_role("list", name="Faults now")
    expect(listed.get_by_role("listitem")).to_have_text(
        ["Network hole, 20 s left", "Throttling, 20 s left", "Protection refused, 20 s left"]
    )

    bare_stage.advance(5)
    expect(listed).to_contain_text("Network hole, 15 s left")
    page.locator("#clear-faults").click()

    expect(listed.get_by_role("listitem")).to_have_count(0)


def test_a_new_revision_replaces_the_tasks(bare_stage: Stage, viewer: Viewer) -> None:
    bare_stage.tell(busy)
    page = viewer.open(bare_stage.url)
    page.get_by_role("button", name="Deploy a new revision").click()

    expect(page.locator("#toasts")).to_contain_text("Revision 2 is being deployed.")
    bare_stage.advance(2)
    expect(page.locator("#deployments tbody tr")).to_have_count(2)
    expect(page.locator("#deployments tbody tr").first).to_contain_text("PRIMARY")


def test_a_killed_tasks_card_goes_to_the_stopped_ones_with_its_exit_code(bare_stage: Stage, viewer: Viewer) -> None:
    bare_stage.tell(busy)
    page = viewer.open(bare_stage.url)
    page.get_by_role("button", name="kill -9 task 01").click()

    expect(page.locator("#stopped .task").first).to_contain_text("stopped, exit 137")
    expect(page.locator("#stopped").get_by_role("button", name="Logs").first).to_be_focused()


def test_stop_and_spot_let_a_task_drain(bare_stage: Stage, viewer: Viewer) -> None:
    bare_stage.tell(busy)
    page = viewer.open(bare_stage.url)
    page.get_by_role("button", name="Stop task 01").click()
    page.get_by_role("button", name="Spot task 02").click()

    expect(page.locator('#tasks [data-look="draining"]')).to_have_count(2)
    expect(page.locator("#tasks")).to_contain_text("Your Spot Task was interrupted.")


def test_logs_open_in_a_dialogue_that_escape_closes(bare_stage: Stage, viewer: Viewer) -> None:
    bare_stage.tell(busy)
    page = viewer.open(bare_stage.url)
    page.get_by_role("button", name="Logs task 01").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("worker.started")
    bare_stage.tell(lambda cloud: cloud.log.append("one line more"))
    expect(page.get_by_role("dialog")).to_contain_text("one line more")

    page.keyboard.press("Escape")

    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("button", name="Logs task 01")).to_be_focused()


def test_a_worker_with_jobs_of_its_own_is_not_sent_the_samples(bare_stage: Stage, viewer: Viewer) -> None:
    def refuse(cloud: FakeCloud) -> None:
        cloud.can_send = False

    bare_stage.tell(refuse)

    page = viewer.open(bare_stage.url)

    expect(page.locator("#no-send")).to_be_visible()
    expect(page.locator("#send").get_by_role("button", name="Send")).to_be_disabled()
    expect(page.locator("#compare").get_by_role("button", name="Compare")).to_be_disabled()
    expect(page.locator("#empty-commands")).to_contain_text("--job NAME")
