"""The queues of one account: making, finding, describing, changing and deleting them.

Rules kept here and nowhere else:

1. A name is one queue. Creating it again with the same attributes finds it; after a delete it is free in 60 s.
2. Clients name the host as they please: only the path of a URL tells queues apart.
3. A dead-letter queue must exist, be another queue, and allow the source (RedriveAllowPolicy).
4. Purges and changes of attributes act at once, though AWS may take a minute over them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from forebay.rules import queue_errors as errors
from forebay.rules.queue_attributes import QueueAttributes, check_known, parse_attributes, redrive_allow
from forebay.rules.queue_fifo import FifoQueue
from forebay.rules.queue_fifo_attributes import check_name
from forebay.rules.queue_messages import NEVER
from forebay.rules.queue_store import Bury, StandardQueue
from forebay.rules.queue_tags import tagged

if TYPE_CHECKING:
    from random import Random

RECREATE_AFTER_S = 60.0
PURGE_EVERY_S = 60.0
LIST_MAX = 1_000


class QueueTimes(NamedTuple):
    """What a queue remembers of its administration."""

    created_s: int
    modified_s: int
    purged_at: float = -NEVER


class QueueRegistry:
    """All queues of one account in one Region, by name, URL and ARN."""

    def __init__(self, region: str, account: str, rng: Random, *, endpoint: str, epoch_ms: int, bury: Bury) -> None:
        self.region = region
        self.account = account
        self.endpoint = endpoint
        self.by_name: dict[str, StandardQueue] = {}
        self.by_arn: dict[str, StandardQueue] = {}
        self._by_url: dict[str, StandardQueue] = {}
        self.times: dict[str, QueueTimes] = {}
        self.deleted_at: dict[str, float] = {}
        """When a name was last taken from a queue."""
        self._rng = rng
        self._epoch_ms = epoch_ms
        self._bury = bury

    def url(self, name: str) -> str:
        return f"{self.endpoint}/{self.account}/{name}"

    def arn(self, name: str) -> str:
        return f"arn:aws:sqs:{self.region}:{self.account}:{name}"

    def find(self, url: str) -> StandardQueue:
        """Return the queue of this URL. Raises QueueDoesNotExist."""
        queue = self._by_url.get(url)
        if queue is None:
            account, _, name = "/".join(url.rsplit("/", 2)[-2:]).partition("/")
            queue = self.by_name.get(name)
            if queue is None or account != self.account:
                raise errors.queue_does_not_exist()
            if len(self._by_url) < LIST_MAX:
                self._by_url[url] = queue
        return queue

    def create(self, name: str, attributes: Mapping[str, str], tags: Mapping[str, str], now: float) -> str:
        """Create a queue, or find the one that has this name and these attributes; return its URL."""
        check_name(name, is_fifo=attributes.get("FifoQueue") == "true")
        parsed = parse_attributes(attributes)
        if name in self.by_name:
            return self._same(name, attributes)
        if now - self.deleted_at.get(name, -NEVER) < RECREATE_AFTER_S:
            raise errors.queue_deleted_recently()
        checked_tags = tagged(name, {}, tags)
        self._check_redrive(self.arn(name), parsed)
        unix_s = (self._epoch_ms + int(now * 1000)) // 1000
        self.add(name, parsed, checked_tags, seal=self._rng.getrandbits(32), times=QueueTimes(unix_s, unix_s))
        return self.url(name)

    def add(
        self, name: str, attributes: QueueAttributes, tags: dict[str, str], *, seal: int, times: QueueTimes
    ) -> StandardQueue:
        """Put an empty queue there: a new one, or one that was there before the process, whose settings are sound."""
        arn = self.arn(name)
        queue = (FifoQueue if attributes.is_fifo else StandardQueue)(
            name, arn, attributes, seal=seal, rng=self._rng, epoch_ms=self._epoch_ms, bury=self._bury
        )
        queue.tags = tags
        self.by_name[name] = self.by_arn[arn] = queue
        self.times[name] = times
        return queue

    def _same(self, name: str, wanted: Mapping[str, str]) -> str:
        shown = self.by_name[name].attributes.shown
        for attribute, value in wanted.items():
            if shown.get(attribute, "") != value:
                raise errors.queue_name_exists(attribute)
        return self.url(name)

    def _check_redrive(self, arn: str, attributes: QueueAttributes) -> None:
        if attributes.redrive is None:
            return
        text = attributes.given["RedrivePolicy"]
        target = self.by_arn.get(attributes.redrive.dead_letter_arn)
        if target is None or target.arn == arn:
            raise errors.invalid_value("RedrivePolicy", text, "Dead letter target does not exist.")
        if target.is_fifo != attributes.is_fifo:
            reason = "Dead-letter queue must be same type of queue as the source."
            raise errors.invalid_value("RedrivePolicy", text, reason)
        permission, sources = redrive_allow(target.attributes.given)
        if permission == "denyAll" or (permission == "byQueue" and arn not in sources):
            raise errors.invalid_value("RedrivePolicy", text, "The dead letter target does not allow this queue.")

    def delete(self, queue: StandardQueue, now: float) -> None:
        """Take a queue and all it holds away. Its waiting polls end with QueueDoesNotExist."""
        queue.fail_waiters(errors.queue_does_not_exist())
        del self.by_name[queue.name], self.by_arn[queue.arn], self.times[queue.name]
        self._by_url = {url: other for url, other in self._by_url.items() if other is not queue}
        self.deleted_at[queue.name] = now

    def purge(self, queue: StandardQueue, now: float) -> None:
        """Remove every message, in flight or not."""
        times = self.times[queue.name]
        if now - times.purged_at < PURGE_EVERY_S:
            raise errors.purge_in_progress(queue.name)
        self.times[queue.name] = times._replace(purged_at=now)
        queue.clear()

    def attributes(self, queue: StandardQueue, names: Iterable[str]) -> dict[str, str]:
        """Return the attributes of these names; `All` for every one."""
        wanted = frozenset(names)
        check_known(wanted)
        times = self.times[queue.name]
        shown = {
            "QueueArn": queue.arn,
            **{name: str(count) for name, count in queue.counts().items()},
            "CreatedTimestamp": str(times.created_s),
            "LastModifiedTimestamp": str(times.modified_s),
            **queue.attributes.shown,
        }
        return shown if "All" in wanted else {name: value for name, value in shown.items() if name in wanted}

    def change(self, queue: StandardQueue, attributes: Mapping[str, str], now: float) -> None:
        """Change attributes; all of them or, if one is refused, none."""
        changed = parse_attributes(attributes, queue.attributes.given)
        if "RedrivePolicy" in attributes:  # One that stands as it was is no reason to refuse another change.
            self._check_redrive(queue.arn, changed)
        queue.attributes = changed
        self.times[queue.name] = self.times[queue.name]._replace(modified_s=queue.unix_ms(now) // 1000)

    def list_urls(
        self,
        *,
        prefix: str = "",
        dead_letter_arn: str | None = None,
        count_max: int | None = None,
        token: str | None = None,
    ) -> tuple[list[str], str | None]:
        """Return the URLs of a page of queues, in the order of their names, and the token of the next page.

        `dead_letter_arn` keeps those whose dead letters go to that queue.
        """
        if count_max is not None and not 1 <= count_max <= LIST_MAX:
            raise errors.invalid_value("MaxResults", count_max, f"Must be between 1 and {LIST_MAX}, if provided.")
        # The token is the last name of the page before, so that a queue deleted meanwhile does no harm.
        names = sorted(
            queue.name
            for queue in self.by_name.values()
            if queue.name.startswith(prefix)
            and (token is None or queue.name > token)
            and (dead_letter_arn is None or queue.attributes.dead_letter_arn == dead_letter_arn)
        )
        page = names[: count_max or LIST_MAX]
        # Without MaxResults AWS gives up to 1,000 and no token (API reference, ListQueues).
        following = page[-1] if count_max is not None and len(names) > count_max else None
        return [self.url(name) for name in page], following
