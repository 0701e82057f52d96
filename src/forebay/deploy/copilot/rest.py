"""What has no counterpart as a whole: ECS Exec by default, tracing, sidecars, patches of the task definition. Pure."""

from __future__ import annotations

from forebay.deploy.copilot.draft import Draft
from forebay.deploy.copilot.kinds import is_list, is_section
from forebay.deploy.copilot.source import Source

STOP_TIMEOUT_MAX_S = 120


def rest(source: Source, draft: Draft) -> None:
    """Take the keys that mostly become a note."""
    if source.take("exec") is True:
        source.notes.left_out(
            "exec",
            "`copilot init` writes it unasked. ECS Exec needs a writable root file system and wide permissions; write "
            "`exec: true` if you use it.",
        )
    if (observability := source.section("observability")) is not None:
        if observability.take("tracing") is not None:
            source.notes.left_out("observability.tracing", "no collector for X-Ray runs beside the worker.")
        observability.done()
    sidecars = source.section("sidecars")
    for name, _ in sidecars.items() if sidecars is not None else ():
        source.notes.left_out(
            f"sidecars.{name}",
            "a task has the worker's container only. If it cannot be a service of its own, eject the template "
            "(`forebay package --eject`) and add it there.",
        )
    _patches(source, draft)


def _patches(source: Source, draft: Draft) -> None:
    patches = source.take("taskdef_overrides")
    if patches is None:
        return
    for index, patch in enumerate(patches if is_list(patches) else [patches]):
        place = f"taskdef_overrides[{index}]"
        path: object = patch.get("path") if is_section(patch) else None
        value: object = patch.get("value") if is_section(patch) else None
        if (
            path == "ContainerDefinitions[0].StopTimeout"
            and isinstance(value, int)
            and 2 <= value <= STOP_TIMEOUT_MAX_S
        ):
            draft.put("stop_timeout", value)
        elif path in ("ContainerDefinitions[0].ReadonlyRootFilesystem", "ContainerDefinitions[0].User"):
            source.notes.differs(place, "the container has a read-only root and user 10001 without it.")
        else:
            source.notes.left_out(
                place,
                f"the task definition is not patched{f' ({path})' if isinstance(path, str) else ''}: `forebay package "
                "--eject` leaves you the template to change.",
            )
