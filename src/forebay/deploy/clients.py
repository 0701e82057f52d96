"""The AWS clients of one command, made when first asked for.

`AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_<SERVICE>`, profiles and Regions are botocore's own business. Each answer is
looked at by `answers` first.
"""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError

from forebay.deploy import answers
from forebay.errors import DeployError

if TYPE_CHECKING:
    from mypy_boto3_application_autoscaling import ApplicationAutoScalingClient
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_sts import STSClient

WHERE_SETTINGS_ARE = "Look at AWS_ENDPOINT_URL, the other AWS_… variables and the AWS profile"


class Clients:
    """Clients of one account and Region."""

    def __init__(self, *, region: str | None = None, profile: str | None = None) -> None:
        import boto3

        # boto3 reads AWS_DEFAULT_REGION only; every other AWS tool, and a worker, knows AWS_REGION, and prefers it.
        self._session = boto3.Session(region_name=region or os.environ.get("AWS_REGION"), profile_name=profile)
        answers.watch(self._session.events)

    @property
    def profile(self) -> str | None:
        """The profile of the AWS configuration that is in use; None when none is named."""
        name = self._session.profile_name
        return name if name != "default" else None

    def _made(self, service: str) -> Any:
        # boto3's stubs overload this for each of AWS's services, of which only those below are installed.
        try:
            return self._session.client(service)  # type: ignore[call-overload]  # pyright: ignore
        except BotoCoreError:
            raise
        except ValueError as error:  # An address without http://, a number of attempts that is none.
            raise DeployError(f"the settings for AWS cannot be used: {error}. {WHERE_SETTINGS_ARE}") from error

    @cached_property
    def application_autoscaling(self) -> ApplicationAutoScalingClient:
        client: ApplicationAutoScalingClient = self._made("application-autoscaling")
        return client

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        client: CloudFormationClient = self._made("cloudformation")
        return client

    @cached_property
    def cloudwatch(self) -> CloudWatchClient:
        client: CloudWatchClient = self._made("cloudwatch")
        return client

    @cached_property
    def ec2(self) -> EC2Client:
        client: EC2Client = self._made("ec2")
        return client

    @cached_property
    def ecr(self) -> ECRClient:
        client: ECRClient = self._made("ecr")
        return client

    @cached_property
    def ecs(self) -> ECSClient:
        client: ECSClient = self._made("ecs")
        return client

    @cached_property
    def iam(self) -> IAMClient:
        client: IAMClient = self._made("iam")
        return client

    @cached_property
    def kms(self) -> KMSClient:
        client: KMSClient = self._made("kms")
        return client

    @cached_property
    def logs(self) -> CloudWatchLogsClient:
        client: CloudWatchLogsClient = self._made("logs")
        return client

    @cached_property
    def s3(self) -> S3Client:
        client: S3Client = self._made("s3")
        return client

    @cached_property
    def secretsmanager(self) -> SecretsManagerClient:
        client: SecretsManagerClient = self._made("secretsmanager")
        return client

    @cached_property
    def sqs(self) -> SQSClient:
        client: SQSClient = self._made("sqs")
        return client

    @cached_property
    def ssm(self) -> SSMClient:
        client: SSMClient = self._made("ssm")
        return client

    @cached_property
    def sts(self) -> STSClient:
        client: STSClient = self._made("sts")
        return client
