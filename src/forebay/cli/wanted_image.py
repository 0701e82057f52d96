"""Which image a deployment gets: the one that is named, or one that is built here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from forebay.cli.progress_lines import Line
from forebay.cli.screen import Screen
from forebay.errors import SettingsError

if TYPE_CHECKING:
    from forebay.deploy.clients import Clients
    from forebay.deploy.manifest.loading import Loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedImage:
    """What the command's options say of the image."""

    named: str | None = None
    """One that exists: nothing is built."""
    registry: str | None = None
    """HOST/PATH to push to; None: the account's ECR."""
    is_built_again: bool = False
    """Also when the registry has it, from a base that is looked up again."""
    is_loud: bool = False
    """Every line of the engine is shown."""

    def __post_init__(self) -> None:
        if self.named is not None and (self.registry is not None or self.is_built_again):
            raise SettingsError("--image names what exists, so nothing is built: leave --registry and --rebuild out")

    def found(self, loaded: Loaded, clients: Clients, screen: Screen) -> str:
        """Return the image, by digest; build and push it if nobody names one."""
        from forebay.deploy.image.building import build_and_push
        from forebay.deploy.image_choice import resolved

        def say(line: str) -> None:
            screen.say(Line(line))

        named, place = self.named, "--image"
        if named is None:
            named, place = loaded.manifest.image.location, loaded.place("image.location")
        if named is None:
            hear = say if self.is_loud else None
            return build_and_push(
                loaded, clients, say=say, registry=self.registry, fresh=self.is_built_again, hear=hear
            )
        chosen = resolved(named, clients.ecr, place=place)
        if chosen.note:
            say(chosen.note)
        return chosen.uri
