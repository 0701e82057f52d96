"""What goes wrong on purpose in a test's local cloud, in a test's words.

Rules kept here and nowhere else:

1. What is asked for is in force when the call returns, for every request that arrives from then on.
2. `calm()` takes all of it back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from forebay.cloud.chaos import ChaosRule, Effect

if TYPE_CHECKING:
    from forebay.cloud.agent_calls import Call
    from forebay.cloud.ecs_agent import EcsAgent
    from forebay.cloud.sqs_server import SqsServer

Answer = TypeVar("Answer")

_PROTECT = ("UpdateTaskProtection",)


class SqsTrouble:
    """The local SQS as a test disturbs it."""

    def __init__(self, on_server: Callable[[Callable[[SqsServer], Any]], Any]) -> None:
        self._on_server = on_server

    def throttle(self, *operations: str, times: int | None = None) -> None:
        """Answer these operations (none named: all) with RequestThrottled, the next `times` or until `calm()`."""
        self.break_(Effect.THROTTLE, *operations, times=times)

    def fail(self, *operations: str, times: int | None = None) -> None:
        """Answer with 500."""
        self.break_(Effect.SERVER_ERROR, *operations, times=times)

    def hole(self, *operations: str, times: int | None = None) -> None:
        """Answer nothing at all, as a network does that has lost its way."""
        self.break_(Effect.BLACK_HOLE, *operations, times=times)

    def deny(self, *actions: str) -> None:
        """Answer these actions with AccessDenied from now on; replaces what was denied before."""
        self._on_server(lambda server: server.deny(*actions))

    def break_(self, effect: Effect, *operations: str, times: int | None = None, **more: Any) -> None:
        """Add a rule of `forebay.cloud.chaos`."""
        rule = ChaosRule(effect=effect, operations=operations, times=times, **more)
        self._on_server(lambda server: server.chaos.add(rule))

    def calm(self) -> None:
        """Nothing goes wrong and nothing is denied any more."""

        def there(server: SqsServer) -> None:
            server.chaos.clear()
            server.deny()

        self._on_server(there)

    def requests(self) -> dict[str, int]:
        """How often each operation has been called so far."""
        counted: dict[str, int] = self._on_server(lambda server: dict(server.counts.requests))
        return counted


class AgentTrouble:
    """The local ECS agent of the one task that the worker is: its task protection, and how it is disturbed."""

    def __init__(self, uri: str, on_agent: Callable[[Callable[[EcsAgent], Any]], Any]) -> None:
        self.uri = uri
        """What `ECS_AGENT_URI` is."""
        self._on_agent = on_agent

    @property
    def is_protected(self) -> bool:
        """Whether the task is protected from scale-in now."""
        protected: bool = self._on_agent(lambda agent: agent.ecs.expiry(next(iter(agent.tasks.values()))) is not None)
        return protected

    @property
    def calls(self) -> list[Call]:
        """Every call about protection so far, the oldest first."""
        made: list[Call] = self._on_agent(lambda agent: list(agent.calls))
        return made

    def refuse(self, reason: str = "DEPLOYMENT_BLOCKED", *, times: int | None = None) -> None:
        """Say no to protection, with HTTP 200 and a failure in it, as ECS does (facts/ecs-task-protection.md)."""
        rule = ChaosRule(effect=Effect.REFUSE, operations=_PROTECT, times=times, detail=reason)
        self._on_agent(lambda agent: agent.chaos.add(rule))

    def hole(self, *, times: int | None = None) -> None:
        """Answer nothing at all."""
        rule = ChaosRule(effect=Effect.BLACK_HOLE, operations=_PROTECT, times=times)
        self._on_agent(lambda agent: agent.chaos.add(rule))

    def calm(self) -> None:
        """Nothing goes wrong any more."""
        self._on_agent(lambda agent: agent.chaos.clear())
