"""Clients of the local SQS for its tests: boto3, and bare sockets that say exactly what they are told to."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

PATIENCE_S = 30.0
"""The bound of every wait; only a failure reaches it."""


def boto3_of(endpoint: str, *, read_timeout_s: float = PATIENCE_S) -> SQSClient:
    """A boto3 client that repeats nothing by itself."""
    return boto3.client(
        "sqs",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(retries={"total_max_attempts": 1}, read_timeout=read_timeout_s),
    )


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """One connection."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        self._reader = self._socket.makefile("rb")

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._reader.close()
        self._socket.close()

    def say(self, text: str | bytes) -> None:
        self._socket.sendall(text if isinstance(text, bytes) else text.encode())

    def send(
        self,
        operation: str,
        params: object = None,
        *,
        method: str = "POST",
        path: str = "/",
        **headers: str,
    ) -> None:
        """Send one request. Header names are given with underscores."""
        body = params if isinstance(params, bytes) else json.dumps(params or {}).encode()
        lines = {
            "Host": f"127.0.0.1:{self.port}",
            "X-Amz-Target": f"AmazonSQS.{operation}",
            "Content-Length": str(len(body)),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self.say(head.encode() + b"\r\n" + body)

    def answer(self) -> Answer:
        """Read one answer. Raises ConnectionError when the server hangs up instead."""
        first = self._reader.readline()
        if not first.endswith(b"\r\n"):
            raise ConnectionError("hung up")
        headers: dict[str, str] = {}
        while (line := self._reader.readline().strip()) != b"":
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        body = self._reader.read(int(headers.get("content-length", "0")))
        if len(body) < int(headers.get("content-length", "0")):
            raise ConnectionError("hung up in the middle of a body")
        return Answer(int(first.split()[1]), headers, body)

    def call(self, operation: str, params: object = None, **headers: str) -> Answer:
        self.send(operation, params, **headers)
        return self.answer()


def control(port: int, method: str, path: str, body: object = None) -> Answer:
    """Use one of the server's own controls."""
    with Wire(port) as wire:
        wire.send("", body, method=method, path=path)
        return wire.answer()
