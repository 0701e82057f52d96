"""From Copilot's manifest of a Worker Service to ours, with a remark for everything that is not the same. Pure.

Rules kept here and nowhere else:

1. Every key of Copilot's file ends in the new manifest or in a note, in each environment.
2. What Copilot gave to a container unasked is told too: variables, permissions, the queue that holds messages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from forebay.deploy.copilot import container, counting, messages, rest, surroundings
from forebay.deploy.copilot.draft import Around, Draft, Json
from forebay.deploy.copilot.kinds import is_list, is_section
from forebay.deploy.copilot.merging import difference, with_override, without
from forebay.deploy.copilot.notes import Note, Notes
from forebay.deploy.copilot.source import Source
from forebay.deploy.manifest.tree import Mapping as Section
from forebay.deploy.manifest.tree import Node, Scalar, Several
from forebay.errors import ManifestError

WORKER_SERVICE = "Worker Service"
_EVERY = "\N{REPLACEMENT CHARACTER}"
"""Stands for the environment's name in what all environments have."""
_REFERENCE = re.compile(r"(?<!\\)\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
ENVIRONMENT_NAME = re.compile(r"(?!.*--)[a-z][a-z0-9-]{0,18}[a-z0-9]")
_AS_WRITTEN = ("variables", "args")


@dataclass(frozen=True, slots=True)
class Conversion:
    """The new manifest, and what there is to say about it."""

    values: Json
    notes: tuple[Note, ...]


def values_of(node: Node, *, as_written: bool = False) -> Any:
    """Return what stands in Copilot's file. Variables are texts as they are written, as Go reads them."""
    match node:
        case Scalar():
            return node.text if as_written and node.value is not None else node.value
        case Several():
            return [values_of(item) for item in node.items]
        case Section():
            return {
                key: values_of(entry.node, as_written=as_written or key in _AS_WRITTEN)
                for key, entry in node.entries.items()
            }


def convert(
    written: Mapping[str, Any],
    around: Around,
    *,
    environments: Iterable[str] = (),
    permissions: Sequence[Json] = (),
) -> Conversion:
    """Return the manifest for what Copilot's file says, for environments that it does not name, and with permissions.

    Raises `ManifestError` for a workload of another type, and for all that is needed and nowhere said.
    """
    _check_type(written)
    overrides: Any = written.get("environments") or {}
    if not is_section(overrides):
        raise ManifestError("environments: it is no section: look at Copilot's manifest again")
    common = {key: value for key, value in written.items() if key != "environments"}
    known, refused = _environments(overrides, environments)
    every = _one(common, replace(around, environment=_EVERY), permissions)
    if not known:
        known = [around.environment]
        alone = _one(common, around, permissions)
        around.check()
        named = [] if alone.values == every.values else [_named(known)]
        return Conversion(alone.values, (*alone.notes, *named, *refused, *_told_always(common)))
    base = without(every.values, _EVERY)
    assert is_section(base), "the name is common to all"
    base = dict(base)
    notes = list(every.notes)
    if base != every.values:
        notes.append(_named(known))
    base["environments"] = sections = {}
    for name in known:
        one = _one(with_override(common, overrides.get(name) or {}), replace(around, environment=name), permissions)
        sections[name] = difference({key: base[key] for key in base if key != "environments"}, one.values)
        notes += [note.within(name) for note in one.notes if note not in every.notes]
    around.check()
    return Conversion(base, (*notes, *refused, *_told_always(common)))


def _named(environments: Iterable[str]) -> Note:
    return Note(
        "environments",
        "differs",
        f"what has the environment's name in it (topics, secrets) is for {', '.join(environments)} only. Name all your "
        "environments: `--env` adds those for which Copilot's manifest has no override.",
    )


def _environments(overrides: Mapping[str, Any], more: Iterable[str]) -> tuple[list[str], list[Note]]:
    """Return the environments that can be ours, and a note about each of the others."""
    known: list[str] = []
    notes = Notes()
    for name in dict.fromkeys([*overrides, *more]):
        place, over = f"environments.{name}", overrides.get(name)
        if not ENVIRONMENT_NAME.fullmatch(name):
            notes.left_out(place, "its name cannot be one of ours (docs/manifest.md): write it under another.")
        elif over is not None and not is_section(over):
            notes.left_out(place, "it is not what Copilot takes there (a section): look at it yourself.")
        else:
            known.append(name)
    return known, notes.taken


def _check_type(written: Mapping[str, Any]) -> None:
    kind = written.get("type")
    if kind != WORKER_SERVICE:
        hint = " Its schedule can be `schedules:` of a worker's manifest." if kind == "Scheduled Job" else ""
        raise ManifestError(f"type: {kind or 'nothing'}: only a {WORKER_SERVICE} can be converted.{hint}")


def _one(written: Mapping[str, Any], around: Around, permissions: Sequence[Json]) -> Conversion:
    """Convert the manifest of one environment."""
    notes, draft = Notes(), Draft({"permissions": list(permissions)} if permissions else {})
    source = Source(_filled(written, around, notes), "", notes)
    source.take("type")
    draft.put("name", source.text("name"))
    container.container(source, draft, around)
    messages.subscribe(source, draft, around)
    counting.count(source, draft)
    surroundings.network(source, draft, around)
    surroundings.variables(source, draft, around)
    messages.publish(source, draft, around)
    surroundings.storage(source, draft)
    surroundings.logging(source, draft)
    surroundings.deployment(source, draft)
    rest.rest(source, draft)
    source.done()
    return Conversion(draft.values, tuple(notes.taken))


def _filled(value: object, around: Around, notes: Notes, place: str = "") -> Any:
    """Put in the names that Copilot puts in for `${…}`."""
    known = {"COPILOT_APPLICATION_NAME": around.application, "COPILOT_ENVIRONMENT_NAME": around.environment}

    def name(match: re.Match[str]) -> str:
        if (found := known.get(match[1])) is None:
            notes.differs(place, f"Copilot put the shell's {match[1]} in here: write its value instead of {match[0]}.")
            return match[0]
        return found

    if is_section(value):
        return {key: _filled(item, around, notes, f"{place}.{key}" if place else key) for key, item in value.items()}
    if is_list(value):
        return [_filled(item, around, notes, f"{place}[{index}]") for index, item in enumerate(value)]
    return _REFERENCE.sub(name, value).replace("\\${", "${") if isinstance(value, str) else value


def _told_always(common: Mapping[str, Any]) -> tuple[Note, ...]:
    notes = Notes()
    notes.differs(
        "COPILOT_QUEUE_URI",
        "the container gets FOREBAY_QUEUE_URL instead, which the worker and `enqueue` read. COPILOT_APPLICATION_NAME, "
        "COPILOT_ENVIRONMENT_NAME, COPILOT_SERVICE_NAME, COPILOT_SERVICE_DISCOVERY_ENDPOINT, COPILOT_TOPIC_QUEUE_URIS "
        "and COPILOT_MOUNT_POINTS are not set: give what your code reads in `variables:`.",
    )
    subscribed = common.get("subscribe")
    queue = subscribed.get("queue") if is_section(subscribed) else None
    if not (is_section(queue) and queue.get("dead_letter")):
        notes.differs(
            "the dead-letter queue",
            "there is one now: a job that has failed five times (`queue: attempts:`) goes there. Copilot's queue had "
            "none, and such a message came back until it was four days old.",
        )
    notes.differs(
        "the queue",
        "it is a new one. Deploy, send producers to it, and when nobody sends to Copilot's any more, work that one "
        'until it is empty (docs/copilot.md, "Moving the messages").',
    )
    return tuple(notes.taken)
