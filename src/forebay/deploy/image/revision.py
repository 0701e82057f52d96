"""The commit that an image is built from, as git tells it.

Rules kept here and nowhere else:

1. Only the folder that goes into the build decides whether it has changed since, not the rest of a large repository.
2. No git, no repository, no commit, or a repository that git does not trust: there is no revision, and the contents
   alone name the image.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from forebay.deploy.image import commands

ANSWER_MAX_S = 60.0
"""A status of a large tree on a cold disk takes its time."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A commit, and whether the folder is as it was then."""

    commit: str
    """All 40 digits."""
    is_dirty: bool


def found(folder: Path) -> Revision | None:
    """Return the commit that `folder` is at."""
    head = _git(folder, "rev-parse", "--verify", "--quiet", "HEAD")
    if head.status != 0:
        return None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=normal", "--", ".")
    if changes.status != 0:
        return None
    return Revision(head.text.strip(), is_dirty=bool(changes.text.strip()))


def _git(folder: Path, *arguments: str) -> commands.Answer:
    # Without locks: a status must not get in the way of what its user does in the repository meanwhile.
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    return commands.ask(["git", "-C", str(folder), *arguments], within_s=ANSWER_MAX_S, environment=environment)
