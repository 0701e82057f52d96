"""Start and stop hooks: their order, where they run, what they share, and what happens when one raises."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

import anyio
import pytest
from tests.api.calling import outcome, worker_with_outbox
from tests.handlers.collecting import PATIENCE_S, must

from forebay import Context, Depends, JobError, Worker
from forebay.api.lifespan import HookFailed
from forebay.handlers.frames import places_of, told
from forebay.handlers.loop_thread import LoopThread
from forebay.model import SUCCEEDED

T = TypeVar("T")


class Db:
    """Something to share."""

    def __init__(self, name: str = "db") -> None:
        self.name = name
        self.is_open = True


class Cache:
    """Something that needs the first."""

    def __init__(self, db: Db) -> None:
        self.db = db


@contextmanager
def started(worker: Worker) -> Iterator[list[HookFailed]]:
    """The worker's lifespan; yields what goes wrong at its end."""
    loop = LoopThread()
    failed: list[HookFailed] = []
    worker.lifespan.start(loop)
    try:
        yield failed
    finally:
        failed.extend(worker.lifespan.stop())
        assert loop.close(wait_s=PATIENCE_S)


def test_hooks_start_in_order_and_stop_in_reverse_each_where_it_belongs() -> None:
    worker, _ = worker_with_outbox()
    log: list[str] = []

    def note(what: str) -> None:
        log.append(f"{what} on {threading.current_thread().name}")

    @worker.on_start
    async def open_db() -> AsyncIterator[Db]:
        note("db opens")
        db = Db()
        yield db
        note("db closes")

    @worker.on_stop
    async def flush() -> None:
        note("flush")

    @worker.on_start
    def open_cache(db: Db) -> Cache:
        note("cache opens")
        return Cache(db)

    @worker.on_stop
    def close_cache(cache: Cache) -> None:
        note(f"cache of {cache.db.name} closes")

    here = threading.current_thread().name
    with started(worker) as failed:
        assert log == ["db opens on forebay-handlers", f"cache opens on {here}"]
        log.clear()

    assert failed == []
    assert log == [f"cache of db closes on {here}", "flush on forebay-handlers", "db closes on forebay-handlers"]


def test_handlers_find_what_is_shared_by_its_type_and_by_its_hook() -> None:
    worker, _ = worker_with_outbox()
    got: list[object] = []

    @worker.on_start
    async def open_db() -> AsyncIterator[Db]:
        yield Db("shared")

    def name(db: Db = Depends(open_db)) -> str:
        return db.name

    @worker.job
    def by_type(ctx: Context) -> None:
        got.append(ctx.shared(Db).name)

    @worker.job
    async def by_hook(db: Db = Depends(open_db), name: str = Depends(name)) -> None:
        got.append((db.name, name))

    with started(worker):
        assert outcome(worker, "{}", job="by_type") == SUCCEEDED
        assert outcome(worker, "{}", job="by_hook") == SUCCEEDED

    assert got == ["shared", ("shared", "shared")]


def test_a_type_is_what_the_hook_says_and_a_base_class_finds_its_only_instance() -> None:
    worker, _ = worker_with_outbox()

    class Replica(Db):
        pass

    @worker.on_start
    def replica():  # type: ignore[no-untyped-def]
        return Replica("replica")

    with started(worker):
        assert worker.lifespan.shared.get(Replica).name == "replica"
        assert worker.lifespan.shared.get(Db).name == "replica"
        with pytest.raises(JobError, match=r"no start hook has given a Cache; shared are: .*Replica"):
            worker.lifespan.shared.get(Cache)


def test_what_is_shared_is_gone_after_the_stop_and_made_anew_by_the_next_start() -> None:
    worker, _ = worker_with_outbox()
    made: list[Db] = []

    @worker.on_start
    def open_db() -> Db:
        made.append(Db())
        return made[-1]

    for _ in range(2):
        with started(worker):
            assert worker.lifespan.shared.get(Db) is made[-1]
        with pytest.raises(JobError, match="none at all"):
            worker.lifespan.shared.get(Db)
    assert len(made) == 2


def test_a_start_hook_that_raises_undoes_those_before_it_and_says_which() -> None:
    worker, _ = worker_with_outbox()
    log: list[str] = []

    @worker.on_start
    async def first() -> AsyncIterator[None]:
        yield
        log.append("first ends")

    @worker.on_start
    def second() -> Iterator[None]:
        yield
        raise OSError("canary-7f3a")

    @worker.on_start
    async def broken() -> None:
        raise ConnectionError("canary-7f3a")

    @worker.on_start
    def never() -> None:
        log.append("never")

    loop = LoopThread()
    with pytest.raises(HookFailed, match="start hook 'broken' raised ConnectionError") as raised:
        worker.lifespan.start(loop)

    assert loop.close(wait_s=PATIENCE_S)
    assert isinstance(raised.value.error, ConnectionError)
    [place] = told(places_of(raised.value.error.__traceback__))
    assert place.endswith("broken")
    assert [str(one) for one in raised.value.also] == ["start hook 'second' raised OSError"]
    assert log == ["first ends"]
    assert "canary" not in str(raised.value)


