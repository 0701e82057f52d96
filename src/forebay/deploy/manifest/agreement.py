"""Whether a worker, which has no YAML library, would read the same as stands in the manifest.

Rules kept here and nowhere else:

1. `handler:` and `run:` mean one thing. What a worker would refuse, or read otherwise, is refused before it is
   deployed: the file lies in the image, where the worker looks for it.
"""

from __future__ import annotations

from forebay.api import project_file
from forebay.api.project_file import UnreadableLine, Written
from forebay.deploy.manifest.complaints import Complaint
from forebay.deploy.manifest.tree import Entry, Mapping, Node, Place, Scalar, Several, is_empty

PLAINLY = "write it plainly, `key: value` on a line of its own: workers read it without a YAML library"


def disagreements(text: str, root: Mapping) -> list[Complaint]:
    """Return where a worker would not read what `root` has."""
    try:
        settings = project_file.parse(text)
        handler = project_file.handler_in(text)
    except UnreadableLine as error:
        return [Complaint(Place(error.number, 1), f"{error.sentence} (workers read this part without a YAML library)")]
    run = root.entries.get(project_file.SECTION)
    complaints: list[Complaint] = []
    if run is not None and isinstance(run.node, Mapping):
        wanted = {key.replace("_", "-"): entry for key, entry in run.node.entries.items() if not is_empty(entry.node)}
        complaints += [
            Complaint(entry.at, f"run.{key}: {PLAINLY}")
            for key, entry in wanted.items()
            if not _is_same(entry.node, settings.get(key))
        ]
        if settings.keys() - wanted.keys():
            complaints.append(Complaint(run.at, f"run: {PLAINLY}"))
    complaints += _about_handler(root.entries.get(project_file.HANDLER), handler)
    return complaints


def _about_handler(entry: Entry | None, read: Written | None) -> list[Complaint]:
    if entry is None or not isinstance(entry.node, Scalar):
        return []  # None there, or one that the model refuses.
    is_right = read is None if is_empty(entry.node) else _is_same(entry.node, read)
    return [] if is_right else [Complaint(entry.at, f"handler: {PLAINLY}")]


def _is_same(node: Node, read: Written | None) -> bool:
    values = read.values if read is not None else ()
    match node:
        case Scalar(text=text):
            return values == (text,)
        case Several(items=items):
            return values == tuple(item.text if isinstance(item, Scalar) else None for item in items)
        case Mapping():
            return False
