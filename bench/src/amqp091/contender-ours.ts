import { AmqpClient } from "polymq/amqp091";
import type { OpenSession } from "../amqp/client-process.ts";
import { QUEUE, WINDOW } from "../amqp/plan.ts";
import { publishWindowed } from "../mqtt/client/window.ts";

/**
 * polymq's AmqpClient with default options but, so that a fault ends the run, no reconnecting. Publishing without confirms: a plain `await` on every call; with them: a promise per
 * message. Receive: a handler; with acknowledgements it calls `ack` itself.
 */
export const openOurs: OpenSession = async ({ port, work }, payloads) => {
  const client = new AmqpClient({ servers: `amqp://127.0.0.1:${port}`, reconnect: false });
  await client.connect();
  const channel = await client.channel({ confirms: work.is === "publish" && work.isAnswered });
  const bodyAt = (index: number): Uint8Array => payloads[index % payloads.length] ?? new Uint8Array(0);
  return {
    async publish(from, count) {
      if (work.isAnswered)
        return publishWindowed(from, count, WINDOW, (index) => channel.publish("", QUEUE, bodyAt(index)));
      for (let index = from; index < from + count; index += 1) await channel.publish("", QUEUE, bodyAt(index));
    },
    async subscribe(sink) {
      if (!work.isAnswered) {
        await channel.consume(QUEUE, { noAck: true, handler: (message) => sink.onPayload(message.body) });
        return;
      }
      await channel.consume(QUEUE, {
        prefetch: WINDOW,
        autoAck: false,
        handler: (message) => {
          sink.onPayload(message.body);
          message.ack();
        },
      });
    },
    send(payload) {
      channel.publish("", QUEUE, payload).catch((error: unknown) => {
        throw error; // an unhandled rejection ends the measurement as a fault
      });
    },
    close: () => client.close(),
  };
};
