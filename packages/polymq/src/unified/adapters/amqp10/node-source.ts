// Hot path: `#handle` and the iteration run per message.
import type { AmqpDelivery } from "../../../amqp10/client/delivery.ts";
import type { AmqpReceiver } from "../../../amqp10/client/receiver.ts";
import { asMessagingError } from "../../../base/errors.ts";
import { noop } from "../../../base/noop.ts";
import type { ConsumeCall, Source, Tell } from "../../adapter.ts";
import type { Delivery } from "../../delivery.ts";
import type { Ways } from "./amqp10-ways.ts";

/** What a {@link NodeSource} is made of. */
export interface NodeSourceParts {
  readonly receiver: AmqpReceiver;
  /** True when the source is to stay when we leave. */
  readonly lasting: boolean;
  readonly call: ConsumeCall;
  readonly wrap: (message: AmqpDelivery) => Delivery;
  readonly tell: Tell;
  readonly ways: Ways;
}

/** A subscription to a node over a receiver: a topic, or a queue that is a plain node. */
export class NodeSource implements Source {
  readonly #parts: NodeSourceParts;
  readonly #working: Promise<void>[] = [];
  #over: Promise<void> | null = null;

  constructor(parts: NodeSourceParts) {
    this.#parts = parts;
    const { deliver, concurrency = 1 } = parts.call;
    if (deliver === null) return;
    for (let i = 0; i < concurrency; i++) this.#working.push(this.#work(deliver));
  }

  async *iterate(): AsyncGenerator<AmqpDelivery, void, undefined> {
    const { receiver, call } = this.#parts;
    for await (const delivery of receiver) {
      if (call.qos === 0) await this.#settle(delivery, "accept");
      yield delivery;
      if (call.ack === "auto" && !delivery.settled) await this.#settle(delivery, "accept");
    }
  }

  wrap(message: unknown): Delivery {
    return this.#parts.wrap(message as AmqpDelivery);
  }

  unsubscribe(): Promise<void> {
    this.#over ??= this.#end();
    return this.#over;
  }

  /** What nobody has begun with goes back, handlers under way are waited for. */
  async #end(): Promise<void> {
    const { receiver } = this.#parts;
    receiver.stop();
    for (let next = receiver.prefetched(); next !== null; next = receiver.prefetched()) next.release().catch(noop);
    // A source that lasts goes when its link is closed, and stays when it is only detached.
    if (this.#parts.lasting) await receiver.detach();
    await receiver.session.close();
    await Promise.all(this.#working);
  }

  async #work(deliver: (message: Delivery) => unknown): Promise<void> {
    try {
      for await (const delivery of this.#parts.receiver) await this.#handle(delivery, deliver);
    } catch (error) {
      if (this.#over !== null) return;
      this.#parts.tell({ type: "backgroundError", error: asMessagingError(error, "ERR_LINK_DETACHED") });
    }
  }

  async #handle(delivery: AmqpDelivery, deliver: (message: Delivery) => unknown): Promise<void> {
    const { call, wrap, tell } = this.#parts;
    if (call.qos === 0) await this.#settle(delivery, "accept");
    let outcome: "accept" | "giveBack" | "reject" = "accept";
    try {
      await deliver(wrap(delivery));
    } catch (error) {
      outcome = call.whenHandlerFails === "nack" ? "giveBack" : "reject";
      tell({ type: "handlerError", error });
    }
    if (call.ack === "auto" && !delivery.settled) await this.#settle(delivery, outcome);
  }

  async #settle(delivery: AmqpDelivery, outcome: "accept" | "giveBack" | "reject"): Promise<void> {
    try {
      if (outcome === "giveBack") await this.#parts.ways.giveBack(delivery);
      else await delivery[outcome]();
    } catch (error) {
      // Its link is over: the server delivers it again.
      this.#parts.tell({ type: "backgroundError", error: asMessagingError(error, "ERR_STALE_DELIVERY") });
    }
  }
}
