"""The queue metrics as JSON takes them, under the names that CloudWatch gives them.

Rules kept here and nowhere else:

1. What has no value is left out, never nought: sizes in a period without a send, figures of FIFO queues on others.
2. Times are seconds, the server's own; `at_utc` is the end of the period as RFC 3339 writes it.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from forebay.cloud.queue_metrics import POINTS_KEPT, QueueMetrics
from forebay.rules.queue_metrics import Gauges, Point, Totals


def shown_metrics(metrics: QueueMetrics, url: str, *, newest: int = POINTS_KEPT) -> dict[str, Any]:
    """Return all that is known of one queue; of its points the `newest`."""
    live = metrics.live(url)
    points = metrics.points(url)
    return {
        "period_s": metrics.period_s,
        "live": {
            **shown_gauges(live.gauges),
            **shown_counts(live.totals, is_fifo=live.gauges.locked_groups is not None),
        },
        "wait": asdict(metrics.wait(url)),
        "total": asdict(metrics.total(url)),
        "points": [shown_point(one) for one in points[max(0, len(points) - newest) :]],
    }


def shown_point(point: Point) -> dict[str, Any]:
    """Return one point."""
    shown: dict[str, Any] = {
        "at": point.at,
        "at_utc": f"{datetime.fromtimestamp(point.at_unix_ms / 1000, UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
        **shown_gauges(point.gauges),
        **shown_counts(point.counts, is_fifo=point.gauges.locked_groups is not None),
    }
    if point.sent_bytes_max is not None:
        shown["SentMessageSize"] = {
            "sum": point.counts.sent_bytes,
            "count": point.counts.sent,
            "minimum": point.sent_bytes_min,
            "maximum": point.sent_bytes_max,
        }
    return shown


def shown_gauges(gauges: Gauges) -> dict[str, Any]:
    """Return what is to be seen of a queue at one moment."""
    return {
        "ApproximateNumberOfMessagesVisible": gauges.visible,
        "ApproximateNumberOfMessagesNotVisible": gauges.in_flight,
        "ApproximateNumberOfMessagesDelayed": gauges.delayed,
        "ApproximateAgeOfOldestMessage": gauges.oldest_age_s,
        **(
            {"ApproximateNumberOfGroupsWithInflightMessages": gauges.locked_groups}
            if gauges.locked_groups is not None
            else {}
        ),
    }


def shown_counts(counts: Totals, *, is_fifo: bool) -> dict[str, Any]:
    """Return how many of what there was."""
    return {
        "NumberOfMessagesSent": counts.sent,
        "NumberOfMessagesReceived": counts.received,
        "NumberOfMessagesDeleted": counts.deleted,
        "NumberOfEmptyReceives": counts.empty_receives,
        **({"NumberOfDeduplicatedSentMessages": counts.deduplicated} if is_fifo else {}),
    }
