"""Where the service is, for which Region we sign, and with whose credentials: our settings first, then botocore's.

Rules kept here and nowhere else:

1. With an endpoint and credentials in the environment, botocore is never loaded (it costs 140 ms). It resolves all
   else: profiles, SSO, container and instance credentials, dual-stack and FIPS endpoints, proxies. What it reads by
   itself comes from the process's environment and from the files in `~/.aws`.
2. Endpoint: AWS_ENDPOINT_URL_SQS, else AWS_ENDPOINT_URL, else the queue URL's own when that is plain HTTP (no queue
   of AWS's is), else botocore's. Region: QUEUE_REGION, else AWS_REGION, else AWS_DEFAULT_REGION, else the profile's,
   else the one in the queue URL.
3. botocore blocks, so everything that touches it runs in a thread.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from forebay.errors import Fault, FaultKind, QueueError, SettingsError
from forebay.queue.keyring import CredentialSource, StaticCredentials
from forebay.queue.signing import Credentials
from forebay.queue.transport import Endpoint

if TYPE_CHECKING:
    from botocore.session import Session

REGION_OF_LOCAL_SERVERS = "us-east-1"
"""Signed for when an explicit endpoint is given and no Region: emulators do not care."""

_REGION_IN_HOST = re.compile(
    r"(?:^|\.)sqs(?:-fips)?\.([a-z]{2}[a-z0-9-]*-\d+)\.|^([a-z]{2}[a-z0-9-]*-\d+)\.queue\.|^(queue)\.amazonaws\.com$"
)

_NO_CREDENTIALS = (
    "no AWS credentials were found. On ECS give the task definition a task role (taskRoleArn); elsewhere set "
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConfig:
    """What the environment says about reaching SQS. Everything left out is botocore's to find."""

    endpoint_url: str | None = None
    region: str | None = None
    credentials: Credentials | None = field(default=None, repr=False)
    ca_bundle: str | None = None
    """A file of CA certificates to trust instead of the system's."""
    has_proxy: bool = False
    """Whether the environment names any proxy, so that botocore must be asked."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> ClientConfig:
        """Read what `environment` says; it is not kept."""

        def first(*names: str) -> str | None:
            return next((environment[name].strip() for name in names if environment.get(name, "").strip()), None)

        is_ignored = environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").strip().lower() == "true"
        return cls(
            endpoint_url=None if is_ignored else first("AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL"),
            region=first("QUEUE_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"),
            credentials=_static_credentials(environment),
            ca_bundle=first("AWS_CA_BUNDLE"),
            has_proxy=any(
                value.strip() for name, value in environment.items() if name.lower() in ("http_proxy", "https_proxy")
            ),
        )


@dataclass(frozen=True, slots=True)
class Location:
    """Where requests for a queue go."""

    endpoint: Endpoint
    region: str
    proxy: str | None = field(default=None, repr=False)
    """The proxy's URL. It may hold a password."""
    ca_bundle: str | None = None


def _static_credentials(environment: Mapping[str, str]) -> Credentials | None:
    access_key = environment.get("AWS_ACCESS_KEY_ID", "").strip()
    secret_key = environment.get("AWS_SECRET_ACCESS_KEY", "").strip()
    # With an expiry the values are somebody's to refresh: botocore knows how.
    if not access_key or not secret_key or environment.get("AWS_CREDENTIAL_EXPIRATION"):
        return None
    token = environment.get("AWS_SESSION_TOKEN", "") or environment.get("AWS_SECURITY_TOKEN", "")
    return Credentials(access_key, secret_key, token.strip() or None)


def region_in(queue_url: str) -> str | None:
    """Return the Region that a queue's URL names, or None."""
    found = _REGION_IN_HOST.search(_host(queue_url))
    if found is None:
        return None
    return found[1] or found[2] or "us-east-1"


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _own_endpoint(queue_url: str) -> str | None:
    """Return the origin of a queue URL that cannot be AWS's."""
    try:
        parts = urlsplit(queue_url)
    except ValueError:
        return None
    return f"http://{parts.netloc}" if parts.scheme == "http" and parts.netloc else None


