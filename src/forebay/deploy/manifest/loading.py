"""From `forebay.yml` to the manifest of one environment; every complaint names line and column.

Rules kept here and nowhere else:

1. All environments are checked whichever is asked for: a manifest is right or wrong as a whole.
2. All complaints come at once, in the order of the file.
3. A manifest that names no environments has one, `test`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from forebay.deploy.manifest.agreement import disagreements
from forebay.deploy.manifest.complaints import Complaint, complaints, dotted
from forebay.deploy.manifest.merging import merged
from forebay.deploy.manifest.model import Manifest
from forebay.deploy.manifest.reading import read
from forebay.deploy.manifest.tree import Entry, Mapping, Place, Scalar, find, plain
from forebay.deploy.manifest.tree import Path as KeyPath
from forebay.deploy.manifest.values import EnvironmentName
from forebay.deploy.names import DEFAULT_ENVIRONMENT, Names
from forebay.errors import ManifestError

ENVIRONMENTS = "environments"
COMPLAINTS_MAX = 20
ENVIRONMENTS_MAX = 50
"""Each is a whole manifest to check."""
_ENVIRONMENT_NAME: TypeAdapter[str] = TypeAdapter(EnvironmentName)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A manifest with one environment's overrides, and where it came from."""

    manifest: Manifest
    environment: str
    environments: tuple[str, ...]
    """All that the file names, in its order; the default one when it names none."""
    folder: Path
    """The manifest's folder: what its paths are from."""
    file: str = "forebay.yml"
    """The manifest's path, as it was given."""
    written: Mapping = field(default_factory=lambda: Mapping(Place(1, 1)), repr=False)
    """What stands in the file for this environment, with its places."""

    @property
    def names(self) -> Names:
        return Names(self.manifest.name, self.environment, is_fifo=self.manifest.queue.type == "fifo")

    def place(self, key: str) -> str:
        """Return where `key`, such as `queue.visibility`, is written: `forebay.yml:12:3`.

        For a key that is not written, the place of the section that would hold it; `default` when that is not there.
        """
        path: KeyPath = tuple(int(part) if part.isdigit() else part for part in key.split("."))
        found = find(self.written, path)
        return f"{self.file}:{found.at.line}:{found.at.column}" if found.path else "default"

    def is_written(self, key: str) -> bool:
        """Say whether the file has `key`, in this environment's section or outside of it."""
        path: KeyPath = tuple(int(part) if part.isdigit() else part for part in key.split("."))
        return find(self.written, path).path == path


def load(path: Path, environment: str | None = None) -> Loaded:
    """Return the manifest at `path` with the overrides of `environment` merged in.

    Without an environment: the only one that the file names, `test` when it names none. Raises `ManifestError`.
    """
    return parsed(_content(path), environment, file=str(path), folder=path.parent)


def environments_of(path: Path) -> tuple[str, ...]:
    """Return the names of all environments of the manifest at `path`. Raises `ManifestError`."""
    _, root = read(_content(path), str(path))
    return tuple(_apart(root)[1])


def parsed(content: bytes, environment: str | None = None, *, file: str, folder: Path) -> Loaded:
    """Do as `load` does with what a file holds."""
    text, root = read(content, file)
    base, overrides = _apart(root)
    wrong = {*_about_environments(root), *disagreements(text, root)}
    manifests: dict[str, tuple[Manifest, Mapping]] = {}
    for name, over in list(overrides.items())[:ENVIRONMENTS_MAX]:
        written = _with_underscores(base if over is None else merged(base, over))
        try:
            manifests[name] = Manifest.model_validate(plain(written)), written
        except ValidationError as error:
            wrong |= set(complaints(error, written))
    if wrong:
        raise ManifestError(_told(sorted(wrong), file))
    chosen = _chosen(environment, tuple(overrides), file)
    manifest, written = manifests[chosen]
    return Loaded(manifest, chosen, tuple(overrides), folder, file, written)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ManifestError(
            f"{path}: there is no manifest here: `forebay init` writes one, and --manifest names another"
        ) from None
    except OSError as error:
        raise ManifestError(f"{path}: the manifest cannot be read: {error.strerror}") from None


def _apart(root: Mapping) -> tuple[Mapping, dict[str, Mapping | None]]:
    """Return what holds for all environments, and what each one says itself."""
    base = Mapping(root.at, {key: entry for key, entry in root.entries.items() if key != ENVIRONMENTS})
    entry = root.entries.get(ENVIRONMENTS)
    if entry is None or not isinstance(entry.node, Mapping) or not entry.node.entries:
        return base, {DEFAULT_ENVIRONMENT: None}
    return base, {name: one.node if isinstance(one.node, Mapping) else None for name, one in entry.node.entries.items()}


def _about_environments(root: Mapping) -> list[Complaint]:
    """Return what is wrong with the section of environments itself."""
    entry = root.entries.get(ENVIRONMENTS)
    if entry is None or (isinstance(entry.node, Scalar) and entry.node.value is None):
        return []
    if not isinstance(entry.node, Mapping):
        return [Complaint(entry.at, "environments must be a section: `NAME:` lines, each with its overrides below")]
    if len(entry.node.entries) > ENVIRONMENTS_MAX:
        return [Complaint(entry.at, f"environments: there are more than {ENVIRONMENTS_MAX}")]
    wrong: list[Complaint] = []
    for name, one in entry.node.entries.items():
        path = dotted((ENVIRONMENTS, name))
        try:
            _ENVIRONMENT_NAME.validate_python(name)
        except ValidationError as error:
            cause = error.errors()[0].get("ctx", {}).get("error")
            wrong.append(Complaint(one.at, f"{path}: {cause}"))
        if isinstance(one.node, Mapping):
            if (renamed := one.node.entries.get("name")) is not None:
                wrong.append(Complaint(renamed.at, f"{path}.name: a service has one name in all environments"))
        elif not (isinstance(one.node, Scalar) and one.node.value is None):
            wrong.append(Complaint(one.at, f"{path} must be a section: `key: value` lines below it"))
    return wrong


def _with_underscores(written: Mapping) -> Mapping:
    """Return the manifest with the keys of `run:` as they are in Python: `forebay run` takes both spellings."""
    run = written.entries.get("run")
    if run is None or not isinstance(run.node, Mapping):
        return written
    keys = {key.replace("-", "_"): entry for key, entry in run.node.entries.items()}
    if len(keys) < len(run.node.entries):
        return written  # The same key in both spellings: the one with hyphens is complained of.
    return Mapping(written.at, {**written.entries, "run": Entry(run.at, Mapping(run.node.at, keys))})


def _chosen(environment: str | None, known: tuple[str, ...], file: str) -> str:
    if environment is None:
        if len(known) == 1:
            return known[0]
        raise ManifestError(f"{file} has several environments; say which one: --env {' or --env '.join(known)}")
    if environment not in known:
        near = get_close_matches(environment, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else "."
        raise ManifestError(f"{file} has no environment {environment!r}{hint} There are: {', '.join(known)}")
    return environment


def _told(wrong: list[Complaint], file: str) -> str:
    lines = [f"{file}:{one.at.line}:{one.at.column}: {one.sentence}" for one in wrong[:COMPLAINTS_MAX]]
    if len(wrong) > COMPLAINTS_MAX:
        lines.append(f"{file}: and {len(wrong) - COMPLAINTS_MAX} more")
    return "\n".join(lines)
