"""The container: its rights, its image and how it is started. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from forebay.deploy.doctor.checking import Case, check, error, note, warning
from forebay.deploy.doctor.facts import Container
from forebay.deploy.doctor.finding import Found

SHELLS = ("sh", "bash", "ash", "dash")
_OLD_PLATFORM = re.compile(r"1\.[0-3](\.\d+)?")


@check("exec-read-only", "ECS Exec has a root file system that it can write")
def exec_read_only(case: Case) -> Iterator[Found]:
    container, service = _container(case), case.facts.service
    if container is not None and service is not None and service.has_exec and container.is_read_only:
        yield error(
            "EnableExecuteCommand and ReadonlyRootFilesystem",
            f"{container.place}.ReadonlyRootFilesystem",
            "the agent of ECS Exec writes into the container and cannot start, so no session opens",
            "set exec to false, or give the container a writable root",
            "exec",
        )


@check("exec-on", "Nobody can open a shell in a task")
def exec_on(case: Case) -> Iterator[Found]:
    service = case.facts.service
    if service is not None and service.has_exec:
        yield note(
            "EnableExecuteCommand true",
            f"{service.place}.EnableExecuteCommand",
            "whoever may call ecs:ExecuteCommand acts with the rights of the task, whose root can be written",
            "set exec to false when you are done",
            "exec",
        )


@check("scratch", "A container with a read-only root can write somewhere")
def scratch(case: Case) -> Iterator[Found]:
    container = _container(case)
    if container is not None and container.is_read_only and "/tmp" not in container.writable_paths:  # noqa: S108
        yield warning(
            "ReadonlyRootFilesystem true, nothing mounted at /tmp",
            f"{container.place}.MountPoints",
            "Python and libraries that make a temporary file fail in the middle of a job",
            "mount a volume at /tmp",
        )


@check("root-user", "The container's user is not root")
def root_user(case: Case) -> Iterator[Found]:
    container = _container(case)
    if container is None or (container.user or "root").partition(":")[0] not in ("0", "root"):
        return
    yield warning(
        f"User {container.user}" if container.user else "no User",
        f"{container.place}.User",
        "code that breaks out of a job has root's rights in the container"
        + ("" if container.user else ", unless the image names another user"),
        "set User to 10001:10001",
    )


@check("container-rights", "The container has no rights that a worker does not need")
def container_rights(case: Case) -> Iterator[Found]:
    container = _container(case)
    if container is None:
        return
    kept = [] if "ALL" in container.dropped else ["capabilities kept"]
    kept += ["Privileged"] if container.is_privileged else []
    service = case.facts.service
    has_exec = service is not None and service.has_exec
    kept += [] if container.is_read_only or has_exec else ["writable root"]
    if kept:
        yield warning(
            ", ".join(kept),
            f"{container.place}.LinuxParameters",
            "what a job's dependency is tricked into can change the program and use the kernel's special rights",
            "drop ALL capabilities and set ReadonlyRootFilesystem",
        )


@check("command-shell", "SIGTERM reaches the worker")
def command_shell(case: Case) -> Iterator[Found]:
    container = _container(case)
    if container is None:
        return
    words = container.entry_point or container.command
    if words and words[0].rpartition("/")[2] in SHELLS:
        yield error(
            f"{'EntryPoint' if container.entry_point else 'Command'} {' '.join(words[:2])} …",
            container.place,
            "a shell as first process keeps SIGTERM to itself: no worker drains, and ECS kills every one",
            'write the command as a list: ["forebay", "run", "…"]',
        )


@check("container-restart", "ECS does not restart the worker inside of a task")
def container_restart(case: Case) -> Iterator[Found]:
    container = _container(case)
    if container is not None and container.restarts:
        yield warning(
            "RestartPolicy.Enabled true",
            f"{container.place}.RestartPolicy",
            "a restarted worker is in a task whose protection may be over, and exit statuses never end a deployment",
            "leave RestartPolicy out: the service replaces tasks",
        )


@check("platform-version", "The platform knows task protection")
def platform_version(case: Case) -> Iterator[Found]:
    service = case.facts.service
    if service is not None and _OLD_PLATFORM.fullmatch(service.platform):
        yield error(
            f"PlatformVersion {service.platform}",
            f"{service.place}.PlatformVersion",
            "protection needs platform 1.4.0",
            "set PlatformVersion to LATEST",
        )


@check("image-tag", "Every task runs the same image")
def image_tag(case: Case) -> Iterator[Found]:
    container = _container(case)
    image, place, key = (container.image, f"{container.place}.Image", None) if container else ("", "", None)
    location = case.manifest.image.location if case.manifest else None
    if location is not None and (not image or image.startswith("${")):
        image, place, key = location, "image.location", "image.location"
    # A parameter without a default is what `deploy` fills in, always by digest.
    if image and not image.startswith("${") and "@sha256:" not in image:
        yield warning(
            f"image {image}",
            place,
            "a tag can be moved: a task that starts tomorrow may run other code than the one beside it",
            "name the image by its digest (…@sha256:…)",
            key,
        )


def _container(case: Case) -> Container | None:
    return case.facts.task.container if case.facts.task else None
