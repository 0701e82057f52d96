"""Programs that stand in for docker and the others: they note what they are told, and answer as they are set to.

Rules kept here and nowhere else:

1. They are real programs, found on PATH and started as the real ones are. Nothing of Forebay is replaced.
2. Each call is one line of a log: name, arguments, standard input.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DIGEST = "sha256:" + "d" * 64

PROGRAM = """\
#!{python}
import json, pathlib, sys
name, words = {name!r}, sys.argv[1:]
given = sys.stdin.read() if "--password-stdin" in words else ""
with open({log!r}, "a") as log:
    log.write(json.dumps([name, words, given]) + "\\n")
rule = {rules!r}.get(words[0])
if rule is not None:
    status, text = rule
    print(text, file=sys.stderr if status else sys.stdout)
    sys.exit(status)
if "--digestfile" in words:
    pathlib.Path(words[words.index("--digestfile") + 1]).write_text({digest!r})
if words[0] == "image" and "RepoDigests" in words[3]:
    print(words[4].rpartition(":")[0] + "@" + {digest!r})
elif words[0] in ("image", "inspect"):
    print("amd64")
"""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of one program."""

    program: str
    words: list[str]
    given: str


@dataclass(frozen=True, slots=True)
class StandIns:
    """A folder for PATH."""

    folder: Path

    def add(self, name: str, rules: Mapping[str, tuple[int, str]] | None = None) -> None:
        """Add the program. `rules`: first argument → status and words; what is not named succeeds silently."""
        file = self.folder / name
        text = PROGRAM.format(
            python=sys.executable, name=name, log=str(self._log), rules=dict(rules or {}), digest=DIGEST
        )
        file.write_text(text, encoding="utf-8")
        file.chmod(0o755)

    @property
    def calls(self) -> list[Call]:
        lines = self._log.read_text(encoding="utf-8").splitlines() if self._log.exists() else []
        return [Call(*json.loads(line)) for line in lines]

    def call(self, verb: str) -> Call:
        """The only call whose first argument is `verb`."""
        found = [call for call in self.calls if call.words[0] == verb]
        assert len(found) == 1, [call.words for call in self.calls]
        return found[0]

    @property
    def verbs(self) -> list[Any]:
        return [call.words[0] for call in self.calls]

    @property
    def _log(self) -> Path:
        return self.folder / "calls.log"
