"""Every row of the error table in facts/sqs.md section 1, by shape and by legacy code."""

from __future__ import annotations

import pytest
from botocore.session import Session
from hypothesis import given
from hypothesis import strategies as st

from forebay.errors import Fault, FaultKind
from forebay.queue.faults import KIND_OF, classify, classify_entry

K = FaultKind
ROWS = [
    ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", 400, K.MISSING),
    ("RequestThrottled", "RequestThrottled", 403, K.THROTTLED),
    ("ThrottlingException", "ThrottlingException", 400, K.THROTTLED),
    ("OverLimit", "OverLimit", 403, K.THROTTLED),
    ("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", 404, K.LEASE_LOST),
    ("InvalidIdFormat", "InvalidIdFormat", 400, K.LEASE_LOST),
    ("MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight", 400, K.LEASE_LOST),
    ("InvalidMessageContents", "InvalidMessageContents", 400, K.REFUSED),
    ("BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong", 400, K.REFUSED),
    ("TooManyEntriesInBatchRequest", "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", 400, K.REFUSED),
    ("EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest", 400, K.REFUSED),
    ("BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", 400, K.REFUSED),
    ("InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId", 400, K.REFUSED),
    ("KmsAccessDenied", "KMS.AccessDeniedException", 400, K.REFUSED),
    ("KmsDisabled", "KMS.DisabledException", 400, K.REFUSED),
    ("KmsInvalidState", "KMS.InvalidStateException", 400, K.REFUSED),
    ("KmsNotFound", "KMS.NotFoundException", 400, K.REFUSED),
    ("KmsOptInRequired", "KMS.OptInRequired", 403, K.REFUSED),
    ("KmsThrottled", "KMS.ThrottlingException", 400, K.THROTTLED),
    ("KmsInvalidKeyUsage", "KMS.InvalidKeyUsageException", 400, K.REFUSED),
    ("InvalidAddress", "InvalidAddress", 404, K.MISSING),
    ("InvalidSecurity", "InvalidSecurity", 403, K.REFUSED),
    ("UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation", 400, K.REFUSED),
    ("PurgeQueueInProgress", "AWS.SimpleQueueService.PurgeQueueInProgress", 403, K.REFUSED),
    ("QueueDeletedRecently", "AWS.SimpleQueueService.QueueDeletedRecently", 400, K.MISSING),
    ("QueueNameExists", "QueueAlreadyExists", 400, K.REFUSED),
    ("ResourceNotFoundException", "ResourceNotFoundException", 404, K.REFUSED),
    ("AccessDenied", "AccessDenied", 403, K.DENIED),
    ("AccessDeniedException", "AccessDeniedException", 400, K.DENIED),
    ("ExpiredToken", "ExpiredToken", 403, K.CREDENTIALS),
    ("ExpiredTokenException", "ExpiredTokenException", 400, K.CREDENTIALS),
    ("InvalidClientTokenId", "InvalidClientTokenId", 403, K.CREDENTIALS),
    ("UnrecognizedClientException", "UnrecognizedClientException", 400, K.CREDENTIALS),
    ("SignatureDoesNotMatch", "SignatureDoesNotMatch", 403, K.CREDENTIALS),
    ("InvalidSignatureException", "InvalidSignatureException", 400, K.CREDENTIALS),
    ("ServiceUnavailable", "ServiceUnavailable", 503, K.UNAVAILABLE),
    ("InternalError", "InternalError", 500, K.UNAVAILABLE),
    ("InternalFailure", "InternalFailure", 500, K.UNAVAILABLE),
]


@pytest.mark.parametrize(("shape", "query", "status", "kind"), ROWS)
def test_an_error_is_known_by_its_shape(shape: str, query: str, status: int, kind: FaultKind) -> None:
    fault = classify(status, (f"com.amazonaws.sqs#{shape}", ""), "words")

    assert fault == Fault(kind, shape, "words")


@pytest.mark.parametrize(("shape", "query", "status", "kind"), ROWS)
def test_an_error_is_known_by_its_legacy_code_alone(shape: str, query: str, status: int, kind: FaultKind) -> None:
    assert classify(status, ("", query), "").kind is kind
    assert classify(status, ("com.amazonaws.sqs#SomethingNew", query), "").kind is kind


def test_every_error_of_the_service_model_is_known() -> None:
    model = Session().get_service_model("sqs")
    shapes = {error.name: error.metadata.get("error", {}).get("code", "") for error in model.error_shapes}

    unknown = {
        name: code
        for name, code in shapes.items()
        if classify(400, (name, ""), "").kind is not classify(400, ("", code or name), "").kind
        or (name not in KIND_OF and classify(400, (name, ""), "").kind is not FaultKind.REFUSED)
    }

    assert len(shapes) > 25
    assert unknown == {}


LOST = [
    "Value AQEB for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.",
    "Value AQEB for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for "
    "visibility timeout change.",
]
BEYOND = (
    "Value 900 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond "
    "the limit [43200 seconds]"
)


@pytest.mark.parametrize("message", LOST)
def test_an_invalid_parameter_that_is_an_expired_handle_is_a_lost_lease(message: str) -> None:
    assert classify(400, ("InvalidParameterValue", ""), message).kind is FaultKind.LEASE_LOST
    assert classify_entry("InvalidParameterValue", message, is_sender_fault=True).kind is FaultKind.LEASE_LOST


def test_a_visibility_beyond_twelve_hours_is_a_refusal_and_no_lost_lease() -> None:
    assert classify(400, ("InvalidParameterValue", ""), BEYOND).kind is FaultKind.REFUSED


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *[(429, K.THROTTLED), (408, K.UNAVAILABLE), (401, K.DENIED), (403, K.DENIED), (301, K.REFUSED)],
        *[(500, K.UNAVAILABLE), (502, K.UNAVAILABLE), (503, K.UNAVAILABLE), (504, K.UNAVAILABLE), (400, K.REFUSED)],
    ],
)
def test_without_a_known_word_the_status_decides(status: int, kind: FaultKind) -> None:
    assert classify(status, ("", ""), "") == Fault(kind, f"HTTP{status}", "")
    assert classify(status, ("NeverHeardOf", ""), "").kind is kind


@pytest.mark.parametrize(("is_sender_fault", "kind"), [(True, K.REFUSED), (False, K.UNAVAILABLE)])
def test_an_unknown_failure_of_an_entry_hangs_on_whose_fault_it_is(is_sender_fault: bool, kind: FaultKind) -> None:
    assert classify_entry("NeverHeardOf", "", is_sender_fault=is_sender_fault).kind is kind


@given(st.integers(100, 599), st.lists(st.text(max_size=60), max_size=3), st.text(max_size=60))
def test_any_words_at_all_give_a_fault(status: int, codes: list[str], message: str) -> None:
    assert classify(status, tuple(codes), message).code
