"""Tasks of the tests."""

from __future__ import annotations

from typing import Any

from forebay import Reject, RetryLater
from forebay.django.framework import TaskContext, task

done: list[Any] = []


@task
def add(a: int, b: int = 0) -> int:
    done.append(a + b)
    return a + b


@task
async def aadd(a: int, b: int = 0) -> int:
    done.append(a + b)
    return a + b


@task(takes_context=True)
def counted(context: TaskContext[Any, Any], name: str) -> None:
    done.append((name, context.attempt, context.task_result.id))


@task
def fails(kind: str) -> None:
    match kind:
        case "later":
            raise RetryLater("1s")
        case "reject":
            raise Reject("never")
        case _:
            raise LookupError("canary-7f3a")


def not_a_task(a: int) -> None:
    done.append("what no message may ever run")
