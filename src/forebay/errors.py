"""The exceptions a user of Forebay can meet. Expected ends of an attempt are outcomes (`model`), not exceptions.

Each message says what is wrong, where, and what to do about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ForebayError(Exception):
    """The root of everything that Forebay raises on purpose."""


class SettingsError(ForebayError):
    """A setting is out of bounds or contradicts another. Exit status 2."""


class TargetError(ForebayError):
    """The TARGET of a command cannot be imported or holds no Worker. Exit status 2."""


class JobError(ForebayError):
    """A job is declared or called in a way that cannot work (two of one name, wrong signature)."""


class Misuse(JobError):
    """The user's code breaks a rule while an attempt runs. The words are ours and hold no values, so logs tell them."""


class ExecutorBroken(ForebayError):
    """A child process does not keep to what was agreed with it: it is ended, and another takes its place."""


class FaultKind(StrEnum):
    """What an error of the service means to a worker (facts/sqs.md section 1, error table)."""

    THROTTLED = "throttled"
    """RequestThrottled, ThrottlingException, KmsThrottled, HTTP 429: back off and repeat."""
    UNAVAILABLE = "unavailable"
    """5xx, connection refused or reset, DNS, TLS: it is not known to have been carried out; repeat."""
    NO_ANSWER = "no_answer"
    """Sent but not answered in time, or cut off: it may have been carried out. Repeat what is idempotent."""
    DENIED = "denied"
    """AccessDenied: a permission is missing."""
    CREDENTIALS = "credentials"
    """None found, expired after a refresh, or not accepted."""
    MISSING = "missing"
    """The queue does not exist."""
    LEASE_LOST = "lease_lost"
    """The receipt no longer gives a right: MessageNotInflight, ReceiptHandleIsInvalid, an expired handle."""
    REFUSED = "refused"
    """Any other client error, which repeating cannot mend (KMS keys, invalid parameters, a bug of ours)."""

    @property
    def is_transient(self) -> bool:
        """True when the same call may succeed a little later with nobody doing anything."""
        return self in (FaultKind.THROTTLED, FaultKind.UNAVAILABLE, FaultKind.NO_ANSWER)


@dataclass(frozen=True, slots=True)
class Fault:
    """One error of the service, classified. `code` is the service's own word for it, or the exception's name."""

    kind: FaultKind
    code: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}" if self.detail else self.code


class QueueError(ForebayError):
    """A call to the queue service failed as a whole."""

    def __init__(self, fault: Fault, *, operation: str = "") -> None:
        self.fault = fault
        self.operation = operation
        super().__init__(f"{operation}: {fault}" if operation else str(fault))


class ManifestError(SettingsError):
    """`forebay.yml` says something that cannot be. The message begins with the place. Exit status 2."""


class DeployError(ForebayError):
    """A deployment, or a command about one, cannot go on: what AWS or a tool said, and the remedy. Exit status 1."""


class ProtectionError(ForebayError):
    """Task protection cannot be had and was demanded (`protect=always`)."""
