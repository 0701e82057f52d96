"""`forebay diff`: what `deploy` would change, without changing anything."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from forebay.cli.progress_lines import Line, change_lines
from forebay.cli.project import DEFAULT_MANIFEST, Environment, ManifestFile, clients, project
from forebay.cli.screen import screen_for
from forebay.clock import SystemClock

if TYPE_CHECKING:
    from forebay.deploy.change_values import Change
    from forebay.deploy.deploying import Deployed, Deployments
    from forebay.deploy.template.intrinsics import Json

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

EPILOG = """\b
Examples:
  forebay diff --env prod
  forebay diff --env prod --exit-code --json

\b
CloudFormation is asked what would be replaced, by a change set that is discarded at once. Without `--image` the image
that is deployed counts as unchanged. Exits 0 with and without differences; with `--exit-code` 3 when there are any, so
that 1 and 2 still say that the question could not be answered."""

DIFFERENT = 3
"""With `--exit-code`. Git has 1 there, which is an error of every verb here."""


@app.command(epilog=EPILOG)
def diff(
    env: Environment = None,
    manifest: ManifestFile = DEFAULT_MANIFEST,
    image: Annotated[
        str | None, typer.Option("--image", metavar="URI", help="Compare as if this image were deployed.")
    ] = None,
    only_read: Annotated[
        bool, typer.Option("--no-change-set", help="Only read: what is replaced is not told then.")
    ] = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 3 when something would change.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show which resources `deploy` would add, change, replace or remove, and how the template differs."""
    from forebay.deploy.comparing import changes_between, difference
    from forebay.deploy.deploying import Deployments

    loaded = project(env, manifest)
    screen = screen_for(as_json=as_json)
    made = clients()
    deployments = Deployments(loaded, made, clock=SystemClock(), pause=time.sleep)
    deployed = deployments.look()
    template = deployments.template()
    has_stack = bool(deployed.template) and not deployed.has_failed_at_first
    if has_stack and not deployed.is_busy and not only_read:
        changes = _asked(deployments, template, deployed, image)
    else:
        changes = changes_between(deployed.template if has_stack else {}, template)
    lines = difference(deployed.template if has_stack else {}, template)
    screen.event(
        "difference", stack=loaded.names.stack, exists=has_stack,
        changes=[change.as_json() for change in changes], diff=lines,
    )  # fmt: skip
    if not as_json:
        if not has_stack:
            screen.say(Line(f"Nothing is deployed as {loaded.names.stack}: everything is new", "bold"))
        elif deployed.is_busy:
            screen.say(Line(f"Stack {loaded.names.stack} is being worked on: what is replaced is not told", "bold"))
        if not changes and not lines:
            screen.say(Line(f"✔ Stack {loaded.names.stack} is as the manifest says", "good"))
        screen.say(*change_lines(changes), *(toned(line) for line in lines))
    if exit_code and (changes or lines):
        raise typer.Exit(DIFFERENT)


def _asked(deployments: Deployments, template: Json, deployed: Deployed, image: str | None) -> tuple[Change, ...]:
    deployments.refuse_obstacles(deployed)
    surroundings = deployments.surroundings(template)
    proposal = deployments.propose(template, deployed, surroundings=surroundings, image=image)
    if proposal.has_changes:
        deployments.stacks.discard(proposal)
    return proposal.changes


def toned(line: str) -> Line:
    """Return a line of a unified diff with what it means."""
    if line.startswith(("+++", "---", "@@")):
        return Line(line, "faint")
    return Line(line, "good" if line.startswith("+") else "bad" if line.startswith("-") else "plain")
