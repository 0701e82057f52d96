"""One deployment, from what is there to what the manifest says.

Rules kept here and nowhere else:

1. What is there decides: nothing, an empty stack, one that works, one that somebody works on, one that is broken.
2. Whoever calls asks the user; nothing is deleted or replaced here that was not agreed to.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from forebay.clock import Clock
from forebay.deploy import wishing
from forebay.deploy.adopting import LeftOver, import_template, imports, left_over
from forebay.deploy.change_values import descriptions_in, with_keys
from forebay.deploy.clients import Clients
from forebay.deploy.default_network import look_up
from forebay.deploy.following import Follower, Screen
from forebay.deploy.last_words import LastWords
from forebay.deploy.manifest.loading import Loaded
from forebay.deploy.progress import Progress
from forebay.deploy.services import ServiceWatch
from forebay.deploy.stack_values import SERVICE_TAG, StackState, clashes, obstacle
from forebay.deploy.stacks import Proposal, Stacks, Wish
from forebay.deploy.template import contract
from forebay.deploy.template.intrinsics import DESCRIPTION_KEY, Json
from forebay.deploy.template.reading import read
from forebay.deploy.trouble import explained
from forebay.errors import DeployError

TITLES = {
    "CREATE": "Creating the infrastructure for stack",
    "UPDATE": "Updating the infrastructure of stack",
    "DELETE": "Deleting the infrastructure of stack",
    "IMPORT": "Taking the queues of an earlier deployment into stack",
    "ROLLBACK": "Taking back what was made of stack",
}


@dataclass(frozen=True, slots=True)
class Deployed:
    """What is there before anything is done."""

    state: StackState | None
    template: Json
    """Empty when there is no stack."""

    @property
    def has_failed_at_first(self) -> bool:
        """Whether a first deployment was taken back: the stack is there, and nothing else."""
        return self.state is not None and self.state.status == "ROLLBACK_COMPLETE"

    @property
    def is_busy(self) -> bool:
        """Whether somebody works on it."""
        return self.state is not None and self.state.is_busy

    @property
    def descriptions(self) -> dict[str, str]:
        return descriptions_in(self.template, DESCRIPTION_KEY)


class Deployments:
    """What can be done with the stack of one service in one environment."""

    def __init__(self, loaded: Loaded, clients: Clients, *, clock: Clock, pause: Callable[[float], None]) -> None:
        self._loaded = loaded
        self._names = loaded.names
        self._clients = clients
        self._clock = clock
        self._pause = pause
        with explained("connecting to AWS"):
            self.stacks = Stacks(clients.cloudformation, pause=pause)

    def look(self) -> Deployed:
        """Return what is there. Raises `DeployError` for a stack that is another's."""
        name = self._names.stack
        with explained(f"looking at stack {name}"):
            state = self.stacks.state(name)
            if state is None or state.is_empty:
                return Deployed(state, {})
            if not state.is_ours and self.stacks.has_our_metadata(name):
                state = _adopted(state, self._names.service)  # Ejected: our template, deployed by other means.
            clash = clashes(state, service=self._names.service, environment=self._names.environment)
            if clash is not None:
                raise DeployError(clash)
            return Deployed(state, _readable(self.stacks.template(name)))

    def refuse_obstacles(self, deployed: Deployed) -> None:
        """Raise `DeployError` when the stack is in a state that nothing can be deployed to."""
        if deployed.state is not None:
            told = obstacle(deployed.state, service=self._names.service, environment=self._names.environment)
            if told is not None:
                raise DeployError(told)

    def template(self) -> Json:
        """Return the template that the manifest makes."""
        return wishing.template_of(self._loaded)

    def surroundings(self, template: Json) -> dict[str, str]:
        """Return the parameters that say where the service goes, and see that the template can be sent at all.

        Asked before an image is built, so that nobody waits for a build that leads nowhere.
        """
        wishing.body_of(template)
        if not wishing.uses_default_network(template):
            return {}
        with explained("looking up the default VPC"):
            network = look_up(self._clients.ec2)
        return {contract.VPC: network.vpc, contract.SUBNETS: ",".join(network.subnets)}

    def propose(
        self, template: Json, deployed: Deployed, *, surroundings: Mapping[str, str], image: str | None
    ) -> Proposal:
        """Have the changes worked out. Without an image it stays as it is."""
        parameters = dict(surroundings) if image is None else {**surroundings, contract.IMAGE: image}
        wish = wishing.wish_for(self._loaded, template, parameters, old=deployed.descriptions)
        proposal = self._proposed(wish, is_first=deployed.state is None or deployed.state.is_empty)
        return replace(proposal, changes=with_keys(proposal.changes, deployed.template, template))

    def _proposed(self, wish: Wish, *, is_first: bool) -> Proposal:
        change_set = f"forebay-{uuid.uuid4().hex[:12]}"
        return self.stacks.propose(self._names.stack, wish, change_set=change_set, is_first=is_first)

    def left_over(self, deployed: Deployed) -> LeftOver | None:
        """Return the queues that an earlier stack has left, which stand in the way of a first deployment."""
        is_first = deployed.state is None or deployed.state.is_empty
        return left_over(self._clients, self._names) if is_first else None

    def propose_import(self, template: Json, found: LeftOver) -> tuple[Json, Proposal]:
        """Have the import of what was left worked out; return its template too."""
        taken = imports(template, found, self._names)
        of_import = import_template(template, taken, found)
        wish = replace(wishing.wish_for(self._loaded, of_import, {}), imports=taken)
        return of_import, self._proposed(wish, is_first=True)

    def carry_out(self, proposal: Proposal) -> str | None:
        """Start the changes; return the mark after which their events come."""
        with explained("starting the deployment"):
            mark = self.stacks.latest_event(proposal.stack_id)
            self.stacks.carry_out(proposal)
        return mark

    def delete(self, state: StackState) -> str | None:
        """Start to delete the stack; return the mark after which its events come."""
        with explained(f"deleting stack {state.name}"):
            mark = self.stacks.latest_event(state.stack_id)
        self.stacks.delete(state.stack_id)
        return mark

    def follow(
        self, act: str, stack_id: str, template: Json, deployed: Deployed, screen: Screen, *, since: str | None
    ) -> StackState:
        """Show what happens until it has ended; return the stack as it is then."""
        descriptions = {**deployed.descriptions, **descriptions_in(template, DESCRIPTION_KEY)}
        title = f"{TITLES.get(act, 'Working on stack')} {self._names.stack}"
        is_first = act == "CREATE"
        progress = Progress(
            self._names.stack, title, descriptions, planned=wishing.planned(template) if is_first else ()
        )
        watch = None
        if act != "DELETE":  # A service that goes has no deployments.
            cluster = self._loaded.manifest.cluster or self._names.cluster
            with explained("connecting to AWS"):
                words = LastWords(self._clients.logs, self._names.log_group)
                watch = ServiceWatch(self._clients.ecs, cluster=cluster, service=self._names.service, last_words=words)
        follower = Follower(
            self.stacks, watch, progress, clock=self._clock, pause=self._pause, screen=screen,
            again=f"forebay {'delete' if act == 'DELETE' else 'deploy'} --env {self._names.environment}",
        )  # fmt: skip
        return follower.follow(stack_id, since=since)

    def mark_of_going_operation(self, stack_id: str) -> str | None:
        """Return the mark of the operation that somebody has started: the event before its first."""
        with explained("reading the stack's events"):
            events = self.stacks.events(stack_id, since=None)
        for number in range(len(events) - 1, -1, -1):
            event = events[number]
            if event.is_of_stack and event.reason == "User Initiated":
                return events[number - 1].event_id if number else None
        return None


def _adopted(state: StackState, service: str) -> StackState:
    return replace(state, tags={**state.tags, SERVICE_TAG: service})


def _readable(body: str | Json) -> Json:
    try:
        return read(body)
    except ValueError as error:
        raise DeployError(f"the deployed template cannot be read: {error}") from error
