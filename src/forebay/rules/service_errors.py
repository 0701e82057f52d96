"""Errors that SQS sends for reasons outside its queues: permissions, credentials, quotas, keys, its own troubles.

The rules of the queues never raise them; the local cloud does on purpose, so that a worker meets every row of the error
table (facts/sqs.md section 1).
"""

from __future__ import annotations

from forebay.rules.queue_errors import ServiceFailure


def expired_token() -> ServiceFailure:
    message = "The security token included in the request is expired"
    return ServiceFailure("ExpiredTokenException", "ExpiredToken", 403, message)


def invalid_client_token() -> ServiceFailure:
    message = "The security token included in the request is invalid."
    return ServiceFailure("UnrecognizedClientException", "InvalidClientTokenId", 403, message)


def signature_does_not_match(message: str) -> ServiceFailure:
    return ServiceFailure("InvalidSignatureException", "SignatureDoesNotMatch", 403, message)


def request_throttled() -> ServiceFailure:
    return ServiceFailure("RequestThrottled", "RequestThrottled", 403, "Request is throttled.")


def throttling() -> ServiceFailure:
    """The other spelling, which FIFO queues above their quota use."""
    return ServiceFailure("ThrottlingException", "ThrottlingException", 400, "Rate exceeded")


def kms_throttled() -> ServiceFailure:
    message = "You have exceeded the rate at which you may call KMS."
    return ServiceFailure("KmsThrottled", "KMS.ThrottlingException", 400, message)


def kms_access_denied() -> ServiceFailure:
    message = "The ciphertext refers to a customer master key that you may not use."
    return ServiceFailure("KmsAccessDenied", "KMS.AccessDeniedException", 400, message)


def kms_disabled() -> ServiceFailure:
    return ServiceFailure("KmsDisabled", "KMS.DisabledException", 400, "The KMS key is disabled.")


def kms_invalid_state() -> ServiceFailure:
    return ServiceFailure("KmsInvalidState", "KMS.InvalidStateException", 400, "The KMS key is not usable now.")


def kms_not_found() -> ServiceFailure:
    return ServiceFailure("KmsNotFound", "KMS.NotFoundException", 400, "The KMS key does not exist.")


def kms_opt_in_required() -> ServiceFailure:
    return ServiceFailure("KmsOptInRequired", "KMS.OptInRequired", 403, "The account is not subscribed to KMS.")


def kms_invalid_key_usage() -> ServiceFailure:
    message = "The KMS key is not meant for this use."
    return ServiceFailure("KmsInvalidKeyUsage", "KMS.InvalidKeyUsageException", 400, message)


def invalid_security() -> ServiceFailure:
    message = "The request was not made over HTTPS or did not use SigV4."
    return ServiceFailure("InvalidSecurity", "InvalidSecurity", 403, message)


def invalid_address() -> ServiceFailure:
    return ServiceFailure("InvalidAddress", "InvalidAddress", 404, "The specified ID is invalid.")


def internal_failure() -> ServiceFailure:
    message = "The request processing has failed because of an unknown error."
    return ServiceFailure("InternalFailure", "InternalFailure", 500, message, sender_fault=False)


def service_unavailable() -> ServiceFailure:
    message = "The request has failed due to a temporary failure of the server."
    return ServiceFailure("ServiceUnavailable", "ServiceUnavailable", 503, message, sender_fault=False)
