"""What docs/deploy.md says is what there is: its screens, its table of hints, and the permissions that it lists."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest
from tests.deploy.enforced import credentials
from tests.deploy.moto_server import MotoCloud
from tests.deploy.screens import FOLDER

from forebay.cli.main import carry_out
from forebay.deploy.change_values import SIGNS
from forebay.deploy.hints import RESOURCE_HINTS, TASK_HINTS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "deploy.md").read_text(encoding="utf-8")
IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/thumbnails@sha256:" + "0" * 64
MANIFEST = "name: thumbnails\ncount: {count}\nenvironments:\n  test:\n  prod:\n  old:\n"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.S)


def actions() -> list[str]:
    (policy,) = blocks("json")
    (statement,) = json.loads(policy)["Statement"]
    found: list[str] = statement["Action"]
    return found


def test_the_pages_screens_are_those_of_the_product() -> None:
    made = [(FOLDER / name).read_text(encoding="utf-8") for name in ("update.rolling.100x30.txt", "failed.plain.txt")]

    assert blocks("text") == made


def test_the_page_has_every_hint() -> None:
    missing = [hint.name for hint in (*TASK_HINTS, *RESOURCE_HINTS) if f"| {hint.remedy} |" not in PAGE]

    assert missing == []


def test_the_page_explains_every_sign_of_a_change() -> None:
    listed = re.findall(r"^\| `([^`]+)` \| (?:is|changes|goes|leaves)", PAGE, flags=re.M)

    assert set(listed) == {sign for act, sign in SIGNS.items() if act != "take in"}


COMMANDS = (
    (1, f"deploy --env test --image {IMAGE}", 0),
    (2, f"deploy --env test --image {IMAGE} --diff --yes", 0),
    (3, "diff --env test", 0),
    (3, "diff --env prod", 1),  # A stack of somebody else.
    (3, "delete --env test --yes --queues", 0),
    (3, "delete --env old --yes --queues", 0),  # Queues that an earlier deployment has left.
)
"""What a deployer does: the count in the manifest, the command, and how it ends."""


def life(folder: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[tuple[int, str]]:
    """Carry out each command in turn; yield how it ended, and what it said."""
    for count, command, _ in COMMANDS:
        (folder / "forebay.yml").write_text(MANIFEST.format(count=count))
        status = carry_out(command.split()[0], command.split()[1:])
        captured = capsys.readouterr()
        yield status, captured.out + captured.err


def prepared(moto_cloud: MotoCloud, monkeypatch: pytest.MonkeyPatch, folder: Path, allowed: Collection[str]) -> None:
    """An account with a stack of somebody else and a queue that an earlier deployment left, seen by a role."""
    clients = moto_cloud.clients()
    theirs = json.dumps({"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}})
    clients.cloudformation.create_stack(StackName="thumbnails-prod", TemplateBody=theirs)
    clients.sqs.create_queue(QueueName="thumbnails-old")
    for name, value in credentials(moto_cloud, "deployer", allowed).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(folder)
    moto_cloud.check_permissions()


@pytest.mark.slow
def test_the_listed_permissions_are_enough(
    moto_cloud: MotoCloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared(moto_cloud, monkeypatch, tmp_path, actions())

    ended = list(life(tmp_path, capsys))

    said = "\n".join(words for _, words in ended)
    assert [status for status, _ in ended] == [status for *_, status in COMMANDS], said
    assert "it is not Forebay's" in said
    assert "✔ Queue thumbnails-old is deleted" in said
    assert "lacks the permission" not in said


@pytest.mark.slow
@pytest.mark.parametrize("action", actions())
def test_each_listed_permission_is_missed_by_its_name(
    moto_cloud: MotoCloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    action: str,
) -> None:  # fmt: skip
    prepared(moto_cloud, monkeypatch, tmp_path, [one for one in actions() if one != action])

    said = ""
    for _, words in life(tmp_path, capsys):
        said += words
        if "lacks the permission" in said:
            break

    assert f"deployer/tested lacks the permission {action}" in said, said