def test_a_stop_hook_that_raises_does_not_keep_the_others_from_their_turn() -> None:
    worker, _ = worker_with_outbox()
    log: list[str] = []

    @worker.on_stop
    def last() -> None:
        log.append("last")

    @worker.on_stop
    async def broken() -> None:
        raise ConnectionError

    with started(worker) as failed:
        pass

    assert [str(one) for one in failed] == ["stop hook 'broken' raised ConnectionError"]
    assert log == ["last"]


def test_both_steps_of_an_asynchronous_hook_see_one_context_and_one_loop() -> None:
    worker, _ = worker_with_outbox()
    word: ContextVar[str] = ContextVar("word", default="lost")
    seen: list[object] = []

    @worker.on_start
    async def keeps() -> AsyncIterator[None]:
        token = word.set("kept")
        loop = asyncio.get_running_loop()
        yield
        seen.extend([word.get(), asyncio.get_running_loop() is loop])
        word.reset(token)

    with started(worker) as failed:
        pass

    assert (seen, failed) == (["kept", True], [])


def test_a_hook_may_hold_a_task_group_open_from_start_to_stop() -> None:
    """As programs of ASGI do for what runs beside their requests; a group must be left in the task that entered it."""
    worker, _ = worker_with_outbox()
    log: list[str] = []

    @worker.on_start
    async def beside() -> AsyncIterator[anyio.Event]:
        event = anyio.Event()

        async def waits() -> None:
            await event.wait()
            log.append("beside")

        async with anyio.create_task_group() as tasks, asyncio.TaskGroup() as others:
            tasks.start_soon(waits)
            others.create_task(waits())
            yield event
            event.set()

    with started(worker) as failed:
        assert log == []

    assert (log, failed) == (["beside", "beside"], [])


class Heard(logging.Handler):
    """Keeps what is logged, and lets a test wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.has_heard = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.text += record.getMessage()
        self.has_heard.set()


def test_a_task_of_a_hook_that_fails_is_logged_and_told_at_the_stop() -> None:
    worker, _ = worker_with_outbox()
    heard = Heard()
    logger = logging.getLogger("forebay.handlers.loop_steps")
    logger.addHandler(heard)

    @worker.on_start
    async def beside() -> AsyncIterator[None]:
        async def fails() -> None:
            raise ConnectionError

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fails())
            yield

    try:
        with started(worker) as failed:
            must(heard.has_heard)
    finally:
        logger.removeHandler(heard)

    assert [type(one.error) for one in failed] == [ExceptionGroup]
    assert "was cancelled" in heard.text


def test_a_stand_in_starts_in_the_place_of_a_hook() -> None:
    worker, _ = worker_with_outbox()

    @worker.on_start
    async def open_db() -> AsyncIterator[Db]:
        yield Db("real")

    with worker.override(open_db, lambda: Db("fake")), started(worker):
        assert worker.lifespan.shared.get(Db).name == "fake"
        assert worker.lifespan.shared.of(open_db).name == "fake"


def test_two_hooks_of_one_type_are_an_error_at_the_start() -> None:
    worker, _ = worker_with_outbox()
    log: list[str] = []

    @worker.on_start
    def first() -> Db:
        return Db()

    @worker.on_start
    def second() -> Iterator[Db]:
        yield Db()
        log.append("second ends")

    loop = LoopThread()
    with pytest.raises(HookFailed) as raised:
        worker.lifespan.start(loop)

    assert "two start hooks give a Db, the second is" in str(raised.value.error)
    assert log == ["second ends"]


def test_one_worker_runs_once_in_a_process() -> None:
    worker, _ = worker_with_outbox()

    with started(worker), pytest.raises(JobError, match="runs in this process already"):
        worker.lifespan.start(LoopThread())


def test_a_hook_parameter_that_nobody_can_fill_in_is_told() -> None:
    worker, _ = worker_with_outbox()

    @worker.on_start
    def needs(db: Db) -> None: ...

    with pytest.raises(HookFailed) as raised:
        worker.lifespan.start(LoopThread())
    with pytest.raises(JobError, match="'db' has no annotation"):
        worker.on_start(lambda db: db)
    with pytest.raises(JobError, match="let a start hook yield"):

        @worker.on_stop
        def yields() -> Iterator[None]:
            yield

    assert "start hook 'needs': nobody can fill in 'db'" in str(raised.value.error)
