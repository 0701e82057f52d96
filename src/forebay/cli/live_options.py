"""Which live service a verb is about: of the manifest's environment, or named by its cluster.

Rules kept here and nowhere else:

1. Cluster and service given together need no manifest: so `status` works for the local cloud, whose exported variables
   give both, and for a service that was deployed by other means.
2. Given alone they replace what follows from the manifest.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forebay.cli.project import project

if TYPE_CHECKING:
    from forebay.deploy.live.where import Where
    from forebay.deploy.manifest.model import Manifest

Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="NAME",
        envvar="FOREBAY_CLUSTER",
        show_default=False,
        help="The ECS cluster; with --service no manifest is needed. [NAME-ENV]",
    ),
]
Service = Annotated[
    str | None,
    typer.Option(
        "--service",
        metavar="NAME",
        envvar="FOREBAY_SERVICE",
        show_default=False,
        help="The ECS service. [the manifest's name]",
    ),
]


@dataclass(frozen=True, slots=True)
class Subject:
    """The service that a verb is about."""

    where: Where
    manifest: Manifest | None
    """None: it was named by cluster and service."""


def subject(
    environment: str | None, manifest: Path, cluster: str | None, service: str | None, *, queue: str | None = None
) -> Subject:
    """Return the service that the options mean. Raises `ManifestError`."""
    from forebay.deploy.live.where import Where, deployed

    if cluster and service:
        urls = os.environ.get("FOREBAY_QUEUE_URL", "").split()
        return Subject(Where(service=service, cluster=_name(cluster), queue=queue or next(iter(urls), None)), None)
    loaded = project(environment, manifest)
    where = deployed(loaded.manifest, loaded.names)
    return Subject(
        replace(
            where,
            cluster=_name(cluster or where.cluster),
            service=service or where.service,
            queue=queue or where.queue,
        ),
        loaded.manifest,
    )


def _name(cluster: str) -> str:
    return cluster.rpartition("/")[2]
