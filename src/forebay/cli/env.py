"""`forebay env ls`: the environments of the manifest, and what runs in each."""

from __future__ import annotations

import json
import time
from typing import Annotated

import typer

from forebay.cli.console import tell
from forebay.cli.project import DEFAULT_MANIFEST, ManifestFile, clients, project
from forebay.cli.shapes import columns

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

HEADINGS = ("Environment", "Stack", "Status", "Last change", "Tasks", "Queue", "Dead")


EPILOG = """\b
Examples:
  forebay env ls
  forebay env ls --json"""


@app.callback(epilog=EPILOG)
def env() -> None:
    """Look at the environments that the manifest names."""


@app.command("ls", epilog=EPILOG)
def ls(
    manifest: ManifestFile = DEFAULT_MANIFEST,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """List the environments with stack status, last change, tasks and messages."""
    from forebay.cli.plain import plain
    from forebay.deploy.environments import environment_line
    from forebay.deploy.manifest.loading import environments_of
    from forebay.deploy.stacks import Stacks
    from forebay.deploy.trouble import explained

    names = environments_of(manifest)
    made = clients()
    with explained("connecting to AWS"):
        stacks = Stacks(made.cloudformation, pause=time.sleep)
    found = [environment_line(project(name, manifest), made, stacks) for name in names]
    if as_json:
        for one in found:
            tell(json.dumps(plain(one)))
        return
    rows = [
        (
            one.name,
            one.stack,
            one.status,
            f"{one.changed_utc:%Y-%m-%d %H:%M}Z" if one.changed_utc else "-",
            "-" if one.running is None else f"{one.running}/{one.desired}",
            "-" if one.waiting is None else f"{one.waiting:,}",
            "-" if one.dead is None else f"{one.dead:,}",
        )
        for one in found
    ]
    for line in columns([HEADINGS, *rows], indent=""):
        tell(line)
