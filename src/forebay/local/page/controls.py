"""The page's hand on the local cloud: `POST /do/<control>`, one control for each method of `LocalCloud`.

Rules kept here and nowhere else:

1. A control takes exactly the values that it names. A missing, a foreign and a wrong one are answered with a sentence
   that names the value (400); nothing has happened then.
2. What the cloud cannot do is answered with its own sentence (409).
3. Only JSON is taken: what a form of another web page can send is not.
"""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from aiohttp import web

from forebay.local.port import ControlError, LocalCloud

JOB_MS_MAX = 39_600_000
"""The longest job that the sample worker takes: 11 h."""
COUNT_MAX = 100_000
TASKS_MAX = 1_000
FAULT_S_MAX = 3_600
RATE_MAX = 10_000

Read = Callable[[str, object], Any]


class BadValue(Exception):
    """A value of a control is not what it must be."""


def whole(low: int, high: int) -> Read:
    """Return a reader of whole numbers from `low` to `high`."""

    def read(name: str, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise BadValue(f"{name} must be a whole number from {low} to {high:,}, not {_shown(value)}")
        return value

    return read


def number(low: float, high: float) -> Read:
    """Return a reader of numbers from `low` to `high`."""

    def read(name: str, value: object) -> float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not is_number or not low <= cast("float", value) <= high:
            raise BadValue(f"{name} must be a number from {low:g} to {high:,}, not {_shown(value)}")
        return float(cast("float", value))

    return read


def flag(name: str, value: object) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        raise BadValue(f"{name} must be true or false, not {_shown(value)}")
    return value


def text(name: str, value: object) -> str:
    """Read a name, such as a task's."""
    if not isinstance(value, str) or not 0 < len(value) <= 200:
        raise BadValue(f"{name} must be a text of 1 to 200 characters, not {_shown(value)}")
    return value


def _shown(value: object) -> str:
    """Return a value as it was written, short enough for a sentence."""
    written = json.dumps(value, ensure_ascii=False)
    return written if len(written) <= 60 else f"{written[:57]}..."


@dataclass(frozen=True, slots=True)
class Control:
    """One control: what it takes, and what it does."""

    act: Callable[..., object]
    """A method of `LocalCloud`."""
    values: Mapping[str, Read]
    """Its arguments by their names."""

    def read(self, given: object) -> dict[str, Any]:
        """Return the arguments. Raises BadValue."""
        if not isinstance(given, dict):
            raise BadValue(f"a JSON object is needed, not {_shown(given)}")
        found = cast("dict[str, object]", given)
        for name in found:
            if name not in self.values:
                raise BadValue(f"{name} is not a value of this control; it takes {', '.join(self.values) or 'none'}")
        for name in self.values:
            if name not in found:
                raise BadValue(f"{name} is missing")
        return {name: read(name, found[name]) for name, read in self.values.items()}


_JOBS = {"count": whole(1, COUNT_MAX), "job_ms": whole(0, JOB_MS_MAX)}
_TASK = {"task_id": text}
_SECONDS = {"seconds": number(0.1, FAULT_S_MAX)}

CONTROLS: Mapping[str, Control] = {
    "send": Control(LocalCloud.send, _JOBS),
    "set_rate": Control(LocalCloud.set_rate, {"per_s": number(0, RATE_MAX), "job_ms": whole(0, JOB_MS_MAX)}),
    "set_desired": Control(LocalCloud.set_desired, {"count": whole(0, TASKS_MAX)}),
    "set_scaled": Control(LocalCloud.set_scaled, {"is_scaled": flag}),
    "deploy": Control(LocalCloud.deploy, {}),
    "stop_task": Control(LocalCloud.stop_task, _TASK),
    "kill": Control(LocalCloud.kill, _TASK),
    "freeze": Control(LocalCloud.freeze, {**_TASK, "is_frozen": flag}),
    "interrupt_spot": Control(LocalCloud.interrupt_spot, _TASK),
    "hole": Control(LocalCloud.hole, _SECONDS),
    "throttle": Control(LocalCloud.throttle, _SECONDS),
    "refuse_protection": Control(LocalCloud.refuse_protection, _SECONDS),
    "clear_faults": Control(LocalCloud.clear_faults, {}),
    "compare": Control(LocalCloud.compare, _JOBS),
}
"""Every control by the name of its method."""


async def perform(cloud: LocalCloud, request: web.Request) -> web.Response:
    """Answer `POST /do/<control>`."""
    name = request.match_info["control"]
    control = CONTROLS.get(name)
    if control is None:
        return _refused(404, f"there is no control {name[:40]!r}; there are {', '.join(CONTROLS)}")
    if request.content_type != "application/json":
        return _refused(415, "a control is asked for with Content-Type: application/json")
    try:
        arguments = control.read(json.loads(await request.read()))
    except ValueError:
        return _refused(400, "the body is not JSON")
    except BadValue as error:
        return _refused(400, str(error))
    try:
        result: object = getattr(cloud, name)(**arguments)
        if inspect.isawaitable(result):
            result = await cast("Awaitable[object]", result)
    except ControlError as error:
        return _refused(409, str(error))
    return web.json_response({"result": result})


def _refused(status: int, sentence: str) -> web.Response:
    return web.json_response({"error": sentence}, status=status)
