"""The live page of the local cloud: `async with Page(cloud, port) as page: page.url`."""

from forebay.local.page.server import Page

__all__ = ["Page"]
