"""Where the service is and who we are: by our contract, and otherwise exactly as botocore says."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from forebay.errors import FaultKind, QueueError
from forebay.queue.resolve import ClientConfig, Resolver, region_in

QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/jobs"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}


def resolver(**environment: str) -> Resolver:
    return Resolver(ClientConfig.from_environment(environment))


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A process environment without anything of AWS's or a proxy's, for what botocore reads by itself."""
    import os

    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return monkeypatch


@pytest.mark.parametrize(
    ("environment", "endpoint", "region"),
    [
        ({"AWS_ENDPOINT_URL_SQS": "http://a:1", "AWS_ENDPOINT_URL": "http://b:2"}, "http://a:1/", "eu-west-1"),
        ({"AWS_ENDPOINT_URL": "http://b:2", "QUEUE_REGION": "r-q-1", "AWS_REGION": "r-a-1"}, "http://b:2/", "r-q-1"),
        ({"AWS_ENDPOINT_URL": "http://b:2", "AWS_REGION": "r-a-1"}, "http://b:2/", "r-a-1"),
        ({"AWS_ENDPOINT_URL": "http://b:2", "AWS_DEFAULT_REGION": "r-d-1"}, "http://b:2/", "r-d-1"),
    ],
)
def test_the_contracts_names_decide_in_their_order(environment: dict[str, str], endpoint: str, region: str) -> None:
    location = resolver(**KEYS, **environment).locate(QUEUE)

    assert (location.endpoint.url, location.region, location.proxy) == (endpoint, region, None)


def test_a_queue_on_plain_http_is_its_own_endpoint() -> None:
    location = resolver(**KEYS).locate("http://127.0.0.1:9324/000000000000/jobs")

    assert (location.endpoint.url, location.region) == ("http://127.0.0.1:9324/", "us-east-1")


def test_configured_endpoints_can_be_ignored_as_botocore_ignores_them() -> None:
    config = ClientConfig.from_environment(
        {**KEYS, "AWS_ENDPOINT_URL": "http://b:2", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}
    )

    assert config.endpoint_url is None


def test_an_endpoint_that_is_no_url_is_refused_with_what_it_should_look_like() -> None:
    with pytest.raises(QueueError, match="must look like") as caught:
        resolver(**KEYS, AWS_ENDPOINT_URL="localhost:9324").locate(QUEUE)

    assert caught.value.fault.kind is FaultKind.REFUSED


