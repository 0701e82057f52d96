"""What a service costs a month, line by line, before anything is done: computed from the manifest and list prices.

Rules kept here and nowhere else:

1. The only prices are those of `prices.json`, which says of when and where they are. A line says how it was computed,
   so that it can be computed again with others.
2. Free tiers are not taken off: they belong to the account, which may have used them up.
3. What depends on what the jobs do is told for a million jobs, or for a gigabyte, and in no sum.
4. What is there already, such as the NAT gateway of an existing VPC, costs nothing more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from forebay.deploy import prices
from forebay.deploy.manifest.model import Manifest
from forebay.deploy.names import DEFAULT_ENVIRONMENT, Names
from forebay.deploy.prices import price
from forebay.deploy.template import alarms, encryption, endpoints, scaling
from forebay.deploy.template.cluster import insights
from forebay.deploy.template.intrinsics import Json

MONTH_HOURS = 730
"""What AWS's own calculator takes."""

POLLS_MINUTE = 3
"""One long poll of 20 s after the other: what an idle task asks of SQS."""

REQUESTS_A_JOB = (0.2, 3.0)
"""Received and deleted in tens; or sent, received and deleted alone. Jobs over 20 s add a renewal for each 20 s, in
tens where there are as many."""

LOG_BYTES_A_JOB = 700
"""Two lines of JSON, started and finished; a successful job beyond 100 a second has none of its own."""

INSIGHTS_METRICS = {"cluster": 13, "service": 14, "family": 10, "task": 10}
"""How many metrics Container Insights makes for each ("Amazon ECS Container Insights metrics"); a task's are only there
with `enhanced`, once for the task and once for its container."""

TRACKING_ALARMS = 2
"""Target tracking has an alarm for out and one for in, which no template shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLine:
    """One thing that costs money as long as it is there."""

    what: str
    usd_month: float
    """At the fewest tasks."""
    usd_month_most: float
    """At the most tasks."""
    how: str
    """How it was computed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageLine:
    """One thing that costs as much as it is used."""

    what: str
    unit: str
    """What the price is for: `million jobs`, `GB`."""
    usd: float
    usd_most: float
    how: str


def tasks(manifest: Manifest) -> tuple[int, int]:
    """Return the fewest and the most tasks."""
    if manifest.scaling is not None:
        return manifest.scaling.min, manifest.scaling.max
    return manifest.tasks_at_first, manifest.tasks_at_first


def estimate(manifest: Manifest) -> tuple[CostLine, ...]:
    """Return what costs money whether there are jobs or not."""
    return tuple(line for line in _lines(manifest) if line.usd_month_most > 0)


def total(lines: Sequence[CostLine]) -> tuple[float, float]:
    """Return what all lines come to a month, at the fewest and at the most tasks."""
    return sum(line.usd_month for line in lines), sum(line.usd_month_most for line in lines)


def summary(manifest: Manifest) -> str:
    """Return one sentence that says what the service costs."""
    least, most = total(estimate(manifest))
    few, many = tasks(manifest)
    month = f"{least:,.2f}" if few == many else f"{least:,.2f} ({_count(few)}) to {most:,.2f} ({_count(many)})"
    a_million = [line for line in usage(manifest) if line.unit == "million jobs"]
    jobs = f"{sum(line.usd for line in a_million):.2f} to {sum(line.usd_most for line in a_million):.2f}"
    return f"About {month} USD a month, and {jobs} for a million jobs (list prices of {prices.said()})."


def _count(number: int) -> str:
    return f"{number:,} task{'s' * (number != 1)}"


def _counted(manifest: Manifest) -> str:
    few, many = tasks(manifest)
    return _count(few) if few == many else f"{few:,} to {_count(many)}"


def _by_task(manifest: Manifest, what: str, usd: float, how: str) -> CostLine:
    few, many = tasks(manifest)
    return CostLine(what=what, usd_month=few * usd, usd_month_most=many * usd, how=f"{_counted(manifest)} x {how}")


def _fixed(what: str, usd: float, how: str) -> CostLine:
    return CostLine(what=what, usd_month=usd, usd_month_most=usd, how=how)


def _lines(manifest: Manifest) -> Iterator[CostLine]:
    yield _fargate(manifest)
    if manifest.network.egress == "public_ip":
        hour = price("public_ipv4_hour")
        yield _by_task(manifest, "Public IPv4 addresses", hour * MONTH_HOURS, f"{hour} an hour x {MONTH_HOURS} h")
    if manifest.network.type == "new":
        yield from _network(manifest)
    million = price(f"sqs_{manifest.queue.type}_million_requests")
    polls = POLLS_MINUTE * 60 * MONTH_HOURS
    yield _by_task(
        manifest, "SQS, idle polling", polls / 1e6 * million, f"{polls:,} long polls x {million} a million requests"
    )
    yield from _watching(manifest)
    if encryption.has_own_key(manifest):
        yield _fixed(
            "KMS key of the queues", price("kms_key_month"), "one key; one data key serves an hour of requests"
        )


