import type { MessagingError } from "../../base/errors.ts";
import type { Outbox } from "../../transport/outbox.ts";
import type { QoS } from "../codec/packets.ts";
import type { ClientEngine } from "../engine/client-engine.ts";
import type { ServerCapabilities } from "./capabilities.ts";
import type { ClientItem } from "./pending.ts";
import type { Route } from "./subscriptions.ts";

/** An open connection as publisher, subscriptions and inbox see it. */
export interface Link {
  readonly engine: ClientEngine<ClientItem, Route>;
  readonly outbox: Outbox;
  readonly capabilities: ServerCapabilities;
  /** As CONNECT says it: "" where the server chooses. */
  readonly clientId: string;
  /** The time of this turn, in the clock's ms. */
  nowMs(): number;
  /** Asks for `pump` to be called when the outbox has room again. */
  wakeWhenRoom(): void;
  /**
   * Checks a message against what the server said it can do, before anything is sent.
   * @throws {MessagingError} ERR_NOT_SUPPORTED_BY_SERVER, ERR_UNSUPPORTED
   */
  check(qos: QoS, retain: boolean, block: Uint8Array | null): void;
  /** Ends the connection because of an error of ours. */
  fail(error: MessagingError): void;
}
