"""From the manifest to an image in a registry, named by its digest.

Rules kept here and nowhere else:

1. What the registry has under the tag is not built again, for the tag names all that goes into it (`recipe`).
2. What runs is named by digest. The engine's and the registry's must agree, else nothing is deployed.
3. A tag that does not tell the truth is not pushed: what went into it must be the same after the build as before.
4. Of an engine's output only its last lines are shown, and only when it failed; `hear` gets all of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from forebay.deploy.image import commands, engines, revision
from forebay.deploy.image.engines import Engine
from forebay.deploy.image.processors import doubt
from forebay.deploy.image.recipe import Recipe, digest, recipe, tag
from forebay.deploy.image.registry import EcrRegistry, PlainRegistry, Registry
from forebay.deploy.image.revision import Revision
from forebay.errors import DeployError

if TYPE_CHECKING:
    from forebay.deploy.clients import Clients
    from forebay.deploy.manifest.loading import Loaded

Say = Callable[[str], None]

# An attestation would make the image an index, whose digest is another than the image's own.
ENGINE_ENVIRONMENT = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
SHOWN_LINES = 20
ANSWER_MAX_S = 30.0
NO_BUILDKIT = "docker needs its buildx plugin for `RUN --mount` and secrets: install it (docker-buildx-plugin)"
SECRET = re.compile(r"TOKEN|PASSWORD|PASSWD|SECRET|CREDENTIAL|(?:^|_)(?:API|PRIVATE|ACCESS)_?KEY", re.IGNORECASE)
"""Names of arguments that are given to what nobody may read."""
LOGIN = re.compile(r"://[^/\s@]*:[^/\s@]+@")
"""An address with a password."""

HINTS = {
    "exec format error": "The image is for another processor than this machine's: install qemu-user-static, or build "
    "on a machine of that kind, or change `architecture:`",
    "requires buildkit": NO_BUILDKIT,
    "buildx component is missing": NO_BUILDKIT,
    "unknown flag: --secret": NO_BUILDKIT,
    "no space left on device": "The disk is full: `docker system prune`, or the same of your engine, makes room",
    "toomanyrequests": "The registry of the base image has had enough of this address: log in to it, or take a mirror "
    "as BASE_IMAGE (`image: build: args:`)",
    "no basic auth credentials": "Log in to the registry first, as its own guide says",
    "denied: requested access": "Log in to the registry first, as its own guide says; or the name there is another's",
    "unauthorized": "Log in to the registry first, as its own guide says",
}
"""What a failed engine says, in small letters → what to do about it."""


def build_and_push(
    loaded: Loaded,
    clients: Clients,
    *,
    say: Say,
    registry: str | None = None,
    fresh: bool = False,
    hear: commands.Hear | None = None,
) -> str:
    """Return the image of the manifest as `repository@sha256:…`, built and pushed unless the registry has it.

    `registry` is HOST/PATH of another registry than the account's ECR. `fresh` builds in any case, from bases looked up
    again. `hear` is given every line that the engine writes. Raises `ManifestError` and `DeployError`.
    """
    made = recipe(loaded)
    commit = revision.found(made.context)
    contents = digest(made)
    name = tag(contents, commit)
    place: Registry = PlainRegistry(registry) if registry else _ecr(loaded, clients)
    place.prepare(say)
    if known := place.digest_of(name):
        if not fresh:
            say(f"the registry has {name} already: it is not built again")
            return f"{place.repository}@{known}"
        name = _free(place, name)
    for remark in _remarks(made, commit):
        say(remark)
    engine = engines.find(say, wanted=os.environ.get("FOREBAY_ENGINE"))
    work = _Work(engine, place, say, hear or _nobody)
    image = f"{place.repository}:{name}"
    work.build(made, image, _labels(loaded, commit), fresh=fresh)
    if digest(made) != contents:
        raise DeployError(f"files in {made.context} have changed while the image was built: deploy again")
    return f"{place.repository}@{work.push(image, name)}"


def _ecr(loaded: Loaded, clients: Clients) -> EcrRegistry:
    return EcrRegistry(clients.ecr, loaded.names.repository, loaded.manifest.tags)


def _labels(loaded: Loaded, commit: Revision | None) -> dict[str, str]:
    labels = {"org.opencontainers.image.title": loaded.manifest.name}
    if commit is not None and not commit.is_dirty:
        labels["org.opencontainers.image.revision"] = commit.commit
    return labels


def _remarks(made: Recipe, commit: Revision | None) -> Iterator[str]:
    if named := [name for name, value in made.arguments if SECRET.search(name) or LOGIN.search(value)]:
        yield (
            f"{', '.join(named)} under `image: build: args:` can be read by whoever has the image: what is secret "
            "belongs under `image: build: secrets:`"
        )
    if commit is not None and commit.is_dirty:
        yield "the image gets changes that are not committed"
    needless = [name for name in (".git", ".venv", "node_modules") if (made.context / name).is_dir()]
    if made.ignore_file is None and needless:
        yield f"there is no .dockerignore, so the build gets {' and '.join(needless)} too: `forebay init` writes one"


def _free(place: Registry, name: str) -> str:
    """A tag beside one that is taken and cannot be moved: the same contents, built again."""
    return next(free for again in count(2) if place.digest_of(free := f"{name}-{again}") is None)


def _nobody(line: str) -> None:
    """Nobody listens to the engine."""


class _Work:
    """One engine and one registry, at work."""

    def __init__(self, engine: Engine, place: Registry, say: Say, hear: commands.Hear) -> None:
        self._engine = engine
        self._place = place
        self._say = say
        self._hear = hear

    def build(self, made: Recipe, image: str, labels: dict[str, str], *, fresh: bool) -> None:
        """Build the image, and see that it is for the machines that will run it."""
        wanted = made.platform.rpartition("/")[2]
        self._say(f"building {image} with {self._engine.name} for {made.platform}")
        if (remark := doubt(wanted)) is not None:
            self._say(remark)
        self._carry_out("build the image", self._engine.build(made, image, labels, fresh=fresh))
        answer = commands.ask(self._engine.architecture(image), within_s=ANSWER_MAX_S)
        if answer.status == 0 and (found := answer.text.strip()) != wanted:
            raise DeployError(
                f"{image} is for {found}, but the manifest's architecture is {wanted}: tasks would end with "
                '"exec format error". Name a base image that exists for it, or change `architecture:`'
            )

    def push(self, image: str, name: str) -> str:
        """Push the image and return its digest."""
        with TemporaryDirectory(prefix="forebay-push-") as folder:
            scratch = Path(folder)
            if (login := self._place.login()) is not None:
                words = self._engine.login(login.host, login.user, scratch)
                self._carry_out(f"log in to {login.host}", words, given=login.password)
            self._say(f"pushing {image}")
            try:
                self._carry_out("push the image", self._engine.push(image, scratch))
            except DeployError:
                # Two deployments of one commit: the tag cannot be moved, and what it leads to was made of the same.
                if (known := self._place.digest_of(name)) is None:
                    raise
                self._say(f"{name} has come into the registry meanwhile: that one is taken")
                return known
            return self._agreed(self._engine.pushed_digest(image, scratch), self._place.digest_of(name))

    def _agreed(self, pushed: str | None, registered: str | None) -> str:
        agreed = pushed or registered
        if agreed is None:
            raise DeployError(
                f"neither {self._engine.name} nor the registry tells the digest of what was pushed. Look it up, and "
                "deploy it with --image REPOSITORY@sha256:…"
            )
        if registered not in (None, agreed):
            raise DeployError(
                f"{self._engine.name} has pushed {pushed}, but the registry has {registered} under that tag: something "
                "else was pushed at the same time. Deploy again"
            )
        return agreed

    def _carry_out(self, doing: str, words: list[str], *, given: str = "") -> None:
        try:
            ended = commands.run(words, hear=self._hear, given=given, environment={**os.environ, **ENGINE_ENVIRONMENT})
        except OSError as error:
            raise DeployError(f"{self._engine.name} cannot be started: {error.strerror}") from error
        if ended.status == 0:
            return
        for line in ended.last_lines[-SHOWN_LINES:]:
            self._say(f"  {line}")
        raise DeployError(
            f"{self._engine.name} could not {doing} (status {ended.status}): its last lines are above"
            + _hint("\n".join(ended.last_lines))
        )


def _hint(output: str) -> str:
    return next((f". {remedy}" for sign, remedy in HINTS.items() if sign in output.lower()), "")
