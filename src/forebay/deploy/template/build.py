"""The whole template of one service, put together from its pieces. Pure.

Rules kept here and nowhere else:

1. What one piece has for another goes through `Piece`: variables and statements of the task, statements of the queue's
   policy. So a piece can be added here without touching any other.
2. The order is fixed, and it is the order of reading: the queue first, then what works it, then what watches it.
3. Tags are the stack's: CloudFormation puts them on every resource, so none are in the template.
"""

from __future__ import annotations

from collections.abc import Callable

from forebay.deploy.manifest.model import Manifest
from forebay.deploy.names import Names
from forebay.deploy.template import (
    alarms,
    cluster,
    contract,
    dashboard,
    encryption,
    network,
    notices,
    payloads,
    queue,
    roles,
    scaling,
    schedules,
    service,
    task,
    topics,
)
from forebay.deploy.template.intrinsics import Json, Piece, joined

AROUND: tuple[Callable[[Manifest, Names], Piece], ...] = (
    topics.piece,
    schedules.piece,
    payloads.piece,
    scaling.piece,
    alarms.piece,
    notices.piece,
    dashboard.piece,
)
"""What surrounds the service: pieces that need nothing of others, and that the queue, the roles, the task and the
service hear of."""

METADATA_KEY = "forebay"
"""In the template's Metadata: whose stack it is. A stack without it is not ours to change."""


def build(manifest: Manifest, names: Names) -> Json:
    """Return the CloudFormation template of the service in one environment."""
    given = joined(make(manifest, names) for make in AROUND)
    base = [
        queue.piece(manifest, names, given),
        encryption.piece(manifest, names, given),
        cluster.piece(manifest, names),
        network.piece(manifest, names),
    ]
    known = joined([*base, given])
    whole = joined(
        [
            *base,
            roles.piece(manifest, names, known.statements),
            task.piece(manifest, names, known.variables),
            service.piece(manifest, names, known),
            given,
        ]
    )
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"{names.service} ({names.environment}): a worker, its queue and what watches them. By Forebay",
        "Metadata": {METADATA_KEY: {"service": names.service, "environment": names.environment}},
        "Parameters": {contract.IMAGE: _IMAGE, **whole.parameters},
        **({"Conditions": dict(whole.conditions)} if whole.conditions else {}),
        "Resources": dict(whole.resources),
        "Outputs": dict(whole.outputs),
    }


_IMAGE: Json = {
    "Type": "String",
    "MinLength": 1,
    "Description": "The container image to run; by digest (...@sha256:...), so that every task runs the same",
}
