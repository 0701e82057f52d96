"""When short isolated jobs are given ahead, how a line of them goes on, and how long ends gather."""

from __future__ import annotations

from forebay.handlers.ahead import AHEAD_MAX, GATHER_S, GATHERED_MAX, Ahead, Gathering
from forebay.handlers.line import Line, Piece
from forebay.handlers.registry import BatchRule, Handler, Registry
from forebay.model import Attempt, Message


def isolated(
    *,
    limit_s: float = 60.0,
    memory_bytes: int | None = None,
    recycle: int | None = None,
    batch: BatchRule | None = None,
) -> Ahead:
    handler = Handler(
        "job", "process", lambda _: None, limit_s, memory_bytes=memory_bytes, recycle_after=recycle, batch=batch
    )
    return Ahead(Registry([handler]), is_isolated=True)


def after(ahead: Ahead, *lasted_s: float) -> int:
    for one_s in lasted_s:
        ahead.lasted(one_s)
    return ahead.for_each_child


def attempt(number: int) -> Attempt:
    return Attempt(number, "job", Message("q", f"m{number}", "r", "{}"), 60.0)


def test_nothing_is_given_ahead_before_jobs_have_been_short_for_a_while() -> None:
    ahead = isolated()

    assert after(ahead) == 0
    assert after(ahead, 0.001) == 0
    assert after(ahead, *[0.001] * 30) == AHEAD_MAX


def test_one_long_job_ends_it_at_once_and_so_does_one_that_has_not_ended() -> None:
    ahead = isolated()

    assert after(ahead, *[0.001] * 30, 0.5) == 0
    assert after(ahead, *[0.001] * 30) == AHEAD_MAX
    ahead.was_long()
    assert ahead.for_each_child == 0


def test_jobs_of_some_milliseconds_are_not_short() -> None:
    assert after(isolated(), *[0.01] * 100) == 0


def test_nothing_is_given_ahead_where_the_worker_looks_between_jobs_or_limits_are_short() -> None:
    short = [0.001] * 100

    assert after(isolated(memory_bytes=1), *short) == 0
    assert after(isolated(recycle=5), *short) == 0
    assert after(isolated(limit_s=9.0), *short) == 0
    assert after(isolated(batch=BatchRule(10, 1.0)), *short) == 0


def test_a_line_begins_one_piece_after_another_and_a_batch_is_one_piece() -> None:
    begun: list[list[int]] = []
    line = Line(lambda piece: begun.append([one.number for one in piece]))

    line.add([(attempt(1),), (attempt(2), attempt(3)), (attempt(4),)])
    line.ended([1])
    line.ended([2])
    of_the_batch = list(begun)
    line.ended([3])

    assert of_the_batch == [[1], [2, 3]]
    assert begun == [[1], [2, 3], [4]]


def test_what_is_taken_back_never_begins() -> None:
    begun: list[int] = []
    line = Line(lambda piece: begun.extend(one.number for one in piece))
    line.add([(attempt(1),), (attempt(2),), (attempt(3),)])

    taken = line.take_back()
    line.ended([1])
    line.add([(attempt(4),)])

    assert [one.number for one in taken] == [2, 3]
    assert begun == [1, 4]


def test_a_piece_that_ends_while_it_begins_is_followed_by_the_next() -> None:
    """An executor that closes ends what it is given at once."""
    begun: list[int] = []

    def begin(piece: Piece) -> None:
        begun.append(piece[0].number)
        line.ended([piece[0].number])

    line = Line(begin)
    line.add([(attempt(1),), (attempt(2),), (attempt(3),)])

    assert begun == [1, 2, 3]


def test_ends_wait_for_others_for_a_moment_and_not_when_they_are_many() -> None:
    gathering = Gathering()

    assert gathering.goes_on([1], 5.0)
    assert gathering.goes_on([1, 2], 5.0 + GATHER_S / 2)
    assert not gathering.goes_on([1, 2, 3], 5.0 + GATHER_S)
    assert not Gathering().goes_on(range(GATHERED_MAX), 5.0)
    assert not Gathering().goes_on([], 5.0)
