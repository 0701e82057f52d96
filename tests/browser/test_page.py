"""The page in a real browser, over the scripted cloud: what it shows."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.browser.fake_cloud import FakeCloud
from tests.browser.fake_tasks import FakeTask
from tests.browser.stage import Stage
from tests.browser.viewer import PHONE, Viewer, viewer_of

pytestmark = [pytest.mark.browser, pytest.mark.processes]

TASK_ID = "1eaf0000000000000000000000000000"


class Actor(FakeTask):
    """A task that stands still in the state it is given."""

    @property
    def task_id(self) -> str:
        return f"{self.number:02d}{TASK_ID[2:]}"

    def step(self) -> int:
        return 0


def cast_of_all_states(cloud: FakeCloud) -> None:
    """Put a task of every state on the stage."""
    jobs = [60.0, 60.0, 60.0]
    cloud.service.is_scaled = False
    cloud.service.tasks = [
        Actor(1, 1, 10, state="pending"),
        Actor(2, 1, 10, state="idle", done=7),
        Actor(3, 1, 10, state="busy", running=jobs),
        Actor(4, 1, 10, state="busy", running=jobs, held_s=125.0, failed=2),
        Actor(5, 1, 10, state="draining", running=jobs, held_s=61.0),
        Actor(6, 1, 10, state="stopped", exit_code=0, stop_code="ServiceSchedulerInitiated"),
        Actor(7, 1, 10, state="stopped", exit_code=137, stopped_reason="killed from outside"),
        Actor(8, 1, 10, state="busy", running=jobs, is_frozen=True),
    ]


def count_of_points(page: Page) -> int:
    """How many points the chart of the depth has."""
    return int(page.evaluate("document.querySelector('#chart-depth').data.at(-1).x.length"))


def background(page: Page) -> tuple[int, ...]:
    """The colour that the page is painted on."""
    said = str(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    return tuple(int(part) for part in said.removeprefix("rgb(").removesuffix(")").split(", "))


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    return int(page.evaluate("document.scrollingElement.scrollWidth - document.documentElement.clientWidth"))


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
    expect(empty).to_contain_text("export AWS_ENDPOINT_URL_SQS=http://127.0.0.1:4566")
    expect(page.locator("#no-tasks")).to_contain_text("scaled to zero")
    viewer.await_charts()
    viewer.keep("empty")

    stage.send(1, 1_000)

    expect(empty).to_be_hidden()


def test_a_card_tells_its_tasks_state_in_words_and_not_by_colour_alone(bare_stage: Stage, viewer: Viewer) -> None:
    bare_stage.tell(cast_of_all_states)

    page = viewer.open(bare_stage.url)

    def card(number: int) -> str:
        return page.locator(f'[data-task-id="{number:02d}{TASK_ID[2:]}"]').inner_text()

    expect(page.locator(".task")).to_have_count(8)
    assert "pending" in card(1)
    assert "idle" in card(2)
    assert "7 done" in card(2)
    assert "protected" not in card(2)
    assert "busy" in card(3)
    assert "3 of 10 slots" in card(3)
    assert "protected, 2:05 left" in card(4)
    assert "2 failed" in card(4)
    assert "draining" in card(5)
    assert "protected, 1:01 left" in card(5)
    assert "stopped, exit 0" in card(6)
    assert "stopped, exit 137" in card(7)
    assert "killed from outside" in card(7)
    assert "busy, frozen" in card(8)
    expect(page.locator("#stopped .task")).to_have_count(2)
    expect(page.locator("#stopped").get_by_role("button", name="kill")).to_have_count(0)


def test_twelve_busy_tasks_are_twelve_cards_and_every_slot_is_counted(stage: Stage, viewer: Viewer) -> None:
    stage.tell(lambda cloud: cloud.set_rate(30.0, 4_000))
    stage.advance(5)
    page = viewer.open(stage.url)
    viewer.await_charts()
    for _ in range(5):
        stage.advance(3)
        stage.await_pictures(1)

    expect(page.locator("#tasks .task")).to_have_count(12)
    expect(page.locator('#tasks [data-look="busy"]')).to_have_count(12)
    expect(page.locator("#f-tasks")).to_have_text("12 / 12")
    expect(page.locator("#f-tasks-note")).to_have_text("running / desired")
    in_flight = stage.tell(lambda cloud: sum(len(task.running) for task in cloud.service.tasks))
    expect(page.locator("#f-depth-note")).to_contain_text(f", {in_flight} in flight")
    viewer.keep("busy")


def test_the_comparison_draws_both_sides_to_their_end_and_sums_them_up(stage: Stage, viewer: Viewer) -> None:
    page = viewer.open(stage.url)
    form = page.locator("#compare")
    form.get_by_label("Jobs").fill("120")
    form.get_by_role("button", name="Compare").click()
    expect(page.locator("#spike-state")).to_have_text("120 jobs of 2.0 s: running.")

    stage.advance(30)

    expect(page.locator("#spike-state")).to_have_text("120 jobs of 2.0 s: done.")
    expect(page.locator("#sides .js-plotly-plot")).to_have_count(2)
    expect(page.locator("#sides")).to_contain_text("12 × 10 slots")
    expect(page.locator("#sides")).to_contain_text("2 × 10 slots")
    expect(page.locator("#verdict")).to_contain_text("times the compute when worked at once")
    viewer.keep("comparison")


def test_dark_is_what_the_system_asks_for(bare_stage: Stage, browser: Browser) -> None:
    with viewer_of(browser, is_dark=True) as viewer:
        page = viewer.open(bare_stage.url)

        assert max(background(page)) < 64


def test_a_theme_that_was_chosen_lasts_through_a_reload(stage: Stage, viewer: Viewer) -> None:
    page = viewer.open(stage.url)
    assert min(background(page)) > 192
    viewer.await_charts()

    page.get_by_role("button", name="Dark theme").click()
    assert max(background(page)) < 64
    page.reload()

    expect(page.get_by_role("button", name="Light theme")).to_be_visible()
    assert max(background(page)) < 64


@pytest.mark.parametrize("scene", ["empty", "busy"])
def test_a_phone_never_scrolls_sideways(stage: Stage, browser: Browser, scene: str) -> None:
    if scene == "busy":
        stage.send(400, 3_000)
        stage.tell(lambda cloud: cloud.deploy())
        stage.tell(lambda cloud: cloud.hole(20))
        stage.advance(12)
    with viewer_of(browser, PHONE) as viewer:
        page = viewer.open(stage.url)
        if scene == "busy":
            page.locator("#compare").get_by_role("button", name="Compare").click()
            expect(page.locator("#sides .js-plotly-plot")).to_have_count(2)
            stage.advance(25)
            expect(page.locator("#verdict")).to_be_visible()
        viewer.await_charts()
        viewer.keep(f"phone-{scene}")

        assert overflow(page) <= 0


def test_what_others_wrote_is_text_and_never_part_of_the_page(stage: Stage, viewer: Viewer) -> None:
    evil = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"

    def infect(cloud: FakeCloud) -> None:
        cast_of_all_states(cloud)
        cloud.service.send(1, 1_000)
        cloud.service.name = evil
        cloud.log.append(evil)
        cloud.service.tasks[6].stopped_reason = evil
        cloud.service.tasks[6].stop_code = evil
        cloud.service.tell(cloud.service.events, evil)
        cloud.service.tell(cloud.service.decisions, evil)

    stage.tell(infect)
    page = viewer.open(stage.url)
    viewer.await_charts()
    page.get_by_role("button", name="Logs task 02").click()

    expect(page.locator("#logs-lines")).to_contain_text(evil)
    expect(page.locator("#stopped")).to_contain_text(evil)
    expect(page.locator("#events")).to_contain_text(evil)
    expect(page.locator("#decisions")).to_contain_text(evil)
    expect(page.locator("img[src=x]")).to_have_count(0)
    expect(page).to_have_title("Forebay local")


def test_a_hostile_empty_state_is_text_too(bare_stage: Stage, viewer: Viewer) -> None:
    evil = '<img src=x onerror="document.title=1">'

    def infect(cloud: FakeCloud) -> None:
        cloud.service.name = evil

    bare_stage.tell(infect)

    page = viewer.open(bare_stage.url)

    expect(page.locator("#empty-commands")).to_contain_text(evil)
    expect(page.locator("img[src=x]")).to_have_count(0)


def test_a_reload_loses_nothing_of_the_past(stage: Stage, viewer: Viewer) -> None:
    stage.send(100, 2_000)
    page = viewer.open(stage.url)
    viewer.await_charts()
    for _ in range(3):
        before = count_of_points(page)
        stage.advance(1)
        viewer.until("count => document.querySelector('#chart-depth').data.at(-1).x.length > count", before)
    before = count_of_points(page)

    page.reload()
    viewer.await_charts()

    assert count_of_points(page) >= before > 3


def test_where_nobody_looked_the_charts_have_a_gap_and_no_slope(stage: Stage, viewer: Viewer) -> None:
    stage.send(1_000, 1_000)
    page = viewer.open(stage.url)
    viewer.await_charts()
    stage.advance(1)
    viewer.until("document.querySelector('#chart-depth').data.at(-1).x.length > 1")

    stage.advance(60)  # In one step: no picture was drawn in between.

    viewer.until("document.querySelector('#chart-depth').data.at(-1).y.includes(null)")
    for chart in ("depth", "flow", "tasks", "age"):
        slopes = page.evaluate(
            """id => document.querySelector(id).data.flatMap(({ x, y }) => x.flatMap((at, n) =>
                n && at - x[n - 1] > 4000 && (y[n] || y[n - 1]) ? [[y[n - 1], y[n]]] : []))
            """,
            f"#chart-{chart}",
        )
        assert slopes == [], chart


def test_without_the_charts_library_there_is_everything_else_and_a_word_how_to_get_it(viewer: Viewer) -> None:
    with Stage(with_charts=False) as stage:
        stage.send(5, 1_000)

        page = viewer.open(stage.url)

        expect(page.locator("#no-charts")).to_contain_text("pip install 'forebay[local]'")
        expect(page.locator("#f-depth")).to_have_text("5")
        expect(page.locator("#charts")).to_contain_text("in flight")
        expect(page.locator("#charts .js-plotly-plot")).to_have_count(0)
        viewer.page.goto("about:blank")
