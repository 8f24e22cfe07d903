import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { MessagingError } from "polymq/internal";
import type { BrokerOptions } from "../options.ts";
import { serverOf } from "./config-listeners.ts";
import { type QueueDefaults, queuesOf } from "./config-queues.ts";
import { type ConfigReader, readConfigText } from "./config-reader.ts";
import {
  CLUSTER_KEYS,
  EXTERNAL_AUTH_KEYS,
  HOOK_KEYS,
  LOG_KEYS,
  RATE_LIMIT_KEYS,
  WEBHOOK_KEYS,
} from "./config-sections.ts";
import { defined } from "./defined.ts";

/** Where a configuration is: in a file, or already a text. */
export type BrokerConfigSource =
  | { readonly path: string }
  /** `file` is the name in error messages, and what paths in the text are relative to; default `config.yaml` in the working directory. */
  | { readonly text: string; readonly file?: string };

/**
 * Reads a YAML configuration in FluxMQ's vocabulary and gives the options of `startBroker`. Certificates are read from their files; paths are
 * relative to the configuration. Keys that mean nothing to this broker are passed over, what it cannot do is refused, and so is
 * every unknown key.
 * @throws {MessagingError} ERR_INVALID_OPTIONS with file, line and column in front, and the nearest known key for one that is unknown;
 *   ERR_INVALID_OPTIONS when the file cannot be read
 */
export async function readBrokerConfig(source: BrokerConfigSource): Promise<BrokerOptions> {
  const file = "path" in source ? source.path : (source.file ?? "config.yaml");
  const directory = dirname(resolve(file));
  const reader = readConfigText("path" in source ? await textOf(file) : source.text, file);
  const server = await serverOf(reader.map("server"), (path) => readFile(resolve(directory, path)));
  const storage = storageOf(reader.map("storage"), directory);
  const manager = managerOf(reader.map("queue_manager"));
  const defaults = { ...manager, ackDurability: storage.ackDurability };
  const queues = queuesOf(reader.maps("queues"), defaults);
  const options = {
    ...storage.options,
    ...clientOptions(reader.map("broker"), reader.map("session")),
    ...(server.listeners.length === 0 ? {} : { listeners: server.listeners }),
    ...(server.connectionsMax === undefined ? {} : { connections: { countMax: server.connectionsMax } }),
    ...defined({ drainTimeoutMs: server.drainTimeoutMs, autoCreateQueues: manager.autoCreate }),
    queues,
  };
  refuseWhatIsMissing(reader);
  reader.map("log").onlyHas(LOG_KEYS);
  reader.done();
  return options;
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new MessagingError("ERR_INVALID_OPTIONS", `${path}: cannot be read`, { cause });
  }
}

interface StorageConfig {
  readonly options: Pick<BrokerOptions, "dataDir" | "durability">;
  readonly ackDurability: "fsync" | "buffered";
}

/** Without a word about it, what is acknowledged is synced: this broker's default, not FluxMQ's. */
function storageOf(reader: ConfigReader, directory: string): StorageConfig {
  const type = reader.oneOf("type", ["memory", "badger", "lmdb"]) ?? "memory";
  const dataDir = reader.text("data_dir") ?? reader.text("badger_dir");
  const ackDurability = reader.oneOf("queue_ack_durability", ["fsync", "buffered"]) ?? "fsync";
  reader.ignore("badger_dir", "badger_sync_writes", "queue_sync_interval", "recover_on_startup");
  reader.done();
  if (type === "memory") return { options: {}, ackDurability };
  if (dataDir === undefined) throw reader.invalid("type", `${type} needs data_dir or badger_dir`);
  return { options: { dataDir: resolve(directory, dataDir), durability: ackDurability }, ackDurability };
}

interface ManagerConfig extends Omit<QueueDefaults, "ackDurability"> {
  readonly autoCreate: "durable" | "ephemeral" | "refuse" | undefined;
}

