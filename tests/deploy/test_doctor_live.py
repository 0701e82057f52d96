"""`forebay doctor --live` against moto's server: what is deployed, what was changed since, and what may not be read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.command import Ran
from tests.deploy.moto_server import MotoCloud

from forebay.cli.main import carry_out
from forebay.deploy.deployed.network import network
from forebay.deploy.deployed.reading import Reading

pytestmark = pytest.mark.slow

IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/thumbnails@sha256:" + "0" * 64
MANIFEST = "name: thumbnails\n"

Forebay = Callable[..., Ran]


@pytest.fixture
def forebay(
    tmp_path: Path, moto_cloud: MotoCloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Forebay:
    """Run a verb in the folder of the manifest."""
    (tmp_path / "forebay.yml").write_text(MANIFEST)
    monkeypatch.chdir(tmp_path)

    def run(verb: str, *arguments: str) -> Ran:
        status = carry_out(verb, list(arguments))
        said = capsys.readouterr()
        return Ran(status, said.out, said.err)

    return run


def deployed(forebay: Forebay) -> None:
    ran = forebay("deploy", "--image", IMAGE)
    assert ran.status == 0, ran.err


def live(forebay: Forebay, *more: str) -> dict[str, str]:
    """What is told of the live deployment: check → value, of one finding each."""
    ran = forebay("doctor", "--live", "--json", *more)
    assert ran.status in (0, 1), ran.err
    return {one["check"]: one["value"] for one in json.loads(ran.out)["findings"] if one["place"].startswith("live ")}


def revised(cloud: MotoCloud, **changed: object) -> str:
    """Deploy a revision by hand that names its task role, which moto drops of a template. Returns the role's name."""
    clients: Any = cloud.clients()
    (role,) = [one for one in clients.iam.list_roles()["Roles"] if "TaskRole" in one["RoleName"]]
    (container,) = clients.ecs.describe_task_definition(taskDefinition="thumbnails-test")["taskDefinition"][
        "containerDefinitions"
    ]
    made = clients.ecs.register_task_definition(
        family="thumbnails-test",
        taskRoleArn=role["Arn"],
        containerDefinitions=[{**container, "memory": 512, **changed}],
    )
    clients.ecs.update_service(
        cluster="thumbnails-test", service="thumbnails", taskDefinition=made["taskDefinition"]["taskDefinitionArn"]
    )
    return str(role["RoleName"])


def all_of(forebay: Forebay, check: str) -> set[str]:
    found = json.loads(forebay("doctor", "--live", "--json").out)["findings"]
    return {one["value"] for one in found if one["check"] == check}


MOTO_KEEPS_NO = {"dead-letter-allow", "queue-tls", "alarm-dead-letters", "alarm-age"}
"""What moto takes from a template and forgets, so that doctor misses it: policies of queues, and alarms."""


def test_what_was_just_deployed_is_as_the_manifest_says(forebay: Forebay) -> None:
    deployed(forebay)

    assert set(live(forebay)) == MOTO_KEEPS_NO


def test_policies_and_alarms_that_are_there_are_seen(forebay: Forebay, moto_cloud: MotoCloud) -> None:
    deployed(forebay)
    clients = moto_cloud.clients()
    without_tls = {"Bool": {"aws:SecureTransport": "false"}}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "*", "Condition": without_tls}
    for queue in ("thumbnails-test", "thumbnails-test-dead"):
        url = clients.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
        clients.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    for queue, metric in (
        ("thumbnails-test", "ApproximateAgeOfOldestMessage"),
        ("thumbnails-test-dead", "ApproximateNumberOfMessagesVisible"),
    ):
        clients.cloudwatch.put_metric_alarm(
            AlarmName=f"{queue}-{metric}",
            Namespace="AWS/SQS",
            MetricName=metric,
            Dimensions=[{"Name": "QueueName", "Value": queue}],
            Period=60,
            EvaluationPeriods=1,
            Statistic="Maximum",
            Threshold=600.0,
            ComparisonOperator="GreaterThanThreshold",
            AlarmActions=["arn:aws:sns:eu-central-1:123456789012:operators"],
        )

    assert set(live(forebay)) == {"dead-letter-allow"}


def test_what_was_changed_by_hand_is_named_with_both_values(forebay: Forebay, moto_cloud: MotoCloud) -> None:
    deployed(forebay)
    clients = moto_cloud.clients()
    url = clients.sqs.get_queue_url(QueueName="thumbnails-test")["QueueUrl"]
    clients.sqs.set_queue_attributes(
        QueueUrl=url, Attributes={"VisibilityTimeout": "7200", "MessageRetentionPeriod": "1209600"}
    )
    clients.ecs.update_service(
        cluster="thumbnails-test",
        service="thumbnails",
        deploymentConfiguration={"maximumPercent": 150, "minimumHealthyPercent": 50},
    )

    assert all_of(forebay, "live-differs") == {
        "VisibilityTimeout: live 7200, manifest 60",
        "MessageRetentionPeriod: live 1209600, manifest 345600",
        "MaximumPercent: live 150, manifest 200",
        "MinimumHealthyPercent: live 50, manifest 100",
    }
    assert live(forebay)["dead-letter-retention"] == "retention 14 d, of the queue 14 d"


