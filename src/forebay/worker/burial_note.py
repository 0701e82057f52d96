"""Completes the note that goes with a buried message: where and when it was, and with which versions.

The engine knows neither clocks nor versions; this is the edge where they are added.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib.metadata import version

from forebay.clock import Clock


class Notes:
    """Writes the content of the attribute `forebay.error`: one JSON object."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._arns: dict[str, str] = {}
        self._versions: dict[str, str] | None = None

    def learn(self, key: str, arn: str | None) -> None:
        """Remember the ARN of a source."""
        if arn is not None:
            self._arns[key] = arn

    def write(self, error: Mapping[str, object], key: str) -> str:
        """Return the note as JSON text."""
        if self._versions is None:
            self._versions = {"forebay": version("forebay"), "python": platform.python_version()}
        at = self._clock.utc().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return json.dumps({**error, "queue": self._arns.get(key, key), **self._versions, "at": at}, ensure_ascii=False)
