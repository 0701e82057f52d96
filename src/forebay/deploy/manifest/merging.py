"""What one environment's section makes of the rest of a manifest. Pure.

Rules kept here and nowhere else:

1. Mappings are merged key by key; everything else, lists too, replaces what was there.
2. Of two keys that exclude each other, the environment's takes the place of the other. A network with a type of its own
   is a network of its own.
3. An empty value takes away what was there, so that the default holds again.
4. Everything keeps the place where it was written: a complaint about an override points at the override.
"""

from __future__ import annotations

from forebay.deploy.manifest.tree import FREE, Mapping, Node, Path, is_empty, is_within

RIVALS: tuple[tuple[Path, str, str], ...] = (
    ((), "count", "scaling"),
    (("image",), "build", "location"),
    (("schedules", "*"), "cron", "every"),
)
"""Section, and two of its keys of which only one can be meant."""


def merged(base: Mapping, over: Mapping, path: Path = ()) -> Mapping:
    """Return `base` with what `over` says."""
    kept = {key: entry for key, entry in base.entries.items() if not _is_ousted(key, over, path)}
    for key, entry in over.entries.items():
        inherited = kept.get(key)
        if inherited is not None and is_empty(entry.node) and not is_within(path, FREE):
            del kept[key]
            continue
        if inherited is not None and _is_merged(inherited.node, entry.node, (*path, key)):
            assert isinstance(inherited.node, Mapping), key
            assert isinstance(entry.node, Mapping), key
            kept[key] = type(entry)(entry.at, merged(inherited.node, entry.node, (*path, key)))
        else:
            kept[key] = entry
    return Mapping(over.at, kept)


def _is_merged(base: Node, over: Node, path: Path) -> bool:
    if not isinstance(base, Mapping) or not isinstance(over, Mapping) or is_within(path, FREE):
        return False
    return not (path == ("network",) and "type" in over.entries)


def _is_ousted(key: str, over: Mapping, path: Path) -> bool:
    """Say whether the override names a rival of `key`, and not `key` itself."""
    for section, one, other in RIVALS:
        if (
            len(section) == len(path)
            and is_within(path, (section,))
            and key in (one, other)
            and key not in over.entries
        ):
            rival = over.entries.get(other if key == one else one)
            if rival is not None and not is_empty(rival.node):
                return True
    return False
