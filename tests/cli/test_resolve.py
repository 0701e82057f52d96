"""Where each setting of a run gets its value from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.api.options import RunOptions
from forebay.api.project_file import Written
from forebay.cli.machine import Machine
from forebay.cli.resolve import SETTINGS, Given, resolve
from forebay.errors import SettingsError

URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/thumbnails"
OTHER = "https://sqs.eu-west-1.amazonaws.com/123456789012/other"
MACHINE = Machine(cores=2, memory_limit_bytes=None, any_blocking=False)


def resolved(
    *,
    options: Mapping[str, str | None] | None = None,
    queues: Sequence[str] = (URL,),
    environment: Mapping[str, str] | None = None,
    file: Mapping[str, Written] | None = None,
    code: Mapping[str, object] | None = None,
    machine: Machine = MACHINE,
) -> RunOptions:
    return resolve(Given(options or {}, queues, environment or {}, file or {}, code or {}), machine)


PLACES = ("option", "environment", "file", "code")


@given(st.dictionaries(st.sampled_from(PLACES), st.integers(1, 100_000), min_size=1))
def test_the_strongest_place_that_names_a_setting_wins(named: Mapping[str, int]) -> None:
    strongest = next(place for place in PLACES if place in named)

    options = resolved(
        options={"slots": str(named["option"])} if "option" in named else {},
        environment={"FOREBAY_SLOTS": str(named["environment"])} if "environment" in named else {},
        file={"slots": Written((str(named["file"]),), "forebay.yml line 2")} if "file" in named else {},
        code={"slots": named["code"]} if "code" in named else {},
    )

    assert options.settings.slots == named[strongest]
    assert (
        options.sources["slots"]
        == {
            "option": "--slots",
            "environment": "FOREBAY_SLOTS",
            "file": "forebay.yml line 2",
            "code": "code",
        }[strongest]
    )


VALUES = {
    "slots": ("7", 7), "visibility": ("30", 30), "margin": ("1.5", 1.5), "drain": ("110", 110.0),
    "protect": ("never", "never"), "linger": ("3", 3.0), "log": ("json", "json"),
    "buffer-bytes": ("64MiB", 64 * 1024 * 1024), "exit-when-empty": ("true", True), "error-detail": ("full", "full"),
    "attempts": ("9", 9), "processes": ("3", 3), "stuck": ("wait", "wait"),
    "dead-letter-detail": ("full", "full"), "dead-letter": (OTHER, OTHER),
    "health": ("127.0.0.1:81", ("127.0.0.1", 81)),
}  # fmt: skip


def value_of(options: RunOptions, name: str) -> object:
    field = SETTINGS[name].field
    return getattr(options.settings, field) if field is not None else getattr(options, name.replace("-", "_"))


@pytest.mark.parametrize("name", SETTINGS)
def test_every_option_can_also_come_from_its_variable_and_from_the_file(name: str) -> None:
    text, value = VALUES[name]
    variable = "FOREBAY_" + name.upper().replace("-", "_")

    by_option = resolved(options={name: text})
    by_variable = resolved(environment={variable: text})
    by_file = resolved(file={name: Written((text,), "forebay.yml line 3")})

    assert [value_of(options, name) for options in (by_option, by_variable, by_file)] == [value] * 3
    assert [options.sources[name] for options in (by_option, by_variable, by_file)] == [
        f"--{name}",
        variable,
        "forebay.yml line 3",
    ]


@pytest.mark.parametrize(
    ("places", "queues", "source"),
    [
        ({"queues": (URL, OTHER, URL)}, (URL, OTHER), "--queue"),
        ({"environment": {"FOREBAY_QUEUE_URL": f"{URL} {OTHER}"}}, (URL, OTHER), "FOREBAY_QUEUE_URL"),
        ({"environment": {"COPILOT_QUEUE_URI": URL}}, (URL,), "COPILOT_QUEUE_URI"),
        ({"environment": {"COPILOT_QUEUE_URI": URL, "FOREBAY_QUEUE_URL": OTHER}}, (OTHER,), "FOREBAY_QUEUE_URL"),
        ({"file": {"queue": Written((URL, OTHER), "forebay.yml line 2")}}, (URL, OTHER), "forebay.yml line 2"),
        ({"code": {"queue": URL}}, (URL,), "code"),
        ({"code": {"queue": ("thumbnails",)}}, ("thumbnails",), "code"),
        (
            {"environment": {"COPILOT_QUEUE_URI": URL}, "file": {"queue": Written((OTHER,), "forebay.yml line 2")}},
            (URL,),
            "COPILOT_QUEUE_URI",
        ),
    ],
)
def test_queues_come_from_the_strongest_place_each_once(
    places: dict[str, object], queues: tuple[str, ...], source: str
) -> None:
    options = resolved(**{"queues": (), **places})  # type: ignore[arg-type]

    assert options.queues == queues
    assert options.sources["queue"] == source


def test_defaults_depend_on_the_machine() -> None:
    small = resolved(machine=Machine(cores=2, memory_limit_bytes=512 << 20, any_blocking=True)).settings
    large = resolved(machine=Machine(cores=64, memory_limit_bytes=None, any_blocking=True)).settings
    only_async = resolved(machine=Machine(cores=1, memory_limit_bytes=1 << 20, any_blocking=False)).settings

    assert (small.slots, small.buffer_bytes) == (8, 128 << 20)
    assert (large.slots, large.buffer_bytes) == (32, 256 << 20)
    assert (only_async.slots, only_async.buffer_bytes) == (100, 1 << 20)


def test_an_empty_variable_counts_as_not_set() -> None:
    assert resolved(environment={"FOREBAY_SLOTS": "", "FOREBAY_QUEUE_URL": ""}).sources["slots"] == "default"


def test_surroundings_come_from_the_variables_of_aws_and_ecs() -> None:
    options = resolved(
        environment={
            "QUEUE_REGION": "eu-west-1",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
            "AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:2",
            "ECS_AGENT_URI": "http://169.254.170.2/api/x",
            "ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/x",
        }
    )

    assert options.region == "eu-west-1"
    assert options.endpoint == "http://127.0.0.1:2"
    assert options.agent_uri == "http://169.254.170.2/api/x"
    assert options.metadata_uri == "http://169.254.170.2/v4/x"


def test_configured_endpoints_can_be_switched_off_as_botocore_has_it() -> None:
    environment = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}

    assert resolved(environment=environment).endpoint is None


@pytest.mark.parametrize(
    ("places", "complaint"),
    [
        ({"options": {"slots": "many"}}, "--slots: slots='many' must be a whole number"),
        ({"environment": {"FOREBAY_DRAIN": "25s"}}, "FOREBAY_DRAIN: drain='25s' must be a number of seconds"),
        ({"environment": {"FOREBAY_DRAIN": "nan"}}, "FOREBAY_DRAIN: drain='nan' must be a number of seconds"),
        ({"options": {"visibility": "2.5"}}, "--visibility: visibility='2.5' must be whole seconds"),
        ({"options": {"slots": "0"}}, r"slots=0 is outside 1 to 100,000 \(slots from --slots\)"),
        ({"environment": {"FOREBAY_PROTECT": "maybe"}}, "protect='maybe' is none of auto, always, never"),
        ({"options": {"health": "8080:"}}, "--health: health='8080:' must be HOST:PORT"),
        ({"options": {"health": "127.0.0.1:99999"}}, "must be HOST:PORT"),
        ({"options": {"exit-when-empty": "maybe"}}, "must be true or false"),
        ({"options": {"buffer-bytes": "1 parsec"}}, "must be a number of bytes, such as"),
        ({"options": {"margin": "30"}}, "margin=30 must be above 0 and under a third of visibility=60"),
        (
            {"file": {"slots": Written(("1", "2"), "forebay.yml line 4")}},
            "forebay.yml line 4: slots takes one value, not 2",
        ),
        ({"file": {"slot": Written(("1",), "forebay.yml line 4")}}, "forebay.yml line 4: 'slot' is no setting"),
        ({"queues": ()}, "no queue is named: pass --queue URL, or set FOREBAY_QUEUE_URL"),
        ({"options": {"protect": "always"}}, r"protect=always \(--protect\) needs ECS: ECS_AGENT_URI is not set"),
    ],
)
def test_a_complaint_names_the_value_the_place_and_what_would_do(places: dict[str, object], complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        resolved(**places)  # type: ignore[arg-type]


@given(st.sampled_from(sorted(SETTINGS)), st.text())
def test_any_text_is_either_a_value_or_a_complaint_that_names_its_place(name: str, text: str) -> None:
    refused: str | None = None
    try:
        resolved(options={name: text})
    except SettingsError as error:
        refused = str(error)

    assert refused is None or f"--{name}" in refused
