"""The page's server: whom it lets in, what its controls take, and how pictures reach many, slow and no viewers."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientSession
from tests.browser.fake_cloud import FakeCloud

from forebay.errors import SettingsError
from forebay.local.page import Page
from forebay.local.page.controls import CONTROLS
from forebay.local.page.stream import Stream
from forebay.local.ports import who_is_at

Visit = Callable[[Page, FakeCloud, ClientSession], Awaitable[None]]

ROUTES = [
    ("GET", "/"),
    ("GET", "/static/main.js"),
    ("GET", "/static/plotly.min.js"),
    ("GET", "/events"),
    ("GET", "/logs/01"),
    ("GET", "/_forebay/who"),
    ("POST", "/do/deploy"),
    ("GET", "/nothing"),
]
SOON_S = 10.0


def visit(act: Visit, *, with_charts: bool = True) -> None:
    """Open a page over a scripted cloud, and go there."""

    async def run() -> None:
        cloud = FakeCloud()
        async with asyncio.timeout(30), Page(cloud, 0, with_charts=with_charts) as page, ClientSession() as session:
            await act(page, cloud, session)

    asyncio.run(run())


async def ask(session: ClientSession, page: Page, control: str, values: object) -> tuple[int, dict[str, Any]]:
    async with session.post(f"{page.url}do/{control}", json=values) as answer:
        return answer.status, await answer.json()


async def next_frame(content: Any) -> tuple[str, dict[str, Any]]:
    """Read a server-sent event."""
    async with asyncio.timeout(SOON_S):
        event = (await content.readline()).decode().removeprefix("event: ").strip()
        data = (await content.readuntil(b"\n")).decode().removeprefix("data: ")
        await content.readline()
    return event, json.loads(data)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1:1"},
        {"Host": "127.0.0.1"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
def test_another_web_page_is_turned_away_on_every_route(headers: dict[str, str]) -> None:
    async def act(page: Page, cloud: FakeCloud, session: ClientSession) -> None:
        statuses = {}
        for method, path in ROUTES:
            async with session.request(method, page.url.rstrip("/") + path, headers=headers, json={}) as answer:
                statuses[path] = answer.status

        assert statuses == {path: 403 for _, path in ROUTES}
        assert (cloud.pictures, cloud.service.revision) == (0, 1)

    visit(act)


def test_the_page_itself_and_programs_of_this_machine_are_let_in() -> None:
    async def act(page: Page, cloud: FakeCloud, session: ClientSession) -> None:
        own = {"Origin": page.url.rstrip("/"), "Sec-Fetch-Site": "same-origin"}
        async with session.post(f"{page.url}do/deploy", json={}, headers=own) as answer:
            assert await answer.json() == {"result": 2}
        local = {"Host": page.url.removeprefix("http://").rstrip("/").replace("127.0.0.1", "localhost")}
        async with session.get(page.url, headers=local) as answer:
            assert answer.status == 200

    visit(act)


def test_every_answer_forbids_foreign_and_inline_scripts() -> None:
    async def act(page: Page, cloud: FakeCloud, session: ClientSession) -> None:
        for path in ("", "static/main.js", "nothing", "events"):
            async with session.get(page.url + path) as answer:
                policy = answer.headers["Content-Security-Policy"]
                assert "default-src 'none'; script-src 'self';" in policy
                assert "frame-ancestors 'none'" in policy
                assert answer.headers["X-Content-Type-Options"] == "nosniff"

    visit(act)


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data"])
def test_what_a_form_of_another_page_could_send_is_no_control(kind: str) -> None:
    async def act(page: Page, cloud: FakeCloud, session: ClientSession) -> None:
        headers = {"Content-Type": kind}
        async with session.post(f"{page.url}do/deploy", data=b"{}", headers=headers) as answer:
            assert answer.status == 415
            assert "application/json" in (await answer.json())["error"]
        assert cloud.service.revision == 1

    visit(act)


@pytest.mark.parametrize(
    ("control", "values", "sentence"),
    [
        ("send", {"count": 0, "job_ms": 5}, "count must be a whole number from 1 to 100,000, not 0"),
        ("send", {"count": True, "job_ms": 5}, "count must be a whole number from 1 to 100,000, not true"),
        ("send", {"count": 2.5, "job_ms": 5}, "count must be a whole number from 1 to 100,000, not 2.5"),
        ("send", {"count": None, "job_ms": 5}, "count must be a whole number from 1 to 100,000, not null"),
        ("send", {"count": 1, "job_ms": -1}, "job_ms must be a whole number from 0 to 39,600,000, not -1"),
        ("send", {"count": 1}, "job_ms is missing"),
        ("send", {"count": 1, "job_ms": 1, "body": "x"}, "body is not a value of this control; it takes count, job_ms"),
        ("set_rate", {"per_s": 1e6, "job_ms": 1}, "per_s must be a number from 0 to 10,000, not 1000000.0"),
        ("set_scaled", {"is_scaled": 1}, "is_scaled must be true or false, not 1"),
        ("kill", {"task_id": 7}, "task_id must be a text of 1 to 200 characters, not 7"),
        ("kill", {"task_id": "x" * 300}, "task_id must be a text of 1 to 200 characters, not "),
        ("hole", {"seconds": 0}, "seconds must be a number from 0.1 to 3,600, not 0"),
        ("deploy", [], "a JSON object is needed, not []"),
        ("deploy", {"revision": 3}, "revision is not a value of this control; it takes none"),
    ],
)
def test_a_value_that_cannot_be_is_named_and_nothing_happens(control: str, values: object, sentence: str) -> None:
    async def act(page: Page, cloud: FakeCloud, session: ClientSession) -> None:
        status, said = await ask(session, page, control, values)

        assert status == 400
        assert str(said["error"]).startswith(sentence)
        assert (cloud.service.sent, cloud.service.revision, cloud.service.is_scaled) == (0, 1, True)

    visit(act)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"count": NaN, "job_ms": 1}', b'{"count": 1e400, "job_ms": 1}'])
def test_what_is_not_json_or_no_number_is_refused(body: bytes) -> None:
    async def act(page: Page, cloud: FakeCloud, session: ClientSession) -> None:
        headers = {"Content-Type": "application/json"}
        async with session.post(f"{page.url}do/send", data=body, headers=headers) as answer:
            assert answer.status == 400
        assert cloud.service.sent == 0

    visit(act)


def test_what_the_cloud_cannot_do_is_answered_with_its_own_sentence() -> None:
    async def act(page: Page, cloud: FakeCloud, session: ClientSession) -> None:
        assert await ask(session, page, "set_desired", {"count": 99}) == (
            409,
            {"error": "99 tasks are outside 0 to 12"},
        )
        assert await ask(session, page, "kill", {"task_id": "nobody"}) == (409, {"error": "there is no task nobody"})
        async with session.get(f"{page.url}logs/nobody") as answer:
            assert (answer.status, await answer.json()) == (404, {"error": "there is no task nobody"})

    visit(act)


def test_a_control_that_is_not_there_is_told_with_those_that_are() -> None:
    async def act(page: Page, cloud: FakeCloud, session: ClientSession) -> None:
        for name in ("picture", "log_lines", "__init__", "shutdown"):
            status, said = await ask(session, page, name, {})
            assert status == 404
            assert "there are send, set_rate" in said["error"]

    visit(act)


def test_every_control_has_its_method_and_acts_on_the_cloud() -> None:
    values: dict[str, object] = {
        "count": 3, "job_ms": 60_000, "per_s": 2.0, "is_scaled": False, "is_frozen": True, "seconds": 9.0,
    }  # fmt: skip

    async def act(page: Page, cloud: FakeCloud, session: ClientSession) -> None:
        for name, control in CONTROLS.items():
            cloud.service.desired = 1
            cloud.advance(4)
            values["task_id"] = cloud.service.live()[0].task_id
            status, said = await ask(session, page, name, {value: values[value] for value in control.values})
            assert (name, status, "result" in said) == (name, 200, True)

        assert (cloud.service.sent >= 3, cloud.service.revision) == (True, 2)
        assert [task.exit_code for task in cloud.service.tasks].count(137) == 1

    visit(act)


def test_the_charts_library_comes_from_its_wheel_and_is_not_sent_twice() -> None:
    async def act(page: Page, cloud: FakeCloud, session: ClientSession) -> None:
        async with session.get(f"{page.url}static/plotly.min.js") as answer:
            assert answer.content_type == "text/javascript"
            assert b"plotly.js v" in (await answer.read())[:200]
            tag = answer.headers["ETag"]
        async with session.get(f"{page.url}static/plotly.min.js", headers={"If-None-Match": tag}) as answer:
            assert (answer.status, await answer.read()) == (304, b"")

    visit(act)


def test_without_the_library_the_page_says_how_to_get_it() -> None:
    async def act(page: Page, cloud: FakeCloud, session: ClientSession) -> None:
        async with session.get(f"{page.url}static/plotly.min.js") as answer:
            assert answer.status == 404
        async with session.get(page.url) as answer:
            assert "pip install 'forebay[local]'" in await answer.text()
        async with session.get(f"{page.url}events") as answer:
            _, first = await next_frame(answer.content)
            assert first["has_charts"] is False

    visit(act, with_charts=False)


@pytest.mark.parametrize("name", ["..%2fserver.py", "%2e%2e%2fguard.py", "..", "%2fetc%2fpasswd", "nothing.js"])
def test_nothing_but_the_pages_own_files_is_served(name: str) -> None:
    async def act(page: Page, cloud: FakeCloud, session: ClientSession) -> None:
        address = page.url.removeprefix("http://").rstrip("/")
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address.partition(":")[2]))
        writer.write(f"GET /static/{name} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
        said = await reader.read()
        writer.close()
        await writer.wait_closed()

        assert said.split(b" ")[1] == b"404"
        assert b"import" not in said

    visit(act)


def test_many_viewers_get_one_picture_that_was_drawn_once() -> None:
    async def act(page: Page, cloud: FakeCloud, session: ClientSession) -> None:
        answers = [await session.get(f"{page.url}events") for _ in range(8)]
        firsts = [await next_frame(answer.content) for answer in answers]
        begun = cloud.pictures
        seconds = [await next_frame(answer.content) for answer in answers]
        thirds = [await next_frame(answer.content) for answer in answers]

        assert {event for event, _ in firsts} == {"first"}
        assert {event for event, _ in (*seconds, *thirds)} == {"picture"}
        assert cloud.pictures - begun <= page.stream.drawn <= 4
        assert all(frame == seconds[0] for frame in seconds)
        for answer in answers:
            answer.close()

    visit(act)


def test_nothing_is_drawn_when_nobody_looks() -> None:
    async def act(page: Page, cloud: FakeCloud, session: ClientSession) -> None:
        async with session.get(f"{page.url}events") as answer:
            await next_frame(answer.content)
            await next_frame(answer.content)
            answer.close()
        async with asyncio.timeout(SOON_S):
            while page.stream.viewers:
                async with session.get(f"{page.url}_forebay/who") as answer:
                    await answer.read()
        drawn = cloud.pictures
        await asyncio.sleep(1.2)  # stands for work: more than two periods pass

        assert cloud.pictures == drawn

    visit(act)


def test_a_viewer_who_takes_nothing_is_dropped_and_the_others_go_on() -> None:
    async def run() -> None:
        cloud = FakeCloud()
        cloud.service.name = "x" * 200_000  # So that a few pictures fill what the system keeps for a slow reader.
        page = Page(cloud, 0)
        page.stream = Stream(cloud, has_charts=False, period_s=0.02, stall_s=0.3)
        async with asyncio.timeout(30), page, ClientSession(read_bufsize=2**22) as session:
            address = page.url.removeprefix("http://").rstrip("/")
            with socket.create_connection(("127.0.0.1", int(address.partition(":")[2]))) as slow:
                slow.sendall(f"GET /events HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
                async with session.get(f"{page.url}events") as answer:
                    await next_frame(answer.content)
                    assert page.stream.viewers == 2
                    while page.stream.viewers == 2:
                        await next_frame(answer.content)
                    assert (await next_frame(answer.content))[0] == "picture"
                    answer.close()

    asyncio.run(run())


def test_a_comparison_is_sent_only_when_it_has_changed() -> None:
    async def act(page: Page, cloud: FakeCloud, session: ClientSession) -> None:
        async with session.get(f"{page.url}events") as answer:
            await next_frame(answer.content)
            await ask(session, page, "compare", {"count": 10, "job_ms": 500})
            frames = [(await next_frame(answer.content))[1] for _ in range(3)]
            answer.close()

        assert sum("comparison" in frame for frame in frames) == 1

    visit(act)


def test_a_port_that_is_taken_by_another_page_is_told_with_who_has_it() -> None:
    async def act(page: Page, cloud: FakeCloud, session: ClientSession) -> None:
        port = int(page.url.rstrip("/").rpartition(":")[2])
        who = await asyncio.to_thread(who_is_at, port)
        assert who is not None
        with pytest.raises(SettingsError, match=rf"taken by another `forebay local` \(process {who['process_id']}, "):
            async with Page(FakeCloud(), port):
                pass

    visit(act)
