"""Bodies and attributes: characters, sizes, names, types and digests."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rules.queues import Bench

from forebay.model import MessageAttribute
from forebay.rules.queue_contents import check_body, has_illegal_characters, md5_of_attributes, wanted_attributes
from forebay.rules.queue_semantics import SendEntry, ServiceFailure

MEBIBYTE = 1_048_576


def _send(body: str, attributes: dict[str, MessageAttribute] | None = None) -> None:
    bench = Bench()
    bench.rules.send(bench.url, SendEntry(body=body, attributes=attributes or {}), now=0.0)


def _is_legal(character: str) -> bool:
    """The set of facts/sqs.md section 2, written out."""
    code = ord(character)
    return code in (0x9, 0xA, 0xD) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF


@given(st.characters(codec=None, exclude_categories=()))
def test_exactly_the_characters_of_xml_are_legal(character: str) -> None:
    assert has_illegal_characters(f"a{character}b") == (not _is_legal(character))


@pytest.mark.parametrize("character", ["\x00", "\x08", "\x0b", "\x1f", "\ud800", "\ufffe", "\uffff"])
def test_a_body_with_an_illegal_character_is_refused(character: str) -> None:
    with pytest.raises(ServiceFailure) as caught:
        _send(f"before{character}after")

    assert caught.value.shape == "InvalidMessageContents"
    assert "before" not in caught.value.message


@pytest.mark.parametrize(
    "character", ["\t", "\n", "\r", " ", "\x7f", "\u0085", "\ud7ff", "\ue000", "\ufffd", "\U0010ffff"]
)
def test_characters_at_the_edges_are_taken(character: str) -> None:
    _send(f"before{character}after")


def test_an_empty_body_is_no_message() -> None:
    with pytest.raises(ServiceFailure, match="MessageBody") as caught:
        _send("")

    assert caught.value.legacy_code == "MissingParameter"


def test_a_message_of_exactly_one_mebibyte_is_taken_and_one_byte_more_is_not() -> None:
    _send("x" * MEBIBYTE)
    _send("é" * (MEBIBYTE // 2))

    with pytest.raises(ServiceFailure, match="Message must be shorter than 1048576 bytes"):
        _send("x" * (MEBIBYTE + 1))
    with pytest.raises(ServiceFailure, match="must be shorter"):
        _send("é" * (MEBIBYTE // 2) + "x")


def test_attributes_count_towards_the_size_with_names_and_types() -> None:
    attribute = {"name": MessageAttribute("String", "value")}
    room = MEBIBYTE - len("name") - len("String") - len("value")

    _send("x" * room, attribute)

    with pytest.raises(ServiceFailure, match="must be shorter"):
        _send("x" * (room + 1), attribute)


def test_a_queue_may_take_less_than_a_mebibyte() -> None:
    bench = Bench(MaximumMessageSize="1024")
    bench.send("x" * 1024)

    with pytest.raises(ServiceFailure, match="Message must be shorter than 1024 bytes"):
        bench.send("x" * 1025)


def test_a_refused_message_leaves_nothing_behind() -> None:
    bench = Bench()

    with pytest.raises(ServiceFailure):
        bench.rules.send(bench.url, SendEntry(body="x", delay_s=901), now=0.0)

    assert bench.counts() == (0, 0, 0)
    assert bench.rules.next_event_at() is None


@pytest.mark.parametrize(
    ("name", "attribute", "said"),
    [
        ("", MessageAttribute("String", "x"), "name"),
        ("a b", MessageAttribute("String", "x"), "name"),
        ("x" * 257, MessageAttribute("String", "x"), "name"),
        (".a", MessageAttribute("String", "x"), "period"),
        ("a.", MessageAttribute("String", "x"), "period"),
        ("a..b", MessageAttribute("String", "x"), "period"),
        ("AWS.x", MessageAttribute("String", "x"), "AWS"),
        ("amazon.x", MessageAttribute("String", "x"), "Amazon"),
        ("a", MessageAttribute("Text", "x"), "type"),
        ("a", MessageAttribute("", "x"), "type"),
        ("a", MessageAttribute("String", ""), "must contain a non-empty value of type 'String'"),
        ("a", MessageAttribute("Binary", b""), "must contain a non-empty value of type 'Binary'"),
        ("a", MessageAttribute("Binary", "text"), "must use field"),
        ("a", MessageAttribute("String", b"bytes"), "must use field"),
        ("a", MessageAttribute("Number", "twelve"), "number"),
        ("a", MessageAttribute("String", "\x00"), "Invalid characters"),
    ],
)
def test_an_attribute_that_sqs_refuses_is_refused(name: str, attribute: MessageAttribute, said: str) -> None:
    with pytest.raises(ServiceFailure, match=said) as caught:
        _send("x", {name: attribute})

    assert caught.value.http_status == 400


@pytest.mark.parametrize(
    "attribute",
    [
        MessageAttribute("String", "x"),
        MessageAttribute("String.custom", "é"),
        MessageAttribute("Number", "-1.5e10"),
        MessageAttribute("Number.int", "12"),
        MessageAttribute("Binary", b"\x00"),
        MessageAttribute("Binary.png", b"\xff"),
    ],
)
def test_every_kind_of_attribute_is_taken(attribute: MessageAttribute) -> None:
    _send("x", {"a-b_c.D9": attribute})


def test_ten_attributes_are_taken_and_eleven_are_not() -> None:
    attributes = {f"a{number}": MessageAttribute("String", "x") for number in range(11)}

    with pytest.raises(ServiceFailure, match="exceeds the allowed maximum"):
        _send("x", attributes)
    del attributes["a10"]
    _send("x", attributes)


@pytest.mark.parametrize(
    ("attributes", "digest"),
    [
        ({"Foo": MessageAttribute("String", "Bar")}, "ae7155c6026991b6d54b11589678bf9c"),
        ({"Hello": MessageAttribute("String", "There")}, "a311262e065454b75da111d535b8dacd"),
        (
            {"Hello": MessageAttribute("String", "There"), "General": MessageAttribute("String", "Kenobi")},
            "fca026605781cb4126a1e9044df24232",
        ),
        (
            {
                "attr1": MessageAttribute(
                    "Binary", b"traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01"
                )
            },
            "8cbe4db156db8a94db8b801b7addb984",
        ),
    ],
)
def test_the_digest_of_attributes_is_what_the_service_was_recorded_to_send(
    attributes: dict[str, MessageAttribute], digest: str
) -> None:
    assert md5_of_attributes(attributes) == digest


@given(
    st.text(
        st.characters(codec="utf-8", exclude_characters="\ufffe\uffff", exclude_categories=["Cc", "Cs"]), min_size=1
    )
)
def test_the_digest_of_a_body_is_the_md5_of_its_utf8(body: str) -> None:
    assert check_body(body, {}, MEBIBYTE) == hashlib.md5(body.encode()).hexdigest()


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ([], ""),
        (["All"], "abc.d"),
        ([".*"], "abc.d"),
        (["a"], "a"),
        (["a", "nothing"], "a"),
        (["c.*"], "c.d"),
        (["nothing"], ""),
        (["a", "c.*"], "ac.d"),
    ],
)
def test_a_receive_shows_the_attributes_that_it_asks_for(asked: list[str], shown: str) -> None:
    attributes = {name: MessageAttribute("String", "x") for name in ("a", "b", "c.d")}

    assert "".join(wanted_attributes(attributes, frozenset(asked))) == shown


@pytest.mark.parametrize("delay_s", [-1, 901])
def test_a_delay_out_of_bounds_is_refused(delay_s: int) -> None:
    with pytest.raises(ServiceFailure, match="DelaySeconds"):
        Bench().send(delay_s=delay_s)


@pytest.mark.parametrize("group", ["", "x" * 129, "a b", "é"])
def test_a_group_that_sqs_refuses_is_refused(group: str) -> None:
    bench = Bench()

    with pytest.raises(ServiceFailure, match="MessageGroupId"):
        bench.rules.send(bench.url, SendEntry(body="x", group=group), now=0.0)


def test_a_deduplication_id_belongs_to_fifo_queues() -> None:
    bench = Bench()

    with pytest.raises(ServiceFailure, match="not valid for this queue type"):
        bench.rules.send(bench.url, SendEntry(body="x", dedupe="d"), now=0.0)


def test_the_trace_header_does_not_count_towards_the_size() -> None:
    bench = Bench()

    sent = bench.rules.send(bench.url, SendEntry(body="x" * MEBIBYTE, trace_header="Root=1-5-9"), now=0.0)

    assert sent.trace_header_md5 == md5_of_attributes({"AWSTraceHeader": MessageAttribute("String", "Root=1-5-9")})
    assert sent.attributes_md5 is None
