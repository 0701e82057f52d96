"""Task protection through the ECS agent's endpoint: what its answers mean.

Rules kept here and nowhere else:

1. HTTP 200 is consent only with a `protection` in the body; with a `failure` it is a refusal.
2. What is left of a hold is ExpirationDate less the answer's own Date (two clocks of AWS, none of ours), at most the
   minutes asked for, counted on the monotonic clock from when the question was put.
3. A write that was sent and not clearly answered may have been carried out: the answer says so (`is_unknown`).
4. A client's fault that the agent or ECS names lasts; throttling, server faults and silence pass.

The answers are tabled in facts/ecs-task-protection.md section 1; `docs/protection.md` repeats them for operators.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

from forebay.clock import Clock, SystemClock
from forebay.protection.agent_http import ANSWER_TIMEOUT_S, Address, Answer, NoAnswer, ask
from forebay.protection.port import Held, ProtectionAnswer, Refused, Unheld

STATE_PATH = "/task-protection/v1/state"
AGENT_URI_VARIABLE = "ECS_AGENT_URI"

PASSING_CODES = frozenset(
    {
        "ThrottlingException",
        "Throttling",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "RequestCanceled",
        "RequestError",
        "RequestTimeout",
        "ServerException",
        "ServiceUnavailable",
        "InternalFailure",
        "ExpiredTokenException",
        "RequestExpired",
    }
)
"""Codes that pass by themselves, whatever status they come with. Task-role credentials are renewed by the agent."""

LASTING_REASONS = frozenset({"TASK_NOT_VALID", "MISSING"})
"""`failure.Reason`s that no waiting mends. Others (DEPLOYMENT_BLOCKED, and words yet to come) pass."""

NOT_FOUND_BY_AGENT = "Failed to find a task for the request"
"""The agent's own 500: ECS was never asked, so nothing can have happened."""

DETAIL_MAX_CHARS = 500


