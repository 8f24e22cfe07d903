import type { BrokerOptions } from "@polymq/broker";
import type { Client, ClientOptions } from "polymq";
import type { Clock } from "polymq/internal";

/** Where a running broker can be reached. */
export interface RunningAddress {
  readonly transport: "tcp" | "tls";
  readonly host: string;
  readonly port: number;
  readonly urls: readonly string[];
}

/** The part of a running broker that the command uses. */
export interface RunningBroker {
  readonly addresses: readonly RunningAddress[];
  /** What callers of the HTTP side have to show; null when that is nothing. */
  readonly httpToken: string | null;
  /** Drains and ends; resolves when nothing is left. */
  close(): Promise<void>;
  /** Resolves when the broker has ended: with null after `close`, else with the error that ended it. Never rejects. */
  readonly closed: Promise<Error | null>;
}

/** The world as the command sees it; tests hand in another one. */
export interface Environment {
  readonly version: string;
  readonly clock: Clock;
  /** Standard input. */
  readonly stdin: AsyncIterable<Uint8Array>;
  /** Writes to standard output; text has its line ends in it. The bytes are not changed later. */
  out(data: string | Uint8Array): void;
  /** Resolves when standard output has room for more; at once as a rule. */
  outReady(): Promise<void>;
  /** True when standard error is a terminal. */
  readonly isTerminal: boolean;
  /** Writes to standard error. */
  err(text: string): void;
  readFile(path: string): Promise<Uint8Array>;
  /** The options that a configuration file says. */
  readConfig(path: string): Promise<BrokerOptions>;
  startBroker(options: BrokerOptions): Promise<RunningBroker>;
  /** Connects a client; `connect` of `polymq`. */
  connect(url: string, options: ClientOptions): Promise<Client>;
  /** The standard `fetch`. */
  fetch(url: string, init: RequestInit): Promise<Response>;
  /**
   * Calls `fn` for each request to stop until the returned function is called: SIGINT and SIGTERM; for `output`, also when nobody reads standard output any more.
   */
  onStop(fn: () => void, also?: "output"): () => void;
  /** Ends the process at once. */
  exit(code: number): void;
}
