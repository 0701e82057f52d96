"""The cluster that the tasks run in, and the log group that they write to. Pure."""

from __future__ import annotations

from typing import Any

from forebay.deploy.manifest.model import Manifest
from forebay.deploy.names import Names
from forebay.deploy.template import contract
from forebay.deploy.template.intrinsics import Json, Piece, ref, resource

INSIGHTS = {"off": "disabled", "on": "enabled", "enhanced": "enhanced"}

_WITHOUT_INSIGHTS = "Container Insights cost money for each task, and a fixed number of tasks is seen without them"


def insights(manifest: Manifest) -> str:
    """Return `off`, `on` or `enhanced`: what the manifest says, else on when tasks are scaled by their number."""
    return manifest.insights or ("on" if manifest.is_scaled else "off")


def cluster(manifest: Manifest) -> Any:
    """Return the cluster as ECS's own properties take it: a reference, or the name that the manifest gives."""
    return manifest.cluster or ref(contract.CLUSTER)


def cluster_name(manifest: Manifest, names: Names) -> str:
    """Return the cluster's name as text: ARNs of tasks and scalable targets are made of it."""
    return manifest.cluster.rpartition("/")[2] if manifest.cluster else names.cluster


def piece(manifest: Manifest, names: Names) -> Piece:
    """Return the cluster, unless the manifest names one that exists, and the log group."""
    resources = {} if manifest.cluster else {contract.CLUSTER: _cluster(manifest, names)}
    return Piece(
        resources={**resources, contract.LOG_GROUP: _log_group(manifest, names)},
        outputs={
            "ClusterName": {"Description": "The ECS cluster", "Value": cluster_name(manifest, names)},
            "LogGroupName": {"Description": "What the tasks write", "Value": ref(contract.LOG_GROUP)},
        },
    )


def _cluster(manifest: Manifest, names: Names) -> Json:
    return resource(
        "AWS::ECS::Cluster",
        "The ECS cluster that the tasks run in",
        {
            "ClusterName": names.cluster,
            "CapacityProviders": ["FARGATE", "FARGATE_SPOT"],
            "ClusterSettings": [{"Name": "containerInsights", "Value": INSIGHTS[insights(manifest)]}],
            # CloudTrail has who opened a session. What was typed in it could be logged only by giving the role of the
            # user's code four more permissions.
            "Configuration": {"ExecuteCommandConfiguration": {"Logging": "NONE"}},
        },
        despite={"CKV_AWS_65": _WITHOUT_INSIGHTS} if insights(manifest) == "off" else {},
    )


def _log_group(manifest: Manifest, names: Names) -> Json:
    key = {"KmsKeyId": manifest.logs.key} if manifest.logs.key else {}
    own_encryption = "Logs are encrypted by CloudWatch itself; a key of one's own is there for `logs: key:`"
    return resource(
        "AWS::Logs::LogGroup",
        f"The log of all tasks, kept for {manifest.logs.retention_days} days",
        {"LogGroupName": names.log_group, "RetentionInDays": manifest.logs.retention_days, **key},
        DeletionPolicy="Delete",  # Else its name would stand in the way of the next deployment.
        UpdateReplacePolicy="Retain",
        despite={} if manifest.logs.key else {"CKV_AWS_158": own_encryption},
    )
