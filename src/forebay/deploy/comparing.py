"""What differs between two templates, as text for people and as changes. Pure but for its inputs.

Rules kept here and nowhere else:

1. Both texts are written by us, so that a difference is one of content, never of formatting.
2. Whether a resource is replaced only CloudFormation knows; where it is not asked, a change is just a change.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from forebay.deploy.change_values import Change, descriptions_in
from forebay.deploy.template.intrinsics import DESCRIPTION_KEY, Json
from forebay.deploy.template.writing import as_yaml

CONTEXT_LINES = 3


def difference(old: Json, new: Json, *, old_name: str = "deployed", new_name: str = "manifest") -> list[str]:
    """Return a unified diff of both templates; empty when they are the same."""
    before = as_yaml(old).splitlines() if old else []
    return list(
        difflib.unified_diff(before, as_yaml(new).splitlines(), old_name, new_name, lineterm="", n=CONTEXT_LINES)
    )


def changes_between(old: Json, new: Json) -> tuple[Change, ...]:
    """Return what would be added, changed and removed, in the new template's order."""
    before: Mapping[str, Json] = old.get("Resources", {})
    after: Mapping[str, Json] = new.get("Resources", {})
    told = {**descriptions_in(old, DESCRIPTION_KEY), **descriptions_in(new, DESCRIPTION_KEY)}

    def change(act: Any, name: str, one: Json, properties: tuple[str, ...] = ()) -> Change:
        kind = str(one.get("Type", ""))
        return Change(act, name, kind, told.get(name) or f"{name} ({kind})", properties)

    found = [
        change("add", name, one) if name not in before else change("change", name, one, _changed(before[name], one))
        for name, one in after.items()
        if before.get(name) != one
    ]
    gone = [
        change("leave" if _stays(one) else "remove", name, one) for name, one in before.items() if name not in after
    ]
    return tuple(found + gone)


def _changed(old: Json, new: Json) -> tuple[str, ...]:
    before, after = old.get("Properties", {}), new.get("Properties", {})
    names = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    names |= {name for name in {*old, *new} - {"Properties"} if old.get(name) != new.get(name)}
    return tuple(sorted(names))


def _stays(one: Json) -> bool:
    return str(one.get("DeletionPolicy", "Delete")).startswith("Retain")
