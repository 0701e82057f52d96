"""`forebay doctor`: finds settings that contradict each other or AWS, before and after a deployment."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forebay.cli.console import remark, tell
from forebay.cli.live_options import Cluster, Service
from forebay.cli.project import DEFAULT_MANIFEST, Environment, ManifestFile, project
from forebay.cli.run import Target

if TYPE_CHECKING:
    from forebay.api.worker import Worker
    from forebay.deploy.doctor.checking import Case
    from forebay.deploy.doctor.facts import Facts
    from forebay.deploy.manifest.loading import Loaded
    from forebay.deploy.template.resolving import Account

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

FAILED = 1

EPILOG = """\b
Examples:
  forebay doctor                                (forebay.yml, its template and its handler)
  forebay doctor --env prod --live --strict     (and what is deployed; warnings fail too)
  forebay doctor --template stack.yml           (a template that was edited by hand)
  forebay doctor --settings shop.jobs:worker

\b
Exits 0 when nothing is wrong, 1 when there are errors (with --strict: or warnings), 2 when it cannot begin.
With --settings: 0 when `forebay run` would accept these settings, 2 with the reason when not."""


@app.command(epilog=EPILOG)
def doctor(
    target: Target = None,
    env: Environment = None,
    manifest: ManifestFile = DEFAULT_MANIFEST,
    template: Annotated[
        Path | None,
        typer.Option(metavar="FILE", show_default=False, help="Examine this template, not the one of the manifest."),
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Also read what is deployed.")] = False,
    cluster: Cluster = None,
    service: Service = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail for warnings too.")] = False,
    settings: Annotated[
        bool, typer.Option("--settings", help="Only show each setting of `forebay run` with its value and source.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Find settings that contradict each other or AWS: in manifest, template and handler, and in what is deployed."""
    if settings or not (manifest.exists() or manifest != DEFAULT_MANIFEST or template or live):
        from forebay.cli.settings_table import show

        show(target, as_json=as_json)
        if not settings:
            remark("forebay: there is no forebay.yml here, so only the settings are shown; `forebay init` writes one")
        return
    asked = _Asked(
        target=target, environment=env, manifest=manifest, template=template, is_live=live,
        cluster=cluster, service=service,
    )  # fmt: skip
    raise typer.Exit(_examine(asked, is_strict=strict, as_json=as_json))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What is to be examined."""

    target: str | None
    environment: str | None
    manifest: Path
    template: Path | None
    is_live: bool
    cluster: str | None
    service: str | None

    @property
    def is_named(self) -> bool:
        """Whether the live service is named by its cluster, and need not be the manifest's."""
        return bool(self.is_live and self.cluster and self.service)

    def loaded(self) -> Loaded | None:
        """Return the manifest; None when none is there, nor needed."""
        is_needed = self.manifest != DEFAULT_MANIFEST or not (self.template or self.is_named)
        return project(self.environment, self.manifest) if is_needed or self.manifest.exists() else None


def _examine(asked: _Asked, *, is_strict: bool, as_json: bool) -> int:
    """Examine, tell what was found, and return the exit status."""
    from forebay.cli.examining import findings, program_of
    from forebay.cli.finding_lines import lines, summary
    from forebay.deploy.doctor.finding import Severity

    loaded = asked.loaded()
    found = findings(loaded, _cases(asked, loaded, program_of(loaded, asked.target)))
    fatal = {Severity.ERROR, Severity.WARNING} if is_strict else {Severity.ERROR}
    if as_json:
        tell(json.dumps(summary(loaded, found), ensure_ascii=False))
    else:
        examined = [loaded.file] if loaded else []
        examined += [str(asked.template)] if asked.template else []
        examined += ["what is deployed"] if asked.is_live else []
        for line in lines(found, examined):
            tell(line)
    return FAILED if any(finding.severity in fatal for finding in found) else 0


def _cases(asked: _Asked, loaded: Loaded | None, program: Worker | str) -> list[Case]:
    from forebay.cli.examining import case_of

    has_template = loaded is not None or asked.template is not None
    cases = [case_of(loaded, _planned(loaded, asked.template), program)] if has_template else []
    if asked.is_live:
        from forebay.cli.live_options import subject
        from forebay.cli.project import clients
        from forebay.deploy.deployed.facts import live_facts

        about = subject(asked.environment, asked.manifest, asked.cluster, asked.service)
        live = live_facts(about.where, clients())
        there = live.queue.account if live.queue is not None else None
        planned = _planned(loaded, asked.template, there) if has_template and not asked.is_named else None
        known = program if not cases or not isinstance(program, str) else None
        cases.append(case_of(None if asked.is_named else loaded, live, known, planned))
    return cases


def _planned(loaded: Loaded | None, template: Path | None, account: Account | None = None) -> Facts:
    """Return the facts of the template that is given, else of the manifest's own, as for this account."""
    from forebay.deploy.doctor.from_template import facts
    from forebay.deploy.template.build import build

    if template is not None:
        return facts(_read(template), account)
    assert loaded is not None, "without a template there is a manifest"
    return facts(build(loaded.manifest, loaded.names), account)


def _read(template: Path) -> dict[str, object]:
    from forebay.deploy.template.reading import read
    from forebay.errors import ManifestError

    try:
        return read(template.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{template}: cannot be read: {error}") from error
    except ValueError as error:
        raise ManifestError(f"{template}: {error}") from error
