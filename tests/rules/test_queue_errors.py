"""The error table: both names and the status of every error, against botocore's own model of SQS."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import botocore.session
import pytest

from forebay.rules import queue_errors, service_errors
from forebay.rules.queue_errors import ServiceFailure

NOT_SERVED = {
    "InvalidIdFormat": "deprecated: SQS answers ReceiptHandleIsInvalid",
}
"""Errors of the model that nothing here sends."""

STATUSES = {
    "QueueDoesNotExist": 400,
    "RequestThrottled": 403,
    "ThrottlingException": 400,
    "OverLimit": 403,
    "ReceiptHandleIsInvalid": 404,
    "MessageNotInflight": 400,
    "InvalidParameterValueException": 400,
    "InvalidMessageContents": 400,
    "BatchRequestTooLong": 400,
    "TooManyEntriesInBatchRequest": 400,
    "EmptyBatchRequest": 400,
    "BatchEntryIdsNotDistinct": 400,
    "InvalidBatchEntryId": 400,
    "KmsAccessDenied": 400,
    "KmsDisabled": 400,
    "KmsInvalidState": 400,
    "KmsNotFound": 400,
    "KmsOptInRequired": 403,
    "KmsThrottled": 400,
    "KmsInvalidKeyUsage": 400,
    "InvalidAddress": 404,
    "InvalidSecurity": 403,
    "UnsupportedOperation": 400,
    "PurgeQueueInProgress": 403,
    "QueueDeletedRecently": 400,
    "QueueNameExists": 400,
    "ResourceNotFoundException": 404,
}
"""As facts/sqs.md section 1 has them."""


def _every_error() -> dict[str, ServiceFailure]:
    """One of each error that the two modules can make, by shape."""
    made: dict[str, ServiceFailure] = {}
    for module in (queue_errors, service_errors):
        for _, function in inspect.getmembers(module, inspect.isfunction):
            if function.__module__ == module.__name__:
                failure = _made_by(function)
                made[failure.shape] = failure
    return made


def _made_by(function: Callable[..., ServiceFailure]) -> ServiceFailure:
    values = {"int": 1, "str": "text", "object": "value"}
    parameters = inspect.signature(function).parameters.values()
    return function(*(values[str(parameter.annotation)] for parameter in parameters))


ERRORS = _every_error()


def test_every_error_of_the_model_can_be_sent_or_is_named_as_not_served() -> None:
    model = botocore.session.get_session().get_service_model("sqs")
    shapes = {shape.name for shape in model.error_shapes}

    assert shapes - set(ERRORS) == set(NOT_SERVED)


@pytest.mark.parametrize("shape", STATUSES)
def test_every_error_of_the_facts_has_its_status(shape: str) -> None:
    assert ERRORS[shape].http_status == STATUSES[shape]


@pytest.mark.parametrize("failure", ERRORS.values(), ids=list(ERRORS))
def test_an_error_is_the_senders_fault_unless_the_service_is_in_trouble(failure: ServiceFailure) -> None:
    assert failure.sender_fault == (failure.http_status < 500)


@pytest.mark.parametrize(
    ("shape", "legacy_code"),
    [
        ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"),
        ("QueueNameExists", "QueueAlreadyExists"),
        ("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid"),
        ("MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight"),
        ("InvalidParameterValueException", "InvalidParameterValue"),
        ("MissingRequiredParameterException", "MissingParameter"),
        ("TooManyEntriesInBatchRequest", "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"),
        ("KmsThrottled", "KMS.ThrottlingException"),
        ("KmsAccessDenied", "KMS.AccessDeniedException"),
        ("AccessDeniedException", "AccessDenied"),
        ("ExpiredTokenException", "ExpiredToken"),
        ("OverLimit", "OverLimit"),
        ("UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation"),
    ],
)
def test_an_error_has_the_code_that_boto3_has_always_shown(shape: str, legacy_code: str) -> None:
    assert ERRORS[shape].legacy_code == legacy_code
