"""Who may speak to the page: a browser that shows it, and programs of this machine; never another web page.

Rules kept here and nowhere else:

1. Every request names this server in its Host header. A name elsewhere that resolves to this machine (DNS rebinding)
   is turned away.
2. A request that says where it comes from (Origin, Sec-Fetch-Site) comes from the page itself, or was typed.
3. Every answer forbids what the page does not need: scripts, requests and frames of anywhere else, and inline scripts.
"""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "connect-src 'self'",
            "img-src 'self' data:",
            # Plotly writes a style sheet of its own and style attributes into the charts. A style can run nothing.
            "style-src 'self' 'unsafe-inline'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
NAMES = ("127.0.0.1", "localhost")
"""What this machine may be called by in the address bar."""
OWN_SITES = ("same-origin", "none")
"""`Sec-Fetch-Site` of the page's own requests, and of an address that was typed."""


class Guard:
    """Turns away what must not come in, and puts the headers on what goes out."""

    def __init__(self, port: int) -> None:
        self._hosts = {f"{name}:{port}" for name in NAMES}

    def refusal(self, request: web.BaseRequest) -> str | None:
        """Return why a request is turned away; None: it is not."""
        host = request.headers.get("Host", "")
        if host.lower() not in self._hosts:
            return f"this server answers to {' and '.join(sorted(self._hosts))} only, not to another Host"
        origin = request.headers.get("Origin")
        if origin is not None and origin.lower() != f"http://{host.lower()}":
            return "another web page may not use this server (Origin)"
        if request.headers.get("Sec-Fetch-Site", "none").lower() not in OWN_SITES:
            return "another web page may not use this server (Sec-Fetch-Site); type its address, or reload"
        return None

    @property
    def middleware(self) -> Middleware:
        """The guard as aiohttp wants it."""

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            refusal = self.refusal(request)
            if refusal is not None:
                return web.json_response({"error": refusal}, status=403)
            return await handler(request)

        return guard


async def add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Put the headers on every answer, also on those that aiohttp makes itself."""
    response.headers.update(HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
