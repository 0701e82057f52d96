"""What answers and is not AWS is told in one sentence, by whichever command meets it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from forebay.cli.main import carry_out
from forebay.deploy.clients import Clients
from forebay.deploy.trouble import explained
from forebay.errors import DeployError

VERBS = ("diff", "delete --yes", "env ls", "status", "logs", "scale 2", "exec", "doctor --live", "deploy --image a/b:c")
PAGE = b"<html><body>Please log in</body></html>"

Answer = Callable[[int, bytes], None]


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Answer]:
    """A service that gives everybody one answer, with the environment of this process leading to it."""
    given: list[tuple[int, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body = given[-1]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "eu-central-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.chdir(tmp_path)
    Path("forebay.yml").write_text("name: thumbnails\n")
    yield lambda status, body: given.append((status, body))
    server.shutdown()
    server.server_close()
    thread.join()


OTHERS = ((200, b""), (200, b"{}"), (200, b"[]"), (403, PAGE), (404, b""), (400, b"null"))


@pytest.mark.parametrize(
    ("verb", "status", "body"),
    [(verb, 200, PAGE) for verb in VERBS] + [(verb, *other) for verb in ("diff", "logs") for other in OTHERS],
)
def test_what_is_no_answer_of_aws_is_told_by_every_command(
    answering: Answer, capsys: pytest.CaptureFixture[str], verb: str, status: int, body: bytes
) -> None:
    answering(status, body)

    ended = carry_out(verb.split()[0], verb.split()[1:])

    said = capsys.readouterr().err.splitlines()[-1]
    assert ended == 1, said
    assert "the answer is none of AWS's: look at AWS_ENDPOINT_URL" in said


@pytest.mark.parametrize("verb", ["diff", "status", "doctor --live"])
@pytest.mark.parametrize("body", [b"", b"[]", b"<p>no"])
def test_a_proxy_that_fails_is_told_by_its_status(
    answering: Answer, capsys: pytest.CaptureFixture[str], verb: str, body: bytes
) -> None:
    answering(502, body)

    ended = carry_out(verb.split()[0], verb.split()[1:])

    said = capsys.readouterr().err.splitlines()[-1]
    assert ended == 1, said
    assert said.endswith("AWS says 502: Bad Gateway")


def test_an_answer_of_cloudwatch_is_looked_at_as_well(answering: Answer) -> None:
    answering(200, PAGE)

    with pytest.raises(DeployError, match="the answer is none of AWS's"), explained("reading alarms"):
        Clients().cloudwatch.describe_alarms()


@pytest.mark.parametrize(("name", "value"), [("AWS_ENDPOINT_URL", "localhost:5000"), ("AWS_MAX_ATTEMPTS", "many")])
def test_a_setting_for_aws_that_cannot_be_read_is_told_with_its_value(
    answering: Answer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    ended = carry_out("status", [])

    said = capsys.readouterr().err
    assert ended == 1
    assert value in said
    assert "Look at AWS_ENDPOINT_URL, the other AWS_… variables and the AWS profile" in said
