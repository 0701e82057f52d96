"""What `forebay status` shows: a status as lines of text. Pure.

Rules kept here and nowhere else:

1. The first lines are the article's: `Task Summary`, the bar, the tasks. Columns that it has not are there only when
   they have something to tell.
2. A section that could not be read is one line, in its place, that says why.
3. What has nothing to tell takes no room: no table of stopped tasks when none has stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from forebay.cli.shapes import CELL_MIN, ago, bar, clean, columns, event_text, instant, plural, span, table
from forebay.deploy.live.values import (
    AlarmState,
    Protected,
    QueueState,
    ScalingState,
    ServiceState,
    Status,
    Tasks,
    TaskState,
    Unread,
)
from forebay.deploy.rollout import HEADINGS, StopGroup

TASKS_MAX = 20
GROUPS_MAX = 5
TEXT_MAX = 160
ID = 8
"""So much of a task's id is shown to people."""
ALONE = "This ECS is on this machine: scaling, alarms and the age of messages are not asked for."
SHORT_OF = {"INSUFFICIENT_DATA": "no data"}
OF_SIGNAL = {"ALARM": "scales", "OK": "at rest", "INSUFFICIENT_DATA": "no data"}
"""How the alarms stand that start and stop tasks; no colour of an alarm is due to them."""


def screen(status: Status) -> list[str]:
    """Return the lines of the whole screen, save the cost."""
    now = status.read_utc
    sections = [
        _service(status.service, now),
        _queue(status.queue),
        _stopped(status.tasks),
        _scaling(status.scaling, now),
        _alarms(status.alarms, now),
    ]
    return [
        *_summary(status),
        *(line for heading, lines in sections if lines for line in ("", heading, "", *lines)),
        *(["", ALONE] if _is_alone(status.alarms) else []),
    ]


Section = tuple[str, list[str]]


def _is_alone(value: object) -> bool:
    return isinstance(value, Unread) and value.is_elsewhere


def _unread(unread: Unread) -> list[str]:
    return [] if unread.is_elsewhere else [f"  not read: {unread.reason}"]


def _summary(status: Status) -> list[str]:
    service, tasks = status.service, status.tasks
    lines = ["Task Summary", ""]
    if isinstance(service, Unread):
        lines += _unread(service)
    else:
        counts = f"{service.running}/{service.desired} desired tasks are running"
        lines += columns([["Running", bar(service.running, service.desired), counts]], least=CELL_MIN)
    if isinstance(tasks, Unread):
        return [*lines, "", *_unread(tasks)]
    if tasks.alive:
        lines += ["", "", *_tasks(tasks.alive, _by_task(status.protected), status.read_utc)]
    if isinstance(status.protected, Unread) and status.protected is not status.tasks:
        lines += ["", *_unread(status.protected)]
    return lines


def _by_task(protected: tuple[Protected, ...] | Unread) -> dict[str, Protected]:
    return {} if isinstance(protected, Unread) else {one.task_id: one for one in protected}


def _tasks(tasks: tuple[TaskState, ...], protected: Mapping[str, Protected], now: datetime) -> list[str]:
    kinds = {task.capacity for task in tasks}
    headings = ["ID", "Status", "Revision", "Started At"]
    if protected:
        headings.append("Protected")
    if any(task.health == "UNHEALTHY" for task in tasks):
        headings.append("Health")
    if len(kinds) > 1:
        headings.append("Capacity")
    more: dict[str, Callable[[TaskState], str]] = {
        "Protected": lambda task: _until(protected.get(task.task_id), now),
        "Health": lambda task: task.health,
        "Capacity": lambda task: task.capacity,
    }
    rows = [
        [
            task.task_id[:ID],
            f"{task.status}, stopping" if task.is_stopping and task.status == "RUNNING" else task.status,
            str(task.revision),
            ago(task.started_utc, now),
            *(more[heading](task) for heading in headings[4:]),
        ]
        for task in tasks[:TASKS_MAX]
    ]
    left_out = len(tasks) - len(rows)
    return [*table(headings, rows), *([f"  and {left_out} more: --json has them all"] if left_out else ())]


