"""Environments for the rivals, each made on the spot under `benchmarks/.venvs/`.

Rules kept here and nowhere else:

1. An environment is made once and used until its list of requirements changes.
2. One that cannot be made is no error: its reason stands in the table in place of figures.
3. Everybody runs on one interpreter: the newest of `PYTHONS` found here, because fanferro needs 3.12 or newer.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.machine import HOME, REPOSITORY

PYTHONS = ((3, 13), (3, 14), (3, 12), (3, 11))
"""Versions of CPython, the best first: the figures are promised on 3.13."""

FOLDER = HOME / ".venvs"
INSTALL_MAX_S = 600


class NotInstalled(Exception):
    """An environment could not be made. Says why."""


def find_python() -> str:
    """Return the interpreter that everybody is to run on."""
    for major, minor in PYTHONS:
        for candidate in _candidates(major, minor):
            if _version_of(candidate) == (major, minor):
                return candidate
    return sys.executable


def _candidates(major: int, minor: int) -> list[str]:
    pyenv = sorted((Path.home() / ".pyenv" / "versions").glob(f"{major}.{minor}.*/bin/python"), reverse=True)
    on_path = shutil.which(f"python{major}.{minor}")
    return [*([on_path] if on_path else []), *map(str, pyenv), sys.executable]


def _version_of(python: str) -> tuple[int, int] | None:
    told = _run([python, "-c", "import sys; print(*sys.version_info[:2])"], timeout_s=20)
    if told.returncode != 0:
        return None  # A shim of pyenv's without that version behind it.
    major, minor = told.stdout.split()
    return int(major), int(minor)


def full_version(python: str) -> str:
    code = "import platform; print(platform.python_implementation(), platform.python_version())"
    return _run([python, "-c", code], timeout_s=20).stdout.strip()


def python_environment(name: str, python: str, requirements: Sequence[str]) -> Path:
    """Return the folder of programs of an environment with these requirements. Raises `NotInstalled`."""
    folder = FOLDER / f"{name}-{'.'.join(map(str, _version_of(python) or ()))}"
    programs = folder / "bin"
    marker = folder / ".requirements"
    wanted = "\n".join([full_version(python), *requirements])
    if marker.exists() and marker.read_text(encoding="utf-8") == wanted:
        return programs
    shutil.rmtree(folder, ignore_errors=True)
    _must([python, "-m", "venv", str(folder)])
    _must([str(programs / "pip"), "install", "--quiet", "--disable-pip-version-check", *requirements])
    marker.write_text(wanted, encoding="utf-8")
    return programs


def node_environment(name: str, script: Path, package: Path) -> Path:
    """Return a folder with the script and what `package` lists, installed. Raises `NotInstalled`."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise NotInstalled("node and npm are not on this machine")
    folder = FOLDER / name
    marker = folder / ".requirements"
    wanted = package.read_text(encoding="utf-8")
    if not (marker.exists() and marker.read_text(encoding="utf-8") == wanted):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        shutil.copy(package, folder / "package.json")
        _must([npm, "install", "--silent", "--no-audit", "--no-fund"], folder=folder)
        marker.write_text(wanted, encoding="utf-8")
    shutil.copy(script, folder / script.name)
    return folder


def installed_versions(programs: Path, names: Sequence[str]) -> str:
    """Return `name version` of these distributions in an environment."""
    code = (
        "import sys; from importlib.metadata import version as v; print(', '.join(f'{n} {v(n)}' for n in sys.argv[1:]))"
    )
    return _run([str(programs / "python"), "-c", code, *names], timeout_s=30).stdout.strip()


def node_versions(folder: Path, names: Sequence[str]) -> str:
    code = "for (const n of process.argv.slice(1)) console.log(n, require(`./node_modules/${n}/package.json`).version)"
    told = _run(["node", "--input-type=commonjs", "-e", code, *names], timeout_s=30, folder=folder).stdout
    node = _run(["node", "--version"], timeout_s=30).stdout.strip()
    return ", ".join([*told.split("\n")[:-1], f"node {node}"])


def _must(command: list[str], *, folder: Path = REPOSITORY) -> None:
    done = _run(command, timeout_s=INSTALL_MAX_S, folder=folder)
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"status {done.returncode}"]
        wanted = [line for line in lines if line.startswith("ERROR")] or lines
        raise NotInstalled(wanted[-1][:200])


def _run(command: list[str], *, timeout_s: float, folder: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout_s, cwd=folder)
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", f"{type(error).__name__}: {error}"[:200])
