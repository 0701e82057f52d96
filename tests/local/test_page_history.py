"""The points behind the charts: rates, thinning, and what becomes of services that go."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

from tests.browser.fake_cloud import FakeCloud

from forebay.local import page as page_package
from forebay.local.page.history import COLUMNS, History
from forebay.local.page.stream import CHART_POINTS_MAX, thinned

AT, ARRIVALS, COMPLETIONS = (COLUMNS.index(name) for name in ("at_ms", "arrivals_per_s", "completions_per_s"))
STATIC = Path(page_package.__file__).parent / "static"


def _grown(seconds: float, per_s: float = 4.0) -> History:
    cloud, history = FakeCloud(), History()
    cloud.set_rate(per_s, 100)
    for _ in range(round(seconds * 2)):
        cloud.advance(0.5)
        history.add(cloud.picture())
    return history


def test_a_steady_stream_is_shown_as_steady() -> None:
    points = _grown(20).points()["worker"]

    assert {point[ARRIVALS] for point in points[6:]} == {4.0}


def test_ten_minutes_are_kept_in_a_few_hundred_points() -> None:
    points = _grown(1500).points()["worker"]

    assert 590_000 <= points[-1][AT] - points[0][AT] <= 605_000
    assert len(points) < 500
    assert [point[AT] for point in points] == sorted(point[AT] for point in points)


def test_thinning_loses_nothing_that_was_counted() -> None:
    """A spike of one instant is still there when its point has been merged with its neighbours."""
    cloud, history = FakeCloud(), History()
    for number in range(1000):
        if number == 100:
            cloud.service.send(80, 100)
        cloud.advance(0.5)
        history.add(cloud.picture())

    points = history.points()["worker"]
    area = sum(point[ARRIVALS] * (point[AT] - before[AT]) / 1000 for before, point in pairwise(points))

    assert abs(area - 80) < 2


def test_counters_that_begin_anew_make_no_rate_below_zero() -> None:
    history, first = History(), FakeCloud()
    first.service.send(500, 100)
    first.advance(1)
    history.add(first.picture())
    second = FakeCloud()
    second.advance(2)

    point = history.add(second.picture())["worker"]

    assert (point[ARRIVALS], point[COMPLETIONS]) == (0.0, 0.0)


def test_a_service_that_is_gone_is_forgotten() -> None:
    cloud, history = FakeCloud(), History()
    history.add(cloud.picture())

    history.add({**cloud.picture(), "services": []})

    assert history.points() == {}


def test_a_long_comparison_is_thinned_to_what_a_chart_can_show() -> None:
    cloud = FakeCloud()
    side = {"points": [(0.1 * n, 10, n) for n in range(2000)], "waiting": [(0.1 * n, n) for n in range(2000)]}
    picture = cloud.picture()
    comparison = json.loads(json.dumps({"state": "done", "at_once": side, "smoothed": side}))
    picture["comparison"] = comparison

    found = thinned(picture["comparison"])

    assert found is not None
    assert len(found["at_once"]["points"]) <= CHART_POINTS_MAX + 1
    assert found["at_once"]["points"][-1] == comparison["at_once"]["points"][-1]
    assert len(found["smoothed"]["waiting"]) == len(found["smoothed"]["points"])


def test_scripts_are_short_and_put_no_text_in_as_markup() -> None:
    """What a task says must stay text. And a file fits on a few screens, as everywhere in this project."""
    findings = [
        f"{file.name}: {word}"
        for file in sorted(STATIC.glob("*.js"))
        for text in [file.read_text(encoding="utf-8")]
        for word in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "http://",
        )
        if word in text
    ]
    findings += [file.name for file in STATIC.iterdir() if len(file.read_text(encoding="utf-8").splitlines()) > 250]

    assert findings == []


def test_the_page_asks_for_nothing_that_is_not_its_own() -> None:
    index = (STATIC / "index.html").read_text(encoding="utf-8")
    own = {f"/static/{file.name}" for file in STATIC.iterdir()}

    asked = [word.split('"')[1] for word in index.replace("src=", "\nhref=").split("\nhref=")[1:]]
    linked = [part.split('"')[0] for part in index.split('href="')[1:]] + asked

    assert [one for one in linked if not one.startswith("#") and one not in own] == []
    assert "<style" not in index
    assert " style=" not in index
    assert " onclick=" not in index
