"""The queues of one worker service: its main one, those of jobs that have their own, and one for all dead letters.

Rules kept here and nowhere else:

1. `maxReceiveCount` is ten more than a job's attempts, since SQS counts releases too.
2. The dead letters' queue keeps them for fourteen days, longer than the others.
3. Figures are of all queues together; what scales the service reads the main one alone, as an alarm on AWS does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from forebay.cloud.sqs_server import SqsServer
from forebay.local.figures import queue_figures
from forebay.local.port import QueueFigures

RECEIVES_MAX = 15
DEAD_RETENTION_S = 1_209_600


class WorkedQueues:
    """The queues that the tasks of a service work."""

    def __init__(self, sqs: SqsServer, main: str, more: Sequence[str] = ()) -> None:
        self._sqs = sqs
        self.dead_url = sqs.ensure_queue(f"{main}-dead", MessageRetentionPeriod=str(DEAD_RETENTION_S))
        policy = {"deadLetterTargetArn": sqs.service.arn(f"{main}-dead"), "maxReceiveCount": RECEIVES_MAX}
        names = dict.fromkeys((main, *more))
        self.urls = [sqs.ensure_queue(name, RedrivePolicy=json.dumps(policy)) for name in names]
        self.found = sum(len(sqs.service.registry.find(url).shelves.messages) for url in self.urls)
        """Messages that were there before anything was sent: kept from an earlier run."""

    @property
    def main_url(self) -> str:
        return self.urls[0]

    def visible(self) -> int:
        return sum(self._sqs.service.registry.find(url).shelves.visible for url in self.urls)

    def figures(self) -> QueueFigures:
        """Return what the counters say."""
        return queue_figures(self._sqs, self.urls, self.dead_url)

    def delete(self, *, now: float) -> None:
        for url in (*self.urls, self.dead_url):
            self._sqs.service.delete_queue(url, now=now)
