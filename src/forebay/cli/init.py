"""`forebay init`: asks the few questions that a new service needs, and writes its manifest and its image's files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forebay.cli import console
from forebay.cli.answering import Asker
from forebay.cli.project import DEFAULT_MANIFEST, ManifestFile
from forebay.errors import ManifestError

if TYPE_CHECKING:
    from forebay.deploy.starting import Answers

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

INTERRUPTED = 130

EPILOG = """\b
Examples:
  forebay init
  forebay init --yes
  forebay init --name thumbnails --handler shop.jobs:worker --generate --min 0 --max 20 --latency 5m --job 2s --yes

\b
Writes all of its files or none. What is there already is replaced only after you said so, or with --force."""

Name = Annotated[str | None, typer.Option("--name", metavar="NAME", show_default=False, help="The service's name.")]
Handler = Annotated[
    str | None,
    typer.Option(
        "--handler", metavar="TARGET", show_default=False, help="module:attribute of the Worker, or `sample`."
    ),
]
Dockerfile = Annotated[
    str | None, typer.Option("--dockerfile", metavar="FILE", show_default=False, help="A Dockerfile that exists.")
]
Generate = Annotated[bool, typer.Option("--generate", help="Write a Dockerfile and .dockerignore.")]
ImageLocation = Annotated[
    str | None, typer.Option("--image", metavar="URI", show_default=False, help="An image that exists.")
]
Cpu = Annotated[
    str | None, typer.Option("--cpu", metavar="UNITS", show_default=False, help="CPU units of a task. [256]")
]
Memory = Annotated[
    str | None, typer.Option("--memory", metavar="MIB", show_default=False, help="Memory of a task. [twice the CPU]")
]
Least = Annotated[str | None, typer.Option("--min", metavar="N", show_default=False, help="Tasks at least. [1]")]
Most = Annotated[str | None, typer.Option("--max", metavar="N", show_default=False, help="Tasks at most. [10]")]
Latency = Annotated[
    str | None, typer.Option("--latency", metavar="TIME", show_default=False, help="The wait that is fine. [10m]")
]
Job = Annotated[str | None, typer.Option("--job", metavar="TIME", show_default=False, help="What a job takes. [10s]")]
Slots = Annotated[
    str | None, typer.Option("--slots", metavar="N", show_default=False, help="Jobs at once in a task. [10]")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take what would be suggested.")]
Force = Annotated[bool, typer.Option("--force", help="Replace files that are there.")]
Deploy = Annotated[
    bool | None, typer.Option("--deploy/--no-deploy", show_default=False, help="Deploy a test environment at the end.")
]


@app.command(epilog=EPILOG)
def init(
    name: Name = None,
    handler: Handler = None,
    dockerfile: Dockerfile = None,
    generate: Generate = False,
    image: ImageLocation = None,
    cpu: Cpu = None,
    memory: Memory = None,
    least: Least = None,
    most: Most = None,
    latency: Latency = None,
    job: Job = None,
    slots: Slots = None,
    yes: Yes = False,
    force: Force = False,
    deploy: Deploy = None,
    manifest: ManifestFile = DEFAULT_MANIFEST,
) -> None:
    """Begin a service: forebay.yml, and a Dockerfile if you like."""
    from forebay.cli import init_questions as questions
    from forebay.deploy import new_files, starting

    asker = Asker(yes)
    numbers = {"cpu": cpu, "memory": memory, "min": least, "max": most, "latency": latency, "job": job, "slots": slots}
    if not manifest.parent.is_dir():
        raise ManifestError(f"--manifest {manifest}: there is no folder {manifest.parent}")
    try:
        if _stays(asker, manifest, force=force):
            _deploy(asker, deploy, manifest)
            return
        _point_at_copilot(manifest.parent)
        called = questions.name(asker, name, manifest)
        answers = starting.Answers(
            name=called,
            handler=questions.handler(asker, handler, manifest.parent),
            image=questions.source(asker, manifest.parent, called, questions.Given(dockerfile, generate, image)),
            **questions.numbers(asker, numbers),
        )
        files = starting.files(answers, manifest)
        _may_replace(asker, [path for path in files if path != manifest], force=force)
        new_files.write(files, replacing=new_files.existing(files))
    except typer.Abort:
        console.remark("\nNothing was written.")
        raise typer.Exit(INTERRUPTED) from None
    _tell(list(files), manifest.parent, answers)
    _deploy(asker, deploy, manifest)


def _point_at_copilot(folder: Path) -> None:
    """Say that a service of Copilot's need not be begun anew."""
    for path in sorted(folder.glob("copilot/*/manifest.yml")):
        if "Worker Service" in path.read_text(encoding="utf-8", errors="replace"):
            console.remark(f"{path} is a worker of Copilot's: `forebay import {path}` takes it over.")


def _stays(asker: Asker, manifest: Path, *, force: bool) -> bool:
    """Whether a manifest that is there is to be kept, and is one that can be deployed. Raises `ManifestError`."""
    from forebay.deploy.manifest.loading import load
    from forebay.deploy.new_files import existing

    if force or not existing([manifest]):
        return False
    if not asker.is_interactive:
        raise ManifestError(f"{manifest} is there already: --force replaces it. Nothing was written")
    if asker.agrees(f"{manifest} is there already. Replace it?"):
        return False
    load(manifest)
    console.remark(f"{manifest} stays as it is.")
    return True


def _may_replace(asker: Asker, paths: list[Path], *, force: bool) -> None:
    """Go on if none of the files is there, or they may be replaced. Raises `ManifestError` otherwise."""
    from forebay.deploy.new_files import existing

    for path in existing(paths):
        if not force and not asker.agrees(f"{path} is there already. Replace it?"):
            raise ManifestError(f"{path} is there already: --force replaces it. Nothing was written")


def _tell(written: list[Path], folder: Path, answers: Answers) -> None:
    from forebay.deploy import starting

    for path in written:
        console.tell(str(path))
    match answers.image:
        case starting.Generated():
            if (file := starting.missing_requirement(folder)) is not None:
                console.remark(f"{folder / file} does not name forebay: add it, or the image holds no worker.")
        case starting.Existing(dockerfile):
            if "forebay" not in (folder / dockerfile).read_text(encoding="utf-8", errors="replace"):
                console.remark(
                    f"{folder / dockerfile} says nothing of forebay: "
                    'it must install it, and end in ENTRYPOINT ["forebay"].'
                )
        case starting.Located():
            console.remark('The image must hold forebay and your Worker, with ENTRYPOINT ["forebay"].')
    console.remark("`forebay doctor` looks it over, `forebay local` runs it here, `forebay deploy` on Fargate.")


def _deploy(asker: Asker, wanted: bool | None, manifest: Path) -> None:
    """Deploy a test environment when that was asked for, and leave with the deployment's exit status."""
    from forebay.cli.main import carry_out

    try:
        wanted = asker.agrees("Would you like to deploy a test environment?") if wanted is None else wanted
    except typer.Abort:
        console.remark("\nNothing was deployed.")
        raise typer.Exit(INTERRUPTED) from None
    if wanted:
        raise typer.Exit(carry_out("deploy", ["--manifest", str(manifest)]))
