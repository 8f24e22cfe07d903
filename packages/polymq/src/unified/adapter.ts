import type { MessagingError } from "../base/errors.ts";
import type { Delivery } from "./delivery.ts";
import type { ClientEvent, ClientState } from "./events.ts";
import type {
  ClientAnswer,
  ClientAnswerMessage,
  ClientRequestOptions,
  CommitOption,
  QueuePublishOptions,
  StreamFrom,
  TopicFilterOptions,
} from "./options.ts";
import type { Dialect, Protocol } from "./protocol.ts";

/** What the unified layer needs of a protocol. Everything that is not here is reached through `native`. */
export interface Adapter {
  readonly protocol: Protocol;
  /** The protocol client. */
  readonly native: object;
  readonly dialect: Dialect;
  readonly state: ClientState;
  /** Resolves when the client is closed for good, with the error that ended it or null. */
  readonly closed: Promise<MessagingError | null>;
  publish(topic: string, payload: string | Uint8Array, options: AnyPublishOptions | undefined): Promise<unknown>;
  subscribe(filter: string, call: ConsumeCall): Promise<Source>;
  unsubscribe(filter: string): Promise<unknown>;
  /** @throws {MessagingError} ERR_INVALID_TOPIC, ERR_UNSUPPORTED */
  queue(name: string, groups: readonly string[]): QueueAdapter;
  stream(name: string): StreamAdapter;
  request(address: string, payload: string | Uint8Array, options: ClientRequestOptions): Promise<Delivery>;
  respond(
    address: string,
    responder: (request: Delivery) => ClientAnswer,
    signal: AbortSignal | undefined,
  ): Promise<Ending>;
  close(timeoutMs: number | undefined): Promise<void>;
  destroy(): void;
}

/** One queue. */
export interface QueueAdapter {
  publish(payload: string | Uint8Array, options: QueuePublishOptions | undefined): Promise<unknown>;
  consume(call: ConsumeCall): Promise<Source>;
}

/** One stream. */
export interface StreamAdapter {
  publish(payload: string | Uint8Array, options: QueuePublishOptions | undefined): Promise<unknown>;
  read(call: ReadCall): Promise<Source>;
  /** @throws {MessagingError} ERR_UNSUPPORTED where offsets cannot be committed */
  commit(group: string, offset: number): Promise<void>;
}

/** An answer with its payload apart. */
export function answerOf(answered: Awaited<ClientAnswer>): ClientAnswerMessage {
  return typeof answered === "string" || answered instanceof Uint8Array ? { payload: answered } : answered;
}

/** What can be ended. */
export interface Ending {
  unsubscribe(): Promise<unknown>;
}

/** A subscription of the protocol client. */
export interface Source extends Ending {
  /** Messages of the protocol, each to be made a {@link Delivery} of. */
  iterate(): AsyncIterator<unknown, unknown, undefined>;
  wrap(message: unknown): Delivery;
}

/** A checked call that consumes. */
export interface ConsumeCall {
  /** Gets each message; null when the source is iterated. */
  readonly deliver: ((message: Delivery) => unknown) | null;
  readonly qos: 0 | 1 | 2;
  readonly group: string;
  readonly filter: string;
  /** What only MQTT's topics have; null when nothing of it is asked for. */
  readonly topic: TopicFilterOptions | null;
  readonly prefetch: number | undefined;
  readonly concurrency: number | undefined;
  readonly ack: "auto" | "manual";
  readonly whenHandlerFails: "nack" | "reject";
  readonly signal: AbortSignal | undefined;
}

/** A checked call that reads a stream. */
export interface ReadCall extends ConsumeCall {
  readonly from: StreamFrom;
  readonly commit: NonNullable<CommitOption["commit"]>;
}

/** Options of a publish to a topic, as any of the protocols may have them. */
export interface AnyPublishOptions {
  readonly qos?: 0 | 1 | 2;
  readonly retain?: boolean;
  readonly properties?: Readonly<Record<string, string>>;
  readonly contentType?: string;
  readonly expiresAfterMs?: number;
  readonly exchange?: string;
  readonly routingKey?: string;
  readonly mandatory?: boolean;
  readonly signal?: AbortSignal;
}

/** Where an adapter tells what happens. */
export type Tell = (event: ClientEvent) => void;
