"""What the local SQS refuses on purpose: denied actions, a clock that is off, and chaos rules in SQS's own words.

Rules kept here and nowhere else:

1. A batch needs the permission of its single form (facts/sqs.md section 8). A message move task needs what it does to
   both queues (Developer Guide, "Troubleshoot Amazon SQS dead-letter queue and DLQ redrive issues").
2. Of several reasons the policy's comes first, then the signature's, then chaos.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from forebay.cloud.chaos import Effect, Strike
from forebay.rules import queue_errors as errors
from forebay.rules import service_errors
from forebay.rules.queue_errors import ServiceFailure

_ACTIONS: Mapping[str, tuple[str, ...]] = {
    "SendMessageBatch": ("SendMessage",),
    "DeleteMessageBatch": ("DeleteMessage",),
    "ChangeMessageVisibilityBatch": ("ChangeMessageVisibility",),
    "StartMessageMoveTask": (
        "StartMessageMoveTask",
        "ReceiveMessage",
        "DeleteMessage",
        "GetQueueAttributes",
        "SendMessage",
    ),
    "CancelMessageMoveTask": ("CancelMessageMoveTask", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes"),
    "ListMessageMoveTasks": ("ListMessageMoveTasks", "GetQueueAttributes"),
}
"""The actions that an operation needs, where they are not just the one of its name."""
_FAILURES: Mapping[Effect, Callable[[], ServiceFailure]] = {
    Effect.SERVER_ERROR: service_errors.internal_failure,
    Effect.UNAVAILABLE: service_errors.service_unavailable,
    Effect.THROTTLE: service_errors.request_throttled,
    Effect.EXPIRED_TOKEN: service_errors.expired_token,
    Effect.MISSING: errors.queue_does_not_exist,
}
_DETAILED: Mapping[str, Callable[[], ServiceFailure]] = {
    "ThrottlingException": service_errors.throttling,
    "KmsThrottled": service_errors.kms_throttled,
    "KmsAccessDenied": service_errors.kms_access_denied,
    "KmsDisabled": service_errors.kms_disabled,
    "KmsInvalidState": service_errors.kms_invalid_state,
    "KmsNotFound": service_errors.kms_not_found,
    "KmsOptInRequired": service_errors.kms_opt_in_required,
    "KmsInvalidKeyUsage": service_errors.kms_invalid_key_usage,
    "InvalidSecurity": service_errors.invalid_security,
    "InvalidAddress": service_errors.invalid_address,
    "InvalidClientTokenId": service_errors.invalid_client_token,
    "OverLimit": errors.over_limit,
}
"""What a chaos rule of effect `throttle` or `refuse` may name in `detail`."""


def refuse_denied(operation: str, denied: frozenset[str], strike: Strike, region: str) -> None:
    """Raise AccessDenied when a policy (or the strike) denies an action of the operation."""
    if not denied and strike.effect is not Effect.DENY:
        return
    for action in _ACTIONS.get(operation, (operation,)):
        if action in denied or strike.effect is Effect.DENY:
            raise errors.access_denied(action, f"arn:aws:sqs:{region}")


def refuse_struck(strike: Strike) -> None:
    """Raise the failure that a chaos rule has chosen for this request, if it is one."""
    if strike.effect in (Effect.THROTTLE, Effect.REFUSE) and strike.detail in _DETAILED:
        raise _DETAILED[strike.detail]()
    if strike.effect is not None and strike.effect in _FAILURES:
        raise _FAILURES[strike.effect]()


def check_signing_time(stamp: str, there: datetime) -> None:
    """Refuse a request that was signed more than five minutes away from the service's time, as SigV4 demands."""
    try:
        signed = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise service_errors.signature_does_not_match("Date must be in ISO-8601 'basic format'.") from None
    if abs((there - signed).total_seconds()) > 300:
        raise service_errors.signature_does_not_match(
            f"Signature expired: {stamp} is now earlier than {there - timedelta(minutes=5):%Y%m%dT%H%M%SZ} "
            f"({there:%Y%m%dT%H%M%SZ} - 5 min.)"
        )
