import { given } from "../../base/option-rules.ts";
import type { TextCodec } from "../../bytes/text.ts";
import type { Endpoint } from "../../transport/endpoint.ts";
import type { Connect, ProtocolLevel, Will } from "../codec/packets.ts";
import type { Mqtt5 } from "./mqtt5.ts";
import type { Credentials, Settings, WillOptions } from "./options.ts";

/** What differs from one connection attempt to the next. */
export interface ConnectChoice {
  readonly level: ProtocolLevel;
  /** At level 5. */
  readonly mqtt5: Mqtt5 | null;
  readonly clientId: string;
  readonly cleanStart: boolean;
  readonly endpoint: Endpoint;
}

/** Builds the CONNECT of one attempt; asks for credentials and authentication data anew. */
export async function connectPacket(settings: Settings, choice: ConnectChoice, text: TextCodec): Promise<Connect> {
  const credentials = await credentialsOf(settings, choice.endpoint);
  return {
    type: "connect",
    level: choice.level,
    cleanStart: choice.cleanStart,
    keepAliveSeconds: settings.keepAliveSeconds,
    clientId: choice.clientId,
    username: credentials.username ?? null,
    password: credentials.password === undefined ? null : toBytes(credentials.password, text),
    will: settings.will === null ? null : willOf(settings.will, choice.mqtt5, text),
    properties: choice.mqtt5 === null ? null : await choice.mqtt5.connectProperties(settings),
  };
}

async function credentialsOf(settings: Settings, endpoint: Endpoint): Promise<Credentials> {
  if (settings.credentials !== null) return await settings.credentials();
  const { username, password } = settings;
  if (username === null && password === null) {
    return (
      given<Credentials>({ username: endpoint.username || undefined, password: endpoint.password || undefined }) ?? {}
    );
  }
  return given<Credentials>({ username: username ?? undefined, password: password ?? undefined }) ?? {};
}

function willOf(will: WillOptions, mqtt5: Mqtt5 | null, text: TextCodec): Will {
  const { topic, payload = "", qos = 0, retain = false } = will;
  return { topic, payload: toBytes(payload, text), qos, retain, properties: mqtt5?.willProperties(will) ?? null };
}

/** Text as UTF-8, bytes as they are. */
export function toBytes(value: string | Uint8Array, text: TextCodec): Uint8Array {
  if (typeof value !== "string") return value;
  const bytes = new Uint8Array(text.byteLength(value));
  text.write(bytes, 0, value);
  return bytes;
}
