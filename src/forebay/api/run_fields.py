"""What a run says of itself when it starts and when it has stopped."""

from __future__ import annotations

import platform as machine
import traceback
from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from typing import cast

from forebay import platform
from forebay.api.children import wanted
from forebay.api.options import RunOptions
from forebay.handlers.registry import Registry
from forebay.protection.metadata import TaskIdentity
from forebay.queue.sqs import SqsSource
from forebay.worker.engine import Engine
from forebay.worker.ledger import Ledger
from forebay.worker.vocabulary import Exit

USD_PER_REQUEST = 0.40e-6
"""List price of a standard queue's request in most Regions (facts/sqs.md section 2)."""


def started_fields(
    name: str, registry: Registry, options: RunOptions, keys: list[str], identity: TaskIdentity | None
) -> dict[str, object]:
    settings = options.settings
    fields: dict[str, object] = {
        "worker": name,
        "queues": " ".join(keys),
        "version": version("forebay"),
        "python": machine.python_version(),
        "slots": settings.slots,
        "visibility_s": settings.visibility_s,
        "drain_s": settings.drain_s,
        "buffer_bytes": settings.buffer_bytes,
        "protect": settings.protect,
        "jobs": " ".join(handler.name for handler in registry),
        "process_id": platform.process_id(),
        "loop": "uvloop" if has_uvloop() else "asyncio",
    }
    if children := sum(count for _, count, _ in wanted(registry, settings)):
        fields["children"] = children
    if options.dead_letter:
        fields["dead_letter"] = options.dead_letter
    if identity is not None:
        fields |= {
            "task_id": identity.task_id,
            "task_family": identity.family,
            "task_revision": identity.revision,
            "cluster": identity.cluster,
        }
    return fields


def stopped_fields(engine: Engine, ended: Exit, sources: Mapping[str, SqsSource], lasted_s: float) -> dict[str, object]:
    tallies = [source.client.caller.tally for source in sources.values()]
    ledger, orphaned = dict(engine.ledger), engine.orphaned
    if not engine.stopped:
        # A bug of ours ended it: what found no column comes back when its visibility timeout ends.
        ledger["lease_lost"] += 2 * ledger["received"] - sum(ledger.values())
        orphaned = 0
    return {
        **ledger,
        "orphaned": orphaned,
        "reason": ended.reason,
        "exit_status": ended.status,
        "requests": sum(tally.requests.total() for tally in tallies),
        "estimated_usd": round(sum(tally.billed for tally in tallies) * USD_PER_REQUEST, 6),
        "lasted_s": round(lasted_s, 3),
    }


def nothing_received(ended: Exit) -> dict[str, object]:
    """Return the ledger of a run that ended before it could receive."""
    return {**Ledger().as_fields(), "orphaned": 0, "reason": ended.reason, "exit_status": ended.status}


def bug_fields(error: BaseException) -> dict[str, object]:
    """Return what may be told of a bug of ours: its type and its place, no values."""
    inner: BaseException = error
    while isinstance(inner, BaseExceptionGroup):
        inner = cast("BaseExceptionGroup[BaseException]", inner).exceptions[0]
    frames = traceback.extract_tb(inner.__traceback__)
    where = f"{frames[-1].filename.rpartition('/')[2]}:{frames[-1].lineno} {frames[-1].name}" if frames else "?"
    return {
        "error": type(inner).__name__,
        "where": where,
        "note": "please report it (see CONTRIBUTING.md); messages held come back by themselves",
    }


def has_uvloop() -> bool:
    return find_spec("uvloop") is not None
