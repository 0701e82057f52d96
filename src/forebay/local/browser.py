"""Shows the page in the user's browser.

Rules kept here and nowhere else:

1. Nobody waits for a browser: one that runs in the terminal comes back only when it is closed.
"""

from __future__ import annotations

import asyncio
import threading
import webbrowser
from collections.abc import Callable


def open_in_browser(url: str, *, on_failure: Callable[[], None]) -> None:
    """Open `url` in the background; `on_failure` is called on the running loop when there is no browser to do it."""
    loop = asyncio.get_running_loop()

    def open_it() -> None:
        if not webbrowser.open(url):
            try:
                loop.call_soon_threadsafe(on_failure)
            except RuntimeError:
                return  # The run is over, and nobody is left to be told.

    threading.Thread(target=open_it, name="forebay-browser", daemon=True).start()
