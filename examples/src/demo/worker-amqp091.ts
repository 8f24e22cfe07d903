import { type AmqpChannel, AmqpClient, type AmqpQueueMessage, isMessagingError } from "polymq/amqp091";
import { GROUP, type Outcome, QUEUE, type WorkerPlan } from "./messages.ts";
import { PREFETCH, type WorkerClient, type WorkMessage } from "./worker-client.ts";

/** Time after which a call that a broken link failed is made again. */
const RETRY_MS = 20;

/** In place of a number of losses, and equal to none. */
const UNTOLD = -1;

/** A worker over AMQP 0-9-1: settlements are not confirmed there, so a question after them shows that the connection was still up. */
export class AmqpWorkerClient implements WorkerClient {
  readonly #client: AmqpClient;
  /** Open for good, to ask on. */
  #questions: AmqpChannel | null = null;
  #reconnects = 0;
  #losses = 0;
  #asked: Promise<boolean> | null = null;

  constructor({ name, server }: WorkerPlan) {
    this.#client = new AmqpClient({
      servers: server,
      connectionName: name,
      reconnect: { initialDelayMs: 50, maxDelayMs: 500, retryFirstConnect: true },
    });
    this.#client.on("connect", ({ reconnected }) => {
      if (reconnected) this.#reconnects++;
    });
    // Calls that waited are answered on the next connection before that is told: what tells connections apart has to change with the loss.
    this.#client.on("connectionLost", () => void this.#losses++);
  }

  get reconnects(): number {
    return this.#reconnects;
  }

  connect(): Promise<void> {
    return this.#client.connect();
  }

  async work(handler: (message: WorkMessage) => Promise<void>): Promise<void> {
    const terms = { prefetch: PREFETCH, concurrency: PREFETCH, ack: "manual" } as const;
    const take = (message: AmqpQueueMessage): Promise<void> => handler(this.#workMessage(message));
    await this.#untilDone(() => this.#client.subscribeToQueue(QUEUE, GROUP, { ...terms, handler: take }));
    this.#questions = await this.#untilDone(() => this.#client.channel());
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  #workMessage(message: AmqpQueueMessage): WorkMessage {
    // Before a connection is told of, its loss is not told either: nothing can be shown of what comes meanwhile.
    const connection = this.#client.state === "connected" ? this.#losses : UNTOLD;
    const { offset, deliveryCount } = message;
    const settle = async (outcome: Outcome): Promise<boolean> => {
      try {
        if (outcome === "nacked") message.nack();
        else if (outcome === "rejected") message.reject();
        else message.ack();
      } catch (error) {
        // The link broke in between: it comes to somebody once more.
        if (!isMessagingError(error) || error.code !== "ERR_STALE_DELIVERY") throw error;
        return false;
      }
      // Asked once for all that are settled in this turn.
      this.#asked ??= this.#ask();
      return (await this.#asked) && this.#losses === connection;
    };
    return { offset, deliveryCount, json: () => message.json(), settle };
  }

  async #ask(): Promise<boolean> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#asked = null;
    try {
      await this.#questions?.checkQueue(QUEUE);
      return this.#questions !== null;
    } catch (error) {
      if (!isMessagingError(error)) throw error;
      return false;
    }
  }

  /** A link that breaks before the answer fails a call; then it is made again on the next connection. */
  async #untilDone<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if (!isMessagingError(error) || error.retry === "never") throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }
}
