"""From `forebay.yml` to the manifest of one environment, and what is said of a file that cannot be one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from forebay.deploy.manifest.loading import Loaded, load, parsed
from forebay.deploy.manifest.reading import BYTES_MAX
from forebay.errors import ManifestError

FILE = "forebay.yml"


def loaded(text: str, environment: str | None = None) -> Loaded:
    return parsed(text.encode(), environment, file=FILE, folder=Path())


def complaints(text: str | bytes, environment: str | None = None) -> list[str]:
    """The lines of what is said against this file."""
    content = text.encode() if isinstance(text, str) else text
    with pytest.raises(ManifestError) as raised:
        parsed(content, environment, file=FILE, folder=Path())
    return str(raised.value).splitlines()


def test_a_name_is_all_that_a_manifest_needs() -> None:
    found = loaded("name: shop\n")

    assert (found.manifest.name, found.environment, found.environments) == ("shop", "test", ("test",))
    assert (found.manifest.cpu, found.manifest.memory, found.manifest.tasks_at_first) == (256, 512, 1)
    assert found.names.queue == "shop-test"


def test_values_are_read_as_people_write_them() -> None:
    manifest = loaded(
        "name: shop\nmemory: 2GiB\ndisk: 30GiB\nstop_timeout: 1m\n"
        "queue: {retention: 4d, producers: [123456789012, 012345678901]}\n"
        "scaling: {max: 5, latency: 90s, job: 0.25}\n"
        "run:\n  slots: 20\n  buffer-bytes: 64MiB\n  queue: one\n"
        "schedules: {nightly: {cron: 'cron(0 6 * * ? *)', jitter: 5m}}\n"
    ).manifest

    assert (manifest.memory, manifest.disk, manifest.stop_timeout) == (2048, 30, 60)
    assert manifest.queue.retention == 345_600
    assert manifest.queue.producers == ("123456789012", "012345678901")
    assert manifest.scaling is not None
    assert (manifest.scaling.latency, manifest.scaling.job) == (90.0, 0.25)
    assert (manifest.run.slots, manifest.run.buffer_bytes, manifest.run.queue) == (20, 67_108_864, ("one",))
    assert (manifest.schedules["nightly"].cron, manifest.schedules["nightly"].jitter) == ("0 6 * * ? *", 300)


def test_a_list_with_a_wrong_value_is_not_said_to_be_empty() -> None:
    (told,) = complaints("name: shop\npermissions: [{actions: ['*'], resources: ['*']}]\n")

    assert "permissions[0].actions[0]: '*' cannot be" in told


def test_a_topic_is_subscribed_once() -> None:
    arn = "arn:aws:sns:eu-west-1:123456789012:orders"

    (told,) = complaints(f"name: shop\ntopics:\n  first: {{arn: '{arn}'}}\n  second: {{arn: '{arn}'}}\n")

    assert told.startswith("forebay.yml:4:12: topics.second.arn: this is the topic of first too")


def test_truths_are_written_in_three_ways() -> None:
    manifest = loaded(
        "name: shop\nexec: True\nalarms: {enabled: False, dashboard: FALSE}\nqueue: {keep: TRUE}\n"
    ).manifest

    assert (manifest.exec, manifest.alarms.enabled, manifest.alarms.dashboard, manifest.queue.keep) == (
        True,
        False,
        False,
        True,
    )


def test_a_size_may_be_written_in_the_other_unit_when_it_comes_out_even() -> None:
    manifest = loaded("name: shop\nmemory: 1 GiB\ndisk: 30720MiB\n").manifest

    assert (manifest.memory, manifest.disk) == (1024, 30)


def test_zones_may_be_balanced_where_there_is_room_for_it() -> None:
    assert loaded("name: shop\ndeployment: {zone_rebalancing: true}\n").manifest.deployment.zone_rebalancing


def test_variables_and_tags_stay_as_they_are_written() -> None:
    manifest = loaded(
        "name: shop\nvariables: {A: 1.10, B: yes, C: 0755, D: true, E: 2026-11-28, F: 12:30, G: '', H: 1e3}\n"
        "tags: {cost: 007}\nimage: {build: {args: {PYTHON: 3.10}}}\n"
    ).manifest

    assert manifest.variables == {
        "A": "1.10", "B": "yes", "C": "0755", "D": "true", "E": "2026-11-28", "F": "12:30", "G": "", "H": "1e3",
    }  # fmt: skip
    assert manifest.tags == {"cost": "007"}
    assert manifest.image.build.args == {"PYTHON": "3.10"}


def test_what_a_job_is_sent_keeps_its_types_and_its_nulls() -> None:
    text = "name: shop\nschedules: {nightly: {every: 5m, body: {a: 1, b: 1.5, c: null, d: [true, '1'], e: 007}}}\n"

    assert loaded(text).manifest.schedules["nightly"].body == {
        "a": 1,
        "b": 1.5,
        "c": None,
        "d": [True, "1"],
        "e": "007",
    }


def test_a_section_that_holds_nothing_is_as_good_as_none() -> None:
    assert loaded("name: shop\nqueue:\n  # visibility: 5m\nalarms:\nrun:\n").manifest == loaded("name: shop\n").manifest


def test_an_alias_stands_for_what_its_anchor_named() -> None:
    text = "name: shop\nvariables: &both {A: b}\ntags: *both\n"

    assert loaded(text).manifest.tags == {"A": "b"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "1:1: the file is empty: `forebay init` writes one to begin with"),
        ("# nothing\n", "1:1: the file is empty: `forebay init` writes one to begin with"),
        ("- name\n", "1:1: a manifest is `key: value` lines, not indented, of which `name: …` is the first"),
        ("name: a\nname: b\n", "2:1: name stands here again; it is on line 1 already"),
        ("name: shop\nqueue:\n\tdelay: 5\n", "3:1: a tab, or one of @ ` %, cannot begin anything: indent with spaces"),
        ("name: shop: x\n", "1:11: no key belongs here: mind the indentation"),
        ("name: !Ref x\n", "1:7: the tag !Ref means nothing here: write the value itself"),
        ("name: !!python/object:os.system x\n", "1:7: the tag !!python/object:os.system means nothing here"),
        ("a: &a {b: c}\nd:\n  <<: *a\n", "3:3: merge keys (<<) are not read"),
        ("name: *nobody\n", "1:7: there is no anchor &nobody above"),
        ("name: shop\n---\nname: b\n", "2:1: a second document begins here: a manifest is one"),
        ("? [a]\n: b\n", "1:3: a key is a single word"),
        ("a: {b: 0 ? c}\n", "1:10: a comma or the closing bracket is missing"),
        ("name: [\n", "2:1: "),
        ('name: "a\n', "2:1: "),
        ("name: shop\nvariables:\n  A: a\x07\n", "3:7: the character U+0007 does not belong in a text file"),
        ("a: " + "[" * 50 + "]" * 50, "1:43: this is nested more than 40 deep"),
    ],
)
def test_a_file_that_is_no_manifest_is_told_with_line_and_column(text: str, complaint: str) -> None:
    assert complaints(text)[0].startswith(f"{FILE}:{complaint}")


def test_text_in_another_encoding_is_refused_where_it_stops_being_utf_8() -> None:
    assert complaints(b"name: shop\nhandler: caf\xe9\n") == [
        f"{FILE}:2:13: this is not UTF-8 text: save the file as UTF-8"
    ]


def test_a_byte_order_mark_does_no_harm() -> None:
    assert parsed(b"\xef\xbb\xbfname: shop\n", file=FILE, folder=Path()).manifest.name == "shop"


def test_a_small_file_cannot_become_a_large_manifest() -> None:
    levels = ["a: &l0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"b{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 9)]

    assert complaints("\n".join(levels))[0].endswith(
        "the file holds more than 20,000 values, those of its aliases counted"
    )


def test_a_large_file_is_not_even_parsed() -> None:
    assert "are more than a manifest may have" in complaints("#" * (BYTES_MAX + 1))[0]


def test_an_alias_inside_of_its_own_anchor_is_refused() -> None:
    assert complaints("name: &a [*a]\n") == [f"{FILE}:1:11: there is no anchor &a above"]


def test_a_file_that_is_not_there_is_told_with_the_way_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"forebay\.yml: there is no manifest here: `forebay init` writes one"):
        load(tmp_path / FILE)


def test_a_folder_is_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="the manifest cannot be read: Is a directory"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ("queue:\n  visibilty: 30\n", "3:3: queue.visibilty: there is no such key; did you mean visibility? (queue h"),
        ("Count: 3\n", "2:1: Count: there is no such key; did you mean count? (there are name, handler,"),
        ("type: Worker Service\n", "2:1: type: there is no such key: this looks like a manifest of AWS Copilot"),
        ("zebra: 1\n", "2:1: zebra: there is no such key (there are name,"),
        ("count: '3'\n", "2:8: count: '3' must be a whole number, without quotes"),
        ("count: 3.5\n", "2:8: count: 3.5 must be a whole number"),
        ("count: 6000\n", "2:8: count: 6000 is above 5,000"),
        ("count: true\n", "2:8: count: true must be a whole number, without quotes"),
        ("count: [1]\n", "2:1: count must be a single value"),
        ("exec: yes\n", "2:7: exec: 'yes' must be true or false"),
        ("handler: 5\n", "2:10: handler: 5 cannot be: write module:attribute such as shop.jobs:worker"),
        ("handler: src/jobs.py\n", "2:10: handler: 'src/jobs.py' cannot be: write module:attribute"),
        ("cluster: true\n", "2:10: cluster: true must be text: put it in quotes"),
        ("queue: fifo\n", "2:8: queue: 'fifo' must be a section: `key: value` lines below it"),
        ("queue: {type: FIFO}\n", "2:15: queue.type: 'FIFO' is none of standard, fair, fifo"),
        ("queue: {retention: 15d}\n", "2:20: queue.retention: '15d' is above 1,209,600 s"),
        ("queue: {retention: 12:30}\n", "2:20: queue.retention: '12:30' cannot be: write a length of time such as 90,"),
        ("queue: {delay: 1.5}\n", "2:16: queue.delay: 1.5 cannot be: write whole seconds"),
        ("queue: {encryption: none}\n", "2:21: queue.encryption: 'none' cannot be: write sqs (free), kms"),
        ("queue: {high_throughput: true}\n", "2:9: queue.high_throughput: high_throughput is for type: fifo"),
        ("memory: 2GB\n", "2:9: memory: '2GB' cannot be: write MiB or GiB, of 1,024: 2GiB"),
        ("memory: 4096\n", "2:1: memory: Fargate has no 4GiB of memory with cpu: 256, but 512, 1GiB, 2GiB; 4GiB goes"),
        ("cpu: 1024\n", "2:1: cpu: Fargate has no 512 of memory with cpu: 1024, but 2GiB to 8GiB by 1GiB; 512 goes w"),
        ("disk: 30000MiB\n", "2:7: disk: '30000MiB' cannot be: write whole GiB"),
        ("disk: 20\n", "2:7: disk: 20 is below 21"),
        ("image:\n  build: {target: a}\n  location: b\n", "4:3: image.location: build and location exclude each other"),
        ("deployment: {maximum_percent: 100}\n", "2:14: deployment.maximum_percent: minimum_percent and maximum"),
        (
            "deployment: {minimum_percent: 0, maximum_percent: 100, zone_rebalancing: true}\n",
            "2:56: deployment.zone_rebalancing: zone_rebalancing needs maximum_percent above 100",
        ),
        ("run:\n  log: 'text\"\n", "4:1: "),
        ("cpu: 300\n", "2:6: cpu: 300 is none of 256, 512,"),
        ("count: 1\nscaling: {max: 2}\nrun:\n  slots: 5\n", "2:1: count: count and scaling exclude each other"),
        ("run: {slots: 5}\n", "2:1: `run:` holds settings, one on each line below it (workers read"),
        ("'run':\n  slots: 5\n", "3:3: run.slots: write it plainly"),
        ("run:\n  health: 'it''s'\n", "3:3: run.health: write it plainly"),
        ("handler:\n  a:b\n", "3:1: write the handler on the line of its key"),
        ("'handler': a:b\n", "2:1: handler: write it plainly"),
        ("scaling: {max: 2}\n", "2:1: scaling: scaling needs `run: slots:`"),
        ("scaling: {min: 3, max: 2}\n", "2:11: scaling.min: min: 3 is above max: 2"),
        ("scaling: {min: 3}\n", "2:1: scaling.max is missing: the most tasks"),
        ("spot: {base: 2}\n", "2:8: spot.base: base without percent"),
        ("stop_timeout: 30\nrun:\n  drain: 30\n", "4:3: run.drain: drain: 30 is not below stop_timeout: 30 s"),
        ("run:\n  slots: 0\n", "3:3: run.slots: slots=0 is outside 1 to 100,000"),
        ("run:\n  slots: many\n", "3:10: run.slots: 'many' cannot be: write a whole number"),
        ("run:\n  linger: 5000\n", "3:3: run.linger: protection linger=5000 is outside 0 to 3,600"),
        ("run:\n  visibility: 60\n  margin: 20\n", "4:3: run.margin: margin=20 must be above 0 and under a third"),
        ("run:\n  dead_letter: a\n  dead-letter: b\n", "4:1: dead-letter is set twice"),
        ("network: {type: existing}\n", "2:11: network.type: type: existing needs vpc and subnets"),
        ("network: {vpc: vpc-1}\n", "2:11: network.vpc: vpc and subnets go with type: existing"),
        ("network: {egress: nat}\n", "2:11: network.egress: the default VPC has public subnets only"),
        ("network: {cidr: 10.0.0.0/8}\n", "2:17: network.cidr: '10.0.0.0/8' cannot be: a VPC here has /16 to /24"),
        ("schedules:\n  a1: {every: 90s}\n", "3:15: schedules.a1.every: '90s' cannot be: write whole minutes"),
        ("schedules:\n  a1: {cron: 0 6 * * *}\n", "3:14: schedules.a1.cron: '0 6 * * *' cannot be: EventBridge has s"),
        ("schedules:\n  a1: {cron: 0 6 * * * *}\n", "3:14: schedules.a1.cron: '0 6 * * * *' cannot be: one of day-of"),
        ("schedules:\n  a1: {job: x}\n", "3:3: schedules.a1: a schedule needs either cron or every"),
        ("schedules:\n  A 1: {every: 5m}\n", "3:3: schedules.A 1: this name cannot be: write 2 to 40 lower-case"),
        ("schedules:\n  a1: {evry: 5m}\n", "3:8: schedules.a1.evry: there is no such key; did you mean every? (sched"),
        ("queue: {type: fifo}\nschedules:\n  a1: {every: 5m}\n", "4:3: schedules.a1: a FIFO queue takes no message w"),
        ("topics:\n  a1: {arn: orders}\n", "3:13: topics.a1.arn: 'orders' cannot be: write an ARN such as arn:aws:sn"),
        ("permissions:\n  - {actions: s3:Get, resources: ['*']}\n", "3:15: permissions[0].actions: 's3:Get' must be"),
        ("permissions:\n  - {actions: [s3:Get]}\n", "3:5: permissions[0].resources is missing"),
        ("payload_bucket: Yes\n", "2:17: payload_bucket: 'Yes' cannot be: write true, false or the name of a bucket"),
        ("variables: {A-B: 1}\n", "2:13: variables.A-B: this name cannot be: a variable's name is made of letters"),
        ("variables: {A: }\n", "2:13: variables.A has no value: '' is an empty text"),
        ("variables: {FOREBAY_SLOTS: 5}\n", "2:13: variables.FOREBAY_SLOTS: settings of the worker go under `run:`"),
        ("variables: {A: b}\nsecrets: {A: /b}\n", "3:11: secrets.A: A is among variables too"),
        ("environments: [test]\n", "2:1: environments must be a section"),
        ("environments: {test: 5}\n", "2:16: environments.test must be a section"),
        ("environments: {Test: }\n", "2:16: environments.Test: write 2 to 20 lower-case letters"),
        ("environments: {test: {name: other}}\n", "2:23: environments.test.name: a service has one name"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_with_its_place_and_what_would_do(lines: str, complaint: str) -> None:
    assert complaints(f"name: shop\n{lines}")[0].startswith(f"{FILE}:{complaint}")


def test_the_name_is_asked_for_where_the_file_begins() -> None:
    assert complaints("count: 1\n") == [
        f"{FILE}:1:1: name is missing: the service's name, of which the names of everything else are made"
    ]


def test_all_that_is_wrong_is_told_at_once_in_the_order_of_the_file() -> None:
    text = "count: -1\nname: Shop\nqueue:\n  delay: 1h\n  dely: 2\ncpu: 1\n"

    assert [line.split(": ")[0:2] for line in complaints(text)] == [
        [f"{FILE}:1:8", "count"],
        [f"{FILE}:2:7", "name"],
        [f"{FILE}:4:10", "queue.delay"],
        [f"{FILE}:5:3", "queue.dely"],
        [f"{FILE}:6:6", "cpu"],
    ]


def test_a_long_list_of_complaints_is_cut() -> None:
    told = complaints("name: shop\n" + "".join(f"zz{n}: 1\n" for n in range(30)))

    assert len(told) == 21
    assert told[-1] == f"{FILE}: and 10 more"


@pytest.mark.parametrize(
    "lines",
    [
        "secrets: {TOKEN: hunter2}\n",
        "variables: {TOKEN: [hunter2]}\n",
        "variables: hunter2\n",
        "image: {build: {args: {TOKEN: [hunter2]}}}\n",
        "image: {build: {args: hunter2}}\n",
    ],
)
def test_what_may_be_secret_is_never_shown(lines: str) -> None:
    assert "hunter2" not in "".join(complaints(f"name: shop\n{lines}"))


@pytest.mark.parametrize(
    ("cpu", "memory"), [(256, "2GiB"), (512, 4096), (4096, "30GiB"), (8192, "60GiB"), (16384, 122_880)]
)
def test_the_largest_memory_of_each_cpu_is_accepted(cpu: int, memory: Any) -> None:
    assert loaded(f"name: shop\ncpu: {cpu}\nmemory: {memory}\n").manifest.cpu == cpu
