import { encodePublishProperties, type Will } from "polymq/mqtt/codec";
import type { Message } from "../../core/message.ts";
import type { MqttContext } from "./mqtt-context.ts";
import { MQTT_ENCODING } from "./property-block.ts";

/** A will as it is kept for the time when it is published (MQTT 5.0 §3.1.2.5). */
export interface KeptWill {
  readonly delayMs: number;
  /** Makes the message; its lifetime starts when it is published, `delayMs` from now. */
  make(delayMs: number): Message;
}

/** Takes a will out of CONNECT; its bytes are copied, for they lie in the connection's input. */
export function keptWill(will: Will, publisherId: string, context: MqttContext): KeptWill {
  const payload = will.payload.slice();
  const { delaySeconds = 0, messageExpirySeconds, ...rest } = will.properties ?? {};
  const block = encodePublishProperties(context.text, rest);
  const lifetimeMs = messageExpirySeconds === undefined ? Number.POSITIVE_INFINITY : messageExpirySeconds * 1000;
  return {
    delayMs: delaySeconds * 1000,
    make: (delayMs) =>
      context.hub.makeMessage({
        topic: will.topic,
        payload,
        guarantee: will.qos,
        retain: will.retain,
        properties: block.length === 0 ? null : block,
        encoding: MQTT_ENCODING,
        publisherId,
        origin: "mqtt",
        expiresAtMs: context.hub.epochMs() + delayMs + lifetimeMs,
      }),
  };
}
