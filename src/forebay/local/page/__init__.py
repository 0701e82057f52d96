"""The live page of the local cloud: `async with Page(cloud, port) as page: page.url`."""

from forebay.local.page.server import Page, who_is_at

__all__ = ["Page", "who_is_at"]