def test_a_variable_that_was_changed_is_named_and_only_our_own_values_are_shown(
    forebay: Forebay, moto_cloud: MotoCloud
) -> None:
    deployed(forebay)
    task: Any = moto_cloud.clients().ecs.describe_task_definition(taskDefinition="thumbnails-test")["taskDefinition"]
    changed = [one for one in task["containerDefinitions"][0]["environment"] if one["name"] != "FOREBAY_DRAIN"]
    changed += [{"name": "FOREBAY_DRAIN", "value": "400"}, {"name": "API_TOKEN", "value": "hunter2"}]
    revised(moto_cloud, environment=changed)

    ran = forebay("doctor", "--live")

    assert ran.status == 1
    assert "error: drain 400 s (FOREBAY_DRAIN), StopTimeout 2 min" in ran.out
    assert "FOREBAY_DRAIN: live 400, manifest 110" in ran.out
    assert "API_TOKEN in Environment" in ran.out
    assert "hunter2" not in ran.out


def test_a_permission_that_was_taken_away_is_missed(forebay: Forebay, moto_cloud: MotoCloud) -> None:
    deployed(forebay)
    iam = moto_cloud.clients().iam
    role = revised(moto_cloud)
    statement = {
        "Effect": "Allow",
        "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:SendMessage"],
        "Resource": "*",
    }
    iam.put_role_policy(
        RoleName=role, PolicyName="worker", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statement})
    )

    assert all_of(forebay, "permission-queue") == {
        "sqs:ChangeMessageVisibility not granted on thumbnails-test",
        "sqs:GetQueueAttributes not granted on thumbnails-test",
    }
    assert len(all_of(forebay, "permission-protection")) == 1

    wide = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    attached = iam.create_policy(PolicyName="more", PolicyDocument=json.dumps(wide))
    iam.attach_role_policy(RoleName=role, PolicyArn=attached["Policy"].get("Arn", ""))
    assert all_of(forebay, "permission-queue") == set()
    assert all_of(forebay, "role-wildcards") == {"* on *"}


def test_what_waits_is_counted(forebay: Forebay, moto_cloud: MotoCloud) -> None:
    deployed(forebay)
    sqs = moto_cloud.clients().sqs
    for queue, count in (("thumbnails-test", 3), ("thumbnails-test-dead", 1)):
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        for number in range(count):
            sqs.send_message(QueueUrl=url, MessageBody=str(number))

    found = live(forebay)

    assert found["dead-letters-wait"] == "1 message in thumbnails-test-dead"
    assert found["queue-waits"] == "3 messages wait, no task runs"


def test_a_queue_that_a_deployment_would_replace_is_told_with_what_waits_in_it(
    forebay: Forebay, moto_cloud: MotoCloud
) -> None:
    deployed(forebay)
    Path("forebay.yml").write_text(MANIFEST + "queue:\n  type: fifo\n")

    assert live(forebay)["queue-replaced"] == "live thumbnails-test, manifest thumbnails-test.fifo; 0 messages wait"


def test_what_is_not_there_is_a_note_and_no_error(forebay: Forebay) -> None:
    ran = forebay("doctor", "--live", "--json")

    assert ran.status == 0
    found = {one["value"]: one["why"] for one in json.loads(ran.out)["findings"] if one["check"] == "live-unread"}
    assert found == {
        "service thumbnails of cluster thumbnails-test": "not examined: there is none",
        "queue thumbnails-test": "not examined: there is none",
    }


def test_what_may_not_be_read_is_named_with_the_permission_and_the_rest_is_examined(
    forebay: Forebay, moto_cloud: MotoCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed(forebay)
    revised(moto_cloud)
    iam = moto_cloud.clients().iam
    iam.create_user(UserName="operator")
    may = {"Effect": "Allow", "Action": ["sqs:*", "ecs:*", "cloudwatch:*", "logs:*", "ec2:*"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [may]})
    iam.put_user_policy(UserName="operator", PolicyName="most", PolicyDocument=policy)
    key = iam.create_access_key(UserName="operator")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    moto_cloud.check_permissions()

    ran = forebay("doctor", "--live", "--json")

    assert ran.status == 0, ran.err
    unread = {one["value"]: one["why"] for one in json.loads(ran.out)["findings"] if one["check"] == "live-unread"}
    assert any("iam:GetRole" in why for why in unread.values())
    assert not any("queue" in what for what in unread)


def test_nobody_who_answers_is_one_sentence(forebay: Forebay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

    ran = forebay("doctor", "--live")

    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith("forebay: reading service thumbnails of cluster thumbnails-test: ")
    assert ran.err.count("\n") == 1


def test_routes_and_endpoints_of_a_live_network_are_read(moto_cloud: MotoCloud) -> None:
    clients = moto_cloud.clients()
    ec2 = clients.ec2
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"].get("VpcId", "")
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"].get("SubnetId", "")
    group = ec2.create_security_group(GroupName="open", Description="open", VpcId=vpc)["GroupId"]
    ec2.authorize_security_group_ingress(GroupId=group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0")
    service = {"NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets": [subnet], "SecurityGroups": [group]}}}

    closed = network(Reading(clients), service)
    gateway = ec2.create_internet_gateway()["InternetGateway"].get("InternetGatewayId", "")
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"].get("RouteTableId", "")
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.eu-central-1.ecr.api", VpcEndpointType="Interface")
    opened = network(Reading(clients), service)

    assert closed is not None
    assert (closed.to_internet, closed.to_nat, closed.endpoints) == (False, False, frozenset())
    assert closed.open_from == ("0.0.0.0/0",)
    assert opened is not None
    assert (opened.to_internet, opened.to_nat, opened.endpoints) == (True, False, frozenset({"ecr.api"}))
