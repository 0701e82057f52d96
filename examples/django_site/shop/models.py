"""Orders, and what has become of them."""

from django.db import models


class Order(models.Model):
    """What somebody wants. Its invoice is written later, by a task."""

    articles = models.TextField()
    invoice = models.TextField(default="")
