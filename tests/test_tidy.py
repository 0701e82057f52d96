"""The house rules that a machine can check, each a test (CONTRIBUTING.md gives the reasons).

Rules kept here and nowhere else:

1. An exception to a rule stands in a table below with its reason; one that is no longer needed fails as well.
2. A finding names its file and line, so that an editor can jump to it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CODE_FOLDERS = ("src", "tests", "benchmarks", "examples")
GENERATED = re.compile(r"^(\.git|\.venv.*|\..*_cache|\.hypothesis|\.benchmarks|__pycache__|node_modules|build|dist)$")

MODULE_LINES_MAX = 250
TEST_MODULE_LINES_MAX = 500
LONGER_MODULES: dict[str, tuple[int, str]] = {
    "src/forebay/observability/events.py": (290, "the catalogue of events; it is read like a table"),
    "src/forebay/testing/world_checks.py": (310, "the invariants, all in one place so that none is overlooked"),
    "src/forebay/testing/world_service.py": (285, "the simulated service: one method for each call"),
    "src/forebay/rules/ecs_vocabulary.py": (310, "a list of small values with no behaviour; it is read like a table"),
    "src/forebay/worker/settling.py": (310, "the three ways to end a lease, and what is done when one fails"),
    "src/forebay/worker/vocabulary.py": (380, "a list of small values with no behaviour; it is read like a table"),
}
"""Module → the lines that it may have, and why they are more than others'."""

FUNCTION_LINES_MAX = 40
LONGER_FUNCTIONS: dict[str, str] = {
    "src/forebay/testing/world_faults.py:call": "every fault of a call, one case after the other",
    "src/forebay/testing/world_process.py:__init__": "lists the state, a line each",
    "src/forebay/worker/engine.py:__init__": "lists the state, a line each",
}

MAY_NAME_ALL_ADDRESSES: dict[str, str] = {
    "src/forebay/cli/health.py": "a worker that listens everywhere in its container is asked at the loopback address",
}

SENTENCE = re.compile(r"([A-Z0-9`“(]|(boto3|fanferro|taskiq|aws-sqs-consumer|sqs-consumer)\b).*[.:?]$")
"""The names of some programs begin with a small letter, at the beginning of a sentence too."""

MAY_SLEEP = re.compile(r"#.*\b(stands for work|between two looks)\b")
"""What a sleep in a test must say of itself: it is the handler's work, or it paces a look at another process."""


def _files(*suffixes: str, under: tuple[str, ...] = (".",)) -> list[Path]:
    found: list[Path] = []
    folders = [ROOT / folder for folder in under]
    while folders:
        folder = folders.pop()
        if not folder.is_dir():
            continue
        for path in folder.iterdir():
            if GENERATED.match(path.name):
                continue
            if path.is_dir():
                folders.append(path)
            elif not suffixes or path.suffix in suffixes:
                found.append(path)
    return sorted(found)


