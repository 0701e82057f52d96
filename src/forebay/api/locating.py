"""How a child process finds the worker that it is to work for: by the module and the name that it has there.

Rules kept here and nowhere else:

1. A worker is declared again by importing what declared it. Nothing of it is ever copied to a child.
2. A program that was started as a file or with `-m` is run again in the child under another name than `__main__`, as
   `multiprocessing` does: what stands under `if __name__ == "__main__":` is not repeated.
3. What cannot be found so is said before anything is received.
"""

from __future__ import annotations

import importlib
import os
import runpy
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

from forebay.errors import SettingsError, TargetError

if TYPE_CHECKING:
    from forebay.api.worker import Worker

CHILD = "forebay.api.child"
"""What a child runs, with `python -m`."""

MAIN = "__forebay_main__"
"""The name of the program's own module in a child."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a worker is to be found. Exactly one of `module` and `path` is not None."""

    module: str | None
    path: str | None
    """The file of a program that was started as such."""
    is_main: bool
    """Whether it is the program itself, to be run under another name."""
    attribute: str


def whereabouts(worker: Worker) -> Whereabouts:
    """Return where a child finds `worker`. Raises `SettingsError` when it cannot be found from outside."""
    if worker.target is not None:
        module_name, name = worker.target
        return Whereabouts(module_name, None, is_main=False, attribute=name)
    # The program's own module last: where another one has it, too, nothing has to be run twice.
    for module in sorted(_modules(), key=lambda one: one.__name__ == "__main__"):
        attribute = _name_in(module, worker)
        if attribute is None:
            continue
        if module.__name__ != "__main__":
            return Whereabouts(module.__name__, None, is_main=False, attribute=attribute)
        found = _main(module, attribute)
        if found is not None:
            return found
    raise SettingsError(
        f"worker {worker.name!r} runs jobs in child processes (isolate=True or processes), and those must be able to "
        "import it: bind it to a name at the top of a module or of the program's file, such as "
        f"`worker = Worker({worker.name!r})`"
    )


def _modules() -> Iterator[ModuleType]:
    for module in list(sys.modules.values()):
        if isinstance(module, ModuleType):  # pyright: ignore[reportUnnecessaryIsInstance] - anything may stand there
            yield module


def _name_in(module: ModuleType, worker: Worker) -> str | None:
    """Return the name that the worker has in the module."""
    return next((name for name, value in list(vars(module).items()) if value is worker), None)


def _main(module: ModuleType, attribute: str) -> Whereabouts | None:
    spec = module.__spec__
    if spec is not None:
        return Whereabouts(spec.name, None, is_main=True, attribute=attribute)
    path = getattr(module, "__file__", None)
    if not isinstance(path, str) or not os.path.isfile(path):
        return None  # An interactive session, `python -c` or standard input: there is no file to run again.
    return Whereabouts(None, os.path.abspath(path), is_main=True, attribute=attribute)


def is_import_of_a_child() -> bool:
    """Say whether this process is a child that imports the program at the moment."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    return spec is not None and spec.name == CHILD


def found_again(where: Whereabouts) -> Worker:
    """Return the worker, in a child. Raises what its module raises, and `TargetError` when it is not there any more."""
    found: object
    if not where.is_main:
        assert where.module is not None
        found = importlib.import_module(where.module)
        for part in where.attribute.split("."):
            found = getattr(found, part, None)
    else:
        names = (
            runpy.run_module(where.module, run_name=MAIN, alter_sys=True)
            if where.module is not None
            else runpy.run_path(str(where.path), run_name=MAIN)
        )
        main = ModuleType(MAIN)
        vars(main).update(names)
        # Whoever looks for the program's own names (typing, pickle) finds them under both.
        sys.modules["__main__"] = sys.modules[MAIN] = main
        first, *rest = where.attribute.split(".")
        found = names.get(first)
        for part in rest:
            found = getattr(found, part, None)
    from forebay.api.worker import Worker

    if not isinstance(found, Worker):
        place = where.module or where.path
        raise TargetError(
            f"{place}:{where.attribute} is no Worker in a child process: it must be made by the import alone"
        )
    return found
