"""What AWS's refusals mean to the person who ran a command: one sentence each, with the remedy.

Rules kept here and nowhere else:

1. Every call of a deployment to AWS runs inside `explained`, so that no traceback of botocore reaches a user.
2. A sentence says what was being done, what AWS said, and what to do. A missing permission is named as IAM spells it.
3. Nothing is repeated here: botocore has repeated what can be by the time that an error arrives.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from forebay.deploy.answers import NoAnswer
from forebay.errors import DeployError

DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "NotAuthorized")
EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired")
NOT_ACCEPTED = (
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "IncompleteSignature",
    "AuthFailure",
    "InvalidAccessKeyId",
    "MissingAuthenticationToken",
)
THROTTLED = (
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "RequestThrottledException",
)
SKEWED = ("RequestTimeTooSkewed", "RequestInTheFuture")

LOG_IN = "run `aws sso login` or `aws configure`, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"

NO_CREDENTIALS = (
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.CredentialRetrievalError,
    exceptions.TokenRetrievalError,
    exceptions.NoAuthTokenError,
)
SIGNED_OUT = (exceptions.UnauthorizedSSOTokenError, exceptions.SSOTokenLoadError)
UNREACHABLE = (
    exceptions.ConnectionError,
    exceptions.HTTPClientError,
    exceptions.EndpointConnectionError,
    exceptions.ConnectTimeoutError,
    exceptions.ReadTimeoutError,
)

_DENIAL = re.compile(
    r"(?:User|Role): (?P<principal>\S+) is not authorized to perform: (?P<action>[\w*-]+:[\w*]+)"
    r"(?: on resource: (?P<resource>[^\s,]+))?"
)


@contextmanager
def explained(doing: str) -> Generator[None]:
    """Turn an error of botocore inside the block into a `DeployError`. `doing`: "reading the stack", a participle."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise told(error, doing=doing) from error
    except ResponseParserError as error:  # Of a protocol that `answers` does not look at.
        raise told(NoAnswer(), doing=doing) from error


def told(error: ClientError | BotoCoreError, *, doing: str) -> DeployError:
    """Return the error as one sentence with its remedy."""
    if isinstance(error, ClientError):
        return DeployError(f"{doing}: {_refusal(error)}")
    return DeployError(f"{doing}: {_obstacle(error)}")


def code_of(error: ClientError) -> str:
    """Return the service's own word for an error."""
    return str(_answer(error).get("Code", "Unknown"))


def is_throttled(error: ClientError) -> bool:
    return code_of(error) in THROTTLED


def is_failure(error: ClientError) -> bool:
    """Return whether the service failed, rather than refused: it may work a little later."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)) >= 500


def message_of(error: ClientError) -> str:
    """Return what the service says of an error, on one line."""
    return " ".join(str(_answer(error).get("Message", "")).split())


def _answer(error: ClientError) -> dict[str, Any]:
    response = cast("dict[str, Any]", error.response)
    found: dict[str, Any] = response.get("Error", {})
    return found


def _refusal(error: ClientError) -> str:
    code, message = code_of(error), message_of(error)
    # A proxy, or an emulator, may answer in another protocol than the service's: the sentence is the same then.
    if code in DENIED or code.endswith(".AccessDenied") or _DENIAL.search(message):
        return _denial(error, message)
    if code in EXPIRED:
        return f"the credentials have expired ({code}): {LOG_IN}"
    if code in NOT_ACCEPTED:
        return f"AWS does not accept the credentials ({code}): {LOG_IN}"
    if code in THROTTLED:
        return f"AWS asks for fewer requests ({code}), after several tries: wait a minute and run the command again"
    if code in SKEWED:
        return f"this machine's clock differs from AWS's by too much ({code}): set it, and run the command again"
    if code == "OptInRequired":
        return "this account has not signed up for the service, or not enabled the Region (OptInRequired)"
    return f"AWS says {code}: {message}" if message else f"AWS says {code}"


def _denial(error: ClientError, message: str) -> str:
    found = _DENIAL.search(message)
    if found is None:
        # No sentence names it, so the operation that was called does, as the service's permission is mostly spelt.
        return f"access denied to {_operation(error)}: {message or 'no reason is given'}; add that permission"
    resource = f" on {found['resource']}" if found["resource"] else ""
    return f"{found['principal']} lacks the permission {found['action']}{resource}: add it to that user or role"


def _operation(error: ClientError) -> str:
    return str(getattr(error, "operation_name", "") or "the call")


def _obstacle(error: BotoCoreError) -> str:
    details = cast("dict[str, Any]", getattr(error, "kwargs", {}))
    match error:
        case exceptions.NoRegionError():
            return "no AWS Region is set: set AWS_REGION, or `region` in the AWS profile"
        case exceptions.ProfileNotFound():
            return f"there is no AWS profile {details.get('profile')!r} (AWS_PROFILE): `aws configure list-profiles`"
        case NoAnswer():
            return f"{error}: look at AWS_ENDPOINT_URL, HTTPS_PROXY and what stands between"
        case _ if isinstance(error, SIGNED_OUT):
            return "the single sign-on session has ended: run `aws sso login`"
        case _ if isinstance(error, NO_CREDENTIALS):
            return f"no AWS credentials are found ({type(error).__name__}): {LOG_IN}"
        case _ if isinstance(error, UNREACHABLE):
            where = str(details.get("endpoint_url") or details.get("proxy_url") or "AWS")
            return (
                f"{where} cannot be reached ({type(error).__name__}): look at the network, AWS_ENDPOINT_URL, "
                "HTTPS_PROXY and the Region's spelling"
            )
        case _:
            return f"{type(error).__name__}: {error}"
