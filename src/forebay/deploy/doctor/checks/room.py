"""Whether what a worker holds and starts fits into the task's CPU and memory. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from forebay.deploy import prices
from forebay.deploy.cost import MONTH_HOURS, POLLS_MINUTE
from forebay.deploy.doctor.checking import Case, check, error, note, warning
from forebay.deploy.doctor.finding import Found
from forebay.deploy.prices import price

MIB = 1_048_576
PROCESS_MIB = 60
"""What a Python process with Forebay, pydantic and an HTTP client takes before any job."""

EMPTY_RECEIVES_USD = 1.0
"""A month. Below this nobody need hear of it."""


@check("memory-buffer", "The bodies that a worker holds fit into its memory")
def memory_buffer(case: Case) -> Iterator[Found]:
    task = case.facts.task
    if task is None or task.memory_mib is None:
        return
    buffer_mib = case.worker.buffer_bytes / MIB
    if buffer_mib > task.memory_mib / 2:
        yield (error if buffer_mib >= task.memory_mib else warning)(
            f"buffer_bytes {buffer_mib:,.0f} MiB, memory {task.memory_mib:,} MiB",
            f"{task.place}.Memory",
            "with large bodies the kernel kills the worker (exit status 137) and with it every job that runs",
            "leave run.buffer_bytes out: a quarter of the memory is the default",
            "run.buffer_bytes",
        )


@check("memory-isolated", "The child processes of isolated jobs fit into the memory")
def memory_isolated(case: Case) -> Iterator[Found]:
    task = case.facts.task
    isolated = [job for job in case.worker.jobs or () if job.runs == "process"]
    if task is None or task.memory_mib is None or task.cpu is None or not isolated:
        return
    cores = max(1, ceil(task.cpu / 1024))
    shared = [job for job in isolated if job.slots is None]
    children = [(job.slots, job) for job in isolated if job.slots is not None]
    children += [(cores, max(shared, key=lambda job: job.memory_bytes or 0))] if shared else []
    needed = sum(count * (PROCESS_MIB + (job.memory_bytes or 0) / MIB) for count, job in children) + PROCESS_MIB
    if needed > task.memory_mib:
        count = sum(count for count, _ in children)
        yield warning(
            f"worker and {count} child process{'es' * (count > 1)}: {needed:,.0f} MiB, memory {task.memory_mib:,} MiB",
            f"{task.place}.Memory",
            "when all are busy the kernel kills one of them, or the worker itself with all its jobs",
            f"set memory to {ceil(needed / 1024) * 1024} or more, or give the jobs fewer slots or less memory",
            "memory",
        )


@check("processes-cores", "There are no more processes than the task has CPUs for")
def processes_cores(case: Case) -> Iterator[Found]:
    task, processes = case.facts.task, case.worker.processes
    if task is None or processes <= 1:
        return
    cores = max(1, ceil((task.cpu or 1024) / 1024))
    if processes > 2 * cores:
        yield warning(
            f"processes {processes}, cpu {task.cpu} ({cores} core{'s' if cores > 1 else ''})",
            f"{task.place}.Cpu",
            "processes beyond the cores only take memory and make each other wait",
            f"set run.processes to {cores}, or cpu higher",
            "run.processes",
        )
    if task.memory_mib is not None and processes * PROCESS_MIB > task.memory_mib:
        yield error(
            f"processes {processes} start with {processes * PROCESS_MIB:,} MiB, memory {task.memory_mib:,} MiB",
            f"{task.place}.Memory",
            "the kernel kills the task before it has done anything",
            f"set memory to {ceil(processes * PROCESS_MIB * 2 / 1024) * 1024}, or run.processes lower",
            "memory",
        )


@check("empty-receives", "Idle workers cost little")
def empty_receives(case: Case) -> Iterator[Found]:
    service, scaling = case.facts.service, case.facts.scaling
    if service is None or case.facts.queue is None:
        return
    tasks = scaling.minimum if scaling is not None else service.desired or 0
    polls = round(tasks * POLLS_MINUTE * 60 * MONTH_HOURS) * max(1, len(case.worker.queues))
    kind = "fifo" if case.facts.queue.is_fifo else "standard"
    usd = polls / 1_000_000 * price(f"sqs_{kind}_million_requests")
    if usd >= EMPTY_RECEIVES_USD:
        yield note(
            f"{tasks} tasks ask {polls:,} times a month: {usd:.2f} USD",
            service.place,
            f"each empty long poll of 20 s is a request (list prices of {prices.said()})",
            "let fewer tasks run at the least (scaling.min)",
            "scaling.min" if scaling is not None else "count",
        )