def _none(findings: list[str], reason: str = "") -> None:
    """Fail with one finding a line, so that none is cut off."""
    assert not findings, "\n".join([reason, *findings])


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def _modules(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    for path in _files(".py", under=folders):
        if "must_fail" not in path.parts:
            yield _name(path), _tree(path)


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _dotted(node: ast.expr) -> str:
    """`a.b.c` as text, or "" for anything that is not a plain dotted name."""
    if isinstance(node, ast.Attribute):
        owner = _dotted(node.value)
        return f"{owner}.{node.attr}" if owner else ""
    return node.id if isinstance(node, ast.Name) else ""


def _imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every imported name in full, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def _calls(tree: ast.Module) -> Iterator[tuple[ast.Call, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node, _dotted(node.func)


def test_every_module_says_first_what_it_is_for() -> None:
    """The docstring's first line is a sentence; an empty file needs none."""
    findings: list[str] = []
    for name, tree in _modules(*CODE_FOLDERS):
        first = (ast.get_docstring(tree) or "").split("\n")[0]
        if tree.body and not SENTENCE.match(first):
            findings.append(f"{name}:1 starts with {first!r}")

    _none(findings)


def test_modules_stay_short_enough_to_be_read_in_one_sitting() -> None:
    findings: list[str] = []
    for path in _files(".py", under=("src",)):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        lines_max, _ = LONGER_MODULES.get(_name(path), (MODULE_LINES_MAX, ""))
        if lines > lines_max:
            findings.append(f"{_name(path)} has {lines} lines, more than {lines_max}: split it by idea")

    _none(findings)


def test_test_modules_stay_short_enough_too() -> None:
    findings = [
        f"{_name(path)} has {lines} lines, more than {TEST_MODULE_LINES_MAX}: split it by idea"
        for path in _files(".py", under=("tests", "benchmarks", "examples"))
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > TEST_MODULE_LINES_MAX
    ]

    _none(findings)


def test_functions_fit_on_a_screen() -> None:
    findings: list[str] = []
    for name, tree in _modules("src"):
        for function in _functions(tree):
            place = f"{name}:{function.name}"
            lines = _function_lines(function)
            if lines > FUNCTION_LINES_MAX and place not in LONGER_FUNCTIONS:
                findings.append(f"{name}:{function.lineno} {function.name} has {lines} lines")

    _none(findings)


def _function_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of the body: the signature of a command lists its options, and the docstring is for the reader."""
    body = function.body
    first = body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        body = body[1:]
    if not body:
        return 0
    assert body[-1].end_lineno is not None
    return body[-1].end_lineno - body[0].lineno + 1


def test_every_exception_to_the_lengths_is_still_needed() -> None:
    needless = [
        name
        for name in LONGER_MODULES
        if not (ROOT / name).is_file()
        or len((ROOT / name).read_text(encoding="utf-8").splitlines()) <= MODULE_LINES_MAX
    ]
    long_functions = {
        f"{name}:{function.name}"
        for name, tree in _modules("src")
        for function in _functions(tree)
        if _function_lines(function) > FUNCTION_LINES_MAX
    }
    needless += [place for place in LONGER_FUNCTIONS if place not in long_functions]

    _none(needless)


def test_only_the_command_line_prints() -> None:
    """Everything else tells what it knows as events, which a writer thread puts on standard output."""
    findings = [
        f"{name}:{call.lineno} print"
        for name, tree in _modules("src")
        if not name.startswith("src/forebay/cli/")
        for call, called in _calls(tree)
        if called == "print"
    ]

    _none(findings)


def test_no_test_sleeps_until_something_has_happened() -> None:
    findings: list[str] = []
    for name, tree in _modules("tests"):
        lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        findings += [
            f"{name}:{call.lineno} {called}"
            for call, called in _calls(tree)
            if called == "time.sleep" and not MAY_SLEEP.search(lines[call.lineno - 1])
        ]
        findings += [f"{name}:{line} from time import sleep" for line, what in _imported(tree) if what == "time.sleep"]

    _none(findings)


def test_no_test_mocks_or_patches() -> None:
    """Fakes and arguments instead. `monkeypatch` may set the environment and the working directory, nothing else."""
    findings: list[str] = []
    for name, tree in _modules("tests", "benchmarks"):
        findings += [
            f"{name}:{line} {what}" for line, what in _imported(tree) if re.match(r"(unittest\.)?mock\b", what)
        ]
        findings += [
            f"{name}:{call.lineno} {called}"
            for call, called in _calls(tree)
            if re.search(r"\b(monkeypatch|patch)\.(setattr|delattr|setitem|delitem)$|\bmocker\b", called)
        ]

    _none(findings)


def test_tests_are_named_as_sentences_and_typed() -> None:
    findings: list[str] = []
    for name, tree in _modules("tests"):
        for function in _functions(tree):
            if not function.name.startswith("test_"):
                continue
            if function.name.count("_") < 3:
                findings.append(f"{name}:{function.lineno} {function.name} is no sentence")
            if not (isinstance(function.returns, ast.Constant) and function.returns.value is None):
                findings.append(f"{name}:{function.lineno} {function.name} lacks -> None")

    _none(findings)


def test_no_error_is_swallowed_whole() -> None:
    """Catching everything and doing nothing hides our own bugs."""
    findings: list[str] = []
    for name, tree in _modules(*CODE_FOLDERS):
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler) and _catches_all(node.type) and _does_nothing(node.body):
                findings.append(f"{name}:{node.lineno} except … pass")
        for call, called in _calls(tree):
            if called.endswith("suppress") and any(_catches_all(argument) for argument in call.args):
                findings.append(f"{name}:{call.lineno} {called}(Exception)")

    _none(findings)


def _catches_all(caught: ast.expr | None) -> bool:
    if isinstance(caught, ast.Tuple):
        return any(_catches_all(element) for element in caught.elts)
    return caught is None or _dotted(caught) in ("Exception", "BaseException")


def _does_nothing(body: list[ast.stmt]) -> bool:
    return all(
        isinstance(statement, ast.Pass | ast.Continue)
        or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
        for statement in body
    )


def test_nothing_here_can_run_what_a_message_brings() -> None:
    """No pickle, no eval, no shell strings in what we ship (SECURITY.md)."""
    findings: list[str] = []
    for name, tree in _modules("src"):
        findings += [
            f"{name}:{line} {what}"
            for line, what in _imported(tree)
            if what.split(".")[0] in ("pickle", "shelve", "marshal", "dill", "cloudpickle")
        ]
        for call, called in _calls(tree):
            shell = any(
                word.arg == "shell" and not (isinstance(word.value, ast.Constant) and word.value.value is False)
                for word in call.keywords
            )
            if shell or called in ("eval", "exec", "os.system", "os.popen"):
                findings.append(f"{name}:{call.lineno} {called}")

    _none(findings)


def test_servers_listen_on_this_machine_only() -> None:
    findings = [
        f"{name}:{node.lineno} {node.value!r}"
        for name, tree in _modules(*CODE_FOLDERS)
        if name not in MAY_NAME_ALL_ADDRESSES and name != _name(Path(__file__))
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in ("0.0.0.0", "::", "[::]")
    ]

    _none(findings)


FORBIDDEN_TEXT = {
    "an unfinished thought: finish it, or open an issue": r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b",
    "a package registry's address": r"files\.python"
    r"hosted|pypi\.org/sim"
    r"ple|registry\.npm"
    r"js|deb\.deb"
    r"ian\.org",
    "a path of one machine": r"(?<![\w./-])/(wo" r"rk|ro" r"ot|ho" r"me/\w+|Us" r"ers/\w+)/",
    "somebody's mail address": r"\b[\w.+-]+@(?!example\.)[a-z][\w-]*\.(?:com|org|net|io|dev)\b",
    "the leavings of a merge": r"^(<<<<<<<|>>>>>>>) ",
}


@pytest.mark.parametrize("reason", FORBIDDEN_TEXT)
def test_no_file_holds_what_does_not_belong_in_it(reason: str) -> None:
    pattern = re.compile(FORBIDDEN_TEXT[reason], re.MULTILINE)
    findings: list[str] = []
    for path in _files():
        text = _text(path)
        findings += [
            f"{_name(path)}:{text.count(chr(10), 0, hit.start()) + 1} {hit[0]}" for hit in pattern.finditer(text)
        ]

    _none(findings, reason)


def _text(path: Path) -> str:
    """The file's text, or "" for one that is not text (a picture)."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def test_text_files_end_with_one_newline_and_have_no_trailing_blanks() -> None:
    findings: list[str] = []
    for path in _files(".py", ".md", ".toml", ".yaml", ".yml", ".txt", ".sh"):
        text = _text(path)
        if text and (not text.endswith("\n") or text.endswith("\n\n")):
            findings.append(f"{_name(path)} does not end with one newline")
        findings += [
            f"{_name(path)}:{number}" for number, line in enumerate(text.split("\n"), 1) if line != line.rstrip()
        ]

    _none(findings)