function managerOf(reader: ConfigReader): ManagerConfig {
  const autoCommitIntervalMs = reader.duration("auto_commit_interval");
  const groupExpiresAfterMs = reader.duration("group_expires_after");
  const passingGroupExpiresAfterMs = reader.duration("passing_group_expires_after");
  const autoCreate = reader.oneOf("auto_create", ["durable", "ephemeral", "refuse"]);
  reader.ignore("capture_workers", "capture_queue_depth", "capture_drain_timeout");
  reader.done();
  return { autoCommitIntervalMs, groupExpiresAfterMs, passingGroupExpiresAfterMs, autoCreate };
}

/** A packet holds a message of the largest size and, about, this much more. */
const PACKET_BYTES_MORE = 65_536;

/** The largest packet of MQTT. */
const PACKET_BYTES_MAX = 268_435_460;

const U16_MAX = 65_535;
const U32_MAX = 4_294_967_295;

function clientOptions(broker: ConfigReader, session: ConfigReader): BrokerOptions {
  const messageBytes = broker.bytes("max_message_size", 1, PACKET_BYTES_MAX - PACKET_BYTES_MORE);
  const retained = broker.whole("max_retained_messages", 0, U32_MAX);
  const maximumQoS = broker.number("max_qos");
  if (maximumQoS !== undefined && maximumQoS !== 0 && maximumQoS !== 1 && maximumQoS !== 2) {
    throw broker.invalid("max_qos", "must be 0, 1 or 2");
  }
  broker.ignore("retry_interval", "max_retries", "async_fan_out", "fan_out_workers");
  broker.done();
  const policy = session.oneOf("offline_queue_policy", ["evict", "reject"]);
  const sessions = defined({
    countMax: session.whole("max_sessions", 1, U32_MAX),
    queuedMessagesMax: session.whole("max_offline_queue_size", 0, U32_MAX),
    heldBytesMax: session.bytes("max_held_bytes"),
    unsentBytesInAllMax: session.bytes("max_unsent_bytes"),
    whenQueueFull: policy === undefined ? undefined : OFFLINE_POLICY[policy],
  });
  const inflight = session.whole("max_inflight_messages", 1, U16_MAX);
  session.ignore("default_expiry_interval", "max_send_queue_size", "disconnect_on_full");
  session.ignore("inflight_overflow", "pending_queue_size");
  session.done();
  const maximumPacketSize = messageBytes === undefined ? undefined : messageBytes + PACKET_BYTES_MORE;
  return {
    mqtt: defined({ maximumPacketSize, maximumQoS, maxInflight: inflight, receiveMaximum: inflight }),
    amqp091: defined({ maximumBodyBytes: messageBytes }),
    sessions,
    ...(retained === undefined ? {} : { retained: { countMax: retained } }),
  };
}

const OFFLINE_POLICY = { evict: "dropOldest", reject: "dropNewest" } as const;

/** Sections that would change who may do what, or where messages go, are not passed over in silence. */
function refuseWhatIsMissing(reader: ConfigReader): void {
  for (const [section, { why, known }] of Object.entries(SWITCHED)) {
    const found = reader.map(section);
    if (found.flag("enabled") === true) throw found.invalid("enabled", why);
    found.onlyHas(known);
  }
  const auth = reader.map("auth");
  const external = auth.map("external");
  if (external.text("url") !== undefined)
    throw external.invalid("url", "access is decided by the options users and auth");
  external.onlyHas(EXTERNAL_AUTH_KEYS);
  if (auth.maps("local_principals").length > 0) {
    throw auth.invalid("local_principals", "access is decided by the options users and auth");
  }
  auth.done();
  const hooks = reader.map("hooks");
  if (hooks.text("url") !== undefined) throw hooks.invalid("url", "hooks are functions, in the option auth");
  hooks.onlyHas(HOOK_KEYS);
}

const SWITCHED = {
  cluster: { why: "this broker is a single node", known: CLUSTER_KEYS },
  webhook: { why: "this broker calls no webhooks", known: WEBHOOK_KEYS },
  ratelimit: { why: "this broker has no rate limits", known: RATE_LIMIT_KEYS },
} as const;
