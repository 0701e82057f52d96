"""What can be said of a job where it is declared, and what of it makes sense.

Rules kept here and nowhere else:

1. `JobSettings` is what type checkers and editors see, `JobOptions` what has been checked. Both name the same things.
2. A promise that Python cannot keep is refused: memory limits and recycling need `isolate=True`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, cast, get_args

from forebay.api.durations import Duration, seconds
from forebay.api.queue import Queue
from forebay.api.sizes import Size, size_bytes
from forebay.api.texts import is_filled_text
from forebay.errors import SettingsError
from forebay.handlers.registry import Retry
from forebay.settings import LIMIT_DEFAULT_S, check_limit

Unknown = Literal["ignore", "reject"]
BACKOFF_MAX_S = 43_200.0


class DefaultSettings(TypedDict, total=False):
    """What `@worker.default(…)` takes, and every job."""

    timeout: Duration | None
    """The longest that one attempt may take: 1 s to 11 h 50 min. 15 minutes when left out."""
    attempts: int | None
    """The delivery with which a failing job goes to the dead-letter queue."""
    backoff: Duration | tuple[Duration, Duration] | None
    """The longest delay after the first failure, or that and the longest after any: `("2s", "15m")` when left out."""
    retry: Retry
    """`count` (SQS's receive count) or `resend` (exact, by sending the job again)."""
    slots: int | None
    """The job's own share of the worker's slots."""
    isolate: bool
    """Run each attempt in a child process: a hard time limit, and nothing that it does harms the others."""
    memory: Size | None
    """What a child process may grow by, such as `"512MiB"`. Only with `isolate=True`."""
    recycle: int | None
    """Jobs after which a child process is replaced. Only with `isolate=True`."""
    unknown: Unknown
    """What to do about fields that the job does not know: `ignore` (the default) or `reject`."""


class JobSettings(DefaultSettings, total=False):
    """What `@worker.job(…)` and `@worker.batch(…)` take."""

    name: str | None
    """The name that travels with each message. The function's own when left out."""
    aliases: Sequence[str]
    """Former names, so that messages which are under way when a job is renamed still find it."""
    queue: str | Queue | None
    """Where the job is sent to, when that is not the worker's own queue. By URL or by name."""
    subject: str | None
    """Notifications of SNS with this subject are this job's."""
    detail_type: str | None
    """Events of EventBridge with this detail-type are this job's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """The checked settings of one job. Raises `SettingsError` where one makes no sense."""

    name: str
    aliases: tuple[str, ...] = ()
    limit_s: float = LIMIT_DEFAULT_S
    attempts_max: int | None = None
    backoff_first_s: float = 2.0
    backoff_ceiling_s: float = 900.0
    retry: Retry = "count"
    queue: str | Queue | None = None
    slots_max: int | None = None
    isolate: bool = False
    memory_bytes: int | None = None
    recycle_after: int | None = None
    unknown: Unknown = "ignore"
    subject: str | None = None
    detail_type: str | None = None

    @classmethod
    def of(cls, name: str, settings: Mapping[str, Any], *, default_limit_s: float = LIMIT_DEFAULT_S) -> JobOptions:
        """Return the checked options of the job called `name`."""
        _check_names(f"job {name!r}", settings, JobSettings.__optional_keys__)
        given = {key: value for key, value in settings.items() if value is not None}
        first_s, ceiling_s = _backoff(name, given.get("backoff"))
        memory = given.get("memory")
        timeout = given.get("timeout")
        limit_s = default_limit_s if timeout is None else seconds(f"timeout of job {name!r}", timeout)
        options = cls(
            name=name,
            aliases=_aliases(name, given.get("aliases", ())),
            limit_s=check_limit(name, limit_s),
            attempts_max=_count(name, "attempts", given.get("attempts")),
            backoff_first_s=first_s,
            backoff_ceiling_s=ceiling_s,
            retry=_one_of(name, "retry", given.get("retry", "count"), get_args(Retry)),
            queue=_queue(name, given),
            slots_max=_count(name, "slots", given.get("slots")),
            isolate=_one_of(name, "isolate", given.get("isolate", False), (True, False)),
            memory_bytes=None if memory is None else size_bytes(f"memory of job {name!r}", memory),
            recycle_after=_count(name, "recycle", given.get("recycle")),
            unknown=_one_of(name, "unknown", given.get("unknown", "ignore"), get_args(Unknown)),
            subject=_text(name, "subject", given),
            detail_type=_text(name, "detail_type", given),
        )
        options._check()
        return options

    @classmethod
    def of_default(cls, name: str, settings: Mapping[str, Any]) -> JobOptions:
        """Return the checked options of the default handler, which nothing is sent to and which no name leads to."""
        _check_names("the default handler", settings, DefaultSettings.__optional_keys__)
        return cls.of(name, settings)

    def _check(self) -> None:
        for setting, value in (("memory", self.memory_bytes), ("recycle", self.recycle_after)):
            if value is not None and not self.isolate:
                raise SettingsError(
                    f"{setting}=… on job {self.name!r} needs isolate=True: only a process of its own can be held to it"
                )


def _check_names(whose: str, settings: Mapping[str, Any], known: frozenset[str]) -> None:
    unheard = sorted(settings.keys() - known)
    if unheard:
        raise TypeError(f"{whose} has no setting {unheard[0]!r}; there are {', '.join(sorted(known))}")


def _text(name: str, setting: str, given: Mapping[str, Any]) -> str | None:
    value = given.get(setting)
    if value is not None and not is_filled_text(value):
        raise SettingsError(f"{setting}={value!r} of job {name!r} must be text, and not empty")
    return value


def _queue(name: str, given: Mapping[str, Any]) -> str | Queue | None:
    if isinstance(given.get("queue"), Queue):
        return cast("Queue", given["queue"])
    queue = _text(name, "queue", given)
    if queue is not None and len(queue.split()) != 1:
        raise SettingsError(f"queue={queue!r} of job {name!r} is no URL and no name: a job is sent to one queue")
    return None if queue is None else queue.strip()


def _aliases(name: str, aliases: object) -> tuple[str, ...]:
    if isinstance(aliases, str) or not isinstance(aliases, Sequence):
        raise SettingsError(f"aliases of job {name!r} must be a list of names, such as ['old_name']")
    return tuple(cast("Sequence[str]", aliases))


def _count(name: str, setting: str, value: object) -> int | None:
    # Exactly int: True counts as 1 for Python, and an annotation does not hold back a float.
    if value is not None and (type(value) is not int or value < 1):
        raise SettingsError(f"{setting}={value} of job {name!r} must be a whole number, 1 or more")
    return value


def _one_of(name: str, setting: str, value: Any, allowed: tuple[Any, ...]) -> Any:
    # By type too: 1 is equal to True.
    if not any(type(value) is type(one) and value == one for one in allowed):
        raise SettingsError(f"{setting}={value!r} of job {name!r} is none of {', '.join(map(str, allowed))}")
    return value


def _backoff(name: str, backoff: Any) -> tuple[float, float]:
    if backoff is None:
        return 2.0, 900.0
    both = cast("tuple[Duration, ...]", backoff if isinstance(backoff, tuple) else (backoff, backoff))
    if len(both) != 2:
        raise SettingsError(f"backoff={both!r} of job {name!r} must be one delay, or two: the first and the longest")
    first, ceiling = both
    first_s = seconds(f"backoff of job {name!r}", first)
    ceiling_s = seconds(f"backoff of job {name!r}", ceiling)
    if not 0 < first_s <= ceiling_s <= BACKOFF_MAX_S:
        raise SettingsError(
            f"backoff=({first_s:g} s, {ceiling_s:g} s) of job {name!r}: the first must be above 0, the second no less, "
            "and neither over 12 h, which is as long as SQS hides a message"
        )
    return first_s, ceiling_s
