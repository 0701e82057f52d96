"""`forebay deploy`: builds the image, changes the stack, and shows what happens until the service is steady.

Rules kept here and nowhere else:

1. What cannot be taken back is asked for, unless `--yes`: removing or replacing what holds data, and cleaning up.
2. Ctrl-C leaves the deployment alone. Before anything was started it leaves no trace.
3. No change is a success.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from forebay.cli.asking import can_ask, confirmed
from forebay.cli.progress_lines import Line, change_lines
from forebay.cli.project import DEFAULT_MANIFEST, Environment, ManifestFile, project
from forebay.cli.screen import Screen, screen_for
from forebay.clock import SystemClock
from forebay.errors import DeployError

if TYPE_CHECKING:
    from forebay.deploy.clients import Clients
    from forebay.deploy.deploying import Deployed, Deployments
    from forebay.deploy.manifest.loading import Loaded
    from forebay.deploy.stack_values import StackState
    from forebay.deploy.stacks import Proposal
    from forebay.deploy.template.intrinsics import Json

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

INTERRUPTED = 130

EPILOG = """\b
Examples:
  forebay deploy
  forebay deploy --env prod --diff
  forebay deploy --env prod --image 123456789012.dkr.ecr.eu-west-1.amazonaws.com/thumbnails:1.4.2 --yes --no-wait

