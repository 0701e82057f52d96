"""A queue of the local SQS as a scaling law reads it: the points that CloudWatch would have.

Rules kept here and nowhere else:

1. A reading is that of the period that has just ended. When the queue was inactive there is none, as data are missing
   then (facts/sqs.md section 5).
"""

from __future__ import annotations

from forebay.cloud.queue_metrics import QueueMetrics
from forebay.scaling.port import QueueReading


class LocalQueueMeter:
    """Reads one queue's metrics. A `scaling.port.QueueMeter`."""

    def __init__(self, metrics: QueueMetrics, queue_url: str) -> None:
        self._metrics = metrics
        self._queue_url = queue_url

    async def read(self) -> QueueReading | None:
        """Return the period that has just ended. Raises `ServiceFailure` when the queue is gone."""
        point = self._metrics.last_point(self._queue_url)
        if point is None:
            return None
        return QueueReading(
            at=point.at,
            period_s=point.period_s,
            visible=point.gauges.visible,
            in_flight=point.gauges.in_flight,
            delayed=point.gauges.delayed,
            oldest_age_s=point.gauges.oldest_age_s,
            sent=point.counts.sent,
            received=point.counts.received,
            deleted=point.counts.deleted,
            empty_receives=point.counts.empty_receives,
        )
