"""The errors of SQS: their two names, HTTP status and wording (facts/sqs.md section 1, error table).

Rules kept here and nowhere else:

1. Every error has a *shape* (`__type` of the JSON protocol) and a *legacy code* (header `x-amzn-query-error`);
   boto3 shows the legacy one as `Error.Code`.
2. Errors that AWS's model does not hold (InvalidParameterValue and friends) carry the shape names that the real
   service was recorded to send.
3. A receipt handle is quoted where AWS quotes it; a body never is.
"""

from __future__ import annotations

_PREFIX = "AWS.SimpleQueueService."


class ServiceFailure(Exception):
    """SQS says no. Whoever serves the rules turns it into a wire answer or a batch entry's failure."""

    __slots__ = ("http_status", "legacy_code", "message", "sender_fault", "shape")

    def __init__(self, shape: str, legacy_code: str, http_status: int, message: str, sender_fault: bool = True) -> None:
        self.shape = shape
        self.legacy_code = legacy_code
        self.http_status = http_status
        self.message = message
        self.sender_fault = sender_fault
        super().__init__(f"{legacy_code}: {message}")


# ── queues ─────────────────────────────────────────────────────────────────────────────────────────────────


def queue_does_not_exist() -> ServiceFailure:
    return ServiceFailure("QueueDoesNotExist", _PREFIX + "NonExistentQueue", 400, "The specified queue does not exist.")


def queue_name_exists(attribute: str) -> ServiceFailure:
    return ServiceFailure(
        "QueueNameExists",
        "QueueAlreadyExists",
        400,
        f"A queue already exists with the same name and a different value for attribute {attribute}",
    )


def queue_deleted_recently() -> ServiceFailure:
    return ServiceFailure(
        "QueueDeletedRecently",
        _PREFIX + "QueueDeletedRecently",
        400,
        "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
    )


def purge_in_progress(name: str) -> ServiceFailure:
    return ServiceFailure(
        "PurgeQueueInProgress",
        _PREFIX + "PurgeQueueInProgress",
        403,
        f"Only one PurgeQueue operation on {name} is allowed every 60 seconds.",
    )


def over_limit() -> ServiceFailure:
    """Only short polls hear of it; a long poll stays silently empty (facts/sqs.md section 1)."""
    return ServiceFailure("OverLimit", "OverLimit", 403, "Too many messages are in flight for this queue.")


def unsupported_operation(message: str) -> ServiceFailure:
    return ServiceFailure("UnsupportedOperation", _PREFIX + "UnsupportedOperation", 400, message)


def unknown_attribute(name: str) -> ServiceFailure:
    return ServiceFailure("InvalidAttributeName", "InvalidAttributeName", 400, f"Unknown Attribute {name}.")


def invalid_attribute_value(name: str, reason: str = "") -> ServiceFailure:
    message = f"Invalid value for the parameter {name}." + (f" Reason: {reason}" if reason else "")
    return ServiceFailure("InvalidAttributeValue", "InvalidAttributeValue", 400, message)


def two_encryptions() -> ServiceFailure:
    message = (
        "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE."
    )
    return ServiceFailure("InvalidAttributeName", "InvalidAttributeName", 400, message)


def too_many_actions(count: int, count_max: int) -> ServiceFailure:
    message = f"{count} Actions were found, maximum allowed is {count_max}."
    return ServiceFailure("OverLimit", "OverLimit", 403, message)


def resource_not_found(message: str) -> ServiceFailure:
    """Only the message move tasks use this word, and its status (facts/sqs.md section 1)."""
    return ServiceFailure("ResourceNotFoundException", "ResourceNotFoundException", 404, message)


def no_message_source() -> ServiceFailure:
    """Why a message move task fails; never an answer to a call (Developer Guide, "Troubleshoot … redrive issues")."""
    message = "The message was not moved to this queue by Amazon SQS."
    return ServiceFailure("CouldNotDetermineMessageSource", "CouldNotDetermineMessageSource", 400, message)


def move_task_running() -> ServiceFailure:
    message = "There is already a task running. Only one active task is allowed for a source queue arn at a given time."
    return invalid_parameter(message)


# ── parameters ─────────────────────────────────────────────────────────────────────────────────────────────


def invalid_parameter(message: str) -> ServiceFailure:
    return ServiceFailure("InvalidParameterValueException", "InvalidParameterValue", 400, message)