class Resolver:
    """Answers where and as whom, from settings and, when they do not suffice, from botocore. Blocks; thread-safe."""

    def __init__(self, config: ClientConfig) -> None:
        self._config = config
        self._lock = threading.Lock()
        self._session: Session | None = None

    def credential_source(self) -> CredentialSource:
        """Return where credentials come from. Does not block."""
        if self._config.credentials is not None:
            return StaticCredentials(self._config.credentials)
        return _BotocoreCredentials(self)

    def locate(self, queue_url: str) -> Location:
        """Return where requests for the queue go. Raises `QueueError`."""
        config = self._config
        try:
            endpoint_url = config.endpoint_url or _own_endpoint(queue_url)
            if endpoint_url and (config.region or config.credentials):
                region = config.region or region_in(queue_url) or REGION_OF_LOCAL_SERVERS
                ca_bundle = config.ca_bundle
            else:
                endpoint_url, region, ca_bundle = self._ask_botocore(endpoint_url, queue_url)
            endpoint = Endpoint.parse(endpoint_url)
        except SettingsError as error:
            raise QueueError(Fault(FaultKind.REFUSED, "BadEndpoint", str(error))) from error
        proxy = _proxy_for(endpoint) if config.has_proxy else None
        return Location(endpoint, region, proxy, ca_bundle)

    def session(self, *, is_fresh: bool = False) -> Session:
        """Return botocore's session, a new one if `is_fresh`."""
        with self._lock:
            if self._session is None or is_fresh:
                import botocore.session

                self._session = botocore.session.Session()
            return self._session

    def _ask_botocore(self, endpoint_url: str | None, queue_url: str) -> tuple[str, str, str | None]:
        from botocore.exceptions import BotoCoreError

        try:
            session = self.session()
            region = self._config.region or session.get_config_variable("region") or region_in(queue_url)
            if not region and not endpoint_url:
                raise QueueError(
                    Fault(FaultKind.REFUSED, "NoRegion", "no AWS Region is known: set AWS_REGION (or QUEUE_REGION)")
                )
            region = str(region or REGION_OF_LOCAL_SERVERS)
            verify = session.get_config_variable("ca_bundle")
            ca_bundle = self._config.ca_bundle or (str(verify) if verify else None)
            if endpoint_url is None:
                # Placeholder keys: resolving an endpoint must not go looking for credentials.
                client: Any = session.create_client(
                    "sqs",
                    region_name=region,
                    aws_access_key_id="unused",
                    aws_secret_access_key="unused",  # noqa: S106
                )
                endpoint_url, region = str(client.meta.endpoint_url), str(client.meta.region_name)
                client.close()
        except BotoCoreError as error:
            raise QueueError(Fault(FaultKind.REFUSED, type(error).__name__, str(error))) from error
        return endpoint_url, region, ca_bundle


class _BotocoreCredentials:
    """Credentials as botocore's chain of providers finds them."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._found: Any = None

    def load(self) -> Credentials:
        is_fresh = self._found is not None  # asked again after a refusal: forget what was cached
        session = self._resolver.session(is_fresh=is_fresh)
        found = _careful(session.get_credentials)
        if found is None:
            raise QueueError(Fault(FaultKind.CREDENTIALS, "NoCredentials", _NO_CREDENTIALS))
        self._found = found
        return self.refresh()

    def refresh(self) -> Credentials:
        frozen = _careful(self._found.get_frozen_credentials)
        if not frozen.access_key or not frozen.secret_key:
            raise QueueError(Fault(FaultKind.CREDENTIALS, "NoCredentials", _NO_CREDENTIALS))
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token or None)

    def expires_within(self, seconds: float) -> bool:
        ask = getattr(self._found, "refresh_needed", None)
        return bool(ask(seconds)) if ask is not None else False


def _careful(ask: Any) -> Any:
    """Call into botocore's providers and translate what they raise."""
    from botocore import exceptions

    try:
        return ask()
    except (
        exceptions.CredentialRetrievalError,
        exceptions.MetadataRetrievalError,
        exceptions.ConnectionError,
        exceptions.HTTPClientError,
    ) as error:
        # The credential endpoint is in trouble: it may well answer a little later.
        raise QueueError(Fault(FaultKind.UNAVAILABLE, type(error).__name__, str(error))) from error
    except (exceptions.BotoCoreError, exceptions.ClientError) as error:
        raise QueueError(Fault(FaultKind.CREDENTIALS, type(error).__name__, str(error))) from error
    except (OSError, ValueError, RuntimeError, LookupError, TypeError) as error:
        # RuntimeError: "Credentials were refreshed, but the refreshed credentials are still expired."
        # The others: a file that cannot be read, or an endpoint's answer that is not what botocore believes it is.
        raise QueueError(Fault(FaultKind.CREDENTIALS, type(error).__name__, str(error))) from error


def _proxy_for(endpoint: Endpoint) -> str | None:
    """Return the proxy that botocore would use for this endpoint."""
    from botocore.httpsession import ProxyConfiguration
    from botocore.utils import get_environ_proxies

    found = ProxyConfiguration(get_environ_proxies(endpoint.url)).proxy_url_for(endpoint.url)
    return str(found) if found else None
