import type { MqttSubscription } from "../../../mqtt/client/subscription.ts";
import type { Source } from "../../adapter.ts";
import type { Delivery } from "../../delivery.ts";

/** A subscription of the MQTT client. */
export class MqttSource<M extends { readonly payload: Uint8Array }> implements Source {
  readonly #native: MqttSubscription<M>;
  readonly #make: (message: M) => Delivery;

  constructor(native: MqttSubscription<M>, make: (message: M) => Delivery) {
    this.#native = native;
    this.#make = make;
  }

  iterate(): AsyncIterator<M, undefined> {
    return this.#native[Symbol.asyncIterator]();
  }

  wrap(message: unknown): Delivery {
    return this.#make(message as M);
  }

  async unsubscribe(): Promise<void> {
    if (!this.#native.ended) await this.#native.unsubscribe();
  }
}
