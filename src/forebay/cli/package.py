"""`forebay package`: prints the CloudFormation template, or leaves it in a folder with all that it takes to use it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from forebay.cli.console import remark, tell
from forebay.cli.project import DEFAULT_MANIFEST, Environment, ManifestFile, project
from forebay.errors import ManifestError

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

EPILOG = """\b
Examples:
  forebay package                        (the template of the manifest, for people)
  forebay package --env production --json > template.json
  forebay package --eject infrastructure (from now on without Forebay's command line)

\b
AWS is not asked: the same manifest gives the same template, byte for byte."""


Folder = Annotated[
    Path | None,
    typer.Option("--eject", metavar="DIR", show_default=False, help="Write template, parameters and a README to DIR."),
]


@app.command(epilog=EPILOG)
def package(
    environment: Environment = None,
    manifest: ManifestFile = DEFAULT_MANIFEST,
    as_json: Annotated[bool, typer.Option("--json", help="Print compact JSON instead of YAML.")] = False,
    eject: Annotated[
        Path | None,
        typer.Option(
            "--eject", metavar="DIR", show_default=False, help="Write template, parameters and a README to DIR."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="With --eject: overwrite files that are there.")] = False,
) -> None:
    """Print the CloudFormation template that `deploy` would send."""
    from forebay.deploy.template.build import build
    from forebay.deploy.template.writing import as_json as json_of
    from forebay.deploy.template.writing import as_yaml

    if eject is not None and as_json:
        raise ManifestError("--json prints, and --eject writes files: give one of the two")
    if force and eject is None:
        raise ManifestError("--force belongs to --eject DIR")
    loaded = project(environment, manifest)
    template = build(loaded.manifest, loaded.names)
    if eject is None:
        tell(json_of(template) if as_json else as_yaml(template).rstrip("\n"))
        return
    from forebay.deploy.eject import files

    _write(eject, files(loaded, template), force=force)
    remark(f"{eject / 'README.md'} says what to do with it. Nothing of Forebay's command line is needed from here on")


def _write(folder: Path, files: dict[str, str], *, force: bool) -> None:
    there = [name for name in files if (folder / name).exists()]
    if there and not force:
        raise ManifestError(f"{folder} holds {', '.join(there)} already: name another folder, or add --force")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
            tell(str(folder / name))
    except OSError as error:
        raise ManifestError(f"--eject {folder}: cannot be written: {error.strerror}") from error
