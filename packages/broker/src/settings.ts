import { resolve } from "node:path";
import type { AuthSettings } from "./auth/auth-settings.ts";
import { OptionReader } from "./base/option-reader.ts";
import type { HubLimits } from "./core/hub.ts";
import type { AutoCreate, QueueLimits } from "./core/queues/queue-directory.ts";
import type { QueueSettings } from "./core/queues/queue-settings.ts";
import { FILTER_LEVELS_MAX } from "./core/topic-trie.ts";
import { hostMemoryBytes } from "./host-resources.ts";
import type { HttpSettings } from "./http/http-settings.ts";
import type { AdmissionSettings, ListenerSettings } from "./listeners/listener-settings.ts";
import type { BrokerOptions } from "./options.ts";
import type { Amqp10Settings } from "./sessions/amqp10/amqp10-settings.ts";
import type { Amqp091Settings } from "./sessions/amqp091/amqp-settings.ts";
import type { MqttSettings, SessionSettings } from "./sessions/mqtt/mqtt-settings.ts";
import { amqp10Settings } from "./settings-amqp10.ts";
import { amqp091Settings, virtualHosts } from "./settings-amqp091.ts";
import { authSettings } from "./settings-auth.ts";
import { httpSettings } from "./settings-http.ts";
import { listenerSettings } from "./settings-listeners.ts";
import { queueDefinitions, queueLimits } from "./settings-queues.ts";
import { type ResourceSettings, resourceSettings } from "./settings-resources.ts";
import type { Durability } from "./storage/store.ts";

/** {@link BrokerOptions} after the door: complete, checked, frozen. */
export interface BrokerSettings {
  readonly listeners: readonly ListenerSettings[];
  readonly admission: AdmissionSettings;
  readonly auth: AuthSettings;
  /** Null: no HTTP but WebSocket. */
  readonly http: HttpSettings | null;
  /** An absolute path, or null to keep all in memory. */
  readonly dataDir: string | null;
  readonly durability: Durability;
  readonly mqtt: MqttSettings;
  readonly amqp091: Amqp091Settings;
  readonly amqp10: Amqp10Settings;
  /** Virtual hosts besides "/". */
  readonly virtualHosts: readonly string[];
  readonly sessions: SessionSettings;
  /** Limits of the core. */
  readonly hub: Required<HubLimits>;
  /** Queues that are to be there. */
  readonly queues: readonly QueueSettings[];
  readonly autoCreateQueues: AutoCreate;
  readonly queueLimits: Required<QueueLimits>;
  readonly resources: ResourceSettings;
  /** 0: no statistics. */
  readonly sysIntervalSeconds: number;
  readonly drainTimeoutMs: number;
}

/** The longest delay that runtimes keep. */
const TIMER_MS_MAX = 2_147_483_647;
const U16_MAX = 65_535;
const U32_MAX = 4_294_967_295;
/** The protocol's largest packet: 5 bytes of fixed header and 268,435,455 more. */
const PACKET_BYTES_MAX = 268_435_460;
/** A limit below this would refuse ordinary packets of the protocol itself. */
const PACKET_BYTES_LEAST = 1_024;
const MIB = 1_048_576;
const BYTES_MAX = Number.MAX_SAFE_INTEGER;
/** What a longer alias table would cost is more than it saves (`ALIASES_MAX` of the engine). */
const OUTBOUND_ALIASES_MAX = 1_024;

/**
 * Checks options once, at the door, and fills in defaults.
 * @throws {MessagingError} ERR_INVALID_OPTIONS, with the name of the field in front of its message
 */
export function brokerSettings(options: BrokerOptions = {}): BrokerSettings {
  const reader = new OptionReader(options, "");
  const mqtt = mqttSettings(reader.nested("mqtt"));
  const storage = storageSettings(reader);
  const settings: BrokerSettings = {
    listeners: listenerSettings(reader, mqtt.maximumPacketSize),
    admission: admissionSettings(reader.nested("connections")),
    auth: authSettings(reader),
    http: httpSettings(reader),
    ...storage,
    mqtt,
    amqp091: amqp091Settings(reader.nested("amqp091")),
    amqp10: amqp10Settings(reader.nested("amqp10")),
    virtualHosts: virtualHosts(reader),
    ...sessionSettings(reader.nested("sessions"), reader.nested("retained")),
    queues: queueDefinitions(reader),
    autoCreateQueues: reader.oneOf(
      "autoCreateQueues",
      ["durable", "ephemeral", "refuse"],
      storage.dataDir === null ? "ephemeral" : "durable",
    ),
    queueLimits: queueLimits(reader.nested("queueLimits")),
    resources: resourceSettings(reader.nested("resources")),
    sysIntervalSeconds: reader.integer("sysIntervalSeconds", { least: 0, most: 86_400, otherwise: 10 }),
    drainTimeoutMs: reader.integer("drainTimeoutMs", { least: 0, most: TIMER_MS_MAX, otherwise: 5_000 }),
  };
  reader.done();
  return Object.freeze(settings);
}

