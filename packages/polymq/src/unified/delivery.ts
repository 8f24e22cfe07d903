// Hot path: one object per received message; what it says of itself is read when asked for.
import { MessagingError } from "../base/errors.ts";
import type { DelayedNack, Message } from "./message.ts";

/** Stands for a value that no codec has made. */
const NOT_DECODED: unique symbol = Symbol("not decoded");

/** What the messages of all protocols have in common. */
export abstract class Delivery implements Message<unknown> {
  /** What the codec made of it. */
  decoded: unknown = NOT_DECODED;
  #properties: Readonly<Record<string, string>> | null = null;

  abstract readonly native: unknown;
  abstract readonly topic: string;
  abstract readonly payload: Uint8Array;
  abstract readonly contentType: string | null;
  abstract readonly timestamp: Date | null;
  abstract readonly deliveryCount: number;

  /** Null of topics, as is what follows. */
  get queue(): string | null {
    return null;
  }

  get routingKey(): string {
    return "";
  }

  get group(): string {
    return "";
  }

  get offset(): number | null {
    return null;
  }

  get value(): unknown {
    return this.decoded === NOT_DECODED ? this.payload : this.decoded;
  }

  get properties(): Readonly<Record<string, string>> {
    this.#properties ??= Object.freeze(this.readProperties());
    return this.#properties;
  }

  abstract text(): string;
  abstract json(): unknown;
  abstract property(name: string): string | null;
  abstract ack(): Promise<void>;
  abstract nack(options?: DelayedNack): Promise<void>;
  abstract reject(reason?: string): Promise<void>;

  /** As `reject`, for a message that its codec refuses: as much of the reason as the protocol can carry. */
  abstract refuse(reason: string): Promise<void>;

  /** Commits the place behind it, where the protocol can. */
  commit(): Promise<void> {
    return Promise.reject(unsupported("commits of offsets"));
  }

  protected abstract readProperties(): Record<string, string>;
}

/** The error of what a protocol or server cannot do. */
export function unsupported(what: string): MessagingError {
  return new MessagingError("ERR_UNSUPPORTED", `this connection has no ${what}`);
}

/** `$queue/<queue>[/<routing key>]`. */
export function queueTopic(queue: string, routingKey: string): string {
  return routingKey === "" ? `$queue/${queue}` : `$queue/${queue}/${routingKey}`;
}

/** Runs what settles at once, with its error as a rejection. */
export function settled(settle: () => void): Promise<void> {
  try {
    settle();
    return SETTLED;
  } catch (error) {
    return Promise.reject(error);
  }
}

const SETTLED: Promise<void> = Promise.resolve();
