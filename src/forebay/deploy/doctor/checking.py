"""What a check is: a function with an id and a title, from a case to what it finds there. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from forebay.deploy.doctor.facts import Facts
from forebay.deploy.doctor.finding import Found, Severity
from forebay.deploy.doctor.work import Worker
from forebay.deploy.manifest.model import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a check looks at."""

    manifest: Manifest | None
    """None: only a template is there."""
    facts: Facts
    worker: Worker
    planned: Facts | None = None
    """With live facts: what the template says of the same deployment."""


Scope = Literal["any", "template", "live"]
Look = Callable[[Case], Iterator[Found]]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is looked at."""

    id: str
    title: str
    """What should be so: a statement."""
    look: Look
    scope: Scope = "any"
    """Whether it looks at templates, at what is live, or at both."""


CHECKS: dict[str, Check] = {}
"""Every check by its id, in the order of the modules that declare them."""


def check(id: str, title: str, *, scope: Scope = "any") -> Callable[[Look], Look]:
    """Declare the function below as a check."""

    def declare(look: Look) -> Look:
        assert id not in CHECKS, f"two checks are called {id}"
        CHECKS[id] = Check(id, title, look, scope)
        return look

    return declare


def error(value: str, place: str, why: str, remedy: str, key: str | None = None) -> Found:
    return Found(severity=Severity.ERROR, value=value, place=place, why=why, remedy=remedy, key=key)


def warning(value: str, place: str, why: str, remedy: str, key: str | None = None) -> Found:
    return Found(severity=Severity.WARNING, value=value, place=place, why=why, remedy=remedy, key=key)


def note(value: str, place: str, why: str, remedy: str, key: str | None = None) -> Found:
    return Found(severity=Severity.NOTE, value=value, place=place, why=why, remedy=remedy, key=key)


def length(seconds: float) -> str:
    """Return a length of time in the largest unit that needs no fraction: `90 s`, `171 min`, `4 d`."""
    for unit, unit_s in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= unit_s and seconds % unit_s == 0:
            return f"{seconds / unit_s:g} {unit}"
    return f"{round(seconds, 1):.12g} s"
