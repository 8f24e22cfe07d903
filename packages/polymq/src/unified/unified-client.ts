// Hot path: `publish` runs per message.
import type { Emitter, EventOf, EventStream } from "../base/emitter.ts";
import type { MessagingError } from "../base/errors.ts";
import type { Adapter, AnyPublishOptions, Tell } from "./adapter.ts";
import type { ClientAnswer, Responding } from "./client.ts";
import type { Codec } from "./codec.ts";
import { checkConsume } from "./consume-call.ts";
import { ConsumerSubscription } from "./consumer.ts";
import type { Delivery } from "./delivery.ts";
import type { ClientEvent, ClientState } from "./events.ts";
import type { ClientRequestOptions } from "./options.ts";
import type { Dialect, Protocol } from "./protocol.ts";
import { ClientQueue } from "./queue.ts";
import { ClientStream } from "./stream.ts";

/** What `connect` returns: a `Client` over an adapter, whose interface says more of types. */
export class UnifiedClient implements AsyncDisposable {
  readonly #adapter: Adapter;
  readonly #events: Emitter<ClientEvent>;
  readonly #tell: Tell;

  constructor(adapter: Adapter, events: Emitter<ClientEvent>) {
    this.#adapter = adapter;
    this.#events = events;
    this.#tell = (event) => events.emit(event);
    void adapter.closed.then((error) => {
      events.emit({ type: "closed", error });
      events.end();
    });
  }

  get protocol(): Protocol {
    return this.#adapter.protocol;
  }

  get native(): object {
    return this.#adapter.native;
  }

  get dialect(): Dialect {
    return this.#adapter.dialect;
  }

  get state(): ClientState {
    return this.#adapter.state;
  }

  get closed(): Promise<MessagingError | null> {
    return this.#adapter.closed;
  }

  is(protocol: Protocol): boolean {
    return this.#adapter.protocol === protocol;
  }

  publish(topic: string, payload: string | Uint8Array, options?: AnyPublishOptions): Promise<unknown> {
    try {
      return this.#adapter.publish(topic, payload, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async subscribe(
    filter: string,
    options?: Parameters<typeof checkConsume>[1] & { readonly codec?: Codec<never, unknown> },
  ): Promise<ConsumerSubscription> {
    const codec = typeof options === "object" ? options.codec : undefined;
    const { call, consumer } = checkConsume("topic", options, codec, this.#tell);
    return new ConsumerSubscription(await this.#adapter.subscribe(filter, call), consumer);
  }

  async unsubscribe(filter: string): Promise<void> {
    await this.#adapter.unsubscribe(filter);
  }

  queue(
    name: string,
    options: { readonly codec?: Codec<never, unknown>; readonly groups?: readonly string[] } = {},
  ): ClientQueue {
    const { codec, groups = [] } = options;
    return new ClientQueue(name, this.#adapter.queue(name, groups), codec, this.#tell);
  }

  stream(name: string, options: { readonly codec?: Codec<never, unknown> } = {}): ClientStream {
    return new ClientStream(name, this.#adapter.stream(name), options.codec, this.#tell);
  }

  async request(address: string, payload: string | Uint8Array, options: ClientRequestOptions = {}): Promise<Delivery> {
    return await this.#adapter.request(address, payload, options);
  }

  async respond(
    address: string,
    responder: (request: Delivery) => ClientAnswer,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<Responding> {
    const ending = await this.#adapter.respond(address, responder, options.signal);
    const stop = async (): Promise<void> => {
      await ending.unsubscribe();
    };
    return { stop, [Symbol.asyncDispose]: stop };
  }

  on<K extends ClientEvent["type"]>(type: K, listener: (event: EventOf<ClientEvent, K>) => unknown): () => void {
    return this.#events.on(type, listener);
  }

  once<K extends ClientEvent["type"]>(type: K, listener: (event: EventOf<ClientEvent, K>) => unknown): () => void {
    return this.#events.once(type, listener);
  }

  events(): EventStream<ClientEvent> {
    return this.#events.events();
  }

  close(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    return this.#adapter.close(options.timeoutMs);
  }

  destroy(): void {
    this.#adapter.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
