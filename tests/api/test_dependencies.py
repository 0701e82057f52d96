"""Parameters that the worker fills in: how they are found, resolved once, cleaned up, and replaced in tests."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

import pytest
from tests.api.calling import Outbox, outcome, worker_with_outbox
from tests.api.test_around_attempt import run

from forebay import Context, Depends, JobError, Message, Worker
from forebay.model import SUCCEEDED, Failed


class Db:
    """Something to depend on."""

    def __init__(self, name: str = "db") -> None:
        self.name = name


def get_db() -> Db:
    return Db()


def get_name(db: Db = Depends(get_db)) -> str:
    return db.name


AnyDb = Annotated[Db, Depends(get_db)]


def worker_that_notes(noted: list[object]) -> tuple[Worker, Outbox]:
    worker, outbox = worker_with_outbox()

    @worker.job
    def by_default(order: int, db: Db = Depends(get_db), name: str = Depends(get_name)) -> None:
        noted.extend([order, db.name, name])

    @worker.job
    async def by_annotation(ctx: Context, order: int, *, db: AnyDb) -> None:
        noted.extend([order, db.name, ctx.attempt])

    return worker, outbox


def test_a_dependency_is_found_by_default_value_and_by_annotation() -> None:
    noted: list[object] = []
    worker, _ = worker_that_notes(noted)

    assert outcome(worker, '{"order": 7}', job="by_default") == SUCCEEDED
    assert outcome(worker, '{"order": 8}', job="by_annotation") == SUCCEEDED

    assert noted == [7, "db", "db", 8, "db", 3]


def test_a_dependency_is_neither_sent_nor_expected_nor_taken_from_the_body() -> None:
    noted: list[object] = []
    worker, outbox = worker_that_notes(noted)
    job = worker.jobs
    by_default, by_annotation = job

    assert by_default.written(by_default.signature.bind((7,), {})) == '{"order":7}'
    assert by_annotation.written(by_annotation.signature.bind((), {"order": 8})) == '{"order":8}'
    assert outcome(worker, '{"order": 7, "db": {"name": "forged"}}', job="by_default") == SUCCEEDED

    assert noted == [7, "db", "db"]
    assert outbox.messages == []


def test_sending_a_dependency_is_an_error_that_names_it() -> None:
    worker, _ = worker_with_outbox()

    @worker.job
    def work(order: int, db: Db = Depends(get_db)) -> None: ...

    with pytest.raises(TypeError, match="'db' is filled in by the worker"):
        work.enqueue(7, db=Db())


def test_a_direct_call_must_pass_what_only_a_worker_resolves() -> None:
    worker, _ = worker_with_outbox()

    @worker.job
    def work(order: int, db: Db = Depends(get_db)) -> str:
        return f"{order} {db.name}"

    assert work(7, db=Db("fake")) == "7 fake"
    with pytest.raises(JobError, match=r"only a worker resolves Depends\(get_db\): pass db=…"):
        work(7)


@pytest.mark.parametrize(("use_cache", "made"), [(True, 1), (False, 2)])
def test_a_dependency_is_made_once_in_an_attempt_for_all_who_want_it(use_cache: bool, made: int) -> None:
    worker, _ = worker_with_outbox()
    all_made: list[Db] = []

    def counted() -> Db:
        all_made.append(Db())
        return all_made[-1]

    def wraps(db: Db = Depends(counted)) -> Db:
        return db

    @worker.job
    def work(db: Db = Depends(counted, use_cache=use_cache), same: Db = Depends(wraps)) -> None:
        assert (db is same) == use_cache

    assert outcome(worker, "{}", job="work") == SUCCEEDED
    assert len(all_made) == made
    assert outcome(worker, "{}", job="work") == SUCCEEDED
    assert len(all_made) == 2 * made


@pytest.mark.parametrize("job", ["plain", "asynchronous"])
def test_what_yields_is_cleaned_up_after_the_attempt_in_reverse_and_sees_what_was_raised(job: str) -> None:
    worker, _ = worker_with_outbox()
    log: list[str] = []

    async def pool() -> AsyncIterator[str]:
        await asyncio.sleep(0)
        try:
            yield "pool"
        except ValueError:
            log.append("pool saw it")
            raise
        finally:
            await asyncio.sleep(0)
            log.append("pool closed")

    def session(ctx: Context, of: str = Depends(pool)) -> Iterator[str]:
        try:
            yield f"session of {of} in {ctx.job}"
        except ValueError:
            log.append("session rolled back")  # And does not raise again: the failure stays one.
        log.append("session closed")

    @worker.job
    def plain(fails: bool, session: str = Depends(session)) -> None:
        log.append(session)
        if fails:
            raise ValueError

    @worker.job
    async def asynchronous(fails: bool, session: str = Depends(session)) -> None:
        log.append(session)
        if fails:
            raise ValueError

    assert run(worker, '{"fails": false}', job) == SUCCEEDED
    assert log == [f"session of pool in {job}", "session closed", "pool closed"]

    log.clear()
    ended = run(worker, '{"fails": true}', job)

    assert isinstance(ended, Failed)
    assert ended.error == "ValueError"
    assert log[1:] == ["session rolled back", "session closed", "pool saw it", "pool closed"]


def test_nothing_is_opened_for_a_body_that_does_not_fit() -> None:
    worker, _ = worker_with_outbox()
    opened: list[int] = []

    def opens() -> int:
        opened.append(1)
        return 1

    @worker.job
    def work(order: int, one: int = Depends(opens)) -> None: ...

    outcome(worker, '{"order": "seven"}', job="work")

    assert opened == []


def test_dependencies_run_where_the_handler_runs_and_asynchronous_ones_on_the_handlers_loop() -> None:
    worker, _ = worker_with_outbox()
    where: dict[str, str] = {}

    def here(name: str) -> None:
        where[name] = threading.current_thread().name

    def plain() -> None:
        here("plain dependency")

    async def asynchronous() -> None:
        here("asynchronous dependency")

    @worker.job
    def work(one: None = Depends(plain), other: None = Depends(asynchronous)) -> None:
        here("handler")

    assert run(worker, "{}", "work") == SUCCEEDED
    assert where["plain dependency"] == where["handler"] == threading.current_thread().name
    assert where["asynchronous dependency"] == "forebay-handlers"


def test_a_test_lets_another_function_stand_in_and_the_old_one_comes_back() -> None:
    noted: list[object] = []
    worker, _ = worker_that_notes(noted)

    with worker.override(get_db, lambda: Db("fake")):
        outcome(worker, '{"order": 7}', job="by_default")
        with worker.override(get_db, lambda: Db("inner")):
            outcome(worker, '{"order": 7}', job="by_default")
        outcome(worker, '{"order": 7}', job="by_default")
    outcome(worker, '{"order": 7}', job="by_default")

    assert noted[1::3] == ["fake", "inner", "fake", "db"]
    assert noted[2::3] == ["fake", "inner", "fake", "db"]


def test_classes_and_callable_objects_are_dependencies_too() -> None:
    worker, _ = worker_with_outbox()
    got: list[object] = []

    class Settings:
        def __init__(self, db: Db = Depends(get_db)) -> None:
            self.db = db

    class Limit:
        def __init__(self, most: int) -> None:
            self._most = most

        async def __call__(self, settings: Settings = Depends(Settings)) -> str:
            return f"{settings.db.name} {self._most}"

    @worker.job
    async def work(limit: str = Depends(Limit(3))) -> None:
        got.append(limit)

    assert outcome(worker, "{}", job="work") == SUCCEEDED
    assert got == ["db 3"]


def test_a_parameter_that_nobody_can_fill_in_is_refused_where_the_job_is_declared() -> None:
    worker, _ = worker_with_outbox()

    def needs(tenant: str) -> str:
        return tenant

    with pytest.raises(JobError, match="dependency 'needs': nobody can fill in 'tenant'"):

        @worker.job
        def work(one: str = Depends(needs)) -> None: ...


def test_dependencies_that_need_each_other_are_refused() -> None:
    worker, _ = worker_with_outbox()

    def second(one: Db = Depends(get_db)) -> Db:
        return one

    def circle(one: Db = Depends(second)) -> Db:
        return one

    second.__defaults__ = (Depends(circle),)

    with pytest.raises(JobError, match="need each other: second → circle → second"):

        @worker.job
        def work(one: Db = Depends(second)) -> None: ...


def test_what_is_no_function_is_refused_at_once() -> None:
    with pytest.raises(JobError, match="give the function itself"):
        Depends(get_db())  # type: ignore[call-overload]


def test_the_default_handler_and_jobs_without_arguments_have_dependencies_too() -> None:
    worker, _ = worker_with_outbox()
    got: list[object] = []

    @worker.default
    async def whole(message: Message, db: Db = Depends(get_db)) -> None:
        got.extend([message.body, db.name])

    @worker.job
    def bare(db: Db = Depends(get_db)) -> None:
        got.append(db.name)

    assert outcome(worker, "anything") == SUCCEEDED
    assert outcome(worker, "{}", job="bare") == SUCCEEDED
    assert got == ["anything", "db", "db"]


def needs_what_comes_later(later: Annotated[Later, Depends(lambda: Later())]) -> Later:
    return later


def test_annotations_that_cannot_be_read_yet_are_looked_at_when_the_worker_runs() -> None:
    worker, _ = worker_with_outbox()
    known = globals().pop("Later")
    try:

        @worker.job
        def work(later: object = Depends(needs_what_comes_later)) -> None:
            assert isinstance(later, Later)

        with pytest.raises(JobError, match="the annotations of dependency 'needs_what_comes_later' cannot be read"):
            _ = worker.registry
    finally:
        globals()["Later"] = known

    assert outcome(worker, "{}", job="work") == SUCCEEDED


class Later:
    """Defined below the function that is annotated with it."""
