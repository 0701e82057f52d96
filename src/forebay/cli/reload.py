"""`forebay run --reload`: the run is a child process, and a new one takes its place whenever code changes.

Rules kept here and nowhere else:

1. The old run drains before the new one begins: a change costs no job.
2. A run that fails, by a syntax error for one, is shown and not repeated. The next change begins another.
3. Signals are for the run: each is passed on once, and when it has ended for one, so do we, with its exit status.
4. What counts as code are Python files and `forebay.yml` below the working directory, without environments, caches and
   hidden folders. A worker may write whatever else it likes there.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from types import FrameType

from forebay import platform
from forebay.cli.console import remark
from forebay.errors import SettingsError

OPTION = "--reload"

SUFFIX = ".py"
NAMES = frozenset(["forebay.yml"])
NOT_CODE = frozenset(["__pycache__", "node_modules", "site-packages", "venv", "env", "build", "dist"])
"""Folders that are passed over, beside hidden ones."""

QUIET_MS = 50
"""Changes that come closer together than this are one: an editor writes several files."""

READY_MS = 100


@dataclass(frozen=True, slots=True)
class Changed:
    """Code has changed: this file, perhaps among others."""

    path: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The run has ended with this exit status."""

    status: int


@dataclass(frozen=True, slots=True)
class Signalled:
    """We have been asked to stop."""

    number: int


News = Changed | Ended | Signalled


def supervise(arguments: Sequence[str]) -> int:
    """Run `forebay run ARGUMENTS` anew with each change, until told to stop; return its exit status."""
    root = Path.cwd()
    news: SimpleQueue[News] = SimpleQueue()

    def heard(number: int, _frame: FrameType | None) -> None:
        # The run knows nothing of terminals that are closed.
        news.put(Signalled(signal.SIGTERM if number == signal.SIGHUP else number))

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, heard)
    _watch(root, news)
    remark(f"forebay: watching the code in {root}")
    return _Supervisor(tuple(arguments), news).run()


def is_code(path: Path, root: Path) -> bool:
    """Say whether a change of this file is one of the code below `root`."""
    if path.suffix != SUFFIX and path.name not in NAMES:
        return False
    folders = path.relative_to(root).parts[:-1] if path.is_relative_to(root) else path.parts[:-1]
    return not any(folder in NOT_CODE or folder.startswith(".") for folder in folders)


class _Supervisor:
    """Which run there is, and whether another one is to take its place."""

    def __init__(self, arguments: Sequence[str], news: SimpleQueue[News]) -> None:
        self._command = [sys.executable, "-m", "forebay.cli.main", "run", *arguments]
        self._news = news
        self._run: subprocess.Popen[bytes] | None = None
        self._status = 0
        self._is_stale = False
        self._is_stopping = False

    def run(self) -> int:
        """Return the exit status of the last run, once it has ended for good."""
        self._begin()
        while True:
            match self._news.get():
                case Changed(path=path):
                    self._replace(path)
                case Signalled(number=number):
                    if self._run is None:
                        return self._status
                    self._is_stopping = True
                    self._run.send_signal(number)
                case Ended(status=status):
                    self._run, self._status = None, status
                    if self._is_stopping:
                        return status
                    if self._is_stale:
                        self._begin()
                    elif status == 0:
                        return status  # It has done what it was asked: --exit-when-empty.
                    else:
                        remark(f"forebay: the run has ended with exit status {status}; the next change begins another")

    def _replace(self, path: str) -> None:
        if self._is_stopping or self._is_stale:
            return
        remark(f"forebay: {path} has changed")
        if self._run is None:
            self._begin()
        else:
            self._is_stale = True
            self._run.send_signal(signal.SIGTERM)

    def _begin(self) -> None:
        # In the main thread: Linux tells a child of its parent's end when the thread that made it ends.
        self._is_stale = False
        surroundings = {
            **os.environ,
            platform.PARENT_VARIABLE: str(platform.process_id()),
            platform.RELOADED_VARIABLE: "1",
        }
        # In a group of its own: the terminal's Ctrl-C would reach it besides what we pass on, and a second request to
        # stop means at once. A group in the background cannot read the terminal.
        run = self._run = subprocess.Popen(  # noqa: S603  (our own words, given again)
            self._command, env=surroundings, stdin=subprocess.DEVNULL, process_group=0
        )

        def wait() -> None:
            self._news.put(Ended(platform.exit_status(run.wait())))

        threading.Thread(target=wait, name="forebay run", daemon=True).start()


def _watch(root: Path, news: SimpleQueue[News]) -> None:
    """Tell of every change from now on. Returns when changes are noticed."""
    try:
        from watchfiles import watch
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"{OPTION} needs watchfiles, which is not installed: pip install 'forebay[reload]'"
        ) from error
    is_watching = threading.Event()
    broken: list[Exception] = []

    def look() -> None:
        try:
            tell_all()
        except (OSError, RuntimeError) as error:  # The system's limit of watches, or a folder that is gone.
            broken.append(error)
            if is_watching.is_set():
                remark(f"forebay: changes are no longer seen: {error}")
        is_watching.set()

    def tell_all() -> None:
        seen = watch(
            root,
            watch_filter=lambda _, path: is_code(Path(path), root),
            debounce=10 * QUIET_MS,
            step=QUIET_MS,
            rust_timeout=READY_MS,
            yield_on_timeout=True,
            ignore_permission_denied=True,
        )
        for changes in seen:
            is_watching.set()
            for path in sorted(_below(root, (path for _, path in changes))):
                news.put(Changed(path))

    threading.Thread(target=look, name="forebay reload", daemon=True).start()
    is_watching.wait()
    if broken:
        raise SettingsError(f"{OPTION} cannot watch {root}: {broken[0]}") from broken[0]


def _below(root: Path, paths: Iterable[str]) -> Iterator[str]:
    for path in paths:
        yield os.path.relpath(path, root)
