"""What `package --eject` leaves: a template, its parameters and a page, and no more need of this command line. Pure.

Rules kept here and nowhere else:

1. Nothing in the files refers to the manifest or to this program: whoever has only them can go on.
2. A value that only the user's account knows is a word in capitals, and the page says which command prints it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping

from forebay.deploy.manifest.loading import Loaded
from forebay.deploy.template import contract
from forebay.deploy.template.intrinsics import DESCRIPTION_KEY, Json
from forebay.deploy.template.writing import as_yaml

BODY_BYTES_MAX = 51_200
"""What CloudFormation takes in one call."""

UNKNOWN = {
    contract.IMAGE: "REPOSITORY@sha256:DIGEST",
    contract.VPC: "VPC",
    contract.SUBNETS: "SUBNET,SUBNET",
}


def files(loaded: Loaded, template: Json) -> dict[str, str]:
    """Return the files by name."""
    text = as_yaml(template)
    return {
        "template.yml": text,
        "parameters.json": json.dumps(_parameters(loaded, template), indent=2) + "\n",
        "README.md": _page(loaded, template, is_large=len(text.encode()) > BODY_BYTES_MAX),
    }


def _parameters(loaded: Loaded, template: Json) -> list[dict[str, str]]:
    known = {contract.IMAGE: loaded.manifest.image.location} if loaded.manifest.image.location else {}
    return [
        {"ParameterKey": name, "ParameterValue": known.get(name, UNKNOWN.get(name, ""))}
        for name in template["Parameters"]
    ]


def _page(loaded: Loaded, template: Json, *, is_large: bool) -> str:
    names = loaded.names
    return f"""\
# {names.service} in environment {names.environment}

A worker on Amazon ECS, its queue, and what watches them: one CloudFormation template. Whoever has the AWS command line
and these files needs nothing else.

{_image_section(loaded)}{_network_section(template)}## Deploy, and deploy again after a change

```sh
{_deploy(loaded, is_large=is_large)}
```

It asks for nothing, waits until the service is stable, and ends with an error when the deployment was rolled back.
With `--no-execute-changeset` it only shows what would change.

## See it

```sh
aws cloudformation describe-stacks --stack-name {names.stack} --query 'Stacks[0].Outputs' --output table
aws logs tail {names.log_group} --follow
```

## Remove it

```sh
aws cloudformation delete-stack --stack-name {names.stack}
```

{_what_stays(template)}

## What is in the template

| resource | type | what it is for |
|---|---|---|
{_rows(template)}
"""


def _rows(template: Json) -> str:
    resources: Mapping[str, Json] = template["Resources"]
    return "\n".join(
        f"| `{logical_id}` | {resource['Type'].removeprefix('AWS::')} | {resource['Metadata'][DESCRIPTION_KEY]} |"
        for logical_id, resource in resources.items()
    )


def _deploy(loaded: Loaded, *, is_large: bool) -> str:
    manifest, names = loaded.manifest, loaded.names
    tags = {**manifest.tags, "forebay:service": names.service, "forebay:environment": names.environment}
    lines = [
        f"aws cloudformation deploy --stack-name {names.stack} --template-file template.yml",
        *(["--s3-bucket BUCKET"] if is_large else []),
        "--parameter-overrides file://parameters.json --capabilities CAPABILITY_IAM",
        "--tags " + " ".join(shlex.quote(f"{key}={value}") for key, value in tags.items()),
    ]
    return " \\\n  ".join(lines)


def _image_section(loaded: Loaded) -> str:
    manifest, names = loaded.manifest, loaded.names
    if manifest.image.location:
        return ""
    build = manifest.image.build
    arguments = [word for name, value in build.args.items() for word in ("--build-arg", f"{name}={value}")]
    stage = ["--target", build.target] if build.target else []
    platform = "linux/arm64" if manifest.architecture == "arm64" else "linux/amd64"
    command = ["docker", "build", "--platform", platform, "--file", build.dockerfile, *stage, *arguments]
    repository = '"$REGISTRY/' + names.repository + '"'
    return f"""\
## The image

Build it where the Dockerfile is, and push it to a repository called `{names.repository}`: the tasks may be started from
that one.

```sh
ACCOUNT=$(aws sts get-caller-identity --query Account --output text)
REGISTRY="$ACCOUNT.dkr.ecr.$(aws configure get region).amazonaws.com"
aws ecr create-repository --repository-name {names.repository} --image-tag-mutability IMMUTABLE
aws ecr get-login-password | docker login --username AWS --password-stdin "$REGISTRY"
{shlex.join(command)} --tag {repository}:1 {shlex.quote(build.context)}
docker push {repository}:1
docker inspect --format '{{{{index .RepoDigests 0}}}}' {repository}:1
```

The last line prints the image with its digest: it goes to `parameters.json` as `{contract.IMAGE}`.

"""


def _network_section(template: Json) -> str:
    if contract.VPC not in template["Parameters"]:
        return ""
    return f"""\
## The network

`{contract.VPC}` in `parameters.json` is your default VPC, `{contract.SUBNETS}` its subnets, separated by commas:

```sh
aws ec2 describe-vpcs --filters Name=is-default,Values=true --query 'Vpcs[0].VpcId' --output text
aws ec2 describe-subnets --filters Name=default-for-az,Values=true --query 'join(`,`, Subnets[].SubnetId)' --output text
```

"""


def _what_stays(template: Json) -> str:
    kept = [
        f"`{logical_id}`"
        for logical_id, resource in template["Resources"].items()
        if resource.get("DeletionPolicy", "").startswith("Retain")
    ]
    if not kept:
        return "Everything goes, with all messages that wait."
    return f"What holds work stays, and is removed by hand: {', '.join(kept)}."
