"""aws-sqs-consumer in its batch mode (10 messages, 20 s wait): its best setting."""

import json
import os
import sys

import boto3
from aws_sqs_consumer import Consumer, Message

NOTE = "n" * 80


def noop(note: str) -> None: ...


class Noop(Consumer):
    def handle_message_batch(self, messages: list[Message]) -> None:
        for message in messages:
            noop(**json.loads(message.Body))


if __name__ == "__main__":
    url = os.environ["BENCH_QUEUE_URL"]
    if sys.argv[1] == "send":
        boto3.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps({"note": NOTE}))
    else:
        Noop(queue_url=url, region=os.environ["AWS_REGION"], batch_size=10, wait_time_seconds=20).start()
