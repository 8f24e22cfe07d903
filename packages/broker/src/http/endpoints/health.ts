import type { Endpoint } from "../endpoint.ts";
import { objectOf, ok, oneOf } from "../schemas.ts";

const LEVEL = oneOf("ok", "low");
const CHECKS = objectOf({ storage: oneOf("ok", "failed"), memory: LEVEL, disk: LEVEL });
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
      503: { description: "Its store has failed; it ends", schema: READY },
    },
    handle: (_call, { hub }) => {
      const { reasons } = hub.topology.alarms;
      const isReady = hub.committer.failure === null;
      const checks = {
        storage: isReady ? "ok" : "failed",
        memory: reasons.includes("memory") ? "low" : "ok",
        disk: reasons.includes("disk") ? "low" : "ok",
      };
      const mode = isReady && reasons.length === 0 ? "nominal" : "degraded";
      return { status: isReady ? 200 : 503, body: { status: isReady ? "ready" : "not-ready", mode, checks } };
    },
  },
];
