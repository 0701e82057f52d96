"""What a template's values come to: references, `Fn::Sub` and the like replaced by names and ARNs. Pure.

Rules kept here and nowhere else:

1. Any template is taken, also an edited one: what cannot be known before a deployment stays as `${Name}`.
2. A reference to a resource gives what CloudFormation would: the name, or the URL of a queue, or an ARN.
3. A condition is decided by the parameters' defaults and what the caller gives.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from forebay.deploy.template.intrinsics import Json
from forebay.errors import ManifestError

NO_VALUE = "AWS::NoValue"
_PLACEHOLDER = re.compile(r"\$\{(!?)([^}]+)\}")

_NAME_PROPERTIES = {
    "AWS::SQS::Queue": "QueueName",
    "AWS::ECS::Cluster": "ClusterName",
    "AWS::ECS::Service": "ServiceName",
    "AWS::ECR::Repository": "RepositoryName",
    "AWS::IAM::Role": "RoleName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::Scheduler::ScheduleGroup": "Name",
}
_ARNS = {
    "AWS::SQS::Queue": "arn:{partition}:sqs:{region}:{account}:{name}",
    "AWS::ECS::Cluster": "arn:{partition}:ecs:{region}:{account}:cluster/{name}",
    "AWS::ECR::Repository": "arn:{partition}:ecr:{region}:{account}:repository/{name}",
    "AWS::IAM::Role": "arn:{partition}:iam::{account}:role/{name}",
    "AWS::Logs::LogGroup": "arn:{partition}:logs:{region}:{account}:log-group:{name}:*",
    "AWS::S3::Bucket": "arn:{partition}:s3:::{name}",
    "AWS::SNS::Topic": "arn:{partition}:sns:{region}:{account}:{name}",
    "AWS::KMS::Key": "arn:{partition}:kms:{region}:{account}:key/{name}",
    "AWS::CloudWatch::Alarm": "arn:{partition}:cloudwatch:{region}:{account}:alarm:{name}",
    "AWS::ECS::TaskDefinition": "arn:{partition}:ecs:{region}:{account}:task-definition/{name}:1",
}
_REFERS_BY_ARN = ("AWS::SNS::Topic", "AWS::ECS::TaskDefinition")
"""Types whose `Ref` is the ARN."""


@dataclass(frozen=True, slots=True)
class Account:
    """Where a template is deployed."""

    region: str = "us-east-1"
    number: str = "123456789012"
    partition: str = "aws"

    def pseudo(self) -> dict[str, str]:
        """Return CloudFormation's pseudo parameters."""
        return {
            "AWS::Region": self.region,
            "AWS::AccountId": self.number,
            "AWS::Partition": self.partition,
            "AWS::URLSuffix": "amazonaws.com.cn" if self.partition == "aws-cn" else "amazonaws.com",
            "AWS::StackName": "${AWS::StackName}",
            "AWS::StackId": "${AWS::StackId}",
        }


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource with its properties resolved."""

    logical_id: str
    kind: str
    properties: Json
    attributes: Json = field(default_factory=dict[str, Any])
    """CloudFormation's own, such as `DeletionPolicy`."""


class _Dropped:
    """Stands for a value that `AWS::NoValue` takes away."""


_DROPPED = _Dropped()


def resolved(
    template: Mapping[str, Any], account: Account | None = None, parameters: Mapping[str, str] | None = None
) -> dict[str, Resource]:
    """Return the template's resources by logical id, those left out whose condition does not hold.

    Raises `ManifestError` for what is no template, and for a function whose arguments make no sense.
    """
    resolver = _Resolver(template, account or Account(), parameters or {})
    found: dict[str, Resource] = {}
    for logical_id, written in resolver.resources.items():
        condition = written.get("Condition")
        if condition is not None and not resolver.condition(str(condition)):
            continue
        try:
            properties = resolver.value(written.get("Properties") or {})
        except (TypeError, ValueError, KeyError, IndexError) as error:
            raise ManifestError(
                f"template: resource {logical_id}: a function in it has arguments that make no sense"
            ) from error
        if not isinstance(properties, dict):
            raise ManifestError(f"template: resource {logical_id}: Properties must be a mapping")
        attributes = {key: value for key, value in written.items() if key not in ("Type", "Properties", "Metadata")}
        found[logical_id] = Resource(logical_id, str(written.get("Type")), cast("Json", properties), attributes)
    return found


