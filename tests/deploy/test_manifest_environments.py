"""What an environment's section makes of the rest of a manifest, and where its complaints point."""

from __future__ import annotations

import pytest
from tests.deploy.test_manifest_loading import FILE, complaints, loaded

SHOP = """\
name: shop
count: 2
queue:
  attempts: 7
  delay: 5
variables: {A: base, B: base}
network:
  type: existing
  vpc: vpc-1
  subnets: [subnet-1]
schedules:
  nightly: {cron: "0 6 * * ? *", body: {a: 1, b: 2}}
run:
  slots: 10
environments:
  test:
  production:
    scaling: {max: 9}
    queue:
      attempts: 3
      delay:
    variables: {B: over, C: over}
    network:
      type: new
    schedules:
      nightly: {every: 1h, body: {c: 3}}
"""


def test_an_environment_that_says_nothing_is_the_rest_of_the_file() -> None:
    found = loaded(SHOP, "test")

    assert (found.environment, found.environments) == ("test", ("test", "production"))
    assert (found.manifest.count, found.manifest.queue.attempts) == (2, 7)
    assert found.names.stack == "shop-test"


def test_sections_are_merged_and_everything_else_is_replaced() -> None:
    manifest = loaded(SHOP, "production").manifest

    assert manifest.queue.attempts == 3
    assert manifest.variables == {"A": "base", "B": "over", "C": "over"}
    assert manifest.run.slots == 10
    assert manifest.schedules["nightly"].body == {"c": 3}


def test_an_empty_value_brings_the_default_back() -> None:
    assert loaded(SHOP, "production").manifest.queue.delay == 0


def test_of_two_keys_that_exclude_each_other_the_environments_counts() -> None:
    manifest = loaded(SHOP, "production").manifest

    assert (manifest.count, manifest.is_scaled) == (None, True)
    assert (manifest.schedules["nightly"].cron, manifest.schedules["nightly"].every) == (None, 3600)


def test_a_network_of_another_type_keeps_nothing_of_the_first() -> None:
    assert loaded(SHOP, "production").manifest.network.vpc is None


def test_both_of_two_such_keys_in_one_environment_are_a_mistake() -> None:
    text = SHOP.replace("scaling: {max: 9}", "scaling: {max: 9}\n    count: 4")

    assert complaints(text, "production") == [
        f"{FILE}:19:5: count: count and scaling exclude each other: keep one of them"
    ]


def test_a_complaint_about_an_override_points_at_the_override() -> None:
    assert complaints(SHOP.replace("attempts: 3", "attempts: 0"), "production") == [
        f"{FILE}:20:17: queue.attempts: 0 is below 1"
    ]


def test_what_is_wrong_in_another_environment_is_told_too() -> None:
    assert complaints(SHOP.replace("attempts: 3", "attemps: 3"), "test")[0].startswith(
        f"{FILE}:20:7: queue.attemps: there is no such key; did you mean attempts?"
    )


def test_what_is_wrong_for_all_environments_is_told_once() -> None:
    assert len(complaints(SHOP.replace("slots: 10", "slots: ten"))) == 1


def test_what_is_in_every_environment_may_be_missing_in_the_rest() -> None:
    text = "name: shop\nscaling: {min: 0}\nrun:\n  slots: 5\nenvironments:\n  test: {scaling: {max: 2}}\n"

    assert loaded(text).manifest.is_scaled


def test_with_several_environments_one_must_be_named() -> None:
    assert complaints(SHOP) == [f"{FILE} has several environments; say which one: --env test or --env production"]


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("prodution", "has no environment 'prodution'; did you mean production? There are: test, production"),
        ("staging", "has no environment 'staging'. There are: test, production"),
    ],
)
def test_an_environment_that_is_not_there_is_told_with_those_that_are(name: str, complaint: str) -> None:
    assert complaints(SHOP, name) == [f"{FILE} {complaint}"]


def test_there_can_be_many_environments_but_not_any_number() -> None:
    text = "name: shop\nenvironments:\n" + "".join(f"  e{number}:\n" for number in range(51))

    assert complaints(text) == [f"{FILE}:2:1: environments: there are more than 50"]


def test_an_empty_value_takes_a_variable_away_but_means_nothing_where_there_is_none() -> None:
    text = "name: shop\nvariables: {A: b}\nenvironments:\n  test: {variables: {A: , B: c}}\n"

    assert loaded(text).manifest.variables == {"B": "c"}
    assert complaints(text.replace("B: c", "B: ")) == [f"{FILE}:4:27: variables.B has no value: '' is an empty text"]


def test_the_only_environment_need_not_be_named() -> None:
    assert loaded("name: shop\nenvironments:\n  production:\n").environment == "production"


def test_the_place_of_a_key_can_be_asked_for() -> None:
    found = loaded(SHOP, "production")

    assert found.place("queue.attempts") == f"{FILE}:20:7"
    assert found.place("queue.retention") == f"{FILE}:19:5", "the section's place"
    assert found.place("network.subnets.0") == f"{FILE}:23:5"
    assert found.place("alarms.wait") == "default"
    assert found.is_written("run.slots")
    assert not found.is_written("run.drain")