function mqttSettings(reader: OptionReader): MqttSettings {
  const settings: MqttSettings = {
    maximumQoS: reader.integer("maximumQoS", { least: 0, most: 2, otherwise: 2 }) as 0 | 1 | 2,
    retainAvailable: reader.flag("retainAvailable", "yes"),
    wildcardSubscriptionAvailable: reader.flag("wildcardSubscriptionAvailable", "yes"),
    subscriptionIdentifiersAvailable: reader.flag("subscriptionIdentifiersAvailable", "yes"),
    sharedSubscriptionAvailable: reader.flag("sharedSubscriptionAvailable", "yes"),
    receiveMaximum: reader.integer("receiveMaximum", { least: 1, most: U16_MAX, otherwise: 1_024 }),
    maxInflight: reader.integer("maxInflight", { least: 1, most: U16_MAX, otherwise: 1_024 }),
    maxInflightBytes: reader.integer("maxInflightBytes", { least: 1, most: BYTES_MAX, otherwise: 32 * MIB }),
    maximumPacketSize: reader.integer("maximumPacketSize", {
      least: PACKET_BYTES_LEAST,
      most: PACKET_BYTES_MAX,
      otherwise: MIB + 65_536,
    }),
    topicAliasMaximum: reader.integer("topicAliasMaximum", { least: 0, most: U16_MAX, otherwise: 32 }),
    outboundTopicAliasMaximum: reader.integer("outboundTopicAliasMaximum", {
      least: 0,
      most: OUTBOUND_ALIASES_MAX,
      otherwise: 32,
    }),
    serverKeepAliveSeconds: reader.integer("serverKeepAliveSeconds", { least: 0, most: U16_MAX, otherwise: 0 }),
    connectTimeoutMs: reader.integer("connectTimeoutMs", { least: 1, most: TIMER_MS_MAX, otherwise: 10_000 }),
    topicLevelsMax: reader.integer("topicLevelsMax", {
      least: 1,
      most: FILTER_LEVELS_MAX,
      otherwise: FILTER_LEVELS_MAX,
    }),
    responseInformation: reader.text("responseInformation") ?? "responses/%c",
  };
  reader.done();
  return Object.freeze(settings);
}

function admissionSettings(reader: OptionReader): AdmissionSettings {
  const connectionsMax = reader.integer("countMax", { least: 1, most: MIB, otherwise: 10_000 });
  const settings: AdmissionSettings = {
    connectionsMax,
    connectionsPerAddressMax: reader.integer("perAddressMax", { least: 1, most: MIB, otherwise: connectionsMax }),
    backlog: reader.integer("backlog", { least: 1, most: U16_MAX, otherwise: 511 }),
    sniffTimeoutMs: reader.integer("sniffTimeoutMs", { least: 1, most: TIMER_MS_MAX, otherwise: 10_000 }),
    tlsHandshakeTimeoutMs: reader.integer("tlsHandshakeTimeoutMs", { least: 1, most: TIMER_MS_MAX, otherwise: 10_000 }),
  };
  reader.done();
  return Object.freeze(settings);
}

function storageSettings(reader: OptionReader): Pick<BrokerSettings, "dataDir" | "durability"> {
  const dataDir = reader.text("dataDir");
  if (dataDir === "") throw reader.invalid("dataDir", "must not be empty");
  const durability = reader.oneOf("durability", ["fsync", "buffered", "memory"], dataDir === null ? "memory" : "fsync");
  if (dataDir === null && durability !== "memory") throw reader.invalid("durability", `${durability} needs a dataDir`);
  if (dataDir !== null && durability === "memory")
    throw reader.invalid("durability", "memory and a dataDir exclude each other");
  return { dataDir: dataDir === null ? null : resolve(dataDir), durability };
}

function sessionSettings(sessions: OptionReader, retained: OptionReader): Pick<BrokerSettings, "sessions" | "hub"> {
  const settings: Pick<BrokerSettings, "sessions" | "hub"> = {
    sessions: Object.freeze({
      expirySecondsMax: sessions.integer("expirySecondsMax", { least: 0, most: U32_MAX, otherwise: U32_MAX }),
      queue: Object.freeze({
        messagesMax: sessions.integer("queuedMessagesMax", { least: 0, most: U32_MAX, otherwise: 10_000 }),
        bytesMax: sessions.integer("queuedBytesMax", { least: 0, most: BYTES_MAX, otherwise: 32 * MIB }),
        overflow: sessions.oneOf("whenQueueFull", ["dropOldest", "dropNewest"], "dropOldest"),
      }),
      unsentBytesMax: sessions.integer("unsentBytesMax", { least: 65_536, most: BYTES_MAX, otherwise: 4 * MIB }),
      unsentBytesInAllMax: share(sessions, "unsentBytesInAllMax", 4),
    }),
    hub: Object.freeze({
      sessionsMax: sessions.integer("countMax", { least: 1, most: U32_MAX, otherwise: 100_000 }),
      subscriptionsPerSessionMax: sessions.integer("subscriptionsMax", { least: 1, most: U32_MAX, otherwise: 10_000 }),
      filterUnitsPerSessionMax: sessions.integer("subscriptionBytesMax", {
        least: 1,
        most: BYTES_MAX,
        otherwise: 8 * MIB,
      }),
      heldBytesMax: share(sessions, "heldBytesMax", 2),
      retainedMax: retained.integer("countMax", { least: 0, most: U32_MAX, otherwise: 1_000_000 }),
      retainedBytesMax: retained.integer("bytesMax", { least: 0, most: BYTES_MAX, otherwise: 256 * MIB }),
    }),
  };
  sessions.done();
  retained.done();
  return settings;
}

/** Bytes, by default a part of the memory there is; 0 is no limit. */
function share(reader: OptionReader, name: string, part: number): number {
  const otherwise = Math.floor(hostMemoryBytes() / part);
  const bytes = reader.integer(name, { least: 0, most: BYTES_MAX, otherwise });
  return bytes === 0 ? Number.POSITIVE_INFINITY : bytes;
}
