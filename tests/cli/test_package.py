"""`forebay package`: what it prints, what it leaves in a folder, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.deploy.golden import MANIFESTS, golden

from forebay.cli.main import carry_out


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the smallest manifest, as the working directory."""
    (tmp_path / "forebay.yml").write_text((MANIFESTS / "tiny.yml").read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FOREBAY_ENV", raising=False)
    return tmp_path


def test_it_prints_the_template_as_yaml(capsys: pytest.CaptureFixture[str]) -> None:
    status = carry_out("package", [])

    assert status == 0
    assert capsys.readouterr().out == golden("tiny").read_text(encoding="ascii")


def test_it_prints_the_template_as_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    status = carry_out("package", ["--json"])

    assert status == 0
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    assert json.loads(printed)["Resources"]["Queue"]["Properties"]["QueueName"] == "thumbnails-test"


def test_what_is_ejected_is_the_template_its_parameters_and_a_page(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = carry_out("package", ["--eject", "out/here"])

    assert status == 0
    folder = project / "out" / "here"
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "parameters.json", "template.yml"]
    assert (folder / "template.yml").read_text(encoding="ascii") == golden("tiny").read_text(encoding="ascii")
    told = capsys.readouterr()
    assert told.out.splitlines() == ["out/here/template.yml", "out/here/parameters.json", "out/here/README.md"]
    assert "out/here/README.md" in told.err


def test_files_that_are_there_are_overwritten_only_when_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "README.md").write_text("mine", encoding="utf-8")

    refused = carry_out("package", ["--eject", "."])

    assert refused == 2
    assert capsys.readouterr().err == ("forebay: . holds README.md already: name another folder, or add --force\n")
    assert (project / "README.md").read_text(encoding="utf-8") == "mine"
    assert not (project / "template.yml").exists()
    assert carry_out("package", ["--eject", ".", "--force"]) == 0
    assert (project / "README.md").read_text(encoding="utf-8") != "mine"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--json", "--eject", "out"], "--json prints, and --eject writes files: give one of the two"),
        (["--force"], "--force belongs to --eject DIR"),
        (["--eject", "forebay.yml"], "--eject forebay.yml: cannot be written: File exists"),
    ],
)
def test_what_cannot_be_is_refused(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert carry_out("package", arguments) == 2
    assert capsys.readouterr().err == f"forebay: {sentence}\n"
