"""One environment of Copilot's manifest, and what of it differs from the others in ours. Pure.

Rules kept here and nowhere else:

1. An override is merged as Copilot merges it: sections key by key, everything else replaces; `build` and `location`,
   and Spot and a range, oust each other. An empty key changes nothing.
2. What only one environment has (names with the environment in them) stands in that environment's section alone.
3. What an environment does not have is taken away by an empty value, as our manifest's merging reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forebay.deploy.copilot.draft import Json
from forebay.deploy.copilot.kinds import is_list, is_section
from forebay.deploy.manifest.tree import FREE, is_within

_RANGED = ("range", "cooldown", "queue_delay", "cpu_percentage", "memory_percentage")


def with_override(base: Mapping[str, Any], over: Mapping[str, Any], key: str = "") -> Json:
    """Return Copilot's section `key` as its environment sees it."""
    kept = {name: value for name, value in base.items() if not _is_ousted(key, name, over)}
    for name, value in over.items():
        inherited = kept.get(name)
        if value is None:
            continue
        if is_section(value) and is_section(inherited):
            kept[name] = with_override(inherited, value, name)
        else:
            kept[name] = value
    return kept


def _is_ousted(section: str, key: str, over: Mapping[str, Any]) -> bool:
    given = {name for name, value in over.items() if value is not None}
    match section:
        case "image":
            return (key == "build" and "location" in given) or (key == "location" and "build" in given)
        case "count":
            return (key in _RANGED and "spot" in given) or (key == "spot" and not given.isdisjoint(_RANGED))
        case _:
            return False


def without(values: Any, mark: str) -> Any:
    """Return the values without what holds `mark`, the stand-in for a name. None when nothing is left."""
    if is_section(values):
        if mark in str(values.get("arn", "")):
            return None  # What is left of a topic without its ARN is none.
        kept = {key: without(value, mark) for key, value in values.items()}
        return {key: value for key, value in kept.items() if value is not None} or None
    if is_list(values):
        return None if any(without(item, mark) != item for item in values) else values
    return None if isinstance(values, str) and mark in values else values


def difference(base: Mapping[str, Any], wanted: Mapping[str, Any], path: tuple[str, ...] = ()) -> Json:
    """Return the override that makes `wanted` of `base`, both in the words of our manifest."""
    over: Json = {key: None for key in base if key not in wanted}
    for key, value in wanted.items():
        before = base.get(key)
        if value == before:
            continue
        here = (*path, key)
        if is_section(before) and is_section(value) and not is_within(here, (*FREE, ("network",))):
            over[key] = difference(before, value, here)
        else:
            over[key] = value
    return over
