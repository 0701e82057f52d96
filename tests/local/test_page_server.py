"""The page's server seen over HTTP: its routes, who is turned away, and what nobody's looking costs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from tests.browser.fake_cloud import FakeCloud

from forebay.errors import SettingsError
from forebay.local.page import Page, who_is_at
from forebay.local.page.history import COLUMNS

Visit = Callable[[FakeCloud, Page, aiohttp.ClientSession], Awaitable[None]]


@asynccontextmanager
async def _page() -> AsyncIterator[tuple[FakeCloud, Page, aiohttp.ClientSession]]:
    cloud = FakeCloud()
    async with Page(cloud, 0) as page, aiohttp.ClientSession(base_url=page.url) as session:
        yield cloud, page, session


def _visit(visit: Visit) -> None:
    async def main() -> None:
        async with asyncio.timeout(20), _page() as (cloud, page, session):
            await visit(cloud, page, session)

    asyncio.run(main())


async def _frame(stream: aiohttp.StreamReader) -> tuple[str, dict[str, Any]]:
    """Read the next server-sent event."""
    event = (await stream.readline()).decode().removeprefix("event: ").strip()
    content: dict[str, Any] = json.loads((await stream.readline()).decode().removeprefix("data: "))
    await stream.readline()
    return event, content


def test_the_page_and_its_files_are_served_with_headers_that_forbid_what_they_do_not_need() -> None:
    async def visit(cloud: FakeCloud, page: Page, session: aiohttp.ClientSession) -> None:
        for path in ("/", "/static/main.js", "/static/base.css", "/static/nothing.js", "/logs/none", "/_forebay/who"):
            async with session.get(path) as answer:
                policy = answer.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy
                assert "script-src 'self';" in policy
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert answer.headers["Referrer-Policy"] == "no-referrer"

    _visit(visit)


def test_a_file_that_has_not_changed_is_not_sent_again() -> None:
    async def visit(cloud: FakeCloud, page: Page, session: aiohttp.ClientSession) -> None:
        async with session.get("/static/plotly.min.js") as answer:
            tag, size = answer.headers["ETag"], len(await answer.read())
        async with session.get("/static/plotly.min.js", headers={"If-None-Match": tag}) as again:
            assert size > 1_000_000
            assert (again.status, await again.read()) == (304, b"")

    _visit(visit)


@pytest.mark.parametrize("path", ["/static/../server.py", "/static/..%2Fserver.py", "/static/%2e%2e/files.py", "/x"])
def test_nothing_but_the_pages_own_files_can_be_had(path: str) -> None:
    async def visit(cloud: FakeCloud, page: Page, session: aiohttp.ClientSession) -> None:
        async with session.get(path) as answer:
            assert answer.status == 404

    _visit(visit)


@pytest.mark.parametrize("path", ["/", "/events", "/static/main.js", "/logs/none", "/_forebay/who", "/nowhere"])
@pytest.mark.parametrize(
    "header",
    [
        {"Host": "attacker.example"},
        {"Host": "127.0.0.1"},
        {"Origin": "http://attacker.example"},
        {"Origin": "http://localhost:1"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_web_page_is_turned_away_on_every_route(path: str, header: dict[str, str]) -> None:
    async def visit(cloud: FakeCloud, page: Page, session: aiohttp.ClientSession) -> None:
        async with session.get(path, headers=header) as answer:
            assert (answer.status, "error" in await answer.json()) == (403, True)
        assert cloud.pictures == 0

    _visit(visit)


def test_another_web_page_cannot_use_a_control() -> None:
    async def visit(cloud: FakeCloud, page: Page, session: aiohttp.ClientSession) -> None:
        body = {"count": 5, "job_ms": 5}
        async with session.post("/do/send", json=body, headers={"Origin": "http://attacker.example"}) as foreign:
            assert foreign.status == 403
        async with session.post("/do/send", data=json.dumps(body)) as form:
            assert form.status == 415
        assert cloud.service.sent == 0

    _visit(visit)


def test_the_page_answers_to_its_name_and_to_its_address() -> None:
    async def visit(cloud: FakeCloud, page: Page, session: aiohttp.ClientSession) -> None:
        port = page.url.rsplit(":", 1)[1].strip("/")
        for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"LOCALHOST:{port}"):
            async with session.get("/", headers={"Host": host, "Sec-Fetch-Site": "none"}) as answer:
                assert answer.status == 200

    _visit(visit)


def test_the_first_frame_holds_a_picture_and_the_past() -> None:
    async def visit(cloud: FakeCloud, page: Page, session: aiohttp.ClientSession) -> None:
        await cloud.send(40, 1_000)
        for _ in range(8):
            cloud.advance(0.5)
            page.stream.draw()

        async with session.get("/events") as answer:
            event, content = await _frame(answer.content)

        assert (event, answer.content_type) == ("first", "text/event-stream")
        assert content["picture"]["services"][0]["queue"]["sent"] == 40
        assert content["columns"] == list(COLUMNS)
        assert len(content["history"]["worker"]) == 8
        assert content["has_charts"] is True

    _visit(visit)


def test_one_picture_is_drawn_for_all_who_look_and_none_when_nobody_does() -> None:
    async def visit(cloud: FakeCloud, page: Page, session: aiohttp.ClientSession) -> None:
        answers = [await session.get("/events") for _ in range(5)]
        for answer in answers:
            assert (await _frame(answer.content))[0] == "first"
        for answer in answers:
            assert (await _frame(answer.content))[0] == "picture"
        for answer in answers:
            answer.close()
        drawers = [task for task in asyncio.all_tasks() if task.get_name() == "forebay-page"]
        await asyncio.gather(*drawers, return_exceptions=True)

        assert page.stream.viewers == 0
        assert cloud.pictures == len(answers) + page.stream.drawn
        assert page.stream.drawn >= 1

    _visit(visit)


def test_a_bug_in_the_picture_ends_the_streams_and_the_next_viewer_begins_anew() -> None:
    class Broken(FakeCloud):
        is_broken = False

        def picture(self) -> Any:
            if self.is_broken:
                raise RuntimeError("a bug")
            return super().picture()

    async def main() -> None:
        cloud, bugs = Broken(), list[str]()
        asyncio.get_running_loop().set_exception_handler(lambda _, told: bugs.append(str(told["exception"])))
        async with Page(cloud, 0) as page, aiohttp.ClientSession(base_url=page.url) as session:
            async with session.get("/events") as answer:
                await _frame(answer.content)
                cloud.is_broken = True
                rest = await answer.content.read()
            cloud.is_broken = False
            async with session.get("/events") as again:
                assert (await _frame(again.content))[0] == "first"
                assert (await _frame(again.content))[0] == "picture"

        assert (rest, bugs) == (b"", ["a bug"])

    asyncio.run(main())


@pytest.mark.slow
def test_who_takes_nothing_is_dropped_and_the_others_go_on() -> None:
    """A viewer whose window is full gets nothing more; what he misses is kept for nobody."""

    class Large(FakeCloud):
        def picture(self) -> Any:
            self.service.tell(self.service.events, "x" * 200_000)
            return super().picture()

    async def main() -> None:
        async with Page(Large(), 0) as page, aiohttp.ClientSession(base_url=page.url) as session:
            port = int(page.url.rsplit(":", 1)[1].strip("/"))
            _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
            writer.write(f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
            async with session.get("/events", read_bufsize=2**24) as answer:
                event, _ = await _frame(answer.content)
                assert event == "first"
                while page.stream.viewers == 2:
                    await _frame(answer.content)
                await _frame(answer.content)
            writer.close()

    async def bounded() -> None:
        async with asyncio.timeout(60):
            await main()

    asyncio.run(bounded())


def test_the_log_of_a_task_is_served_as_text_in_json() -> None:
    async def visit(cloud: FakeCloud, page: Page, session: aiohttp.ClientSession) -> None:
        await cloud.send(1, 100)
        cloud.advance(8)
        cloud.log.append("<script>alert(1)</script>")
        task_id = cloud.service.tasks[0].task_id

        async with session.get(f"/logs/{task_id}") as answer:
            lines = (await answer.json())["lines"]
        async with session.get("/logs/none") as missing:
            assert missing.status == 404

        assert (answer.content_type, lines[-1]) == ("application/json", "<script>alert(1)</script>")

    _visit(visit)


def test_a_second_copy_learns_who_has_the_port() -> None:
    async def visit(cloud: FakeCloud, page: Page, session: aiohttp.ClientSession) -> None:
        port = int(page.url.rsplit(":", 1)[1].strip("/"))

        with pytest.raises(SettingsError, match=rf"port {port} is taken by another `forebay local` \(process \d+"):
            async with Page(cloud, port):
                pass
        said = await asyncio.to_thread(who_is_at, port)

        assert said is not None
        assert said["page"] == page.url

    _visit(visit)


def test_a_port_that_something_else_has_is_named_with_the_way_out() -> None:
    async def main() -> None:
        other = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        port = other.sockets[0].getsockname()[1]
        async with other:
            with pytest.raises(SettingsError, match=f"port {port} cannot be listened on .* choose another with --port"):
                async with Page(FakeCloud(), port):
                    pass

    asyncio.run(main())
