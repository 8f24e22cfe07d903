import { AMQPClient } from "@cloudamqp/amqp-client";
import type { OpenSession } from "../amqp/client-process.ts";
import { QUEUE, WINDOW } from "../amqp/plan.ts";
import { publishWindowed } from "../mqtt/client/window.ts";

/** @cloudamqp/amqp-client: `basicPublish`, whose promise is that of the write, or with confirms that of the confirm. */
export const openAmqpClient: OpenSession = async ({ port, work }, payloads) => {
  const client = new AMQPClient(`amqp://127.0.0.1:${port}`);
  const connection = await client.connect();
  const channel = await connection.channel();
  const bodyAt = (index: number): Uint8Array => payloads[index % payloads.length] ?? new Uint8Array(0);
  if (work.is === "publish" && work.isAnswered) await channel.confirmSelect();
  return {
    async publish(from, count) {
      if (work.isAnswered)
        return publishWindowed(from, count, WINDOW, (index) => channel.basicPublish("", QUEUE, bodyAt(index)));
      for (let index = from; index < from + count; index += 1) await channel.basicPublish("", QUEUE, bodyAt(index));
    },
    async subscribe(sink) {
      const { isAnswered } = work;
      if (isAnswered) await channel.prefetch(WINDOW);
      await channel.basicConsume(QUEUE, { noAck: !isAnswered }, (message) => {
        sink.onPayload(message.body ?? new Uint8Array(0));
        return isAnswered ? message.ack() : undefined;
      });
    },
    send(payload) {
      channel.basicPublish("", QUEUE, payload).catch((error: unknown) => {
        throw error; // an unhandled rejection ends the measurement as a fault
      });
    },
    close: () => connection.close(),
  };
};
