"""What a service costs, against sums done by hand with the prices of AWS's pages."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from tests.deploy.golden import NAMES, loaded, template

from forebay.deploy import cost, prices
from forebay.deploy.manifest.model import Manifest
from forebay.observability.lines import json_line

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cost.md"
SCALED = {"scaling": {"min": 0, "max": 20}, "run": {"slots": 4}}


def manifest(**said: Any) -> Manifest:
    return Manifest.model_validate({"name": "shop", **said})


def lines(**said: Any) -> dict[str, tuple[float, float]]:
    """What → least and most, in cents."""
    return {
        line.what: (round(line.usd_month, 2), round(line.usd_month_most, 2)) for line in cost.estimate(manifest(**said))
    }


def test_the_smallest_service_by_hand() -> None:
    """0.25 × 0.04048 + 0.5 × 0.004445 = 0.0123425 an hour; × 730. 3 × 60 × 730 polls at 0.40 a million."""
    assert lines() == {
        "Fargate, x86_64": (9.01, 9.01),
        "Public IPv4 addresses": (3.65, 3.65),
        "SQS, idle polling": (0.05, 0.05),
        "Alarms": (0.5, 0.5),
        "Dashboard": (3.0, 3.0),
    }
    assert cost.total(cost.estimate(manifest())) == pytest.approx((16.2126, 16.2126), abs=1e-4)


def test_a_scaled_service_costs_from_its_fewest_to_its_most_tasks() -> None:
    found = lines(**SCALED)

    assert found["Fargate, x86_64"] == (0.0, 180.2)
    assert found["Public IPv4 addresses"] == (0.0, 73.0)
    assert found["SQS, idle polling"] == (0.0, 1.05)
    assert found["Container Insights"] == (11.1, 11.1)
    # Age, dead letters, in flight; 2 of no progress, 2 of missing tasks; 2 to wake, 4 to sleep; 2 hidden ones of 3.
    assert found["Alarms"] == (1.9, 1.9)


def test_arm_disk_and_a_large_task_by_hand() -> None:
    """4 × 0.03238 + 8 × 0.00356 = 0.158 an hour, + 30 GiB × 0.000111; two tasks for 730 hours."""
    found = lines(architecture="arm64", cpu=4096, memory=8192, disk=50, count=2)

    assert found["Fargate, arm64"] == (235.54, 235.54)


def test_spot_is_counted_for_its_part_of_the_tasks_beyond_the_base() -> None:
    """Ten tasks, two of them the base; half of the other eight at 30 %: 2 + 4 + 4 × 0.3 = 7.2."""
    found = lines(count=10, spot={"base": 2, "percent": 50})

    assert found["Fargate, x86_64"] == (round(7.2 * 0.0123425 * 730, 2),) * 2


@pytest.mark.parametrize(
    ("network", "found"),
    [
        ({"type": "new", "egress": "nat", "zones": 2}, {"NAT gateways": (73.0, 73.0)}),
        ({"type": "new", "egress": "endpoints", "zones": 3}, {"Interface endpoints": (109.5, 109.5)}),
        ({"type": "new"}, {"Public IPv4 addresses": (3.65, 3.65)}),
        ({"type": "existing", "vpc": "vpc-1a", "subnets": ["subnet-1a"], "egress": "nat"}, {}),
    ],
)
def test_a_network_costs_what_the_stack_makes_of_it(network: dict[str, Any], found: dict[str, Any]) -> None:
    always = {"Fargate, x86_64", "SQS, idle polling", "Alarms", "Dashboard"}

    assert {what: usd for what, usd in lines(network=network).items() if what not in always} == found


@pytest.mark.parametrize(("kind", "usd"), [("standard", 0.0526), ("fair", 0.0657), ("fifo", 0.0657)])
def test_fifo_and_fair_queues_cost_more_for_each_request(kind: str, usd: float) -> None:
    (line,) = [found for found in cost.estimate(manifest(queue={"type": kind})) if found.what == "SQS, idle polling"]

    assert line.usd_month == pytest.approx(usd, abs=1e-4)


def test_only_a_key_of_the_stacks_own_is_counted() -> None:
    own = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"

    assert lines(queue={"encryption": "kms"})["KMS key of the queues"] == (1.0, 1.0)
    assert "KMS key of the queues" not in lines(queue={"encryption": own})


def test_enhanced_insights_cost_more_with_each_task() -> None:
    assert lines(**SCALED, insights="enhanced")["Container Insights, enhanced"] == (2.59, 30.59)


def test_insights_of_a_shared_cluster_are_its_owners() -> None:
    assert "Container Insights" not in lines(**SCALED, cluster="shared")


def test_a_million_jobs_by_hand() -> None:
    found = {(line.what, line.unit): (line.usd, line.usd_most) for line in cost.usage(manifest())}

    assert found["SQS requests", "million jobs"] == pytest.approx((0.08, 1.2))
    assert found["Logs", "million jobs"] == pytest.approx((0.35, 0.35))


def test_a_jobs_lines_in_the_log_are_as_long_as_is_counted() -> None:
    """CloudWatch counts 26 bytes more for each line."""
    job = {"job": "thumbnail", "message_id": "0" * 36, "attempt": 1, "queue": "shop-production"}
    ended = {"outcome": "succeeded", "lasted_s": 0.123, "settlement": "delete"}
    at = datetime(2026, 1, 1, tzinfo=UTC)
    started, finished = json_line("attempt.started", job, at), json_line("attempt.finished", job | ended, at)

    assert cost.LOG_BYTES_A_JOB / 2 < len(started) + len(finished) + 2 * 26 <= cost.LOG_BYTES_A_JOB


def test_the_sentence_says_where_and_when_the_prices_are_from() -> None:
    assert cost.summary(manifest()) == (
        "About 16.21 USD a month, and 0.43 to 1.55 for a million jobs (list prices of us-east-1, 2026-06)."
    )
    assert cost.summary(manifest(**SCALED)).startswith("About 16.00 (0 tasks) to 270.25 (20 tasks) USD a month, and ")


@pytest.mark.parametrize("name", NAMES)
def test_every_line_can_be_computed_again(name: str) -> None:
    for line in cost.estimate(loaded(name).manifest):
        assert any(character.isdigit() for character in line.how) or line.how.startswith("one"), line
        assert 0 <= line.usd_month <= line.usd_month_most, line


@pytest.mark.parametrize("name", NAMES)
def test_what_costs_money_by_the_month_in_a_template_has_a_line(name: str) -> None:
    """A resource that is added without its price would make every sum wrong."""
    costly = {
        "AWS::ECS::Service": "Fargate",
        "AWS::EC2::NatGateway": "NAT gateways",
        "AWS::KMS::Key": "KMS key",
        "AWS::CloudWatch::Alarm": "Alarms",
        "AWS::CloudWatch::Dashboard": "Dashboard",
    }
    free = {
        *("AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "AWS::SNS::Topic", "AWS::SNS::TopicPolicy", "AWS::IAM::Role"),
        *("AWS::SNS::Subscription", "AWS::Events::Rule", "AWS::KMS::Alias", "AWS::ECS::TaskDefinition"),
        *("AWS::ApplicationAutoScaling::ScalableTarget", "AWS::ApplicationAutoScaling::ScalingPolicy"),
        *("AWS::Scheduler::Schedule", "AWS::Scheduler::ScheduleGroup", "AWS::S3::Bucket", "AWS::S3::BucketPolicy"),
        *("AWS::ECS::Cluster", "AWS::Logs::LogGroup", "AWS::EC2::EIP", "AWS::EC2::VPCEndpoint"),  # In other lines.
    }
    whats = " ".join(line.what for line in cost.estimate(loaded(name).manifest))

    for resource in template(name)["Resources"].values():
        kind = resource["Type"]
        if kind in costly:
            assert costly[kind] in whats, kind
        else:
            assert kind in free or kind.startswith("AWS::EC2::"), f"{kind}: does it cost anything?"


def test_the_price_file_says_when_and_where_and_that_it_is_to_be_verified() -> None:
    said = json.loads(resources.files("forebay.deploy").joinpath("prices.json").read_text(encoding="utf-8"))

    assert datetime.strptime(said["as_of"], "%Y-%m").replace(tzinfo=UTC).year >= 2026
    assert said["region"] == "us-east-1"
    assert "Verify" in said["source"]
    assert all(usd > 0 for usd in said["usd"].values())


def as_table(name: str) -> str:
    """The lines of a manifest as docs/cost.md shows them."""
    found = cost.estimate(loaded(name).manifest)
    rows = [(line.what, _usd(line.usd_month, line.usd_month_most), line.how) for line in found]
    rows.append(("**together**", f"**{_usd(*cost.total(found))}**", ""))
    head = ["| what | USD a month | computed as |", "|---|---|---|"]
    return "\n".join([*head, *(f"| {what} | {usd} | {how} |" for what, usd, how in rows)])


def _usd(least: float, most: float) -> str:
    return f"{least:,.2f}" if round(least, 2) == round(most, 2) else f"{least:,.2f} to {most:,.2f}"


@pytest.mark.parametrize("name", ["tiny", "scaled", "new_nat"])
def test_the_page_shows_what_is_computed(name: str) -> None:
    shown = as_table(name)

    print(shown)
    assert shown in PAGE.read_text(encoding="utf-8")


def test_the_page_says_when_and_where_the_prices_are_from() -> None:
    region, as_of = prices.said().split(", ")
    page = PAGE.read_text(encoding="utf-8")

    assert region in page
    assert as_of in page
