import { type Client, connect } from "polymq";
import { afterEach, describe, expect, test } from "vitest";
import { type ContractSite, outcomeOf, unifiedContract } from "../../polymq/src/unified/contract.test-support.ts";
import { type MemoryBroker, memoryBroker } from "./testing/memory-broker.ts";

const opened: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

/** What the embedded broker does not do over a protocol. */
const CANNOT: Readonly<Record<string, readonly string[]>> = {
  mqtt: ["streams: offsets are committed by hand"],
  amqp091: [
    "topics: QoS 2",
    "topics: a kept message reaches later subscribers",
    "queues: a message is given back for a while",
  ],
  amqp10: ["topics: QoS 2", "topics: a kept message reaches later subscribers"],
};

async function site(scheme: string): Promise<ContractSite> {
  const broker: MemoryBroker = await memoryBroker();
  opened.push(() => broker.close());
  let names = 0;
  return {
    name: scheme,
    connect: async () => {
      const client = (await connect(`${scheme}://memory`, { dial: broker.dial })) as Client;
      opened.push(() => client.close());
      return client;
    },
    unique: (word) => `${word}-${++names}`,
    stream: () => {
      const name = `stream-${++names}`;
      broker.hub.queues.declare({ name, kind: "stream" });
      return Promise.resolve(name);
    },
  };
}

describe.each([
  ["mqtt", "mqtt"],
  ["amqp091", "amqp"],
  ["amqp10", "amqp10"],
])("the unified client over %s", (protocol, scheme) => {
  test.each(unifiedContract.map((each) => [each.name, each] as const))("%s", async (_, each) => {
    const wanted = CANNOT[protocol]?.includes(each.name) === true ? "cannot" : "pass";
    expect((await outcomeOf(each, await site(scheme))).is).toBe(wanted);
  });
});

describe.each(["mqtt", "amqp", "amqp10"])("options over %s", (scheme) => {
  test("that another call has are refused, not left out", async () => {
    const client = await (await site(scheme)).connect();
    const refused = { code: "ERR_INVALID_SUBSCRIBE_OPTION" };
    await expect(client.subscribe("t", { group: "g" } as never)).rejects.toMatchObject(refused);
    await expect(client.queue("q").consume({ noLocal: true } as never)).rejects.toMatchObject(refused);
    await expect(client.queue("q").consume({ from: "first" } as never)).rejects.toMatchObject(refused);
    await expect(client.stream("s").read({ qos: 1 } as never)).rejects.toMatchObject(refused);
  });

  test("that only MQTT's topics have choose what is sent, or are ERR_UNSUPPORTED", async () => {
    const place = await site(scheme);
    const client = await place.connect();
    const received: string[] = [];
    const handler = (message: { text(): string }): void => void received.push(message.text());
    const subscribing = client.subscribe("t", { noLocal: true, handler } as never);
    if (scheme !== "mqtt") return await expect(subscribing).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    await subscribing;
    await client.publish("t", "own", { qos: 1 });
    await (await place.connect()).publish("t", "other", { qos: 1 });
    await expect.poll(() => received).toEqual(["other"]);
  });
});

describe.each(["mqtt", "amqp", "amqp10"])("publishes over %s", (scheme) => {
  test("refuse options that only another call has, and payloads that are none", async () => {
    const client = await (await site(scheme)).connect();
    const wrongOptions = { code: "ERR_INVALID_ARGUMENT" };
    const queue = client.queue("q");
    for (const options of [{ qos: 1 }, { retain: true }, { exchange: "x" }, { mandatory: true }, { signal: "no" }, 5]) {
      await expect(queue.publish("x", options as never)).rejects.toMatchObject(wrongOptions);
    }
    for (const options of [{ priority: 1 }, { deliverAfterMs: 1 }, null, 5]) {
      await expect(client.publish("t", "x", options as never)).rejects.toMatchObject(wrongOptions);
    }
    for (const payload of [5, null, undefined, {}, new Uint16Array(2), new ArrayBuffer(4)]) {
      const wrong = { code: "ERR_INVALID_MESSAGE" };
      await expect(client.publish("t", payload as never, { qos: 1 })).rejects.toMatchObject(wrong);
      await expect(queue.publish(payload as never)).rejects.toMatchObject(wrong);
      await expect(client.stream("s").publish(payload as never)).rejects.toMatchObject(wrong);
    }
  });

  test("to a topic below $queue/ reach the queue's groups, and a subscription to one is refused", async () => {
    const client = await (await site(scheme)).connect();
    await client.publish("$queue/q/eu", "x", { qos: 1, properties: { unit: "C" } });
    for await (const message of await client.queue("q").consume({ group: "g" })) {
      expect([message.routingKey, message.text(), message.property("unit")]).toEqual(["eu", "x", "C"]);
      break;
    }
    const refused = { code: "ERR_INVALID_TOPIC" };
    await expect(client.subscribe("$queue/q")).rejects.toMatchObject(refused);
    await expect(client.subscribe(5 as never)).rejects.toMatchObject(refused);
    for (const name of ["", 5, null]) {
      expect(() => client.queue(name as never)).toThrow(expect.objectContaining(refused));
      expect(() => client.stream(name as never)).toThrow(expect.objectContaining(refused));
    }
  });

  test("say by their properties' keys only what the protocol can do", async () => {
    const client = await (await site(scheme)).connect();
    const published = client.publish("t", "x", { qos: 1, properties: { "amqp.exchange": "amq.topic" } });
    if (scheme === "amqp10") await expect(published).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    else await published;
    const mandatory = client.publish("t", "x", { qos: 1, properties: { "amqp.mandatory": "false" } });
    await mandatory;
  });
});

