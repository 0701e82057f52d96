"""Queues that an earlier stack has left behind are taken into the new one, with all that is in them.

Their names are fixed, so a new stack could not make them again; CloudFormation imports them instead.

Rules kept here and nowhere else:

1. An import brings in what is there and makes nothing: its template has the left-over resources only, with no more
   than CloudFormation needs to know them again. Everything else follows with the update after it.
2. A queue that the stack's own key encrypts comes with that key, or its messages could not be read again. Any other key
   is somebody else's: an import would put our policy in the place of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from forebay.deploy.clients import Clients
from forebay.deploy.kept import KeptQueue, queues_there
from forebay.deploy.names import Names
from forebay.deploy.stacks import Import
from forebay.deploy.template import contract, encryption
from forebay.deploy.template.intrinsics import DESCRIPTION_KEY, Json
from forebay.deploy.trouble import explained
from forebay.errors import DeployError

IDENTIFYING = ("QueueName", "FifoQueue")
"""What an import must say of a queue; the rest is set by the update."""


@dataclass(frozen=True, slots=True)
class LeftOver:
    """What is there without a stack."""

    queues: tuple[KeptQueue, ...]
    key_id: str | None = None
    """The key of the queues, when an earlier stack of this service has made it."""
    key: str | None = None
    """The key of the queues as they name it, whoever has made it."""


def left_over(clients: Clients, names: Names) -> LeftOver | None:
    """Return the service's queues that are there although no stack is; None when there are none."""
    with explained("looking for queues of an earlier deployment"):
        sqs = clients.sqs
        queues = queues_there(sqs, (names.queue, names.dead_letter_queue))
        if not queues:
            return None
        told = sqs.get_queue_attributes(QueueUrl=queues[0].url, AttributeNames=["KmsMasterKeyId"])
    key = told.get("Attributes", {}).get("KmsMasterKeyId")
    return LeftOver(queues, _of_ours(clients, names, key) if key else None, key)


def _of_ours(clients: Clients, names: Names, key: str) -> str | None:
    """Return the key's id if it is the stack's own and can be used; None for any other."""
    if key.startswith("alias/") or ":alias/" in key:
        return None  # AWS's own key, or one that somebody else has named.
    with explained(f"looking at key {key}"):
        told = clients.kms.describe_key(KeyId=key)["KeyMetadata"]
    if told.get("Description") != encryption.key_description(names):
        return None
    if told.get("KeyState") == "PendingDeletion":
        raise DeployError(
            f"the messages in queue {names.queue} need key {told['KeyId']}, which is to be deleted: call it back "
            f"(`aws kms cancel-key-deletion --key-id {told['KeyId']}`, then `aws kms enable-key --key-id "
            f"{told['KeyId']}`) and deploy again, or lose them with `forebay delete --queues`"
        )
    return told["KeyId"]


def imports(template: Json, found: LeftOver, names: Names) -> tuple[Import, ...]:
    """Return what is to be imported, of what the template has."""
    logical = {names.queue: contract.QUEUE, names.dead_letter_queue: contract.DEAD_LETTER_QUEUE}
    resources: Mapping[str, Json] = template["Resources"]
    taken = [Import(logical[one.name], "AWS::SQS::Queue", {"QueueUrl": one.url}) for one in found.queues]
    if found.key_id is not None and contract.QUEUE_KEY in resources:
        taken.append(Import(contract.QUEUE_KEY, "AWS::KMS::Key", {"KeyId": found.key_id}))
    return tuple(taken)


def import_template(template: Json, taken: Sequence[Import], found: LeftOver) -> Json:
    """Return the template of the import: the resources alone, each kept whatever becomes of the stack.

    A key that is not imported is named in it, so that the update after it is seen to take it away.
    """
    stays = any(one.kind == "AWS::KMS::Key" for one in taken)
    encrypted = {"KmsMasterKeyId": found.key} if found.key and not stays else {}
    return {
        **{key: template[key] for key in ("AWSTemplateFormatVersion", "Description", "Metadata") if key in template},
        "Resources": {one.logical_id: _known_again(template["Resources"][one.logical_id], encrypted) for one in taken},
    }


def _known_again(resource: Json, encrypted: Json) -> Json:
    properties = {name: value for name, value in resource["Properties"].items() if name in IDENTIFYING}
    if resource["Type"] == "AWS::SQS::Queue":
        properties |= encrypted
    return {
        "Type": resource["Type"],
        "Metadata": {DESCRIPTION_KEY: resource["Metadata"][DESCRIPTION_KEY]},
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": properties,
    }
