"""The protection endpoint of the local ECS agent: what is checked, in which order, and what goes wrong on order.

Rules kept here and nowhere else:

1. The order of a PUT's checks is the agent's: body (400), task (404, 500), field (400), task role (403), then ECS. So
   a malformed body has no `Arn` and a missing field has one (facts/ecs-task-protection.md section 1).
2. Trouble on order (`cloud.chaos`) strikes where it would in the cloud. Its `detail` chooses among an effect's forms:
   throttle `agent` is the agent's own 429; deny `role` is the missing task role; server_error `timeout` and
   `timeout-carried-out` are the 504s, `find-task` is the agent's own 500; missing with a code is ECS's exception of
   that name; refuse takes the reason, DEPLOYMENT_BLOCKED when there is none.
3. Nothing here waits: an answer comes with the time after which it is to be sent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from forebay.cloud import agent_answers as answers
from forebay.cloud.agent_answers import AgentAnswer
from forebay.cloud.agent_ecs import AgentTask, EcsError, Failure, LocalEcs, Operation, Question
from forebay.cloud.agent_limits import AGENT_RATE
from forebay.cloud.agent_requests import Undecodable, UpdateRequest, decode_update
from forebay.cloud.chaos import Effect, Strike

NAMES: dict[Operation, str] = {"update": "UpdateTaskProtection", "get": "GetTaskProtection"}

LOST = "lost"
"""The outcome of an answer that is never sent in full: the connection is cut."""
SILENCE = "silence"
"""The outcome of no answer on an open connection."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What becomes of one request. No answer: the connection is cut, or (`is_silent`) left open for ever."""

    answer: AgentAnswer | None
    request: UpdateRequest | None = None
    after_s: float = 0.0
    is_silent: bool = False
    is_cut_short: bool = False
    """The connection ends in the middle of the answer."""

    @property
    def outcome(self) -> str:
        if self.answer is not None and not self.is_cut_short:
            return self.answer.outcome
        return SILENCE if self.is_silent else LOST


@dataclass(slots=True)
class ProtectionEndpoint:
    """Answers GET and PUT of `/api/<id>/task-protection/v1/state`."""

    ecs: LocalEcs
    ecs_timeout_s: float = 4.0
    """After so long the agent gives up on ECS and answers 504."""

    def reply(self, task: AgentTask | None, method: str, body: bytes, strike: Strike) -> Reply:
        """Return what the agent makes of one request."""
        operation: Operation = "update" if method == "PUT" else "get"
        if strike.effect is Effect.THROTTLE and strike.detail == "agent":
            return Reply(answers.limited(AGENT_RATE))
        request: UpdateRequest | None = None
        if operation == "update":
            try:
                request = decode_update(body)
            except Undecodable:
                return Reply(answers.undecodable(NAMES[operation]))
        if strike.effect is Effect.SERVER_ERROR and strike.detail == "find-task":
            return Reply(answers.task_not_fetched(), request)
        if task is None or (strike.effect is Effect.MISSING and not strike.detail):
            return Reply(answers.task_unknown(), request)
        if request is not None and request.enabled is None:
            return Reply(answers.field_missing(task), request)
        if not task.has_role or (strike.effect is Effect.DENY and strike.detail == "role"):
            return Reply(answers.no_role(task), request)
        question = Question(task, operation, request.enabled if request else None, request.minutes if request else None)
        return replace(self._ask_ecs(question, strike), request=request)

    def _ask_ecs(self, question: Question, strike: Strike) -> Reply:
        """Return the reply of ECS, or of the network on the way to it."""
        task = question.task
        if strike.delay_before_s >= self.ecs_timeout_s:
            return Reply(answers.canceled(task), after_s=self.ecs_timeout_s)
        match strike.effect:
            case Effect.DROP_BEFORE:
                return Reply(None)
            case Effect.BLACK_HOLE:
                return Reply(None, is_silent=True)
            case Effect.SERVER_ERROR if strike.detail == "timeout":
                return Reply(answers.canceled(task), after_s=self.ecs_timeout_s)
            case _:
                ordered = self._ordered(question, strike)
        if ordered is not None:
            return Reply(ordered, after_s=strike.delay_s + strike.delay_before_s)
        answer = self._carry_out(question)
        match strike.effect:
            case Effect.DROP_AFTER:
                return Reply(None)
            case Effect.CUT_SHORT:
                return Reply(answer, is_cut_short=True)
            case Effect.SERVER_ERROR:
                return Reply(answers.canceled(task), after_s=self.ecs_timeout_s)
            case Effect.MALFORMED:
                answer = replace(answer, body=answer.body[: len(answer.body) // 2])
            case _:
                pass
        return Reply(answer, after_s=strike.delay_s + strike.delay_before_s)

    def _ordered(self, question: Question, strike: Strike) -> AgentAnswer | None:
        """Return the refusal that was ordered, or None when ECS is really asked."""
        task, operation, detail = question.task, NAMES[question.operation], strike.detail
        match strike.effect:
            case Effect.REFUSE:
                return answers.failure(task, Failure(detail or "DEPLOYMENT_BLOCKED"))
            case Effect.THROTTLE:
                return answers.ecs_error(task, EcsError(400, "ThrottlingException", "Rate exceeded"))
            case Effect.DENY:
                return answers.denied(task, operation)
            case Effect.MISSING:
                return answers.ecs_error(task, EcsError(400, detail, "The specified resource was not found."))
            case Effect.EXPIRED_TOKEN:
                text = "The security token included in the request is expired"
                return answers.ecs_error(task, EcsError(400, "ExpiredTokenException", text))
            case Effect.SERVER_ERROR if not detail:
                return answers.ecs_error(task, EcsError(500, "ServerException", "Service Unavailable. Try again."))
            case Effect.UNAVAILABLE:
                return answers.ecs_error(task, EcsError(503, "ServerException", "Service Unavailable. Try again."))
            case _:
                return None

    def _carry_out(self, question: Question) -> AgentAnswer:
        verdict = self.ecs.ask(question)
        match verdict:
            case Failure():
                return answers.failure(question.task, verdict)
            case EcsError():
                return answers.ecs_error(question.task, verdict)
            case None:
                expires = self.ecs.expiry(question.task)
                return answers.protection(question.task, expires, is_write=question.operation == "update")
