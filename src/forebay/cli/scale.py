"""`forebay scale`: how many tasks a deployed service has, until something else says otherwise."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from forebay import platform
from forebay.cli import console
from forebay.cli.live_options import Cluster, Service, Subject, subject
from forebay.cli.pace import RealPace
from forebay.cli.project import DEFAULT_MANIFEST, Environment, ManifestFile, clients
from forebay.errors import DeployError, SettingsError

if TYPE_CHECKING:
    from forebay.deploy.clients import Clients
    from forebay.deploy.live.counting import Progress
    from forebay.deploy.live.values import Bounds, ServiceState

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

EPILOG = """\b
Examples:
  forebay scale 3
  forebay scale 0 --env test --no-wait
  forebay scale 20 --pause      (a fixed count: scaling is suspended)
  forebay scale --resume

\b
Protected tasks are never stopped by a lower count: ECS waits for their jobs. Ctrl-C stops waiting; the count is set."""


@app.command(epilog=EPILOG)
def scale(
    count: Annotated[
        int | None, typer.Argument(metavar="N", min=0, max=5_000, show_default=False, help="How many tasks.")
    ] = None,
    environment: Environment = None,
    manifest: ManifestFile = DEFAULT_MANIFEST,
    cluster: Cluster = None,
    service: Service = None,
    pause: Annotated[bool, typer.Option("--pause", help="Suspend scaling; with N, the count is fixed.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Let scaling go on.")] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not wait until the count is reached.")] = False,
) -> None:
    """Set how many tasks a deployed service has, or suspend and resume its scaling."""
    if pause and resume:
        raise SettingsError("--pause and --resume exclude each other: give one of them")
    if count is None and not pause and not resume:
        raise SettingsError("say how many tasks, such as `forebay scale 3`; or --pause or --resume the scaling")
    about = subject(environment, manifest, cluster, service)
    made = clients()
    before = _service(made, about)
    bounds = _bounds(made, about, is_needed=pause or resume)
    if (pause or resume) and bounds is None:
        raise SettingsError(
            f"the service {about.where.title} is not scaled, so there is nothing to "
            f"{'pause' if pause else 'resume'}: `scaling:` in forebay.yml makes it so"
        )
    if count is not None and not pause:
        _check(count, bounds, will_resume=resume)
    if pause or resume:
        _suspend(made, about, is_suspended=pause)
        bounds = _bounds(made, about, is_needed=True)
    if count is not None:
        _ask(made, about, count, before, bounds)
        if not no_wait:
            raise typer.Exit(_wait(made, about, count))


def _service(made: Clients, about: Subject) -> ServiceState:
    from forebay.deploy.live.service import read_service
    from forebay.deploy.trouble import explained

    with explained("reading the service"):
        return read_service(made, about.where)


def _bounds(made: Clients, about: Subject, *, is_needed: bool) -> Bounds | None:
    from forebay.deploy.live.asking import Ask
    from forebay.deploy.live.scaling import read_bounds
    from forebay.deploy.live.values import Unread

    found = Ask(made)("application_autoscaling", "reading the scaling", lambda: read_bounds(made, about.where))
    if not isinstance(found, Unread):
        return found
    if found.is_elsewhere and is_needed:
        raise SettingsError("this ECS is on this machine, and its scaling is switched on the page of `forebay local`")
    if not found.is_elsewhere:
        console.remark(f"forebay: {found.reason}; going on as with a service that is not scaled")
    return None


def _check(count: int, bounds: Bounds | None, *, will_resume: bool) -> None:
    from dataclasses import replace

    from forebay.deploy.live.counting import check

    check(count, replace(bounds, suspended=()) if bounds is not None and will_resume else bounds)


def _suspend(made: Clients, about: Subject, *, is_suspended: bool) -> None:
    from forebay.deploy.live.scaling import suspend
    from forebay.deploy.trouble import explained

    with explained("suspending the scaling" if is_suspended else "resuming the scaling"):
        suspend(made, about.where, is_suspended=is_suspended)
    console.tell("Scaling is suspended until `forebay scale --resume`" if is_suspended else "Scaling goes on")


def _ask(made: Clients, about: Subject, count: int, before: ServiceState, bounds: Bounds | None) -> None:
    """Set the count, and say what else will have a say in it."""
    from forebay.deploy.live.counting import ask_for, protected_now
    from forebay.deploy.trouble import explained

    with explained("setting the count"):
        ask_for(made, about.where, count)
    console.tell(f"{about.where.title}: {before.desired} → {count} desired tasks")
    if bounds is None and about.manifest is not None and not about.manifest.is_scaled:
        console.remark(f"The next `forebay deploy` sets the {about.manifest.tasks_at_first} of forebay.yml again.")
    elif bounds is not None and not bounds.is_paused:
        console.remark("Scaling goes on from there, and changes the count as the queue needs.")
    if count < before.running:
        _warn_of_protected(lambda: len(protected_now(made, about.where)), count)


def _warn_of_protected(count_protected: Callable[[], int], count: int) -> None:
    from forebay.cli.shapes import plural
    from forebay.deploy.trouble import explained

    try:
        with explained("reading the protection of tasks"):
            protected = count_protected()
    except DeployError as error:
        console.remark(f"forebay: {error}")
        return
    if protected > count:
        console.remark(
            f"Protected until their jobs end: {plural(protected, 'task')}. Meanwhile ECS refuses further protection "
            "(DEPLOYMENT_BLOCKED), and workers take no new jobs that need it."
        )


def _look(made: Clients, about: Subject, count: int) -> Progress:
    from forebay.deploy.live.counting import progress
    from forebay.deploy.trouble import explained

    with explained("reading the service"):
        return progress(made, about.where, count)


def _wait(made: Clients, about: Subject, count: int) -> int:
    from forebay.cli.scale_waiting import Lines, Redrawn, wait

    display = Redrawn() if platform.is_terminal(sys.stdout) else Lines()
    try:
        return wait(lambda: _look(made, about, count), display, RealPace())
    except KeyboardInterrupt:
        display.remark("The count is set, and ECS goes on: `forebay status` shows how far it is")
        raise
    finally:
        display.end()
