"""What the web sees: orders come in at once, their invoices are written later."""

from datetime import timedelta
from functools import partial

from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone

from shop.models import Order
from shop.tasks import remind, write_invoice


def orders(request: HttpRequest) -> HttpResponse:
    """Take an order. The task is sent when the order is really in the database, where the worker will look for it."""
    with transaction.atomic():
        order = Order.objects.create(articles=request.POST["articles"])
        transaction.on_commit(partial(write_invoice.enqueue, order.pk))
    result = remind.using(run_after=timezone.now() + timedelta(seconds=1)).enqueue(order.pk)
    return JsonResponse({"order": order.pk, "reminder": result.id}, status=201)


def order(request: HttpRequest, number: int) -> HttpResponse:
    """Show an order."""
    found = Order.objects.get(pk=number)
    return JsonResponse({"articles": found.articles, "invoice": found.invoice})
