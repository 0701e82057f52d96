"""How a queue says that it encrypts: with SQS's own key, with one of KMS, or not at all.

Rules kept here and nowhere else:

1. One kind at a time (API reference, SetQueueAttributes). A request that asks for both is InvalidAttributeName, as the
   real service was recorded to answer; choosing one of them ends the other.
2. SSE-SQS is on for a queue that was created without a word about encryption (facts/sqs.md section 8).
3. An empty KmsMasterKeyId takes the key away. Its reuse period, 300 s by default, is shown only beside a key.
4. Nothing is encrypted here: the attributes are kept and shown, so that templates and tools find what they set.

Unknown, and so our choice: whether AWS ends SSE-KMS when SqsManagedSseEnabled is set to true by itself, or refuses.
"""

from __future__ import annotations

from collections.abc import Mapping

from forebay.rules import queue_errors as errors

KEY = "KmsMasterKeyId"
REUSE = "KmsDataKeyReusePeriodSeconds"
MANAGED = "SqsManagedSseEnabled"


def settle_encryption(given: dict[str, str], changes: Mapping[str, str]) -> None:
    """Bring `given`, which already holds `changes`, down to one kind of encryption."""
    if changes.get(MANAGED, "true") not in ("true", "false"):
        raise errors.invalid_attribute_value(MANAGED, "It is 'true' or 'false'.")
    if changes.get(KEY) and changes.get(MANAGED) == "true":
        raise errors.two_encryptions()
    if changes.get(KEY):
        given[MANAGED] = "false"
    elif changes.get(MANAGED) == "true" or changes.get(KEY) == "":
        given.pop(KEY, None)
        given.pop(REUSE, None)


def shown_encryption(given: Mapping[str, str]) -> dict[str, str]:
    """Return what GetQueueAttributes adds of itself."""
    if KEY in given:
        return {REUSE: "300", MANAGED: "false"}
    return {MANAGED: "true"}
