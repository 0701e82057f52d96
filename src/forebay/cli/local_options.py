"""What the options of `forebay local` mean, and which of them go on to the tasks.

Rules kept here and nowhere else:

1. An option that makes no sense is refused here, before anything is started.
2. `--log` is ours: the tasks speak JSON to us, and we speak to the user as the option says.
3. Queues are ours too: what names some elsewhere is refused as an option, and overruled as a variable or in code.
4. Where somebody wants health pages each task gets them at a port of its own: those of one machine cannot share one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from forebay.api.project_file import Written
from forebay.errors import SettingsError

if TYPE_CHECKING:
    from forebay.local.plan import Spike

TASKS_MAX = 100
SPIKE_JOBS_MAX = 1_000_000
SPIKE_MS_MAX = 39_600_000
"""The longest job of the sample worker: eleven hours."""


def counts_of(text: str) -> tuple[int, int]:
    """Return MIN and MAX of `--tasks`. Raises SettingsError."""
    match = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", text.strip())
    if match is None:
        raise SettingsError(f"--tasks {text!r} is neither MIN-MAX, such as 0-8, nor a number of tasks")
    low = int(match[1])
    high = int(match[2]) if match[2] is not None else low
    if not low <= high or not 1 <= high <= TASKS_MAX:
        raise SettingsError(f"--tasks {text}: MIN must not be above MAX, and MAX is 1 to {TASKS_MAX}")
    return low, high


def spike_of(text: str) -> Spike | None:
    """Return the N and MS of `--spike`; None for no jobs. Raises SettingsError."""
    from forebay.local.plan import Spike

    if text.strip() == "0":
        return None
    match = re.fullmatch(r"(\d{1,9}):(\d{1,9})", text.strip())
    if match is None:
        raise SettingsError(f"--spike {text!r} is not N:MS, such as 100:500 for 100 jobs of half a second")
    count, job_ms = int(match[1]), int(match[2])
    if count > SPIKE_JOBS_MAX or job_ms > SPIKE_MS_MAX:
        raise SettingsError(f"--spike {text}: at most {SPIKE_JOBS_MAX:,} jobs of at most {SPIKE_MS_MAX:,} milliseconds")
    return Spike(count, job_ms) if count else None


def without_log(options: Sequence[str], environment: Mapping[str, str]) -> tuple[Literal["text", "json"], list[str]]:
    """Take `--log` out of the options: the tasks speak JSON to us, and we speak to the user."""
    kept: list[str] = []
    chosen, place = environment.get("FOREBAY_LOG") or "text", "FOREBAY_LOG"
    waiting = iter(options)
    for option in waiting:
        name, equals, value = option.partition("=")
        if name == "--log":
            chosen, place = value if equals else next(waiting, ""), "--log"
        else:
            kept.append(option)
    if chosen not in ("text", "json"):
        raise SettingsError(f"{place} {chosen!r} is neither text nor json")
    return ("json" if chosen == "json" else "text"), kept


OURS = {
    "--queue": "the local cloud gives its tasks their queue",
    "--dead-letter": "the local cloud gives its tasks their queues",
    "--health": "the tasks of one machine cannot share a port",
}
"""Options of `forebay run` that make no sense here, and why."""


def check_run_options(options: Sequence[str]) -> None:
    """Raise SettingsError for an option that only a worker of its own can have."""
    for option in options:
        name = option.partition("=")[0]
        if name in OURS:
            raise SettingsError(f"{name} is for `forebay run`: {OURS[name]}. Leave it out")


def drain_of(
    options: Sequence[str], environment: Mapping[str, str], file: Mapping[str, Written], code: Mapping[str, object]
) -> float | None:
    """Return the tasks' `--drain`, from where they will take it; None when it is left to the default.

    A value that is no number is the task's to complain of.
    """
    text = environment.get("FOREBAY_DRAIN") or (file["drain"].values[0] if "drain" in file else code.get("drain", ""))
    for place, option in enumerate(options):
        name, equals, value = option.partition("=")
        if name == "--drain":
            text = value if equals else "".join(options[place + 1 : place + 2])
    try:
        return float(str(text))
    except ValueError:
        return None


def surroundings_of(environment: Mapping[str, str], file: Mapping[str, Written]) -> dict[str, str]:
    """Return the variables that tasks inherit."""
    kept = {name: value for name, value in environment.items() if name != "FOREBAY_HEALTH"}
    is_asked_for = bool(environment.get("FOREBAY_HEALTH")) or "health" in file
    return {**kept, "FOREBAY_HEALTH": "127.0.0.1:0"} if is_asked_for else kept


def sample_options(options: Sequence[str], count_max: int) -> list[str]:
    """Return what the sample worker gets beside the user's options: few slots, and the article's cycle if it is alone.

    The article's worker is protected while it is idle as well. With several tasks that would keep ECS from ever taking
    an idle one. They do let go as the article's does, though: as soon as nothing is in flight.
    """
    from forebay.local.plan import SAMPLE_SLOTS

    named = {option.partition("=")[0] for option in options}
    return [
        *(["--protect", "always"] if "--protect" not in named and count_max == 1 else []),
        *(["--linger", "0"] if count_max > 1 and not named & {"--protect", "--linger"} else []),
        *(["--slots", str(SAMPLE_SLOTS)] if "--slots" not in named else []),
    ]
