"""The new manifest while it comes to be, and what a conversion knows beside Copilot's file. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from forebay.errors import ManifestError

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What Copilot knew from elsewhere: its workspace, its environment, the account."""

    environment: str
    application: str | None = None
    """From `copilot/.workspace`."""
    region: str | None = None
    account: str | None = None
    vpc: str | None = None
    path: Callable[[str], str] = str
    """From a path of Copilot's workspace to the same path as seen from the new manifest."""
    missed: dict[str, str] = field(default_factory=dict[str, str])
    """What was needed and is not known: option → the first place that needs it."""

    def arn(self, place: str, service: str, resource: str) -> str:
        """Return an ARN of this account and Region, for what stands at `place`."""
        account = self._needed(self.account, place, "--account 123456789012")
        region = self._needed(self.region, place, "--region eu-central-1")
        partition = "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"
        return f"arn:{partition}:{service}:{region}:{account}:{resource}"

    def topic(self, place: str, service: str, topic: str) -> str:
        """Return the ARN of a topic that Copilot has made for a service."""
        application = self._needed(self.application, place, "--app NAME")
        return self.arn(place, "sns", f"{application}-{self.environment}-{service}-{topic}")

    def vpc_of(self, place: str) -> str:
        """Return the VPC of the subnets at `place`."""
        return self._needed(self.vpc, place, "--vpc vpc-…")

    def check(self) -> None:
        """Raise `ManifestError` with all that was needed and is not known, so that one asks for it once."""
        if self.missed:
            wanted = " ".join(self.missed)
            places = ", ".join(dict.fromkeys(self.missed.values()))
            raise ManifestError(f"what Copilot's manifest does not say is needed for {places}: pass {wanted}")

    def _needed(self, value: str | None, place: str, option: str) -> str:
        if value is None:
            self.missed.setdefault(option, place)
        return value or ""


@dataclass(slots=True)
class Draft:
    """Values of the new manifest by key, in sections."""

    values: Json = field(default_factory=dict[str, Any])

    def put(self, place: str, value: Any) -> None:
        """Set a value; nothing for None."""
        if value is None:
            return
        *sections, key = place.split(".")
        target = self.values
        for section in sections:
            target = target.setdefault(section, {})
        target[key] = value

    def entry(self, section: str, key: str, value: Any) -> None:
        """Set an entry whose key is the user's and may hold dots."""
        self.values.setdefault(section, {})[key] = value
