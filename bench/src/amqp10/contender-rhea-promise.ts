import { once } from "node:events";
import { Connection, type EventContext, message, ReceiverEvents, type Sender, SenderEvents } from "rhea-promise";
import type { OpenSession } from "../amqp/client-process.ts";
import { QUEUE, WINDOW } from "../amqp/plan.ts";
import { publishWindowed } from "../mqtt/client/window.ts";

/** rhea-promise: settled as rhea, else an awaitable sender's promise per message; receives with autoaccept and a credit window of 1000. */
export const openRheaPromise: OpenSession = async ({ port, work }, payloads) => {
  const connection = new Connection({ host: "127.0.0.1", port, reconnect: false });
  await connection.open();
  const bodies = payloads.map((payload) => message.data_section(Buffer.from(payload)));
  const messageAt = (index: number): { body: unknown } => ({ body: bodies[index % bodies.length] });
  const isSender = work.is === "publish";
  const options = { target: { address: QUEUE } };
  const awaitable =
    isSender && work.isAnswered ? await connection.createAwaitableSender({ ...options, snd_settle_mode: 0 }) : null;
  const plain = isSender && !work.isAnswered ? await connection.createSender({ ...options, snd_settle_mode: 1 }) : null;
  return {
    async publish(from, count) {
      if (awaitable !== null) return publishWindowed(from, count, WINDOW, (index) => awaitable.send(messageAt(index)));
      if (plain !== null) await sendAll(plain, from, count, messageAt);
    },
    async subscribe(sink) {
      const receiver = await connection.createReceiver({
        source: { address: QUEUE },
        credit_window: 0,
        autoaccept: true, // also where messages come settled: without, rhea never widens its window
      });
      receiver.on(ReceiverEvents.message, (context: EventContext) => {
        sink.onPayload(context.message?.body.content);
        if (receiver.credit < WINDOW / 2) receiver.addCredit(WINDOW - receiver.credit);
      });
      receiver.addCredit(WINDOW);
    },
    send: (payload) => void plain?.send({ body: message.data_section(Buffer.from(payload)) }),
    close: () => connection.close(),
  };
};

async function sendAll(
  sender: Sender,
  from: number,
  count: number,
  messageAt: (index: number) => { body: unknown },
): Promise<void> {
  for (let index = from; index < from + count; index += 1) {
    if (!sender.sendable()) await once(sender, SenderEvents.sendable);
    sender.send(messageAt(index));
  }
}
