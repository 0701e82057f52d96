"""How many tasks: Copilot's `count` in its four forms. Pure."""

from __future__ import annotations

import re

from forebay.deploy.copilot.draft import Draft
from forebay.deploy.copilot.kinds import is_section
from forebay.deploy.copilot.source import Source

_RANGE = re.compile(r"\s*([0-9]+)\s*-\s*([0-9]+)\s*")
_BY_BACKLOG = (
    "tasks follow the backlog (`scaling: latency:` and `job:`), which knows what waits; {what} only knows what is "
    "busy. Set `latency` to the longest wait that is fine and `job` to what a job takes."
)


def count(source: Source, draft: Draft) -> None:
    """Convert `count`: a number, Spot only, a range, or a range from whose k-th task on they are on Spot."""
    value = source.take("count")
    if is_section(value):
        _advanced(Source(value, "count", source.notes), draft)
    elif isinstance(value, int) and not isinstance(value, bool):
        draft.put("count", value)
    elif value is not None:
        source.notes.left_out("count", "it is neither a number nor a section: look at it yourself.")


def _advanced(source: Source, draft: Draft) -> None:
    if (spot := source.whole("spot")) is not None:
        draft.put("count", spot)
        draft.put("spot.base", 0)
        draft.put("spot.percent", 100)
        source.notes.differs(
            source.at("spot"), "all tasks are on Spot, as before: each may have to leave within 120 s."
        )
    if "range" in source:
        _range(source, draft)
        _metrics(source, draft)
    for key in ("cooldown", "queue_delay", "cpu_percentage", "memory_percentage"):
        if source.take(key) is not None:
            source.notes.left_out(source.at(key), "there is no `range` to scale in.")
    source.done()


def _range(source: Source, draft: Draft) -> None:
    value = source.take("range")
    match = _RANGE.fullmatch(value) if isinstance(value, str) else None
    if match is not None:
        draft.put("scaling.min", int(match[1]))
        draft.put("scaling.max", int(match[2]))
        return
    if not is_section(value):
        source.notes.left_out(source.at("range"), "it is not like 1-10: write `scaling: min:` and `max:` yourself.")
        return
    section = Source(value, source.at("range"), source.notes)
    draft.put("scaling.min", section.whole("min"))
    draft.put("scaling.max", section.whole("max"))
    if (spot_from := section.whole("spot_from")) is not None:
        draft.put("spot.base", max(0, spot_from - 1))
        draft.put("spot.percent", 100)
    section.done()


def _metrics(source: Source, draft: Draft) -> None:
    # One job at a time is what Copilot's formula supposes: backlog per task = latency ÷ processing time.
    draft.put("run.slots", 1)
    source.notes.differs(
        source.at("range"),
        "`run: slots: 1` keeps Copilot's formula, one job at a time. With more slots a task does more jobs at once, "
        "and may have so much more backlog.",
    )
    _cooldown(source, draft)
    if (delay := source.section("queue_delay")) is not None:
        draft.put("scaling.latency", delay.duration("acceptable_latency", is_whole=False))
        draft.put("scaling.job", delay.duration("msg_processing_time", is_whole=False))
        _cooldown(delay, draft)
        delay.done()
    for key, what in (("cpu_percentage", "CPU"), ("memory_percentage", "memory")):
        if source.take(key) is not None:
            source.notes.left_out(source.at(key), _BY_BACKLOG.format(what=what))


def _cooldown(source: Source, draft: Draft) -> None:
    """Copilot hands `in` and `out` to AWS as they are; its page has their meanings the wrong way round."""
    if (cooldown := source.section("cooldown")) is not None:
        draft.put("scaling.in_cooldown", cooldown.duration("in"))
        draft.put("scaling.out_cooldown", cooldown.duration("out"))
        cooldown.done()
