"""From a manifest to what CloudFormation is asked for: the template's text, its parameters, tags and descriptions.

Rules kept here and nowhere else:

1. The template is sent as people read it; as compact JSON only when that alone fits into the request.
2. A parameter that the template does not declare is not sent, and one that nobody gave keeps its value.
"""

from __future__ import annotations

from collections.abc import Mapping

from forebay.deploy.change_values import descriptions_in
from forebay.deploy.manifest.loading import Loaded
from forebay.deploy.stack_values import ENVIRONMENT_TAG, SERVICE_TAG
from forebay.deploy.stacks import BODY_MAX_BYTES, Wish
from forebay.deploy.template import contract
from forebay.deploy.template.build import build
from forebay.deploy.template.intrinsics import DESCRIPTION_KEY, Json
from forebay.deploy.template.writing import as_json, as_yaml
from forebay.errors import DeployError

OWN_TAGS_PREFIX = "forebay:"


def template_of(loaded: Loaded) -> Json:
    """Return the template of the manifest."""
    return build(loaded.manifest, loaded.names)


def wish_for(
    loaded: Loaded, template: Json, parameters: Mapping[str, str], *, old: Mapping[str, str] | None = None
) -> Wish:
    """Return the wish. `old`: descriptions of what is deployed. Raises `DeployError` when the text is too long."""
    declared: Mapping[str, Json] = template.get("Parameters", {})
    given = {name: value for name, value in parameters.items() if name in declared}
    return Wish(
        body=body_of(template),
        parameters=given,
        tags=tags_of(loaded),
        descriptions={**(old or {}), **descriptions_in(template, DESCRIPTION_KEY)},
        keeps=tuple(name for name, told in declared.items() if name not in given and "Default" not in told),
    )


def body_of(template: Json) -> str:
    """Return the text that is sent."""
    for text in (as_yaml(template), as_json(template)):
        if len(text.encode()) <= BODY_MAX_BYTES:
            return text
    raise DeployError(
        f"the template has {len(as_json(template).encode()):,} bytes, and CloudFormation takes {BODY_MAX_BYTES:,}: "
        "use fewer schedules, topics or permissions, or `forebay package --eject` and a bucket of yours"
    )


def tags_of(loaded: Loaded) -> dict[str, str]:
    """Return the stack's tags, which CloudFormation puts on every resource; ours say whose stack it is."""
    ours = {SERVICE_TAG: loaded.names.service, ENVIRONMENT_TAG: loaded.names.environment}
    return {**loaded.manifest.tags, **ours}


def uses_default_network(template: Json) -> bool:
    """Return whether somebody has to say where the default VPC is."""
    return contract.VPC in template.get("Parameters", {})


def planned(template: Json) -> list[tuple[str, str]]:
    """Return (logical id, type) of the template's resources, in its order."""
    return [(name, str(one.get("Type", ""))) for name, one in template.get("Resources", {}).items()]
