import type { Composite } from "../codec/tables.ts";
import type { AmqpMap } from "../codec/values.ts";

/** What the server said in its open (§2.7.1). */
export interface AmqpPeer {
  readonly containerId: string;
  readonly hostname: string | null;
  readonly maxFrameSize: number;
  readonly maxSessions: number;
  readonly idleTimeoutMs: number | null;
  readonly offeredCapabilities: readonly string[];
  readonly desiredCapabilities: readonly string[];
  readonly properties: AmqpMap | null;
}

/** The facts of an open. */
export function peerOf(open: Composite<"open">): AmqpPeer {
  return {
    containerId: open.containerId,
    hostname: open.hostname,
    maxFrameSize: open.maxFrameSize,
    maxSessions: open.channelMax + 1,
    idleTimeoutMs: open.idleTimeOut,
    offeredCapabilities: open.offeredCapabilities,
    desiredCapabilities: open.desiredCapabilities,
    properties: open.properties,
  };
}

/**
 * True for RabbitMQ before version 4, whose AMQP 1.0 plugin reckons a flow without what is on its way meanwhile, and so sends up to one window beyond
 * the credit; and which leaves one end of a session in some hundred unanswered, as it may stop the process that is to write the answer before that does.
 */
export function isRabbitMq3(peer: AmqpPeer): boolean {
  const version = peer.properties?.get("version");
  return peer.properties?.get("product") === "RabbitMQ" && typeof version === "string" && version.startsWith("3.");
}
