"""What user code prints while a worker runs."""

from __future__ import annotations

import contextlib
import io
import threading

import pytest
from tests.observability.kept_lines import KeptLines

from forebay.observability.prints import PARTIAL_MAX, Prints, take_over


class Terminal(io.StringIO):
    """A text stream that somebody looks at."""

    def isatty(self) -> bool:
        return True


def test_lines_reach_the_writer_whole_however_they_are_pieced_together() -> None:
    kept = KeptLines()
    prints = Prints(kept, io.StringIO())

    print("a", 1, sep="-", end="", file=prints)
    print(" and", "b", file=prints)
    print("c\nd", file=prints)

    assert kept.lines == ["a-1 and b\n", "c\n", "d\n"]


def test_what_two_threads_print_is_not_mixed() -> None:
    kept = KeptLines()
    prints = Prints(kept, io.StringIO())
    prints.write("begun here, ")

    other = threading.Thread(target=lambda: print("whole there", file=prints))
    other.start()
    other.join()
    prints.write("ended here\n")

    assert kept.lines == ["whole there\n", "begun here, ended here\n"]


def test_a_begun_line_is_flushed_where_somebody_looks_on_and_else_waits_for_its_end() -> None:
    """Elsewhere a line of ours could come in between."""
    seen, piped = KeptLines(), KeptLines()
    on_a_terminal, on_a_pipe = Prints(seen, Terminal()), Prints(piped, io.StringIO())

    for prints in (on_a_terminal, on_a_pipe):
        print("50 %", end="", file=prints, flush=True)

    assert seen.lines == ["50 %"]
    assert piped.lines == []
    on_a_pipe.flush_all()
    assert piped.lines == ["50 %"]


def test_a_flush_after_standard_output_was_closed_raises_nothing() -> None:
    """The garbage collector may do it too, in any order."""
    original = io.StringIO()
    prints = Prints(KeptLines(), original)
    original.close()

    print("x", file=prints, flush=True)

    assert not prints.isatty()


def test_a_line_that_never_ends_does_not_grow_for_ever() -> None:
    kept = KeptLines()
    prints = Prints(kept, io.StringIO())

    for _ in range(3):
        prints.write("x" * (PARTIAL_MAX // 2 + 1))

    assert sum(map(len, kept.lines)) > PARTIAL_MAX


def test_bytes_and_the_habits_of_real_programs_work() -> None:
    kept = KeptLines()
    prints = Prints(kept, io.StringIO())

    prints.buffer.write(b"bytes\n")
    prints.writelines(["two\n", "lines\n"])
    prints.reconfigure(line_buffering=True)

    assert kept.lines == ["bytes\n", "two\nlines\n"]
    assert (prints.writable(), prints.encoding) == (True, "utf-8")
    prints.close()
    with pytest.raises(ValueError, match="closed file"):
        prints.write("late")


def test_a_standard_output_that_somebody_else_has_replaced_is_left_alone() -> None:
    """`tests/processes` holds the other case, where it is the process's own."""
    theirs = io.StringIO()

    with contextlib.redirect_stdout(theirs):
        prints = take_over(KeptLines())
        print("printed")

    assert prints is None
    assert theirs.getvalue() == "printed\n"
