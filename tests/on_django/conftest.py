"""A Django that is set up once for this process, with a database in memory and tasks that are caught."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import django
import pytest
from django.conf import settings
from django.db import connection

from forebay.api.sending import caught_by
from forebay.queue.port import Outgoing, Sent

if not settings.configured:
    settings.configure(
        USE_TZ=True,
        SECRET_KEY="for tests only",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        TASKS={
            "default": {"BACKEND": "forebay.django.SqsBackend", "OPTIONS": {"modules": ["tests.on_django.declared"]}}
        },
    )
    django.setup()


class Caught:
    """Takes whatever is sent."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, Outgoing]] = []

    def has(self, address: str, /) -> bool:
        return True

    def take(self, address: str, messages: Sequence[Outgoing], /) -> Sequence[Sent]:
        first = len(self.messages)
        self.messages.extend((address, message) for message in messages)
        return [Sent(f"id-{first + index}", None) for index in range(len(messages))]


@pytest.fixture
def caught() -> Iterator[Caught]:
    with caught_by(catch := Caught()):
        yield catch


@pytest.fixture
def connected() -> Iterator[Any]:
    yield connection
    connection.close()
