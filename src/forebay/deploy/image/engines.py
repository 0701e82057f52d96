"""The programs that can build an image and push it: which is usable here, and what each is told.

Rules kept here and nowhere else:

1. The order is docker, finch, podman, buildah, and the first that answers is taken: a client without its engine is of
   no use. `FOREBAY_ENGINE` names another.
2. Credentials of a registry go by standard input. podman and buildah get a file of ours to keep them in, for as long as
   the push takes; docker and finch have a store of their own, as with any `docker login`.
3. Only a registry on this machine is spoken to without TLS.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from forebay.deploy.image import commands
from forebay.deploy.image.recipe import Recipe
from forebay.errors import DeployError

PROBE_MAX_S = 20.0
QUESTIONS: dict[str, tuple[str, ...]] = {
    "docker": ("version", "--format", "{{.Server.Version}}"),
    "finch": ("info",),
    "podman": ("info",),
    "buildah": ("info",),
}
"""Engine → what only a working one answers."""

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True)
class Engine:
    """One program: its name, and where it is."""

    name: str
    program: str

    @property
    def keeps_nothing(self) -> bool:
        """podman and buildah: no engine behind them, and credentials and digests go where they are told to put them."""
        return self.name in ("podman", "buildah")

    def build(self, recipe: Recipe, image: str, labels: Mapping[str, str], *, fresh: bool) -> list[str]:
        """The arguments that build `image`. `fresh`: nothing from before is used, and the base is looked up again."""
        # podman and buildah would take a `.containerignore` first, which is not what the tag was made of.
        ignoring = ("--ignorefile", str(recipe.ignore_file)) if self.keeps_nothing and recipe.ignore_file else ()
        return [
            *(self.program, "build", "--platform", recipe.platform, "--file", str(recipe.dockerfile), "--tag", image),
            *(("--target", recipe.target) if recipe.target else ()),
            *(("--no-cache", "--pull") if fresh else ()),
            *(word for name, value in recipe.arguments for word in ("--build-arg", f"{name}={value}")),
            *(word for name, value in labels.items() for word in ("--label", f"{name}={value}")),
            *(word for name, path in recipe.secrets for word in ("--secret", f"id={name},src={path}")),
            *ignoring,
            str(recipe.context),
        ]

    def architecture(self, image: str) -> list[str]:
        """The arguments that print which architecture the image says it is for."""
        if self.name == "buildah":
            return [self.program, "inspect", "--type", "image", "--format", "{{.OCIv1.Architecture}}", image]
        return [self.program, "image", "inspect", "--format", "{{.Architecture}}", image]

    def login(self, host: str, user: str, scratch: Path) -> list[str]:
        """The arguments that take a password by standard input. `scratch`: a folder that is gone after the push."""
        kept = ("--authfile", str(_credentials(scratch))) if self.keeps_nothing else ()
        return [self.program, "login", *kept, "--username", user, "--password-stdin", host]

    def push(self, image: str, scratch: Path) -> list[str]:
        """The arguments that push the image."""
        if not self.keeps_nothing:
            return [self.program, "push", image]
        credentials = _credentials(scratch)
        return [
            *(self.program, "push", "--digestfile", str(_digest_file(scratch))),
            *(("--authfile", str(credentials)) if credentials.exists() else ()),
            *(("--tls-verify=false",) if is_on_this_machine(image) else ()),
            image,
        ]

    def pushed_digest(self, image: str, scratch: Path) -> str | None:
        """Return the digest under which the registry has taken the image, as the engine heard it."""
        if self.keeps_nothing:
            file = _digest_file(scratch)
            return file.read_text(encoding="ascii").strip() or None if file.exists() else None
        question = [self.program, "image", "inspect", "--format", "{{range .RepoDigests}}{{println .}}{{end}}", image]
        answer = commands.ask(question, within_s=PROBE_MAX_S)
        known = [name.partition("@") for name in answer.text.split()]
        # docker leaves its own registry's name out of what it tells.
        wanted = image.rpartition(":")[0].removeprefix("docker.io/")
        return next((digest for place, _, digest in known if place.removeprefix("docker.io/") == wanted), None)


def _credentials(scratch: Path) -> Path:
    return scratch / "auth.json"


def _digest_file(scratch: Path) -> Path:
    return scratch / "digest"


def is_on_this_machine(image: str) -> bool:
    """Whether the image's registry is a loopback address."""
    host = image.partition("/")[0]
    return host in LOOPBACK or host.rpartition(":")[0] in LOOPBACK


def find(say: Callable[[str], None], *, wanted: str | None = None) -> Engine:
    """Return the first engine that answers. Raises `DeployError`, which says of each why it is of no use here."""
    if wanted and wanted not in QUESTIONS:
        raise DeployError(f"FOREBAY_ENGINE={wanted!r} is none that Forebay knows: it is one of {', '.join(QUESTIONS)}")
    reasons: list[str] = []
    for name, question in QUESTIONS.items():
        if wanted not in (None, "", name):
            continue
        program = shutil.which(name)
        if program is None:
            reasons.append(f"{name} is not installed")
            continue
        answer = commands.ask([program, *question], within_s=PROBE_MAX_S)
        if answer.status == 0:
            if passed_over := [reason for reason in reasons if "not installed" not in reason]:
                say(f"building with {name}, since {'; '.join(passed_over)}")
            return Engine(name, program)
        reasons.append(f"{name} is of no use ({answer.complaint})")
    raise DeployError(
        f"no engine here can build the image: {'; '.join(reasons)}. Start or install one of them, or deploy an image "
        "that exists with --image REPOSITORY@sha256:…"
    )
