import { connect } from "polymq/amqp10";
import { AmqpClient } from "polymq/amqp091";
import { MqttClient } from "polymq/mqtt";
import { QUEUE, TOPIC, type UnifiedPlan, WINDOW } from "./rows.ts";
import { GROUP, type Session } from "./session.ts";

/** The protocol's own client, used in the most direct way. */
export function openNative(plan: UnifiedPlan): Promise<Session> {
  if (plan.protocol === "mqtt") return openMqtt(plan);
  return plan.protocol === "amqp091" ? openAmqp091(plan) : openAmqp10(plan);
}

async function openMqtt({ port, work }: UnifiedPlan): Promise<Session> {
  const client = new MqttClient({
    servers: `mqtt://127.0.0.1:${port}`,
    clientId: "",
    protocolVersion: "auto",
    maxInflight: WINDOW,
    receiveMaximum: WINDOW,
    reconnect: false,
  });
  await client.connect();
  const acknowledged = { qos: 1 } as const;
  return {
    send:
      work === "publish"
        ? (payload) => client.publish(TOPIC, payload, acknowledged)
        : (payload) => client.publishToQueue(QUEUE, payload),
    consume: (handler) =>
      client.subscribeToQueue(QUEUE, GROUP, { prefetch: WINDOW, handler: (message) => handler(message.payload) }),
    close: () => client.close(),
  };
}

async function openAmqp091({ port, work }: UnifiedPlan): Promise<Session> {
  const client = new AmqpClient({ servers: `amqp://127.0.0.1:${port}`, reconnect: false });
  await client.connect();
  return {
    send:
      work === "publish"
        ? (payload) => client.publish(TOPIC, payload)
        : (payload) => client.publishToQueue(QUEUE, payload),
    consume: (handler) =>
      client.subscribeToQueue(QUEUE, GROUP, { prefetch: WINDOW, handler: (message) => handler(message.body) }),
    close: () => client.close(),
  };
}

async function openAmqp10({ port, work }: UnifiedPlan): Promise<Session> {
  const connection = await connect(`amqp://127.0.0.1:${port}`, { reconnect: false });
  const session = await connection.createSession();
  const sender = work === "publish" ? await session.createSender(TOPIC) : null;
  return {
    send: sender === null ? (payload) => connection.publishToQueue(QUEUE, payload) : (payload) => sender.send(payload),
    consume: (handler) =>
      connection.subscribeToQueue(QUEUE, GROUP, {
        prefetch: WINDOW,
        handler: (message) => handler(message.payload),
      }),
    close: () => connection.close(),
  };
}
