"""Who is measured against Forebay, each at its best known setting, in an environment of its own.

Rules kept here and nowhere else:

1. A rival's command, settings and sender are those of its own manual; what was tuned stands in its name.
2. What cannot be installed is noted in `Field.absent` with the reason.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.contestants import forebay
from benchmarks.drain import Contestant
from benchmarks.environments import (
    NotInstalled,
    installed_versions,
    node_environment,
    node_versions,
    python_environment,
)
from benchmarks.machine import HOME, REPOSITORY

PEERS = HOME / "peers"
FAST, PLAIN, FANFERRO = "Forebay [fast]", "Forebay", "fanferro, 4 pollers, 100 at once"


class Entry(NamedTuple):
    """One way to run one program, and how many jobs it is given."""

    contestant: Contestant
    jobs: int
    sender: tuple[str, ...] = ()
    """The command with which its own producer puts one job on the queue; empty when the job is known already."""
    at_least: float = 0.0
    """How many times its jobs a second Forebay's [fast] must be."""


@dataclasses.dataclass(slots=True)
class Field:
    """Who takes part, on which versions, and who could not come."""

    python: str
    entries: list[Entry] = dataclasses.field(default_factory=list[Entry])
    versions: list[str] = dataclasses.field(default_factory=list[str])
    absent: list[tuple[str, str]] = dataclasses.field(default_factory=list[tuple[str, str]])

    def environment(self, name: str, requirements: Sequence[str], told: Sequence[str]) -> Path | None:
        """Make an environment; None if that fails, which is noted."""
        print(f"… environment {name}", file=sys.stderr, flush=True)
        try:
            programs = python_environment(name, self.python, requirements)
        except NotInstalled as reason:
            self.absent.append((name, str(reason)))
            return None
        self.versions.append(installed_versions(programs, told))
        return programs

    def add(
        self,
        name: str,
        command: Sequence[str],
        sender: Sequence[str],
        *,
        jobs: int,
        at_least: float = 5.0,
        folder: Path = PEERS,
        **settings: object,
    ) -> None:
        """Let a program take part. `settings` become its environment: `pollers=4` is BENCH_POLLERS."""
        environment = {f"BENCH_{key.upper()}": str(value) for key, value in settings.items()}
        contestant = Contestant(name, tuple(command), {}, environment, folder)
        self.entries.append(Entry(contestant, jobs, tuple(sender), at_least))


def forebays(field: Field, slots: int) -> list[Contestant]:
    """Return Forebay with the extra [fast] and without."""
    found: list[Contestant] = []
    for name, extra in ((FAST, "[fast]"), (PLAIN, "")):
        programs = field.environment(
            f"forebay{'-fast' if extra else ''}",
            ["--editable", f"{REPOSITORY}{extra}"],
            ["forebay", *(["uvloop", "orjson"] if extra else [])],
        )
        if programs is not None:
            found.append(forebay("--slots", str(slots), name=name, python=str(programs / "python")))
    return found


def add_fanferro(field: Field) -> None:
    programs = field.environment("fanferro", ["fanferro>=0.5,<0.6"], ["fanferro"])
    if programs is not None:
        command = [str(programs / "python"), "fanferro_worker.py"]
        sender = [*command, "send"]
        field.add(FANFERRO, [*command, "run"], sender, jobs=20_000, at_least=0.83, raw=1)
        field.add(f"{FANFERRO}, typed", [*command, "run"], sender, jobs=20_000, at_least=0.83)


def add_boto3(field: Field) -> None:
    programs = field.environment("boto3", ["boto3"], ["boto3"])
    if programs is not None:
        command = [str(programs / "python"), "boto3_worker.py"]
        field.add("boto3, 4 threads", [*command, "run"], [*command, "send"], jobs=4_000, threads=4)


def add_aws_sqs_consumer(field: Field) -> None:
    programs = field.environment("aws-sqs-consumer", ["aws-sqs-consumer"], ["aws-sqs-consumer"])
    if programs is not None:
        command = [str(programs / "python"), "aws_sqs_consumer_worker.py"]
        field.add("aws-sqs-consumer, batches of 10", [*command, "run"], [*command, "send"], jobs=4_000)


def add_celery(field: Field) -> None:
    programs = field.environment("celery", ["celery[sqs]"], ["celery", "kombu"])
    if programs is None:
        return
    worker = [str(programs / "celery"), "-A", "celery_app", "worker", "--concurrency", "2", "--loglevel", "INFO"]
    sender = [str(programs / "python"), "celery_app.py", "send"]
    field.add("Celery, prefetch 32, polls every 50 ms", worker, sender, jobs=600, prefetch=32, polling_interval=0.05)
    field.add("Celery as it comes", worker, sender, jobs=60)


def add_celery_threads(field: Field) -> None:
    programs = field.environment("celery", ["celery[sqs]"], ["celery", "kombu"])
    if programs is not None:
        command = [str(programs / "celery"), "-A", "celery_app", "worker", "--loglevel", "INFO", "-P", "threads"]
        sender = [str(programs / "python"), "celery_app.py", "send"]
        name = "Celery, 10 threads, prefetch 32, polls every 50 ms"
        field.add(name, [*command, "--concurrency", "10"], sender, jobs=600, prefetch=32, polling_interval=0.05)


def add_dramatiq(field: Field) -> None:
    programs = field.environment("dramatiq", ["dramatiq-sqs"], ["dramatiq", "dramatiq-sqs"])
    if programs is not None:
        command = [str(programs / "dramatiq"), "dramatiq_app", "--processes", "2", "--threads", "8"]
        sender = [str(programs / "python"), "dramatiq_app.py", "send"]
        field.add("Dramatiq, 2 processes of 8 threads", command, sender, jobs=1_500)


def add_taskiq(field: Field) -> None:
    programs = field.environment("taskiq", ["taskiq-aio-sqs"], ["taskiq", "taskiq-aio-sqs"])
    if programs is not None:
        command = [str(programs / "taskiq"), "worker", "taskiq_app:broker", "--workers", "2"]
        sender = [str(programs / "python"), "taskiq_app.py", "send"]
        field.add("taskiq, 2 workers, receives of 10", command, sender, jobs=1_500)


def add_sqs_consumer(field: Field) -> None:
    print("… environment node", file=sys.stderr, flush=True)
    try:
        folder = node_environment("node", PEERS / "sqs_consumer_worker.mjs", PEERS / "package.json")
    except NotInstalled as reason:
        field.absent.append(("sqs-consumer", str(reason)))
        return
    field.versions.append(node_versions(folder, ["sqs-consumer", "@aws-sdk/client-sqs"]))
    command = ["node", "sqs_consumer_worker.mjs"]
    name = "sqs-consumer (node), batches of 10, 16 pollers"
    field.add(name, [*command, "run"], [*command, "send"], jobs=10_000, at_least=2.0, folder=folder, pollers=16)


ADDERS: tuple[Callable[[Field], None], ...] = (
    add_fanferro,
    add_boto3,
    add_aws_sqs_consumer,
    add_celery,
    add_celery_threads,
    add_dramatiq,
    add_taskiq,
    add_sqs_consumer,
)
