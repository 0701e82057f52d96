"""Celery with a no-op task. Its workers run `celery -A celery_app worker …`; `send` puts one task on the queue."""

import os
import sys
from urllib.parse import urlsplit

from celery import Celery

NOTE = "n" * 80

app = Celery("celery_app", broker=f"sqs://key:secret@{urlsplit(os.environ['AWS_ENDPOINT_URL_SQS']).netloc}")
app.conf.update(
    task_default_queue="bench",
    task_ignore_result=True,
    worker_prefetch_multiplier=int(os.environ.get("BENCH_PREFETCH", "4")),
    broker_transport_options={
        "region": os.environ["AWS_REGION"],
        "is_secure": False,
        "wait_time_seconds": 20,
        "polling_interval": float(os.environ.get("BENCH_POLLING_INTERVAL", "1")),
        "predefined_queues": {
            "bench": {
                "url": os.environ["BENCH_QUEUE_URL"],
                "access_key_id": "key",
                "secret_access_key": "secret",
            }
        },
    },
)


@app.task
def noop(note: str) -> None: ...


if __name__ == "__main__":
    assert sys.argv[1] == "send", sys.argv
    app.send_task("celery_app.noop", kwargs={"note": NOTE})
