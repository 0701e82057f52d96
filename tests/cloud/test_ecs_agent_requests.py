"""Go's decoding of a PUT's body, rule for rule (facts/ecs-task-protection.md section 1)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.cloud.agent_requests import Undecodable, UpdateRequest, decode_update


@pytest.mark.parametrize(
    ("body", "request_"),
    [
        (b'{"ProtectionEnabled":true}', UpdateRequest(True, None)),
        (b'{"ProtectionEnabled":false,"ExpiresInMinutes":60}', UpdateRequest(False, 60)),
        (b'{"protectionenabled":true,"EXPIRESINMINUTES":1}', UpdateRequest(True, 1)),
        (b'{"ProtectionEnabled":true,"ProtectionEnabled":false}', UpdateRequest(False, None)),
        (b'{"ProtectionEnabled":true,"ProtectionEnabled":null}', UpdateRequest(None, None)),
        (b'{"ProtectionEnabled":true} and more', UpdateRequest(True, None)),
        (b' \r\n\t{"ProtectionEnabled":true}{"x":1}', UpdateRequest(True, None)),
        (b'{"ProtectionEnabled":null,"ExpiresInMinutes":null}', UpdateRequest(None, None)),
        (b"{}", UpdateRequest(None, None)),
        (b"null", UpdateRequest(None, None)),
        (b'{"ExpiresInMinutes":4294967297}', UpdateRequest(None, 1)),
        (b'{"ExpiresInMinutes":2147483648}', UpdateRequest(None, -2147483648)),
        (b'{"ExpiresInMinutes":-0}', UpdateRequest(None, 0)),
    ],
)
def test_what_the_agent_can_decode(body: bytes, request_: UpdateRequest) -> None:
    assert decode_update(body) == request_


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"  ",
        b"{",
        b"[]",
        b"true",
        b'"{}"',
        b'{"Unknown":null}',
        b'{"Protection Enabled":true}',
        b'{"ProtectionEnabled":"true"}',
        b'{"ProtectionEnabled":1}',
        b'{"ExpiresInMinutes":"60"}',
        b'{"ExpiresInMinutes":1.5}',
        b'{"ExpiresInMinutes":60.0}',
        b'{"ExpiresInMinutes":6e1}',
        b'{"ExpiresInMinutes":true}',
        b'{"ExpiresInMinutes":NaN}',
        b'{"ExpiresInMinutes":9223372036854775808}',
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
    ],
)
def test_what_the_agent_cannot_decode(body: bytes) -> None:
    with pytest.raises(Undecodable):
        decode_update(body)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_decoder(body: bytes) -> None:
    try:
        decoded = decode_update(body)
    except Undecodable:
        return
    assert isinstance(decoded, UpdateRequest)


@given(st.booleans() | st.none(), st.integers(1, 2_880) | st.none())
def test_whatever_a_client_writes_properly_is_read(enabled: bool | None, minutes: int | None) -> None:
    body = json.dumps({"ProtectionEnabled": enabled, "ExpiresInMinutes": minutes}).encode()

    assert decode_update(body) == UpdateRequest(enabled, minutes)
