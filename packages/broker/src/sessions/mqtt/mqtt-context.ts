import type { ChunkPool, TextCodec } from "polymq/internal";
import type { TopicDecoder, TopicEncoder } from "polymq/mqtt/codec";
import type { AccessControl } from "../../auth/access-control.ts";
import type { Hub } from "../../core/hub.ts";
import type { BrokerMetrics } from "../../metrics/broker-metrics.ts";
import type { PropertyTranslator } from "../translate/property-translator.ts";
import type { UnsentLimit } from "../unsent-limit.ts";
import type { MqttConnection } from "./mqtt-connection.ts";
import type { MqttSettings, SessionSettings } from "./mqtt-settings.ts";
import type { TopicRoute } from "./topic-routes.ts";

/** What all MQTT connections of a broker share. */
export interface MqttContext {
  readonly hub: Hub;
  readonly access: AccessControl;
  readonly metrics: BrokerMetrics;
  readonly mqtt: MqttSettings;
  readonly sessions: SessionSettings;
  readonly text: TextCodec;
  readonly pool: ChunkPool;
  readonly unsent: UnsentLimit;
  readonly topicDecoder: TopicDecoder<TopicRoute>;
  readonly topicEncoder: TopicEncoder;
  readonly translator: PropertyTranslator;
  /** Text for the `server` user property of CONNACK. */
  readonly serverName: string;
  randomBytes(count: number): Uint8Array;
  /** All open connections. */
  readonly connections: Set<MqttConnection>;
}
