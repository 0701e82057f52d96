"""Finds the Workers in a folder by reading its Python files, without importing them.

Rules kept here and nowhere else:

1. Nothing of the user's runs: a program that asks questions must not start what a module does when it is imported.
2. What cannot be read or parsed holds no Worker as far as we know. `forebay run` tells what is wrong with it.
3. Folders that hold no code of the service (hidden ones, environments, tests) are passed over; the search has bounds.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

DEPTH_MAX = 5
FILES_MAX = 2_000
BYTES_MAX = 1_000_000
_PASSED_OVER = {"__pycache__", "build", "copilot", "dist", "node_modules", "site-packages", "test", "tests", "venv"}


def targets(folder: Path) -> tuple[str, ...]:
    """Return what `forebay run` would be told for each Worker in `folder`, such as `shop.jobs:worker`."""
    found: list[str] = []
    for path in _modules(folder):
        module = ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")
        found += [f"{module}:{name}" for name in _workers(path)]
    return tuple(found)


def _modules(folder: Path) -> Iterator[Path]:
    """Yield Python files whose path is a module's name: those of `folder` first, then packages in order."""
    count = 0
    for here, folders, files in os.walk(folder):
        depth = len(Path(here).relative_to(folder).parts)
        folders[:] = sorted(name for name in folders if _is_package(Path(here), name)) if depth < DEPTH_MAX else []
        for name in sorted(files):
            path = Path(here, name)
            if path.suffix == ".py" and path.stem.isidentifier():
                count += 1
                if count > FILES_MAX:
                    return
                yield path


def _is_package(parent: Path, name: str) -> bool:
    return name.isidentifier() and name not in _PASSED_OVER and not (parent / name / "pyvenv.cfg").exists()


def _workers(path: Path) -> list[str]:
    try:
        if path.stat().st_size > BYTES_MAX:
            return []
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return []
    makers = set(_makers(tree))
    return [name for node in tree.body for name in _made(node, makers)]


def _makers(tree: ast.Module) -> Iterator[str]:
    """Yield what the module calls the class `Worker`."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "forebay" and node.level == 0:
            yield from (alias.asname or alias.name for alias in node.names if alias.name == "Worker")
        elif isinstance(node, ast.Import):
            yield from (f"{alias.asname or alias.name}.Worker" for alias in node.names if alias.name == "forebay")


def _made(node: ast.stmt, makers: set[str]) -> Iterator[str]:
    """Yield the names that a statement gives to a new Worker."""
    match node:
        case ast.Assign(targets=names, value=ast.Call(func=function)) if ast.unparse(function) in makers:
            yield from (name.id for name in names if isinstance(name, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.Call(func=function)) if ast.unparse(function) in makers:
            yield name
        case _:
            pass
