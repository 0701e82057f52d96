"""Reads what Copilot left in a workspace and makes the text of a manifest of it.

Rules kept here and nowhere else:

1. Paths in Copilot's manifest are from its workspace, ours from the new manifest.
2. A manifest that could be deployed by mistake is not written: where no handler is known, the name of one stands there
   that no image has, so that a deployment of it fails at its first task and is rolled back.
3. What is written has been read again, for each environment.
"""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from forebay.deploy.copilot import addons
from forebay.deploy.copilot.conversion import Conversion, convert, values_of
from forebay.deploy.copilot.draft import Around, Json
from forebay.deploy.copilot.kinds import is_section
from forebay.deploy.copilot.notes import Note, Notes
from forebay.deploy.found_workers import targets
from forebay.deploy.manifest import reading, writing
from forebay.deploy.manifest.loading import parsed
from forebay.deploy.manifest.model import Manifest
from forebay.deploy.names import DEFAULT_ENVIRONMENT
from forebay.deploy.starting import DOCKERFILE
from forebay.errors import ManifestError

_NEW = "forebay.yml"
NO_HANDLER = "your_module:worker"
_TITLES = {"left out": "Left out, because there is no counterpart:", "differs": "Not the same as before:"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be converted, and what is known beside it."""

    manifest: Path
    folder: Path
    """Where the new manifest will be."""
    environments: tuple[str, ...] = ()
    addons: Path | None = None
    handler: str | None = None
    name: str | None = None
    """Another name for the service than Copilot's."""
    generates: bool = False
    """A Dockerfile is written too, and the manifest names it."""
    application: str | None = None
    region: str | None = None
    account: str | None = None
    vpc: str | None = None


@dataclass(frozen=True, slots=True)
class Converted:
    """The new manifest as text, and the remarks that stand in it too."""

    text: str
    name: str
    """The service's."""
    notes: tuple[Note, ...]

    def told(self) -> Iterator[str]:
        """Yield the remarks as lines for a person."""
        for kind, title in _TITLES.items():
            told = [note for note in self.notes if note.kind == kind]
            if told:
                yield title
            for note in told:
                yield from textwrap.wrap(
                    f"{note.place}: {note.text}",
                    writing.WIDTH,
                    initial_indent="  ",
                    subsequent_indent="      ",
                    break_long_words=False,
                    break_on_hyphens=False,
                )


def converted(wanted: Wanted) -> Converted:
    """Return the manifest for what Copilot has. Raises `ManifestError`."""
    root = workspace(wanted.manifest)
    written = _values(wanted.manifest)
    assert is_section(written), "the reader gives a section"
    notes = Notes()
    permissions = [permission for path in _addons(wanted) for permission in _permissions(path, notes)]
    if (wanted.manifest.parent / "overrides").is_dir():
        notes.left_out(
            "overrides/", "Copilot's template is not ours, so patches of it fit nothing: `forebay package --eject`."
        )
    around = Around(
        environment=DEFAULT_ENVIRONMENT,
        application=wanted.application or _application(root),
        region=wanted.region,
        account=wanted.account,
        vpc=wanted.vpc,
        path=lambda path: Path(os.path.relpath(root / path, wanted.folder)).as_posix(),
    )
    try:
        found = convert(written, around, environments=wanted.environments, permissions=permissions)
    except ManifestError as error:
        raise ManifestError(f"{wanted.manifest}: {error}") from error
    values = {**found.values, "handler": _handler(wanted, notes)}
    if wanted.name is not None:
        values["name"] = wanted.name
    if wanted.generates:
        values["image"] = {"build": {"dockerfile": DOCKERFILE, "context": "."}}
    conversion = Conversion(_ordered(values), (*notes.taken, *found.notes))
    text = _text(conversion, wanted.manifest)
    _check(text, next(iter(found.values.get("environments", ())), None), wanted)
    return Converted(text, str(values["name"]), conversion.notes)


def _check(text: str, environment: str | None, wanted: Wanted) -> None:
    """Read what would be written; any environment will do, since all are checked."""
    try:
        parsed(text.encode(), environment, file=_NEW, folder=wanted.folder)
    except ManifestError as error:
        # The lines and columns are those of a text that nobody will see.
        sentences = re.sub(rf"(?m)^{re.escape(_NEW)}:\d+:\d+: ", "  ", str(error))
        raise ManifestError(
            f"this manifest cannot be taken over, since in forebay.yml this would be wrong:\n{sentences}\n"
            f"So nothing was written: mend it in {wanted.manifest}, or pass --name if it is the name"
        ) from error


def workspace(manifest: Path) -> Path:
    """Return the folder that Copilot's paths are from: the one that holds `copilot/`, else the working directory."""
    absolute = manifest.absolute()
    return next((parent.parent for parent in absolute.parents if parent.name == "copilot"), Path.cwd())


def _values(path: Path) -> Any:
    return values_of(reading.read(_content(path), str(path))[1])


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ManifestError(f"{path} cannot be read: {error.strerror}") from error


def _application(root: Path) -> str | None:
    path = root / "copilot" / ".workspace"
    if not path.is_file():
        return None
    written = _values(path)
    name: object = written.get("application") if is_section(written) else None
    return name if isinstance(name, str) else None


def _addons(wanted: Wanted) -> list[Path]:
    folder = wanted.addons or wanted.manifest.parent / "addons"
    if not folder.is_dir():
        if wanted.addons is not None:
            raise ManifestError(f"--addons {folder} is no folder")
        return []
    found = [path for path in folder.iterdir() if path.suffix in (".yml", ".yaml")]
    return sorted(path for path in found if path.stem != "addons.parameters")


def _permissions(path: Path, notes: Notes) -> list[Json]:
    try:
        template = yaml.load(_content(path), Loader=_TemplateLoader)  # noqa: S506  (a safe loader that knows tags)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f":{mark.line + 1}:{mark.column + 1}" if mark is not None else ""
        raise ManifestError(f"{path}{place}: this is not YAML") from None
    return addons.permissions(template if is_section(template) else {}, f"addons/{path.name}", notes)


class _TemplateLoader(yaml.SafeLoader):
    """Reads `!Ref Name` as `{"Ref": "Name"}`, and so on: functions stay what they are, unevaluated."""


def _function(loader: _TemplateLoader, suffix: str, node: yaml.Node) -> Any:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    match node:
        case yaml.ScalarNode():
            return {name: loader.construct_scalar(node)}
        case yaml.SequenceNode():
            return {name: loader.construct_sequence(node, deep=True)}
        case _:
            assert isinstance(node, yaml.MappingNode), node
            return {name: loader.construct_mapping(node, deep=True)}


_TemplateLoader.add_multi_constructor("!", _function)  # pyright: ignore[reportUnknownMemberType]


def _handler(wanted: Wanted, notes: Notes) -> str:
    if wanted.handler is not None:
        return wanted.handler
    if len(found := targets(wanted.folder)) == 1:
        return found[0]
    choices = f" There are {', '.join(found)}." if found else ""
    notes.differs(
        "handler",
        f"name your Worker there (`--handler` does it at once).{choices} Without the line it is the article's sample, "
        "for which a job is a number of milliseconds.",
    )
    return NO_HANDLER


def _ordered(values: Json) -> Json:
    """Return the values in the order in which our own manifests have their keys."""
    order = [*Manifest.model_fields, "environments"]
    return {key: values[key] for key in order if key in values}


def _text(conversion: Conversion, source: Path) -> str:
    remarks = {"handler": "Put the name of your Worker here."} if conversion.values["handler"] == NO_HANDLER else {}
    head = [
        writing.SCHEMA_LINE,
        *writing.comment(f"Made of {source.as_posix()} by `forebay import`."),
        "",
        writing.text(conversion.values, remarks),
    ]
    return "\n".join([*head, *_remarks(conversion.notes)]) + "\n"


def _remarks(notes: tuple[Note, ...]) -> Iterator[str]:
    for kind, title in _TITLES.items():
        told = [note for note in notes if note.kind == kind]
        if told:
            yield f"# {title}"
        for note in told:
            yield from writing.comment(f"- {note.place}: {note.text}", hanging="  ")
