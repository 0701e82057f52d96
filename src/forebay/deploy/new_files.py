"""Writes new files of a project: all of them, or none.

Rules kept here and nowhere else:

1. A file that exists is only replaced when the caller says so; one that appears meanwhile is not.
2. Everything is written beside its place first. What fails then, or an interruption, leaves the folder as it was.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from forebay.errors import ManifestError


def existing(paths: Iterable[Path]) -> list[Path]:
    """Return those that are there already, also as a link that leads nowhere."""
    return [path for path in paths if os.path.lexists(path)]


def write(files: Mapping[Path, str], *, replacing: Iterable[Path] = ()) -> None:
    """Write every file. Raises `ManifestError` when one cannot be written; then nothing has changed."""
    may_replace = set(replacing)
    waiting: dict[Path, Path] = {}
    placed: dict[Path, bytes | None] = {}
    path = Path()
    try:
        for path, text in files.items():
            waiting[path] = _beside(path, text)
        for path, temporary in waiting.items():
            placed[path] = _put(temporary, path, may_replace=path in may_replace)
    except FileExistsError:
        _take_back(placed)
        raise ManifestError(f"{path} is there already: --force replaces it") from None
    except OSError as error:
        _take_back(placed)
        raise ManifestError(f"{path} cannot be written: {error.strerror}. Nothing was written") from error
    except BaseException:
        _take_back(placed)
        raise
    finally:
        for temporary in waiting.values():
            temporary.unlink(missing_ok=True)


def _beside(path: Path, text: str) -> Path:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    temporary = Path(name)
    try:
        with open(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        # mkstemp's files are for their owner alone; these are for everybody who may read the project.
        temporary.chmod(0o666 & ~_umask())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _umask() -> int:
    """The process's umask can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _put(temporary: Path, path: Path, *, may_replace: bool) -> bytes | None:
    """Move the file to its place; return what was there."""
    before = path.read_bytes() if may_replace and path.is_file() else None
    if may_replace:
        temporary.replace(path)
    else:
        os.link(temporary, path)  # Unlike a rename it fails when the name is taken.
    return before


def _take_back(placed: Mapping[Path, bytes | None]) -> None:
    for path, before in placed.items():
        if before is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(before)
