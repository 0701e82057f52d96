"""`forebay import`: makes a manifest of the one that AWS Copilot has used, and tells what is not the same."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from forebay.cli import console
from forebay.cli.project import DEFAULT_MANIFEST
from forebay.errors import ManifestError

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

EPILOG = """\b
Examples:
  forebay import copilot/queue-consumer/manifest.yml --handler jobs:worker
  forebay import copilot/queue-consumer/manifest.yml --env test --env prod --account 123456789012 --region eu-central-1

\b
Run it where Copilot was run: in the folder that holds copilot/. What has no counterpart is told with what to do about
it, here and as remarks in the new manifest. Nothing in AWS is touched."""

Written = Annotated[Path, typer.Argument(metavar="MANIFEST", show_default=False, help="Copilot's manifest.yml.")]
Environments = Annotated[
    list[str] | None,
    typer.Option("--env", "-e", metavar="NAME", show_default=False, help="An environment; may be given several times."),
]
Addons = Annotated[
    Path | None,
    typer.Option("--addons", metavar="DIR", show_default=False, help="The addons. [addons/ beside the manifest]"),
]
Output = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to; - prints it.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")]
Handler = Annotated[
    str | None,
    typer.Option("--handler", metavar="TARGET", show_default=False, help="module:attribute of your Worker."),
]
Name = Annotated[
    str | None, typer.Option("--name", metavar="NAME", show_default=False, help="The service's name. [Copilot's]")
]
Generate = Annotated[bool, typer.Option("--generate", help="Write a Dockerfile and .dockerignore too.")]
Application = Annotated[
    str | None,
    typer.Option("--app", metavar="NAME", show_default=False, help="Copilot's application. [from copilot/.workspace]"),
]
Account = Annotated[
    str | None, typer.Option("--account", metavar="ID", show_default=False, help="The account, for ARNs.")
]
Region = Annotated[
    str | None,
    typer.Option(
        "--region", metavar="NAME", envvar=["AWS_REGION", "AWS_DEFAULT_REGION"], show_default=False, help="The Region."
    ),
]
Vpc = Annotated[str | None, typer.Option("--vpc", metavar="ID", show_default=False, help="The VPC of named subnets.")]


@app.command(name="import", epilog=EPILOG)
def import_(
    manifest: Written,
    env: Environments = None,
    addons: Addons = None,
    output: Output = DEFAULT_MANIFEST,
    force: Force = False,
    handler: Handler = None,
    name: Name = None,
    generate: Generate = False,
    application: Application = None,
    account: Account = None,
    region: Region = None,
    vpc: Vpc = None,
) -> None:
    """Make a forebay.yml of a Worker Service of AWS Copilot."""
    from forebay.deploy import new_files
    from forebay.deploy.importing import Wanted, converted
    from forebay.deploy.starting import image_files, schema_beside

    if not force and str(output) != "-" and new_files.existing([output]):
        raise ManifestError(f"{output} is there already: --force replaces it, --output - only prints")
    known: dict[str, Any] = {"application": application, "account": account, "region": region, "vpc": vpc}
    found = converted(
        Wanted(
            manifest=manifest,
            folder=Path.cwd() if str(output) == "-" else output.parent,
            environments=tuple(env or ()),
            addons=addons,
            handler=handler,
            name=name,
            generates=generate,
            **known,
        )
    )
    if str(output) == "-":
        console.tell(found.text.rstrip("\n"))
    else:
        files = {output: found.text, **schema_beside(output)}
        if generate:
            files |= image_files(found.name, output.parent)
        new_files.write(files, replacing=new_files.existing(files) if force else [])
        for path in files:
            console.tell(str(path))
    for line in found.told():
        console.remark(line)
