"""What an error of SQS means to us: the service's many words, sorted into `FaultKind`s. Pure.

Rules kept here and nowhere else (facts/sqs.md section 1, error table):

1. Two words name most errors, the JSON shape and the older query code; either is enough.
2. A known word decides. Without one the HTTP status does; a batch entry's fate then hangs on `SenderFault`.
3. `InvalidParameterValue` is several errors in one: only its text tells a lost lease from a bad argument.
"""

from __future__ import annotations

from collections.abc import Mapping

from forebay.errors import Fault, FaultKind

_WORDS: Mapping[FaultKind, str] = {
    FaultKind.THROTTLED: (
        "RequestThrottled ThrottlingException Throttling ThrottledException RequestThrottledException "
        "TooManyRequestsException RequestLimitExceeded BandwidthLimitExceeded SlowDown PriorRequestNotComplete "
        "OverLimit KmsThrottled KMS.ThrottlingException"
    ),
    FaultKind.UNAVAILABLE: "ServiceUnavailable ServiceUnavailableException InternalError InternalFailure "
    "InternalServerError InternalServiceError InternalServerException RequestTimeout RequestTimeoutException",
    FaultKind.DENIED: "AccessDenied AccessDeniedException UnauthorizedOperation NotAuthorized OptInRequired",
    FaultKind.CREDENTIALS: (
        "ExpiredToken ExpiredTokenException TokenRefreshRequired InvalidClientTokenId UnrecognizedClientException "
        "InvalidAccessKeyId InvalidToken MissingAuthenticationToken MissingAuthenticationTokenException "
        "IncompleteSignature IncompleteSignatureException MissingToken SignatureDoesNotMatch "
        "InvalidSignatureException AuthFailure RequestExpired RequestTimeTooSkewed RequestInTheFuture"
    ),
    FaultKind.MISSING: "QueueDoesNotExist NonExistentQueue QueueDeletedRecently InvalidAddress",
    FaultKind.LEASE_LOST: "ReceiptHandleIsInvalid MessageNotInflight InvalidIdFormat",
    FaultKind.REFUSED: (
        "InvalidMessageContents BatchRequestTooLong TooManyEntriesInBatchRequest EmptyBatchRequest "
        "BatchEntryIdsNotDistinct InvalidBatchEntryId KmsAccessDenied KmsDisabled KmsInvalidState KmsNotFound "
        "KmsOptInRequired KmsInvalidKeyUsage KMS.AccessDeniedException KMS.DisabledException "
        "KMS.InvalidStateException KMS.NotFoundException KMS.OptInRequired KMS.InvalidKeyUsageException "
        "InvalidSecurity UnsupportedOperation PurgeQueueInProgress QueueAlreadyExists QueueNameExists "
        "ResourceNotFoundException InvalidAttributeName InvalidAttributeValue InvalidAction MissingParameter"
    ),
}

KIND_OF: Mapping[str, FaultKind] = {word: kind for kind, words in _WORDS.items() for word in words.split()}
"""Every word of the service that we know, without its `AWS.SimpleQueueService.` or `com.amazonaws.sqs#`."""

EXPIRED_WORDS = frozenset(
    [
        "ExpiredToken",
        "ExpiredTokenException",
        "TokenRefreshRequired",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "InvalidAccessKeyId",
        "InvalidToken",
    ]
)
"""Answers after which fresh credentials may help."""

SKEW_WORDS = frozenset(["RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture"])
"""Answers that say in a word that our clock and the service's differ."""

SIGNATURE_WORDS = frozenset(["SignatureDoesNotMatch", "InvalidSignatureException", "AuthFailure"])
"""Answers behind which a wrong clock may stand: only comparing the clocks can tell."""

_LOST_LEASE_TEXTS = (
    "receipt handle has expired",
    "does not exist or is not available for visibility timeout change",
    "for parameter receipthandle is invalid",
    "receipt handle is not valid",
)


def plain_word(code: str) -> str:
    """Return the service's word for an error without namespace, prefix and link."""
    word = code.partition(":")[0].rpartition("#")[2]
    return word.strip().removeprefix("AWS.SimpleQueueService.")


def classify(status: int, codes: tuple[str, ...], message: str) -> Fault:
    """Return the fault that an answer of `status` means. `codes`: the words it gave, the more precise ones first."""
    words = [plain_word(code) for code in codes if code]
    for word in words:
        kind = _kind_of(word, message)
        if kind is not None:
            return Fault(kind, word, message)
    return Fault(_kind_of_status(status), words[0] if words else f"HTTP{status}", message)


def classify_entry(code: str, message: str, *, is_sender_fault: bool) -> Fault:
    """Return the fault that one failed entry of a batch means."""
    word = plain_word(code) or "Failed"
    kind = _kind_of(word, message)
    if kind is None:
        kind = FaultKind.REFUSED if is_sender_fault else FaultKind.UNAVAILABLE
    return Fault(kind, word, message)


def _kind_of(word: str, message: str) -> FaultKind | None:
    if word in ("InvalidParameterValue", "InvalidParameterValueException"):
        text = message.lower()
        is_lost = any(part in text for part in _LOST_LEASE_TEXTS)
        return FaultKind.LEASE_LOST if is_lost else FaultKind.REFUSED
    return KIND_OF.get(word)


def _kind_of_status(status: int) -> FaultKind:
    if status == 429:
        return FaultKind.THROTTLED
    if status >= 500 or status == 408:
        return FaultKind.UNAVAILABLE
    if status in (401, 403):
        return FaultKind.DENIED
    return FaultKind.REFUSED
