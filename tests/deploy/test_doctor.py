"""The examination as a whole: our own templates, edited ones, where findings are told, what a deployment insists on."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.deploy import golden
from tests.deploy.doctor_cases import cases, patched

from forebay.cli.examining import case_of, errors, findings, insist, program_of
from forebay.cli.finding_lines import counted, lines, summary
from forebay.deploy.doctor.finding import Finding, Severity
from forebay.deploy.doctor.from_template import facts
from forebay.deploy.manifest.loading import Loaded, load, parsed
from forebay.deploy.template.build import build
from forebay.deploy.template.intrinsics import Json
from forebay.deploy.template.reading import read
from forebay.errors import ManifestError

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*/forebay.yml"))

MEANT: dict[str, set[str]] = {
    "everything": {"spot-interruptions", "log-mode"},
    "fifo_kms": {"fifo-deduplication"},
    "spot": {"queue-kept", "zone-rebalancing", "spot-interruptions"},
}
"""Golden manifest → the warnings that its settings deserve: each says what it was written to show."""


def examined(loaded: Loaded, template: Json, *, with_handler: bool = False) -> tuple[Finding, ...]:
    program = program_of(loaded, None) if with_handler else None
    return findings(loaded, [case_of(loaded, facts(template), program)])


def of(text: str, environment: str | None = None) -> Loaded:
    return parsed(text.encode(), environment, file="forebay.yml", folder=Path.cwd())


@pytest.mark.parametrize("name", golden.NAMES)
def test_our_own_templates_have_no_error_and_no_warning_that_is_not_meant(name: str) -> None:
    found = examined(golden.loaded(name), golden.template(name))

    assert [finding for finding in found if finding.severity is Severity.ERROR] == []
    assert {one.check for one in found if one.severity is Severity.WARNING} == MEANT.get(name, set())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_our_examples_have_nothing_to_be_told(path: Path) -> None:
    loaded = load(path)
    found = examined(loaded, build(loaded.manifest, loaded.names), with_handler=True)

    assert [one for one in found if one.severity is not Severity.NOTE] == []
    assert "handler-unread" not in [one.check for one in found]


def test_the_page_of_manifests_shows_what_would_work() -> None:
    page = (ROOT / "docs" / "manifest.md").read_text(encoding="utf-8")
    whole = [one for one in re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL) if "\nhandler: " in one]

    assert len(whole) >= 3
    for text in whole:
        for environment in read(text).get("environments") or [None]:
            assert errors(of(text, environment)) == []


def test_the_sample_worker_is_told_what_eleven_hours_mean() -> None:
    found = examined(golden.loaded("tiny"), golden.template("tiny"), with_handler=True)

    assert [(one.check, one.value) for one in found if one.severity is not Severity.NOTE] == [
        ("protection-deployment", "job default up to 11 h")
    ]


@pytest.mark.parametrize("name", golden.NAMES)
def test_a_template_that_was_written_and_read_again_is_examined_alike(name: str) -> None:
    again = read(golden.written(name))

    assert facts(again) == facts(golden.template(name))


@pytest.mark.parametrize("name", golden.NAMES)
def test_names_of_resources_do_not_matter(name: str) -> None:
    """Whoever edits a template may call things as they like; only who refers to whom counts."""
    renamed = golden.written(name)
    for old, new in (("DeadLetterQueue", "Graveyard"), ("TaskRole", "JobsRole"), ("LogGroup", "Diary")):
        renamed = re.sub(rf"(?<!:)\b{old}\b", new, renamed)

    found = findings(None, [case_of(None, facts(read(renamed)), None)])

    assert [one.check for one in found if one.severity is Severity.ERROR] == []


def test_a_template_that_is_not_ours_is_examined_without_a_manifest() -> None:
    """The queue as Copilot makes it (facts/deployment.md section 1.2): no dead letters, no heartbeat permission."""
    template = read(
        """
        Resources:
          EventsQueue: {Type: AWS::SQS::Queue, Properties: {}}
          TaskRole:
            Type: AWS::IAM::Role
            Properties:
              AssumeRolePolicyDocument:
                Statement: {Effect: Allow, Principal: {Service: ecs-tasks.amazonaws.com}, Action: sts:AssumeRole}
          QueuePolicy:
            Type: AWS::SQS::QueuePolicy
            Properties:
              Queues: [!Ref EventsQueue]
              PolicyDocument:
                Statement:
                  - Effect: Allow
                    Principal: {AWS: [!GetAtt TaskRole.Arn]}
                    Action: [sqs:ReceiveMessage, sqs:DeleteMessage]
                    Resource: !GetAtt EventsQueue.Arn
          TaskDefinition:
            Type: AWS::ECS::TaskDefinition
            Properties:
              Cpu: 256
              Memory: 512
              TaskRoleArn: !GetAtt TaskRole.Arn
              ContainerDefinitions:
                - {Name: worker, Image: worker:1, Environment: [{Name: COPILOT_QUEUE_URI, Value: !Ref EventsQueue}]}
          Service:
            Type: AWS::ECS::Service
            Properties:
              Cluster: !ImportValue ring
              TaskDefinition: !Ref TaskDefinition
              DeploymentConfiguration: {DeploymentCircuitBreaker: {Enable: true, Rollback: true}}
        """
    )

    found = findings(None, [case_of(None, facts(template), None)])

    told = {one.check: one.value for one in found if one.severity is Severity.ERROR}
    assert told["dead-letter-missing"] == "no RedrivePolicy"
    assert told["permission-queue"] == "sqs:ChangeMessageVisibility not granted on ${EventsQueue}"
    assert {"role-trust", "queue-tls", "queue-kept", "image-tag", "zone-rebalancing"} <= {one.check for one in found}


def test_a_finding_names_the_line_of_the_manifest_that_changes_it() -> None:
    loaded = of("name: shop\nqueue:\n  retention: 14d\n  keep: false\n")
    found = {one.check: one for one in examined(loaded, build(loaded.manifest, loaded.names))}

    assert found["queue-kept"].written == "forebay.yml:4:3"
    assert found["dead-letter-retention"].written is None
    text = "\n".join(lines(list(found.values()), ["forebay.yml"]))
    assert "  at:     forebay.yml:4:3 queue.keep (DeadLetterQueue)\n" in text
    assert "(queue.dead_letter_retention is not set)\n" in text
    assert "  more:   docs/doctor.md#queue-kept\n" in text


def test_errors_come_first_and_are_counted() -> None:
    loaded, found_cases = cases({"template": {"Queue.RedrivePolicy": None, "LogGroup.RetentionInDays": None}})
    found = findings(loaded, found_cases)

    assert found[0].check == "dead-letter-missing"
    assert [one.severity for one in found] == sorted([one.severity for one in found], key=list(Severity).index)
    assert counted(found) == "1 error, 2 warnings, 1 note"
    told = summary(loaded, found)
    assert (told["service"], told["errors"], told["warnings"], told["notes"]) == ("thumbnails", 1, 2, 1)
    assert [one["check"] for one in told["findings"]] == [one.check for one in found]


def test_what_is_wrong_in_the_template_is_not_told_again_of_what_is_live() -> None:
    loaded, found_cases = cases({"manifest": {"count": 40}, "live": {"running": 40}})
    found = findings(loaded, found_cases)

    assert [one.place for one in found if one.check == "empty-receives"] == ["Service"]


def test_a_variable_that_looks_like_a_secret_is_named_and_its_value_is_not() -> None:
    loaded = of("name: shop\nvariables:\n  DB_PASSWORD: hunter2\n")
    found = examined(loaded, build(loaded.manifest, loaded.names))

    assert "DB_PASSWORD in Environment" in [one.value for one in found]
    assert "hunter2" not in str(summary(loaded, found))


def test_a_deployment_insists_on_what_would_work() -> None:
    right = of("name: shop\n")
    wrong = of("name: shop\nqueue: {retention: 10d, dead_letter_retention: 2d}\ndeployment: {maximum_percent: 150}\n")

    insist(right)
    assert [one.check for one in errors(wrong)] == ["dead-letter-retention", "maximum-percent"]
    with pytest.raises(ManifestError) as refused:
        insist(wrong)
    assert "(--no-doctor deploys it all the same)" in str(refused.value)
    assert "forebay.yml:3:14 deployment.maximum_percent" in str(refused.value)


def test_a_function_with_arguments_that_make_no_sense_is_told_with_its_resource() -> None:
    broken = patched(golden.template("tiny"), {"Queue.QueueName": {"Fn::Join": "a"}})

    with pytest.raises(ManifestError, match="resource Queue: a function in it has arguments that make no sense"):
        facts(broken)


JUNK: tuple[Any, ...] = (
    None,
    0,
    -1,
    3.5,
    True,
    "",
    "text",
    [],
    [[]],
    ["x"],
    {},
    {"Ref": "Nowhere"},
    {"Fn::Sub": 3},
    {"Fn::GetAtt": []},
)
EVERYTHING = golden.template("everything")


def places(node: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    children: Any = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()  # pyright: ignore
    for key, child in children:
        yield from places(child, (*at, key))


@given(place=st.sampled_from([one for one in places(EVERYTHING["Resources"]) if one]), junk=st.sampled_from(JUNK))
@settings(max_examples=60)
def test_whatever_stands_in_an_edited_template_is_examined_or_refused(place: tuple[Any, ...], junk: Any) -> None:
    template = copy.deepcopy(EVERYTHING)
    node = template["Resources"]
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = junk

    refusals: list[str] = []
    found: tuple[Finding, ...] = ()
    try:
        found = findings(None, [case_of(None, facts(template), None)])
    except ManifestError as error:
        refusals.append(str(error))

    assert all(refusal.startswith("template: ") for refusal in refusals)
    assert all(one.value and one.place for one in found)
