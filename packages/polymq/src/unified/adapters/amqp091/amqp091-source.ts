import type { AmqpDelivery } from "../../../amqp091/client/queues/delivery.ts";
import type { AmqpSubscription } from "../../../amqp091/client/queues/subscription.ts";
import type { Source } from "../../adapter.ts";
import type { Delivery } from "../../delivery.ts";

/** A subscription of the AMQP 0-9-1 client. */
export class Amqp091Source<M extends AmqpDelivery> implements Source {
  readonly #native: AmqpSubscription<M>;
  readonly #make: (message: M) => Delivery;

  constructor(native: AmqpSubscription<M>, make: (message: M) => Delivery) {
    this.#native = native;
    this.#make = make;
  }

  iterate(): AsyncIterator<M, undefined, undefined> {
    return this.#native[Symbol.asyncIterator]();
  }

  wrap(message: unknown): Delivery {
    return this.#make(message as M);
  }

  unsubscribe(): Promise<void> {
    return this.#native.unsubscribe();
  }
}
