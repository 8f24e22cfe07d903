import { type Client, connect, type Message, MultiClient } from "polymq";
import { memoryPair } from "polymq/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type MemoryBroker, memoryBroker } from "./testing/memory-broker.ts";

/* FluxMQ's unified Go client, row by row (docs/parity-fluxmq-go.md, "Unified client"). */

let broker: MemoryBroker;
let mqtt: Client<"mqtt">;
let amqp: Client<"amqp091">;
let both: MultiClient;

beforeEach(async () => {
  broker = await memoryBroker();
  mqtt = await connect("mqtt://memory", { dial: broker.dial });
  amqp = await connect("amqp://memory", { dial: broker.dial });
  both = new MultiClient({ mqtt, amqp091: amqp });
});

afterEach(async () => {
  await both.close();
  await broker.close();
});

/** Messages of a handler, one by one. */
class Got {
  readonly #here: Message[] = [];
  readonly #waiting: ((message: Message) => void)[] = [];
  readonly handler = (message: Message): void => {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#here.push(message);
    else waiting(message);
  };

  next(): Promise<Message> {
    const message = this.#here.shift();
    return message === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(message);
  }
}

describe("two transports at once", () => {
  test("a call goes over the protocol it names, else over MQTT", async () => {
    expect([both.client().protocol, both.client("amqp091").protocol]).toEqual(["mqtt", "amqp091"]);
    const got = new Got();
    await both.subscribe("a/b", got.handler);
    await both.publish("a/b", "over amqp", { protocol: "amqp091" });
    const message = await got.next();
    expect([message.text(), message.properties["mqtt.qos"]]).toEqual(["over amqp", "0"]);
    // Only MQTT keeps messages: what the default protocol cannot do is a typed error over the other one.
    const kept = both.publish("a/b", "x", { protocol: "amqp091", retain: true });
    await expect(kept).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
  });

  test("the default is what was chosen, or whichever is there", () => {
    expect(new MultiClient({ mqtt, amqp091: amqp, defaultProtocol: "amqp091" }).client().protocol).toBe("amqp091");
    expect(new MultiClient({ amqp091: amqp }).client().protocol).toBe("amqp091");
  });

  test("no transport, no such protocol and one that is not there are typed errors", () => {
    expect(() => new MultiClient({})).toThrow(expect.objectContaining({ code: "ERR_NO_SERVERS" }));
    expect(() => both.client("stomp" as never)).toThrow(expect.objectContaining({ code: "ERR_INVALID_PROTOCOL" }));
    const alone = new MultiClient({ mqtt });
    expect(() => alone.client("amqp091")).toThrow(expect.objectContaining({ code: "ERR_UNSUPPORTED" }));
  });

  test("is connected while all are, and closes all", async () => {
    expect(both.connected).toBe(true);
    await both.close();
    expect([both.connected, mqtt.state, amqp.state]).toEqual([false, "closed", "closed"]);
  });
});

describe.each(["mqtt", "amqp091"] as const)("over %s", (protocol) => {
  test("publishes, subscribes and unsubscribes topics", async () => {
    const got = new Got();
    await both.subscribe("room/+", got.handler, { protocol });
    await both.publish("room/1", "x", { protocol });
    expect((await got.next()).topic).toBe("room/1");
    await both.unsubscribe("room/+", { protocol });
  });

  test("publishes to a queue and consumes it in a group; the message names queue and offset", async () => {
    const got = new Got();
    await both.subscribeToQueue("orders", "shipping", got.handler, { protocol });
    await both.publishToQueue("orders", "one", { protocol });
    const message = await got.next();
    expect([message.text(), message.queue, message.offset, message.topic]).toEqual([
      "one",
      "orders",
      0,
      "$queue/orders",
    ]);
  });
});

