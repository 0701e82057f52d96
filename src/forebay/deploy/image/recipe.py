"""All that goes into the build of an image, and the tag that follows from it.

Rules kept here and nowhere else:

1. Two builds have the same tag only if the same goes into them: files, Dockerfile, arguments, stage and architecture.
   So a tag that the registry knows need not be built again, whatever git thinks of files that it ignores.
2. The commit stands first in the tag, for people; `dirty` stands there when the folder is not as it was committed.
3. Contents of secrets are no part of it, and are read by the engine alone.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from forebay.deploy.image.ignoring import Ignored
from forebay.deploy.image.processors import PLATFORMS
from forebay.deploy.image.revision import Revision
from forebay.deploy.manifest.loading import Loaded
from forebay.errors import ManifestError

COMMIT_DIGITS = 12
CONTENT_DIGITS = 12
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Recipe:
    """One build."""

    context: Path
    dockerfile: Path
    ignore_file: Path | None
    platform: str
    target: str | None
    arguments: tuple[tuple[str, str], ...]
    secrets: tuple[tuple[str, Path], ...]


def recipe(loaded: Loaded) -> Recipe:
    """Return the build that the manifest asks for. Raises `ManifestError` naming what is not there."""
    build = loaded.manifest.image.build
    dockerfile = loaded.folder / build.dockerfile
    context = loaded.folder / build.context
    if not context.is_dir():
        raise ManifestError(f"image: build: context: {build.context!r} is no folder in {loaded.folder}")
    if not dockerfile.is_file():
        raise ManifestError(
            f"image: build: dockerfile: there is no {build.dockerfile!r} in {loaded.folder}. `forebay init` writes "
            "one; or name an image that exists under `image: location:`"
        )
    secrets = {name: loaded.folder / Path(path).expanduser() for name, path in build.secrets.items()}
    for name, path in secrets.items():
        if not path.is_file():
            raise ManifestError(f"image: build: secrets: {name}: there is no file {path}")
    own, common = dockerfile.with_name(f"{dockerfile.name}.dockerignore"), context / ".dockerignore"
    return Recipe(
        context=context,
        dockerfile=dockerfile,
        ignore_file=next((file for file in (own, common) if file.is_file()), None),
        platform=PLATFORMS[loaded.manifest.architecture],
        target=build.target,
        arguments=tuple(sorted(build.args.items())),
        secrets=tuple(sorted(secrets.items())),
    )


def tag(contents: str, revision: Revision | None) -> str:
    """Return the tag of the image that is made of contents with this digest."""
    digits = contents[:CONTENT_DIGITS]
    if revision is None:
        return digits
    return f"{revision.commit[:COMMIT_DIGITS]}-{'dirty-' if revision.is_dirty else ''}{digits}"


def digest(recipe: Recipe) -> str:
    """Return the SHA-256 of all that goes into the build, in hexadecimal digits."""
    total = hashlib.sha256()

    def add(*words: str) -> None:
        for word in words:
            total.update(f"{len(word)}:{word};".encode("utf-8", "surrogateescape"))

    add(recipe.platform, recipe.target or "", *(f"{name}={value}" for name, value in recipe.arguments))
    add("Dockerfile", _file_digest(recipe.dockerfile))
    for path, name in _sent(recipe):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            add(name, "link", os.readlink(path))
        elif stat.S_ISREG(mode):
            add(name, "program" if mode & 0o111 else "file", _file_digest(path))
        # Sockets and the like are not sent.
    return total.hexdigest()


def _sent(recipe: Recipe) -> Iterator[tuple[Path, str]]:
    """All files of the context that are not ignored, with their relative names, in one order on every machine."""
    ignored = Ignored.of(_read(recipe.ignore_file).decode("utf-8", "replace") if recipe.ignore_file else "")
    for folder, folders, files in os.walk(recipe.context, onerror=_refuse):
        here = Path(folder)
        names = {name: (here / name).relative_to(recipe.context).as_posix() for name in (*folders, *files)}
        links = [name for name in folders if (here / name).is_symlink()]
        folders[:] = sorted(
            name for name in folders if name not in links and (ignored.takes_back or not ignored.holds(names[name]))
        )
        for name in sorted((*files, *links)):
            if not ignored.holds(names[name]):
                yield here / name, names[name]


def _file_digest(path: Path) -> str:
    total = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                total.update(chunk)
    except OSError as error:
        _refuse(error)
    return total.hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        _refuse(error)
    return b""


def _refuse(error: OSError) -> None:
    raise ManifestError(
        f"{error.filename} cannot be read ({error.strerror}), and it would go into the image: let this user read it, "
        "or leave it out by a line in .dockerignore"
    ) from error
