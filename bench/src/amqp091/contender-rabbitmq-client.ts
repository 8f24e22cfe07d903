import { Connection } from "rabbitmq-client";
import type { OpenSession } from "../amqp/client-process.ts";
import { QUEUE, WINDOW } from "../amqp/plan.ts";
import { publishWindowed } from "../mqtt/client/window.ts";

/** rabbitmq-client: a publisher's `send`, and a consumer whose handler acknowledges by returning. */
export const openRabbitmqClient: OpenSession = async ({ port, work }, payloads) => {
  const connection = new Connection({ url: `amqp://127.0.0.1:${port}`, noDelay: true });
  await connection.onConnect();
  const publisher = connection.createPublisher({ confirm: work.is === "publish" && work.isAnswered });
  const bodies = payloads.map((payload) => Buffer.from(payload));
  const bodyAt = (index: number): Buffer => bodies[index % bodies.length] ?? Buffer.alloc(0);
  const publishOne = (index: number): Promise<void> => publisher.send(QUEUE, bodyAt(index));
  let consumer: { close(): Promise<void> } | null = null;
  return {
    async publish(from, count) {
      if (work.isAnswered) return publishWindowed(from, count, WINDOW, publishOne);
      for (let index = from; index < from + count; index += 1) await publishOne(index);
    },
    async subscribe(sink) {
      const { isAnswered } = work;
      const options = { queue: QUEUE, noAck: !isAnswered, qos: { prefetchCount: isAnswered ? WINDOW : 0 } };
      const started = connection.createConsumer(options, (message) => {
        sink.onPayload(message.body);
        return Promise.resolve();
      });
      consumer = started;
      await new Promise<void>((resolve, reject) => {
        started.once("ready", resolve);
        started.once("error", reject);
      });
    },
    send(payload) {
      publishOne(payload[0] ?? 0).catch((error: unknown) => {
        throw error; // an unhandled rejection ends the measurement as a fault
      });
    },
    async close() {
      await consumer?.close();
      await publisher.close();
      await connection.close();
    },
  };
};
