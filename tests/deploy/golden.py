"""The templates of the manifests in `manifests/`, as they were last looked at by a person.

    python -m tests.deploy.golden --write

writes `golden/` and the tables of docs/template.md anew. What changed is then read with `git diff`, before it is
committed.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from functools import cache
from pathlib import Path

from forebay.deploy.manifest.loading import Loaded, load
from forebay.deploy.template.build import build
from forebay.deploy.template.intrinsics import DESCRIPTION_KEY, Json
from forebay.deploy.template.writing import as_yaml

HERE = Path(__file__).resolve().parent
MANIFESTS = HERE / "manifests"
GOLDEN = HERE / "golden"
NAMES = tuple(sorted(path.stem for path in MANIFESTS.glob("*.yml")))
ENVIRONMENT = "test"

PAGE = HERE.parents[1] / "docs" / "template.md"
BEGIN, END = "<!-- resources -->", "<!-- end of resources -->"
NAMED_BY_USERS = {"AWS::SNS::Subscription": ("Topic", "AlarmMail"), "AWS::Scheduler::Schedule": ("Schedule",)}
"""Types whose logical ids hold a name of the manifest, and what they begin with."""


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


def tables() -> str:
    """Return the resources of all templates for the page about them: those that are always there, and the others."""
    rows: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for name in sorted(NAMES, key=lambda name: (name != "tiny", name)):
        of_this: set[str] = set()
        for logical_id, resource in template(name)["Resources"].items():
            key = _generic(logical_id, resource)
            kind, description = resource["Type"].removeprefix("AWS::"), resource["Metadata"][DESCRIPTION_KEY]
            rows.setdefault(key, f"| `{key}` | {kind} | {description} |")
            of_this.add(key)
        seen.update(of_this)
    always = "\n".join(row for key, row in rows.items() if seen[key] == len(NAMES))
    others = "\n".join(row for key, row in rows.items() if seen[key] < len(NAMES))
    head = "| resource | type | what it is for |\n|---|---|---|"
    return f"Always:\n\n{head}\n{always}\n\nWhen the manifest asks for it:\n\n{head}\n{others}\n"


def _generic(logical_id: str, resource: Json) -> str:
    """Return the name that stands for all resources of its kind: `PublicSubnet…` for those of each zone."""
    for prefix in NAMED_BY_USERS.get(resource["Type"], ()):
        if logical_id.startswith(prefix):
            return f"{prefix}…"
    return re.sub(r"\d+$", "…", logical_id)


def page_with_tables(text: str) -> str:
    """Return the page with the tables as they are now."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{tables()}{END}{after}"


def main() -> int:
    if sys.argv[1:] != ["--write"]:
        print(__doc__)
        return 2
    GOLDEN.mkdir(exist_ok=True)
    for stale in {path.stem for path in GOLDEN.glob("*.yml")} - set(NAMES):
        golden(stale).unlink()
    for name in NAMES:
        golden(name).write_text(written(name), encoding="ascii")
    PAGE.write_text(page_with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
