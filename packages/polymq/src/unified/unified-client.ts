// Hot path: `publish` runs per message.
import type { Emitter, EventOf, EventStream } from "../base/emitter.ts";
import { MessagingError } from "../base/errors.ts";
import { checkedOptions } from "../base/option-rules.ts";
import type { Adapter, AnyPublishOptions } from "./adapter.ts";
import type { Responding } from "./client.ts";
import type { Codec } from "./codec.ts";
import { checkConsume } from "./consume-call.ts";
import { ConsumerSubscription } from "./consumer.ts";
import type { Delivery } from "./delivery.ts";
import { clientClosed, type Host, throwIfClosed } from "./door.ts";
import type { ClientEvent, ClientState } from "./events.ts";
import type { ClientAnswer, ClientRequestOptions } from "./options.ts";
import type { Dialect, Protocol } from "./protocol.ts";
import { checkTopicPublish } from "./publish-call.ts";
import { ClientQueue } from "./queue.ts";
import { ClientStream } from "./stream.ts";

/** What `connect` returns: a `Client` over an adapter, whose interface says more of types. */
export class UnifiedClient implements AsyncDisposable {
  readonly #adapter: Adapter;
  readonly #events: Emitter<ClientEvent>;
  readonly #host: Host;

  constructor(adapter: Adapter, events: Emitter<ClientEvent>) {
    this.#adapter = adapter;
    this.#events = events;
    this.#host = { tell: (event) => events.emit(event), door: { error: null } };
    void adapter.closed.then((error) => {
      this.#host.door.error ??= clientClosed();
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
      throwIfClosed(this.#host.door);
      if (options !== undefined) checkTopicPublish(options);
      return this.#adapter.publish(topic, payload, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async subscribe(
    filter: string,
    options?: Parameters<typeof checkConsume>[1] & { readonly codec?: Codec<never, unknown> },
  ): Promise<ConsumerSubscription> {
    throwIfClosed(this.#host.door);
    const codec = typeof options === "object" ? options?.codec : undefined;
    checkCodec(codec);
    if (typeof filter !== "string" || filter.startsWith("$queue/")) {
      throw new MessagingError(
        "ERR_INVALID_TOPIC",
        "a topic filter is text; a queue is consumed by queue(name).consume",
      );
    }
    const { call, consumer } = checkConsume("topic", options, codec, this.#host.tell);
    return new ConsumerSubscription(await this.#adapter.subscribe(filter, call), consumer);
  }

  async unsubscribe(filter: string): Promise<void> {
    if (typeof filter !== "string") throw new MessagingError("ERR_INVALID_TOPIC", "a topic filter is text");
    await this.#adapter.unsubscribe(filter);
  }

  queue(
    name: string,
    options: { readonly codec?: Codec<never, unknown>; readonly groups?: readonly string[] } = {},
  ): ClientQueue {
    const { codec, groups = [] } = objectOf(options);
    checkName(name);
    checkCodec(codec);
    if (!Array.isArray(groups) || !groups.every(isGroup)) {
      throw invalid("groups are a list of names without @, /, + and #");
    }
    return new ClientQueue(name, this.#adapter.queue(name, groups), codec, this.#host);
  }

  stream(name: string, options: { readonly codec?: Codec<never, unknown> } = {}): ClientStream {
    const { codec } = objectOf(options);
    checkName(name);
    checkCodec(codec);
    return new ClientStream(name, this.#adapter.stream(name), codec, this.#host);
  }

  async request(address: string, payload: string | Uint8Array, options: ClientRequestOptions = {}): Promise<Delivery> {
    throwIfClosed(this.#host.door);
    return await this.#adapter.request(address, payload, objectOf(options));
  }

  async respond(
    address: string,
    responder: (request: Delivery) => ClientAnswer,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<Responding> {
    throwIfClosed(this.#host.door);
    if (typeof responder !== "function") throw invalid("a responder is a function");
    const ending = await this.#adapter.respond(address, responder, objectOf(options).signal);
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

  async close(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    const { timeoutMs } = checkedOptions(
      { code: "ERR_INVALID_ARGUMENT", options },
      { timeoutMs: [0, 2_147_483_647, 5_000] },
    );
    await this.#adapter.close(timeoutMs);
    this.#host.door.error ??= clientClosed();
  }

  destroy(): void {
    this.#host.door.error ??= clientClosed();
    this.#adapter.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function checkName(name: unknown): void {
  if (typeof name === "string" && name !== "") return;
  throw new MessagingError("ERR_INVALID_TOPIC", "a queue or stream has a name, which is text");
}

function objectOf<Options>(options: Options): Options {
  if (typeof options === "object" && options !== null) return options;
  throw invalid("options must be an object");
}

function checkCodec(codec: Codec<never, unknown> | undefined): void {
  if (codec === undefined) return;
  if (typeof codec?.encode === "function" && typeof codec.decode === "function") return;
  throw invalid("a codec has encode and decode");
}

function isGroup(name: unknown): boolean {
  return typeof name === "string" && !/[@/+#]/.test(name);
}

function invalid(what: string): MessagingError {
  return new MessagingError("ERR_INVALID_ARGUMENT", what);
}
