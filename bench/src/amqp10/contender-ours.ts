import { connect } from "polymq/amqp10";
import type { OpenSession } from "../amqp/client-process.ts";
import { QUEUE, WINDOW } from "../amqp/plan.ts";
import { publishWindowed } from "../mqtt/client/window.ts";

/**
 * polymq's AMQP 1.0 client with default options but, so that a fault ends the run, no reconnecting. Settled: a plain `await` on every call; else a promise per message, which
 * settles with its outcome. Receive: credit 1000, `receive()` awaited for each message that is not there already, `accept` for each.
 */
export const openOurs: OpenSession = async ({ port, work }, payloads) => {
  const connection = await connect(`amqp://127.0.0.1:${port}`, { sasl: "none", reconnect: false });
  const session = await connection.createSession();
  const sender =
    work.is === "publish"
      ? await session.createSender(QUEUE, { settlementMode: work.isAnswered ? "unsettled" : "settled" })
      : null;
  const bodyAt = (index: number): Uint8Array => payloads[index % payloads.length] ?? new Uint8Array(0);
  const sendOne = (index: number): Promise<unknown> =>
    sender?.send(bodyAt(index)) ?? Promise.reject(new Error("no sender"));
  return {
    async publish(from, count) {
      if (work.isAnswered) return publishWindowed(from, count, WINDOW, sendOne);
      for (let index = from; index < from + count; index += 1) await sendOne(index);
    },
    async subscribe(sink) {
      const receiver = await session.createReceiver(QUEUE, { credit: WINDOW });
      const loop = async (): Promise<never> => {
        while (true) {
          const delivery = receiver.prefetched() ?? (await receiver.receive());
          sink.onPayload(delivery.message.data ?? new Uint8Array(0));
          if (work.isAnswered) void receiver.accept(delivery);
        }
      };
      loop().catch((error: unknown) => {
        if (connection.state === "open") throw error; // an unhandled rejection ends the measurement as a fault
      });
    },
    send: (payload) => void sender?.send(payload),
    close: () => connection.close(),
  };
};
