// Hot path: `outboundBlock` runs per delivery; it only looks inside a block where something has to change.

import type { TextCodec } from "polymq/internal";
import { decodePublishProperties, encodePublishProperties, type PublishProperties } from "polymq/mqtt/codec";
import type { MessageView } from "../../core/message.ts";

/** Says that a message's properties are a PUBLISH's property block, without topic alias and subscription identifiers. */
export const MQTT_ENCODING = 1;

/** Turns the properties of an arrived PUBLISH into the block that its message carries: all but what concerns this connection. */
export function inboundBlock(text: TextCodec, properties: PublishProperties): Uint8Array | null {
  const { topicAlias: _alias, subscriptionIdentifiers: _identifiers, ...rest } = properties;
  const block = encodePublishProperties(text, rest);
  return block.length === 0 ? null : block;
}

/**
 * The property block of a delivery: as the publisher sent it, the expiry interval lessened by the time the message waited
 * [MQTT-3.3.2-6], and the identifiers of the subscriptions that it is for [MQTT-3.3.4-3].
 */
export function outboundBlock(
  text: TextCodec,
  message: MessageView,
  identifiers: readonly number[],
  epochMs: number,
): Uint8Array | null {
  const block = message.encoding === MQTT_ENCODING ? message.properties : null;
  if (identifiers.length === 0 && message.expiresAtMs === Number.POSITIVE_INFINITY) return block;
  const properties: PublishProperties = block === null ? {} : (decodePublishProperties(text, block) ?? {});
  const expiry =
    message.expiresAtMs === Number.POSITIVE_INFINITY
      ? {}
      : { messageExpirySeconds: Math.max(0, Math.ceil((message.expiresAtMs - epochMs) / 1000)) };
  const subscriptionIdentifiers = identifiers.length === 0 ? {} : { subscriptionIdentifiers: identifiers };
  return encodePublishProperties(text, { ...properties, ...expiry, ...subscriptionIdentifiers });
}
