"""What `forebay init` writes: a manifest with remarks, and the files of an image, as text. Nothing is written here.

Rules kept here and nowhere else:

1. What is written has been read again: an answer that a manifest cannot have is complained of, never written.
2. The sample worker gets the article's settings where it is deployed: text logs, and protection before it polls. On
   this machine, where there is no ECS, it could not start with them.
3. A `.dockerignore` or schema that is there stays as it is.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, assert_never

from forebay.deploy.image import requirements
from forebay.deploy.image.dockerfile import dockerfile, dockerignore
from forebay.deploy.manifest import schema, writing
from forebay.deploy.manifest.loading import parsed
from forebay.errors import ManifestError

DOCKERFILE, DOCKERIGNORE = "Dockerfile", ".dockerignore"
_NAMES_FOREBAY = re.compile(r"forebay(?![\w.-])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Generated:
    """A Dockerfile that is written too."""


@dataclass(frozen=True, slots=True)
class Existing:
    """A Dockerfile that is there."""

    dockerfile: str


@dataclass(frozen=True, slots=True)
class Located:
    """An image that is there."""

    location: str


Source = Generated | Existing | Located


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the questions were answered."""

    name: str
    handler: str | None
    """None: the sample worker."""
    image: Source
    cpu: int
    memory: int
    least: int
    most: int
    slots: int
    latency: str
    job: str

    @property
    def is_scaled(self) -> bool:
        return self.most != self.least


def complaint(values: Mapping[str, Any]) -> str | None:
    """Return why a manifest cannot have these values; None when it can."""
    try:
        parsed(writing.text({"name": "any-name", **values}).encode(), file="answer", folder=Path())
    except ManifestError as error:
        # Only the sentence: there is no file yet in which it would have a line.
        return re.sub(r"^answer:[0-9]+:[0-9]+: ", "", str(error).splitlines()[0])
    return None


def files(answers: Answers, manifest: Path) -> dict[Path, str]:
    """Return what is to be written, by its path. Raises `ManifestError` for what cannot be."""
    text = _manifest(answers)
    parsed(text.encode(), file=str(manifest), folder=manifest.parent)
    found = {manifest: text}
    if isinstance(answers.image, Generated):
        found |= image_files(answers.name, manifest.parent)
    return found | schema_beside(manifest)


def image_files(name: str, folder: Path) -> dict[Path, str]:
    """Return a Dockerfile for the service `name`, and a `.dockerignore` where there is none."""
    found = {folder / DOCKERFILE: dockerfile(name, requirements.found(folder))}
    if not (folder / DOCKERIGNORE).exists():
        found[folder / DOCKERIGNORE] = dockerignore()
    return found


def schema_beside(manifest: Path) -> dict[Path, str]:
    """Return the manifest's schema as a file for editors; nothing when it is there."""
    path = manifest.parent / writing.SCHEMA_FILE
    return {} if path.exists() else {path: schema.as_text()}


def missing_requirement(folder: Path) -> str | None:
    """Return the file that should name Forebay and does not; None when all is well."""
    match requirements.found(folder):
        case requirements.Locked(file) | requirements.Listed(file):
            lines = (folder / file).read_text(encoding="utf-8-sig").splitlines()
            return None if any(_NAMES_FOREBAY.match(line.strip()) for line in lines) else file
        case requirements.Packaged():
            project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8-sig")).get("project", {})
            needed = project.get("dependencies", [])
            if "dependencies" in project.get("dynamic", []) or any(_NAMES_FOREBAY.match(need) for need in needed):
                return None
            return "pyproject.toml"
        case requirements.Unsaid():
            return None


def _manifest(answers: Answers) -> str:
    parts = [_head(answers), _image(answers.image), _size(answers), _tasks(answers), _QUEUE, _run(answers), _MORE]
    return "\n".join(parts)


def _head(answers: Answers) -> str:
    handler = (
        "# handler: module:attribute   # your Worker. Without the line: the sample, for which a job is milliseconds\n"
        if answers.handler is None
        else f"handler: {writing.scalar(answers.handler)}   # module:attribute of the Worker\n"
    )
    return (
        f"{writing.SCHEMA_LINE}\n"
        "# What the service is. `forebay doctor` looks it over, `forebay deploy` makes it real.\n\n"
        f"name: {writing.scalar(answers.name)}\n{handler}"
    )


def _image(source: Source) -> str:
    match source:
        case Generated():
            return writing.text({"image": {"build": {"dockerfile": DOCKERFILE, "context": "."}}})
        case Existing(path):
            folder = Path(path).parent.as_posix()
            return writing.text({"image": {"build": {"dockerfile": path, "context": folder}}})
        case Located(location):
            return writing.text({"image": {"location": location}})
        case _:
            assert_never(source)


def _size(answers: Answers) -> str:
    return f"""\
cpu: {answers.cpu}   # CPU units of a task: 1,024 are one vCPU
memory: {answers.memory}   # MiB of a task
"""


def _tasks(answers: Answers) -> str:
    if not answers.is_scaled:
        return f"count: {answers.least}   # tasks. `scaling:` instead lets them follow the queue.\n"
    return f"""\
# Tasks follow the queue: one may have a backlog of latency × slots ÷ job messages.
scaling:
  min: {answers.least}
  max: {answers.most}
  latency: {writing.scalar(answers.latency)}   # the longest wait in the queue that is fine
  job: {writing.scalar(answers.job)}   # what one job takes on average: measure it, and write it here
"""


_QUEUE = """\
queue:
  attempts: 5   # how often a job may fail before it goes to the dead-letter queue
"""


def _run(answers: Answers) -> str:
    sample = """
environments:
  test:
    # Both as in the article. For work of your own delete them: json is for machines, and `auto` protects only while a
    # job runs that needs it.
    run:
      log: text
      protect: always
"""
    return f"""\
# Settings of the worker, also of `forebay run` in this folder.
run:
  slots: {answers.slots}   # jobs that a task does at once
{sample if answers.handler is None else ""}"""


_MORE = """\
# Every other key has a default: docs/manifest.md. Often wanted:
#
# variables:
#   LOG_LEVEL: info
# secrets:
#   GITHUB_TOKEN: /github/token   # a parameter of Systems Manager, or the ARN of a secret
# permissions:
#   - actions: [s3:GetObject]
#     resources: ["arn:aws:s3:::my-bucket/*"]
# environments:
#   test: {}
#   prod:
#     alarms: {emails: [you@example.com]}
"""
