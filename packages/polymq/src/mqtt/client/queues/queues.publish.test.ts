import { describe, expect, test } from "vitest";
import { codeOf, outcome } from "../client-setup.test-support.ts";
import { queueAddress } from "./queue-address.ts";
import { lab } from "./queue-lab.test-support.ts";

describe("publishToQueue", () => {
  test("publishes to $queue/<queue> at QoS 1, without retain", async () => {
    const stage = await lab("fluxmq");
    await stage.now(stage.client.publishToQueue("orders", "widget"));
    expect(stage.link.take("publish")).toMatchObject([
      { topic: "$queue/orders", qos: 1, retain: false, properties: null },
    ]);
    expect(stage.server.payloads).toEqual(["widget"]);
    await stage.finish();
  });

  test("takes user properties, a routing key, a QoS, a content type and a lifetime", async () => {
    const stage = await lab("fluxmq");
    const options = {
      properties: { priority: "high", tag: ["a", "b"] },
      routingKey: "eu/images",
      qos: 2,
      contentType: "application/json",
      messageExpirySeconds: 60,
    } as const;
    await stage.now(stage.client.publishToQueue("events", new Uint8Array([1]), options));
    const userProperties = [
      ["priority", "high"],
      ["tag", "a"],
      ["tag", "b"],
    ];
    const properties = { userProperties, contentType: "application/json", messageExpirySeconds: 60 };
    expect(stage.link.take("publish")).toMatchObject([{ topic: "$queue/events/eu/images", qos: 2, properties }]);
    await stage.finish();
  });

  test("raises QoS 0 to 1, for the server must confirm what it stores", async () => {
    const stage = await lab("fluxmq");
    await stage.now(stage.client.publishToQueue("orders", "x", { qos: 0 }));
    expect(stage.link.take("publish")).toMatchObject([{ qos: 1 }]);
    await stage.finish();
  });

  test("says priority and deliverAfterMs as user properties", async () => {
    const stage = await lab("polymq");
    await stage.now(stage.client.publishToQueue("orders", "x", { priority: 7, deliverAfterMs: 1_500 }));
    const userProperties = [
      ["priority", "7"],
      ["deliver-after-ms", "1500"],
    ];
    expect(stage.link.take("publish")).toMatchObject([{ properties: { userProperties } }]);
    for (const wrong of [{ priority: 256 }, { priority: -1 }, { deliverAfterMs: 0.5 }]) {
      await stage.refused(stage.client.publishToQueue("orders", "x", wrong), "ERR_INVALID_ARGUMENT");
    }
    await stage.finish();
  });

  test("is refused with the server's code when it does not store the message", async () => {
    const stage = await lab("fluxmq", { server: { onMessage: () => 0x97 } });
    const error = await stage.refused(stage.client.publishToQueue("orders", "x"), "ERR_PUBLISH_REJECTED");
    expect(error.peer?.code).toBe(0x97);
    await stage.finish();
  });

  test("works with MQTT 3.1.1, where properties are ERR_UNSUPPORTED", async () => {
    const stage = await lab("v3");
    await stage.now(stage.client.publishToQueue("orders", "x"));
    expect(stage.server.received).toMatchObject([{ topic: "$queue/orders", qos: 1 }]);
    await stage.refused(stage.client.publishToQueue("orders", "x", { properties: { a: "b" } }), "ERR_UNSUPPORTED");
    await stage.finish();
  });

  test("a signal gives up waiting", async () => {
    const stage = await lab("fluxmq", { server: { onMessage: () => null } });
    const abort = new AbortController();
    const publishing = outcome(stage.client.publishToQueue("orders", "x", { signal: abort.signal }));
    abort.abort();
    expect(await stage.now(publishing)).toMatchObject({ code: "ERR_ABORTED" });
    await stage.finish();
  });
});

describe("queue names", () => {
  test.each([
    ["orders", undefined, "orders", ""],
    ["$queue/orders", undefined, "orders", ""],
    ["tasks/orders", undefined, "tasks", "orders"],
    ["tasks/orders", "eu", "tasks", "orders/eu"],
    ["orders", "eu/images", "orders", "eu/images"],
    ["$dlq/orders", undefined, "$dlq/orders", ""],
    ["$dlq/orders", "eu", "$dlq/orders", "eu"],
    ["orders", "$acks", "orders", "$acks"],
  ])("%s with %s is queue %s, rest %s", (name, rest, queue, left) => {
    expect(queueAddress(name, rest, "name")).toMatchObject({ queue, rest: left });
  });

  test.each([
    "",
    "/orders",
    "$queue/",
    "+",
    "#",
    "a+b",
    "$dlq/",
    "orders/$ack",
    "orders/$commit",
    "orders/$nack/x",
    "a\0",
  ])("%j is ERR_INVALID_TOPIC", (name) => {
    expect(codeOf(() => queueAddress(name, undefined, "filter"))).toBe("ERR_INVALID_TOPIC");
  });

  test("anything but a string is ERR_INVALID_TOPIC, as is a wildcard in a routing key", () => {
    expect(codeOf(() => queueAddress(7, undefined, "name"))).toBe("ERR_INVALID_TOPIC");
    expect(codeOf(() => queueAddress("q", 7, "name"))).toBe("ERR_INVALID_TOPIC");
    expect(codeOf(() => queueAddress("q", "a/+", "name"))).toBe("ERR_INVALID_TOPIC");
    expect(queueAddress("q", "a/+", "filter").topic).toBe("$queue/q/a/+");
  });
});
