"""A consumer of a FIFO queue as anybody would write it with boto3: receive, do, write down what was done, delete.

Run as a program: `fifo_consumer.py ENDPOINT QUEUE_URL EFFECTS`. It works until it is killed. What it did goes to the
end of the file EFFECTS, a line of JSON for each message, written at once so that no kill can tear it.
"""

from __future__ import annotations

import json
import os
import sys
import time

import boto3

VISIBILITY_S = 4
TRUSTED_S = 2.0
"""So long after a receive the consumer begins work under its lease, and no longer."""
WORK_S = 0.01


def main(endpoint: str, url: str, effects: str) -> None:
    client = boto3.client(
        "sqs",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    file = os.open(effects, os.O_WRONLY | os.O_APPEND)
    while True:
        asked_at = time.monotonic()
        answer = client.receive_message(
            QueueUrl=url,
            WaitTimeSeconds=1,
            MaxNumberOfMessages=4,
            VisibilityTimeout=VISIBILITY_S,
            MessageSystemAttributeNames=["MessageGroupId"],
        )
        for message in answer.get("Messages", []):
            began_at = time.monotonic()
            if began_at - asked_at > TRUSTED_S:
                break  # The rest comes again, to whoever asks then.
            time.sleep(WORK_S)  # stands for work
            line = {
                "group": message["Attributes"]["MessageGroupId"],
                "number": int(message["Body"]),
                "process": os.getpid(),
                "began_at": began_at,
                "ended_at": time.monotonic(),
            }
            os.write(file, (json.dumps(line) + "\n").encode())
            client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


if __name__ == "__main__":
    main(*sys.argv[1:])
