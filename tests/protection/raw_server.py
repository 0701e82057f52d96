"""A server of raw bytes, for answers that no agent would give."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
from anyio.abc import SocketStream


@asynccontextmanager
async def raw_server(said: bytes | None) -> AsyncGenerator[str, None]:
    """Serve `said` to whoever asks and cut the connection; None: never answer. Yields the address."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)

    async def answer(stream: SocketStream) -> None:
        async with stream:
            try:
                await stream.receive()
                if said is None:
                    await anyio.sleep_forever()
                else:
                    await stream.send(said)
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                pass  # The client has left, as it may.

    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, answer)
        yield f"http://127.0.0.1:{port}/api/worker-1"
        tasks.cancel_scope.cancel()


def http(status: str, body: str | bytes = b"", *headers: str) -> bytes:
    """Return an HTTP answer as bytes."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + content
