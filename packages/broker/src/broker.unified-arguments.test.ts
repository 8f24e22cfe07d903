import { type Client, connect } from "polymq";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type MemoryBroker, memoryBroker } from "./testing/memory-broker.ts";

/** The client as JavaScript has it. */
type Loose = { readonly [Name in keyof Client]: (...given: unknown[]) => Promise<unknown> };

let broker: MemoryBroker;

beforeAll(async () => {
  broker = await memoryBroker();
});
afterAll(() => broker.close());

describe.each(["mqtt://m", "amqp://m", "amqp10://m"])("over %s", (url) => {
  test.each<[string, (client: Loose) => unknown]>([
    ["options of a queue that are none", (client) => client.queue("q", null)],
    ["a codec that is none", (client) => client.queue("q", { codec: 5 })],
    ["a codec that only writes", (client) => client.queue("q", { codec: { encode: () => "" } })],
    ["groups that are no list", (client) => client.queue("q", { groups: "ab" })],
    ["a group that is no name", (client) => client.queue("q", { groups: ["a/b"] })],
    ["options of a stream that are none", (client) => client.stream("s", 7)],
    ["a codec of a stream that is none", (client) => client.stream("s", { codec: {} })],
    ["a codec of a topic that is none", (client) => client.subscribe("a", { codec: "json" })],
    ["options of a request that are none", (client) => client.request("r", "x", null)],
    ["a responder that is none", (client) => client.respond("r", "x")],
    ["options of a responder that are none", (client) => client.respond("r", () => "x", null)],
  ])("%s: ERR_INVALID_ARGUMENT", async (_, run) => {
    await using client = await connect(url as string, { dial: broker.dial });
    const refused = Promise.resolve().then(() => run(client as unknown as Loose));
    await expect(refused).rejects.toMatchObject({ code: "ERR_INVALID_ARGUMENT" });
  });

  test("a filter to unsubscribe from that is no text: ERR_INVALID_TOPIC", async () => {
    await using client = await connect(url as string, { dial: broker.dial });
    await expect(client.unsubscribe(5 as never)).rejects.toMatchObject({ code: "ERR_INVALID_TOPIC" });
  });

  test("no request is kept for responders that join later, whatever its properties say", async () => {
    await using client = await connect(url as string, { dial: broker.dial });
    await client.respond("kept/request", () => "ok");
    const answer = await client.request("kept/request", "x", { properties: { "mqtt.retain": "true" } });
    expect(answer.text()).toBe("ok");
    const later = await client.subscribe("kept/+");
    await client.publish("kept/mark", "after");
    const { value } = await later[Symbol.asyncIterator]().next();
    expect(value?.topic).toBe("kept/mark");
  });

  test("a dialect that the protocol has not is ERR_INVALID_OPTIONS", async () => {
    const foreign = { "mqtt://m": "rabbitmq", "amqp://m": "artemis", "amqp10://m": "mqtt" }[url];
    for (const dialect of [foreign, "nonsense"]) {
      const connecting = connect(url as string, { dial: broker.dial, dialect: dialect as "polymq" });
      await expect(connecting).rejects.toMatchObject({ code: "ERR_INVALID_OPTIONS" });
    }
  });
});
