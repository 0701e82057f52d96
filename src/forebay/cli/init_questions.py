"""The questions of `forebay init`, one by one: what is suggested, and which answers will do.

Rules kept here and nowhere else:

1. What will do is what a manifest takes: each answer is tried in one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forebay.cli.answering import Asker
from forebay.deploy import starting
from forebay.deploy.found_workers import targets
from forebay.errors import ManifestError

SAMPLE = "sample"
_SAMPLE_CHOICE = "the sample worker of the article"
_WRITE_ONE, _IMAGE = "write one for me", "use an image that exists"
_TARGET = re.compile(r"[A-Za-z_][\w.]*(:[A-Za-z_][\w.]*)?")


@dataclass(frozen=True, slots=True)
class Given:
    """What options say of the image."""

    dockerfile: str | None
    generate: bool
    image: str | None


def name(asker: Asker, given: str | None, manifest: Path) -> str:
    folder = manifest.absolute().parent.name.lower()
    made = re.sub(r"[^a-z0-9]+", "-", folder).lstrip("-0123456789")[:40].strip("-")
    suggestion = made if len(made) >= 2 else "worker"
    return str(asker.answer("--name", given, "What do you want to name this service?", suggestion, _reader("name")))


def handler(asker: Asker, given: str | None, folder: Path) -> str | None:
    """Return the target; None for the sample worker."""
    if given is None:
        choices = [*targets(folder), _SAMPLE_CHOICE]
        given = asker.choice("--handler", "Which Worker does it run?", choices, _target)
    else:
        given = asker.checked("--handler", given, _target)
    return None if given in (SAMPLE, _SAMPLE_CHOICE) else given


def _target(text: str) -> str:
    if not _TARGET.fullmatch(text) or text.endswith(".py"):
        raise ValueError("write module:attribute, such as shop.jobs:worker, or `sample`")
    return text


def source(asker: Asker, folder: Path, service: str, given: Given) -> starting.Source:
    """Return where the image comes from."""
    if sum((given.dockerfile is not None, given.generate, given.image is not None)) > 1:
        raise ManifestError("--dockerfile, --generate and --image exclude each other: give one of them")
    if given.generate:
        return starting.Generated()
    if given.image is not None:
        return starting.Located(asker.checked("--image", given.image, _image))

    def existing(path: str) -> str:
        if not (folder / path).is_file():
            raise ValueError(f"there is no such file in {folder.absolute()}")
        return Path(path).as_posix()

    if given.dockerfile is not None:
        return starting.Existing(asker.checked("--dockerfile", given.dockerfile, existing))
    there = [starting.DOCKERFILE] if (folder / starting.DOCKERFILE).is_file() else []
    question = f"Which Dockerfile would you like to use for {service}? (a path will do too)"
    choice = asker.choice("--dockerfile, --generate or --image", question, [*there, _WRITE_ONE, _IMAGE], existing)
    if choice == _WRITE_ONE:
        return starting.Generated()
    if choice == _IMAGE:
        return starting.Located(asker.answer("--image", None, "Which image? (…@sha256:…)", None, _image))
    return starting.Existing(choice)


def _image(text: str) -> str:
    if not text or re.search(r"\s", text):
        raise ValueError("name it as `docker pull` would")
    return text


def numbers(asker: Asker, given: Mapping[str, str | None]) -> dict[str, Any]:
    """Return the answers about size and scaling."""

    def asked(option: str, question: str, suggestion: str, read: Callable[[str], Any]) -> Any:
        return asker.answer(f"--{option}", given[option], question, suggestion, read)

    cpu: int = asked("cpu", "How much CPU does a task need? (256 is a quarter of a vCPU)", "256", _cpu)
    memory = _reader("memory", _whole, cpu=cpu)
    found = {
        "cpu": cpu,
        "memory": asked("memory", "And how much memory, in MiB?", str(_memory_for(cpu)), memory),
        "slots": asked("slots", "How many jobs does a task do at once?", "10", _slots),
    }
    tasks = _reader("count", _whole)
    least: int = asked("min", "How many tasks at least? (0: none while the queue is empty)", "1", tasks)
    most: int = asked("max", "And at most?", str(max(10, least)), lambda text: _at_least(max(least, 1), tasks(text)))
    found |= {"least": least, "most": most, "latency": "10m", "job": "10s"}
    if most != least:
        found["latency"] = asked("latency", "How long may a job wait in the queue?", "10m", _scaled_by("latency"))
        found["job"] = asked("job", "How long does a job take, on average?", "10s", _scaled_by("job"))
    return found


def _reader(key: str, convert: Callable[[str], Any] = str, **others: Any) -> Callable[[str], Any]:
    """Return what reads an answer that a manifest takes under `key`, beside `others`."""

    def read(text: str) -> Any:
        value = convert(text)
        return _tried(value, {**others, key: value})

    return read


def _tried(value: Any, values: Mapping[str, Any]) -> Any:
    if (reason := starting.complaint(values)) is not None:
        raise ValueError(reason)
    return value


def _whole(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", text):
        raise ValueError("write a whole number")
    return int(text)


def _cpu(text: str) -> int:
    cpu = _whole(text)
    _tried(cpu, {"cpu": cpu, "memory": _memory_for(cpu)})
    return cpu


def _memory_for(cpu: int) -> int:
    """Return the least memory that Fargate gives to so much CPU, in MiB."""
    return max(512, 2 * cpu)


def _slots(text: str) -> int:
    slots = _whole(text)
    _tried(slots, {"run": {"slots": slots}})
    return slots


def _scaled_by(key: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        _tried(text, {"run": {"slots": 1}, "scaling": {"max": 2, key: text}})
        return text

    return read


def _at_least(least: int, value: int) -> int:
    if value < least:
        raise ValueError(f"write {least} or more")
    return value
