"""The compact live view of `forebay local --no-page` on a terminal: one screenful, drawn anew twice a second.

Rules kept here and nowhere else:

1. It shows what the page shows, from the same picture; nothing is computed here but widths and words.
2. Lines that say something is wrong stay above the view for good; the tasks' other lines are left out.
3. State is told by words, colour only adds to it.
4. A line that is told is never cut into several, however narrow the terminal is: it may be there to be copied.
"""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from forebay.cli.shapes import bar
from forebay.local.port import Picture, ServiceFigures, TaskFigures

TASKS_MAX = 12
TOLD_MAX = 4
BAR_WIDTH = 24

WORDS = ("task", "state", "protected")
"""Columns of a task that hold words; the others hold numbers."""

STYLES = {
    "pending": "dim",
    "starting": "dim",
    "idle": "cyan",
    "busy": "green",
    "draining": "yellow",
    "stopping": "yellow",
    "stopped": "dim",
}


class LiveView:
    """Draws pictures on a terminal until it is closed."""

    shows_pictures = True

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=False)

    def __enter__(self) -> LiveView:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def tell(self, line: str) -> None:
        """Say something for good, above the view."""
        self._console.print(Text(line), soft_wrap=True)

    def task_line(self, line: str, *, is_warning: bool) -> None:
        """Show a task's line if it says that something is wrong."""
        if is_warning:
            self._console.print(Text(line.rstrip("\n")), soft_wrap=True)

    def show(self, picture: Picture) -> None:
        """Draw this picture."""
        self._live.update(screen(picture), refresh=True)

    def end(self, picture: Picture) -> None:
        """Draw the last picture. What is told from now on stands below it."""
        self._live.update(screen(picture, is_over=True), refresh=True)
        self._live.stop()


def screen(picture: Picture, *, is_over: bool = False) -> RenderableType:
    """Return what is drawn of one picture."""
    parts: list[RenderableType] = []
    for service in picture["services"]:
        parts += [_headline(service), _tasks(service["tasks"])]
    main = picture["services"][0]
    told = [*main["decisions"][:TOLD_MAX], *main["events"][:TOLD_MAX]]
    parts += [
        Text(f"{one['at_utc'][11:19]}  {one['text']}", style="dim", no_wrap=True, overflow="ellipsis") for one in told
    ]
    if picture["faults"]:
        faults = ", ".join(f"{fault['name']} for {fault['left_s']:.0f} s" for fault in picture["faults"])
        parts.append(Text(f"made on purpose: {faults}", style="yellow"))
    if not is_over:
        parts.append(Text("Stopping: running jobs finish" if picture["is_stopping"] else "Ctrl-C drains", style="bold"))
    return Group(*parts)


def _headline(service: ServiceFigures) -> RenderableType:
    queue, wait, run = service["queue"], service["wait"], service["run"]
    table = Table.grid(padding=(0, 2))
    table.add_row(
        Text(service["name"], style="bold"),
        f"tasks {service['running']}/{service['desired']} (of {service['count_min']} to {service['count_max']}), "
        f"{service['protected']} protected",
    )
    table.add_row(
        "queue",
        f"{queue['visible']:,} visible, {queue['in_flight']:,} in flight, {queue['delayed']:,} delayed, "
        f"{queue['dead']:,} dead; oldest {queue['oldest_age_s']:.0f} s",
    )
    table.add_row("jobs", f"{queue['sent']:,} sent, {queue['deleted']:,} done")
    table.add_row("", _bar(queue["deleted"], queue["sent"]))
    table.add_row("seconds", f"wait p50 {_seconds(wait['p50_s'])} p99 {_seconds(wait['p99_s'])}, "
                  f"run p50 {_seconds(run['p50_s'])} p99 {_seconds(run['p99_s'])}")  # fmt: skip
    return table


def _tasks(tasks: list[TaskFigures]) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("task", "state", "protected", "running", "done", "failed", "age"):
        table.add_column(heading, justify="left" if heading in WORDS else "right", no_wrap=heading in WORDS)
    alive = [task for task in tasks if task["state"] != "stopped"]
    shown = (alive + [task for task in tasks if task["state"] == "stopped"])[:TASKS_MAX]
    for task in shown:
        state = task["state"] if task["exit_code"] is None else f"stopped, exit {task['exit_code']}"
        left_s = task["protected_left_s"]
        protected = "" if not task["is_protected"] else "yes" if left_s is None else f"{left_s / 60:.0f} min"
        table.add_row(
            task["task_id"][:8],
            Text(state, style=STYLES.get(task["state"], "")),
            protected,
            str(task["running_jobs"]),
            str(task["done_jobs"]),
            str(task["failed_jobs"]),
            f"{task['age_s']:.0f} s",
        )
    if len(tasks) > len(shown):
        table.add_row(f"and {len(tasks) - len(shown)} more")
    return table


def _bar(done: int, of: int) -> Text:
    drawn = bar(done, of, blocks=BAR_WIDTH)
    filled = drawn.count("█")
    return Text(drawn[:filled], style="green") + Text(drawn[filled:], style="dim")


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"
