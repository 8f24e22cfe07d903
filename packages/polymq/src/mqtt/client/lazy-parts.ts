import { noop } from "../../base/noop.ts";
import type { Tracer } from "../../base/tracer.ts";
import type { ClientParts } from "./client-parts.ts";

const SILENT = { hasSubscribers: false, publish: noop };

/** Nobody can listen in a browser. */
const NO_TRACER: Tracer = {
  publish: SILENT,
  deliver: SILENT,
  settle: SILENT,
  published: noop,
  delivered: noop,
  settled: noop,
  connection: noop,
  warn: noop,
};

/** Each part in a chunk of its own, loaded on first use. */
export const LAZY_PARTS: ClientParts = {
  intake: { load: async () => (await import("./intake.ts")).Intake },
  queues: { load: async () => (await import("./queues/queue-client.ts")).QueueClient },
  requests: { load: async () => (await import("./requester.ts")).Requester },
  authentication: { load: async () => (await import("./authenticator.ts")).Authenticator },
  mqtt5: { load: async () => (await import("./mqtt5.ts")).MQTT_5 },
  recovery: { load: async () => (await import("./recovery.ts")).RECOVERY },
  store: { load: async () => (await import("./stored-session.ts")).StoredSession },
  tracer: () => NO_TRACER,
};
