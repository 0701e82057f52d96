"""`forebay deploy`: builds the image, changes the stack, and shows what happens until the service is steady."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from forebay.cli.asking import Terminal
from forebay.cli.deployment import Deployment
from forebay.cli.project import DEFAULT_MANIFEST, Environment, ManifestFile, clients, project
from forebay.cli.screen import screen_for
from forebay.cli.wanted_image import WantedImage
from forebay.clock import SystemClock

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

EPILOG = """\b
Examples:
  forebay deploy
  forebay deploy --env prod --diff
  forebay deploy --env prod --image 123456789012.dkr.ecr.eu-west-1.amazonaws.com/thumbnails:1.4.2 --yes --no-wait

\b
Exits 0 when the service is deployed or nothing was to be changed, 1 when it failed or AWS refuses, 2 for a mistake in
the call or the manifest, 130 after Ctrl-C: what has begun goes on, and `forebay deploy` comes back to it. What somebody
else has begun is waited for, and then this is deployed."""

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Answer every question with yes.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]


@app.command(epilog=EPILOG)
def deploy(
    env: Environment = None,
    manifest: ManifestFile = DEFAULT_MANIFEST,
    image: Annotated[
        str | None, typer.Option("--image", metavar="URI", help="Deploy this image instead of building one.")
    ] = None,
    registry: Annotated[
        str | None,
        typer.Option(
            "--registry",
            metavar="HOST/PATH",
            envvar="FOREBAY_REGISTRY",
            show_default=False,
            help="Push the image there. [a repository of the account's ECR]",
        ),
    ] = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Build the image anew from a newly looked up base, though it exists.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show every line of the build.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show what would change, and ask before it is done.")] = False,
    yes: Yes = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Start the deployment and leave.")] = False,
    no_doctor: Annotated[
        bool, typer.Option("--no-doctor", help="Deploy though `forebay doctor` finds errors.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Deploy the worker and its queue: build and push the image, change the stack, wait until the service is steady."""
    from forebay.deploy.deploying import Deployments

    wanted = WantedImage(named=image, registry=registry, is_built_again=rebuild, is_loud=verbose)
    loaded = project(env, manifest)
    if not no_doctor:
        from forebay.cli.examining import insist

        insist(loaded)
    screen = screen_for(as_json=as_json)
    made = clients()
    deployments = Deployments(loaded, made, clock=SystemClock(), pause=time.sleep)
    run = Deployment(loaded, made, deployments, screen, Terminal(yes=yes))
    run.run(image=wanted, shows_difference=diff, waits=not no_wait)
