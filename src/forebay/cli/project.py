"""The options that all verbs of a deployment share, the manifest that they name, and the way to AWS."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forebay.api.project_file import FILE_NAME

if TYPE_CHECKING:
    from forebay.deploy.clients import Clients
    from forebay.deploy.manifest.loading import Loaded

Environment = Annotated[
    str | None,
    typer.Option(
        "--env",
        "-e",
        envvar="FOREBAY_ENV",
        show_default=False,
        help="The environment. [the only one of the manifest; test when it names none]",
    ),
]
ManifestFile = Annotated[
    Path,
    typer.Option("--manifest", "-f", metavar="FILE", help="The manifest; its folder is where its paths start."),
]
DEFAULT_MANIFEST = Path(FILE_NAME)


def project(environment: str | None, manifest: Path) -> Loaded:
    """Return the manifest of the environment. Raises `ManifestError`, which names line and column."""
    from forebay.deploy.manifest.loading import load

    return load(manifest, environment)


def clients() -> Clients:
    """Return the clients of the surroundings' account and Region. Raises `DeployError`."""
    from forebay.deploy.clients import Clients
    from forebay.deploy.trouble import explained

    with explained("looking for the AWS account"):
        return Clients()
