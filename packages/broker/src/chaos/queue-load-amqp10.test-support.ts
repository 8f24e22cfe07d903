import {
  type AmqpConnection,
  type AmqpCoordinator,
  type AmqpDelivery,
  type AmqpReceiver,
  type AmqpTransaction,
  connect,
} from "polymq/amqp10";
import { isMessagingError } from "polymq/internal";
import {
  type LoadConsumer,
  type LoadPublisher,
  type LoadSink,
  PREFETCH,
  RECONNECT,
} from "./queue-load-client.test-support.ts";

/** A client over AMQP 1.0. */
class Amqp10LoadClient {
  readonly #url: string;
  readonly #containerId: string;
  #connection: AmqpConnection | null = null;

  constructor(port: number, id: string) {
    this.#url = `amqp://127.0.0.1:${port}`;
    this.#containerId = id;
  }

  get connected(): boolean {
    return this.#connection?.state === "open";
  }

  async connect(): Promise<void> {
    this.#connection = await connect(this.#url, { containerId: this.#containerId, reconnect: RECONNECT });
  }

  destroy(): Promise<void> {
    this.#connection?.destroy();
    return Promise.resolve();
  }

  protected get connection(): AmqpConnection {
    if (this.#connection === null) throw new Error("not connected yet");
    return this.#connection;
  }
}

export class Amqp10LoadPublisher extends Amqp10LoadClient implements LoadPublisher {
  guarantee(): string {
    return "accepted";
  }

  publish(queue: string, name: string): Promise<void> {
    return this.connection.publishToQueue(queue, name, { ackTimeoutMs: 0 });
  }
}

/** Settles second (§2.6.12): the broker's own settlement says that an acknowledgement holds. */
export class Amqp10LoadConsumer extends Amqp10LoadClient implements LoadConsumer {
  async consume(queue: string, group: string, sink: LoadSink): Promise<void> {
    const receiver = await attach(this.connection, queue, group, "second");
    const accept = async (delivery: AmqpDelivery, offset: number): Promise<void> => {
      try {
        await delivery.accept();
        sink.onAcked(offset);
      } catch (error) {
        // Its connection was lost, and the queue has it again.
        if (!isMessagingError(error)) throw error;
      }
    };
    void each(receiver, (delivery) => void accept(delivery, tell(sink, delivery)));
  }
}

/** Acknowledges in transactions, whose commit says that acknowledgements hold. */
export class Amqp10TransactionalConsumer extends Amqp10LoadClient implements LoadConsumer {
  #came: AmqpDelivery[] = [];
  #state: "idle" | "committing" = "idle";

  async consume(queue: string, group: string, sink: LoadSink): Promise<void> {
    const receiver = await attach(this.connection, queue, group, "first");
    const coordinator = await receiver.session.createCoordinator();
    void each(receiver, (delivery) => {
      tell(sink, delivery);
      this.#came.push(delivery);
      void this.#commit(coordinator, sink);
    });
  }

  async #commit(coordinator: AmqpCoordinator, sink: LoadSink): Promise<void> {
    if (this.#state === "committing") return;
    this.#state = "committing";
    while (this.#came.length > 0) {
      const deliveries = this.#came;
      this.#came = [];
      try {
        const accepted = await coordinator.run(async (transaction) => {
          const taken: AmqpDelivery[] = [];
          for (const delivery of deliveries) if (await isTaken(delivery, transaction)) taken.push(delivery);
          return taken;
        });
        for (const delivery of accepted) sink.onAcked(offsetOf(delivery));
      } catch (error) {
        // The transaction went with its connection; its messages come again.
        if (!isMessagingError(error)) throw error;
      }
    }
    this.#state = "idle";
  }
}

/** Accepts in a transaction; false for a message of a connection that is gone. */
async function isTaken(delivery: AmqpDelivery, transaction: AmqpTransaction): Promise<boolean> {
  try {
    await delivery.accept({ transaction });
    return true;
  } catch (error) {
    if (!isMessagingError(error) || error.code !== "ERR_STALE_DELIVERY") throw error;
    return false;
  }
}

async function attach(
  connection: AmqpConnection,
  queue: string,
  group: string,
  settlementMode: "first" | "second",
): Promise<AmqpReceiver> {
  const session = await connection.createSession();
  return await session.createReceiver(`$queue/${queue}`, {
    credit: PREFETCH,
    settlementMode,
    properties: { "consumer-group": group },
  });
}

async function each(receiver: AmqpReceiver, take: (delivery: AmqpDelivery) => void): Promise<void> {
  try {
    for await (const delivery of receiver) take(delivery);
  } catch (error) {
    // The client was destroyed.
    if (!isMessagingError(error) || error.code !== "ERR_CLIENT_CLOSED") throw error;
  }
}

/** Tells of a message; returns its offset. */
function tell(sink: LoadSink, delivery: AmqpDelivery): number {
  const offset = offsetOf(delivery);
  sink.onMessage(offset, new TextDecoder().decode(delivery.message.data ?? undefined));
  return offset;
}

function offsetOf(delivery: AmqpDelivery): number {
  return Number(delivery.message.applicationProperties?.get("offset"));
}
