"""The port to whoever is told what happens: `observability.reporter.Reporter` in production, a list in tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from forebay.model import Attempt
from forebay.worker.vocabulary import Conclusion


class Recorder(Protocol):
    """Told on the control loop; never blocks, never raises."""

    def report(self, event: str, fields: Mapping[str, object], /) -> None: ...

    def started(self, attempts: Sequence[Attempt], /) -> None: ...

    def concluded(self, conclusions: Sequence[Conclusion], /) -> None: ...

    def tick(self) -> None: ...
