"""Makes the engine's calls to the outside, and turns what comes of each into a fact.

Rules kept here and nowhere else:

1. Each call is answered by exactly one fact, in which a failure is as good as a success.
2. A failure of a whole batch is a failure of each of its entries.
"""

from __future__ import annotations

from collections.abc import Mapping

from forebay.clock import Clock
from forebay.errors import QueueError
from forebay.protection.port import Protection
from forebay.queue.port import Source, Visibility
from forebay.worker.batching import Batch
from forebay.worker.burial_note import Notes
from forebay.worker.inbox import Inbox
from forebay.worker.vocabulary import (
    Buried,
    Bury,
    Count,
    Counted,
    Deleted,
    Hold,
    LookAtProtection,
    ProtectionAnswered,
    Released,
    Renewed,
    Resend,
    Resent,
    Unhold,
)

ProtectionCall = Hold | Unhold | LookAtProtection
Call = Batch | Bury | Resend | Count | Hold | Unhold | LookAtProtection


class Calls:
    """Everything that is asked of queues and of the ECS agent, but receives (`polls`) and descriptions."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        protection: Protection | None,
        inbox: Inbox,
        notes: Notes,
        clock: Clock,
    ) -> None:
        self._sources = sources
        self._protection = protection
        self._inbox = inbox
        self._notes = notes
        self._clock = clock

    async def perform(self, call: Call) -> None:
        """Make one call, and put its fact into the inbox."""
        match call:
            case Batch():
                self._inbox.put(await self._batch(call))
            case Bury():
                self._inbox.put(await self._burial(call))
            case Resend():
                self._inbox.put(await self._copy(call))
            case Count(source=key):
                self._inbox.put(await self._count(key))
            case Hold() | Unhold() | LookAtProtection():
                self._inbox.put(await self._protect(call))

    async def _batch(self, batch: Batch) -> Deleted | Renewed | Released:
        source = self._sources[batch.source]
        entries = batch.entries
        asked_at = self._clock.now()
        try:
            if batch.kind == "delete":
                failures = await source.delete([entry.receipt for entry in entries])
            else:
                failures = await source.change_visibility(
                    [Visibility(entry.receipt, entry.seconds) for entry in entries]
                )
        except QueueError as error:
            failures = dict.fromkeys(range(len(entries)), error.fault)
        failed = {entries[index].number: fault for index, fault in failures.items()} if failures else {}
        if batch.kind == "delete":
            return Deleted(entries, failed)
        if batch.kind == "renew":
            return Renewed(entries, asked_at, failed)
        return Released(entries, failed)

    async def _burial(self, command: Bury) -> Buried:
        try:
            note = self._notes.write(command.error, command.source)
            await self._sources[command.source].bury(command.message, error=note)
        except QueueError as error:
            return Buried(command.number, error.fault)
        return Buried(command.number)

    async def _copy(self, command: Resend) -> Resent:
        try:
            await self._sources[command.source].resend(command.message)
        except QueueError as error:
            return Resent(command.number, error.fault)
        return Resent(command.number)

    async def _count(self, key: str) -> Counted:
        try:
            return Counted(key, await self._sources[key].count())
        except QueueError as error:
            return Counted(key, None, error.fault)

    async def _protect(self, call: ProtectionCall) -> ProtectionAnswered:
        protection = self._protection
        assert protection is not None, "a policy without an agent asks for nothing"
        if isinstance(call, Hold):
            return ProtectionAnswered(await protection.hold(minutes=call.minutes))
        if isinstance(call, Unhold):
            return ProtectionAnswered(await protection.unhold())
        return ProtectionAnswered(await protection.look())
