"""What comes in and goes out: Copilot's `subscribe` and `publish`. Pure."""

from __future__ import annotations

import re
from typing import Any

from forebay.deploy.copilot.draft import Around, Draft
from forebay.deploy.copilot.kinds import is_section
from forebay.deploy.copilot.source import Source

ATTEMPTS_MAX = 990
"""Our queue's maxReceiveCount is ten more, and SQS allows 1,000."""


def subscribe(source: Source, draft: Draft, around: Around) -> None:
    """Convert the queue, and one subscription for each topic."""
    section = source.section("subscribe")
    if section is None:
        return
    has_topics = "topics" in section
    if (queue := section.section("queue")) is not None:
        _queue(queue, draft)
        if not has_topics:
            section.notes.differs(
                section.at("queue"),
                "it counts here. Copilot ignores the section where no topic is subscribed to, so its queue has "
                "30 s, 4 days and no dead-letter queue, whatever stands there.",
            )
    is_fifo = draft.values.get("queue", {}).get("type") == "fifo"
    for topic in section.sections("topics") if has_topics else ():
        _topic(topic, draft, around, is_fifo=is_fifo)
    section.done()


def _queue(queue: Source, draft: Draft) -> None:
    draft.put("queue.delay", queue.duration("delay"))
    draft.put("queue.retention", queue.duration("retention"))
    if (timeout := queue.duration("timeout")) is not None:
        draft.put("queue.visibility", timeout)
        queue.notes.differs(
            queue.at("timeout"),
            "our workers renew their leases, and ask for `run: visibility:` (60 s) at each receive. It need not be "
            "longer than a job; `timeout=` in the handler bounds that.",
        )
    if (dead_letter := queue.section("dead_letter")) is not None:
        if (tries := dead_letter.whole("tries")) is not None:
            draft.put("queue.attempts", min(tries, ATTEMPTS_MAX))
            if tries > ATTEMPTS_MAX:
                queue.notes.differs(
                    dead_letter.at("tries"), f"{ATTEMPTS_MAX} is the most here: restarts count above it."
                )
        dead_letter.done()
    if (fifo := queue.take("fifo")) is not None:
        _fifo(fifo, queue, draft)
    queue.done()


def _fifo(fifo: Any, queue: Source, draft: Draft) -> None:
    if isinstance(fifo, bool):
        draft.put("queue.type", "fifo" if fifo else "standard")
        return
    if not is_section(fifo):
        queue.notes.left_out(queue.at("fifo"), "it is neither true, false nor a section: look at it yourself.")
        return
    section = Source(fifo, queue.at("fifo"), queue.notes)
    draft.put("queue.type", "fifo")
    draft.put("queue.content_based_deduplication", section.flag("content_based_deduplication"))
    draft.put("queue.high_throughput", section.flag("high_throughput"))
    scope, limit = section.text("deduplication_scope"), section.text("throughput_limit")
    if (scope, limit) == ("messageGroup", "perMessageGroupId"):
        draft.put("queue.high_throughput", True)
    elif scope == "messageGroup" or limit == "perMessageGroupId":
        section.notes.left_out(
            section.at("deduplication_scope" if scope == "messageGroup" else "throughput_limit"),
            "both go by groups (`high_throughput: true`), or both by the queue, as now.",
        )
    section.done()


def _topic(topic: Source, draft: Draft, around: Around, *, is_fifo: bool) -> None:
    name, service, own_queue = topic.text("name"), topic.text("service"), topic.take("queue")
    has_own_queue = own_queue is not None and own_queue is not False
    is_fifo_topic = bool(own_queue.get("fifo")) if is_section(own_queue) else is_fifo and not has_own_queue
    policy = topic.take("filter_policy")
    topic.done()
    if name is None or service is None:
        topic.notes.left_out(topic.place, "it names no topic and service: write `topics:` yourself.")
        return
    if has_own_queue:
        _tell_of_own_queue(topic, own_queue, service)
    if is_fifo and not is_fifo_topic:
        topic.notes.left_out(topic.place, "a standard topic cannot feed a FIFO queue: give it a service of its own.")
        return
    arn = around.topic(topic.place, service, f"{name}.fifo" if is_fifo_topic else name)
    subscription: dict[str, Any] = {"arn": arn}
    if policy is not None:
        subscription["filter"] = policy
    draft.entry("topics", re.sub(r"[^A-Za-z0-9-]", "-", f"{service}-{name}"), subscription)
    topic.notes.differs(
        topic.place,
        "the topic belongs to Copilot's stack of the other service, and is gone when that is deleted. Its messages "
        "come in SNS's envelope, as before: `SnsNotification[T]` reads it.",
    )


def _tell_of_own_queue(topic: Source, own_queue: Any, service: str) -> None:
    keys = ", ".join(f"`{key}`" for key in own_queue) if is_section(own_queue) else ""
    topic.notes.left_out(
        topic.at("queue"),
        f"a service has one queue, so this topic shares it{f' ({keys} are left out)' if keys else ''}. Where it needs "
        f"one of its own, make a second manifest with only this topic of {service}.",
    )


def publish(source: Source, draft: Draft, around: Around) -> None:
    """Convert `publish` to the permission; the topics themselves stay where they are."""
    section = source.section("publish")
    if section is None:
        return
    own = str(draft.values.get("name", "SERVICE"))
    resources: list[str] = []
    for topic in section.sections("topics"):
        name, fifo = topic.text("name"), topic.take("fifo")
        topic.take("allowed_workers")  # Of early versions: which services might subscribe.
        topic.done()
        if name is not None:
            resources.append(around.topic(topic.place, own, f"{name}.fifo" if fifo else name))
            topic.notes.differs(
                topic.place,
                "the handler may publish to it (`permissions:`), but the topic is Copilot's and is gone with its "
                "stack: make one that stays. COPILOT_SNS_TOPIC_ARNS is not set any more; give its ARN in `variables:`.",
            )
    if resources:
        permissions = draft.values.setdefault("permissions", [])
        permissions.append({"actions": ["sns:Publish"], "resources": resources})
    section.done()
