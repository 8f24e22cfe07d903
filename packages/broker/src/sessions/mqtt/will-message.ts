import { encodePublishProperties, type Will } from "polymq/mqtt/codec";
import type { Message } from "../../core/message.ts";
import type { MqttContext } from "./mqtt-context.ts";
import { MQTT_ENCODING } from "./property-block.ts";

/** A will as it is kept for the time when it is published (MQTT 5.0 §3.1.2.5). */
export interface KeptWill {
  readonly delayMs: number;
  /** Makes the message at the moment of publication: its lifetime starts then. */
  make(): Message;
}

/** Takes a will out of CONNECT; its bytes are copied, for they lie in the connection's input. */
export function keptWill(will: Will, publisherId: string, context: MqttContext): KeptWill {
  const payload = will.payload.slice();
  const { delaySeconds = 0, messageExpirySeconds, ...rest } = will.properties ?? {};
  const all = messageExpirySeconds === undefined ? rest : { ...rest, messageExpirySeconds };
  const block = encodePublishProperties(context.text, all);
  return {
    delayMs: delaySeconds * 1000,
    make: () =>
      context.hub.makeMessage({
        topic: will.topic,
        payload,
        guarantee: will.qos,
        retain: will.retain,
        properties: block.length === 0 ? null : block,
        encoding: MQTT_ENCODING,
        publisherId,
        expiresAtMs:
          messageExpirySeconds === undefined ? Number.POSITIVE_INFINITY : expiry(context, messageExpirySeconds),
      }),
  };
}

function expiry(context: MqttContext, seconds: number): number {
  return context.hub.clock.epochMs() + seconds * 1000;
}
