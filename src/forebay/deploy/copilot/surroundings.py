"""What is around Copilot's container: network, storage, logs, variables, secrets, deployment. Pure."""

from __future__ import annotations

from typing import Any, get_args

from forebay.deploy.copilot.draft import Around, Draft
from forebay.deploy.copilot.kinds import is_list, is_section
from forebay.deploy.copilot.source import Source
from forebay.deploy.manifest.surroundings import Logs

RETENTIONS_DAYS: tuple[int, ...] = get_args(Logs.model_fields["retention_days"].annotation)
_FIRELENS = (
    "lines go to CloudWatch Logs. To have them elsewhere too, subscribe to the log group, or add a container to the "
    "ejected template (`forebay package --eject`)."
)
_IMPORTED = "the export of another stack is not read: write its value (aws cloudformation list-exports shows it)."


def network(source: Source, draft: Draft, around: Around) -> None:
    """Convert `network`: where tasks run, and their security groups."""
    section = source.section("network")
    if section is None:
        return
    connect = section.take("connect")
    if connect is not None and connect is not False:
        section.notes.left_out(
            section.at("connect"), "tasks are no clients of Service Connect: call the others at addresses that DNS has."
        )
    if (vpc := section.section("vpc")) is not None:
        placement = vpc.take("placement")
        if is_section(placement):
            _subnets(Source(placement, vpc.at("placement"), vpc.notes), draft, around)
        elif placement is not None:
            _placed(str(placement), vpc, draft)
        _groups(vpc, draft)
        vpc.done()
    section.done()


def _placed(placement: str, vpc: Source, draft: Draft) -> None:
    stay = (
        "To stay in Copilot's VPC, where a database may be, write its ids instead (exports {app}-{env}-VpcId and "
        "-{subnets}): `network: {{type: existing, vpc: …, subnets: […], egress: {egress}}}`."
    )
    words = {"app": "APP", "env": "ENV"}
    if placement == "private":
        draft.put("network.type", "new")
        draft.put("network.egress", "nat")
        vpc.notes.differs(
            vpc.at("placement"),
            "a small VPC with NAT gateways is made (docs/cost.md has what they cost a month). "
            + stay.format(**words, subnets="PrivateSubnets", egress="nat"),
        )
    elif placement == "public":
        draft.put("network.type", "default")
        vpc.notes.differs(
            vpc.at("placement"),
            "tasks run in the account's default VPC, with a public address and nothing let in. "
            + stay.format(**words, subnets="PublicSubnets", egress="public_ip"),
        )
    else:
        vpc.notes.left_out(vpc.at("placement"), "it is neither public nor private: write `network:` yourself.")


def _subnets(placement: Source, draft: Draft, around: Around) -> None:
    subnets = placement.take("subnets")
    if is_list(subnets) and subnets:
        draft.put("network.type", "existing")
        draft.put("network.vpc", around.vpc_of(placement.at("subnets")))
        draft.put("network.subnets", [str(subnet) for subnet in subnets])
        # Copilot gives no public address to tasks in subnets that are named one by one.
        draft.put("network.egress", "nat")
        placement.notes.differs(
            placement.at("subnets"),
            "`egress: nat` supposes that they reach AWS through a NAT gateway. With VPC endpoints write `endpoints`, "
            "in public subnets `public_ip`.",
        )
    elif subnets is not None:
        placement.notes.left_out(
            placement.at("subnets"),
            "subnets are named by their ids: `network: {type: existing, vpc: …, subnets: […]}`.",
        )
    placement.done()


def _groups(vpc: Source, draft: Draft) -> None:
    groups = vpc.take("security_groups")
    if is_section(groups):
        section = Source(groups, vpc.at("security_groups"), vpc.notes)
        if section.take("deny_default") is False:
            section.notes.differs(
                section.at("deny_default"),
                "Copilot's group of the environment is not attached: name it here if others let this service in by it.",
            )
        groups = section.take("groups")
        section.done()
    named = [group for group in groups if isinstance(group, str)] if is_list(groups) else []
    if named:
        draft.put("network.security_groups", named)
    if groups is not None and (not is_list(groups) or len(named) < len(groups)):
        vpc.notes.left_out(vpc.at("security_groups"), _IMPORTED)