class _Resolver:
    def __init__(self, template: Mapping[str, Any], account: Account, parameters: Mapping[str, str]) -> None:
        self.resources = _section(template, "Resources")
        self._conditions = _members(template, "Conditions", "template")
        self._account = account
        self._values: dict[str, Any] = dict(account.pseudo())
        for name, written in _section(template, "Parameters").items():
            self._values[name] = parameters.get(name, written.get("Default", f"${{{name}}}"))

    def value(self, written: Any) -> Any:
        """Return what `written` comes to."""
        if isinstance(written, list):
            several: list[Any] = written  # pyright: ignore[reportUnknownVariableType]
            return [item for item in map(self.value, several) if item is not _DROPPED]
        if not isinstance(written, dict):
            return written
        mapping = cast("Json", written)
        if len(mapping) == 1:
            name, argument = next(iter(mapping.items()))
            if name == "Ref" or name.startswith("Fn::"):
                return self._function(name, argument)
        kept = {key: self.value(value) for key, value in mapping.items()}
        return {key: value for key, value in kept.items() if value is not _DROPPED}

    def _function(self, name: str, argument: Any) -> Any:
        match name:
            case "Ref":
                return _DROPPED if argument == NO_VALUE else self._ref(str(argument))
            case "Fn::GetAtt":
                parts = argument.split(".", 1) if isinstance(argument, str) else cast("list[Any]", argument)
                return self._attribute(str(parts[0]), str(parts[1]))
            case "Fn::Sub":
                return self._sub(argument)
            case "Fn::Join":
                separator, items = cast("tuple[str, Any]", argument)
                return separator.join(map(str, cast("list[Any]", self.value(items))))
            case "Fn::If":
                condition, yes, no = cast("tuple[str, Any, Any]", argument)
                return self.value(yes if self.condition(condition) else no)
            case "Fn::Select":
                index, items = cast("tuple[Any, Any]", argument)
                known = self.value(items)
                return _picked(known, int(index))
            case "Fn::Split":
                separator, text = cast("tuple[str, Any]", argument)
                return str(self.value(text)).split(separator)
            case _:
                return f"${{{name}}}"

    def _ref(self, name: str) -> Any:
        if name not in self.resources:
            return self._values.get(name, f"${{{name}}}")
        kind = str(self.resources[name].get("Type"))
        if kind == "AWS::SQS::Queue":
            return f"https://sqs.{self._account.region}.amazonaws.com/{self._account.number}/{self._name(name)}"
        return self._attribute(name, "Arn") if kind in _REFERS_BY_ARN else self._name(name)

    def _attribute(self, name: str, attribute: str) -> Any:
        written = self.resources.get(name, {})
        kind = str(written.get("Type"))
        if attribute in ("Arn", "TopicArn") and kind in _ARNS:
            where = self._account
            own = self._name(name)
            return _ARNS[kind].format(partition=where.partition, region=where.region, account=where.number, name=own)
        if attribute in ("QueueName", "Name", "TopicName"):
            return self._name(name)
        if attribute == "QueueUrl":
            return self._ref(name)
        return f"${{{name}.{attribute}}}"

    def _name(self, logical_id: str) -> str:
        written = self.resources[logical_id]
        key = _NAME_PROPERTIES.get(str(written.get("Type")))
        given = cast("Json", written.get("Properties") or {}).get(key) if key else None
        return f"${{{logical_id}}}" if given is None else str(self.value(given))

    def _sub(self, argument: Any) -> str:
        text, values = (argument, {}) if isinstance(argument, str) else cast("tuple[str, Json]", argument)

        def filled(match: re.Match[str]) -> str:
            literal, name = match[1], match[2]
            if literal:
                return f"${{{name}}}"
            if name in values:
                return str(self.value(values[name]))
            owner, _, attribute = name.partition(".")
            return str(self._attribute(owner, attribute) if attribute else self._ref(name))

        return _PLACEHOLDER.sub(filled, text)

    def condition(self, name: str) -> bool:
        """Return whether the condition of that name holds."""
        return self._holds(self._conditions.get(name))

    def _holds(self, written: Any) -> bool:
        if not isinstance(written, dict) or len(cast("Json", written)) != 1:
            return False
        function, argument = next(iter(cast("Json", written).items()))
        match function:
            case "Condition":
                return self.condition(str(argument))
            case "Fn::Equals":
                left, right = cast("Sequence[Any]", argument)
                return str(self.value(left)) == str(self.value(right))
            case "Fn::Not":
                return not self._holds(argument[0])
            case "Fn::And":
                return all(map(self._holds, argument))
            case "Fn::Or":
                return any(map(self._holds, argument))
            case _:
                return False


def _section(template: Mapping[str, Any], name: str) -> Mapping[str, Json]:
    """Return a section whose entries are mappings with mappings as `Properties`."""
    written = _members(template, name, "template")
    section = {key: _members(written, key, f"template: {name}") for key in written}
    for key, entry in section.items():
        _members(entry, "Properties", f"template: {name}.{key}")
    return section


def _members(of: Mapping[str, Any], key: str, place: str) -> Json:
    found = of.get(key)
    if found is not None and not isinstance(found, dict):
        raise ManifestError(f"{place}: {key} must be a mapping")
    return cast("Json", found or {})


def _picked(items: Any, index: int) -> Any:
    known: list[Any] = items if isinstance(items, list) else []  # pyright: ignore[reportUnknownVariableType]
    return known[index] if index < len(known) else f"${{Fn::Select.{index}}}"
