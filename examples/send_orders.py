"""Puts a few orders on the queue of `orders.py`. The queue's URL comes from FOREBAY_QUEUE_URL.

Type checkers know the jobs' parameters: `charge.call(order="x")` is an error in the editor already.
"""

from __future__ import annotations

from orders import Line, charge, invoice

from forebay import enqueue_many

COUNT = 20


def main() -> None:
    enqueue_many(charge.call(order=number, cents=100 * number) for number in range(1, COUNT + 1))
    invoice.enqueue(order=1, lines=[Line(article="mill wheel", pieces=1), Line(article="grease", pieces=12)])
    charge.options(delay="2s").enqueue(order=COUNT + 1, cents=5)


if __name__ == "__main__":
    main()
