/** What a number is on a wire that tells kinds of numbers apart. */
export type NumberKind =
  | "int8"
  | "uint8"
  | "int16"
  | "uint16"
  | "int32"
  | "uint32"
  | "int64"
  | "uint64"
  | "float"
  | "double";

/** A number whose kind is to come through. */
export interface TypedNumber {
  readonly kind: NumberKind;
  readonly number: number | bigint;
}

/** A moment, in milliseconds since 1970. */
export interface Moment {
  readonly epochMs: number;
}

/** A decimal: `unscaled` divided by ten to the power of `scale`. */
export interface Decimal {
  readonly scale: number;
  readonly unscaled: number;
}

/** A map; keys in order. */
export interface CommonMap {
  readonly entries: readonly CommonEntry[];
}

/** Values that headers may have in one protocol or another. A plain number or bigint is an int64, or a double when it is not whole. */
export type CommonValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | TypedNumber
  | Moment
  | Decimal
  | CommonMap
  | readonly CommonValue[];

/** A header: its name, and its value. */
export type CommonEntry = readonly [name: string, value: CommonValue];

/**
 * A message's properties as no protocol in particular has them; what a message lacks is undefined. Everything that one protocol has and another
 * has not is kept under a header, so that it comes back as it was (docs/property-mapping.md). Expiry is not here: `MessageView.expiresAtMs` tells it.
 */
export interface CommonProperties {
  readonly contentType?: string | undefined;
  readonly contentEncoding?: string | undefined;
  /** Text where the bytes are text. */
  readonly correlationId?: string | Uint8Array | undefined;
  readonly replyTo?: string | undefined;
  /** MQTT's own word for where answers go: a topic. */
  readonly responseTopic?: string | undefined;
  readonly messageId?: string | undefined;
  readonly type?: string | undefined;
  readonly userId?: string | undefined;
  readonly appId?: string | undefined;
  readonly clusterId?: string | undefined;
  readonly timestampMs?: number | undefined;
  /** 0 to 255. */
  readonly priority?: number | undefined;
  readonly isDurable?: boolean | undefined;
  /** 1: the payload is UTF-8 text; 0: nothing is said about it. */
  readonly payloadFormat?: 0 | 1 | undefined;
  /** In order; a name may stand several times. */
  readonly headers: readonly CommonEntry[];
}

/** While one is being gathered. */
export type CommonDraft = { -readonly [K in keyof Omit<CommonProperties, "headers">]: CommonProperties[K] } & {
  readonly headers: CommonEntry[];
};

/**
 * The same, with a reply-to that is also the response topic as a header. As a property of its own it would be taken, on the way back, for the reply-to
 * that stands for a response topic.
 */
export function keepingReplyTo(properties: CommonProperties): CommonProperties {
  const { replyTo, responseTopic, headers } = properties;
  if (replyTo === undefined || replyTo !== responseTopic) return properties;
  return { ...properties, replyTo: undefined, headers: [["reply-to", replyTo], ...headers] };
}

/** A value as text, for protocols whose headers are text: numbers in decimal, moments as ISO 8601, bytes in base64, lists and maps as JSON. */
export function textOf(value: CommonValue): string {
  if (typeof value === "string") return value;
  if (value instanceof Uint8Array) return base64(value);
  if (value === null) return "";
  if (typeof value !== "object") return String(value);
  if ("number" in value) return String(value.number);
  if ("epochMs" in value) return momentText(value);
  if ("scale" in value) return decimalText(value);
  return JSON.stringify(jsonOf(value));
}

function jsonOf(value: CommonValue): unknown {
  if (Array.isArray(value)) return value.map(jsonOf);
  if (typeof value === "object" && value !== null && "entries" in value && !(value instanceof Uint8Array)) {
    return Object.fromEntries((value as CommonMap).entries.map(([name, each]) => [name, jsonOf(each)]));
  }
  if (value === null || typeof value === "boolean" || typeof value === "number") return value;
  if (typeof value === "object" && "number" in value && typeof value.number === "number") return value.number;
  return textOf(value);
}

/** Milliseconds in decimal where no date can be written. */
function momentText({ epochMs }: Moment): string {
  return Math.abs(epochMs) <= DATE_MS_MAX ? new Date(epochMs).toISOString() : String(epochMs);
}

const DATE_MS_MAX = 8_640_000_000_000_000;

function decimalText({ scale, unscaled }: Decimal): string {
  const digits = String(unscaled).padStart(scale + 1, "0");
  return scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}
