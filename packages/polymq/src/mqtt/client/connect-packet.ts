import type { TextCodec } from "../../bytes/text.ts";
import type { Endpoint } from "../../transport/endpoint.ts";
import type { Connect, ConnectProperties, ProtocolLevel, Will, WillProperties } from "../codec/packets.ts";
import type { Credentials, Settings, WillOptions } from "./options.ts";
import { toUserProperties } from "./user-properties.ts";

/** What differs from one connection attempt to the next. */
export interface ConnectChoice {
  readonly level: ProtocolLevel;
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
    will: settings.will === null ? null : willOf(settings.will, choice.level, text),
    properties: choice.level === 5 ? await propertiesOf(settings) : null,
  };
}

async function credentialsOf(settings: Settings, endpoint: Endpoint): Promise<Credentials> {
  if (settings.credentials !== null) return await settings.credentials();
  if (settings.username !== null || settings.password !== null) {
    return {
      ...(settings.username === null ? {} : { username: settings.username }),
      ...(settings.password === null ? {} : { password: settings.password }),
    };
  }
  return {
    ...(endpoint.username === "" ? {} : { username: endpoint.username }),
    ...(endpoint.password === "" ? {} : { password: endpoint.password }),
  };
}

async function propertiesOf(settings: Settings): Promise<ConnectProperties | null> {
  const { authentication, connectProperties } = settings;
  if (authentication === null) return Object.keys(connectProperties).length === 0 ? null : connectProperties;
  const data = typeof authentication.data === "function" ? await authentication.data() : authentication.data;
  return {
    ...connectProperties,
    authenticationMethod: authentication.method,
    ...(data === undefined ? {} : { authenticationData: data }),
  };
}

function willOf(will: WillOptions, level: ProtocolLevel, text: TextCodec): Will {
  return {
    topic: will.topic,
    payload: toBytes(will.payload ?? new Uint8Array(0), text),
    qos: will.qos ?? 0,
    retain: will.retain ?? false,
    properties: level === 5 ? willProperties(will) : null,
  };
}

function willProperties(will: WillOptions): WillProperties | null {
  const properties: WillProperties = {
    ...(will.delaySeconds === undefined ? {} : { delaySeconds: will.delaySeconds }),
    ...(will.payloadFormat === undefined ? {} : { payloadFormat: will.payloadFormat }),
    ...(will.messageExpirySeconds === undefined ? {} : { messageExpirySeconds: will.messageExpirySeconds }),
    ...(will.contentType === undefined ? {} : { contentType: will.contentType }),
    ...(will.responseTopic === undefined ? {} : { responseTopic: will.responseTopic }),
    ...(will.correlationData === undefined ? {} : { correlationData: will.correlationData }),
    ...(will.userProperties === undefined ? {} : { userProperties: toUserProperties(will.userProperties) }),
  };
  return Object.keys(properties).length === 0 ? null : properties;
}

/** Text as UTF-8, bytes as they are. */
export function toBytes(value: string | Uint8Array, text: TextCodec): Uint8Array {
  if (typeof value !== "string") return value;
  const bytes = new Uint8Array(text.byteLength(value));
  text.write(bytes, 0, value);
  return bytes;
}
