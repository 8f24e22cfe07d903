import type { Source } from "../../base/lazy.ts";
import type { Tracer, TracerOwner } from "../../base/tracer.ts";
import type { Authenticator } from "./authenticator.ts";
import type { Intake } from "./intake.ts";
import type { Mqtt5 } from "./mqtt5.ts";
import type { QueueClient } from "./queues/queue-client.ts";
import type { Recovery } from "./recovery.ts";
import type { Requester } from "./requester.ts";
import type { StoredSession } from "./stored-session.ts";

/**
 * Parts of a client that not every application uses. Runtimes that read their code from disk have it at once; a browser loads it on first use,
 * and what a connection needs before its socket opens.
 */
export interface ClientParts {
  /**
   * Subscriptions and received messages; loaded by `subscribe`, and by `connect()` where messages may come without: with a session that goes on, a
   * store or `onMessage`.
   */
  readonly intake: Source<typeof Intake>;
  /** Queues and streams. */
  readonly queues: Source<typeof QueueClient>;
  /** Request and response. */
  readonly requests: Source<typeof Requester>;
  /** Enhanced authentication; loaded by `connect()`. */
  readonly authentication: Source<typeof Authenticator>;
  /** What MQTT 5.0 has and 3.1.1 has not; loaded by `connect()` unless `protocolVersion` is 4. */
  readonly mqtt5: Source<Mqtt5>;
  /** Coming back after a connection; loaded by `connect()` unless no second connection may follow. */
  readonly recovery: Source<Recovery>;
  /** Sessions kept in a store; loaded by `connect()`. */
  readonly store: Source<typeof StoredSession>;
  readonly tracer: (owner: TracerOwner) => Tracer;
}
