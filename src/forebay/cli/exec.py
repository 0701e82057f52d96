"""`forebay exec`: a shell or a command in a running task, by ECS Exec."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from forebay.cli import console
from forebay.cli.live_options import Cluster, Service, subject
from forebay.cli.project import DEFAULT_MANIFEST, Environment, ManifestFile, clients
from forebay.errors import DeployError

if TYPE_CHECKING:
    from forebay.deploy.live.session import Session

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

SHELL = ("/bin/sh",)
VERSION_MAX_S = 10.0

EPILOG = """\b
Examples:
  forebay exec
  forebay exec --task 0506b170 -- python -c "import forebay; print(forebay.__version__)"

\b
It needs `exec: true` in forebay.yml, which makes the container's root file system writable and gives its role four
permissions, and AWS's session-manager-plugin on this machine. The exit status is the plugin's."""


@app.command(epilog=EPILOG)
def exec_(
    command: Annotated[
        list[str] | None, typer.Argument(metavar="-- COMMAND", show_default=False, help="[/bin/sh]")
    ] = None,
    environment: Environment = None,
    manifest: ManifestFile = DEFAULT_MANIFEST,
    cluster: Cluster = None,
    service: Service = None,
    task: Annotated[
        str | None,
        typer.Option(
            "--task", metavar="ID", show_default=False, help="The task; the beginning of its id. [the newest]"
        ),
    ] = None,
) -> None:
    """Open a shell in a running task, or run a command there."""
    from forebay.deploy.live.session import chosen, open_session
    from forebay.deploy.trouble import explained

    about = subject(environment, manifest, cluster, service)
    made = clients()
    with explained("looking for a task"):
        found = chosen(made, about.where, task)
    plugin = _plugin()
    with explained("opening a session"):
        session = open_session(made, about.where, found, command or SHELL, plugin_version=_version(plugin))
    console.remark(
        f"Task {found.task_id[:8]}: what is written outside of /tmp and what is changed is gone with the task."
    )
    _hand_over(plugin, session)


def _plugin() -> str:
    from forebay.deploy.live.session import PLUGIN, PLUGIN_PAGE

    found = shutil.which(PLUGIN)
    if found is None:
        raise DeployError(f"{PLUGIN} is not on the PATH: it carries the session; AWS has it at {PLUGIN_PAGE}")
    return found


def _version(plugin: str) -> str:
    """Return what the plugin says of its version; nothing when it does not, as old ones may."""
    try:
        done = subprocess.run(  # noqa: S603 - the plugin that is to be handed over to
            [plugin, "--version"], capture_output=True, text=True, timeout=VERSION_MAX_S, check=False, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DeployError(f"{plugin} cannot be run ({type(error).__name__}): install it anew") from error
    return done.stdout.strip() if done.returncode == 0 else ""


def _hand_over(plugin: str, session: Session) -> NoReturn:
    """Become the plugin, so that the terminal, its signals and the exit status are its own."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os.execve(plugin, [plugin, *session.arguments], {**os.environ, **session.environment})  # noqa: S606