describe("property keys", () => {
  test("mqtt.qos and mqtt.retain count where the option is not given, and come back on messages", async () => {
    await mqtt.publish("kept", "x", { properties: { "mqtt.qos": "1", "mqtt.retain": "true", "mqtt.user.unit": "C" } });
    const got = new Got();
    await mqtt.subscribe("kept", { qos: 1, handler: got.handler });
    const { properties } = await got.next();
    expect(properties).toMatchObject({
      "mqtt.qos": "1",
      "mqtt.retain": "true",
      "mqtt.dup": "false",
      "mqtt.user.unit": "C",
    });
  });

  test("the explicit option wins over the key", async () => {
    await mqtt.publish("not/kept", "x", { retain: false, properties: { "mqtt.retain": "true" } });
    await mqtt.publish("kept", "x", { qos: 1, retain: true, properties: { "mqtt.qos": "0", "mqtt.retain": "false" } });
    expect(broker.inspect().retainedCount).toBe(1);
  });

  test("amqp.headers.* are headers, and those of a basic property's name are that", async () => {
    const got = new Got();
    await amqp.subscribe("a/b", got.handler);
    const properties = {
      "amqp.headers.unit": "C",
      "amqp.headers.content-type": "text/x",
      "mqtt.user.no": "1",
      bare: "2",
    };
    await amqp.publish("a/b", "x", { properties });
    const message = await got.next();
    expect(message.properties).toMatchObject({ "amqp.headers.unit": "C", "amqp.headers.bare": "2" });
    expect(message.properties).not.toHaveProperty("amqp.headers.no");
    expect(message.contentType).toBe("text/x");
  });

  test("amqp.exchange, amqp.routing_key and amqp.mandatory say where a message goes", async () => {
    const got = new Got();
    await mqtt.subscribe("x/y", got.handler);
    const properties = { "amqp.exchange": "amq.topic", "amqp.routing_key": "x.y" };
    await amqp.publish("elsewhere", "x", { properties });
    expect((await got.next()).text()).toBe("x");
    const nobody = { exchange: "amq.direct", routingKey: "nobody", properties: { "amqp.mandatory": "true" } };
    await expect(amqp.publish("t", "x", nobody)).rejects.toMatchObject({ code: "ERR_UNROUTABLE" });
    await expect(amqp.publish("t", "x", { properties: { "amqp.immediate": "true" } })).rejects.toMatchObject({
      code: "ERR_UNSUPPORTED",
    });
  });

  test("a word that is none is refused", async () => {
    await expect(mqtt.publish("a", "x", { properties: { "mqtt.qos": "3" } })).rejects.toMatchObject({
      code: "ERR_INVALID_QOS",
    });
    await expect(mqtt.publish("a", "x", { properties: { "mqtt.retain": "yes" } })).rejects.toMatchObject({
      code: "ERR_INVALID_MESSAGE",
    });
  });
});

describe("what a message says of time", () => {
  test("a stream's message has the moment of its append, another one what its publisher said, or null", async () => {
    const at = Date.now();
    const appended = new Got();
    await amqp.stream("log").read({ from: "first", handler: appended.handler });
    await amqp.stream("log").publish("x");
    expect((await appended.next()).timestamp?.getTime()).toBeGreaterThanOrEqual(at);
    const plain = new Got();
    await mqtt.subscribe("a", plain.handler);
    await mqtt.publish("a", "x");
    expect((await plain.next()).timestamp).toBe(null);
  });
});

test("protocol auto goes on with AMQP 1.0 when the server answers with that", async () => {
  let attempts = 0;
  const dial: typeof broker.dial = (endpoint, options, handler) => {
    if (++attempts > 1) return broker.dial(endpoint, options, handler);
    const pair = memoryPair();
    const server = pair.server.attach({
      onBytes: () => {
        server.write(new Uint8Array([0x41, 0x4d, 0x51, 0x50, 0, 1, 0, 0]));
        server.close();
      },
      onDrain: () => undefined,
      onClosed: () => undefined,
    });
    return Promise.resolve(pair.client.attach(handler));
  };
  await using client = await connect("amqp://memory", { protocol: "auto", dial });
  expect([client.protocol, client.dialect, attempts]).toEqual(["amqp10", "polymq", 2]);
});

describe("failures keep their codes", () => {
  test("a server that cannot be reached is ERR_CONNECT_FAILED", async () => {
    const dial = (): Promise<never> => Promise.reject(new Error("nobody there"));
    await expect(connect("mqtt://memory", { dial })).rejects.toMatchObject({ code: "ERR_CONNECT_FAILED" });
    await expect(connect("amqp://memory", { dial })).rejects.toMatchObject({ code: "ERR_CONNECT_FAILED" });
  });

  test("what the server refuses is ERR_PUBLISH_REJECTED and ERR_SUBSCRIBE_FAILED", async () => {
    await using strict = await memoryBroker({ autoCreateQueues: "refuse" });
    await using client = await connect("mqtt://memory", { dial: strict.dial });
    const queue = client.queue("nowhere");
    await expect(queue.publish("x")).rejects.toMatchObject({ code: "ERR_PUBLISH_REJECTED" });
    await expect(queue.consume()).rejects.toMatchObject({ code: "ERR_SUBSCRIBE_FAILED" });
  });
});
