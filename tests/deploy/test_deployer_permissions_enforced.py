"""What whoever runs a service may do, less an action at a time: each is missed in a sentence that names it.

`deploy`, `diff` and `delete` are tried so in `test_deploy_page`. What is asked only of tasks that run, or of a service
that is scaled, is not asked of moto; those actions are proven by recorded calls (`tests/cli/test_live_verbs.py`).
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.deploy.enforced import as_moto, credentials
from tests.deploy.moto_server import MotoCloud

from forebay.cli.main import carry_out

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "status.md").read_text(encoding="utf-8")
IMAGE = "ghcr.io/shop/thumbnails@sha256:" + "0" * 64
OF_TASKS = {"ecs:DescribeTasks", "ecs:GetTaskProtection"}
NOT_ASKED = {
    "status": {*OF_TASKS, "application-autoscaling:DescribeScalingActivities"},
    "logs": OF_TASKS,
    "scale": {*OF_TASKS, "ecs:ListTasks"},
}
RUNS = {"status": ("status",), "logs": ("logs", "logs --previous"), "scale": ("scale 0 --no-wait",)}


def listed(verb: str) -> list[str]:
    """The actions that the page lists for the verb: a service is named before the first of its actions only."""
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{verb}` |"))
    found: list[str] = []
    for words in re.findall(r"`([\w-]+:)?([A-Z]\w+)`", row.partition("; with `--pause`")[0]):
        service = words[0] or found[-1].partition(":")[0] + ":"
        found.append(service + words[1])
    return found


@pytest.mark.slow
@pytest.mark.parametrize("verb", RUNS)
def test_each_permission_of_who_looks_after_a_service_is_missed_by_its_name(
    moto_cloud: MotoCloud,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    verb: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("forebay.yml").write_text("name: thumbnails\ncount: 1\n")
    assert carry_out("deploy", ["--image", IMAGE]) == 0
    actions = listed(verb)
    cases = {
        missing: credentials(moto_cloud, f"without-{number}", [one for one in actions if one != missing])
        for number, missing in enumerate(["none", *(one for one in actions if one not in NOT_ASKED[verb])])
    }
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    moto_cloud.check_permissions()

    unnamed: list[str] = []
    for missing, given in cases.items():
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        statuses = {carry_out(run.split()[0], run.split()[1:]) for run in RUNS[verb]}
        captured = capsys.readouterr()
        said = captured.out + captured.err
        is_named = f"lacks the permission {as_moto(missing)}" in said if missing != "none" else "lacks" not in said
        if not statuses <= {0, 1} or not is_named:
            unnamed.append(f"{missing} ({statuses}): {said}")

    assert not unnamed, "\n".join(unnamed)