def variables(source: Source, draft: Draft, around: Around) -> None:
    """Convert `variables`, `env_file` and `secrets`."""
    section = source.section("variables")
    for key, value in section.items() if section is not None else ():
        if isinstance(value, str | int | float):
            draft.entry("variables", key, value)
        else:
            source.notes.left_out(f"variables.{key}", _IMPORTED)
    if source.take("env_file") is not None:
        source.notes.left_out("env_file", "write its lines under `variables:`, and what is secret under `secrets:`.")
    section = source.section("secrets")
    for key, value in section.items() if section is not None else ():
        if isinstance(value, str):
            draft.entry("secrets", key, value if value.startswith(("arn:", "/")) else f"/{value}")
        elif is_section(value) and isinstance(name := value.get("secretsmanager"), str) and len(value) == 1:
            draft.entry("secrets", key, around.arn(f"secrets.{key}", "secretsmanager", f"secret:{name}"))
            source.notes.differs(
                f"secrets.{key}",
                "the ARN is made from the secret's name; with the six letters at its end it is exact.",
            )
        else:
            source.notes.left_out(f"secrets.{key}", _IMPORTED)


def storage(source: Source, draft: Draft) -> None:
    """Convert `storage`."""
    section = source.section("storage")
    if section is None:
        return
    if (size := section.whole("ephemeral")) is not None and size > 20:
        draft.put("disk", size)
    if section.flag("readonly_fs") is False:
        section.notes.differs(section.at("readonly_fs"), "the root file system is read-only; /tmp can be written to.")
    volumes = section.section("volumes")
    for name, volume in volumes.items() if volumes is not None else ():
        is_shared = is_section(volume) and bool(volume.get("efs"))
        section.notes.left_out(
            section.at(f"volumes.{name}"),
            "file systems of EFS are not mounted: keep files in S3, or eject the template (`forebay package --eject`)."
            if is_shared
            else "write to /tmp instead: it is a volume of the task's own, as large as `disk:`.",
        )
    section.done()


def logging(source: Source, draft: Draft) -> None:
    """Convert `logging`."""
    section = source.section("logging")
    if section is None:
        return
    if (days := section.whole("retention")) is not None:
        kept = next((known for known in RETENTIONS_DAYS if known >= days), RETENTIONS_DAYS[-1])
        draft.put("logs.retention_days", kept)
        if kept != days:
            section.notes.differs(section.at("retention"), f"{kept} days are kept: {days} is not among the choices.")
    for key in ("image", "destination", "enableMetadata", "secretOptions", "configFilePath", "env_file"):
        if section.take(key) is not None:
            section.notes.left_out(section.at(key), _FIRELENS)
    section.done()


def deployment(source: Source, draft: Draft) -> None:
    """Convert `deployment`."""
    section = source.section("deployment")
    if section is None:
        return
    match section.take("rolling"):
        case "recreate":
            draft.put("deployment.minimum_percent", 0)
            draft.put("deployment.maximum_percent", 100)
            section.notes.differs(
                section.at("rolling"),
                "old tasks go first, as before, but each stays while its jobs protect it, and no new one starts until "
                "then: `deploy` refuses that for jobs that may take long (docs/doctor.md#maximum-percent). Where two "
                "versions may work one queue, delete `deployment:`.",
            )
        case "default" | None:
            pass
        case _:
            section.notes.left_out(section.at("rolling"), "it is neither default nor recreate: look at it yourself.")
    alarms: Any = section.take("rollback_alarms")
    if alarms is not None:
        section.notes.left_out(
            section.at("rollback_alarms"),
            "the service's own alarms roll a deployment back: the oldest message and dead letters (`alarms:`). "
            "CPU and memory say little of a worker, and Copilot's messages_delayed counts only messages with a delay, "
            "never the backlog.",
        )
    section.done()