\b
Exits 0 when the service is deployed or nothing was to be changed, 1 when it failed or AWS refuses, 2 for a mistake in
the call or the manifest, 130 after Ctrl-C: the deployment goes on, and `forebay deploy` comes back to it."""

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Answer every question with yes.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]


@app.command(epilog=EPILOG)
def deploy(
    env: Environment = None,
    manifest: ManifestFile = DEFAULT_MANIFEST,
    image: Annotated[
        str | None, typer.Option("--image", metavar="URI", help="Deploy this image instead of building one.")
    ] = None,
    diff: Annotated[bool, typer.Option("--diff", help="Show what would change, and ask before it is done.")] = False,
    yes: Yes = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Start the deployment and leave.")] = False,
    as_json: AsJson = False,
) -> None:
    """Deploy the worker and its queue: build and push the image, change the stack, wait until the service is steady."""
    from forebay.deploy.clients import Clients
    from forebay.deploy.deploying import Deployments
    from forebay.deploy.trouble import explained

    loaded = project(env, manifest)
    screen = screen_for(as_json=as_json)
    with explained("connecting to AWS"):
        clients = Clients()
    deployments = Deployments(loaded, clients, clock=SystemClock(), pause=time.sleep)
    run = _Run(loaded, clients, deployments, screen, yes=yes)
    deployed = run.standing()
    template = deployments.template()
    surroundings = deployments.surroundings(template)
    proposal = deployments.propose(template, deployed, surroundings=surroundings, image=run.image(image))
    if not proposal.has_changes:
        return run.nothing_to_do(deployed)
    try:
        agreed = run.agreed(proposal, template, deployed, diff=diff)
    except BaseException:
        deployments.stacks.discard(proposal)
        raise
    if not agreed:
        deployments.stacks.discard(proposal)
        screen.say(Line("Nothing was changed."))
        raise typer.Exit(1)
    run.start(proposal, template, deployed, waits=not no_wait)
    return None


class _Run:
    """One run of the command."""

    def __init__(
        self, loaded: Loaded, clients: Clients, deployments: Deployments, screen: Screen, *, yes: bool
    ) -> None:
        self._loaded = loaded
        self._names = loaded.names
        self._clients = clients
        self._deployments = deployments
        self._screen = screen
        self._yes = yes

    def standing(self) -> Deployed:
        """Return what is there, when a deployment can begin from it."""
        deployed = self._deployments.look()
        state = deployed.state
        if state is not None and state.is_busy:
            self._attach(deployed, state)
            deployed = self._deployments.look()
        self._deployments.refuse_obstacles(deployed)
        if deployed.state is not None and deployed.state.status == "ROLLBACK_COMPLETE":
            self._clean_up(deployed, deployed.state)
            deployed = self._deployments.look()
        return deployed

    def image(self, given: str | None) -> str:
        """Return the image to deploy, built if nobody names one."""
        from forebay.deploy.image.building import build_and_push
        from forebay.deploy.image_choice import resolved

        named, place = given, "--image"
        if named is None:
            named, place = self._loaded.manifest.image.location, self._loaded.place("image.location")
        if named is None:
            uri = build_and_push(self._loaded, self._clients, say=lambda line: self._screen.say(Line(line)))
        else:
            chosen = resolved(named, self._clients.ecr, place=place)
            uri = chosen.uri
            if chosen.note:
                self._screen.say(Line(chosen.note))
        self._screen.event("image", image=uri)
        return uri

    def nothing_to_do(self, deployed: Deployed) -> None:
        self._screen.say(Line(f"✔ {self._where()} is up to date: nothing to change", "good"))
        self._screen.event("unchanged", stack=self._names.stack)
        if deployed.state is not None:
            self._tell_outputs(deployed.state)

    def agreed(self, proposal: Proposal, template: Json, deployed: Deployed, *, diff: bool) -> bool:
        """Show what would change as far as somebody must see it, and return whether it may be done."""
        self._screen.event("changes", changes=[change.as_json() for change in proposal.changes])
        costly = [change for change in proposal.changes if change.cost]
        if diff:
            self._tell_difference(proposal, template, deployed)
        elif costly:
            self._screen.say(
                Line("This deployment replaces or removes what holds data:", "bold"), *change_lines(costly)
            )
        if costly:
            return confirmed("Go on, and lose what is named above?", yes=self._yes)
        return confirmed("Deploy these changes?", yes=self._yes) if diff else True

    def start(self, proposal: Proposal, template: Json, deployed: Deployed, *, waits: bool) -> None:
        act = "CREATE" if proposal.is_first else "UPDATE"
        mark = self._deployments.carry_out(proposal)
        self._screen.event("started", stack=self._names.stack, stack_id=proposal.stack_id)
        if not waits:
            self._screen.say(Line(f"The deployment of {self._where()} has begun; {self._again()} follows it"))
            return
        state = self._followed(act, proposal.stack_id, template, deployed, since=mark)
        self._end(state, deployed)

    def _attach(self, deployed: Deployed, state: StackState) -> None:
        """Follow what is going on already, to its end."""
        self._screen.say(Line(f"Stack {state.name} is being worked on; this follows it. Ctrl-C leaves"))
        mark = self._deployments.mark_of_going_operation(state.stack_id)
        act = state.status.split("_")[0]
        ended = self._followed(act, state.stack_id, deployed.template, deployed, since=mark)
        self._end(ended, deployed)
        self._screen.say(Line(f"That was a deployment that had begun before. {self._again()} deploys what is here now"))
        raise typer.Exit(0)

    def _followed(
        self, act: str, stack_id: str, template: Json, deployed: Deployed, *, since: str | None
    ) -> StackState:
        try:
            return self._deployments.follow(act, stack_id, template, deployed, self._screen, since=since)
        except KeyboardInterrupt:
            self._screen.close()
            self._screen.say(Line(f"The deployment goes on in AWS. {self._again()} comes back to it"))
            raise typer.Exit(INTERRUPTED) from None
        finally:
            self._screen.close()

    def _end(self, state: StackState, before: Deployed) -> None:
        """Tell how it ended. Raises `DeployError` when it failed."""
        from forebay.deploy.stack_values import in_words, succeeded

        self._screen.event("ended", stack=state.name, status=state.status, outputs=dict(state.outputs))
        if state.is_deleted:
            self._screen.say(Line(f"✔ Stack {state.name} is deleted", "good"))
            return
        if succeeded(state.status):
            self._screen.say(Line(f"✔ Deployed {self._where()}", "good"))
            self._tell_outputs(state)
            return
        failed = f"the deployment of {self._where()} failed ({in_words(state.status)})"
        if state.status == "ROLLBACK_COMPLETE":
            if self._yes or can_ask():
                self._screen.say(Line(f"✘ {failed}", "bad"))
                self._clean_up(before, state)
            raise DeployError(f"{failed}, and what it had made is gone again")
        if state.status == "UPDATE_ROLLBACK_COMPLETE":
            raise DeployError(f"{failed}; what ran before runs again")
        raise DeployError(f"{failed}: {state.reason or 'no reason is given'}; {self._again()} says what to do")

    def _clean_up(self, deployed: Deployed, state: StackState) -> None:
        """Delete what a failed first deployment left: a stack without resources that stands in the way."""
        question = f"Stack {state.name} holds nothing but the record of a failed first deployment. Delete it?"
        if not confirmed(question, yes=self._yes):
            raise DeployError(
                f"stack {state.name} must be deleted before the next deployment: {self._again()} asks again"
            )
        mark = self._deployments.delete(state)
        ended = self._followed("DELETE", state.stack_id, {}, deployed, since=mark)
        if not ended.is_deleted:
            raise DeployError(f"stack {state.name} could not be deleted ({ended.reason or ended.status})")

    def _tell_difference(self, proposal: Proposal, template: Json, deployed: Deployed) -> None:
        from forebay.deploy.comparing import difference

        self._screen.say(*change_lines(proposal.changes))
        self._screen.say(*(Line(line) for line in difference(deployed.template, template)))

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
