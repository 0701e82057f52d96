"""The bucket for payloads that no message can hold. Pure.

Rules kept here and nowhere else:

1. An object outlives every message that may point to it: its wait in the queue, in the dead-letter queue, and in the
   queue again after a redrive.
2. Nothing in it is public, nothing is read without TLS, and the bucket keeps no versions: an object is written once.
3. It stays when the queues stay, since their messages point into it.
"""

from __future__ import annotations

import math

from forebay.deploy.manifest.model import Manifest
from forebay.deploy.names import Names
from forebay.deploy.template import contract, encryption
from forebay.deploy.template.intrinsics import Json, Piece, allow, get_att, ref, resource, sub

DAY_S = 86_400
VARIABLE = "PAYLOAD_BUCKET"
ACTIONS = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject")


def keep_days(manifest: Manifest) -> int:
    """Return after how many days an object may go."""
    queue = manifest.queue
    return math.ceil((2 * queue.retention + queue.dead_letter_retention) / DAY_S)


def piece(manifest: Manifest, names: Names) -> Piece:  # noqa: ARG001  (the form of a piece)
    """Return the bucket, when it is the stack's own, and what a task may do in it."""
    bucket = manifest.payload_bucket
    if isinstance(bucket, str):
        objects = sub(f"arn:${{AWS::Partition}}:s3:::{bucket}/*")
        return Piece(variables={VARIABLE: bucket}, statements=(_use(objects),))
    if not bucket:
        return Piece()
    return Piece(
        resources={contract.PAYLOAD_BUCKET: _bucket(manifest), "PayloadBucketPolicy": _policy()},
        outputs={"PayloadBucketName": {"Description": "Large payloads", "Value": ref(contract.PAYLOAD_BUCKET)}},
        variables={VARIABLE: ref(contract.PAYLOAD_BUCKET)},
        statements=(_use(sub(f"${{{contract.PAYLOAD_BUCKET}.Arn}}/*")),),
    )


def _use(objects: Json) -> Json:
    return allow(ACTIONS, objects, sid="Payloads")


def _bucket(manifest: Manifest) -> Json:
    key = encryption.key_arn(manifest)
    encrypted: Json = {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    if key is not None:
        encrypted = {
            "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key},
            "BucketKeyEnabled": True,
        }
    return resource(
        "AWS::S3::Bucket",
        "The bucket for payloads that no message can hold",
        {
            "BucketEncryption": {"ServerSideEncryptionConfiguration": [encrypted]},
            "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            "PublicAccessBlockConfiguration": {
                "BlockPublicAcls": True,
                "BlockPublicPolicy": True,
                "IgnorePublicAcls": True,
                "RestrictPublicBuckets": True,
            },
            "LifecycleConfiguration": {
                "Rules": [
                    {
                        "Id": "after-the-last-message",
                        "Status": "Enabled",
                        "ExpirationInDays": keep_days(manifest),
                        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
                    }
                ]
            },
        },
        despite={
            "CKV_AWS_18": "Access logs need a second bucket; CloudTrail's data events say the same to who asks",
            "CKV_AWS_21": "An object is written once and expires; versions would keep what was deleted",
        },
        **encryption.kept(manifest),
    )


def _policy() -> Json:
    bucket = get_att(contract.PAYLOAD_BUCKET, "Arn")
    return resource(
        "AWS::S3::BucketPolicy",
        "Who may use the bucket: nobody without TLS",
        {
            "Bucket": ref(contract.PAYLOAD_BUCKET),
            "PolicyDocument": {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Sid": "NobodyWithoutTls",
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": "s3:*",
                        "Resource": [bucket, sub(f"${{{contract.PAYLOAD_BUCKET}.Arn}}/*")],
                        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                    }
                ],
            },
        },
    )
