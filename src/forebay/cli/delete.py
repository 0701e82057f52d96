"""`forebay delete`: deletes what `deploy` made, after saying what goes and what stays.

Rules kept here and nowhere else:

1. The name of the stack must be typed, unless `--yes`. `--yes` never makes messages go: that takes `--queues`.
2. What stays is named with how to delete it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from forebay.cli.asking import Asking, Terminal
from forebay.cli.progress_lines import Line
from forebay.cli.project import DEFAULT_MANIFEST, Environment, ManifestFile, clients, project
from forebay.cli.screen import Screen, screen_for
from forebay.clock import SystemClock
from forebay.errors import DeployError

if TYPE_CHECKING:
    from forebay.deploy.clients import Clients
    from forebay.deploy.deleting import DeletionPlan
    from forebay.deploy.deploying import Deployed, Deployments
    from forebay.deploy.manifest.loading import Loaded
    from forebay.deploy.stack_values import StackState

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

INTERRUPTED = 130

EPILOG = """\b
Examples:
  forebay delete
  forebay delete --env staging --yes --queues --images

\b
Jobs that run get `stop_timeout` to end; what they do not finish goes back to the queue. Exits 0 when the stack is gone,
also when it was gone before."""


@app.command(epilog=EPILOG)
def delete(
    env: Environment = None,
    manifest: ManifestFile = DEFAULT_MANIFEST,
    queues: Annotated[bool, typer.Option("--queues", help="Delete the queues, and the messages in them.")] = False,
    images: Annotated[bool, typer.Option("--images", help="Delete the repository, and the images in it.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for the stack's name.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """Delete the service and what belongs to it. Queues that hold messages stay, unless you say otherwise."""
    from forebay.deploy.deploying import Deployments

    loaded = project(env, manifest)
    screen = screen_for(as_json=as_json)
    made = clients()
    deployments = Deployments(loaded, made, clock=SystemClock(), pause=time.sleep)
    Deletion(loaded, made, deployments, screen, Terminal(yes=yes)).run(with_queues=queues, with_images=images)


class Deletion:
    """One run of the command."""

    def __init__(
        self, loaded: Loaded, clients: Clients, deployments: Deployments, screen: Screen, asking: Asking
    ) -> None:
        self._loaded = loaded
        self._asking = asking
        self._names = loaded.names
        self._environment = loaded.environment
        self._clients = clients
        self._deployments = deployments
        self._screen = screen

    def run(self, *, with_queues: bool, with_images: bool) -> None:
        """Delete. Raises `DeployError` when something cannot go, and `typer.Exit` when the user leaves or says no."""
        from forebay.deploy.deleting import delete_repository, plan

        stacks, name = self._deployments.stacks, self._names.stack
        deployed = self._deployments.look()
        self._refuse_busy(deployed.state)
        planned = plan(self._loaded, self._clients, stacks, deployed, with_queues=with_queues)
        self._tell(planned, deployed, with_queues=with_queues, with_images=with_images)
        is_something = deployed.state is not None or planned.queues or with_images
        if is_something and not self._asking.typed(f"Type {name} to go on:", name):
            self._screen.say(Line("Nothing was deleted."))
            raise typer.Exit(1)
        if deployed.state is not None:
            self._delete_stack(deployed, deployed.state)
        self._delete_queues(planned, had_stack=deployed.state is not None, with_full=with_queues)
        if with_images:
            self._screen.say(Line(delete_repository(self._loaded, self._clients, stacks)))
        self._screen.event("deleted", stack=name)

    def _refuse_busy(self, state: StackState | None) -> None:
        """Raise `DeployError` when somebody works on the stack, unless by deleting it."""
        if state is not None and state.is_busy and state.status != "DELETE_IN_PROGRESS":
            raise DeployError(
                f"stack {state.name} is being worked on ({state.status}): "
                "delete it when `forebay env ls` shows that this has ended"
            )

    def _tell(self, planned: DeletionPlan, deployed: Deployed, *, with_queues: bool, with_images: bool) -> None:
        """Say what goes and what stays."""
        from forebay.deploy.stack_values import place_of

        say = self._screen.say
        if deployed.state is None:
            say(Line(f"There is no stack {self._names.stack}"))
        else:
            say(Line(f"Stack {self._names.stack} in {place_of(deployed.state.stack_id)}", "faint"))
        if planned.goes:
            say(Line(f"With stack {self._names.stack} go:", "bold"), *(Line(f"  - {one}") for one in planned.goes))
        if planned.stays:
            say(Line("CloudFormation leaves:", "bold"))
            say(*(Line(f"  o {one.description}: {one.physical_id}") for one in planned.stays))
        for queue in planned.queues:
            goes = with_queues or (deployed.state is not None and not queue.messages)
            fate = "it stays" if not goes else "they are lost" if queue.messages else "it goes"
            say(Line(f"  ! queue {queue.name} holds {queue.holds}: {fate}", "bad" if queue.messages else "plain"))
        if with_images:
            say(Line(f"  - repository {self._names.repository}, with all images"))
        self._screen.event(
            "planned",
            goes=list(planned.goes),
            stays=[{"description": one.description, "physical_id": one.physical_id} for one in planned.stays],
            queues=[{"name": one.name, "messages": one.messages} for one in planned.queues],
        )

    def _delete_stack(self, deployed: Deployed, state: StackState) -> None:
        """Delete the stack and show it. Raises `DeployError` when something cannot be deleted."""
        deployments = self._deployments
        if state.status == "DELETE_IN_PROGRESS":
            mark = deployments.mark_of_going_operation(state.stack_id)
        else:
            mark = deployments.delete(state)
        try:
            ended = deployments.follow("DELETE", state.stack_id, {}, deployed, self._screen, since=mark)
        except KeyboardInterrupt:
            self._screen.close()
            again = f"`forebay delete --env {self._environment}`"
            self._screen.say(Line(f"The deletion goes on in AWS. {again} comes back to it"))
            raise typer.Exit(INTERRUPTED) from None
        finally:
            self._screen.close()
        self._screen.event("ended", stack=state.name, status=ended.status)
        if not ended.is_deleted:
            raise DeployError(
                f"stack {state.name} could not be deleted ({ended.reason or ended.status}): mend what stands above, "
                "and run the command again"
            )
        self._screen.say(Line(f"✔ Stack {state.name} is deleted", "good"))

    def _delete_queues(self, planned: DeletionPlan, *, had_stack: bool, with_full: bool) -> None:
        """Delete the queues that may go, and the key when no queue needs it any more."""
        from forebay.deploy.kept import KEY_GOES_IN_DAYS, delete_queue, let_key_go, queues_there

        names = (self._names.queue, self._names.dead_letter_queue)
        held = {one.name: one.messages for one in planned.queues}
        stays = False
        for queue in queues_there(self._clients.sqs, names):
            if with_full or (held.get(queue.name) == 0 and queue.messages == 0 and had_stack):
                delete_queue(self._clients.sqs, queue)
                self._screen.say(Line(f"✔ Queue {queue.name} is deleted", "good"))
            else:
                stays = True
                self._screen.say(Line(f"Queue {queue.name} stays ({queue.holds}): {queue.url}"))
                self._screen.event("stays", queue=queue.name, url=queue.url, messages=queue.messages)
        if stays:
            self._screen.say(Line(f"`forebay delete --env {self._environment} --queues` deletes queues that stay"))
        elif planned.key_id:
            let_key_go(self._clients.kms, planned.key_id)
            self._screen.say(Line(f"Key {planned.key_id} goes in {KEY_GOES_IN_DAYS} days"))
