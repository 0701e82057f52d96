"""The screens of a deployment as files, to be looked at: `python -m tests.deploy.screens --write` writes them anew.

Rules kept here and nowhere else:

1. Each is made from a scene of `scenes.py` by the product's own screens; nothing is drawn here.
2. Pictures of a terminal have their size in their name.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from pathlib import Path

from rich.console import Console
from tests.deploy.scenes import (
    DEPLOYED_BEFORE,
    DESCRIPTIONS,
    FAILED,
    FIRST,
    REVIEWED,
    ROLLING,
    STEADY,
    UPDATE,
    Recorder,
    failing_logs,
    failing_service,
    follow,
)
from tests.deploy.scripted_aws import ScriptedLogs, ScriptedService, ScriptedStack, Told

from forebay.cli.live_screen import LiveScreen, drawn
from forebay.cli.screen import JsonScreen, PlainScreen, Screen
from forebay.clock import VirtualClock
from forebay.deploy.following import Picture

FOLDER = Path(__file__).parent / "screens"
KINDS = {told.logical_id: told.kind for told in FIRST}
PLANNED = tuple((name, KINDS[name]) for name in DESCRIPTIONS)


def scene(
    script: tuple[Told, ...],
    service: Callable[[VirtualClock], ScriptedService],
    *,
    title: str = "Creating",
    logs: Callable[[VirtualClock], ScriptedLogs] | None = None,
) -> list[Picture]:
    """Return every picture of a scene."""
    past = REVIEWED if script[0].status == "CREATE_IN_PROGRESS" else DEPLOYED_BEFORE
    stack = ScriptedStack(VirtualClock(), past=list(past), script=script)
    stack.start()
    screen = Recorder()
    follow(
        stack, screen, service=service(stack.clock), title=title, planned=PLANNED if past is REVIEWED else (),
        logs=logs(stack.clock) if logs else None,
    )  # fmt: skip
    return screen.pictures


def first() -> list[Picture]:
    return scene(FIRST, lambda clock: ScriptedService(clock, STEADY))


def failed() -> list[Picture]:
    return scene(FAILED, failing_service, logs=failing_logs)


def update() -> list[Picture]:
    return scene(UPDATE, lambda clock: ScriptedService(clock, ROLLING), title="Updating")


def lines(screen: Screen, pictures: list[Picture]) -> str:
    """Return what a screen without a terminal writes of a whole scene."""
    out = io.StringIO()
    with redirect_stdout(out):
        for picture in pictures:
            screen.show(picture)
        screen.close()
    return out.getvalue()


def drawn_at(pictures: list[Picture], seconds: float, *, width: int, height: int) -> str:
    """Return what stands on a terminal so many seconds after the beginning, without colours."""
    began = pictures[0].at_utc
    picture = next(one for one in pictures if (one.at_utc - began).total_seconds() >= seconds)
    out = io.StringIO()
    console = Console(file=out, width=width, color_system=None)
    console.print(drawn(picture, width=width, height=height))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def on_terminal(pictures: list[Picture], *, width: int, height: int) -> str:
    """Return all that goes to a terminal, control codes included."""
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, force_terminal=True, color_system="standard")
    screen = LiveScreen(console)
    for picture in pictures:
        screen.show(picture)
    screen.close()
    return out.getvalue()


SCREENS: Mapping[str, Callable[[], str]] = {
    "first.plain.txt": lambda: lines(PlainScreen(), first()),
    "failed.plain.txt": lambda: lines(PlainScreen(), failed()),
    "update.plain.txt": lambda: lines(PlainScreen(), update()),
    "failed.jsonl": lambda: lines(JsonScreen(), failed()),
    "first.begun.100x30.txt": lambda: drawn_at(first(), 30.0, width=100, height=30),
    "first.service.100x30.txt": lambda: drawn_at(first(), 160.0, width=100, height=30),
    "first.service.60x30.txt": lambda: drawn_at(first(), 160.0, width=60, height=30),
    "first.service.100x9.txt": lambda: drawn_at(first(), 160.0, width=100, height=9),
    "update.rolling.100x30.txt": lambda: drawn_at(update(), 20.0, width=100, height=30),
}


def main() -> None:
    if sys.argv[1:] != ["--write"]:
        sys.exit("python -m tests.deploy.screens --write")
    FOLDER.mkdir(exist_ok=True)
    for stale in {path.name for path in FOLDER.iterdir()} - set(SCREENS):
        (FOLDER / stale).unlink()
    for name, made in SCREENS.items():
        (FOLDER / name).write_text(made(), encoding="utf-8")


if __name__ == "__main__":
    main()
