"""Copilot's manifest of a Worker Service becomes ours: every key of its schema is converted, or told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from forebay.deploy.copilot.conversion import Conversion, convert, values_of
from forebay.deploy.copilot.draft import Around
from forebay.deploy.copilot.merging import with_override
from forebay.deploy.manifest import writing
from forebay.deploy.manifest.loading import parsed
from forebay.deploy.manifest.model import Manifest
from forebay.deploy.manifest.reading import read
from forebay.errors import ManifestError

AROUND = Around(environment="test", application="shop", region="eu-central-1", account="123456789012", vpc="vpc-0a1b")
LEAST = "name: cost-analyzer\ntype: Worker Service\n"

SCHEMA: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "image.build (text)": (
        "image: {build: consumer/Dockerfile}",
        {"image.build": {"dockerfile": "consumer/Dockerfile", "context": "consumer"}},
        ["image.build"],
    ),
    "image.build.dockerfile": (
        "image: {build: {dockerfile: a/b.Dockerfile}}",
        {"image.build": {"dockerfile": "a/b.Dockerfile", "context": "a"}},
        ["image.build"],
    ),
    "image.build.context": (
        "image: {build: {context: a}}",
        {"image.build": {"dockerfile": "a/Dockerfile", "context": "a"}},
        ["image.build"],
    ),
    "image.build.target": ("image: {build: {dockerfile: D, target: final}}", {"image.build.target": "final"}, []),
    "image.build.args": ("image: {build: {dockerfile: D, args: {N: 1.10}}}", {"image.build.args": {"N": "1.10"}}, []),
    "image.build.cache_from": ("image: {build: {dockerfile: D, cache_from: [x]}}", {}, ["image.build.cache_from"]),
    "image.location": (
        "image: {location: 'a/b@sha256:0'}",
        {"image.location": "a/b@sha256:0"},
        ["image.location"],
    ),
    "image.credentials": ("image: {location: a, credentials: 'arn:x'}", {}, ["image.credentials"]),
    "image.labels": ("image: {build: D, labels: {a: b}}", {}, ["image.labels"]),
    "image.depends_on": ("image: {build: D, depends_on: {nginx: start}}", {}, ["image.depends_on"]),
    "image.healthcheck": ("image: {build: D, healthcheck: {command: [CMD, x], retries: 2}}", {}, ["image.healthcheck"]),
    "entrypoint": ("entrypoint: /bin/run --now", {}, ["entrypoint"]),
    "command": ("command: [node, index.js]", {}, ["command"]),
    "platform": ("platform: linux/arm64", {"architecture": "arm64"}, []),
    "platform.osfamily": ("platform: {osfamily: linux, architecture: ARM64}", {"architecture": "arm64"}, []),
    "platform (windows)": ("platform: windows/x86_64", {}, ["platform"]),
    "cpu": ("cpu: 1024", {"cpu": 1024}, []),
    "memory": ("memory: 2048", {"memory": 2048}, []),
    "count": ("count: 3", {"count": 3}, []),
    "count.spot": ("count: {spot: 5}", {"count": 5, "spot": {"base": 0, "percent": 100}}, ["count.spot"]),
    "count.range (text)": ("count: {range: 1-10}", {"scaling": {"min": 1, "max": 10}, "run.slots": 1}, ["count.range"]),
    "count.range": ("count: {range: {min: 0, max: 4}}", {"scaling": {"min": 0, "max": 4}}, ["count.range"]),
    "count.range.spot_from": (
        "count: {range: {min: 1, max: 10, spot_from: 3}}",
        {"spot": {"base": 2, "percent": 100}},
        ["count.range"],
    ),
    "count.cooldown": (
        "count: {range: 1-2, cooldown: {in: 30s, out: 1m}}",
        {"scaling.in_cooldown": "30s", "scaling.out_cooldown": "1m"},
        [],
    ),
    "count.queue_delay": (
        "count: {range: 1-2, queue_delay: {acceptable_latency: 10m, msg_processing_time: 250ms}}",
        {"scaling.latency": "10m", "scaling.job": "250ms"},
        [],
    ),
    "count.queue_delay.cooldown": (
        "count: {range: 1-2, cooldown: {in: 5s}, queue_delay: {acceptable_latency: 1m, cooldown: {in: 80s, out: 90s}}}",
        {"scaling.in_cooldown": "80s", "scaling.out_cooldown": "90s"},
        [],
    ),
    "count.cpu_percentage": ("count: {range: 1-2, cpu_percentage: 70}", {}, ["count.cpu_percentage"]),
    "count.memory_percentage": (
        "count: {range: 1-2, memory_percentage: {value: 80, cooldown: {in: 80s}}}",
        {},
        ["count.memory_percentage"],
    ),
    "exec": ("exec: true", {}, ["exec"]),
    "subscribe.queue.delay": ("subscribe: {queue: {delay: 30s}}", {"queue.delay": "30s"}, ["subscribe.queue"]),
    "subscribe.queue.retention": ("subscribe: {queue: {retention: 96h}}", {"queue.retention": "96h"}, []),
    "subscribe.queue.timeout": (
        "subscribe: {queue: {timeout: 45s}}",
        {"queue.visibility": "45s"},
        ["subscribe.queue.timeout"],
    ),
    "subscribe.queue.dead_letter": ("subscribe: {queue: {dead_letter: {tries: 10}}}", {"queue.attempts": 10}, []),
    "subscribe.queue.dead_letter (most)": (
        "subscribe: {queue: {dead_letter: {tries: 1000}}}",
        {"queue.attempts": 990},
        ["subscribe.queue.dead_letter.tries"],
    ),
    "subscribe.queue.fifo": ("subscribe: {queue: {fifo: true}}", {"queue.type": "fifo"}, []),
    "subscribe.queue.fifo.content_based_deduplication": (
        "subscribe: {queue: {fifo: {content_based_deduplication: true}}}",
        {"queue.type": "fifo", "queue.content_based_deduplication": True},
        [],
    ),
    "subscribe.queue.fifo.high_throughput": (
        "subscribe: {queue: {fifo: {high_throughput: true}}}",
        {"queue.high_throughput": True},
        [],
    ),
    "subscribe.queue.fifo.deduplication_scope": (
        "subscribe: {queue: {fifo: {deduplication_scope: messageGroup}}}",
        {"queue.type": "fifo"},
        ["subscribe.queue.fifo.deduplication_scope"],
    ),
    "subscribe.queue.fifo.throughput_limit": (
        "subscribe: {queue: {fifo: {deduplication_scope: messageGroup, throughput_limit: perMessageGroupId}}}",
        {"queue.high_throughput": True},
        [],
    ),
    "subscribe.topics": (
        "subscribe: {topics: [{name: events, service: orders}]}",
        {"topics": {"orders-events": {"arn": "arn:aws:sns:eu-central-1:123456789012:shop-test-orders-events"}}},
        ["subscribe.topics[0]"],
    ),
    "subscribe.topics (of a FIFO queue)": (
        "subscribe: {topics: [{name: events, service: orders}], queue: {fifo: true}}",
        {"topics": {"orders-events": {"arn": "arn:aws:sns:eu-central-1:123456789012:shop-test-orders-events.fifo"}}},
        ["subscribe.topics[0]"],
    ),
    "subscribe.topics.filter_policy": (
        "subscribe: {topics: [{name: e, service: o, filter_policy: {store: [x]}}]}",
        {"topics.o-e.filter": {"store": ["x"]}},
        [],
    ),
    "subscribe.topics.queue": (
        "subscribe: {topics: [{name: e, service: o, queue: true}]}",
        {"topics.o-e.arn": "arn:aws:sns:eu-central-1:123456789012:shop-test-o-e"},
        ["subscribe.topics[0].queue"],
    ),
    "subscribe.topics.queue.timeout": (
        "subscribe: {topics: [{name: e, service: o, queue: {timeout: 1h}}]}",
        {},
        ["subscribe.topics[0].queue"],
    ),
    "subscribe.topics.queue (standard beside FIFO)": (
        "subscribe: {topics: [{name: e, service: o, queue: true}], queue: {fifo: true}}",
        {"queue.type": "fifo"},
        ["subscribe.topics[0]", "subscribe.topics[0].queue"],
    ),
    "publish.topics": (
        "publish: {topics: [{name: done}, {name: ordered, fifo: true, allowed_workers: [x]}]}",
        {
            "permissions": [
                {
                    "actions": ["sns:Publish"],
                    "resources": [
                        "arn:aws:sns:eu-central-1:123456789012:shop-test-cost-analyzer-done",
                        "arn:aws:sns:eu-central-1:123456789012:shop-test-cost-analyzer-ordered.fifo",
                    ],
                }
            ]
        },
        ["publish.topics[0]", "publish.topics[1]"],
    ),
    "network.connect": ("network: {connect: true}", {}, ["network.connect"]),
    "network.connect.alias": ("network: {connect: {alias: me}}", {}, ["network.connect"]),
    "network.vpc.placement": (
        "network: {vpc: {placement: private}}",
        {"network": {"type": "new", "egress": "nat"}},
        ["network.vpc.placement"],
    ),
    "network.vpc.placement (public)": (
        "network: {vpc: {placement: public}}",
        {"network": {"type": "default"}},
        ["network.vpc.placement"],
    ),
    "network.vpc.placement.subnets": (
        "network: {vpc: {placement: {subnets: [subnet-1a, subnet-2b]}}}",
        {"network": {"type": "existing", "vpc": "vpc-0a1b", "subnets": ["subnet-1a", "subnet-2b"], "egress": "nat"}},
        ["network.vpc.placement.subnets"],
    ),
    "network.vpc.placement.subnets.from_tags": (
        "network: {vpc: {placement: {subnets: {from_tags: {Name: x}}}}}",
        {},
        ["network.vpc.placement.subnets"],
    ),
    "network.vpc.security_groups": (
        "network: {vpc: {security_groups: [sg-1, {from_cfn: x}]}}",
        {"network.security_groups": ["sg-1"]},
        ["network.vpc.security_groups"],
    ),
    "network.vpc.security_groups.groups": (
        "network: {vpc: {security_groups: {groups: [sg-1], deny_default: false}}}",
        {"network.security_groups": ["sg-1"]},
        ["network.vpc.security_groups.deny_default"],
    ),
    "variables": (
        "variables: {LEVEL: info, ON: yes, N: 007}",
        {"variables": {"LEVEL": "info", "ON": "yes", "N": "007"}},
        [],
    ),
    "variables.from_cfn": ("variables: {A: {from_cfn: x}}", {}, ["variables.A"]),
    "env_file": ("env_file: ./a.env", {}, ["env_file"]),
    "secrets": (
        "secrets: {A: /a/b, B: PLAIN, C: 'arn:aws:ssm:eu-central-1:123456789012:parameter/c'}",
        {"secrets": {"A": "/a/b", "B": "/PLAIN", "C": "arn:aws:ssm:eu-central-1:123456789012:parameter/c"}},
        [],
    ),
    "secrets.secretsmanager": (
        "secrets: {DB: {secretsmanager: 'shop/mysql'}}",
        {"secrets": {"DB": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop/mysql"}},
        ["secrets.DB"],
    ),
    "secrets.from_cfn": ("secrets: {DB: {from_cfn: x}}", {}, ["secrets.DB"]),
    "storage.ephemeral": ("storage: {ephemeral: 100}", {"disk": 100}, []),
    "storage.readonly_fs": ("storage: {readonly_fs: false}", {}, ["storage.readonly_fs"]),
    "storage.volumes": ("storage: {volumes: {scratch: {path: /var/data}}}", {}, ["storage.volumes.scratch"]),
    "storage.volumes.efs": ("storage: {volumes: {files: {path: /f, efs: true}}}", {}, ["storage.volumes.files"]),
    "logging.retention": ("logging: {retention: 7}", {"logs.retention_days": 7}, []),
    "logging.retention (not ours)": (
        "logging: {retention: 1000}",
        {"logs.retention_days": 1096},
        ["logging.retention"],
    ),
    "logging.image": ("logging: {image: fluent}", {}, ["logging.image"]),
    "logging.destination": ("logging: {destination: {Name: x}}", {}, ["logging.destination"]),
    "logging.enableMetadata": ("logging: {enableMetadata: false}", {}, ["logging.enableMetadata"]),
    "logging.secretOptions": ("logging: {secretOptions: {K: v}}", {}, ["logging.secretOptions"]),
    "logging.configFilePath": ("logging: {configFilePath: /a}", {}, ["logging.configFilePath"]),
    "logging.env_file": ("logging: {env_file: a.env}", {}, ["logging.env_file"]),
    "observability.tracing": ("observability: {tracing: awsxray}", {}, ["observability.tracing"]),
    "sidecars": ("sidecars: {nginx: {image: nginx, port: 80}}", {}, ["sidecars.nginx"]),
    "taskdef_overrides": (
        "taskdef_overrides: [{path: 'ContainerDefinitions[0].Ulimits[-]', value: {}}]",
        {},
        ["taskdef_overrides[0]"],
    ),
    "taskdef_overrides (StopTimeout)": (
        "taskdef_overrides: [{path: 'ContainerDefinitions[0].StopTimeout', value: 90}]",
        {"stop_timeout": 90},
        [],
    ),
    "deployment.rolling": (
        "deployment: {rolling: recreate}",
        {"deployment": {"minimum_percent": 0, "maximum_percent": 100}},
        ["deployment.rolling"],
    ),
    "deployment.rollback_alarms": ("deployment: {rollback_alarms: [a]}", {}, ["deployment.rollback_alarms"]),
    "deployment.rollback_alarms.messages_delayed": (
        "deployment: {rollback_alarms: {messages_delayed: 5}}",
        {},
        ["deployment.rollback_alarms"],
    ),
}
"""Key of Copilot's schema → how it is written, what becomes of it in ours, and which keys are told of."""


