import type { MessageShape } from "../wire/publish-ring.ts";
import type { MessageSink } from "./message-sink.ts";

/** Where and how a contender is to connect. */
export interface ContenderTarget {
  readonly port: number;
  /** Topic, size, quality of service and protocol level of the row. */
  readonly shape: MessageShape;
  /** Messages in flight. */
  readonly window: number;
  readonly payloads: readonly Uint8Array[];
}

/** One connected client under measurement. Each contender is one file that implements this over its public API. */
export interface ContenderSession {
  /**
   * Publishes `count` messages in the row's way; the first has payload number `from` of the cycle, the others follow.
   * Resolves when each message's own promise or callback has reported success.
   */
  publish(from: number, count: number): Promise<void>;
  /** Subscribes at the row's quality of service and delivers every message to `sink`. */
  subscribe(sink: MessageSink): Promise<void>;
  /** Publishes one QoS 0 message without waiting (round trips). A failure must not be lost. */
  send(payload: Uint8Array): void;
  /** Disconnects in an orderly way. */
  close(): Promise<void>;
}

/** Opens a connected session. */
export type OpenContender = (target: ContenderTarget) => Promise<ContenderSession>;
