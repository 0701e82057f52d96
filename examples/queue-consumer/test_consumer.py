"""The worker without AWS: `pytest`. The fixture comes with Forebay; waiting is skipped."""

from __future__ import annotations

from forebay.testing import LocalQueue

from consumer import worker


def test_a_number_of_milliseconds_is_worked_and_words_are_buried(forebay_queue: LocalQueue) -> None:
    forebay_queue.send("250")
    forebay_queue.send("no number")

    report = forebay_queue.work(worker, failures="return")

    assert (report.succeeded, report.buried) == (1, 1)