def converted(text: str, around: Around = AROUND, **more: Any) -> Conversion:
    written = values_of(read((LEAST + text).encode(), "manifest.yml")[1])
    return convert(written, around, **more)


def at(values: Mapping[str, Any], place: str) -> Any:
    found: Any = values
    for key in place.split("."):
        found = found[key]
    return found


def places(conversion: Conversion) -> list[str]:
    return [note.place for note in conversion.notes]


@pytest.mark.parametrize("key", SCHEMA)
def test_a_key_of_copilots_schema_becomes_what_it_means_here(key: str) -> None:
    text, expected, told = SCHEMA[key]

    conversion = converted(text)

    assert {place: at(conversion.values, place) for place in expected} == expected
    assert set(told) <= set(places(conversion))


@pytest.mark.parametrize("key", SCHEMA)
def test_no_key_of_copilots_schema_is_dropped_without_a_word(key: str) -> None:
    bare = converted("")

    conversion = converted(SCHEMA[key][0])

    assert conversion != bare
    assert not [note for note in conversion.notes if "no such key" in note.text]


@pytest.mark.parametrize("key", SCHEMA)
def test_what_one_environment_says_comes_into_its_section_only(key: str) -> None:
    text, expected, told = SCHEMA[key]
    indented = "\n".join(f"    {line}" for line in text.splitlines())

    conversion = converted(f"environments:\n  test:\n{indented}\n  prod:\n")

    override = conversion.values["environments"]["test"]
    assert {place: at(override, place) for place in expected} == expected
    assert conversion.values["environments"]["prod"] == {}
    assert {f"environments.test.{place}" for place in told} <= set(places(conversion))


