import { type AmqpConnection, type AmqpQueueMessage, connect, isMessagingError } from "polymq/amqp10";
import { GROUP, type Outcome, QUEUE, RETRY_MS, type WorkerPlan } from "./messages.ts";
import { untilDone } from "./until-done.ts";
import { Witness } from "./witness.ts";
import { PREFETCH, type WorkerClient, type WorkMessage } from "./worker-client.ts";

/** A worker over AMQP 1.0: a receiver that settles first hears nothing back, so a question after it shows that the connection was still up. */
export class Amqp10WorkerClient implements WorkerClient {
  readonly #plan: WorkerPlan;
  #connection: AmqpConnection | null = null;
  readonly #witness = new Witness(() => this.#ask());
  #reconnects = 0;

  constructor(plan: WorkerPlan) {
    this.#plan = plan;
  }

  get reconnects(): number {
    return this.#reconnects;
  }

  async connect(): Promise<void> {
    const { name, server } = this.#plan;
    const connection = await connect(server, {
      containerId: name,
      reconnect: { initialDelayMs: 50, maxDelayMs: 500, retryFirstConnect: true },
    });
    connection.on("reconnected", () => void this.#reconnects++);
    connection.on("connectionLost", () => this.#witness.lost());
    this.#connection = connection;
  }

  async work(handler: (message: WorkMessage) => Promise<void>): Promise<void> {
    const connection = this.#open;
    const terms = { prefetch: PREFETCH, concurrency: PREFETCH, ack: "manual" } as const;
    const take = (message: AmqpQueueMessage): Promise<void> => handler(this.#workMessage(message));
    await untilDone(() => connection.subscribeToQueue(QUEUE, GROUP, { ...terms, handler: take }));
  }

  async close(): Promise<void> {
    await this.#open.close();
  }

  #workMessage(message: AmqpQueueMessage): WorkMessage {
    const mark = this.#witness.mark(this.#open.state === "open");
    const { offset, deliveryCount } = message;
    const settle = async (outcome: Outcome): Promise<boolean> => {
      try {
        await settled(message, outcome);
      } catch (error) {
        // The link broke in between: it comes to somebody once more.
        if (!isMessagingError(error) || error.code !== "ERR_STALE_DELIVERY") throw error;
        return false;
      }
      return await this.#witness.confirms(mark);
    };
    return { offset, deliveryCount, json: () => message.json(), settle };
  }

  /** Whoever answers a begin has read what was said before it. */
  async #ask(): Promise<void> {
    const session = await this.#open.createSession();
    await session.close();
  }

  get #open(): AmqpConnection {
    if (this.#connection === null) throw new Error("not connected yet");
    return this.#connection;
  }
}

function settled(message: AmqpQueueMessage, outcome: Outcome): Promise<void> {
  if (outcome === "nacked") return message.nack({ delayMs: RETRY_MS });
  return outcome === "rejected" ? message.reject("more than three hours late") : message.ack();
}
