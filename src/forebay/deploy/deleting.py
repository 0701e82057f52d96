"""What goes and what stays when a service is deleted.

Rules kept here and nowhere else:

1. The deployed template decides what CloudFormation leaves behind, not the manifest of today.
2. A queue with messages that CloudFormation would delete stops the deletion, unless queues were told to go.
3. A repository of images serves all environments of a service: it goes with the last one only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from botocore.exceptions import ClientError

from forebay.deploy.change_values import descriptions_in
from forebay.deploy.clients import Clients
from forebay.deploy.deploying import Deployed
from forebay.deploy.kept import KeptQueue, queues_there
from forebay.deploy.manifest.loading import Loaded
from forebay.deploy.stacks import Stacks
from forebay.deploy.template import contract
from forebay.deploy.template.intrinsics import DESCRIPTION_KEY, Json
from forebay.deploy.trouble import code_of, explained
from forebay.errors import DeployError

QUEUES = (contract.QUEUE, contract.DEAD_LETTER_QUEUE)


@dataclass(frozen=True, slots=True)
class Leaving:
    """A resource that CloudFormation leaves behind."""

    logical_id: str
    description: str
    physical_id: str


@dataclass(frozen=True, slots=True)
class DeletionPlan:
    """What a deletion would do."""

    goes: tuple[str, ...]
    """Descriptions, in the template's order."""
    stays: tuple[Leaving, ...]
    queues: tuple[KeptQueue, ...]
    """The queues that are there, whether or not a stack is."""

    @property
    def key_id(self) -> str | None:
        """The key that stays, when there is one."""
        return next((one.physical_id for one in self.stays if one.logical_id == contract.QUEUE_KEY), None)


def plan(loaded: Loaded, clients: Clients, stacks: Stacks, deployed: Deployed, *, with_queues: bool) -> DeletionPlan:
    """Return what would go and what would stay. Raises `DeployError` where messages would be lost without a word."""
    resources: Mapping[str, Json] = deployed.template.get("Resources", {})
    told = descriptions_in(deployed.template, DESCRIPTION_KEY)
    staying = [name for name, one in resources.items() if str(one.get("DeletionPolicy", "")).startswith("Retain")]
    with explained("looking at the queues"):
        sqs = clients.sqs
    queues = queues_there(sqs, (loaded.names.queue, loaded.names.dead_letter_queue))
    full = [one for one in queues if one.messages]
    if deployed.state is not None and resources and contract.QUEUE not in staying and full and not with_queues:
        raise DeployError(
            f"{_holding(full)}, and the deployed stack deletes its queues (queue: keep: false): "
            "pass --queues to lose them, or empty the queues first"
        )
    physical: Mapping[str, str] = {}
    if staying and deployed.state is not None:
        with explained("listing the stack's resources"):
            physical = stacks.physical_ids(deployed.state.stack_id)
    return DeletionPlan(
        tuple(told.get(name, name) for name in resources if name not in staying),
        tuple(Leaving(name, told.get(name, name), physical.get(name, "")) for name in staying if physical.get(name)),
        queues,
    )


def _holding(queues: Sequence[KeptQueue]) -> str:
    return " and ".join(f"queue {one.name} holds {one.holds}" for one in queues)


def delete_repository(loaded: Loaded, clients: Clients, stacks: Stacks) -> str:
    """Delete the repository with all images, unless another environment uses it; return what was done, in words."""
    repository = loaded.names.repository
    with explained("looking for other environments"):
        others = [
            environment
            for environment in loaded.environments
            if environment != loaded.environment
            and (state := stacks.state(f"{loaded.names.service}-{environment}")) is not None
            and not state.is_empty
        ]
    if others:
        return f"repository {repository} stays: {', '.join(others)} runs images of it"
    with explained(f"deleting repository {repository}"):
        try:
            clients.ecr.delete_repository(repositoryName=repository, force=True)
        except ClientError as error:
            if code_of(error) != "RepositoryNotFoundException":
                raise
            return f"there is no repository {repository}"
    return f"repository {repository} is deleted with its images"
