"""One run of `forebay deploy`: from what is there, over the questions, to how it ended.

Rules kept here and nowhere else:

1. What cannot be taken back is asked for: removing or replacing what holds data, and cleaning up.
2. Ctrl-C leaves a deployment alone that has begun. Before, it leaves no trace.
3. No change is a success. A deployment that was taken back is a failure, also when all is well again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from forebay.cli.asking import Asking
from forebay.cli.progress_lines import Line, change_lines
from forebay.cli.screen import Screen
from forebay.cli.wanted_image import WantedImage
from forebay.errors import DeployError

if TYPE_CHECKING:
    from forebay.deploy.clients import Clients
    from forebay.deploy.deploying import Deployed, Deployments
    from forebay.deploy.manifest.loading import Loaded
    from forebay.deploy.stack_values import StackState
    from forebay.deploy.stacks import Proposal
    from forebay.deploy.template.intrinsics import Json

INTERRUPTED = 130


class Deployment:
    """One run of the command."""

    def __init__(
        self, loaded: Loaded, clients: Clients, deployments: Deployments, screen: Screen, asking: Asking
    ) -> None:
        self._loaded = loaded
        self._names = loaded.names
        self._clients = clients
        self._deployments = deployments
        self._screen = screen
        self._asking = asking
        self._has_begun = False
        """Whether AWS works on it, or may do so."""

    def run(self, *, image: WantedImage, shows_difference: bool, waits: bool) -> None:
        """Deploy. Raises `DeployError` when it fails, and `typer.Exit` when the user leaves or says no."""
        try:
            self._run(image=image, shows_difference=shows_difference, waits=waits)
        except KeyboardInterrupt:
            goes_on = f"The deployment goes on in AWS. {self._again()} comes back to it"
            self._screen.say(Line(goes_on if self._has_begun else "Nothing was changed."))
            raise typer.Exit(INTERRUPTED) from None

    def _run(self, *, image: WantedImage, shows_difference: bool, waits: bool) -> None:
        deployments = self._deployments
        deployed = self._standing(waits=waits)
        template = deployments.template()
        surroundings = deployments.surroundings(template)
        uri = self._image(image)
        deployed = self._with_left_over(template, deployed)
        proposal = deployments.propose(template, deployed, surroundings=surroundings, image=uri)
        if not proposal.has_changes:
            self._nothing_to_do(deployed)
            return
        try:
            agreed = self._agreed(proposal, template, deployed, shows_difference=shows_difference)
        except BaseException:
            deployments.stacks.abandon(proposal)
            raise
        if not agreed:
            deployments.stacks.discard(proposal)
            self._screen.say(Line("Nothing was changed."))
            raise typer.Exit(1)
        self._start(proposal, template, deployed, waits=waits)

    def _standing(self, *, waits: bool) -> Deployed:
        """Return what is there, when a deployment can begin from it."""
        deployed = self._deployments.look()
        if (state := deployed.state) is not None and state.is_busy:
            if not waits:
                raise DeployError(
                    f"stack {state.name} is being worked on ({state.status}): {self._again()} waits for it"
                )
            self._wait_for(deployed, state)
            deployed = self._deployments.look()
            state = deployed.state
        self._deployments.refuse_obstacles(deployed)
        if state is not None and deployed.has_failed_at_first:
            self._clean_up(deployed, state)
            deployed = self._deployments.look()
        return deployed

    def _with_left_over(self, template: Json, deployed: Deployed) -> Deployed:
        """Take in the queues that an earlier deployment has left; return what is there then."""
        from forebay.deploy.stack_values import succeeded

        found = self._deployments.left_over(deployed)
        if found is None:
            return deployed
        told = " and ".join(f"{one.name} ({one.holds})" for one in found.queues)
        if not self._asking.confirmed(f"An earlier deployment has left {told}. Take that into the new stack?"):
            environment = self._names.environment
            raise DeployError(
                f"the names are taken by {told}: `forebay delete --env {environment} --queues` deletes them with all "
                "messages, and another name for the environment lets them be"
            )
        of_import, proposal = self._deployments.propose_import(template, found)
        self._has_begun = True
        mark = self._deployments.carry_out(proposal)
        state = self._followed("IMPORT", proposal.stack_id, of_import, deployed, since=mark)
        if not succeeded(state.status):
            raise DeployError(f"{told} could not be taken into the stack ({state.reason or state.status})")
        return self._deployments.look()

    def _image(self, wanted: WantedImage) -> str:
        uri = wanted.found(self._loaded, self._clients, self._screen)
        self._screen.event("image", image=uri)
        return uri

    def _nothing_to_do(self, deployed: Deployed) -> None:
        self._screen.say(Line(f"✔ {self._where()} is up to date: nothing to change", "good"))
        self._screen.event("unchanged", stack=self._names.stack)
        if deployed.state is not None:
            self._tell_outputs(deployed.state)

    def _agreed(self, proposal: Proposal, template: Json, deployed: Deployed, *, shows_difference: bool) -> bool:
        """Show what would change as far as somebody must see it, and return whether it may be done."""
        from forebay.deploy.stack_values import place_of

        self._screen.say(Line(f"Stack {self._names.stack} in {place_of(proposal.stack_id)}", "faint"))
        self._screen.event("changes", changes=[change.as_json() for change in proposal.changes])
        costly = [change for change in proposal.changes if change.cost]
        if shows_difference:
            self._tell_difference(proposal, template, deployed)
        elif costly:
            self._screen.say(
                Line("This deployment replaces or removes what holds data:", "bold"), *change_lines(costly)
            )
        if costly:
            return self._asking.confirmed("Go on, and lose what is named above?")
        return self._asking.confirmed("Deploy these changes?") if shows_difference else True

    def _start(self, proposal: Proposal, template: Json, deployed: Deployed, *, waits: bool) -> None:
        from forebay.deploy.cost import summary

        act = "CREATE" if proposal.is_first else "UPDATE"
        self._has_begun = True
        mark = self._deployments.carry_out(proposal)
        self._screen.say(Line(summary(self._loaded.manifest), "faint"))
        self._screen.event("started", stack=self._names.stack, stack_id=proposal.stack_id)
        if not waits:
            self._screen.say(Line(f"The deployment of {self._where()} has begun; {self._again()} follows it"))
            return
        self._end(self._followed(act, proposal.stack_id, template, deployed, since=mark), deployed)

    def _wait_for(self, deployed: Deployed, state: StackState) -> None:
        """Follow what is going on already to its end. Raises `DeployError` when it fails."""
        self._has_begun = True
        self._screen.say(
            Line(
                f"Stack {state.name} is being worked on; this follows it, and deploys what is here then. Ctrl-C leaves"
            )
        )
        mark = self._deployments.mark_of_going_operation(state.stack_id)
        act = state.status.split("_")[0]
        ended = self._followed(act, state.stack_id, deployed.template, deployed, since=mark)
        self._judge(ended, deployed)
        self._has_begun = False

    def _followed(
        self, act: str, stack_id: str, template: Json, deployed: Deployed, *, since: str | None
    ) -> StackState:
        try:
            return self._deployments.follow(act, stack_id, template, deployed, self._screen, since=since)
        finally:
            self._screen.close()

    def _end(self, state: StackState, before: Deployed) -> None:
        """Tell how it ended. Raises `DeployError` when it failed."""
        self._judge(state, before)
        self._screen.say(Line(f"✔ Deployed {self._where()}", "good"))
        self._tell_outputs(state)

    def _judge(self, state: StackState, before: Deployed) -> None:
        """Return when it ended well. Raises `DeployError` when it failed."""
        from forebay.deploy.stack_values import in_words, succeeded

        self._screen.event("ended", stack=state.name, status=state.status, outputs=dict(state.outputs))
        if succeeded(state.status):
            return
        failed = f"the deployment of {self._where()} failed ({in_words(state.status)})"
        if state.status == "ROLLBACK_COMPLETE":
            if self._asking.can_answer:
                self._screen.say(Line(f"✘ {failed}", "bad"))
                self._clean_up(before, state)
            raise DeployError(f"{failed}, and what it had made is gone again")
        if state.status == "UPDATE_ROLLBACK_COMPLETE":
            raise DeployError(f"{failed}; what ran before runs again")
        raise DeployError(f"{failed}: {state.reason or 'no reason is given'}; {self._again()} says what to do")

    def _clean_up(self, deployed: Deployed, state: StackState) -> None:
        """Delete what a failed first deployment left: a stack without resources that stands in the way."""
        question = f"Stack {state.name} holds nothing but the record of a failed first deployment. Delete it?"
        if not self._asking.confirmed(question):
            raise DeployError(
                f"stack {state.name} must be deleted before the next deployment: {self._again()} asks again"
            )
        mark = self._deployments.delete(state)
        ended = self._followed("DELETE", state.stack_id, {}, deployed, since=mark)
        if not ended.is_deleted:
            raise DeployError(f"stack {state.name} could not be deleted ({ended.reason or ended.status})")

    def _tell_difference(self, proposal: Proposal, template: Json, deployed: Deployed) -> None:
        from forebay.cli.diff import toned
        from forebay.deploy.comparing import difference

        self._screen.say(*change_lines(proposal.changes))
        self._screen.say(*(toned(line) for line in difference(deployed.template, template)))

    def _tell_outputs(self, state: StackState) -> None:
        queue = state.outputs.get("QueueUrl", self._names.queue)
        flag = f" --env {self._names.environment}" if len(self._loaded.environments) > 1 else ""
        self._screen.say(
            *(Line(f"  {name:<20} {value}") for name, value in state.outputs.items()),
            Line("Next:", "bold"),
            Line(f"  forebay send 10000 --queue {queue}"),
            Line(f"  forebay status{flag}"),
            Line(f"  forebay logs --follow{flag}"),
        )

    def _where(self) -> str:
        return f"service {self._names.service} in environment {self._names.environment}"

    def _again(self) -> str:
        return f"`forebay deploy --env {self._names.environment}`"
