"""How the queues are encrypted, and what whoever uses them needs for it. Pure.

Rules kept here and nowhere else:

1. SQS's own encryption costs nothing and needs no permission; a KMS key is for those who must be able to revoke or to
   audit. A queue has one of the two.
2. Roles of this account get their use of the key from their own policies, as the key's policy leaves it to them. Only
   services and other accounts are named in it.
"""

from __future__ import annotations

from typing import Any

from forebay.deploy.manifest.model import Manifest
from forebay.deploy.names import Names
from forebay.deploy.template import contract
from forebay.deploy.template.intrinsics import Json, Piece, allow, get_att, ref, resource, sub

DATA_KEY_REUSE_S = 3_600
"""So long one data key serves. SQS's default of 5 minutes asks KMS twelve times as often, and every request costs."""

SENDING = ("kms:GenerateDataKey", "kms:Decrypt")
"""What whoever sends needs: SQS makes a data key, and looks whether the key could open it again."""

RECEIVING = ("kms:Decrypt",)


def has_own_key(manifest: Manifest) -> bool:
    """Whether the stack makes the queues' key."""
    return manifest.queue.encryption == "kms"


def key_arn(manifest: Manifest) -> Any:
    """Return the ARN of the queues' key, as a value of a template; None with SQS's own encryption."""
    if manifest.queue.encryption == "sqs":
        return None
    return get_att(contract.QUEUE_KEY, "Arn") if has_own_key(manifest) else manifest.queue.encryption


def statements(manifest: Manifest, *, sends: bool) -> tuple[Json, ...]:
    """Return what a role needs of the key to receive, or to send as well; nothing with SQS's own encryption."""
    key = key_arn(manifest)
    return () if key is None else (allow(SENDING if sends else RECEIVING, key, sid="UseTheKeyOfTheQueues"),)


def queue_properties(manifest: Manifest) -> Json:
    """Return the properties of a queue that say how it is encrypted."""
    key = key_arn(manifest)
    if key is None:
        return {"SqsManagedSseEnabled": True}
    return {"KmsMasterKeyId": key, "KmsDataKeyReusePeriodSeconds": DATA_KEY_REUSE_S}


def despite(manifest: Manifest) -> dict[str, str]:
    """Return what checkov says against a queue's encryption, with our answer."""
    if key_arn(manifest) is not None:
        return {}
    return {"CKV_AWS_27": "It is encrypted, by SQS's own keys; the check looks for a KMS key only"}


def kept(manifest: Manifest) -> Json:
    """Return the attributes of what must outlive the stack when the queues do.

    What a first deployment made is removed again when that deployment fails: nothing is in it, and it would stand in
    the way of the second.
    """
    if not manifest.queue.keep:
        return {"DeletionPolicy": "Delete", "UpdateReplacePolicy": "Delete"}
    return {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}


def key_description(names: Names) -> str:
    """Return what KMS says of the stack's own key, by which it is known again when a stack has left it."""
    return f"Encrypts the queues of {names.stack}"


def piece(manifest: Manifest, names: Names, given: Piece) -> Piece:
    """Return the queues' key, when it is the stack's own."""
    if not has_own_key(manifest):
        return Piece()
    account = sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root")
    producers = {"AWS": list(manifest.queue.producers)}
    policy = [
        allow(["kms:*"], "*", sid="PoliciesOfThisAccount", principal={"AWS": account}),
        *([allow(SENDING, "*", sid="Producers", principal=producers)] if manifest.queue.producers else []),
        *given.key_statements,
    ]
    key = resource(
        "AWS::KMS::Key",
        "The key that encrypts what waits in the queues",
        {
            "Description": key_description(names),
            "EnableKeyRotation": True,
            "PendingWindowInDays": 30,
            "KeyPolicy": {"Version": "2012-10-17", "Statement": policy},
        },
        **kept(manifest),
    )
    alias = resource(
        "AWS::KMS::Alias",
        "A name for the queues' key, for people",
        {"AliasName": f"alias/{names.stack}-queue", "TargetKeyId": ref(contract.QUEUE_KEY)},
    )
    return Piece(resources={contract.QUEUE_KEY: key, "QueueKeyAlias": alias})
