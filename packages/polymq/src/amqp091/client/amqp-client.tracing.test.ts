import { describe, expect, test } from "vitest";
import { traced } from "../../base/traced.test-support.ts";
import { connected, FakeBroker, TestClient } from "./fake-broker.test-support.ts";
import type { AmqpMessage } from "./message.ts";

const ABOUT = { protocol: "amqp091", clientId: expect.stringMatching(/^[0-9a-f]{16}$/) };

describe("diagnostics", () => {
  test("polymq:connect tells each step of a connection, without credentials", async () => {
    const broker = new FakeBroker();
    broker.down.add("a");
    const client = new TestClient(broker, { servers: "amqp://user:secret@a" });
    const traces = await traced("polymq:connect", async () => {
      await broker.now(client.connect()).catch(() => undefined);
      broker.down.clear();
      await broker.now(client.connect());
      broker.link.pair.cut();
      await broker.clock.advance(10_000);
      await broker.now(client.close());
    });
    const phases = ["dialing", "failed", "dialing", "connected", "lost", "dialing", "connected", "closed"];
    expect(traces.map((trace) => (trace as { phase: string }).phase)).toEqual(phases);
    expect(traces[3]).toEqual({ ...ABOUT, server: "amqp://a:5672", phase: "connected", attempt: 1, error: null });
    expect(traces[1]).toMatchObject({ error: { code: "ERR_CONNECT_FAILED" } });
    expect(traces[4]).toMatchObject({ error: { code: "ERR_CONNECTION_LOST" } });
    expect(JSON.stringify(traces)).not.toContain("secret");
  });

  test("polymq:publish tells each message handed to a connection, by exchange and routing key", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel());
    const plain = await broker.now(client.channel({ confirms: false }));
    const traces = await traced("polymq:publish", async () => {
      await broker.now(channel.publish("", "q", "12"));
      await broker.now(channel.publish("logs", "a.b", "345"));
      await broker.now(plain.publish("", "q", "6"));
    });
    await broker.now(channel.publish("", "unheard", "7"));
    expect(traces).toEqual([
      { ...ABOUT, address: "q", payloadBytes: 2, deliveryId: 1 },
      { ...ABOUT, address: "logs/a.b", payloadBytes: 3, deliveryId: 2 },
      { ...ABOUT, address: "q", payloadBytes: 1, deliveryId: 0 },
    ]);
  });

  test("polymq:deliver tells each message that came in, by its queue", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel());
    await broker.now(channel.consume("q", { consumerTag: "t", handler: () => undefined }));
    const traces = await traced("polymq:deliver", async () => {
      broker.link.deliver("t", "12");
      await broker.clock.settle();
    });
    expect(traces).toEqual([{ ...ABOUT, address: "q", payloadBytes: 2, deliveryId: 1 }]);
  });

  test("polymq:settle tells how each message ended, in both directions", async () => {
    const { broker, client } = await connected();
    const channel = await broker.now(client.channel());
    const handler = (message: AmqpMessage): void => {
      if (message.text() === "bad") throw new Error("the handler fails");
      if (message.text() === "no") message.reject();
    };
    await broker.now(channel.consume("q", { consumerTag: "t", handler }));
    const traces = await traced("polymq:settle", async () => {
      await broker.now(channel.publish("", "q", "x"));
      await broker.now(channel.publish("", "nowhere", "x", { mandatory: true })).catch(() => undefined);
      broker.confirms = "refuse";
      await broker.now(channel.publish("", "q", "x")).catch(() => undefined);
      for (const body of ["good", "bad", "no"]) broker.link.deliver("t", body);
      await broker.clock.settle();
    });
    expect(traces).toMatchObject([
      { ...ABOUT, direction: "out", deliveryId: 1, outcome: "accepted", error: null },
      { direction: "out", deliveryId: 2, outcome: "rejected", error: { code: "ERR_UNROUTABLE" } },
      { direction: "out", deliveryId: 3, outcome: "rejected", error: { code: "ERR_PUBLISH_REJECTED" } },
      { direction: "in", deliveryId: 1, outcome: "accepted", error: null },
      { direction: "in", deliveryId: 2, outcome: "released", error: null },
      { direction: "in", deliveryId: 3, outcome: "rejected", error: null },
    ]);
  });

  test("polymq:warning tells of a listener that throws", async () => {
    const { broker, client } = await connected();
    client.on("blocked", () => {
      throw new Error("thrown");
    });
    const traces = await traced("polymq:warning", async () => {
      broker.link.engine.sendBlocked("memory");
      await broker.clock.settle();
    });
    expect(traces).toMatchObject([{ component: "amqp091 client", error: { message: "thrown" } }]);
  });
});
