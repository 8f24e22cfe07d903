import { ReplyCode } from "polymq/amqp091/codec";
import type { QueueDelivery, SettleOutcome } from "../../core/queues/queue-port.ts";
import type { QueueGetter, QueueOwner, VirtualHost } from "../../core/topology/topology-port.ts";
import { locked, named, notFound } from "./refusals.ts";
import { ReplyError } from "./reply-error.ts";
import type { Unsettled } from "./unsettled.ts";

const ACK: SettleOutcome = Object.freeze({ is: "ack" });
const NACK: SettleOutcome = Object.freeze({ is: "nack" });
const REJECT: SettleOutcome = Object.freeze({ is: "reject", detail: "rejected by client" });

/** What `basic.get` has found. */
export interface Got {
  readonly delivery: QueueDelivery;
  readonly messageCount: number;
  /** Null when the client acknowledges nothing. */
  readonly unsettled: Unsettled | null;
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
  take(queue: string, noAck: boolean): Got | null {
    const open = new OpenGetter(this.#getter(queue), (done) => this.#open.delete(done));
    this.#open.add(open);
    const got = open.take(noAck);
    if (got === null || noAck) open.release();
    return got;
  }

  /** Gives back all that is unsettled, to be delivered again. */
  recover(): void {
    for (const open of [...this.#open]) open.release();
  }

  /** The channel is over. */
  end(): void {
    this.recover();
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
class OpenGetter implements Unsettled {
  readonly #getter: QueueGetter;
  readonly #onDone: (done: OpenGetter) => void;
  #offset = -1;

  constructor(getter: QueueGetter, onDone: (done: OpenGetter) => void) {
    this.#getter = getter;
    this.#onDone = onDone;
  }

  take(noAck: boolean): Got | null {
    const delivery = this.#getter.take(noAck ? "automatic" : "explicit");
    if (delivery === null) return null;
    this.#offset = delivery.offset;
    return { delivery, messageCount: this.#getter.messages, unsettled: noAck ? null : this };
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
