"""`forebay doctor`: finds settings that contradict each other or AWS, before and after a deployment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from forebay.cli.console import remark, tell
from forebay.cli.project import DEFAULT_MANIFEST, Environment, ManifestFile, project
from forebay.cli.run import Target

if TYPE_CHECKING:
    from forebay.api.worker import Worker
    from forebay.deploy.doctor.checking import Case
    from forebay.deploy.doctor.facts import Facts
    from forebay.deploy.manifest.loading import Loaded

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
    strict: Annotated[bool, typer.Option("--strict", help="Fail for warnings too.")] = False,
    settings: Annotated[
        bool, typer.Option("--settings", help="Only show each setting of `forebay run` with its value and source.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Find settings that contradict each other or AWS: in manifest, template and handler, and in what is deployed."""
    is_there = manifest.exists() or manifest != DEFAULT_MANIFEST
    if settings or not (is_there or template or live):
        from forebay.cli.settings_table import show

        show(target, as_json=as_json)
        if not settings:
            remark("forebay: there is no forebay.yml here, so only the settings are shown; `forebay init` writes one")
        return
    raise typer.Exit(_examine(target, env, manifest if is_there else None, template, live, strict, as_json))


def _examine(
    target: str | None,
    environment: str | None,
    manifest: Path | None,
    template: Path | None,
    is_live: bool,
    is_strict: bool,
    as_json: bool,
) -> int:
    """Examine, tell what was found, and return the exit status."""
    from forebay.cli.examining import findings, program_of
    from forebay.cli.finding_lines import lines, summary
    from forebay.deploy.doctor.finding import Severity

    loaded = (
        None
        if manifest is None and template is not None and not is_live
        else project(environment, manifest or DEFAULT_MANIFEST)
    )
    program = program_of(loaded, target)
    cases = _cases(loaded, template, program, is_live)
    found = findings(loaded, cases)
    fatal = {Severity.ERROR, Severity.WARNING} if is_strict else {Severity.ERROR}
    if as_json:
        tell(json.dumps(summary(loaded, found), ensure_ascii=False))
    else:
        for line in lines(loaded, found, template=template, is_live=is_live):
            tell(line)
    return FAILED if any(finding.severity in fatal for finding in found) else 0


def _cases(loaded: Loaded | None, template: Path | None, program: Worker | str, is_live: bool) -> list[Case]:
    from forebay.cli.examining import case_of

    planned = _planned(loaded, template)
    cases = [case_of(loaded, planned, program)]
    if is_live and loaded is not None:
        from forebay.deploy.clients import Clients
        from forebay.deploy.deployed.facts import live_facts

        live = live_facts(loaded, Clients())
        cases.append(case_of(loaded, live, None if isinstance(program, str) else program, planned))
    return cases


def _planned(loaded: Loaded | None, template: Path | None) -> Facts:
    """Return the facts of the template that is given, else of the manifest's own."""
    from forebay.deploy.doctor.from_template import facts
    from forebay.deploy.template.build import build

    if template is not None:
        return facts(_read(template))
    assert loaded is not None, "without a template there is a manifest"
    return facts(build(loaded.manifest, loaded.names))


def _read(template: Path) -> dict[str, object]:
    from forebay.deploy.template.reading import read
    from forebay.errors import ManifestError

    try:
        return read(template.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestError(f"{template}: cannot be read: {error}") from error
    except ValueError as error:
        raise ManifestError(f"{template}: {error}") from error
