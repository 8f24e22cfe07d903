import type { AccessControl } from "../auth/access-control.ts";
import type { Hub } from "../core/hub.ts";
import type { QueueSettings } from "../core/queues/queue-settings.ts";
import type { BrokerMetrics } from "../metrics/broker-metrics.ts";
import type { ConnectionInspection } from "../sessions/connection-inspection.ts";
import type { PropertyTranslator } from "../sessions/translate/property-translator.ts";
import type { HttpSettings } from "./http-settings.ts";

/** What the HTTP side works with. */
export interface HttpContext {
  readonly hub: Hub;
  readonly metrics: BrokerMetrics;
  readonly access: AccessControl;
  readonly translator: PropertyTranslator;
  readonly settings: HttpSettings;
  /** What callers have to show; null lets everybody in. */
  readonly token: string | null;
  readonly version: string;
  /** Levels that a topic may have. */
  readonly topicLevelsMax: number;
  /** Checks the definition of a queue. @throws {MessagingError} ERR_INVALID_OPTIONS */
  readonly readQueue: (value: unknown) => QueueSettings;
  /** When the broker started, in milliseconds since 1970. */
  readonly startedAtMs: number;
  readonly connections: () => readonly ConnectionInspection[];
  /** Says goodbye to a client; false when there is no such connection. */
  readonly closeConnection: (id: string) => boolean;
}
