import { once } from "node:events";
import { type Channel, type ConfirmChannel, connect } from "amqplib";
import type { OpenSession } from "../amqp/client-process.ts";
import { QUEUE, WINDOW } from "../amqp/plan.ts";
import { publishWindowed } from "../mqtt/client/window.ts";

/** amqplib: `publish` until it says false, then its "drain"; with confirms a promise around each callback. */
export const openAmqplib: OpenSession = async ({ port, work }, payloads) => {
  const connection = await connect(`amqp://127.0.0.1:${port}`, { noDelay: true });
  const bodies = payloads.map((payload) => Buffer.from(payload));
  const bodyAt = (index: number): Buffer => bodies[index % bodies.length] ?? Buffer.alloc(0);
  const confirms = work.is === "publish" && work.isAnswered ? await connection.createConfirmChannel() : null;
  const channel: Channel = confirms ?? (await connection.createChannel());
  return {
    async publish(from, count) {
      if (confirms !== null) return publishWindowed(from, count, WINDOW, (at) => confirmed(confirms, bodyAt(at)));
      for (let index = from; index < from + count; index += 1) {
        if (!channel.publish("", QUEUE, bodyAt(index))) await once(channel, "drain");
      }
    },
    async subscribe(sink) {
      const { isAnswered } = work;
      if (isAnswered) await channel.prefetch(WINDOW);
      await channel.consume(
        QUEUE,
        (message) => {
          if (message === null) throw new Error("the consumer was cancelled");
          sink.onPayload(message.content);
          if (isAnswered) channel.ack(message);
        },
        { noAck: !isAnswered },
      );
    },
    send: (payload) => void channel.publish("", QUEUE, bodyAt(payload[0] ?? 0)),
    close: () => connection.close(),
  };
};

function confirmed(channel: ConfirmChannel, body: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    channel.publish("", QUEUE, body, {}, (error: unknown) => (error === null ? resolve() : reject(error)));
  });
}
