"""The cases of `doctor_cases.yml` as what the checks look at: real templates, changed as somebody's hand might."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from forebay import Worker
from forebay.cli.examining import case_of, program_of
from forebay.deploy.doctor.checking import Case
from forebay.deploy.doctor.facts import Facts
from forebay.deploy.doctor.from_template import facts
from forebay.deploy.manifest.loading import Loaded, parsed
from forebay.deploy.template.build import build
from forebay.deploy.template.intrinsics import Json

FILE = Path(__file__).with_suffix(".yml")
BASE: Json = {"name": "thumbnails"}


@dataclass(frozen=True, slots=True)
class Pair:
    """What trips a check, what it then tells, and what does not trip it."""

    check: str
    trips: Json
    value: str
    passes: Json
    severity: str | None
    also: tuple[Pair, ...] = ()
    """Other ways to trip it, such as for a worse case of the same."""


@cache
def pairs() -> tuple[Pair, ...]:
    """Return all pairs, in the file's order."""
    written: dict[str, Json] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return tuple(_pair(check, one) for check, one in written.items())


def _pair(check: str, one: Json) -> Pair:
    also = tuple(_pair(check, {"passes": {}, **other}) for other in one.get("also", ()))
    return Pair(check, one["trips"], one["value"], one["passes"], one.get("severity"), also)


def cases(situation: Json) -> tuple[Loaded, list[Case]]:
    """Return what there is to examine in this situation."""
    manifest = {**BASE, **situation.get("manifest", {})}
    written = str(yaml.safe_dump(manifest, sort_keys=False))  # pyright: ignore[reportUnknownMemberType]
    loaded = parsed(written.encode(), file="forebay.yml", folder=Path.cwd())
    template = patched(build(loaded.manifest, loaded.names), situation.get("template", {}))
    planned = facts(template)
    program = worker(situation["jobs"]) if "jobs" in situation else program_of(loaded, None)
    found = [case_of(loaded, planned, program)]
    if "live" in situation:
        live = _live(template, situation["live"])
        found.append(case_of(loaded, live, None if isinstance(program, str) else program, planned))
    return loaded, found


def worker(jobs: Mapping[str, Mapping[str, Any]]) -> Worker:
    """Return a worker that declares these jobs."""
    made = Worker("thumbnails")
    for name, settings in jobs.items():
        made.job(name=name, **settings)(_do_nothing)
    return made


async def _do_nothing(key: str) -> None:
    """Stands for a job's work, which no check looks at."""


def _live(template: Json, state: Json) -> Facts:
    """Return facts as they are read of a deployment of the template, changed by hand since."""
    found = facts(patched(template, state.get("template", {})))
    assert found.service is not None
    service = replace(found.service, running=state.get("running"), active_deployments=state.get("active_deployments"))
    unread = {str(what): str(why) for what, why in state.get("unread", {}).items()}
    return replace(found, origin="live", service=service, depth=state.get("depth", {}), unread=unread)


def patched(template: Json, changes: Json) -> Json:
    """Return the template with these changes: `Resource.Property.0.Inner: value`; null takes away."""
    changed = copy.deepcopy(template)
    for path, value in changes.items():
        name, *rest = path.split(".")
        if not rest:
            _set(changed["Resources"], name, value)
            continue
        place: Any = changed["Resources"][name]["Properties"]
        for part in rest[:-1]:
            place = _within(place, part)
        _set(place, rest[-1], value)
    return changed


def _set(place: Any, part: str, value: object) -> None:
    if isinstance(place, list):
        index = int(part)
        place[index : index + 1] = [] if value is None else [value]
    elif value is None:
        del place[part]
    else:
        place[part] = value


def _within(place: Any, part: str) -> Any:
    return place[int(part)] if isinstance(place, list) else place.setdefault(part, {})  # pyright: ignore