@pytest.mark.parametrize(
    ("environment", "endpoint"),
    [
        ({}, "https://sqs.eu-west-1.amazonaws.com/"),
        ({"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "https://sqs.eu-west-1.api.aws/"),
        ({"AWS_USE_FIPS_ENDPOINT": "true"}, "https://sqs-fips.eu-west-1.amazonaws.com/"),
    ],
)
def test_dual_stack_and_fips_are_botocores_to_decide(
    bare: pytest.MonkeyPatch, environment: dict[str, str], endpoint: str
) -> None:
    for name, value in environment.items():
        bare.setenv(name, value)

    location = resolver(**KEYS, AWS_REGION="eu-west-1").locate(QUEUE)

    assert (location.endpoint.url, location.region) == (endpoint, "eu-west-1")


@pytest.mark.parametrize(
    ("region", "host"),
    [("cn-north-1", "sqs.cn-north-1.amazonaws.com.cn"), ("eu-south-2", "sqs.eu-south-2.amazonaws.com")],
)
def test_every_partition_has_its_own_endpoint(bare: pytest.MonkeyPatch, region: str, host: str) -> None:
    location = resolver(**KEYS).locate(f"https://{host}/1/q")

    assert (location.endpoint.host, location.region) == (host, region)


def test_a_profile_gives_region_credentials_and_certificates(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[profile work]\nregion = eu-north-1\nca_bundle = /ca.pem\n")
    (tmp_path / "credentials").write_text("[work]\naws_access_key_id = AKWORK\naws_secret_access_key = s\n")
    bare.setenv("AWS_PROFILE", "work")
    asked = resolver(AWS_PROFILE="work")

    location, credentials = asked.locate("https://example.com/1/q"), asked.credential_source().load()

    assert (location.endpoint.host, location.region) == ("sqs.eu-north-1.amazonaws.com", "eu-north-1")
    assert (location.ca_bundle, credentials.access_key) == ("/ca.pem", "AKWORK")


def test_without_any_region_the_remedy_is_named(bare: pytest.MonkeyPatch) -> None:
    with pytest.raises(QueueError, match="AWS_REGION"):
        resolver().locate("https://example.com/1/q")


def test_without_any_credentials_the_remedy_is_named(bare: pytest.MonkeyPatch) -> None:
    with pytest.raises(QueueError, match="task role") as caught:
        resolver().credential_source().load()

    assert caught.value.fault.kind is FaultKind.CREDENTIALS


def test_a_profile_that_does_not_exist_is_a_fault_of_credentials(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("AWS_PROFILE", "nobody")

    with pytest.raises(QueueError) as caught:
        resolver(AWS_PROFILE="nobody").credential_source().load()

    assert caught.value.fault.kind is FaultKind.CREDENTIALS


def test_keys_in_the_environment_are_taken_as_they_stand() -> None:
    source = resolver(**KEYS, AWS_SESSION_TOKEN="token").credential_source()

    credentials = source.load()

    assert (credentials.access_key, credentials.secret_key, credentials.token) == ("AKIDEXAMPLE", "secret", "token")
    assert not source.expires_within(1e9)


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        ({"HTTPS_PROXY": "http://proxy:3128"}, "http://proxy:3128"),
        ({"https_proxy": "proxy:3128"}, "http://proxy:3128"),
        ({"HTTP_PROXY": "http://proxy:3128"}, None),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": ".amazonaws.com"}, None),
        ({"HTTPS_PROXY": "http://proxy:3128", "NO_PROXY": "example.org"}, "http://proxy:3128"),
    ],
)
def test_a_proxy_is_used_where_botocore_would_use_it(
    bare: pytest.MonkeyPatch, environment: dict[str, str], proxy: str | None
) -> None:
    for name, value in environment.items():
        bare.setenv(name, value)

    location = resolver(**KEYS, AWS_REGION="eu-west-1", **environment).locate(QUEUE)

    assert location.proxy == proxy


@pytest.mark.parametrize(
    ("url", "region"),
    [
        (QUEUE, "eu-west-1"),
        ("https://sqs.us-gov-east-1.amazonaws.com/1/q", "us-gov-east-1"),
        ("https://queue.amazonaws.com/1/q", "us-east-1"),
        ("http://localhost:4566/1/q", None),
        ("not a url", None),
        ("http://[x/1/q", None),
    ],
)
def test_a_queues_url_names_its_region(url: str, region: str | None) -> None:
    assert region_in(url) == region


def test_a_configuration_never_shows_its_secrets() -> None:
    assert "secret" not in repr(ClientConfig.from_environment(KEYS))


class _ContainerAgent(BaseHTTPRequestHandler):
    """The container credential endpoint: new keys at each request, good for an hour."""

    asked = 0
    is_broken = False

    def do_GET(self) -> None:
        type(self).asked += 1
        until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        keys = {"AccessKeyId": f"AKTASK{self.asked}", "SecretAccessKey": "s", "Token": "t", "Expiration": until}
        body = b"{}" if self.is_broken else json.dumps(keys).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def container_agent(bare: pytest.MonkeyPatch) -> Iterator[type[_ContainerAgent]]:
    class Agent(_ContainerAgent):
        pass

    server = HTTPServer(("127.0.0.1", 0), Agent)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    bare.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{server.server_port}/role")
    bare.setenv("HTTP_PROXY", "http://127.0.0.1:1")  # a proxy that would fail: credentials never go through one
    yield Agent
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_tasks_credentials_come_from_its_agent_without_a_proxy(container_agent: type[_ContainerAgent]) -> None:
    source = resolver().credential_source()

    credentials = source.load()

    assert (credentials.access_key, credentials.token) == ("AKTASK1", "t")
    assert source.expires_within(3_700)
    assert not source.expires_within(3_000)
    assert source.refresh() == credentials


def test_credentials_asked_for_again_are_asked_of_the_agent_again(container_agent: type[_ContainerAgent]) -> None:
    source = resolver().credential_source()
    source.load()

    assert source.load().access_key == "AKTASK2"


def test_an_agent_that_answers_nonsense_is_a_fault_of_credentials(container_agent: type[_ContainerAgent]) -> None:
    container_agent.is_broken = True

    with pytest.raises(QueueError) as caught:
        resolver().credential_source().load()

    assert caught.value.fault.kind in (FaultKind.CREDENTIALS, FaultKind.UNAVAILABLE)


NO_BOTOCORE = """
import asyncio, sys
from forebay.queue.port import Outgoing
from forebay.queue.resolve import ClientConfig
from forebay.queue.sqs import SqsSource
from forebay.queue.sink import SqsSink
from forebay.errors import QueueError

async def main():
    config = ClientConfig.from_environment({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
                                            "AWS_ENDPOINT_URL": "http://127.0.0.1:1"})
    source = SqsSource.open("http://127.0.0.1:1/0/q", config)
    try:
        await source.receive(count_max=1, wait_s=0, visibility_s=5)
    except QueueError as error:
        print(error.fault.kind)
    await source.aclose()

asyncio.run(main())
print(sorted(name for name in sys.modules if name.split(".")[0] in ("botocore", "boto3", "aiohttp")))
"""


def test_with_keys_and_an_endpoint_neither_botocore_nor_aiohttp_is_ever_loaded() -> None:
    ran = subprocess.run([sys.executable, "-c", NO_BOTOCORE], capture_output=True, text=True, timeout=60, check=True)

    assert ran.stdout.split("\n")[:2] == ["unavailable", "[]"]
