"""What an examination finds: one contradiction, with its value, its place and the remedy. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

PAGE = "docs/doctor.md"


class Severity(StrEnum):
    """How bad it is. The order of the members is the order in which people are told."""

    ERROR = "error"
    """It will not work, or loses work."""
    WARNING = "warning"
    """It works until something happens that will happen."""
    NOTE = "note"
    """Worth knowing; nothing need be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a check has to say. `examine` adds which check it was."""

    severity: Severity
    value: str
    """What was read, with names and units. Never a secret, never the value of a variable."""
    place: str
    """Where it was read: a property of the template, or something that is live."""
    why: str
    """What comes of it: one sentence."""
    remedy: str
    key: str | None = None
    """The key of the manifest that changes it, such as `queue.retention`; None when no key does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A contradiction, ready to be told."""

    check: str
    title: str
    severity: Severity
    value: str
    place: str
    key: str | None
    written: str | None
    """Where the manifest says it (`forebay.yml:12:5`); None when it does not."""
    why: str
    remedy: str

    @property
    def page(self) -> str:
        """Where the documentation explains the check."""
        return f"{PAGE}#{self.check}"
