import { MessagingError } from "../base/errors.ts";
import type { Client, QueueHandleOptions } from "./client.ts";
import type { Codec } from "./codec.ts";
import type { Subscription } from "./consumer.ts";
import type { Message } from "./message.ts";
import type { ClientPublishOptions, ClientSubscribeOptions, QueuePublishOptions } from "./options.ts";
import type { Protocol } from "./protocol.ts";
import type { Queue } from "./queue.ts";

/** Connected clients of several protocols, as FluxMQ's Go client has them. */
export interface MultiClientConfig {
  readonly mqtt?: Client<"mqtt">;
  readonly amqp091?: Client<"amqp091">;
  readonly amqp10?: Client<"amqp10">;
  /** Which one is used where a call names none. Default `mqtt`; when that is not there, the first that is. */
  readonly defaultProtocol?: Protocol;
}

/** Which client a call is for. */
export interface ProtocolOption {
  readonly protocol?: Protocol;
}

/** What a handler of a queue gets. */
type Handler = (message: Message) => unknown;

/**
 * Two transports at once, or three: each call goes over the protocol that it names, or the default one. Properties with the prefix of another protocol are left out.
 * Closing it closes its clients.
 */
export class MultiClient implements AsyncDisposable {
  readonly #clients: ReadonlyMap<Protocol, Client>;
  readonly #default: Protocol;

  /** @throws {MessagingError} ERR_NO_SERVERS without any client, ERR_INVALID_PROTOCOL for a default that there is none of */
  constructor(config: MultiClientConfig) {
    const clients = new Map<Protocol, Client>();
    for (const protocol of PROTOCOLS) {
      const client = config[protocol] as unknown as Client | undefined;
      if (client !== undefined) clients.set(protocol, client);
    }
    const [first] = clients.keys();
    if (first === undefined) throw new MessagingError("ERR_NO_SERVERS", "no client of any protocol was given");
    const { defaultProtocol = "mqtt" } = config;
    checkProtocol(defaultProtocol);
    this.#clients = clients;
    this.#default = clients.has(defaultProtocol) ? defaultProtocol : first;
  }

  /** True when every client is connected. */
  get connected(): boolean {
    return [...this.#clients.values()].every((client) => client.state === "connected");
  }

  /** The client of a protocol, or the default one. @throws {MessagingError} ERR_INVALID_PROTOCOL, ERR_UNSUPPORTED for one that is not there */
  client(protocol: Protocol = this.#default): Client {
    checkProtocol(protocol);
    const client = this.#clients.get(protocol);
    if (client !== undefined) return client;
    throw new MessagingError("ERR_UNSUPPORTED", `there is no client for ${protocol} here`);
  }

  /** As `Client.publish`, over the protocol named. */
  async publish(
    topic: string,
    payload: string | Uint8Array,
    options: ClientPublishOptions<"mqtt"> & ClientPublishOptions<"amqp091"> & ProtocolOption = {},
  ): Promise<void> {
    const { protocol, ...rest } = options;
    await this.client(protocol).publish(topic, payload, rest as ClientPublishOptions);
  }

  /** As `Client.subscribe`, over the protocol named. */
  async subscribe<T = Uint8Array>(
    filter: string,
    handler: (message: Message<T>) => unknown,
    options: ClientSubscribeOptions<T, "mqtt"> & ProtocolOption = {},
  ): Promise<Subscription<Message<T>>> {
    const { protocol, ...rest } = options;
    const chosen = { ...rest, handler } as unknown as ClientSubscribeOptions<T>;
    return await this.client(protocol).subscribe<T>(filter, chosen);
  }

  /** As `Client.unsubscribe`, over the protocol named. */
  async unsubscribe(filter: string, options: ProtocolOption = {}): Promise<void> {
    await this.client(options.protocol).unsubscribe(filter);
  }

  /** A queue of the client of the protocol named; see `Client.queue`. */
  queue<In = string | Uint8Array, Out = Uint8Array>(
    name: string,
    options: QueueHandleOptions<In, Out> & ProtocolOption = {},
  ): Queue<In, Out> {
    const { protocol, ...rest } = options;
    return this.client(protocol).queue(name, rest as QueueHandleOptions<In, Out> & { readonly codec: Codec<In, Out> });
  }

  /** Puts a message into a queue; see `Queue.publish`. */
  async publishToQueue(
    queue: string,
    payload: string | Uint8Array,
    options: QueuePublishOptions & ProtocolOption = {},
  ): Promise<void> {
    const { protocol, ...rest } = options;
    await this.queue(queue, protocol === undefined ? {} : { protocol }).publish(payload, rest);
  }

  /** Consumes a queue as a member of a group; see `Queue.consume`. */
  async subscribeToQueue(
    queue: string,
    group: string,
    handler: Handler,
    options: ProtocolOption = {},
  ): Promise<Subscription<Message>> {
    return await this.queue(queue, options).consume({ group, handler });
  }

  /** Closes all clients; rejects with their errors in one `AggregateError` when several fail, after all are closed. */
  async close(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    const ends = await Promise.allSettled([...this.#clients.values()].map((client) => client.close(options)));
    const errors = ends.flatMap((end) => (end.status === "rejected" ? [end.reason as unknown] : []));
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new AggregateError(errors, "several clients failed to close");
  }

  /** As `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

const PROTOCOLS: readonly Protocol[] = ["mqtt", "amqp091", "amqp10"];

function checkProtocol(protocol: unknown): void {
  if ((PROTOCOLS as readonly unknown[]).includes(protocol)) return;
  throw new MessagingError("ERR_INVALID_PROTOCOL", "a protocol is mqtt, amqp091 or amqp10");
}
