"""Where a secret of the manifest comes from, as ECS and IAM write it. Pure.

Rules kept here and nowhere else:

1. `/name` is a parameter of Systems Manager in this account and Region. Everything else is an ARN.
2. An ARN of Secrets Manager may end in `:json-key:stage:version`, which is ECS's own and no part of what IAM knows.
3. Secrets Manager adds `-` and six characters to a name. An ARN that was written without them works for ECS, so both
   forms are allowed, and nothing else.
"""

from __future__ import annotations

from typing import Any

from forebay.deploy.manifest.model import Manifest
from forebay.deploy.template.intrinsics import Json, allow, arn


def is_parameter(source: str) -> bool:
    """Whether it is a parameter of Systems Manager, and not a secret of Secrets Manager."""
    return source.startswith("/") or ":ssm:" in source


def value_from(source: str) -> Any:
    """Return what the container definition says."""
    return arn("ssm", f"parameter{source}") if source.startswith("/") else source


def statements(manifest: Manifest) -> list[Json]:
    """Return what the execution role needs to read the secrets; nothing when there are none."""
    sources = sorted(set(manifest.secrets.values()))
    parameters = [value_from(source) for source in sources if is_parameter(source)]
    secrets = [":".join(source.split(":")[:7]) for source in sources if not is_parameter(source)]
    found: list[Json] = []
    if parameters:
        found.append(allow(["ssm:GetParameters"], parameters, sid="ReadParameters"))
    if secrets:
        both = [form for secret in dict.fromkeys(secrets) for form in (secret, f"{secret}-??????")]
        found.append(allow(["secretsmanager:GetSecretValue"], both, sid="ReadSecrets"))
    if manifest.secrets_keys:
        found.append(allow(["kms:Decrypt"], list(manifest.secrets_keys), sid="OpenSecrets"))
    return found