class EcsProtection:
    """The `Protection` that asks the ECS agent of this task."""

    def __init__(self, agent_uri: str, *, clock: Clock | None = None, timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        """Take the value of `ECS_AGENT_URI`. Raises `SettingsError` when it is no http:// address."""
        self._address = Address.parse(agent_uri, variable=AGENT_URI_VARIABLE)
        self._clock = clock if clock is not None else SystemClock()
        self._timeout_s = timeout_s

    async def hold(self, *, minutes: int) -> ProtectionAnswer:
        """Protect the task for `minutes` from now."""
        assert 1 <= minutes <= 2880, minutes
        return await self._put({"ProtectionEnabled": True, "ExpiresInMinutes": minutes}, minutes)

    async def unhold(self) -> ProtectionAnswer:
        """Clear the protection."""
        # ExpiresInMinutes is left out: what ECS makes of it beside `false` is not documented.
        return await self._put({"ProtectionEnabled": False}, None)

    async def look(self) -> ProtectionAnswer:
        """Ask for the present state."""
        asked_at = self._clock.now()
        try:
            answer = await ask(self._address, STATE_PATH, timeout_s=self._timeout_s)
        except NoAnswer as error:
            return Refused(error.reason, is_lasting=False, detail=error.detail)
        return read_answer(answer, asked_at=asked_at, utc=self._clock.utc(), minutes=None, is_write=False)

    async def aclose(self) -> None:
        """Nothing is kept open between two calls."""

    async def _put(self, body: Mapping[str, Any], minutes: int | None) -> ProtectionAnswer:
        asked_at = self._clock.now()
        try:
            answer = await ask(
                self._address, STATE_PATH, method="PUT", body=json.dumps(body).encode(), timeout_s=self._timeout_s
            )
        except NoAnswer as error:
            return Refused(error.reason, is_lasting=False, detail=error.detail, is_unknown=error.was_sent)
        return read_answer(answer, asked_at=asked_at, utc=self._clock.utc(), minutes=minutes, is_write=True)


def read_answer(
    answer: Answer, *, asked_at: float, utc: datetime, minutes: int | None, is_write: bool
) -> ProtectionAnswer:
    """Return what `answer` means. `minutes` are those asked for; `utc` is used only where the answer has no Date."""
    if answer.status == 429:
        # The agent's own limiter, 40 requests a second: plain text, and ECS was not asked.
        return Refused("TooManyRequests", is_lasting=False, detail="the ECS agent's request limit")
    if 300 <= answer.status < 400:
        detail = f"the agent answers with a redirect ({answer.status}); check ECS_AGENT_URI for a doubled slash"
        return Refused("Redirected", is_lasting=True, detail=detail)
    content = _object(answer.body)
    error, failure = _object_in(content, "error"), _object_in(content, "failure")
    if error is not None or answer.status != 200:
        return _refused_by_error(answer.status, error or {}, is_write=is_write)
    if failure is not None:
        reason = _text(failure, "Reason") or "UnreadableAnswer"
        return Refused(reason, is_lasting=reason in LASTING_REASONS, detail=_text(failure, "Detail"))
    protection = _object_in(content, "protection")
    if protection is not None:
        stated = _stated(protection, answer, asked_at=asked_at, utc=utc, minutes=minutes)
        if stated is not None:
            return stated
    detail = "HTTP 200 with neither protection nor failure nor error: is ECS_AGENT_URI the ECS agent's?"
    return Refused("UnreadableAnswer", is_lasting=False, detail=detail, is_unknown=is_write)


def _stated(
    protection: Mapping[str, Any], answer: Answer, *, asked_at: float, utc: datetime, minutes: int | None
) -> Held | Unheld | None:
    """Return the state that ECS names, or None when it cannot be understood."""
    is_enabled = _field(protection, "ProtectionEnabled")
    if is_enabled is False:
        return Unheld()
    if is_enabled is not True:
        return None
    expires = _instant(_field(protection, "ExpirationDate"))
    if expires is None and minutes is None:
        return None
    left_s = float("inf") if expires is None else (expires - (_date(answer) or utc)).total_seconds()
    if minutes is not None:
        left_s = min(left_s, 60.0 * minutes)
    return Held(until_at=asked_at + max(left_s, 0.0))


def _refused_by_error(status: int, error: Mapping[str, Any], *, is_write: bool) -> Refused:
    code = _text(error, "Code") or f"HTTP{status}"
    message = _text(error, "Message")
    if status == 405 and not error:
        message = "the address answers, but not as the task protection endpoint: it needs ECS agent 1.65 or later"
    is_lasting = status < 500 and status != 408 and code not in PASSING_CODES
    is_unknown = is_write and status >= 500 and message != NOT_FOUND_BY_AGENT
    return Refused(code, is_lasting=is_lasting, detail=message, is_unknown=is_unknown)


def _date(answer: Answer) -> datetime | None:
    try:
        date = parsedate_to_datetime(answer.headers["date"])
    except (KeyError, ValueError):
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=UTC)


def _instant(value: object) -> datetime | None:
    """Return an RFC 3339 time, with or without a fraction of any length (or epoch seconds, as ECS's own API has it)."""
    try:
        if isinstance(value, str):
            instant = datetime.fromisoformat(value)
            return instant if instant.tzinfo is not None else None
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        content: object = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return cast("Mapping[str, Any]", content) if isinstance(content, dict) else {}


def _object_in(content: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    value = _field(content, name)
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else None


def _field(content: Mapping[str, Any], name: str) -> object:
    """Return a field by its name in whatever case: the inner names are Go's, and only an accident of its encoder."""
    if name in content:
        return content[name]
    return next((value for key, value in content.items() if key.lower() == name.lower()), None)


def _text(content: Mapping[str, Any], name: str) -> str:
    value = _field(content, name)
    return value[:DETAIL_MAX_CHARS] if isinstance(value, str) else ""