def loaded(conversion: Conversion) -> Manifest:
    """The manifest of the environment `test`, by way of the text that a person gets."""
    text = writing.text({**conversion.values, "handler": "a:b"})
    environment = "test" if "environments" in conversion.values else None
    return parsed(text.encode(), environment, file="forebay.yml", folder=Path()).manifest


@given(
    common=st.sets(st.sampled_from(sorted(SCHEMA)), max_size=6),
    own=st.sets(st.sampled_from(sorted(SCHEMA)), max_size=3),
)
@settings(max_examples=150, deadline=None)
def test_an_environment_is_what_copilot_would_have_made_of_it(common: set[str], own: set[str]) -> None:
    """Whatever both say: the text with an override means the same as a manifest that says it all at once."""
    base: dict[str, Any] = {"name": "cost-analyzer", "type": "Worker Service"}
    over: dict[str, Any] = {}
    for target, keys in ((base, common), (over, own)):
        for key in sorted(keys):
            target |= with_override(target, values_of(read(SCHEMA[key][0].encode(), "x")[1]))

    of_both = convert({**base, "environments": {"test": over, "prod": None}}, AROUND)
    try:
        at_once = loaded(convert(with_override(base, over), AROUND))
    except ManifestError:
        reject()  # Such as a size that Fargate does not have.

    assert loaded(of_both) == at_once


