import { once } from "node:events";
import rhea, { type EventContext, type Sender } from "rhea";
import type { OpenSession } from "../amqp/client-process.ts";
import { QUEUE, WINDOW } from "../amqp/plan.ts";
import { publishWindowed } from "../mqtt/client/window.ts";

/** rhea: `send` while `sendable()`, else its event; a promise around each "accepted". Receives with autoaccept and a credit window of 1000. */
export const openRhea: OpenSession = async ({ port, work }, payloads) => {
  const container = rhea.create_container();
  const connection = container.connect({ host: "127.0.0.1", port, reconnect: false });
  await once(connection, "connection_open");
  const bodies = payloads.map((payload) => rhea.message.data_section(Buffer.from(payload)));
  const messageAt = (index: number): { body: unknown } => ({ body: bodies[index % bodies.length] });
  const sender =
    work.is === "publish"
      ? connection.open_sender({ target: { address: QUEUE }, snd_settle_mode: work.isAnswered ? 0 : 1 })
      : null;
  if (sender !== null) await once(sender, "sendable");
  const sendOne = sender === null ? () => Promise.reject(new Error("no sender")) : outcomes(sender, messageAt);
  return {
    async publish(from, count) {
      if (work.isAnswered) return publishWindowed(from, count, WINDOW, sendOne);
      for (let index = from; index < from + count; index += 1) {
        if (sender?.sendable() === false) await once(sender, "sendable");
        sender?.send(messageAt(index));
      }
    },
    async subscribe(sink) {
      const receiver = connection.open_receiver({
        source: { address: QUEUE },
        credit_window: WINDOW,
        autoaccept: true, // also where messages come settled: without, rhea never widens its window
      });
      receiver.on("message", (context: EventContext) => sink.onPayload(context.message?.body.content));
      await once(receiver, "receiver_open");
    },
    send: (payload) => void sender?.send({ body: rhea.message.data_section(Buffer.from(payload)) }),
    async close() {
      connection.close();
      await once(connection, "connection_close");
    },
  };
};

/** Sends with a promise per message, which the "accepted" of its delivery resolves. */
function outcomes(
  sender: Sender,
  messageAt: (index: number) => { body: unknown },
): (index: number) => Promise<unknown> {
  const open = new Map<number, () => void>();
  sender.on("accepted", ({ delivery }: EventContext) => {
    const id = delivery?.id ?? -1;
    open.get(id)?.();
    open.delete(id);
  });
  return (index) =>
    new Promise<void>((resolve) => {
      open.set(sender.send(messageAt(index)).id, resolve);
    });
}