def _until(protected: Protected | None, now: datetime) -> str:
    if protected is None:
        return ""
    if protected.until_utc is None:
        return "yes"
    return f"until {instant(protected.until_utc)} ({span((protected.until_utc - now).total_seconds())})"


def _service(service: ServiceState | Unread, now: datetime) -> Section:
    if isinstance(service, Unread):  # The summary has said so.
        return "", []
    lines = columns([HEADINGS, *(one.figures for one in service.deployments)])
    unsettled = any(one.rollout != "completed" for one in service.deployments)
    if unsettled or service.running != service.desired:
        lines += [f"  {ago(event.at_utc, now)}: {_cut(event_text(event.text))}" for event in service.events[:3]]
    return "Deployments", lines


def _queue(queue: QueueState | Unread) -> Section:
    if isinstance(queue, Unread):
        return "Queue", _unread(queue)
    counts = f"{queue.visible:,} visible, {queue.in_flight:,} in flight, {queue.delayed:,} delayed"
    rows, more = [[queue.name, counts]], list[str]()
    match queue.oldest:
        case Unread():
            more += _unread(queue.oldest)
        case None:
            pass
        case age:
            rows[0][1] += f"; the oldest had waited {span(age.oldest_s)} at {instant(age.at_utc)}"
    match queue.dead:
        case Unread():
            more += _unread(queue.dead)
        case None:
            more.append("  no dead-letter queue: a job that fails for good is parked, and lost when its retention ends")
        case dead:
            rows.append([dead.name, plural(dead.count, "dead letter")])
    return "Queue", [*columns(rows), *more]


def _stopped(tasks: Tasks | Unread) -> Section:
    if isinstance(tasks, Unread) or not tasks.stopped:  # The summary has said so.
        return "", []
    lines = [line for group in tasks.stopped[:GROUPS_MAX] for line in _group(group)]
    if len(tasks.stopped) > GROUPS_MAX:
        lines.append(f"  and {plural(len(tasks.stopped) - GROUPS_MAX, 'other reason')}: --json has them all")
    return "Stopped Tasks", lines


def _group(group: StopGroup) -> list[str]:
    more = ", …" if group.count > len(group.task_ids) else ""
    lines = [f"  {group.count:,} × {clean(group.reason)} ({', '.join(group.task_ids)}{more})"]
    return [*lines, *([f"      → {group.hint}"] if group.hint else ())]


def _scaling(scaling: ScalingState | Unread | None, now: datetime) -> Section:
    match scaling:
        case None:
            return "", []
        case Unread():
            return "Scaling", _unread(scaling)
        case ScalingState(bounds=bounds, activities=activities):
            lines = [f"  {bounds.least} to {bounds.most} tasks"]
            if bounds.suspended:
                lines[0] += f"; suspended ({', '.join(bounds.suspended)}): `forebay scale --resume` lets it go on"
            if isinstance(activities, Unread):
                return "Scaling", [*lines, *_unread(activities)]
            return "Scaling", [*lines, *(f"  {ago(one.at_utc, now)}: {_cut(one.text)}" for one in activities[:3])]


def _alarms(alarms: tuple[AlarmState, ...] | Unread, now: datetime) -> Section:
    if isinstance(alarms, Unread):
        return "Alarms", _unread(alarms)
    if not alarms:
        return "", []
    rows = [[alarm.label, _state(alarm), "-" if alarm.since_utc is None else _for(alarm, now)] for alarm in alarms]
    ringing = [alarm for alarm in alarms if alarm.state == "ALARM" and alarm.about and not alarm.is_signal]
    return "Alarms", [
        *table(["Name", "State", "For"], rows),
        *(f"  {alarm.label}: {clean(alarm.about)}" for alarm in ringing),
    ]


def _state(alarm: AlarmState) -> str:
    return (OF_SIGNAL if alarm.is_signal else SHORT_OF).get(alarm.state, alarm.state)


def _for(alarm: AlarmState, now: datetime) -> str:
    assert alarm.since_utc is not None
    return span((now - alarm.since_utc).total_seconds())


def _cut(text: str) -> str:
    line = clean(text)
    return line if len(line) <= TEXT_MAX else line[: TEXT_MAX - 1] + "…"
