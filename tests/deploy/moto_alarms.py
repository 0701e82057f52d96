"""CloudWatch alarms for moto's CloudFormation, which passes over them: the stack's template refers to its alarms."""

from __future__ import annotations

from typing import Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.core.common_models import CloudFormationModel


class StackAlarm(CloudFormationModel):
    """An alarm of a stack. Moto finds it among the subclasses of its own model."""

    def __init__(self, name: str, arn: str) -> None:
        self.name = name
        self.arn = arn

    @property
    def physical_resource_id(self) -> str:
        return self.name

    @staticmethod
    def cloudformation_name_type() -> str:
        return "AlarmName"

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::CloudWatch::Alarm"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr == "Arn"

    def get_cfn_attribute(self, attribute_name: str) -> str:
        assert attribute_name == "Arn", attribute_name
        return self.arn

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **kwargs: Any
    ) -> StackAlarm:
        told = cloudformation_json["Properties"]
        alarm = cloudwatch_backends[account_id][region_name].put_metric_alarm(
            name=resource_name,
            namespace=told.get("Namespace", ""),
            metric_name=told.get("MetricName", ""),
            comparison_operator=told["ComparisonOperator"],
            evaluation_periods=int(told["EvaluationPeriods"]),
            period=int(told.get("Period", 60)),
            threshold=float(told.get("Threshold", 0)),
            statistic=told.get("Statistic", ""),
            description=told.get("AlarmDescription", ""),
            dimensions=told.get("Dimensions", []),
            alarm_actions=told.get("AlarmActions", []),
        )
        return cls(resource_name, alarm.alarm_arn)

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource: StackAlarm, new_resource_name: str, cloudformation_json: dict[str, Any],
        account_id: str, region_name: str,
    ) -> StackAlarm:  # fmt: skip
        return cls.create_from_cloudformation_json(original_resource.name, cloudformation_json, account_id, region_name)

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str
    ) -> None:
        cloudwatch_backends[account_id][region_name].delete_alarms([resource_name])

    def is_created(self) -> bool:
        return True
