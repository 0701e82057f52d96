"""How findings are told: to people in blocks, the worst first, and to programs as one object."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from forebay.deploy.doctor.examine import checks
from forebay.deploy.doctor.finding import Finding, Severity

if TYPE_CHECKING:
    from forebay.deploy.manifest.loading import Loaded


def lines(found: Sequence[Finding], examined: Sequence[str]) -> Iterator[str]:
    """Yield what people read. `examined` says what was looked at."""
    for finding in found:
        yield from _block(finding)
        yield ""
    yield f"{counted(found)} in {len(checks())} checks of {' and '.join(examined)}"


def refusal(found: Sequence[Finding]) -> str:
    """Return errors as one text, for a command that does not begin because of them."""
    return "\n".join(line for finding in found for line in _block(finding))


def counted(found: Sequence[Finding]) -> str:
    """Return `1 error, 2 warnings, no notes`."""
    return ", ".join(_count(sum(one.severity is kind for one in found), kind) for kind in Severity)


def summary(loaded: Loaded | None, found: Sequence[Finding]) -> dict[str, Any]:
    """Return what programs read."""
    return {
        "service": loaded.manifest.name if loaded else None,
        "environment": loaded.environment if loaded else None,
        "checks": len(checks()),
        **{f"{kind}s": sum(one.severity is kind for one in found) for kind in Severity},
        "findings": [
            {
                "check": one.check,
                "severity": str(one.severity),
                "title": one.title,
                "value": one.value,
                "place": one.place,
                "key": one.key,
                "written": one.written,
                "why": one.why,
                "remedy": one.remedy,
                "page": one.page,
            }
            for one in found
        ],
    }


def _block(finding: Finding) -> Iterator[str]:
    yield f"{finding.severity}: {finding.value}"
    yield f"  at:     {_place(finding)}"
    yield f"  why:    {finding.why}"
    yield f"  remedy: {finding.remedy}"
    yield f"  more:   {finding.page}"


def _place(finding: Finding) -> str:
    if finding.written is not None:
        return f"{finding.written} {finding.key} ({finding.place})"
    return f"{finding.place} ({finding.key} is not set)" if finding.key else finding.place


def _count(number: int, kind: Severity) -> str:
    return f"{number or 'no'} {kind}{'' if number == 1 else 's'}"
