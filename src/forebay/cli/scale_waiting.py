"""How `forebay scale` waits until a count is reached: what it shows, when it is content, and when it gives up."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

from forebay.cli import console
from forebay.cli.pace import Pace, Patience
from forebay.cli.shapes import ago, bar, event_text, instant, plural
from forebay.deploy.live.counting import Progress, Standstill
from forebay.errors import DeployError

LOOK_S = 2.0


def wait(look: Callable[[], Progress], display: Lines, pace: Pace) -> int:
    """Show how far the service is until the count is reached; return the exit status."""
    news = _News(pace)
    standstill = Standstill(pace.now())
    patience = Patience()
    while True:
        try:
            seen = look()
        except DeployError as error:
            patience.bear(error)
            pace.wait(LOOK_S)
            continue
        patience.forget()
        for line in news.of(seen):
            display.remark(line)
        display.show(line_of(seen))
        if seen.is_overruled:
            return console.complain(
                f"{plural(seen.desired, 'task')} {'is' if seen.desired == 1 else 'are'} wanted meanwhile, "
                "by somebody else or by scaling",
                status=1,
            )
        if seen.is_there:
            return 0
        if standstill.has_come(seen, pace.now()):
            return console.complain(
                f"{seen.running} of {seen.wanted} tasks run, and nothing has changed for ten minutes: "
                "`forebay status` groups the reasons why tasks stopped",
                status=1,
            )
        pace.wait(LOOK_S)


class _News:
    """What the scheduler has told since we began to wait, each thing once."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._began_utc = pace.utc()
        self._told: set[str] = set()

    def of(self, seen: Progress) -> Iterator[str]:
        for event in reversed(seen.events):
            if event.at_utc >= self._began_utc and event.text not in self._told:
                self._told.add(event.text)
                yield f"  {ago(event.at_utc, self._pace.utc())}: {event_text(event.text)}"


def line_of(seen: Progress) -> str:
    """Return how far the service is, in a line."""
    line = f"  Running   {bar(seen.running, seen.wanted)}  {seen.running}/{seen.wanted} desired tasks are running"
    if seen.protected:
        until = seen.staying_until_utc
        line += f"; protected until their jobs end: {plural(len(seen.protected), 'task')}"
        line += f", at the latest {instant(until)} unless renewed" if until is not None else ""
    return line


class Lines:
    """Shows progress where there is no terminal: a line for each change."""

    def __init__(self) -> None:
        self._last = ""

    def show(self, line: str) -> None:
        if line != self._last:
            self._last = line
            console.tell(line)

    def remark(self, line: str) -> None:
        console.remark(line)

    def end(self) -> None:
        """Leave nothing half written."""


class Redrawn(Lines):
    """Shows progress on a terminal: in one line, drawn anew."""

    def show(self, line: str) -> None:
        self._last = line
        self._write(f"\r\033[K{line}")

    def remark(self, line: str) -> None:
        self._write(f"\r\033[K{line}\n{self._last}")

    def end(self) -> None:
        self._write("\n")

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()