SECTIONS = (
    "", "image", "image.build", "platform", "count", "count.range", "count.cooldown", "count.queue_delay",
    "subscribe", "subscribe.queue", "subscribe.queue.dead_letter", "subscribe.queue.fifo", "publish", "network",
    "network.vpc", "network.vpc.placement", "network.vpc.security_groups", "storage", "logging", "observability",
    "deployment",
)  # fmt: skip
FULL = """\
image: {build: {dockerfile: D}}
platform: {osfamily: linux, architecture: x86_64}
count: {range: {min: 1, max: 2}, cooldown: {in: 1s}, queue_delay: {acceptable_latency: 1s}}
subscribe: {topics: [], queue: {dead_letter: {tries: 1}, fifo: {high_throughput: true}}}
publish: {topics: []}
network: {vpc: {placement: {subnets: [subnet-1]}, security_groups: {groups: []}}}
storage: {ephemeral: 21}
logging: {retention: 1}
observability: {tracing: awsxray}
deployment: {rolling: default}
"""


@given(section=st.sampled_from(SECTIONS), value=st.sampled_from([1, "a", [1], {"b": 1}, True]))
def test_a_key_that_copilot_does_not_have_is_told_wherever_it_stands(section: str, value: object) -> None:
    written = yaml.safe_load(LEAST + FULL)
    target = at(written, section) if section else written
    target["of_my_own"] = value

    conversion = convert(written, AROUND)

    assert f"{section}.of_my_own".lstrip(".") in places(conversion)


