"""The pytest plugin as a team uses it: a small project of theirs, its own pytest, warnings as errors.

Rules kept here and nowhere else:

1. Each project runs in a process of its own, so that nothing of this suite helps it.
2. What the fixtures promise is asserted inside the project's tests; here only how they ended.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.testing.projects import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_a_thumbnail_job_that_succeeds_is_gone_from_the_queue(project: Project) -> None:
    project.test(
        """
        def test_a_thumbnail(forebay_queue):
            jobs.thumbnail.enqueue(key="a.png")
            assert forebay_queue.counts() == (1, 0, 0)
            assert forebay_queue.messages()[0].arguments["key"] == "a.png"

            report = forebay_queue.work(jobs.worker)

            assert jobs.made == ["a.png"]
            assert report.outcomes == ["succeeded"]
            assert forebay_queue.counts() == (0, 0, 0)
        """
    )

    project.passes(1)


def test_a_failing_job_is_retried_for_minutes_and_buried_in_well_under_a_second(project: Project) -> None:
    project.test(
        """
        def test_a_broken_picture(forebay_queue):
            forebay_queue.send({"key": "broken.png"}, job="strict")
            jobs.thumbnail.options(delay="15m").enqueue(key="late.png")
            began_at = time.monotonic()

            report = forebay_queue.work(jobs.worker, failures="return")

            assert time.monotonic() - began_at < report.lasted_s / 100
            assert report.lasted_s > 900
            assert [one.attempt for one in report.of("strict")] == [1, 2, 3, 4, 5]
            assert all(one.delay_s >= 1 for one in report.of("strict")[:4])
            assert (report.retried, report.buried, report.succeeded) == (4, 1, 1)
            assert isinstance(report.exceptions[0], ValueError)
            (dead,) = forebay_queue.dead_letters()
            assert dead.arguments == {"key": "broken.png"}
            assert dead.error["type"] == "ValueError"
        """
    )

    project.passes(1)


def test_a_job_that_is_given_up_fails_a_test_that_does_not_expect_it(project: Project) -> None:
    project.test(
        """
        def test_a_broken_picture(forebay_queue):
            forebay_queue.send({"key": "broken.png"}, job="strict")
            with pytest.raises(AssertionError, match="strict .failed with ValueError in attempt 5") as raised:
                forebay_queue.work(jobs.worker)
            assert isinstance(raised.value.__cause__, ValueError)
            assert "broken.png" not in str(raised.value)
        """
    )

    project.passes(1)


def test_producers_that_know_only_boto3_reach_the_queue(project: Project) -> None:
    project.test(
        """
        def test_an_upload(forebay_queue):
            import boto3

            sqs = boto3.client("sqs")
            sqs.send_message(
                QueueUrl=os.environ["FOREBAY_QUEUE_URL"], MessageBody='{"key": "b.png"}',
                MessageAttributes={"job": {"DataType": "String", "StringValue": "thumbnail"}},
            )
            sqs.close()

            forebay_queue.work(jobs.worker)

            assert jobs.made == ["b.png"]
        """
    )

    project.passes(1)


def test_no_test_sees_another_ones_messages_and_the_environment_is_put_back(project: Project) -> None:
    project.test(
        """
        before = dict(os.environ)

        @pytest.mark.parametrize("turn", [1, 2, 3])
        def test_leaves_a_message_behind(forebay_queue, turn):
            assert forebay_queue.messages() == []
            jobs.thumbnail.enqueue(key="left.png")
            assert forebay_queue.counts().visible == 1

        def test_finds_its_environment():
            now = dict(os.environ)
            now.pop("PYTEST_CURRENT_TEST"), before.pop("PYTEST_CURRENT_TEST", None)
            assert now == before
            assert [thread.name for thread in threading.enumerate()] == ["MainThread"]
        """
    )

    project.passes(4)


def test_coroutines_of_asyncio_and_trio_work_a_queue_with_the_plugin_of_anyio(project: Project) -> None:
    project.test(
        """
        @pytest.mark.anyio
        async def test_a_thumbnail(forebay_queue, anyio_backend_name):
            if anyio_backend_name == "asyncio":
                await jobs.thumbnail.aenqueue(key="a.png")
            else:
                forebay_queue.send({"key": "a.png"}, job="thumbnail")

            report = await forebay_queue.awork(jobs.worker)

            assert report.succeeded == 1
            assert jobs.made == ["a.png"]
        """
    )

    project.passes(2)


def test_tests_that_run_at_once_in_several_processes_do_not_meet(project: Project) -> None:
    project.test(
        """
        @pytest.mark.parametrize("turn", range(6))
        def test_a_thumbnail(forebay_queue, turn):
            jobs.thumbnail.enqueue(key=str(turn))

            forebay_queue.work(jobs.worker)

            assert jobs.made == [str(turn)]
        """
    )

    assert "6 passed" in project.run("-n", "2")


def test_a_mark_says_how_time_passes_and_how_the_queue_is_named(project: Project) -> None:
    project.test(
        """
        pytestmark = pytest.mark.forebay(queue="thumbnails", attempts=2)

        @pytest.mark.forebay(time="real", visibility_s=7)
        def test_marked(forebay_queue):
            assert forebay_queue.url.endswith("/thumbnails")
            forebay_queue.send({"key": "a"}, job="strict")

            report = forebay_queue.work(jobs.worker, failures="return")

            assert [one.attempt for one in report.attempts] == [1, 2]
            assert report.lasted_s >= report.attempts[0].delay_s >= 1

        @pytest.mark.forebay(dead_letter=False)
        def test_without_dead_letters(forebay_queue):
            assert forebay_queue.dead_letter is None

        @pytest.mark.forebay(tmie="real")
        def test_misspelt(forebay_queue):
            pass
        """
    )

    said = project.run()

    assert "2 passed, 1 error" in said
    assert "does not take tmie" in said


def test_the_ini_file_says_how_time_passes_where_no_mark_does(project: Project) -> None:
    project.write("pytest.ini", "[pytest]\nfilterwarnings = error\npythonpath = .\nforebay_time = real\n")
    project.test(
        """
        def test_a_retry(forebay_queue):
            forebay_queue.send({}, job="soon")
            began_at = time.monotonic()
            assert forebay_queue.work(jobs.worker).retried == 1
            assert time.monotonic() - began_at >= 1
        """
    )

    project.passes(1)


def test_a_failing_test_shows_what_the_job_raised_and_leaves_nothing_behind(project: Project) -> None:
    """Both halves matter: the exception is where the reader looks, and the next test starts clean."""
    project.test(
        """
        def test_a_broken_picture(forebay_queue):
            forebay_queue.send({"key": "broken.png"}, job="strict")
            forebay_queue.work(jobs.worker)

        def test_the_next_one(forebay_queue):
            assert forebay_queue.counts().is_empty
            assert sorted(thread.name for thread in threading.enumerate()) == ["MainThread", "forebay-local-cloud"]
        """
    )

    said = project.run()

    assert "1 failed, 1 passed" in said
    assert "ValueError: broken.png is no picture" in said
    assert "JobsGivenUp: given up: strict (failed with ValueError in attempt 5)" in said


def test_a_suite_that_uses_no_fixture_loads_one_small_module_of_forebay(project: Project) -> None:
    project.write(
        "test_nothing.py",
        """
        import json
        import sys

        def test_nothing(request):
            name = "with.json" if request.config.pluginmanager.has_plugin("forebay") else "without.json"
            with open(name, "w") as file:
                json.dump(list(sys.modules), file)
        """,
    )

    project.passes(1)
    project.passes(1, "-p", "no:forebay")

    loaded = project.modules("with.json") - project.modules("without.json")
    assert loaded == {"forebay", "forebay.testing", "forebay.testing.pytest_plugin"}


def test_a_worker_in_memory_is_made_by_a_fixture_and_obeys_marks(project: Project) -> None:
    project.test(
        """
        def test_a_thumbnail(forebay_client):
            client = forebay_client(jobs.worker)
            jobs.thumbnail.enqueue(key="a.png")
            client.work()
            assert jobs.made == ["a.png"]
            assert [one.arguments for one in client.enqueued] == [{"key": "a.png"}]

        def test_another_test_finds_nothing_of_it(forebay_client):
            client = forebay_client(jobs.worker)
            assert client.enqueued == client.messages() == []
            assert client.attempt(jobs.soon.call()).delay_s == 1

        @pytest.mark.forebay(patience_s=0.1, time="real")
        def test_marked(forebay_client):
            client = forebay_client(jobs.worker)
            jobs.thumbnail.options(delay=60).enqueue(key="late.png")
            with pytest.raises(AssertionError, match="after 0.1 real seconds"):
                client.work()

        def test_nothing_is_left_behind():
            assert [thread.name for thread in threading.enumerate()] == ["MainThread"]
        """
    )

    project.passes(4)
