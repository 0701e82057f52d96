"""What AWS's linter and checkov say of the templates, and the rules of our own that neither of them knows."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.deploy.golden import GOLDEN, NAMES, template

from forebay.deploy.template.intrinsics import Json
from forebay.deploy.template.writing import as_yaml

ROOT = Path(__file__).resolve().parents[2]
CHECKOV = ROOT / ".venv-checkov" / "bin" / "checkov"
REGIONS = ("us-east-1", "eu-central-1", "ap-southeast-2")

MAY_BE_ALL: dict[str, str] = {
    "EnterEcr": "ecr:GetAuthorizationToken knows no resources",
    "SessionsInTheContainer": "the four actions of ssmmessages know no resources",
    "PoliciesOfThisAccount": "in a key's policy `*` is the key itself",
    "Producers": "in a key's policy `*` is the key itself",
    "Topics": "in a key's policy `*` is the key itself",
}
"""Statements that may say `Resource: "*"`, and why."""

MAY_BE_EVERY_ACTION: dict[str, str] = {
    "NobodyWithoutTls": "it denies",
    "PoliciesOfThisAccount": "leaves the key to the account's own policies; a key that nobody may manage is lost",
}
"""Statements whose actions may have a wildcard, and why."""


def _cfn_lint(*files: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--include-checks", "I", "--format", "parseable"]
    command += ["--regions", *REGIONS, "--", *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)


@pytest.mark.slow
def test_the_linter_of_cloudformation_finds_nothing_not_even_a_remark() -> None:
    found = _cfn_lint(*sorted(GOLDEN.glob("*.yml")))

    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


def test_the_linter_does_find_what_is_wrong(tmp_path: Path) -> None:
    """A linter that were asked in the wrong way would find nothing either."""
    broken = template("tiny")
    broken["Resources"]["Queue"]["Properties"]["VisibilityTimeout"] = 43_201
    broken["Resources"]["Service"]["DependsOn"] = ["Nothing"]
    file = tmp_path / "broken.yml"
    file.write_text(as_yaml(broken), encoding="ascii")

    found = _cfn_lint(file)

    assert {line.split(":")[5] for line in found.stdout.splitlines()} == {"E3005", "E3034"}


def _refused_by_checkov(folder: Path) -> set[tuple[str, str, str]]:
    """File, resource and check of everything that checkov refuses in the templates below a folder."""
    command = [str(CHECKOV), "--framework", "cloudformation", "--output", "json", "--directory", str(folder)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    found = json.loads(ran.stdout)
    assert found["summary"]["parsing_errors"] == 0
    assert found["summary"]["passed"] > 0
    return {
        (check["file_path"].strip("/").removesuffix(".yml"), check["resource"].rpartition(".")[2], check["check_id"])
        for check in found["results"]["failed_checks"]
    }


def _accepted(name: str) -> Iterator[tuple[str, str, str, str]]:
    """Name, resource, check and reason of everything that a template tells checkov to pass over."""
    for logical_id, resource in template(name)["Resources"].items():
        for skip in resource["Metadata"].get("checkov", {}).get("skip", ()):
            yield name, logical_id, skip["id"], skip["comment"]


@pytest.mark.slow
def test_checkov_refuses_nothing_and_without_our_reasons_exactly_what_they_are_for(tmp_path: Path) -> None:
    """It looks at each template as it is and without the reasons: one for what is refused no longer fails as well."""
    if not CHECKOV.exists():
        said = "checkov is not installed, so nothing looks for unsafe settings here: `make setup-checkov` installs it"
        pytest.fail(said) if os.environ.get("CI") == "true" else pytest.skip(said)
    shutil.copytree(GOLDEN, tmp_path / "golden")
    (tmp_path / "bare").mkdir()
    for name in NAMES:
        bare = template(name)
        for resource in bare["Resources"].values():
            resource["Metadata"].pop("checkov", None)
        (tmp_path / "bare" / f"{name}.yml").write_text(as_yaml(bare), encoding="ascii")

    refused = _refused_by_checkov(tmp_path)

    accepted = {(f"bare/{file}", place, check) for name in NAMES for file, place, check, _ in _accepted(name)}
    assert refused == accepted


def test_every_check_that_is_passed_over_has_a_reason_in_words() -> None:
    for name in NAMES:
        for _, resource, check, reason in _accepted(name):
            assert len(reason.split()) >= 6, (name, resource, check)


def policies(whole: Json) -> Iterator[tuple[str, Json]]:
    """Every statement of every policy in a template, with the resource that holds it."""
    for logical_id, resource in whole["Resources"].items():
        properties: dict[str, Any] = resource["Properties"]
        documents = [properties.get(key) for key in ("PolicyDocument", "KeyPolicy", "AssumeRolePolicyDocument")]
        documents += [policy["PolicyDocument"] for policy in properties.get("Policies", ())]
        for document in documents:
            for statement in document["Statement"] if document else ():
                yield logical_id, statement


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


STATEMENTS = [(name, place, statement) for name in NAMES for place, statement in policies(template(name))]


def test_no_statement_allows_something_on_everything_without_a_reason() -> None:
    everything = {
        (place, statement.get("Sid"))
        for _, place, statement in STATEMENTS
        if "*" in _as_list(statement.get("Resource"))
    }

    assert {sid for _, sid in everything} == set(MAY_BE_ALL)


def test_no_statement_allows_every_action_of_a_service() -> None:
    wide = {statement.get("Sid") for _, _, statement in STATEMENTS if "*" in json.dumps(statement.get("Action", ""))}

    assert wide == set(MAY_BE_EVERY_ACTION)


WITHOUT_CONDITION = {("AlarmTopicPolicy", "events.amazonaws.com")}
"""EventBridge tells SNS nothing that a condition could look at (its guide, "Amazon SNS permissions")."""


def _names_its_senders(condition: Json) -> bool:
    """Whether only resources that are named one by one may be the reason: a topic may be another account's."""
    sources = _as_list(condition.get("ArnEquals", {}).get("aws:SourceArn", ()))
    return bool(sources) and "*" not in json.dumps(sources)


def test_every_service_that_may_do_something_may_do_it_for_this_account_or_for_what_is_named() -> None:
    """The confused deputy: a service that acts for another account must not reach ours."""
    for name, place, statement in STATEMENTS:
        principal = statement.get("Principal")
        if isinstance(principal, dict) and "Service" in principal:
            if (place, principal["Service"]) in WITHOUT_CONDITION:
                continue
            said = json.dumps(statement["Condition"])
            if _names_its_senders(statement["Condition"]):
                continue
            assert "aws:SourceAccount" in said, (name, place)
            assert '{"Ref": "AWS::AccountId"}' in said, (name, place)


def test_nobody_in_the_world_may_do_anything() -> None:
    for name, place, statement in STATEMENTS:
        if statement.get("Principal") in ("*", {"AWS": "*"}):
            assert statement["Effect"] == "Deny", (name, place)
        assert "NotAction" not in statement, (name, place)
        assert "NotPrincipal" not in statement, (name, place)


@pytest.mark.parametrize("name", NAMES)
def test_the_whole_template_is_in_ascii(name: str) -> None:
    """CloudFormation gives other letters back as question marks, and `diff` would show them for ever."""
    assert (GOLDEN / f"{name}.yml").read_bytes().isascii()
