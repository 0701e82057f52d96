"""Logical ids, parameters and outputs that other parts rely on. Pure."""

from __future__ import annotations

IMAGE = "Image"
"""Parameter: the image to run, by digest."""
VPC = "VpcId"
SUBNETS = "SubnetIds"
"""Parameters of a manifest with `network: {type: default}`; `deploy` looks them up."""

QUEUE = "Queue"
DEAD_LETTER_QUEUE = "DeadLetterQueue"
QUEUE_POLICY = "QueuePolicy"
DEAD_LETTER_QUEUE_POLICY = "DeadLetterQueuePolicy"
QUEUE_KEY = "QueueKey"
LOG_GROUP = "LogGroup"
CLUSTER = "Cluster"
TASK_DEFINITION = "TaskDefinition"
TASK_ROLE = "TaskRole"
EXECUTION_ROLE = "ExecutionRole"
SERVICE = "Service"
SECURITY_GROUP = "SecurityGroup"
SCALABLE_TARGET = "ScalableTarget"
ALARM_TOPIC = "AlarmTopic"
PAYLOAD_BUCKET = "PayloadBucket"

CONTAINER = "worker"
"""The container's name in the task definition."""

LOG_STREAM_PREFIX = "forebay"
"""A task's stream in the log group is `forebay/worker/<task id>`."""

OUTPUTS = ("QueueUrl", "QueueArn", "DeadLetterQueueUrl", "ClusterName", "ServiceName", "LogGroupName", "DashboardName")
