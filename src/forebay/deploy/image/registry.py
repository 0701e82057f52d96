"""Where images are pushed to: a repository of ECR, made when it is missing, or any other registry.

Rules kept here and nowhere else:

1. A repository that Forebay makes has tags that cannot be moved, a scan at every push, and a lifecycle. One that exists
   is its owner's: nothing of it is changed.
2. The lifecycle never takes an image for its age alone: what runs may be old. Only counts do, and only large ones.
3. The registry's own answer says where it is and which digest it has; names of hosts are not put together here.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import ClientError

from forebay.deploy.image.engines import is_on_this_machine
from forebay.deploy.trouble import code_of, explained
from forebay.errors import DeployError, ManifestError

if TYPE_CHECKING:
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecr.type_defs import RepositoryTypeDef

MANIFESTS = ", ".join(
    (
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    )
)
ANSWER_MAX_S = 20.0

KEPT_IMAGES = 500
KEPT_DIRTY_IMAGES = 50
UNTAGGED_DAYS = 14


def lifecycle() -> dict[str, Any]:
    """The lifecycle policy of a repository that Forebay makes."""
    expire = {"type": "expire"}

    def many(pattern: str, count: int) -> dict[str, Any]:
        kind = {"tagStatus": "tagged", "tagPatternList": [pattern]}
        return {**kind, "countType": "imageCountMoreThan", "countNumber": count}

    age = {"countType": "sinceImagePushed", "countUnit": "days", "countNumber": UNTAGGED_DAYS}
    untagged = {"tagStatus": "untagged", **age}
    return {
        "rules": [
            {"rulePriority": 1, "description": "no tag leads to it", "selection": untagged, "action": expire},
            {
                "rulePriority": 2,
                "description": "built from changes that were not committed",
                "selection": many("*-dirty-*", KEPT_DIRTY_IMAGES),
                "action": expire,
            },
            {
                "rulePriority": 3,
                "description": "the oldest of many",
                "selection": many("*", KEPT_IMAGES),
                "action": expire,
            },
        ]
    }


@dataclass(frozen=True, slots=True)
class Login:
    """What an engine needs to push."""

    host: str
    user: str
    password: str

    def __repr__(self) -> str:
        return f"Login({self.host!r}, {self.user!r}, …)"  # A password in a traceback would be one in a log.


class Registry(Protocol):
    """Where the image goes."""

    @property
    def repository(self) -> str:
        """HOST/PATH, as engines take it. Known after `prepare`."""
        ...

    def prepare(self, say: Callable[[str], None]) -> None:
        """See to it that the repository is there."""
        ...

    def login(self) -> Login | None:
        """Return fresh credentials; None where the engine's own will do."""
        ...

    def digest_of(self, tag: str) -> str | None:
        """Return the digest that the tag leads to; None when it leads nowhere, or nobody tells us."""
        ...


class EcrRegistry:
    """The repository of a service in the account's ECR."""

    def __init__(self, client: ECRClient, name: str, tags: Mapping[str, str]) -> None:
        self._client = client
        self._name = name
        self._tags = tags
        self._repository: str | None = None

    @property
    def repository(self) -> str:
        assert self._repository is not None, "prepare() comes first"
        return self._repository

    def prepare(self, say: Callable[[str], None]) -> None:
        """Find the repository, or make it."""
        with explained(f"reading the ECR repository {self._name}"):
            self._repository = self._found()
        if self._repository is None:
            say(f"making the ECR repository {self._name}: tags that cannot be moved, a scan at every push")
            with explained(f"making the ECR repository {self._name}"):
                self._repository = self._made()

    def _found(self) -> str | None:
        try:
            answer = self._client.describe_repositories(repositoryNames=[self._name])
        except ClientError as error:
            if code_of(error) == "RepositoryNotFoundException":
                return None
            raise
        return _uri(answer["repositories"][0])

    def _made(self) -> str:
        try:
            answer = self._client.create_repository(
                repositoryName=self._name,
                imageTagMutability="IMMUTABLE",
                imageScanningConfiguration={"scanOnPush": True},
                tags=[{"Key": key, "Value": value} for key, value in self._tags.items()],
            )
        except ClientError as error:
            # Another deployment of this service was faster.
            if code_of(error) == "RepositoryAlreadyExistsException" and (found := self._found()) is not None:
                return found
            raise
        self._client.put_lifecycle_policy(repositoryName=self._name, lifecyclePolicyText=json.dumps(lifecycle()))
        return _uri(answer["repository"])

    def login(self) -> Login:
        with explained("asking ECR for a login"):
            given = self._client.get_authorization_token()["authorizationData"][0]
        user, _, password = base64.b64decode(given.get("authorizationToken", "")).decode().partition(":")
        return Login(self.repository.partition("/")[0], user, password)

    def digest_of(self, tag: str) -> str | None:
        with explained(f"looking for the image {self._name}:{tag}"):
            try:
                answer = self._client.describe_images(repositoryName=self._name, imageIds=[{"imageTag": tag}])
            except ClientError as error:
                if code_of(error) == "ImageNotFoundException":
                    return None
                raise
        return answer["imageDetails"][0].get("imageDigest")


def _uri(repository: RepositoryTypeDef) -> str:
    uri = repository.get("repositoryUri")
    assert uri, repository
    return uri


class PlainRegistry:
    """Any registry by its address; the engine is logged in already, where that is needed."""

    def __init__(self, repository: str) -> None:
        if not re.fullmatch(r"(\[[0-9a-f:]+\]|[a-z0-9.-]+)(:\d+)?(/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+", repository):
            raise ManifestError(
                f"{repository!r} is no repository: write HOST/PATH in small letters and without a tag, such as "
                "ghcr.io/shop/thumbnails"
            )
        self.repository = repository

    def prepare(self, say: Callable[[str], None]) -> None:
        """Nothing: registries make a repository at the first push, or their owner has."""

    def login(self) -> None:
        """The engine's own."""

    def digest_of(self, tag: str) -> str | None:
        """Ask without credentials. A registry that wants some leaves it open, and the image is pushed again."""
        host, _, path = self.repository.partition("/")
        local = is_on_this_machine(self.repository)
        url = f"{'http' if local else 'https'}://{host}/v2/{path}/manifests/{tag}"
        request = urllib.request.Request(url, method="HEAD", headers={"Accept": MANIFESTS})  # noqa: S310  (http or https)
        proxies = [urllib.request.ProxyHandler({})] if local else []  # No proxy knows this machine's own address.
        try:
            with urllib.request.build_opener(*proxies).open(request, timeout=ANSWER_MAX_S) as answer:
                digest: str | None = answer.headers.get("Docker-Content-Digest")
                return digest
        except urllib.error.HTTPError as error:
            error.close()
            return None
        except (OSError, http.client.HTTPException) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            raise DeployError(
                f"the registry {host} does not answer ({reason}): is its name right, and is it up?"
            ) from error
