import type { TlsMaterial } from "polymq/transport";
import { OptionReader } from "./base/option-reader.ts";
import type { ListenerSettings, TlsSettings, WebSocketSettings } from "./listeners/listener-settings.ts";
import type { ProtocolName } from "./options.ts";

const PORT_DEFAULT = 1883;
const HOST_DEFAULT = "127.0.0.1";
const PROTOCOLS: readonly ProtocolName[] = ["mqtt", "amqp091", "amqp10", "http"];
/** Clients put more than one packet into a WebSocket message: room for what they gather besides the largest one. */
const MESSAGE_EXTRA_BYTES = 65_536;
const MESSAGE_BYTES_MAX = 268_435_460 + MESSAGE_EXTRA_BYTES;
const SHORT_FORM = ["host", "port", "tls", "protocols", "webSocket"];

/** Checks `listeners`, or the short form of a single one. @throws {MessagingError} ERR_INVALID_OPTIONS */
export function listenerSettings(reader: OptionReader, maximumPacketSize: number): readonly ListenerSettings[] {
  const list = reader.list("listeners");
  if (list === null) return Object.freeze([listener(reader, maximumPacketSize)]);
  for (const name of SHORT_FORM) {
    if (reader.has(name)) throw reader.invalid(name, "belongs into each of listeners when these are given");
  }
  if (list.length === 0) throw reader.invalid("listeners", "must not be empty");
  const listeners = list.map((item, index) => {
    const nested = new OptionReader(item, `listeners[${index}]`);
    if (!nested.has("port")) throw nested.invalid("port", "is required");
    const settings = listener(nested, maximumPacketSize);
    nested.done();
    return settings;
  });
  return Object.freeze(listeners);
}

function listener(reader: OptionReader, maximumPacketSize: number): ListenerSettings {
  const host = reader.text("host") ?? HOST_DEFAULT;
  if (host === "") throw reader.invalid("host", "must not be empty");
  return Object.freeze({
    host,
    port: reader.integer("port", { least: 0, most: 65_535, otherwise: PORT_DEFAULT }),
    tls: reader.has("tls") ? tls(reader.nested("tls")) : null,
    protocols: protocols(reader),
    webSocket: webSocket(reader, maximumPacketSize + MESSAGE_EXTRA_BYTES),
  });
}

function protocols(reader: OptionReader): readonly string[] | null {
  const names = reader.texts("protocols");
  if (names === null) return null;
  const unknown = names.find((name) => PROTOCOLS.every((known) => known !== name));
  if (unknown !== undefined || names.length === 0) {
    throw reader.invalid("protocols", `must be a list out of ${PROTOCOLS.join(", ")}`);
  }
  return names;
}

function webSocket(reader: OptionReader, messageBytesDefault: number): WebSocketSettings | null {
  const value = reader.value("webSocket") ?? true;
  if (value === false) return null;
  const nested = value === true ? new OptionReader({}, reader.pathOf("webSocket")) : reader.nested("webSocket");
  const paths = nested.texts("paths") ?? Object.freeze(["/mqtt", "/amqp"]);
  if (paths.length === 0 || paths.some((path) => !path.startsWith("/") || path.includes("?"))) {
    throw nested.invalid("paths", "must be paths that begin with /, without a query");
  }
  const settings: WebSocketSettings = {
    paths,
    origins: nested.texts("origins"),
    messageBytesMax: nested.integer("messageBytesMax", {
      least: 1_024,
      most: MESSAGE_BYTES_MAX,
      otherwise: messageBytesDefault,
    }),
  };
  nested.done();
  return Object.freeze(settings);
}

function tls(reader: OptionReader): TlsSettings {
  const settings: TlsSettings = {
    cert: material(reader, "cert"),
    key: material(reader, "key"),
    ca: material(reader, "ca"),
    pfx: bytesOrText(reader, "pfx"),
    passphrase: reader.text("passphrase"),
    clientCertificate: reader.oneOf("clientCertificate", ["none", "ask", "require"], "none"),
    plaintext: reader.oneOf("plaintext", ["refuse", "allow"], "refuse"),
    minVersion: version(reader, "minVersion"),
    maxVersion: version(reader, "maxVersion"),
    ciphers: reader.text("ciphers"),
  };
  reader.done();
  if (settings.pfx === null && settings.cert === null) throw reader.invalid("cert", "is required, or pfx");
  if (settings.pfx === null && settings.key === null) throw reader.invalid("key", "is required, or pfx");
  if (settings.clientCertificate !== "none" && settings.ca === null) {
    // Without it every authority that the runtime trusts could name clients.
    throw reader.invalid("ca", "is required when client certificates are looked at");
  }
  return Object.freeze(settings);
}

function version(reader: OptionReader, name: string): "TLSv1.2" | "TLSv1.3" | null {
  return reader.has(name) ? reader.oneOf<"TLSv1.2" | "TLSv1.3">(name, ["TLSv1.2", "TLSv1.3"], "TLSv1.2") : null;
}

function material(reader: OptionReader, name: string): TlsMaterial | null {
  const value = reader.value(name) ?? null;
  if (value === null || isBytesOrText(value)) return value;
  if (Array.isArray(value) && value.length > 0 && value.every(isBytesOrText)) return Object.freeze([...value]);
  throw reader.invalid(name, "must be a text or bytes, or a list of them");
}

function bytesOrText(reader: OptionReader, name: string): string | Uint8Array | null {
  const value = reader.value(name) ?? null;
  if (value === null || isBytesOrText(value)) return value;
  throw reader.invalid(name, "must be a text or bytes");
}

function isBytesOrText(value: unknown): value is string | Uint8Array {
  return typeof value === "string" || value instanceof Uint8Array;
}
