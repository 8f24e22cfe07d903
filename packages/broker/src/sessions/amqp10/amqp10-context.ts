import type { ChunkPool, TextCodec } from "polymq/internal";
import type { AccessControl } from "../../auth/access-control.ts";
import type { Hub } from "../../core/hub.ts";
import type { AutoCreate } from "../../core/queues/queue-directory.ts";
import type { Topology } from "../../core/topology/topology-port.ts";
import type { BrokerMetrics } from "../../metrics/broker-metrics.ts";
import type { ConnectionWire } from "../connection-wire.ts";
import type { SessionSettings } from "../mqtt/mqtt-settings.ts";
import type { PropertyTranslator } from "../translate/property-translator.ts";
import { SelectorLookup } from "../translate/selector-lookup.ts";
import type { UnsentLimit } from "../unsent-limit.ts";
import type { Amqp10Connection } from "./amqp10-connection.ts";
import type { Amqp10Settings } from "./amqp10-settings.ts";
import { DeliveryMessages } from "./delivery-message.ts";
import { LinkNames } from "./link-names.ts";

/** What all AMQP 1.0 connections of a broker share. */
export interface Amqp10Context {
  readonly hub: Hub;
  readonly topology: Topology;
  readonly access: AccessControl;
  readonly metrics: BrokerMetrics;
  readonly settings: Amqp10Settings;
  readonly sessions: SessionSettings;
  readonly autoCreateQueues: AutoCreate;
  readonly text: TextCodec;
  readonly pool: ChunkPool;
  readonly unsent: UnsentLimit;
  readonly messages: DeliveryMessages;
  readonly selectors: SelectorLookup;
  /** Links by their names, which belong to one connection at a time. */
  readonly linkNames: LinkNames;
  readonly version: string;
  randomBytes(count: number): Uint8Array;
  /** The next connection's number, from 1. */
  nextConnection(): number;
  /** All open transports, and the connections whose clients were let in. */
  readonly wires: Set<ConnectionWire>;
  readonly connections: Set<Amqp10Connection>;
}

/** What {@link amqp10Context} takes from the broker. */
export type Amqp10ContextParts = Omit<
  Amqp10Context,
  "messages" | "selectors" | "linkNames" | "nextConnection" | "wires" | "connections"
> & { readonly translator: PropertyTranslator };

/** Makes what all connections share, and passes on to them when memory or disk are short. */
export function amqp10Context(parts: Amqp10ContextParts): Amqp10Context {
  const connections = new Set<Amqp10Connection>();
  let connectionCount = 0;
  parts.topology.alarms.listen({
    onAlarm: () => {
      for (const connection of connections) connection.wake();
    },
  });
  return {
    ...parts,
    messages: new DeliveryMessages(parts.text, parts.translator),
    selectors: new SelectorLookup(parts.translator),
    linkNames: new LinkNames(),
    nextConnection: () => ++connectionCount,
    wires: new Set(),
    connections,
  };
}
