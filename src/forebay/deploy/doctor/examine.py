"""The examination: every check over what is known, as findings in the order in which people read them. Pure.

Rules kept here and nowhere else:

1. Checks of the template come first. What they found is not told again of the live deployment, unless it says
   something else there.
2. Errors come before warnings, warnings before notes; within these, the order of the checks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from importlib import import_module

from forebay.deploy.doctor.checking import CHECKS, Case, Check
from forebay.deploy.doctor.finding import Finding, Found, Severity

TOPICS = (
    "leases",
    "queues",
    "fifo",
    "stopping",
    "telling",
    "container",
    "room",
    "rights",
    "reaching",
    "sizing",
    "watching",
    "live",
)

Written = Callable[[str], str | None]
"""From a key of the manifest to where it is written; None when it is not."""


def checks() -> dict[str, Check]:
    """Return every check by its id."""
    for topic in TOPICS:
        import_module(f"forebay.deploy.doctor.checks.{topic}")
    return CHECKS


def examine(cases: Iterable[Case], written: Written) -> tuple[Finding, ...]:
    """Return what the checks find in these cases: that of the template, then that of what is live."""
    found: list[Finding] = []
    for case in cases:
        known = {(one.check, one.value) for one in found}
        new = [_finding(check, one, written) for check, one in _looked_at(case) if (check.id, one.value) not in known]
        found += new
    order = list(Severity)
    return tuple(sorted(found, key=lambda finding: order.index(finding.severity)))


def _looked_at(case: Case) -> Iterator[tuple[Check, Found]]:
    for check in checks().values():
        if check.scope in ("any", case.facts.origin):
            for one in check.look(case):
                yield check, one


def _finding(check: Check, one: Found, written: Written) -> Finding:
    return Finding(
        check=check.id,
        title=check.title,
        severity=one.severity,
        value=one.value,
        place=one.place,
        key=one.key,
        written=None if one.key is None else written(one.key),
        why=one.why,
        remedy=one.remedy,
    )