def _fargate(manifest: Manifest) -> CostLine:
    vcpu, gib = manifest.cpu / 1024, manifest.memory / 1024
    cpu_usd = price(f"fargate_{manifest.architecture}_vcpu_hour")
    memory_usd = price(f"fargate_{manifest.architecture}_gib_hour")
    disk_gib = (manifest.disk or 20) - 20
    hour = vcpu * cpu_usd + gib * memory_usd
    disk = disk_gib * price("fargate_disk_gib_hour")
    share = prices.spot_share()
    costs: list[float] = []
    for count in tasks(manifest):
        on_spot = max(0, count - manifest.spot.base) * manifest.spot.percent / 100
        costs.append(((count - on_spot + on_spot * share) * hour + count * disk) * MONTH_HOURS)
    parts = [f"{vcpu:g} vCPU x {cpu_usd}", f"{gib:g} GiB x {memory_usd}"]
    if disk_gib:
        parts.append(f"{disk_gib} GiB of disk x {price('fargate_disk_gib_hour')}")
    how = f"{_counted(manifest)} x ({' + '.join(parts)}) an hour x {MONTH_HOURS} h"
    if manifest.spot.percent:
        how += f"; Spot at {share:.0%} of that, which varies"
    return CostLine(what=f"Fargate, {manifest.architecture}", usd_month=costs[0], usd_month_most=costs[1], how=how)


def _network(manifest: Manifest) -> Iterator[CostLine]:
    zones = manifest.network.zones
    if manifest.network.egress == "nat":
        hour = price("nat_gateway_hour") + price("public_ipv4_hour")
        how = f"{zones} gateways, each with an address, x {hour:g} an hour x {MONTH_HOURS} h"
        yield _fixed("NAT gateways", zones * hour * MONTH_HOURS, how)
    if manifest.network.egress == "endpoints":
        count, hour = len(endpoints.services(manifest)), price("endpoint_zone_hour")
        how = f"{count} services x {zones} zones x {hour} an hour x {MONTH_HOURS} h"
        yield _fixed("Interface endpoints", count * zones * hour * MONTH_HOURS, how)


def _watching(manifest: Manifest) -> Iterator[CostLine]:
    metrics = sum(_metrics_of(resource) for resource in _alarms(manifest))
    metrics += TRACKING_ALARMS * _tracked(manifest)
    each = price("alarm_metric_month")
    yield _fixed("Alarms", metrics * each, f"{metrics} metrics looked at x {each}")
    if manifest.alarms.dashboard:
        yield _fixed("Dashboard", price("dashboard_month"), "one; an account has three for nothing")
    kind = insights(manifest)
    if kind == "off" or manifest.cluster is not None:  # Insights of a shared cluster are its owner's.
        return
    common = sum(INSIGHTS_METRICS[of] for of in ("cluster", "service", "family"))
    if kind == "on":
        each = price("custom_metric_month")
        yield _fixed("Container Insights", common * each, f"{common} custom metrics x {each}")
        return
    each, of_task = price("enhanced_metric_month"), 2 * INSIGHTS_METRICS["task"]
    few, many = (each * (common + of_task * count) for count in tasks(manifest))
    how = f"({common} metrics + {of_task} for each task) x {each}"
    yield CostLine(what="Container Insights, enhanced", usd_month=few, usd_month_most=many, how=how)


def _alarms(manifest: Manifest) -> Iterator[Json]:
    names = Names(manifest.name, DEFAULT_ENVIRONMENT)
    for piece in (alarms.piece(manifest, names), scaling.piece(manifest, names)):
        yield from (found for found in piece.resources.values() if found["Type"] == "AWS::CloudWatch::Alarm")


def _metrics_of(alarm: Json) -> int:
    """CloudWatch charges an alarm on a formula for each metric in it."""
    return sum("MetricStat" in query for query in alarm["Properties"].get("Metrics", ())) or 1


def _tracked(manifest: Manifest) -> int:
    if manifest.scaling is None:
        return 0
    queries = scaling.load(manifest, Names(manifest.name, DEFAULT_ENVIRONMENT), manifest.scaling)
    return sum("MetricStat" in query for query in queries)


def usage(manifest: Manifest) -> tuple[UsageLine, ...]:
    """Return what costs as much as it is used."""
    return tuple(_usage(manifest))


def _usage(manifest: Manifest) -> Iterator[UsageLine]:
    million = price(f"sqs_{manifest.queue.type}_million_requests")
    few, many = REQUESTS_A_JOB
    yield UsageLine(
        what="SQS requests",
        unit="million jobs",
        usd=few * million,
        usd_most=many * million,
        how=f"{few:g} (in tens) to {many:g} (alone) requests a job x {million} a million; each 64 KiB count",
    )
    logs = LOG_BYTES_A_JOB / 1000 * price("logs_gb")
    how = f"about {LOG_BYTES_A_JOB} bytes a job x {price('logs_gb')} a GB; what your code logs comes on top"
    yield UsageLine(what="Logs", unit="million jobs", usd=logs, usd_most=logs, how=how)
    if manifest.network.type == "new":
        for egress, what in (("nat", "NAT gateway"), ("endpoints", "Interface endpoint")):
            if manifest.network.egress == egress:
                gb = price(f"{what.lower().replace(' ', '_').removeprefix('interface_')}_gb")
                yield UsageLine(what=f"Data through the {what}", unit="GB", usd=gb, usd_most=gb, how=f"{gb} a GB")
    if manifest.payload_bucket:
        gb = price("s3_gb_month")
        yield UsageLine(what="Payloads in S3", unit="GB a month", usd=gb, usd_most=gb, how=f"{gb} a GB and month")
