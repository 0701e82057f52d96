"""Checks the signature of a request with botocore's signer: the second opinion on ours."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


def signature_by_botocore(
    *,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    access_key: str,
    secret_key: str,
    token: str | None,
    region: str,
) -> str:
    """Return the Authorization header that botocore makes for the headers that ours says are signed."""
    lower = {name.lower(): value for name, value in headers.items()}
    signed = lower["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    request = AWSRequest(method="POST", url=url, data=body)
    for name in signed:
        if name != "host":
            request.headers[name] = lower[name]
    request.context["timestamp"] = lower["x-amz-date"]
    auth: Any = SigV4Auth(Credentials(access_key, secret_key, token), "sqs", region)
    canonical = auth.canonical_request(request)
    to_sign = auth.string_to_sign(request, canonical)
    signature = auth.signature(to_sign, request)
    return f"AWS4-HMAC-SHA256 Credential={auth.scope(request)}, SignedHeaders={';'.join(signed)}, Signature={signature}"


def amz_moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
