"""Which image is deployed: the one that is named, by digest where a registry can be asked; else one is built.

Rules kept here and nowhere else:

1. What runs is told by digest, so that every task of a deployment runs the same bytes. A tag that cannot be resolved
   here (not in ECR, or in ECR of another Region) goes on as it is, and that is said: ECS resolves it once for each
   deployment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import ClientError

from forebay.deploy.trouble import code_of, told
from forebay.errors import DeployError

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient

_ECR = re.compile(
    r"(?P<registry>(?P<account>\d{12})\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.[\w.-]+)"
    r"/(?P<repository>[^:@\s]+)(?::(?P<tag>[\w][\w.-]{0,127}))?$"
)
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_REFERENCE = re.compile(r"[a-z0-9][\w.:/-]*(@sha256:[0-9a-f]{64})?$")


@dataclass(frozen=True, slots=True)
class ChosenImage:
    """An image, and what is to be said about it."""

    uri: str
    note: str = ""


def resolved(uri: str, ecr: ECRClient, *, place: str) -> ChosenImage:
    """Return the image by digest if ECR knows it. Raises `DeployError` when ECR has no such tag.

    `place` is where the image was named: `--image`, or a key of the manifest.
    """
    if not _REFERENCE.match(uri):
        raise DeployError(f"{place} {uri!r} is no image: write REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:DIGEST")
    if _DIGEST.search(uri):
        return ChosenImage(uri)
    if (found := _ECR.match(uri)) is None:
        return ChosenImage(uri, f"{uri} is named by a tag: ECS looks up its digest once for this deployment")
    tag = found["tag"] or "latest"
    if found["region"] != ecr.meta.region_name:
        return ChosenImage(uri, f"{uri} is in another Region: ECS looks up its digest once for this deployment")
    digest = _digest(ecr, found["account"], found["repository"], tag, place=f"{place} {uri}")
    by_digest = f"{found['registry']}/{found['repository']}@{digest}"
    return ChosenImage(by_digest, f"{uri} is {digest[:19]}…")


def _digest(ecr: ECRClient, account: str, repository: str, tag: str, *, place: str) -> str:
    try:
        answer = cast("Any", ecr).describe_images(
            registryId=account, repositoryName=repository, imageIds=[{"imageTag": tag}]
        )
    except ClientError as error:
        match code_of(error):
            case "ImageNotFoundException":
                raise DeployError(f"{place}: repository {repository} has no image with tag {tag}") from error
            case "RepositoryNotFoundException":
                raise DeployError(f"{place}: there is no repository {repository} in account {account}") from error
            case _:
                raise told(error, doing=f"{place}: asking ECR for the digest") from error
    return str(answer["imageDetails"][0]["imageDigest"])
