"""Where a project says which packages it needs, as a Dockerfile has to install them.

Rules kept here and nowhere else:

1. A list with hashes is installed with hashes required. It goes before one without, and lists before `pyproject.toml`.
2. A project that says nothing gets this Forebay, by its version.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from forebay.errors import ManifestError

LISTS = ("requirements.lock", "requirements-lock.txt", "requirements.txt")


@dataclass(frozen=True, slots=True)
class Locked:
    """A list in which every package has its hashes."""

    file: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A list without hashes."""

    file: str


@dataclass(frozen=True, slots=True)
class Packaged:
    """A project that can be installed itself, with what its `pyproject.toml` names."""


@dataclass(frozen=True, slots=True)
class Unsaid:
    """A project that names no packages: it gets Forebay alone."""

    forebay: str
    """What pip is asked for, `forebay==1.2.3`."""


Requirements = Locked | Listed | Packaged | Unsaid


def found(folder: Path) -> Requirements:
    """Return where the project in `folder` names its packages."""
    lists = [(name, _text(folder / name)) for name in LISTS if (folder / name).is_file()]
    for name, text in lists:
        if "--hash=" in text:
            return Locked(name)
    for name, _ in lists:
        return Listed(name)
    project = folder / "pyproject.toml"
    if project.is_file() and _is_installable(project):
        return Packaged()
    return Unsaid(f"forebay=={version('forebay')}")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{path} cannot be read: {error}") from error


def _is_installable(path: Path) -> bool:
    """Many a `pyproject.toml` only has settings of tools: pip has nothing to install then."""
    try:
        written = tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as error:
        raise ManifestError(f"{path} is no TOML: {error}") from error
    return "project" in written or "build-system" in written
