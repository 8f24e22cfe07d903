import { MqttClient } from "polymq/mqtt";
import type { ContenderSession, ContenderTarget } from "./contender.ts";
import { publishWindowed } from "./window.ts";

/**
 * polymq's MqttClient with default options but for the window and, so that a fault ends the run, no reconnecting.
 * QoS 0: a plain `await` on every call. QoS 1 and 2: a promise per message. Receive: a handler per subscription, which
 * acknowledges when it returns.
 */
export async function openOurs(target: ContenderTarget): Promise<ContenderSession> {
  const { payloads, window, shape } = target;
  const { topic, qos, level } = shape;
  const client = new MqttClient({
    servers: [`mqtt://127.0.0.1:${target.port}`],
    clientId: "bench-ours",
    protocolVersion: level,
    maxInflight: window,
    reconnect: false,
    ...(level === 5 ? { receiveMaximum: window } : {}),
  });
  await client.connect();
  const options = { qos };
  const payloadAt = (index: number): Uint8Array => payloads[index % payloads.length] ?? new Uint8Array(0);
  return {
    async publish(from, count) {
      if (qos > 0)
        return publishWindowed(from, count, window, (index) => client.publish(topic, payloadAt(index), options));
      for (let index = from; index < from + count; index += 1) await client.publish(topic, payloadAt(index), options);
    },
    async subscribe(sink) {
      await client.subscribe("bench/#", { qos, handler: (message) => sink.onPayload(message.payload) });
    },
    send(payload) {
      client.publish(topic, payload, options).catch((error: unknown) => {
        throw error; // an unhandled rejection ends the measurement as a fault
      });
    },
    async close() {
      await client.close();
    },
  };
}
