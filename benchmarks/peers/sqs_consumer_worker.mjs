// sqs-consumer (node) in batch mode, ten messages a batch, several pollers: its best setting.
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { Consumer } from "sqs-consumer";

const queueUrl = process.env.BENCH_QUEUE_URL;
const sqs = new SQSClient({ endpoint: process.env.AWS_ENDPOINT_URL_SQS, region: process.env.AWS_REGION });

async function noop(_note) {}

if (process.argv[2] === "send") {
  await sqs.send(
    new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: JSON.stringify({ note: "n".repeat(80) }) }),
  );
} else {
  const consumers = [];
  for (let index = 0; index < Number(process.env.BENCH_POLLERS ?? "16"); index += 1) {
    const consumer = Consumer.create({
      queueUrl,
      sqs,
      batchSize: 10,
      waitTimeSeconds: 20,
      handleMessageBatch: async (messages) => {
        await Promise.all(messages.map((message) => noop(JSON.parse(message.Body).note)));
        return messages;
      },
    });
    consumer.on("error", (error) => console.error(error.message));
    consumer.start();
    consumers.push(consumer);
  }
  process.on("SIGTERM", () => process.exit(0));
}
