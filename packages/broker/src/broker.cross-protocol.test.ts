import type { AmqpChannel, AmqpMessage } from "polymq/amqp091";
import type { MqttClient, MqttMessage, MqttQueueMessage } from "polymq/mqtt";
import { describe, expect, test } from "vitest";
import { AmqpScene } from "./sessions/amqp091/scene.test-support.ts";

/** A client of each protocol at one broker. */
async function both(scene: AmqpScene): Promise<{ readonly mqtt: MqttClient; readonly amqp: AmqpChannel }> {
  const [mqtt, client] = [await scene.mqtt(), await scene.client()];
  return { mqtt, amqp: await client.channel() };
}

async function first(messages: AsyncIterable<AmqpMessage>): Promise<AmqpMessage> {
  for await (const message of messages) return message;
  throw new Error("no message came");
}

/** The next messages of a subscription, each with its user properties. */
function subscribed(mqtt: MqttClient, filter: string): Promise<{ next: () => Promise<MqttMessage> }> {
  const waiting: MqttMessage[] = [];
  let wanted: ((message: MqttMessage) => void) | null = null;
  const handler = (message: MqttMessage): void => {
    if (wanted === null) waiting.push(message);
    else wanted(message);
    wanted = null;
  };
  const next = (): Promise<MqttMessage> => {
    const there = waiting.shift();
    if (there !== undefined) return Promise.resolve(there);
    return new Promise((resolve) => {
      wanted = resolve;
    });
  };
  return mqtt.subscribe(filter, { handler, qos: 1 }).then(() => ({ next }));
}

describe("plain topics", () => {
  test("take an MQTT message to AMQP 0-9-1 consumers and bound queues, with its properties", async () => {
    await using scene = await AmqpScene.open();
    const { mqtt, amqp } = await both(scene);
    const consumer = await amqp.consume("sensors.*.temp");
    await amqp.declareQueue("bound");
    await amqp.bindQueue("bound", "amq.topic", "sensors.#");
    await mqtt.publish("sensors/a/temp", "21", {
      qos: 1,
      properties: {
        contentType: "text/plain",
        correlationData: new TextEncoder().encode("c"),
        responseTopic: "answers/1",
        userProperties: [["unit", "C"]],
      },
    });
    const properties = {
      contentType: "text/plain",
      correlationId: "c",
      replyTo: "answers/1",
      headers: { unit: "C", "response-topic": "answers/1" },
      deliveryMode: 2,
    };
    const plain = await first(consumer);
    expect([plain.text(), plain.exchange, plain.routingKey]).toEqual(["21", "", "sensors.a.temp"]);
    expect(plain.properties).toEqual(properties);
    const queued = await amqp.get("bound", { noAck: true });
    expect([queued?.text(), queued?.exchange, queued?.routingKey]).toEqual(["21", "amq.topic", "sensors.a.temp"]);
    expect(queued?.properties).toEqual(properties);
  });

  test("take an AMQP 0-9-1 message to MQTT subscribers, with its properties", async () => {
    await using scene = await AmqpScene.open();
    const { mqtt, amqp } = await both(scene);
    const messages = await subscribed(mqtt, "orders/+/new");
    const common = { contentType: "application/json", correlationId: "c", type: "order", messageId: "m" };
    const options = { ...common, headers: { n: 5, ok: true } };
    await amqp.publish("", "orders.eu.new", "{}", options);
    await amqp.publish("amq.topic", "orders.us.new", "[]", { replyTo: "back", expiration: "60000", messageId: "n" });
    const [one, two] = [await messages.next(), await messages.next()];
    expect([one.topic, one.text(), one.qos]).toEqual(["orders/eu/new", "{}", 1]);
    expect(one.properties).toMatchObject({
      contentType: "application/json",
      userProperties: [
        ["message-id", "m"],
        ["type", "order"],
        ["n", "5"],
        ["ok", "true"],
      ],
    });
    expect(Buffer.from(one.properties?.correlationData ?? []).toString()).toBe("c");
    expect([two.topic, two.text()]).toEqual(["orders/us/new", "[]"]);
    expect(two.properties).toMatchObject({ messageExpirySeconds: 60, userProperties: REPLY });
  });

  test("bring an MQTT request to an AMQP 0-9-1 service, and its answer back", async () => {
    await using scene = await AmqpScene.open();
    const { mqtt, amqp } = await both(scene);
    const answers = await subscribed(mqtt, "answers/1");
    const requests = await amqp.consume("service/#");
    await mqtt.publish("service/add", "1+1", { properties: { responseTopic: "answers/1" } });
    const request = await first(requests);
    await amqp.publish("", request.properties.replyTo ?? "", "2");
    expect((await answers.next()).text()).toBe("2");
  });
});

describe("queues", () => {
  test("take what MQTT publishes to AMQP 0-9-1 consumers", async () => {
    await using scene = await AmqpScene.open();
    const { mqtt, amqp } = await both(scene);
    const consumer = await amqp.consume("$queue/tasks", { arguments: { "x-consumer-group": "g" } });
    await mqtt.publish("$queue/tasks/eu", "x", { qos: 1, properties: { userProperties: [["a", "1"]] } });
    const message = await first(consumer);
    expect([message.exchange, message.routingKey, message.text()]).toEqual(["$queue", "tasks/eu", "x"]);
    expect(message.properties).toMatchObject({
      messageId: "tasks:0",
      headers: { a: "1", queue: "tasks", "group-id": "g", protocol: "mqtt", client_id: "m0" },
    });
  });

  test("take what AMQP 0-9-1 publishes to MQTT consumers, who settle it", async () => {
    await using scene = await AmqpScene.open();
    const { mqtt, amqp } = await both(scene);
    const arrived = new Promise<MqttQueueMessage>((resolve) => {
      void mqtt.subscribeToQueue("tasks", "g", { handler: (message) => resolve(message) });
    });
    await amqp.publish("", "$queue/tasks/eu", "x", { contentType: "text/plain", headers: { n: 1 } });
    const message = await arrived;
    expect([message.queue, message.text(), message.topic]).toEqual(["tasks", "x", "$queue/tasks/eu"]);
    expect(message.properties).toMatchObject({ contentType: "text/plain" });
    expect(message.properties?.userProperties).toContainEqual(["n", "1"]);
    expect(message.properties?.userProperties).toContainEqual(["protocol", "amqp"]);
  });

  test("share their messages among workers of both protocols: nothing twice, nothing lost", async () => {
    await using scene = await AmqpScene.open();
    const { mqtt, amqp } = await both(scene);
    const seen: string[] = [];
    let done: () => void = () => undefined;
    const all = new Promise<void>((resolve) => {
      done = resolve;
    });
    const count = 200;
    const take = (text: string): void => {
      seen.push(text);
      if (seen.length === count) done();
    };
    await mqtt.subscribeToQueue("shared", "workers", { handler: (message) => take(message.text()) });
    const workers = { "x-consumer-group": "workers" };
    await amqp.consume("$queue/shared", { arguments: workers, handler: (message) => take(message.text()) });
    const sent: Promise<unknown>[] = [];
    for (let i = 0; i < count; i++) {
      if (i % 2 === 0) sent.push(amqp.publish("", "$queue/shared", String(i)));
      else sent.push(mqtt.publish("$queue/shared", String(i), { qos: 1 }));
    }
    await Promise.all(sent);
    await all;
    expect([...seen].sort((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: count }, (_, i) => String(i)));
  });
});

const REPLY = [
  ["reply-to", "back"],
  ["message-id", "n"],
];
