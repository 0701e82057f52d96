"""Where moto's SQS and ours differ, and what AWS says: in every case named here its documentation is on our side."""

from __future__ import annotations

from typing import NamedTuple


class Difference(NamedTuple):
    """What AWS says of a fact, and what moto does instead."""

    aws_says: str
    """The sentence, from facts/sqs.md or from the page of AWS that is named."""
    moto: str
    supports: str = "ours"
    """Whose behaviour AWS's documentation supports."""

    def __str__(self) -> str:
        return f"AWS ({self.supports}): {self.aws_says} moto {self.moto}"


_SIZE = "facts/sqs.md section 2: MaximumMessageSize; message size incl. attributes (names, types, values)."
_CHARSET = "facts/sqs.md section 2: Body charset #x9 #xA #xD #x20-#xD7FF #xE000-#xFFFD #x10000-#x10FFFF."
_ATTRIBUTES = "facts/sqs.md section 2: Message attributes 10; name <= 256 chars, no AWS./Amazon. prefix."
_BOUNDS = "facts/sqs.md section 2: the bounds of the attributes; SetQueueAttributes: InvalidAttributeValue."
_READ_ONLY = (
    "API reference, SetQueueAttributes: the attributes that it takes; QueueArn, dates and counts are not of them."
)
_LIMIT = "facts/sqs.md section 3: maxReceiveCount 1..1000; number or string."
_ALLOW = "facts/sqs.md section 3: RedriveAllowPolicy: byQueue with <=10 sourceQueueArns | allowAll (default) | denyAll."
_SOURCE = "facts/sqs.md section 1: system attributes: DeadLetterQueueSourceArn."
_REUSE = "facts/sqs.md section 8: SSE-KMS data-key reuse period 60..86,400 s."
_GROUP = "API reference, SendMessage: MessageGroupId: up to 128 alphanumeric characters and punctuation."
_POLICY = "facts/sqs.md section 2: Policy 8,192 B, 20 statements."

