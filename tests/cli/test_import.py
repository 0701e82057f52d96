"""`forebay import` as a user runs it: a real process in a workspace that Copilot has left."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.cli.command import run

from forebay.cli.main import VERBS
from forebay.deploy.manifest.loading import load
from forebay.deploy.manifest.model import Manifest

pytestmark = pytest.mark.processes

ARTICLE = """\
# The manifest for the "queue-consumer" service.
name: queue-consumer
type: Worker Service

image:
  # Docker build arguments.
  build: queue-consumer/Dockerfile

cpu: 256       # Number of CPU units for the task.
memory: 512    # Amount of memory in MiB used by the task.
count: 1       # Number of tasks that should be running in your service.
exec: true     # Enable running commands in your container.
"""
TASK_PROTECTION = """\
Parameters:
  App: {Type: String}
Resources:
  TaskProtectionPolicy:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument:
        Version: '2012-10-17'
        Statement:
          - Sid: TaskProtection
            Effect: Allow
            Action:
              - ecs:UpdateTaskProtection
              - ecs:GetTaskProtection
            Resource: '*'
Outputs:
  TaskProtectionPolicyArn:
    Value: !Ref TaskProtectionPolicy
"""
MORE_ADDONS = """\
Resources:
  Read:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument:
        Statement:
          - {Effect: Allow, Action: 's3:GetObject', Resource: 'arn:aws:s3:::pictures/*'}
          - {Effect: Allow, Action: 's3:PutObject', Resource: !Sub '${Bucket.Arn}/*'}
  Bucket:
    Type: AWS::S3::Bucket
Outputs:
  ReadArn: {Value: !Ref Read}
  BucketName: {Value: !Ref Bucket}
"""
PAGE = Path(__file__).resolve().parents[2] / "docs" / "copilot.md"
MANIFEST = "copilot/queue-consumer/manifest.yml"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """The sample's workspace, as Copilot had it."""
    service = tmp_path / "copilot" / "queue-consumer"
    (service / "addons").mkdir(parents=True)
    (service / "manifest.yml").write_text(ARTICLE)
    (service / "addons" / "task-protection.yml").write_text(TASK_PROTECTION)
    (tmp_path / "copilot" / ".workspace").write_text("application: task-protection\n")
    return tmp_path


def test_the_articles_manifest_becomes_one_of_ours_and_all_that_differs_is_told(workspace: Path) -> None:
    (workspace / "jobs.py").write_text("from forebay import Worker\n\nworker = Worker('jobs')\n")

    ran = run("import", MANIFEST, cwd=workspace)

    manifest = load(workspace / "forebay.yml").manifest
    assert ran.status == 0, ran.err
    assert (manifest.name, manifest.handler, manifest.cpu, manifest.memory, manifest.count) == (
        "queue-consumer",
        "jobs:worker",
        256,
        512,
        1,
    )
    assert manifest.image.build.dockerfile == "queue-consumer/Dockerfile"
    assert manifest.permissions == ()
    for told in ("exec: ", "task protection is built in", "COPILOT_QUEUE_URI: ", "the queue: it is a new one"):
        assert told in ran.err
        assert told in " ".join((workspace / "forebay.yml").read_text().replace("\n#  ", "").split())


def test_the_page_shows_what_the_command_says_of_the_articles_manifest(workspace: Path) -> None:
    page = PAGE.read_text(encoding="utf-8")
    (command,) = re.findall(r"```sh\n(.*?)\n```", page)
    (screen,) = re.findall(r"```text\n(.*?)```", page, re.DOTALL)

    ran = run(*command.removeprefix("forebay ").split(), cwd=workspace)

    assert ran.status == 0
    assert [line for line in screen.splitlines() if line not in ran.err.splitlines()] == []


def test_the_page_names_verbs_and_keys_that_are_there() -> None:
    page = PAGE.read_text(encoding="utf-8")
    keys = page.split("## The keys of the manifest")[1].split("\n## ")[0]

    assert set(re.findall(r"\[`(?:forebay )?([a-z]+)[^`]*`\]\(command-line.md", page)) <= set(VERBS)
    rows = [line.split(" | ")[1] for line in keys.splitlines() if line.startswith("| `")]
    ours = {key for row in rows for key in re.findall(r"`([a-z_]+)(?=[:`])", row)}
    assert ours <= {*Manifest.model_fields, "environments", "location"}


def test_a_manifest_without_a_known_handler_names_one_that_no_image_has(workspace: Path) -> None:
    """Else a deployment would run the sample worker, and bury every job of the real one."""
    ran = run("import", MANIFEST, cwd=workspace)

    assert ran.status == 0
    assert load(workspace / "forebay.yml").manifest.handler == "your_module:worker"
    assert "handler: name your Worker there" in ran.err


