import type { Endpoint } from "../endpoint.ts";
import { objectOf, ok, oneOf } from "../schemas.ts";

const CHECKS = objectOf({ broker: oneOf("ok", "stopping"), storage: oneOf("ok", "failed") });
const READY = objectOf({
  status: oneOf("ready", "not-ready"),
  mode: oneOf("nominal", "degraded"),
  checks: CHECKS,
});

/** Whether the process is alive, and whether it takes work. */
export const HEALTH_ENDPOINTS: readonly Endpoint[] = [
  {
    id: "getHealth",
    method: "GET",
    path: "/health",
    summary: "Whether the broker is alive",
    tag: "health",
    access: "open",
    responses: ok("It answers", objectOf({ status: oneOf("healthy") })),
    handle: () => ({ status: 200, body: { status: "healthy" } }),
  },
  {
    id: "getReadiness",
    method: "GET",
    path: "/ready",
    summary: "Whether the broker takes messages",
    tag: "health",
    access: "open",
    responses: {
      200: { description: "It takes messages; `degraded` while memory or disk are short", schema: READY },
      503: { description: "It stops, or its store has failed", schema: READY },
    },
    handle: (_call, { hub, state }) => {
      const storage = hub.committer.failure === null ? "ok" : "failed";
      const broker = state() === "running" ? "ok" : "stopping";
      const isReady = storage === "ok" && broker === "ok";
      const mode = isReady && hub.topology.alarms.reasons.length === 0 ? "nominal" : "degraded";
      const status = isReady ? "ready" : "not-ready";
      return { status: isReady ? 200 : 503, body: { status, mode, checks: { broker, storage } } };
    },
  },
];
