"""Clients and sources of the tests, all signed with one made-up key."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from forebay.queue.calls import Caller
from forebay.queue.keyring import Notify, ignore
from forebay.queue.resolve import ClientConfig, Resolver
from forebay.queue.sqs import SqsSource
from forebay.queue.wire import SqsClient

ACCESS_KEY = "AKIDEXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
REGION = "eu-west-1"
QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/jobs"


def environment(endpoint: str) -> Mapping[str, str]:
    return {
        "AWS_ENDPOINT_URL_SQS": endpoint,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    }


def config(endpoint: str) -> ClientConfig:
    return ClientConfig.from_environment(environment(endpoint))


@asynccontextmanager
async def a_client(
    port: int, *, resolver: Resolver | None = None, wall: Callable[[], float] = time.time, notify: Notify = ignore
) -> AsyncIterator[SqsClient]:
    """A client of the server on `port`."""
    resolver = resolver or Resolver(config(f"http://127.0.0.1:{port}"))
    caller = Caller(QUEUE, resolver, notify=notify, wall=wall)
    try:
        yield SqsClient(caller)
    finally:
        await caller.aclose()


@asynccontextmanager
async def a_source(
    endpoint: str, queue_url: str, *, dead_letter_url: str | None = None, notify: Notify = ignore
) -> AsyncIterator[SqsSource]:
    """A source of the queue at `queue_url`."""
    source = SqsSource.open(queue_url, config(endpoint), dead_letter_url=dead_letter_url, notify=notify)
    try:
        yield source
    finally:
        await source.aclose()
