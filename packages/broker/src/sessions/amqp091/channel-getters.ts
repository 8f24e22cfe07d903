import { ReplyCode } from "polymq/amqp091/codec";
import type { QueueDelivery, SettleOutcome } from "../../core/queues/queue-port.ts";
import type { QueueGetter, QueueOwner, VirtualHost } from "../../core/topology/topology-port.ts";
import { locked, named, notFound } from "./refusals.ts";
import { ReplyError } from "./reply-error.ts";
import type { Unsettled } from "./unsettled.ts";

const ACK: SettleOutcome = Object.freeze({ is: "ack" });
const NACK: SettleOutcome = Object.freeze({ is: "nack" });
const REJECT: SettleOutcome = Object.freeze({ is: "reject", detail: "rejected by client" });

/** A message whose properties do not fit into its client's frames is a dead letter. */
export const TOO_LARGE: SettleOutcome = Object.freeze({
  is: "reject",
  detail: "its properties do not fit into a frame",
});

/** What `basic.get` has found. */
export interface Got {
  readonly delivery: QueueDelivery;
  readonly messageCount: number;
  readonly unsettled: GotMessage;
}

/** A message that was got; it is settled by its client, or here when that acknowledges nothing or cannot take it. */
export interface GotMessage extends Unsettled {
  /** No client can take it: dead-lettered. */
  bury(): void;
}

/** The queues from which a channel has taken messages one by one that are not settled. A queue is looked for anew where nothing of it is held. */
export class ChannelGetters {
  readonly #host: VirtualHost;
  readonly #owner: QueueOwner;
  readonly #open = new Set<OpenGetter>();

  constructor(host: VirtualHost, owner: QueueOwner) {
    this.#host = host;
    this.#owner = owner;
  }

  /** The next message of a queue, or null. @throws {ReplyError} 404, 405, 540 */
  take(queue: string): Got | null {
    const open = new OpenGetter(this.#getter(queue), (done) => this.#open.delete(done));
    this.#open.add(open);
    const got = open.take();
    if (got === null) open.release();
    return got;
  }

  /** The channel is over: gives back all that is unsettled. */
  end(): void {
    for (const open of [...this.#open]) open.release();
  }

  #getter(queue: string): QueueGetter {
    const result = this.#host.getter(queue, this.#owner);
    switch (result.is) {
      case "getter":
        return result.getter;
      case "locked":
        throw locked(queue, this.#host.name);
      case "not-found":
        throw notFound("queue", queue, this.#host.name);
      default: {
        const what = named("queue", queue, this.#host.name);
        throw new ReplyError(ReplyCode.NotImplemented, `basic.get not supported by stream queues ${what}`);
      }
    }
  }
}

/** One message that was taken and is not settled. */
class OpenGetter implements GotMessage {
  readonly #getter: QueueGetter;
  readonly #onDone: (done: OpenGetter) => void;
  #offset = -1;

  constructor(getter: QueueGetter, onDone: (done: OpenGetter) => void) {
    this.#getter = getter;
    this.#onDone = onDone;
  }

  take(): Got | null {
    const delivery = this.#getter.take("explicit");
    if (delivery === null) return null;
    this.#offset = delivery.offset;
    return { delivery, messageCount: this.#getter.messages, unsettled: this };
  }

  ack(): void {
    this.#settle(ACK);
  }

  requeue(): void {
    this.#settle(NACK);
  }

  reject(): void {
    this.#settle(REJECT);
  }

  bury(): void {
    this.#settle(TOO_LARGE);
  }

  /** Gives back what is not settled. */
  release(): void {
    this.#getter.close();
    this.#onDone(this);
  }

  #settle(outcome: SettleOutcome): void {
    this.#getter.settle(this.#offset, outcome);
    this.release();
  }
}
