"""The files of the page: our own, and the charts' library out of its own package.

Rules kept here and nowhere else:

1. Only files that lie in `static/` are served, by their names; no path is ever put together from a request.
2. The charts' JavaScript comes from the installed plotly package. Without it the page works, without charts.
3. A browser asks each time whether a file has changed (ETag): a new version is never shown with an old one's files.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec

from aiohttp import web
from aiohttp.typedefs import LooseHeaders

CHARTS = "plotly.min.js"
INDEX = "index.html"
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class Files:
    """What is served under `/` and `/static/`."""

    def __init__(self, *, with_charts: bool = True) -> None:
        """Find them. Without charts: as if there were no library for them."""
        own = files("forebay.local.page").joinpath("static")
        self._files: dict[str, Traversable] = {
            file.name: file for file in own.iterdir() if _suffix(file.name) in TYPES and file.is_file()
        }
        charts = _charts_file() if with_charts else None
        if charts is not None:
            self._files[CHARTS] = charts
        self._read: dict[str, tuple[bytes, str]] = {}
        self.has_charts = charts is not None

    @property
    def names(self) -> frozenset[str]:
        """What there is."""
        return frozenset(self._files)

    def answer(self, request: web.Request, name: str) -> web.Response:
        """Return a file, or word that the browser's copy is good, or that there is none."""
        file = self._files.get(name)
        if file is None:
            return web.json_response({"error": "there is no such file"}, status=404)
        content, tag = self._content(name, file)
        headers: LooseHeaders = {"ETag": tag, "Cache-Control": "no-cache"}
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=content, content_type=TYPES[_suffix(name)], charset="utf-8", headers=headers)

    def _content(self, name: str, file: Traversable) -> tuple[bytes, str]:
        """Return a file's bytes and tag. The charts' library is read once; ours each time, as they may be edited."""
        known = self._read.get(name)
        if known is not None:
            return known
        content = file.read_bytes()
        found = content, f'"{hashlib.sha256(content).hexdigest()[:20]}"'
        if name == CHARTS:
            self._read[name] = found
        return found


def _charts_file() -> Traversable | None:
    """Find the library's file without importing the library, which takes a second."""
    if find_spec("plotly") is None:
        return None
    file = files("plotly").joinpath("package_data", CHARTS)
    return file if file.is_file() else None


def _suffix(name: str) -> str:
    return name[name.rfind(".") :]
