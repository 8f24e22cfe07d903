/// <reference lib="dom" />
// MQTT.js's declarations name browser types (Worker, Transferable), which the lib above supplies.
import mqtt, { type MqttClient } from "mqtt";
import type { ContenderSession, ContenderTarget } from "./contender.ts";
import { publishWindowed } from "./window.ts";

/**
 * MQTT.js with default options but, so that a fault ends the run, no reconnecting. Publishing as its users do with
 * promises: QoS 0 awaits `publishAsync` on every call, QoS 1 and 2 keep a window of `publishAsync` promises.
 */
export async function openMqttjs(target: ContenderTarget): Promise<ContenderSession> {
  const client = await connect(target);
  const { window, shape } = target;
  const options = { qos: shape.qos };
  const bufferAt = bufferPicker(target);
  const publishOne = (index: number): Promise<unknown> => client.publishAsync(shape.topic, bufferAt(index), options);
  return sessionOf(client, target, async (from, count) => {
    if (shape.qos > 0) return publishWindowed(from, count, window, publishOne);
    for (let index = from; index < from + count; index += 1) await publishOne(index);
  });
}

/** The same, publishing as its users do with callbacks: a batch of 1000 `publish` calls, the next when all have called back. */
export async function openMqttjsBatch(target: ContenderTarget): Promise<ContenderSession> {
  const client = await connect(target);
  const { window, shape } = target;
  const options = { qos: shape.qos };
  const bufferAt = bufferPicker(target);
  const publishBatch = (from: number, count: number): Promise<void> =>
    new Promise((resolve, reject) => {
      let open = count;
      const onPublished = (error?: Error | null): void => {
        open -= 1;
        if (error) reject(error);
        else if (open === 0) resolve();
      };
      for (let index = from; index < from + count; index += 1) {
        client.publish(shape.topic, bufferAt(index), options, onPublished);
      }
    });
  return sessionOf(client, target, async (from, count) => {
    for (let done = 0; done < count; done += window) await publishBatch(from + done, Math.min(window, count - done));
  });
}

function connect({ port, shape, window }: ContenderTarget): Promise<MqttClient> {
  return mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, {
    clientId: "bench-mqttjs",
    protocolVersion: shape.level,
    reconnectPeriod: 0,
    ...(shape.level === 5 ? { properties: { receiveMaximum: window } } : {}),
  });
}

/** MQTT.js takes Buffers; making them of the payloads is no part of what is measured. */
function bufferPicker({ payloads }: ContenderTarget): (index: number) => Buffer {
  const buffers = payloads.map((payload) => Buffer.from(payload));
  return (index) => buffers[index % buffers.length] ?? Buffer.alloc(0);
}

function sessionOf(
  client: MqttClient,
  { shape }: ContenderTarget,
  publish: ContenderSession["publish"],
): ContenderSession {
  const options = { qos: shape.qos };
  const onPublished = (error?: Error | null): void => {
    if (error) throw error;
  };
  return {
    publish,
    async subscribe(sink) {
      client.on("message", (_topic, payload) => sink.onPayload(payload));
      await client.subscribeAsync("bench/#", options);
    },
    send(payload) {
      const { buffer, byteOffset, byteLength } = payload;
      client.publish(shape.topic, Buffer.from(buffer, byteOffset, byteLength), options, onPublished);
    },
    async close() {
      await client.endAsync();
    },
  };
}