@given(
    section=st.sampled_from(["image", "count", "subscribe", "network", "storage", "logging", "deployment", "publish"]),
    value=st.sampled_from([7.5, "words", ["a"], True]),
)
def test_a_section_of_the_wrong_kind_is_told_and_harms_nothing_else(section: str, value: object) -> None:
    conversion = convert({**yaml.safe_load(LEAST), "cpu": 512, section: value}, AROUND)

    assert section in places(conversion)
    assert conversion.values["cpu"] == 512


def test_values_that_may_be_secret_are_in_no_remark() -> None:
    conversion = converted(
        "variables: {A: {from_cfn: hush-1}, B: hush-2}\nsecrets: {C: {from_cfn: hush-3}, D: hush-4}\n"
        "image: {build: {dockerfile: D, args: {E: [hush-5]}}}"
    )

    assert "hush" not in "".join(f"{note.place}{note.text}" for note in conversion.notes)


def test_the_articles_own_manifest_keeps_its_sizes_and_tells_of_exec_and_the_queue() -> None:
    conversion = converted(
        """\
image:
  # Docker build arguments.
  build: queue-consumer/Dockerfile
cpu: 256       # Number of CPU units for the task.
memory: 512    # Amount of memory in MiB used by the task.
count: 1       # Number of tasks that should be running in your service.
exec: true     # Enable running commands in your container.
"""
    )

    assert conversion.values == {
        "name": "cost-analyzer",
        "image": {"build": {"dockerfile": "queue-consumer/Dockerfile", "context": "queue-consumer"}},
        "cpu": 256,
        "memory": 512,
        "count": 1,
    }
    assert places(conversion) == ["image.build", "exec", "COPILOT_QUEUE_URI", "the dead-letter queue", "the queue"]