MOTO_DIFFERS: dict[str, Difference] = {
    # protocol
    "test_an_unknown_system_attribute_of_a_receive_is_refused": Difference(
        "API reference, ReceiveMessage: MessageSystemAttributeNames takes the names of a list.", "ignores other names."
    ),
    # contents
    "test_size_counts_bytes_not_characters": Difference(_SIZE, "does not look at the queue's own limit in bytes."),
    "test_attributes_count_towards_the_size": Difference(_SIZE, "counts the body alone."),
    "test_an_empty_body_is_no_message": Difference("facts/sqs.md section 2: Message size 1 B .. 1 MiB.", "takes it."),
    "test_characters_outside_xmls_are_refused": Difference(_CHARSET, "takes any character."),
    "test_eleven_attributes_are_too_many": Difference(_ATTRIBUTES, "takes any number."),
    "test_names_that_begin_like_amazons_are_refused": Difference(_ATTRIBUTES, "takes them."),
    "test_a_name_has_at_most_256_characters": Difference(_ATTRIBUTES, "takes longer ones."),
    "test_an_attribute_needs_a_value": Difference(
        "Developer Guide, message attributes: Name, type, value must not be empty or null.", "takes an empty one."
    ),
    "test_a_number_must_be_one": Difference(
        "Developer Guide, message attributes: Number attributes can store positive or negative numerical values.",
        "takes any text.",
    ),
    "test_ids_of_a_batch_are_plain_and_short[\\xe9]": Difference(
        "Developer Guide, quotas: batched message IDs: alphanumeric characters, hyphens and underscores.",
        "takes letters beyond ASCII.",
    ),
    "test_a_delay_out_of_bounds_is_refused[-1]": Difference("facts/sqs.md section 2: Delay 0..900 s.", "takes -1."),
    # leases
    "test_a_visibility_out_of_bounds_is_refused[-1]": Difference(
        "facts/sqs.md section 2: VisibilityTimeout 0..43,200 s.", "takes -1."
    ),
    "test_a_delete_with_an_old_handle_succeeds_and_the_message_survives": Difference(
        "facts/sqs.md section 3: Delete with an old handle: the call succeeds but the message may survive.",
        "deletes with any former handle.",
    ),
    "test_a_handle_that_is_none_is_refused": Difference(
        "facts/sqs.md section 1: ReceiptHandleIsInvalid has status 404.", "answers with 400."
    ),
    "test_a_change_of_a_visible_message_is_refused": Difference(
        "facts/sqs.md section 1: MessageNotInflight: ChangeMessageVisibility on a message already visible.",
        "never raises it.",
    ),
    "test_a_change_with_an_old_handle_is_refused": Difference(
        'facts/sqs.md section 3: InvalidParameterValue "does not exist" => lease lost.', "takes any former handle."
    ),
    "test_a_change_of_a_deleted_message_is_refused": Difference(
        "facts/sqs.md section 1: InvalidParameterValue: Message does not exist or is not available for … change.",
        "says ReceiptHandleIsInvalid.",
    ),
    # dead letters
    "test_a_dead_letter_names_the_queue_it_came_from": Difference(_SOURCE, "does not tell it."),
    "test_dead_letters_of_several_queues_can_lie_in_one": Difference(_SOURCE, "does not tell it."),
    "test_a_limit_out_of_bounds_is_refused": Difference(_LIMIT, "takes any number, and breaks (500) on a text."),
    "test_a_dead_letter_arn_must_be_one": Difference(
        "API reference, SetQueueAttributes: an invalid RedrivePolicy; QueueDoesNotExist is of the QueueUrl.",
        "answers NonExistentQueue, as though the queue itself were missing.",
    ),
    "test_a_dead_letter_queue_must_exist": Difference(
        "API reference, SetQueueAttributes: an invalid RedrivePolicy; QueueDoesNotExist is of the QueueUrl.",
        "answers NonExistentQueue, as though the queue itself were missing.",
    ),
    "test_a_dead_letter_queue_can_forbid_every_source": Difference(_ALLOW, "does not know RedriveAllowPolicy."),
    "test_a_dead_letter_queue_can_name_its_sources": Difference(_ALLOW, "does not know RedriveAllowPolicy."),
    "test_a_dead_letter_queue_allows_every_source_unless_told_otherwise": Difference(_ALLOW, "does not know it."),
    "test_one_to_ten_sources_can_be_named": Difference(_ALLOW, "does not know RedriveAllowPolicy."),
    "test_a_permission_that_nobody_knows_is_refused": Difference(_ALLOW, "does not know RedriveAllowPolicy."),
    # moves
    "test_dead_letters_can_be_moved_back": Difference(
        "facts/sqs.md section 3: StartMessageMoveTask -> TaskHandle.", "has no message move tasks (500)."
    ),
    # queues
    "test_an_attribute_does_not_pass_its_bounds": Difference(_BOUNDS, "takes any number from SetQueueAttributes."),
    "test_what_sqs_writes_itself_cannot_be_set": Difference(_READ_ONLY, "takes them, and breaks (500) on a count."),
    "test_a_change_is_made_whole_or_not_at_all": Difference(_BOUNDS, "takes any number from SetQueueAttributes."),
    "test_a_deleted_name_is_not_free_at_once": Difference(
        "facts/sqs.md section 1: QueueDeletedRecently 400 (60 s).", "makes the queue at once."
    ),
    # FIFO
    "test_no_standard_queues_name_ends_in_fifo": Difference(
        "API reference, CreateQueue: alphanumeric characters, hyphens and underscores; FIFO queues end with .fifo.",
        "makes a standard queue of that name.",
    ),
    "test_high_throughput_needs_both_its_attributes": Difference(
        "API reference, SetQueueAttributes: perMessageGroupId is allowed only when DeduplicationScope is messageGroup.",
        "takes the one without the other.",
    ),
    "test_a_group_has_1_to_128_characters[long]": Difference(_GROUP, "takes longer ones."),
    "test_a_group_has_1_to_128_characters[blank]": Difference(_GROUP, "takes blanks."),
    "test_a_deleted_message_still_keeps_its_duplicates_out": Difference(
        "API reference, SendMessage: SQS continues to keep track of the deduplication ID even after the message is "
        "received and deleted.",
        "forgets the id with the message.",
    ),
    "test_with_the_scope_of_groups_an_id_is_the_groups_own": Difference(
        "API reference, CreateQueue: DeduplicationScope: message deduplication occurs at the message group level.",
        "deduplicates over the whole queue.",
    ),
    "test_a_standard_queue_takes_no_deduplication_id": Difference(
        "API reference, SendMessage: MessageDeduplicationId: this parameter applies only to FIFO queues.", "takes one."
    ),
    # access
    "test_a_key_of_kms_ends_sqss_own_encryption": Difference(
        "API reference, SetQueueAttributes: only one server-side encryption option is supported per queue.",
        "shows both.",
    ),
    "test_a_data_key_is_used_for_a_minute_to_a_day": Difference(_REUSE, "takes any number."),
    "test_a_queue_encrypts_in_one_way": Difference(
        "API reference, SetQueueAttributes: only one server-side encryption option is supported per queue.",
        "takes both at once.",
    ),
    "test_a_policy_is_json": Difference("API reference: Policy: a valid AWS policy.", "breaks (500)."),
    "test_a_policy_has_at_most_8192_bytes": Difference(_POLICY, "takes longer ones."),
    "test_a_policy_has_at_most_twenty_statements": Difference(_POLICY, "takes more."),
}
"""Fact → the sentence of AWS that moto breaks, and how.

A fact that is named here is tried on moto all the same, and must fail there: an entry that is no longer needed is an
error. `[variant]` names one set of a fact's parameters.
"""


def as_table() -> str:
    """Return the differences as docs/local-sqs.md shows them: one row for each sentence of AWS and what moto does."""
    rows = ["| AWS says | moto |", "|---|---|"]
    for difference in MOTO_DIFFERS.values():
        row = f"| {difference.aws_says.replace('|', '/')} | {difference.moto} |"
        if row not in rows:
            rows.append(row)
    return "\n".join(rows)


if __name__ == "__main__":
    print(as_table())
