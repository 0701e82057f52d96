"""Requests that are carried out, though not as they should be: batches that fail in part, deliveries that repeat.

Rules kept here and nowhere else:

1. An entry that fails has had no effect. An entry that is lost has had none either, and is answered as success.
2. Which entries are struck is drawn from the dice of the chaos.
"""

from __future__ import annotations

from random import Random

from forebay.cloud.chaos import Effect, Strike
from forebay.cloud.sqs_operations import Operations
from forebay.cloud.sqs_protocol import Json, Params, entries_of, failed_entry, text_of
from forebay.rules.queue_semantics import Waiter
from forebay.rules.service_errors import internal_failure


def call_struck(
    operations: Operations, operation: str, params: Params, strike: Strike, dice: Random, now: float
) -> Json | Waiter:
    """Carry out one request as `strike` has it. Raises `ServiceFailure` for what SQS refuses as a whole."""
    if strike.effect is Effect.DUPLICATE and operation == "ReceiveMessage":
        operations.service.modes(text_of(params, "QueueUrl")).duplicates_due += strike.entries
    if strike.effect in (Effect.FAIL_ENTRIES, Effect.LOSE_ENTRIES) and operation.endswith("Batch"):
        return _call_in_part(operations, operation, params, strike, dice, now)
    return operations.call(operation, params, now)


def _call_in_part(
    operations: Operations, operation: str, params: Params, strike: Strike, dice: Random, now: float
) -> Json:
    given = entries_of(params)
    struck = strike.struck(range(len(given)), dice)
    kept = [entry for index, entry in enumerate(given) if index not in struck]
    answer: Json = {"Successful": [], "Failed": []}
    if kept or not given:
        result = operations.call(operation, {**params, "Entries": kept}, now)
        assert not isinstance(result, Waiter), operation
        answer = result
    for index in sorted(struck):
        entry_id = str(given[index].get("Id", ""))
        if strike.effect is Effect.LOSE_ENTRIES:
            answer["Successful"].append({"Id": entry_id})
        else:
            answer["Failed"].append(failed_entry(entry_id, internal_failure()))
    return answer
