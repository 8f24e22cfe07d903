import { diagnostics } from "../../base/diagnostics.ts";
import { ChannelTracer } from "../../base/tracer.ts";
import { Authenticator } from "./authenticator.ts";
import type { ClientParts } from "./client-parts.ts";
import { Intake } from "./intake.ts";
import { MQTT_5 } from "./mqtt5.ts";
import { QueueClient } from "./queues/queue-client.ts";
import { RECOVERY } from "./recovery.ts";
import { Requester } from "./requester.ts";
import { StoredSession } from "./stored-session.ts";

/** All parts, there from the start. */
export const LOADED_PARTS: ClientParts = {
  intake: { loaded: Intake },
  queues: { loaded: QueueClient },
  requests: { loaded: Requester },
  authentication: { loaded: Authenticator },
  mqtt5: { loaded: MQTT_5 },
  recovery: { loaded: RECOVERY },
  store: { loaded: StoredSession },
  tracer: (owner) => new ChannelTracer(diagnostics(), owner, "mqtt"),
};
