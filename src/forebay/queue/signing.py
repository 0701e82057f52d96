"""Signs requests with AWS Signature Version 4, and holds the values that it signs with.

Written from "Create a signed AWS API request" (IAM User Guide); `tests/queue` compares every signature with
botocore's. Ours exists for its price: botocore's signer costs more than the rest of a call (PERF.md part B).

Rules kept here and nowhere else:

1. Secrets never appear in a repr.
2. The date is formatted once a second and the signing key derived once a day: both are kept.
3. The clock is the machine's, corrected by `skew_s`, which only a clock-skew answer of the service sets.
"""

from __future__ import annotations

import hmac
import time
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import quote

from forebay.queue.transport import Endpoint

SERVICE = "sqs"
CONTENT_TYPE = "application/x-amz-json-1.0"


@dataclass(frozen=True, slots=True)
class Credentials:
    """An AWS access key. Equal ones are the same key."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)

    @property
    def is_well_formed(self) -> bool:
        """Whether the values can stand in a header: printable ASCII, nothing else."""
        return bool(self.access_key and self.secret_key) and all(
            part.isascii() and part.isprintable() and " " not in part
            for part in (self.access_key, self.secret_key, self.token or "x")
        )


class Signer:
    """Makes the headers of signed requests to one endpoint in one Region."""

    def __init__(self, endpoint: Endpoint, region: str) -> None:
        self.region = region
        self.skew_s = 0.0
        """Added to the machine's clock. Seconds by which the service's clock is ahead of ours."""
        self._path = quote(endpoint.path, safe="/~")  # percent signs once more: only S3 signs a path as it is
        self._host = endpoint.authority
        self._second = -1
        self._amz_date = ""
        self._key = b""
        self._key_of: tuple[str, str] = ("", "")

    def headers(self, operation: str, body: bytes, credentials: Credentials, *, utc_s: float) -> dict[str, str]:
        """Return the headers of a signed request for `operation`, all but `Host` and `Content-Length`.

        `utc_s` is the machine's wall clock, in seconds of the Unix epoch.
        """
        second = int(utc_s + self.skew_s)
        if second != self._second:
            self._second = second
            self._amz_date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
        amz_date, token = self._amz_date, credentials.token
        date = amz_date[:8]
        target = f"AmazonSQS.{operation}"
        token_line = f"x-amz-security-token:{token}\n" if token else ""
        signed = (
            "content-type;host;x-amz-date;x-amz-security-token;x-amz-target;x-amzn-query-mode"
            if token
            else "content-type;host;x-amz-date;x-amz-target;x-amzn-query-mode"
        )
        canonical = (
            f"POST\n{self._path}\n\ncontent-type:{CONTENT_TYPE}\nhost:{self._host}\nx-amz-date:{amz_date}\n{token_line}"
            f"x-amz-target:{target}\nx-amzn-query-mode:true\n\n{signed}\n{sha256(body).hexdigest()}"
        )
        scope = f"{date}/{self.region}/{SERVICE}/aws4_request"
        to_sign = f"AWS4-HMAC-SHA256\n{amz_date}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self._signing_key(credentials.secret_key, date), to_sign.encode(), "sha256").hex()
        headers = {
            "Content-Type": CONTENT_TYPE,
            "X-Amz-Target": target,
            "X-Amz-Date": amz_date,
            "x-amzn-query-mode": "true",
            "Authorization": f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, "
            f"SignedHeaders={signed}, Signature={signature}",
        }
        if token:
            headers["X-Amz-Security-Token"] = token
        return headers

    def _signing_key(self, secret_key: str, date: str) -> bytes:
        if self._key_of != (secret_key, date):
            key = f"AWS4{secret_key}".encode()
            for part in (date, self.region, SERVICE, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key, self._key_of = key, (secret_key, date)
        return self._key
