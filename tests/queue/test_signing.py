"""Every signature of ours is botocore's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.queue.signatures import signature_by_botocore

from forebay.errors import SettingsError
from forebay.queue.signing import Credentials, Signer
from forebay.queue.transport import Endpoint

KEYS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=60)
REGIONS = st.sampled_from(["us-east-1", "eu-central-2", "cn-north-1", "us-gov-west-1", "ap-southeast-7"])
OPERATIONS = st.sampled_from(["ReceiveMessage", "DeleteMessageBatch", "SendMessageBatch", "GetQueueUrl"])
ENDPOINTS = st.sampled_from(
    [
        "https://sqs.eu-west-1.amazonaws.com",
        "http://127.0.0.1:9324",
        "https://localhost:443/",
        "http://[::1]:4566",
        "https://proxy.example:8443/aws/sqs",
        "http://gateway/with%20space/~x",
    ]
)


@given(
    endpoint_url=ENDPOINTS,
    region=REGIONS,
    operation=OPERATIONS,
    body=st.binary(max_size=400),
    access_key=st.from_regex(r"[A-Z0-9]{16,20}", fullmatch=True),
    secret_key=KEYS,
    token=st.one_of(st.none(), KEYS),
    utc_s=st.floats(0, 4_000_000_000),
)
def test_our_signature_is_botocores(
    endpoint_url: str,
    region: str,
    operation: str,
    body: bytes,
    access_key: str,
    secret_key: str,
    token: str | None,
    utc_s: float,
) -> None:
    endpoint = Endpoint.parse(endpoint_url)
    signer = Signer(endpoint, region)

    headers = signer.headers(operation, body, Credentials(access_key, secret_key, token), utc_s=utc_s)

    assert headers["Authorization"] == signature_by_botocore(
        url=endpoint.url,
        headers=headers,
        body=body,
        access_key=access_key,
        secret_key=secret_key,
        token=token,
        region=region,
    )
    assert headers.get("X-Amz-Security-Token") == token
    assert headers["X-Amz-Target"] == f"AmazonSQS.{operation}"


@given(st.lists(st.tuples(st.sampled_from(["k1", "k2"]), st.integers(0, 4 * 86_400)), min_size=2, max_size=12))
def test_what_a_signer_keeps_never_outlives_its_day_or_its_key(uses: list[tuple[str, int]]) -> None:
    """One signer used for many moments and keys signs as a new one would."""
    endpoint = Endpoint.parse("https://sqs.eu-west-1.amazonaws.com")
    kept = Signer(endpoint, "eu-west-1")

    for secret_key, utc_s in uses:
        credentials = Credentials("AK", secret_key)
        fresh = Signer(endpoint, "eu-west-1")

        assert kept.headers("X", b"", credentials, utc_s=utc_s) == fresh.headers("X", b"", credentials, utc_s=utc_s)


def test_the_skew_moves_the_signing_time() -> None:
    signer = Signer(Endpoint.parse("https://sqs.eu-west-1.amazonaws.com"), "eu-west-1")
    signer.skew_s = 3_600.0

    assert signer.headers("X", b"", Credentials("AK", "s"), utc_s=0)["X-Amz-Date"] == "19700101T010000Z"


def test_secrets_do_not_appear_in_a_repr() -> None:
    shown = repr(Credentials("AKIDEXAMPLE", "the-secret", "the-token"))

    assert "AKIDEXAMPLE" in shown
    assert "the-secret" not in shown
    assert "the-token" not in shown


@pytest.mark.parametrize(
    "bad", [("", "s", None), ("a", "", None), ("a", "s\r\nX: y", None), ("a", "s", "t\n"), ("ä", "s", None)]
)
def test_a_key_that_cannot_stand_in_a_header_is_not_well_formed(bad: tuple[str, str, str | None]) -> None:
    assert not Credentials(*bad).is_well_formed
    assert Credentials("AK", "s/+=", "t").is_well_formed


@pytest.mark.parametrize(
    "url",
    ["", "sqs.eu-west-1.amazonaws.com", "ftp://x", "https://", "http://x:y", "http://u:p@x", "http://x?y", "http://[x"],
)
def test_an_endpoint_that_is_no_url_is_a_settings_error(url: str) -> None:
    with pytest.raises(SettingsError):
        Endpoint.parse(url)


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("https://a.example", "a.example"),
        ("https://a.example:443/x", "a.example"),
        ("https://a.example:80", "a.example:80"),
        ("http://a.example:80", "a.example"),
        ("http://[::1]:99", "[::1]:99"),
        ("HTTP://A.Example", "a.example"),
    ],
)
def test_the_host_header_names_the_port_only_when_it_is_not_the_schemes_own(url: str, authority: str) -> None:
    assert Endpoint.parse(url).authority == authority
