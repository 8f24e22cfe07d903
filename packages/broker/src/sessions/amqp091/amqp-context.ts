import { type FieldTable, RouteDecoder, RouteEncoder } from "polymq/amqp091/codec";
import { type ChunkPool, lenientText, type TextCodec } from "polymq/internal";
import type { AccessControl } from "../../auth/access-control.ts";
import type { Hub } from "../../core/hub.ts";
import type { AutoCreate } from "../../core/queues/queue-directory.ts";
import type { Topology } from "../../core/topology/topology-port.ts";
import type { BrokerMetrics } from "../../metrics/broker-metrics.ts";
import type { ConnectionWire } from "../connection-wire.ts";
import type { SessionSettings } from "../mqtt/mqtt-settings.ts";
import type { PropertyTranslator } from "../translate/property-translator.ts";
import type { UnsentLimit } from "../unsent-limit.ts";
import type { AmqpConnection } from "./amqp-connection.ts";
import type { Amqp091Settings } from "./amqp-settings.ts";
import { DeliveryBlocks } from "./delivery-block.ts";
import type { PublishRoute } from "./publish-route.ts";
import { ReplyConsumers } from "./reply-consumers.ts";

/** What all AMQP 0-9-1 connections of a broker share. */
export interface AmqpContext {
  readonly hub: Hub;
  readonly topology: Topology;
  readonly access: AccessControl;
  readonly metrics: BrokerMetrics;
  readonly settings: Amqp091Settings;
  readonly sessions: SessionSettings;
  readonly autoCreateQueues: AutoCreate;
  readonly text: TextCodec;
  readonly pool: ChunkPool;
  readonly unsent: UnsentLimit;
  readonly translator: PropertyTranslator;
  readonly blocks: DeliveryBlocks;
  /** Routes that clients publish to, and routes of deliveries. */
  readonly routes: RouteDecoder<PublishRoute>;
  readonly routeEncoder: RouteEncoder;
  readonly serverProperties: FieldTable;
  readonly replies: ReplyConsumers;
  randomBytes(count: number): Uint8Array;
  /** The next connection's number, from 1. */
  nextConnection(): number;
  /** All open transports, and the connections whose clients were let in. */
  readonly wires: Set<ConnectionWire>;
  readonly connections: Set<AmqpConnection>;
}

/** What {@link amqpContext} takes from the broker. */
export type AmqpContextParts = Pick<
  AmqpContext,
  | "hub"
  | "topology"
  | "access"
  | "metrics"
  | "settings"
  | "sessions"
  | "autoCreateQueues"
  | "text"
  | "pool"
  | "unsent"
  | "translator"
  | "randomBytes"
> & { readonly version: string };

/** Routes that are kept for all connections together. */
const ROUTES_MAX = 16_384;

/** Makes what all connections share, and passes on to them when memory or disk are short. */
export function amqpContext(parts: AmqpContextParts): AmqpContext {
  // Clients send text that is none, and servers do not look at it.
  const text = lenientText(parts.text);
  const connections = new Set<AmqpConnection>();
  let connectionCount = 0;
  parts.topology.alarms.listen({
    onAlarm: (reasons) => {
      for (const connection of connections) connection.onAlarm(reasons);
    },
  });
  return {
    ...parts,
    text,
    blocks: new DeliveryBlocks(text, parts.translator),
    routes: new RouteDecoder(text, ROUTES_MAX),
    routeEncoder: new RouteEncoder(text, ROUTES_MAX),
    serverProperties: serverProperties(parts.version),
    replies: new ReplyConsumers(),
    nextConnection: () => ++connectionCount,
    wires: new Set(),
    connections,
  };
}

function serverProperties(version: string): FieldTable {
  return {
    product: "polymq",
    version,
    platform: "Node.js",
    copyright: "",
    information: "Apache-2.0",
    capabilities: {
      publisher_confirms: true,
      exchange_exchange_bindings: true,
      "basic.nack": true,
      consumer_cancel_notify: true,
      "connection.blocked": true,
      consumer_priorities: true,
      authentication_failure_close: true,
      per_consumer_qos: true,
      direct_reply_to: true,
    },
  };
}