def invalid_value(name: str, value: object, reason: str) -> ServiceFailure:
    return invalid_parameter(f"Value {value} for parameter {name} is invalid. Reason: {reason}")


def missing_parameter(name: str) -> ServiceFailure:
    return ServiceFailure(
        "MissingRequiredParameterException",
        "MissingParameter",
        400,
        f"The request must contain the parameter {name}.",
    )


def serialization_failure(message: str) -> ServiceFailure:
    """The request is not the JSON that the operation takes."""
    return ServiceFailure("SerializationException", "MalformedInput", 400, message)


def invalid_message_contents() -> ServiceFailure:
    return ServiceFailure(
        "InvalidMessageContents",
        "InvalidMessageContents",
        400,
        "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to #xD7FF | "
        "#xE000 to #xFFFD | #x10000 to #x10FFFF.",
    )


def message_too_long(limit_bytes: int) -> ServiceFailure:
    return invalid_parameter(
        f"One or more parameters are invalid. Reason: Message must be shorter than {limit_bytes} bytes."
    )


# ── receipts ───────────────────────────────────────────────────────────────────────────────────────────────


def receipt_handle_is_invalid(receipt: str) -> ServiceFailure:
    return ServiceFailure(
        "ReceiptHandleIsInvalid",
        "ReceiptHandleIsInvalid",
        404,
        f'The input receipt handle "{receipt}" is not a valid receipt handle.',
    )


def message_not_in_flight() -> ServiceFailure:
    return ServiceFailure(
        "MessageNotInflight", _PREFIX + "MessageNotInflight", 400, "The specified message isn't in flight."
    )


def receipt_expired(receipt: str) -> ServiceFailure:
    """FIFO queues only; a standard queue answers such a delete as success (facts/sqs.md section 3)."""
    return invalid_value("ReceiptHandle", receipt, "The receipt handle has expired.")


def not_for_this_type(name: str, value: object) -> ServiceFailure:
    """A parameter of FIFO queues for a standard one, or the reverse."""
    return invalid_value(name, value, "The request include parameter that is not valid for this queue type.")


def no_such_message(receipt: str) -> ServiceFailure:
    reason = "Message does not exist or is not available for visibility timeout change."
    return invalid_value("ReceiptHandle", receipt, reason)


def beyond_the_ceiling(seconds: int) -> ServiceFailure:
    reason = "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]"
    return invalid_value("VisibilityTimeout", seconds, reason)


# ── batches ────────────────────────────────────────────────────────────────────────────────────────────────


def empty_batch(entry_type: str) -> ServiceFailure:
    return ServiceFailure(
        "EmptyBatchRequest",
        _PREFIX + "EmptyBatchRequest",
        400,
        f"There should be at least one {entry_type} in the request.",
    )


def too_many_entries(count: int) -> ServiceFailure:
    return ServiceFailure(
        "TooManyEntriesInBatchRequest",
        _PREFIX + "TooManyEntriesInBatchRequest",
        400,
        f"Maximum number of entries per request are 10. You have sent {count}.",
    )


def ids_not_distinct(entry_id: str) -> ServiceFailure:
    return ServiceFailure(
        "BatchEntryIdsNotDistinct", _PREFIX + "BatchEntryIdsNotDistinct", 400, f"Id {entry_id} repeated."
    )


def invalid_entry_id() -> ServiceFailure:
    return ServiceFailure(
        "InvalidBatchEntryId",
        _PREFIX + "InvalidBatchEntryId",
        400,
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
        "It can be at most 80 letters long.",
    )


def batch_too_long(sent_bytes: int, limit_bytes: int) -> ServiceFailure:
    return ServiceFailure(
        "BatchRequestTooLong",
        _PREFIX + "BatchRequestTooLong",
        400,
        f"Batch requests cannot be longer than {limit_bytes} bytes. You have sent {sent_bytes} bytes.",
    )


# ── permissions ────────────────────────────────────────────────────────────────────────────────────────────


def access_denied(action: str, resource: str) -> ServiceFailure:
    return ServiceFailure(
        "AccessDeniedException",
        "AccessDenied",
        403,
        f"User is not authorized to perform: sqs:{action.lower()} on resource: {resource} "
        f"because no identity-based policy allows the sqs:{action.lower()} action",
    )