test("over MQTT without queues a topic below $queue/ is what stands for the queue", async () => {
  const broker = await memoryBroker();
  opened.push(() => broker.close());
  const client = await connect("mqtt://memory", { dial: broker.dial, dialect: "mqtt" });
  opened.push(() => client.close());
  const consumed = await client.queue("q").consume({ group: "g" });
  await client.publish("$queue/q/eu", "x");
  for await (const message of consumed) {
    expect([message.topic, message.text()]).toEqual(["$queue/q/eu", "x"]);
    break;
  }
});

test("a topic's message over AMQP 1.0 that stands in no queue cannot be given back", async () => {
  const client = await (await site("amqp10")).connect();
  const subscription = await client.subscribe("t", { qos: 1, ack: "manual" });
  await client.publish("t", "x", { qos: 1 });
  for await (const message of subscription) {
    await expect(message.nack()).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    await message.ack();
    break;
  }
});

describe.each(["mqtt", "amqp", "amqp10"])("messages at QoS 0 over %s", (scheme) => {
  test("need no settling: acknowledging one by hand does nothing", async () => {
    const client = await (await site(scheme)).connect();
    const subscription = await client.subscribe("t", { ack: "manual" });
    await client.publish("t", "x", { qos: 1 });
    for await (const message of subscription) {
      await message.ack();
      await message.ack();
      break;
    }
  });
});

describe.each(["mqtt", "amqp", "amqp10"])("payloads over %s", (scheme) => {
  test("may be changed as soon as publish returns, also before the first one is on its way", async () => {
    const place = await site(scheme);
    const [client, other] = [await place.connect(), await place.connect()];
    const got: number[] = [];
    let complete: () => void = () => {};
    const all = new Promise<void>((resolve) => {
      complete = resolve;
    });
    const handler = ({ payload }: { readonly payload: Uint8Array }): void => {
      if (got.push(payload[0] ?? -1) === 6) complete();
    };
    await other.subscribe("t", { qos: 1, handler });
    await other.queue("q").consume({ handler });
    const payload = new Uint8Array(1);
    const published: Promise<void>[] = [];
    for (let i = 1; i <= 3; i++) {
      payload[0] = i;
      published.push(client.publish("t", payload, { qos: 1 }), client.queue("q").publish(payload));
      payload[0] = 0;
    }
    await Promise.all(published);
    await all;
    expect(got.sort()).toEqual([1, 1, 2, 2, 3, 3]);
  });

  test("may be a Node buffer, whose slices are views, before a stream was looked for", async () => {
    const place = await site(scheme);
    const client = await place.connect();
    const stream = client.stream(await place.stream());
    const payload = Buffer.from("as it was");
    const published = stream.publish(payload);
    payload.fill("x");
    await published;
    for await (const message of await stream.read({ from: "first" })) {
      expect(message.text()).toBe("as it was");
      break;
    }
  });
});

test("a delay before a message comes again is ERR_UNSUPPORTED over MQTT where the server does not keep it, and the message stays in hand", async () => {
  const broker = await memoryBroker();
  opened.push(() => broker.close());
  // FluxMQ says nothing of itself over MQTT, so that what it is taken for is what the application says.
  const client = await connect("mqtt://memory", { dial: broker.dial, dialect: "fluxmq" });
  opened.push(() => client.close());
  const queue = client.queue("q");
  const subscription = await queue.consume({ group: "workers", ack: "manual" });
  await queue.publish("once");
  for await (const message of subscription) {
    await expect(message.nack({ delayMs: 5 })).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    await message.ack();
    break;
  }
});
