import { type AmqpChannel, AmqpClient, type AmqpQueueMessage, isMessagingError } from "polymq/amqp091";
import { GROUP, type Outcome, QUEUE, type WorkerPlan } from "./messages.ts";
import { untilDone } from "./until-done.ts";
import { Witness } from "./witness.ts";
import { PREFETCH, type WorkerClient, type WorkMessage } from "./worker-client.ts";

/** A worker over AMQP 0-9-1: settlements are not confirmed there, so a question after them shows that the connection was still up. */
export class Amqp091WorkerClient implements WorkerClient {
  readonly #client: AmqpClient;
  /** Open for good, to ask on. */
  #questions: AmqpChannel | null = null;
  readonly #witness = new Witness(async () => await this.#questions?.checkQueue(QUEUE));
  #reconnects = 0;

  constructor({ name, server }: WorkerPlan) {
    this.#client = new AmqpClient({
      servers: server,
      connectionName: name,
      reconnect: { initialDelayMs: 50, maxDelayMs: 500, retryFirstConnect: true },
    });
    this.#client.on("connect", ({ reconnected }) => {
      if (reconnected) this.#reconnects++;
    });
    this.#client.on("connectionLost", () => this.#witness.lost());
  }

  get reconnects(): number {
    return this.#reconnects;
  }

  connect(): Promise<void> {
    return this.#client.connect();
  }

  async work(handler: (message: WorkMessage) => Promise<void>): Promise<void> {
    this.#questions = await untilDone(() => this.#client.channel());
    const terms = { prefetch: PREFETCH, concurrency: PREFETCH, ack: "manual" } as const;
    const take = (message: AmqpQueueMessage): Promise<void> => handler(this.#workMessage(message));
    await untilDone(() => this.#client.subscribeToQueue(QUEUE, GROUP, { ...terms, handler: take }));
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  #workMessage(message: AmqpQueueMessage): WorkMessage {
    const mark = this.#witness.mark(this.#client.state === "connected");
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
      return await this.#witness.confirms(mark);
    };
    return { offset, deliveryCount, json: () => message.json(), settle };
  }
}
