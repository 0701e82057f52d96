"""What CloudFormation is sent: text, parameters, tags, the default network, and the image by digest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.deploy.golden import NAMES, loaded, template
from tests.deploy.moto_server import MotoCloud

from forebay.deploy import wishing
from forebay.deploy.default_network import look_up
from forebay.deploy.image_choice import ChosenImage, resolved
from forebay.deploy.manifest.loading import load
from forebay.deploy.stacks import BODY_MAX_BYTES
from forebay.errors import DeployError

REGISTRY = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
DIGEST = "sha256:" + "0123456789abcdef" * 4


def of_about(bytes_: int) -> dict[str, Any]:
    """A template whose JSON has about so many bytes, and whose YAML has more."""
    alarm = {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Dimensions": [{"Name": "a", "Value": "b"}] * 3}}
    one = len(json.dumps({"Alarm0000": alarm}, separators=(",", ":")))
    return {"Resources": {f"Alarm{number:04}": alarm for number in range(bytes_ // one)}}


def test_a_template_is_sent_as_people_read_it() -> None:
    assert wishing.body_of(template("tiny")).startswith("AWSTemplateFormatVersion:")


def test_a_template_whose_yaml_is_too_long_is_sent_as_json() -> None:
    body = wishing.body_of(of_about(45_000))

    assert json.loads(body) == of_about(45_000)
    assert len(body) <= BODY_MAX_BYTES


def test_a_template_that_is_too_long_in_any_form_is_told_with_its_size() -> None:
    with pytest.raises(DeployError, match=r"the template has \d\d,\d{3} bytes, and CloudFormation takes 51,200"):
        wishing.body_of(of_about(60_000))


@pytest.mark.parametrize("name", NAMES)
def test_every_template_fits_into_a_request(name: str) -> None:
    assert len(wishing.body_of(template(name)).encode()) <= BODY_MAX_BYTES


@pytest.mark.parametrize("name", NAMES)
def test_no_template_needs_more_than_the_capability_that_deploy_declares(name: str) -> None:
    """CAPABILITY_IAM is for roles whose names are CloudFormation's to choose."""
    naming = {"RoleName", "UserName", "GroupName", "ManagedPolicyName", "InstanceProfileName"}
    named = [
        logical_id
        for logical_id, resource in template(name)["Resources"].items()
        if resource["Type"].startswith("AWS::IAM::") and naming & set(resource["Properties"])
    ]

    assert named == []


def test_only_declared_parameters_are_sent_and_the_others_keep_their_values() -> None:
    wish = wishing.wish_for(loaded("existing"), template("existing"), {"Image": "x", "VpcId": "vpc-1"})
    kept = wishing.wish_for(loaded("tiny"), template("tiny"), {"VpcId": "vpc-1", "SubnetIds": "a,b"})

    assert (wish.parameters, wish.keeps) == ({"Image": "x"}, ())
    assert kept.keeps == ("Image",)


def test_the_manifests_tags_are_the_stacks_and_ours_cannot_be_taken_away(tmp_path: Path) -> None:
    (tmp_path / "forebay.yml").write_text("name: thumbnails\ntags:\n  team: shop\n")

    tags = wishing.tags_of(load(tmp_path / "forebay.yml"))

    assert tags == {"team": "shop", "forebay:service": "thumbnails", "forebay:environment": "test"}


def test_the_default_network_is_the_default_vpc_with_its_subnets_in_a_fixed_order(moto_cloud: MotoCloud) -> None:
    network = look_up(moto_cloud.clients().ec2)

    assert network.vpc.startswith("vpc-")
    assert len(network.subnets) == 3
    assert list(network.subnets) == sorted(network.subnets)


def test_subnets_that_give_no_public_address_are_left_out(moto_cloud: MotoCloud) -> None:
    ec2 = moto_cloud.clients().ec2
    first, *others = look_up(ec2).subnets
    ec2.modify_subnet_attribute(SubnetId=first, MapPublicIpOnLaunch={"Value": False})

    assert look_up(ec2).subnets == tuple(others)

    for subnet in others:
        ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": False})
    with pytest.raises(DeployError, match="has no default subnet that gives public addresses"):
        look_up(ec2)


def pushed(moto_cloud: MotoCloud, tag: str) -> str:
    """Push an image to moto's ECR; return its digest."""
    ecr = moto_cloud.clients().ecr
    ecr.create_repository(repositoryName="thumbnails")
    manifest = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json"})
    answer = ecr.put_image(repositoryName="thumbnails", imageManifest=manifest, imageTag=tag)
    return str(answer["image"].get("imageId", {}).get("imageDigest"))


def test_a_tag_of_ecr_is_deployed_by_its_digest(moto_cloud: MotoCloud) -> None:
    digest = pushed(moto_cloud, "1.4")

    chosen = resolved(f"{REGISTRY}/thumbnails:1.4", moto_cloud.clients().ecr, place="--image")

    assert chosen.uri == f"{REGISTRY}/thumbnails@{digest}"
    assert digest[:19] in chosen.note


def test_a_tag_that_ecr_does_not_have_is_refused(moto_cloud: MotoCloud) -> None:
    pushed(moto_cloud, "1.4")

    with pytest.raises(DeployError, match=r"--image .*: repository thumbnails has no image with tag 1.5"):
        resolved(f"{REGISTRY}/thumbnails:1.5", moto_cloud.clients().ecr, place="--image")


def test_a_digest_is_taken_as_it_is(moto_cloud: MotoCloud) -> None:
    uri = f"{REGISTRY}/thumbnails@{DIGEST}"

    assert resolved(uri, moto_cloud.clients().ecr, place="--image") == ChosenImage(uri)
