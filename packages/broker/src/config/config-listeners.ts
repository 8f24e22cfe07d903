import type { BrokerTlsOptions, ListenerOptions } from "../options.ts";
import type { ConfigReader } from "./config-reader.ts";
import { LISTENER_KEYS } from "./config-sections.ts";
import { defined } from "./defined.ts";

/** Reads a file that the configuration names. */
export type ReadFile = (path: string) => Promise<Uint8Array>;

/** What the section `server` says. */
export interface ServerConfig {
  readonly listeners: readonly ListenerOptions[];
  /** The largest `max_connections`. */
  readonly connectionsMax: number | undefined;
  readonly drainTimeoutMs: number | undefined;
}

/** Slots of each protocol's listeners; which of them have TLS. */
const MQTT_SLOTS = { v3: "plain", v5: "plain", tls: "tls", mtls: "mtls" } as const;
const AMQP_SLOTS = { plain: "plain", tls: "tls", mtls: "mtls" } as const;
const AMQP091_SLOTS = { ...AMQP_SLOTS, local: "mtls", internal: "mtls", service: "mtls" } as const;

/** The most that the options `connections.countMax` and `drainTimeoutMs` take. */
const CONNECTIONS_MAX = 1_048_576;
const TIMER_MS_MAX = 2_147_483_647;

type Security = "plain" | "tls" | "mtls";

/** Reads the section `server`. Every port serves all protocols that the broker speaks, whatever section it stands in. */
export async function serverOf(reader: ConfigReader, readFile: ReadFile): Promise<ServerConfig> {
  const mqtt = reader.map("mqtt");
  const found = new Listeners(readFile);
  await found.take(mqtt.map("tcp"), MQTT_SLOTS, "no");
  await found.take(mqtt.map("websocket"), MQTT_SLOTS, "yes");
  mqtt.done();
  await found.take(reader.map("amqp"), AMQP_SLOTS, "no");
  await found.take(reader.map("amqp091"), AMQP091_SLOTS, "no");
  refuseListeners(reader.map("http"), ["plain", "tls", "mtls"], "this broker has no HTTP bridge");
  refuseListeners(reader.map("coap"), ["plain", "dtls", "mdtls"], "this broker speaks no CoAP");
  reader.ignore("health_addr", "health_enabled", "metrics_addr", "metrics_enabled", "admin_api_addr");
  reader.ignore("otel_service_name", "otel_service_version", "otel_traces_enabled", "otel_metrics_enabled");
  reader.ignore("otel_trace_sample_rate", "otel_insecure", "otel_ca_file", "otel_cert_file", "otel_key_file");
  const drainTimeoutMs = reader.duration("shutdown_timeout", TIMER_MS_MAX);
  reader.done();
  return { listeners: found.all, connectionsMax: found.connectionsMax, drainTimeoutMs };
}

class Listeners {
  readonly all: ListenerOptions[] = [];
  connectionsMax: number | undefined = undefined;
  readonly #readFile: ReadFile;

  constructor(readFile: ReadFile) {
    this.#readFile = readFile;
  }

  async take(section: ConfigReader, slots: Readonly<Record<string, Security>>, webSocket: "yes" | "no"): Promise<void> {
    for (const [slot, security] of Object.entries(slots)) await this.#one(section.map(slot), security, webSocket);
    section.done();
  }

  async #one(reader: ConfigReader, security: Security, webSocket: "yes" | "no"): Promise<void> {
    const address = reader.address("addr");
    const connectionsMax = reader.whole("max_connections", 1, CONNECTIONS_MAX);
    reader.ignore("read_timeout", "write_timeout", "handshake_timeout", "protocol");
    const path = webSocket === "yes" ? reader.text("path") : undefined;
    const origins = webSocket === "yes" ? reader.texts("allowed_origins") : undefined;
    const tls = await this.#tls(reader, security);
    reader.done();
    if (address === undefined) return;
    if (security !== "plain" && tls === null) throw reader.invalid("addr", "needs cert_file and key_file");
    if (connectionsMax !== undefined) this.connectionsMax = Math.max(connectionsMax, this.connectionsMax ?? 0);
    const upgrade = defined({ paths: path === undefined ? undefined : [path], origins });
    this.all.push({ ...address, webSocket: webSocket === "yes" ? upgrade : false, ...(tls === null ? {} : { tls }) });
  }

  async #tls(reader: ConfigReader, security: Security): Promise<BrokerTlsOptions | null> {
    const cert = reader.text("cert_file");
    const key = reader.text("key_file");
    const ca = reader.text("ca_file");
    const clientAuth = reader.oneOf("client_auth", [
      "none",
      "request",
      "require",
      "verify_if_given",
      "require_and_verify",
    ]);
    const minVersion = reader.oneOf("min_version", ["tls1.2", "TLS1.2", "1.2", "tls1.3", "TLS1.3", "1.3"]);
    reader.ignore("server_ca_file", "cipher_suites", "prefer_server_cipher_suites");
    for (const check of ["ocsp", "crl"]) {
      if (reader.has(check))
        throw reader.invalid(check, "this broker does not check whether certificates were revoked");
    }
    if (cert === undefined && key === undefined) return null;
    if (cert === undefined || key === undefined) throw reader.invalid("", "cert_file and key_file belong together");
    const asks = security === "mtls" ? "require" : CLIENT_CERTIFICATE[clientAuth ?? "none"];
    if (asks !== "none" && ca === undefined)
      throw reader.invalid("", "ca_file is required to check client certificates");
    return {
      cert: await this.#file(reader, "cert_file", cert),
      key: await this.#file(reader, "key_file", key),
      ...(ca === undefined ? {} : { ca: await this.#file(reader, "ca_file", ca) }),
      clientCertificate: asks,
      ...(minVersion === undefined ? {} : { minVersion: minVersion.endsWith("3") ? "TLSv1.3" : "TLSv1.2" }),
    };
  }

  async #file(reader: ConfigReader, key: string, path: string): Promise<Uint8Array> {
    try {
      return await this.#readFile(path);
    } catch {
      throw reader.invalid(key, `${path} cannot be read`);
    }
  }
}

const CLIENT_CERTIFICATE = {
  none: "none",
  request: "ask",
  verify_if_given: "ask",
  require: "require",
  require_and_verify: "require",
} as const;

function refuseListeners(reader: ConfigReader, slots: readonly string[], why: string): void {
  for (const slot of slots) {
    const listener = reader.map(slot);
    if (listener.text("addr") !== undefined) throw listener.invalid("addr", why);
    listener.onlyHas(LISTENER_KEYS);
  }
  reader.done();
}
