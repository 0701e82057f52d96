"""Image, size and platform of Copilot's container. Pure."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from forebay.deploy.copilot.draft import Around, Draft
from forebay.deploy.copilot.kinds import is_section
from forebay.deploy.copilot.source import Source

_IMAGE_KEYS = {
    "credentials": "images of registries that ask for a password cannot be pulled: copy the image to ECR.",
    "labels": "Docker labels are not set on the container; write LABEL lines in the Dockerfile.",
    "depends_on": "there is one container in a task, so there is nothing to wait for.",
    "healthcheck": (
        "every worker is asked by `forebay health`, which looks at its control loop and never at SQS, "
        "so that an outage of SQS replaces no busy task."
    ),
}
_ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "arm64": "arm64", "arm": "arm64"}


def container(source: Source, draft: Draft, around: Around) -> None:
    """Convert `image`, `entrypoint`, `command`, `platform`, `cpu` and `memory`."""
    if (image := source.section("image")) is not None:
        _image(image, draft, around)
    for key in ("entrypoint", "command"):
        if source.take(key) is not None:
            source.notes.left_out(
                key,
                'the task runs `forebay run` with the manifest\'s `handler:`. Have ENTRYPOINT ["forebay"] in the '
                "Dockerfile (`forebay import --generate` writes one); what else the command did belongs into a start "
                "hook.",
            )
    _platform(source, draft)
    draft.put("cpu", source.whole("cpu"))
    draft.put("memory", source.whole("memory"))


def _image(image: Source, draft: Draft, around: Around) -> None:
    build = image.take("build")
    if isinstance(build, str):
        _build(build, None, draft, around)
    elif is_section(build):
        section = Source(build, image.at("build"), image.notes)
        _build(section.text("dockerfile"), section.text("context"), draft, around)
        draft.put("image.build.target", section.text("target"))
        _arguments(section, draft)
        if section.take("cache_from") is not None:
            section.notes.left_out(
                section.at("cache_from"), "the engine's own layer cache is used; in CI, keep it between runs."
            )
        section.done()
    elif build is not None:
        image.notes.left_out(image.at("build"), "it is neither a path nor a section: look at it yourself.")
    if (location := image.text("location")) is not None:
        draft.put("image.location", location)
        if "@sha256:" not in location:
            image.notes.differs(
                image.at("location"), "a tag can come to mean another image: name it by its digest (…@sha256:…)."
            )
    if build is not None or location is not None:
        image.notes.differs(
            image.at("build" if build is not None else "location"),
            "the image must hold Forebay and your handler; Copilot's ran any program. `forebay import --generate` "
            "writes such a Dockerfile.",
        )
    for key, text in _IMAGE_KEYS.items():
        if image.take(key) is not None:
            image.notes.left_out(image.at(key), text)
    image.done()


def _build(dockerfile: str | None, context: str | None, draft: Draft, around: Around) -> None:
    """Set both paths by Copilot's order: what is not named follows from the other."""
    if dockerfile is None:
        dockerfile = str(PurePosixPath(context or ".") / "Dockerfile")
    if context is None:
        context = str(PurePosixPath(dockerfile).parent)
    draft.put("image.build.dockerfile", around.path(dockerfile))
    draft.put("image.build.context", around.path(context))


def _arguments(build: Source, draft: Draft) -> None:
    arguments = build.section("args")
    for key, value in arguments.items() if arguments is not None else ():
        if isinstance(value, str | int | float):
            draft.values.setdefault("image", {}).setdefault("build", {}).setdefault("args", {})[key] = _plain(value)
        else:
            build.notes.left_out(build.at(f"args.{key}"), "its value is no plain text: look at it yourself.")


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _platform(source: Source, draft: Draft) -> None:
    platform = source.take("platform")
    if platform is None:
        return
    system, architecture = _parts(platform)
    if system != "linux" or architecture not in _ARCHITECTURES:
        source.notes.left_out("platform", "only Linux on x86_64 or arm64 can be deployed.")
        return
    draft.put("architecture", _ARCHITECTURES[architecture])
    if is_section(platform):
        rest = Source(platform, "platform", source.notes)
        rest.take("osfamily")
        rest.take("architecture")
        rest.done()


def _parts(platform: Any) -> tuple[str, str]:
    if is_section(platform):
        return str(platform.get("osfamily", "linux")).lower(), str(platform.get("architecture", "x86_64")).lower()
    system, _, architecture = str(platform).lower().partition("/")
    return system, architecture