def test_a_queue_section_without_topics_is_told_to_have_been_ignored_by_copilot() -> None:
    alone = converted("subscribe: {queue: {retention: 1h}}")
    subscribed = converted("subscribe: {queue: {retention: 1h}, topics: [{name: a, service: b}]}")

    assert "subscribe.queue" in places(alone)
    assert "subscribe.queue" not in places(subscribed)


def test_what_has_the_environment_in_its_name_stands_in_each_environment_alone() -> None:
    text = (
        "variables: {BUCKET: '${COPILOT_ENVIRONMENT_NAME}-files'}\ncpu: 512\n"
        "subscribe: {topics: [{name: e, service: o, filter_policy: {a: [b]}}]}"
    )

    conversion = converted(text, environments=["test", "prod"])

    assert "environments" in places(conversion)
    assert "topics" not in conversion.values
    assert "variables" not in conversion.values
    assert conversion.values["cpu"] == 512
    assert {
        name: (over["variables"]["BUCKET"], over["topics"]["o-e"]["arn"].rpartition(":")[2])
        for name, over in conversion.values["environments"].items()
    } == {"test": ("test-files", "shop-test-o-e"), "prod": ("prod-files", "shop-prod-o-e")}


def test_an_override_takes_away_what_it_ousts_as_in_copilot() -> None:
    conversion = converted(
        "count: {range: {min: 1, max: 9, spot_from: 2}}\nimage: {build: D}\n"
        "environments: {test: {count: 2}, prod: {image: {location: 'a@sha256:0'}, count: {spot: 3}}}"
    )

    test, prod = conversion.values["environments"]["test"], conversion.values["environments"]["prod"]
    assert test == {"scaling": None, "spot": None, "run": None, "count": 2}
    assert prod["image"] == {"build": None, "location": "a@sha256:0"}
    assert prod["spot"] == {"base": 0}
    assert prod["count"] == 3


def test_a_variable_of_the_shell_is_told_and_left_as_it_stands() -> None:
    conversion = converted("variables: {TAG: '${TAG}', DOLLAR: '\\${HOME}'}")

    assert conversion.values["variables"] == {"TAG": "${TAG}", "DOLLAR": "${HOME}"}
    assert [note.text for note in conversion.notes if note.place == "variables.TAG"] == [
        "Copilot put the shell's TAG in here: write its value instead of ${TAG}."
    ]


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("subscribe: {topics: [{name: e, service: o}]}", "--app"),
        ("secrets: {A: {secretsmanager: x}}", "--account"),
        ("network: {vpc: {placement: {subnets: [subnet-1]}}}", "--vpc"),
    ],
)
def test_what_only_copilot_knew_is_asked_for_by_its_option(text: str, option: str) -> None:
    with pytest.raises(ManifestError, match=re.escape(option)):
        converted(text, Around(environment="test"))


def test_all_that_only_copilot_knew_is_asked_for_at_once() -> None:
    text = (
        "subscribe: {topics: [{name: e, service: o}]}\nsecrets: {A: {secretsmanager: x}}\n"
        "network: {vpc: {placement: {subnets: [subnet-1]}}}\nenvironments: {test: {}, prod: {}}"
    )

    with pytest.raises(ManifestError) as caught:
        converted(text, Around(environment="test"))

    assert str(caught.value) == (
        "what Copilot's manifest does not say is needed for subscribe.topics[0], network.vpc.placement.subnets: "
        "pass --app NAME --account 123456789012 --region eu-central-1 --vpc vpc-…"
    )


def test_a_workload_of_another_type_is_refused_with_what_could_be_done() -> None:
    with pytest.raises(ManifestError, match="type: Scheduled Job: only a Worker Service can be converted"):
        convert({"name": "x", "type": "Scheduled Job"}, AROUND)
