// Hot path: `outboundBlock` runs per delivery, `inboundBlock` per message with an alias or an expiry. No closure, promise, spread, iterator or regex here.
import { MessagingError, varintBytes } from "polymq/internal";
import { PROPERTY_COUNT_MAX } from "polymq/mqtt/codec";
import type { MessageView } from "../../core/message.ts";
import { Encoding } from "../translate/encodings.ts";

/*
 * A message carries the property block of its PUBLISH as it came (MQTT 5.0 §3.3.2.3), but for what belongs to one hop: the
 * topic alias, the subscription identifiers (no client sends any), and the expiry interval, which shrinks while the message waits
 * and is told by `expiresAtMs`. So a delivery's block is a copy with at most a few bytes behind it; nothing is decoded.
 */

/** Says that a message's properties are such a block. */
export const MQTT_ENCODING: number = Encoding.Mqtt;

const PAYLOAD_FORMAT = 0x01;
const EXPIRY = 0x02;
const SUBSCRIPTION_IDENTIFIER = 0x0b;
const ALIAS = 0x23;
const USER_PROPERTY = 0x26;

const EXPIRY_BYTES = 5;
const ALIAS_BYTES = 3;

const USER_PROPERTY_BYTES_LEAST = 5;

/** So many properties and a few more are within the limit for sure. */
const COUNT_WITHOUT_LOOKING = PROPERTY_COUNT_MAX - 10;

/** The largest expiry interval that can be said. */
const EXPIRY_SECONDS_MAX = 0xffff_ffff;

/**
 * Takes topic alias and expiry interval out of a checked block that came from a client; null when nothing is left.
 * @param raw the block without its length; it is not changed
 */
export function inboundBlock(raw: Uint8Array): Uint8Array | null {
  const block = new Uint8Array(raw.length);
  let length = 0;
  for (let at = 0; at < raw.length; ) {
    const id = raw[at];
    const end = at + propertyBytes(raw, at);
    if (id !== ALIAS && id !== EXPIRY) {
      block.set(raw.subarray(at, end), length);
      length += end - at;
    }
    at = end;
  }
  return length === 0 ? null : block.subarray(0, length);
}

/**
 * The property block of a delivery: as the publisher sent it, with what is left of the expiry interval [MQTT-3.3.2-6] and the
 * identifiers of the subscriptions that it is for [MQTT-3.3.4-3]; null for none.
 * @param block the publisher's properties, turned over where they came by another protocol
 * @throws {MessagingError} ERR_PACKET_TOO_LARGE with more properties than one packet may have
 */
export function outboundBlock(
  message: MessageView,
  identifiers: readonly number[],
  epochMs: number,
  block: Uint8Array | null = message.encoding === MQTT_ENCODING ? message.properties : null,
): Uint8Array | null {
  const expires = message.expiresAtMs !== Number.POSITIVE_INFINITY;
  const count = identifiers.length;
  const own = block === null ? 0 : block.length;
  // Seldom true: a user property takes 5 bytes at least, and a block holds 5 others at most.
  if (count + own / USER_PROPERTY_BYTES_LEAST > COUNT_WITHOUT_LOOKING) checkCount(block, count + (expires ? 1 : 0));
  if (count === 0 && !expires) return block;
  let bytes = own + (expires ? EXPIRY_BYTES : 0);
  for (let i = 0; i < count; i++) bytes += 1 + varintBytes(identifiers[i] as number);
  const out = new Uint8Array(bytes);
  if (block !== null) out.set(block);
  let at = own;
  if (expires) at = putExpiry(out, at, message.expiresAtMs - epochMs);
  for (let i = 0; i < count; i++) at = putIdentifier(out, at, identifiers[i] as number);
  return out;
}

function putExpiry(out: Uint8Array, start: number, leftMs: number): number {
  const seconds = Math.min(EXPIRY_SECONDS_MAX, Math.max(0, Math.ceil(leftMs / 1000)));
  out[start] = EXPIRY;
  out[start + 1] = seconds >>> 24;
  out[start + 2] = seconds >>> 16;
  out[start + 3] = seconds >>> 8;
  out[start + 4] = seconds;
  return start + EXPIRY_BYTES;
}

function putIdentifier(out: Uint8Array, start: number, identifier: number): number {
  let at = start;
  out[at++] = SUBSCRIPTION_IDENTIFIER;
  let left = identifier;
  while (left > 0x7f) {
    out[at++] = (left & 0x7f) | 0x80;
    left >>>= 7;
  }
  out[at++] = left;
  return at;
}

/** Receivers may refuse a packet with more properties than our own codec takes, and the delivery would come again for ever. */
function checkCount(block: Uint8Array | null, added: number): void {
  let count = added + 1; // a topic alias
  if (block !== null) for (let at = 0; at < block.length; at += propertyBytes(block, at)) count++;
  if (count > PROPERTY_COUNT_MAX)
    throw new MessagingError("ERR_PACKET_TOO_LARGE", `a message with ${count} properties`);
}

/** Bytes of the property at `at`, its identifier included; the block was checked when it came. */
export function propertyBytes(block: Uint8Array, at: number): number {
  switch (block[at]) {
    case PAYLOAD_FORMAT:
      return 2;
    case EXPIRY:
      return EXPIRY_BYTES;
    case ALIAS:
      return ALIAS_BYTES;
    case USER_PROPERTY: {
      const name = textBytes(block, at + 1);
      return 1 + name + textBytes(block, at + 1 + name);
    }
    default:
      return 1 + textBytes(block, at + 1); // content type, response topic, correlation data
  }
}

/** Bytes of a text or binary value with its length in front. */
function textBytes(block: Uint8Array, at: number): number {
  return 2 + (((block[at] as number) << 8) | (block[at + 1] as number));
}
