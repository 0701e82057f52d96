"""boto3 in threads: each receives ten messages, does the no-op job for each, deletes the ten, and so on."""

import json
import os
import signal
import sys
import threading

import boto3

NOTE = "n" * 80


def noop(note: str) -> None: ...


def work(stopping: threading.Event) -> None:
    client = boto3.session.Session().client("sqs")
    url = os.environ["BENCH_QUEUE_URL"]
    while not stopping.is_set():
        answer = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=20)
        entries = []
        for index, message in enumerate(answer.get("Messages", [])):
            noop(**json.loads(message["Body"]))
            entries.append({"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]})
        if entries:
            client.delete_message_batch(QueueUrl=url, Entries=entries)


def main(verb: str) -> None:
    if verb == "send":
        boto3.client("sqs").send_message(QueueUrl=os.environ["BENCH_QUEUE_URL"], MessageBody=json.dumps({"note": NOTE}))
        return
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    threads = [
        threading.Thread(target=work, args=(stopping,), daemon=True)
        for _ in range(int(os.environ.get("BENCH_THREADS", "4")))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(sys.argv[1])
