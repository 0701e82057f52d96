"""Which transport leads to a place, and whose certificates it trusts."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from forebay.queue.direct import DirectTransport
from forebay.queue.proxied import ProxiedTransport
from forebay.queue.resolve import Location
from forebay.queue.transport import Transport

TransportFactory = Callable[[Location, int], Transport]
"""Makes a transport to a place, with at most so many connections."""


def connect(location: Location, connections_max: int) -> Transport:
    """Return a transport to `location`: aiohttp's where a proxy stands in between, else ours. Opens nothing yet."""

    def tls() -> ssl.SSLContext:
        return tls_context(location.ca_bundle)

    if location.proxy is None:
        return DirectTransport(location.endpoint, connections_max=connections_max, tls=tls)
    return ProxiedTransport(location.endpoint, proxy=location.proxy, connections_max=connections_max, tls=tls)


@lru_cache(maxsize=8)
def tls_context(ca_bundle: str | None) -> ssl.SSLContext:
    """Return TLS settings that trust `ca_bundle`, else the system's certificates, else those that botocore brings.

    Made once: all connections of the process share them.
    """
    if ca_bundle is not None:
        return ssl.create_default_context(cafile=ca_bundle)
    context = ssl.create_default_context()
    if not _has_certificates(ssl.get_default_verify_paths()):  # a container image without ca-certificates
        from botocore.httpsession import DEFAULT_CA_BUNDLE

        context.load_verify_locations(cafile=str(DEFAULT_CA_BUNDLE))
    return context


def _has_certificates(paths: ssl.DefaultVerifyPaths) -> bool:
    return bool(paths.cafile) or (bool(paths.capath) and any(Path(paths.capath).glob("*")))
