"""The repository that images go to: ECR's, made when it is missing, and any other."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.deploy.moto_server import MotoCloud

from forebay.deploy.image.registry import EcrRegistry, Login, PlainRegistry, lifecycle
from forebay.errors import DeployError, ManifestError

DIGEST = "sha256:" + "a" * 64


class TestEcr:
    """A repository of a service."""

    def test_a_missing_repository_is_made_with_tags_that_cannot_move_a_scan_and_a_lifecycle(
        self, moto_cloud: MotoCloud
    ) -> None:
        ecr, said = moto_cloud.clients().ecr, list[str]()

        registry = EcrRegistry(ecr, "thumbnails", {"team": "shop"})
        registry.prepare(said.append)

        made = ecr.describe_repositories(repositoryNames=["thumbnails"])["repositories"][0]
        assert registry.repository == made["repositoryUri"]
        assert made["imageTagMutability"] == "IMMUTABLE"
        assert made["imageScanningConfiguration"] == {"scanOnPush": True}
        kept = json.loads(ecr.get_lifecycle_policy(repositoryName="thumbnails")["lifecyclePolicyText"])
        assert kept == lifecycle()
        tags = ecr.list_tags_for_resource(resourceArn=made["repositoryArn"])["tags"]
        assert tags == [{"Key": "team", "Value": "shop"}]
        assert len(said) == 1

    def test_a_repository_that_exists_is_left_as_it_is(self, moto_cloud: MotoCloud) -> None:
        ecr, said = moto_cloud.clients().ecr, list[str]()
        ecr.create_repository(repositoryName="thumbnails", imageTagMutability="MUTABLE")

        EcrRegistry(ecr, "thumbnails", {}).prepare(said.append)

        found = ecr.describe_repositories(repositoryNames=["thumbnails"])["repositories"][0]
        assert found["imageTagMutability"] == "MUTABLE"
        with pytest.raises(ecr.exceptions.LifecyclePolicyNotFoundException):
            ecr.get_lifecycle_policy(repositoryName="thumbnails")
        assert said == []

    def test_no_image_expires_for_its_age_while_a_tag_leads_to_it(self) -> None:
        by_age = [rule for rule in lifecycle()["rules"] if rule["selection"]["countType"] == "sinceImagePushed"]

        assert [rule["selection"]["tagStatus"] for rule in by_age] == ["untagged"]

    def test_a_login_is_for_the_host_of_the_repository(self, moto_cloud: MotoCloud) -> None:
        registry = EcrRegistry(moto_cloud.clients().ecr, "thumbnails", {})
        registry.prepare(lambda line: None)

        login = registry.login()

        assert login.host == registry.repository.partition("/")[0]
        assert login.user == "AWS"
        assert login.password

    def test_a_login_does_not_show_its_password(self) -> None:
        assert "secret" not in repr(Login("host", "AWS", "secret"))

    def test_a_tag_that_leads_nowhere_has_no_digest(self, moto_cloud: MotoCloud) -> None:
        registry = EcrRegistry(moto_cloud.clients().ecr, "thumbnails", {})
        registry.prepare(lambda line: None)

        assert registry.digest_of("abc") is None

    def test_a_permission_that_is_missing_is_told_in_a_sentence(self, moto_cloud: MotoCloud) -> None:
        moto_cloud.check_permissions()

        with pytest.raises(DeployError, match=r"reading the ECR repository thumbnails"):
            EcrRegistry(moto_cloud.clients().ecr, "thumbnails", {}).prepare(lambda line: None)


@contextmanager
def answering(status: int, digest: str | None = None) -> Iterator[tuple[str, list[str]]]:
    """A registry on loopback that answers every request so; its host, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            asked.append(f"{self.path} {self.headers['Accept']}")
            self.send_response(status)
            if digest is not None:
                self.send_header("Docker-Content-Digest", digest)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


class TestAnyOther:
    """A registry by its address."""

    def test_the_digest_is_what_the_registry_says(self) -> None:
        with answering(200, DIGEST) as (host, asked):
            assert PlainRegistry(f"{host}/team/shop").digest_of("abc") == DIGEST

        assert asked[0].startswith("/v2/team/shop/manifests/abc application/vnd.oci.image.manifest.v1+json")

    @pytest.mark.parametrize("status", [404, 401, 403])
    def test_what_it_does_not_tell_is_not_known(self, status: int) -> None:
        with answering(status) as (host, _):
            assert PlainRegistry(f"{host}/shop").digest_of("abc") is None

    def test_one_that_does_not_answer_is_named(self) -> None:
        with answering(200) as (host, _):
            pass

        with pytest.raises(DeployError, match=rf"the registry {host} does not answer .*refused"):
            PlainRegistry(f"{host}/shop").digest_of("abc")

    @pytest.mark.parametrize("text", ["shop", "ghcr.io/Shop", "ghcr.io/shop:1", "https://ghcr.io/shop", "ghcr.io/", ""])
    def test_what_is_no_repository_is_refused_with_an_example(self, text: str) -> None:
        with pytest.raises(ManifestError, match=r"is no repository: write HOST/PATH"):
            PlainRegistry(text)

    @pytest.mark.parametrize("text", ["ghcr.io/shop/thumbnails", "127.0.0.1:5000/a", "localhost:5000/a.b/c-d__e"])
    def test_host_and_path_are_taken(self, text: str) -> None:
        assert PlainRegistry(text).repository == text

    def test_it_needs_no_login_of_ours(self) -> None:
        registry = PlainRegistry("ghcr.io/shop")

        assert registry.login() is None  # type: ignore[func-returns-value]  # the port's own answer
