"""The templates of the manifests in `manifests/`, as they were last looked at by a person.

    python -m tests.deploy.golden --write

writes `golden/` anew; what changed is then read with `git diff` before it is committed.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

from forebay.deploy.manifest.loading import Loaded, load
from forebay.deploy.template.build import build
from forebay.deploy.template.intrinsics import Json
from forebay.deploy.template.writing import as_yaml

HERE = Path(__file__).resolve().parent
MANIFESTS = HERE / "manifests"
GOLDEN = HERE / "golden"
NAMES = tuple(sorted(path.stem for path in MANIFESTS.glob("*.yml")))
ENVIRONMENT = "test"


@cache
def loaded(name: str) -> Loaded:
    """Return the manifest of this name."""
    return load(MANIFESTS / f"{name}.yml", ENVIRONMENT)


def template(name: str) -> Json:
    """Return the template of the manifest of this name."""
    return build(loaded(name).manifest, loaded(name).names)


def written(name: str) -> str:
    """Return the template's text."""
    return as_yaml(template(name))


def golden(name: str) -> Path:
    return GOLDEN / f"{name}.yml"


def main() -> int:
    if sys.argv[1:] != ["--write"]:
        print(__doc__)
        return 2
    GOLDEN.mkdir(exist_ok=True)
    for stale in {path.stem for path in GOLDEN.glob("*.yml")} - set(NAMES):
        golden(stale).unlink()
    for name in NAMES:
        golden(name).write_text(written(name), encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main())
