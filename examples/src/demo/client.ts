import { MqttClient } from "polymq/mqtt";
import type { ClientPlan } from "./messages.ts";

/** Longest wait for an acknowledgement; far above all cuts of the demo together. */
const ACK_TIMEOUT_MS = 60_000;

/**
 * A client of the demo.
 * @param session `lasting`: it outlives its connections, so that QoS 2 stays exactly once when the link breaks; `clean`: for consumers of queues, whose
 *   messages go back to the queue with the connection
 */
export function demoClient(plan: ClientPlan, session: "lasting" | "clean"): MqttClient {
  const lasting = session === "lasting";
  return new MqttClient({
    servers: plan.server,
    clientId: plan.name,
    protocolVersion: plan.protocolVersion,
    cleanStart: !lasting,
    ...(lasting && plan.protocolVersion === 5 ? { sessionExpirySeconds: 3_600 } : {}),
    maxInflight: 500,
    ackTimeoutMs: ACK_TIMEOUT_MS,
    reconnect: { initialDelayMs: 50, maxDelayMs: 500, retryFirstConnect: true },
  });
}

/** Counts how often a client came back. */
export function countReconnects(client: MqttClient): () => number {
  let connects = 0;
  client.on("connect", () => connects++);
  return () => Math.max(0, connects - 1);
}
