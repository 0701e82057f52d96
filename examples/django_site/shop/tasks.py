"""What is done later: the tasks of this app, found because the module is called `tasks`."""

import logging

from shop.models import Order

try:
    from django.tasks import TaskContext, task
except ModuleNotFoundError:  # before Django 6
    from django_tasks import TaskContext, task

log = logging.getLogger(__name__)


@task
def write_invoice(number: int) -> None:
    """Plain functions run in a thread. SQS may deliver twice, so what is done is done once."""
    order = Order.objects.get(pk=number)
    if not order.invoice:
        order.invoice = f"{len(order.articles.split(','))} articles"
        order.save()


@task(takes_context=True)
async def remind(context: TaskContext, number: int) -> None:
    """Coroutine functions run on an event loop, hundreds at once."""
    log.info("order %d is waiting, attempt %d", number, context.attempt)