def test_paths_are_written_as_they_are_from_the_new_manifest(workspace: Path) -> None:
    (workspace / "queue-consumer").mkdir()

    ran = run("import", f"../{MANIFEST}", "--handler", "jobs:worker", cwd=workspace / "queue-consumer")

    build = load(workspace / "queue-consumer" / "forebay.yml").manifest.image.build
    assert ran.status == 0, ran.err
    assert (build.dockerfile, build.context) == ("Dockerfile", ".")


def test_a_plain_statement_of_an_addon_becomes_a_permission_and_what_is_computed_is_told(workspace: Path) -> None:
    (workspace / "copilot/queue-consumer/addons/files.yml").write_text(MORE_ADDONS)
    (workspace / "copilot/queue-consumer/addons/addons.parameters.yml").write_text("Parameters: {A: 1}\n")

    ran = run("import", MANIFEST, "--env", "test", "--env", "prod", cwd=workspace)

    (permission,) = load(workspace / "forebay.yml", "prod").manifest.permissions
    assert (permission.actions, permission.resources) == (("s3:GetObject",), ("arn:aws:s3:::pictures/*",))
    for told in ("files.yml: Read: its statement is computed", "files.yml: Bucket: AWS::S3::Bucket", "BucketName: "):
        assert told in ran.err
    assert "ReadArn" not in ran.err


def test_a_manifest_that_is_there_stays_unless_forced(workspace: Path) -> None:
    (workspace / "forebay.yml").write_text("run:\n  slots: 3\n")

    refused = run("import", MANIFEST, cwd=workspace)
    kept = (workspace / "forebay.yml").read_text()
    forced = run("import", MANIFEST, "--force", cwd=workspace)

    assert (refused.status, kept) == (2, "run:\n  slots: 3\n")
    assert "forebay.yml is there already: --force replaces it" in refused.err
    assert forced.status == 0
    assert load(workspace / "forebay.yml").manifest.name == "queue-consumer"


def test_a_dockerfile_of_ours_can_be_had_with_it_and_the_manifest_names_that(workspace: Path) -> None:
    (workspace / "requirements.txt").write_text("forebay\n")

    ran = run("import", MANIFEST, "--handler", "jobs:worker", "--generate", cwd=workspace)

    build = load(workspace / "forebay.yml").manifest.image.build
    assert ran.status == 0, ran.err
    assert ran.out.split() == ["forebay.yml", "forebay.schema.json", "Dockerfile", ".dockerignore"]
    assert (build.dockerfile, build.context) == ("Dockerfile", ".")
    assert 'ENTRYPOINT ["forebay"]' in (workspace / "Dockerfile").read_text()


def test_a_name_that_cannot_be_ours_is_told_with_the_option_that_changes_it(workspace: Path) -> None:
    (workspace / MANIFEST).write_text(ARTICLE.replace("name: queue-consumer", f"name: {'q' * 41}"))

    refused = run("import", MANIFEST, cwd=workspace)
    named = run("import", MANIFEST, "--name", "queue-consumer", cwd=workspace)

    assert refused.status == 2
    assert f"So nothing was written: mend it in {MANIFEST}, or pass --name" in refused.err
    assert named.status == 0
    assert load(workspace / "forebay.yml").names.queue == "queue-consumer-test"


def test_a_dash_prints_the_manifest_and_writes_nothing(workspace: Path) -> None:
    ran = run("import", MANIFEST, "--output", "-", cwd=workspace)

    assert ran.status == 0
    assert "\nname: queue-consumer\n" in ran.out
    assert not (workspace / "forebay.yml").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: [", "manifest.yml:"),
        ("name: a\nname: b\n", "manifest.yml:2:1: name stands here again"),
        ("name: x1\ntype: Backend Service\n", "type: Backend Service: only a Worker Service can be converted"),
        ("name: x1\n", f"{MANIFEST}: type: nothing: only a Worker Service can be converted"),
        ("type: Worker Service\n", "name"),
        (
            "name: x1\ntype: Worker Service\ncount: {range: 5-2}\n",
            "forebay: this manifest cannot be taken over, since in forebay.yml this would be wrong:\n"
            "  scaling.min: min: 5 is above max: 2\n",
        ),
        ("name: Shouting\ntype: Worker Service\n", "write 2 to 40 lower-case letters"),
        ("name: ok\ntype: Worker Service\ncpu: 300\n", "cpu"),
    ],
)
def test_a_file_that_cannot_be_converted_is_refused_in_a_sentence_and_nothing_is_written(
    workspace: Path, text: str, said: str
) -> None:
    (workspace / MANIFEST).write_text(text)

    ran = run("import", MANIFEST, cwd=workspace)

    assert ran.status == 2
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert not (workspace / "forebay.yml").exists()


def test_a_missing_file_is_named(workspace: Path) -> None:
    ran = run("import", "copilot/other/manifest.yml", cwd=workspace)

    assert (ran.status, ran.err) == (
        2,
        "forebay: copilot/other/manifest.yml cannot be read: No such file or directory\n",
    )
