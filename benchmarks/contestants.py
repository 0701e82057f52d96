"""Forebay and what it is measured beside in this environment: a bare loop on the same wire client, and boto3."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from benchmarks.drain import Contestant
from benchmarks.jobs import NOTE
from benchmarks.machine import HOME

RAW_POLLERS = 4


def job(name: str, **arguments: object) -> Mapping[str, Any]:
    """Return a job of `benchmarks.jobs` as parameters of SendMessage (docs/wire-format.md)."""
    return {
        "MessageBody": json.dumps(arguments, separators=(",", ":")),
        "MessageAttributes": {"job": {"DataType": "String", "StringValue": name}},
    }


def forebay(
    *options: str,
    name: str = "Forebay",
    template: Mapping[str, Any] | None = None,
    python: str = sys.executable,
    target: str = "benchmarks.jobs",
) -> Contestant:
    """Return `forebay run` of `target` with the shipped log settings, as JSON."""
    command = (
        python,
        "-m",
        "forebay.cli.main",
        "run",
        target,
        "--queue",
        "{url}",
        "--log",
        "json",
        *options,
    )
    return Contestant(name, command, template if template is not None else job("noop", note=NOTE))


def raw_loop(pollers: int = RAW_POLLERS) -> Contestant:
    command = (sys.executable, "-m", "benchmarks.loops", "raw", str(pollers))
    return Contestant(f"bare loop, {pollers} pollers", command, job("noop", note=NOTE))


def boto3_loop(threads: int = 1) -> Contestant:
    command = (sys.executable, str(HOME / "peers" / "boto3_worker.py"), "run")
    name = "boto3 loop" if threads == 1 else f"boto3, {threads} threads"
    return Contestant(name, command, job("noop", note=NOTE), {"BENCH_THREADS": str(threads)})
