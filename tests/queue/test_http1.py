"""How bytes become an answer, wherever the network cuts them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.queue.http1 import AnswerReader, BadAnswer

BODIES = st.binary(max_size=300)
CUTS = st.lists(st.integers(0, 600), max_size=8)


def with_length(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX-A: b\r\n\r\n%s" % (len(body), body)


def in_chunks(body: bytes, size: int) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    coded = b"".join(b"%x;e=1\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n" + coded + b"0\r\nX-T: u\r\n\r\n"


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(data)}), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@given(BODIES, CUTS)
def test_an_answer_with_a_length_is_whole_however_it_is_cut(body: bytes, cuts: list[int]) -> None:
    reader = AnswerReader()

    done = [reader.feed(piece) for piece in pieces_of(with_length(body), cuts)]

    assert done == [False] * (len(done) - 1) + [True]
    assert (reader.status, reader.body, reader.headers["x-a"], reader.is_reusable) == (200, body, "b", True)


@given(BODIES, st.integers(1, 40), CUTS)
def test_a_chunked_answer_is_whole_however_it_is_cut(body: bytes, size: int, cuts: list[int]) -> None:
    reader = AnswerReader()

    done = [reader.feed(piece) for piece in pieces_of(in_chunks(body, size), cuts)]

    assert done == [False] * (len(done) - 1) + [True]
    assert (reader.body, reader.is_reusable) == (body, True)


@given(BODIES, st.integers(1, 40), st.data())
def test_an_answer_that_is_cut_short_is_never_complete(body: bytes, size: int, data: st.DataObject) -> None:
    whole = data.draw(st.sampled_from([with_length(body), in_chunks(body, size)]))
    reader = AnswerReader()

    assert not reader.feed(whole[: data.draw(st.integers(0, len(whole) - 1))])
    assert not reader.end()


@given(
    st.lists(
        st.one_of(st.binary(max_size=50), st.sampled_from([b"HTTP/1.1 200 OK", b"\r\n\r\n", b"0\r\n"])), max_size=8
    )
)
def test_nothing_but_a_bad_answer_comes_of_garbage(pieces: list[bytes]) -> None:
    reader = AnswerReader(limit_bytes=100)
    try:
        for piece in pieces:
            if reader.feed(piece):
                break
    except BadAnswer:
        return

    assert len(reader.body) <= 100


def test_bytes_beyond_the_answer_make_the_connection_unfit_for_another() -> None:
    reader = AnswerReader()

    assert reader.feed(with_length(b"{}") + b"HTTP/1.1 200 OK\r\n")

    assert (reader.body, reader.is_reusable) == (b"{}", False)


@pytest.mark.parametrize(
    ("head", "is_reusable"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Close\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n\r\n", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", True),
    ],
)
def test_the_server_says_whether_a_connection_may_be_kept(head: bytes, is_reusable: bool) -> None:
    reader = AnswerReader()

    assert reader.feed(head)
    assert reader.is_reusable is is_reusable


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 99 Low\r\n\r\n",
        b"HTTP/1.1 \xb2\xb2\xb2 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
    ],
)
def test_an_answer_that_contradicts_the_standard_is_refused(data: bytes) -> None:
    with pytest.raises(BadAnswer):
        AnswerReader().feed(data)
