"""Finds the Worker that TARGET names.

Rules kept here and nowhere else:

1. The working directory is first on `sys.path`.
2. `module:attribute` names a Worker; `module` alone will do when it holds exactly one.
3. Without TARGET, `handler:` of `forebay.yml` names the Worker; without that it is the sample worker.
4. When the user's module cannot be imported, its own traceback is shown, without our frames and Python's.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING

from forebay.api import project_file
from forebay.errors import ForebayError, TargetError

if TYPE_CHECKING:
    from forebay.api.worker import Worker


_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def load(target: str | None) -> Worker:
    """Return the worker that `target` names, or the sample worker for None. Raises `TargetError`."""
    if target is None:
        from forebay.api.sample import worker

        return worker
    module_name, _, attribute = target.partition(":")
    if not module_name or module_name.endswith(".py") or os.sep in module_name:
        hint = module_name.removesuffix(".py").strip("./").replace(os.sep, ".")
        raise TargetError(f"TARGET {target!r} is not module:attribute{f': did you mean {hint!r}?' if hint else ''}")
    module = _import(module_name)
    name = attribute or _only(module)
    worker = _named(module, name)
    worker.target = (module_name, name)
    return worker


def load_chosen(target: str | None) -> tuple[Worker, str | None]:
    """Return the worker of `target`, else that of the project's `handler:`, else the sample worker; and its name."""
    if target is not None or (written := project_file.handler(Path.cwd())) is None:
        return load(target), target
    (name,) = written.values
    try:
        return load(name), name
    except TargetError as error:
        raised = TargetError(f"{written.place}, handler: {str(error).removeprefix('TARGET').lstrip(': ')}")
        for note in getattr(error, "__notes__", ()):
            raised.add_note(note)
        raise raised from error


def _import(name: str) -> ModuleType:
    here = os.getcwd()
    if not sys.path or sys.path[0] != here:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise TargetError(
                f"TARGET: there is no module {error.name!r}, neither in {here} nor among the installed ones"
            ) from None
        raise _broken(name, error) from error
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # A module that calls sys.exit() is as unusable as one that raises.
        raise _broken(name, error) from error


def _broken(name: str, error: BaseException) -> TargetError:
    """Return the error to raise, with the user's traceback as a note."""
    told = traceback.TracebackException(type(error), error, _users_part(error.__traceback__))
    if isinstance(error, ForebayError):  # What we refuse is about the user's line, not about where we noticed.
        theirs = [frame for frame in told.stack if not frame.filename.startswith(_OURS)]
        told.stack = traceback.StackSummary.from_list(theirs)
    shown = "".join(told.format())
    raised = TargetError(f"TARGET: importing {name!r} failed: {type(error).__name__}")
    raised.add_note(shown.rstrip("\n"))
    return raised


def _users_part(tb: TracebackType | None) -> TracebackType | None:
    """Skip the frames of this module and of Python's import machinery."""
    first = tb
    while first is not None:
        name = first.tb_frame.f_code.co_filename
        if name != __file__ and not name.startswith("<frozen ") and not name.startswith(importlib.__file__ or "\0"):
            return first
        first = first.tb_next
    return None  # A syntax error: its message names file and line.


def _named(module: ModuleType, attribute: str) -> Worker:
    from forebay.api.worker import Worker

    found: object = module
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            if error.name not in (part, None):  # Not about what was asked for, but raised while it was made.
                raise _broken(f"{module.__name__}:{attribute}", error) from error
            raise TargetError(f"TARGET: {module.__name__!r} has no {attribute!r}{_has(module)}") from None
        except ForebayError:
            raise
        except Exception as error:  # A module may make what it holds when it is first asked for.
            raise _broken(f"{module.__name__}:{attribute}", error) from error
    if not isinstance(found, Worker):
        raise TargetError(
            f"TARGET: {module.__name__}:{attribute} is a {type(found).__name__}, not a Worker{_has(module)}"
        )
    return found


def _only(module: ModuleType) -> str:
    """Return the name of the module's one Worker."""
    names = _workers(module)
    if not names:
        raise TargetError(f'TARGET: {module.__name__!r} holds no Worker: write `worker = Worker("name")` in it')
    # One Worker under two names is one Worker.
    if len({id(vars(module)[name]) for name in names}) == 1:
        return names[0]
    choices = ", ".join(f"{module.__name__}:{name}" for name in names)
    raise TargetError(f"TARGET: {module.__name__!r} holds several Workers; say which one: {choices}")


def _workers(module: ModuleType) -> list[str]:
    from forebay.api.worker import Worker

    return [name for name, value in vars(module).items() if isinstance(value, Worker)]


def _has(module: ModuleType) -> str:
    names = _workers(module)
    return f"; it has {', '.join(names)}" if names else ""
