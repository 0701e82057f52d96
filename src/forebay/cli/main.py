"""The command line: finds the verb, runs it, and turns whatever comes out of it into words and an exit status.

Rules kept here and nowhere else:

1. Only the module of the verb that is asked for is imported, so that a worker starts fast.
2. What the user did wrong goes to standard error in a sentence and exits 2; a service that says no exits 1; a bug of
   ours exits 70 with where to report it. Tracebacks are shown only of the user's own code.
3. Standard output is for results and logs; everything said about the command itself goes to standard error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from forebay import platform
from forebay.cli.console import USAGE_ERROR, complain, remark, steady, tell
from forebay.errors import DeployError, JobError, ProtectionError, QueueError, SettingsError, TargetError

if TYPE_CHECKING:
    import typer

VERBS: dict[str, str] = {
    "init": "begin a service: write its forebay.yml and its image's Dockerfile",
    "import": "make a forebay.yml of a Worker Service of AWS Copilot",
    "run": "work one or several queues",
    "local": "try it all on this machine: SQS, ECS, autoscaling, your worker, and a page",
    "send": "put jobs on a queue",
    "health": "ask a running worker whether it is well",
    "deploy": "deploy the worker and its queue to Fargate, and watch it happen",
    "diff": "show what `deploy` would change",
    "delete": "delete what `deploy` made, and keep queues that hold messages",
    "env": "list the environments and what runs in each",
    "doctor": "find settings that contradict each other or AWS",
    "package": "print the CloudFormation template of the manifest, or leave it in a folder",
    "status": "show a deployed service: tasks, queue, protection, alarms",
    "logs": "show what the tasks of a deployed service say",
    "scale": "set how many tasks a deployed service has",
    "exec": "open a shell in a running task",
    "version": "print the version",
}
"""Verb → what it does. Each lives in the module of its name beside this one, as `app`."""

MODULES = {"import": "import_"}
"""Verbs that can be no module's name."""

EXTRAS = {"boto3": "deploy", "yaml": "deploy", "rich": "deploy"}
"""Library → the extra that brings it. Verbs of a deployment need what a worker in its container does not."""

BUG = 70
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    platform.fill_standard_descriptors()
    steady()
    given = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(_status(given))


def _status(given: list[str]) -> int:
    if (refusal := platform.unsupported()) is not None:
        return complain(refusal)
    if not given:
        remark(overview())
        return USAGE_ERROR
    verb, rest = given[0], given[1:]
    if verb == "run":
        platform.leave_on_termination()  # Until the worker has a handler of its own: the user's imports take time.
    if verb in ("-h", "--help", "help"):
        tell(overview())
        return 0
    if verb in ("-V", "--version"):
        verb = "version"
    if verb not in VERBS:
        return complain(f"there is no {verb!r}{_suggestion(verb)} `forebay --help` lists what there is")
    return carry_out(verb, rest)


def carry_out(verb: str, rest: list[str]) -> int:
    """Run one verb and return its exit status."""
    try:
        app: typer.Typer = import_module(f"forebay.cli.{MODULES.get(verb, verb)}").app
        return _call(app, rest, f"forebay {verb}")
    except TargetError as error:
        for note in getattr(error, "__notes__", ()):
            remark(note)
        return complain(str(error))
    except (SettingsError, JobError, ProtectionError) as error:
        return complain(str(error))
    except (QueueError, DeployError) as error:
        return complain(str(error), status=1)
    except ModuleNotFoundError as error:
        if (extra := EXTRAS.get(error.name or "")) is None:
            return _own_up(error)
        return complain(f"`forebay {verb}` needs {error.name}: pip install 'forebay[{extra}]'")
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return 1
    except Exception as error:  # noqa: BLE001  (the last resort of the process: it is reported, not hidden)
        return _own_up(error)
    finally:
        platform.forgive_broken_output()


def _call(app: typer.Typer, rest: list[str], name: str) -> int:
    from typer.main import get_command

    try:
        get_command(app).main(args=list(rest), prog_name=name, standalone_mode=True, obj=tuple(rest))
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 0 if leaving.code is None else 1
    return 0


def overview() -> str:
    """Return what `forebay --help` shows."""
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {verb:<{width}}  {meaning}" for verb, meaning in VERBS.items())
    return (
        "Background workers for Amazon SQS on Amazon ECS that never lose a job.\n\n"
        f"Usage: forebay VERB [OPTIONS]\n\n{verbs}\n\n"
        "Each verb explains itself: forebay run --help\n\n"
        "Example:\n  forebay local\n  forebay run shop.jobs:worker --queue https://sqs.eu-west-1.amazonaws.com/1/thumbnails"
    )


def _suggestion(verb: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(verb, VERBS, n=1)
    return f": did you mean {near[0]!r}?" if near else "."


def _own_up(error: Exception) -> int:
    """Report a bug of ours: its type and place, which hold no user data, and the rest on request."""
    import traceback

    if platform.wants_traceback():
        traceback.print_exception(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{os.path.basename(frames[-1].filename)}:{frames[-1].lineno} {frames[-1].name}" if frames else "?"
    return complain(
        f"this is a bug in Forebay: {type(error).__name__} at {place}. "
        "Please report it to the project's issue tracker with what you ran (see CONTRIBUTING.md); "
        "FOREBAY_TRACEBACK=1 shows the whole of it",
        status=BUG,
    )


if __name__ == "__main__":
    main()
