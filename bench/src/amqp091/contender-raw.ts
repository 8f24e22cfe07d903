// Hot path: the ceiling; runs per frame where frames must be looked at.
import type { OpenSession } from "../amqp/client-process.ts";
import { CycleWriter } from "../amqp/cycle-writer.ts";
import { QUEUE, WINDOW } from "../amqp/plan.ts";
import { AmqpConnection } from "../queues/amqp-connection.ts";
import { contentFrames, methodFrame } from "./frames.ts";

/** The ceiling: a socket that writes pre-encoded messages and only looks at the frames that come. It has no API per message. */
export const openRawSocket: OpenSession = async ({ port, work }, payloads) => {
  const isConfirmed = work.is === "publish" && work.isAnswered;
  const connection = await AmqpConnection.open(port, isConfirmed ? "confirms" : "none");
  const publish = {
    method: "basic.publish",
    exchange: "",
    routingKey: QUEUE,
    mandatory: false,
    immediate: false,
  } as const;
  const cycle = payloads.map((payload) => contentFrames(1, publish, payload));
  const writer = new CycleWriter(connection.socket, cycle);
  const confirms = new Confirms(connection, writer);
  return {
    publish: (_from, count) => (isConfirmed ? confirms.publish(count) : writer.writeAll(count)),
    async subscribe(sink) {
      const consume = {
        queue: QUEUE,
        consumerTag: "raw",
        noLocal: false,
        noAck: !work.isAnswered,
        exclusive: false,
        noWait: false,
        arguments: {},
      };
      await connection.call(methodFrame(1, { method: "basic.consume", ...consume }), [60, 21]);
      let received = 0;
      let acknowledged = 0;
      connection.onFrame = (kind, bytes, start, end) => {
        if (kind !== 3) return;
        received += 1;
        sink.onPayload(bytes.subarray(start, end));
      };
      connection.onChunkEnd = () => {
        if (!work.isAnswered || received === acknowledged) return;
        acknowledged = received;
        connection.socket.write(methodFrame(1, { method: "basic.ack", deliveryTag: received, multiple: true }));
      };
    },
    send: (payload) => void connection.socket.write(cycle[payload[0] ?? 0] ?? Buffer.alloc(0)),
    async close() {
      connection.onFrame = () => undefined;
      const close = { replyCode: 200, replyText: "", classId: 0, methodId: 0 };
      await connection.call(methodFrame(0, { method: "connection.close", ...close }), [10, 51]);
      connection.socket.end();
    },
  };
};

/** Keeps as many messages unconfirmed as the window has. */
class Confirms {
  readonly #connection: AmqpConnection;
  readonly #writer: CycleWriter;
  #sent = 0;
  #confirmed = 0;
  #left = 0;
  #finish: () => void = () => undefined;

  constructor(connection: AmqpConnection, writer: CycleWriter) {
    this.#connection = connection;
    this.#writer = writer;
  }

  async publish(count: number): Promise<void> {
    this.#left = count;
    this.#connection.onFrame = (_kind, bytes, start) => {
      this.#confirmed = bytes.readUInt32BE(start + 8);
    };
    this.#connection.onChunkEnd = () => this.#fill();
    await new Promise<void>((resolve) => {
      this.#finish = resolve;
      this.#fill();
    });
  }

  #fill(): void {
    const count = Math.min(this.#left, WINDOW - (this.#sent - this.#confirmed));
    this.#left -= count;
    this.#sent += count;
    if (count > 0) this.#writer.write(count);
    else if (this.#left === 0 && this.#confirmed === this.#sent) this.#finish();
  }
}
