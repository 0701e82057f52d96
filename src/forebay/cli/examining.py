"""What doctor examines is put together here: template, handler, and what `forebay run` makes of the environment.

Rules kept here and nowhere else:

1. The worker's settings are resolved as `forebay run` resolves them, from the environment that the template gives: a
   value that nothing names is the worker's own default, with its source said.
2. A handler that cannot be imported is no error: where a deployment is made, its imports may be missing.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from forebay.cli.machine import Machine
from forebay.cli.resolve import QUEUE_VARIABLES, Given, resolve
from forebay.cli.target import load
from forebay.deploy.doctor.checking import Case
from forebay.deploy.doctor.examine import examine
from forebay.deploy.doctor.facts import Facts, Task
from forebay.deploy.doctor.finding import Finding, Severity
from forebay.deploy.doctor.from_template import facts
from forebay.deploy.doctor.work import Job, Worker
from forebay.deploy.template.build import build
from forebay.errors import ForebayError, ManifestError, TargetError
from forebay.worker.rooms import slots_least

if TYPE_CHECKING:
    from forebay.api.options import RunOptions
    from forebay.api.worker import Worker as Program
    from forebay.deploy.manifest.loading import Loaded

AGENT_URI = "http://169.254.170.2/api/task"
"""Stands for the address that ECS gives each container: a worker in a task always has one."""

UNKNOWN_QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/unknown"
MIB = 1_048_576


def errors(loaded: Loaded) -> list[Finding]:
    """Return what would not work, by manifest and template alone: nothing is imported and AWS is not asked."""
    planned = facts(build(loaded.manifest, loaded.names))
    found = findings(loaded, [case_of(loaded, planned, None)])
    return [finding for finding in found if finding.severity is Severity.ERROR]


def insist(loaded: Loaded) -> None:
    """Return when nothing is known that would not work. Raises `ManifestError` that tells each such thing."""
    from forebay.cli.finding_lines import refusal

    if found := errors(loaded):
        raise ManifestError(
            f"this would not work, says `forebay doctor` (--no-doctor deploys it all the same):\n{refusal(found)}"
        )


def findings(loaded: Loaded | None, cases: list[Case]) -> tuple[Finding, ...]:
    """Return what the checks find, each with the place in the manifest that changes it."""

    def written(key: str) -> str | None:
        return loaded.place(key) if loaded is not None and loaded.is_written(key) else None

    return examine(cases, written)


def program_of(loaded: Loaded | None, target: str | None) -> Program | str:
    """Return the worker that the container runs, or why it cannot be had. Raises `TargetError` for a TARGET given."""
    if loaded is not None and (folder := str(loaded.folder.resolve())) != str(Path.cwd()) and folder not in sys.path:
        sys.path.insert(0, folder)
    if target is not None:
        return load(target)
    if loaded is None:
        return "no TARGET is given, and there is no manifest that names a handler"
    try:
        return load(loaded.manifest.handler)
    except TargetError as error:
        return str(error)


def case_of(loaded: Loaded | None, read: Facts, program: Program | str | None, planned: Facts | None = None) -> Case:
    """Return the case of these facts. `program`: the worker, or why there is none; None when nobody asked for it."""
    manifest = loaded.manifest if loaded else None
    return Case(manifest=manifest, facts=read, worker=worker_of(read.task, program), planned=planned)


def worker_of(task: Task | None, program: Program | str | None) -> Worker:
    """Return what `forebay run` would do with the container's environment."""
    known = None if program is None or isinstance(program, str) else program
    unread = program if isinstance(program, str) else None
    try:
        options, jobs = _options(task, known), _jobs(known)
    except ForebayError as error:
        options, jobs = _options(None, None), None
        return replace(_worker(options, jobs, unread), refusal=str(error))
    return _worker(options, jobs, unread)


def _options(task: Task | None, program: Program | None) -> RunOptions:
    given = Given(
        options={},
        queues=(),
        environment=_environment(task.container.environment if task else {}),
        file={},
        code=program.arguments if program else {},
    )
    return resolve(given, _machine(task, program), needs_queue=False)


def _environment(written: Mapping[str, str]) -> dict[str, str]:
    """Return the environment as the container has it. What is not known before a deployment is left out."""
    known = {name: value for name, value in written.items() if "${" not in value}
    hidden = {name: UNKNOWN_QUEUE for name in QUEUE_VARIABLES if "${" in written.get(name, "")}
    return {**known, **hidden, "ECS_AGENT_URI": AGENT_URI}


def _machine(task: Task | None, program: Program | None) -> Machine:
    from forebay.api.children import isolated_slots

    cores = max(1, ceil((task.cpu if task and task.cpu else 1024) / 1024))
    registry = program.registry if program else None
    return Machine(
        cores=cores,
        memory_limit_bytes=task.memory_mib * MIB if task and task.memory_mib else None,
        any_blocking=registry is not None and any(handler.runs == "thread" for handler in registry),
        slots_least=slots_least(registry) if registry is not None else 1,
        isolated_slots=isolated_slots(registry, cores=cores) if registry is not None else None,
    )


def _jobs(program: Program | None) -> tuple[Job, ...] | None:
    if program is None:
        return None
    return tuple(
        Job(
            name=handler.name,
            timeout_s=handler.limit_s,
            attempts=handler.attempts_max,
            backoff_ceiling_s=handler.backoff_ceiling_s,
            runs=handler.runs,
            resends=handler.retry == "resend",
            slots=handler.slots_max,
            memory_bytes=handler.memory_bytes,
        )
        for handler in program.registry
    )


def _worker(options: RunOptions, jobs: tuple[Job, ...] | None, unread: str | None) -> Worker:
    settings = options.settings
    return Worker(
        slots=settings.slots,
        attempts=settings.attempts,
        buffer_bytes=settings.buffer_bytes,
        visibility_s=settings.visibility_s,
        margin_s=settings.trust_margin_s,
        drain_s=settings.drain_s,
        protect=settings.protect,
        processes=settings.processes,
        health=options.health,
        exits_when_empty=settings.exit_when_empty,
        queues=options.queues,
        sources=options.sources,
        jobs=jobs,
        unread=unread,
    )
