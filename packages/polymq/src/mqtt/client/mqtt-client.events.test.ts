import { subscribe as subscribeChannel, unsubscribe as unsubscribeChannel } from "node:diagnostics_channel";
import { describe, expect, test } from "vitest";
import type { ConnectTrace, WarningTrace } from "../../base/diagnostics.ts";
import { traced } from "../../base/traced.test-support.ts";
import { connected, setup } from "./client-setup.test-support.ts";
import type { MqttClientEvent } from "./events.ts";
import type { MqttMessage } from "./message.ts";

describe("events", () => {
  test("tell a life from the first connect to the end, in order", async () => {
    const stage = await connected();
    stage.link.cut();
    await stage.clock.settle();
    await stage.finish();
    expect(stage.events.map((event) => (event.type === "state" ? event.state : event.type))).toEqual([
      "connecting",
      "connected",
      "serverCapabilities",
      "connect",
      "reconnecting",
      "connectionLost",
      "reconnecting",
      "connected",
      "serverCapabilities",
      "connect",
      "disconnecting",
      "closed",
      "closed",
    ]);
  });

  test("connect says session, server and version", async () => {
    const stage = await connected({ protocolVersion: 5, cleanStart: false, sessionExpirySeconds: 60 });
    stage.link.cut();
    await stage.clock.settle();
    const common = { type: "connect", server: "mqtt://server:1883", protocolVersion: 5 };
    expect(stage.of("connect")).toEqual([
      { ...common, sessionPresent: false },
      { ...common, sessionPresent: true },
    ]);
    await stage.finish();
  });

  test("connectionLost and reconnecting say why and which attempt", async () => {
    const stage = await connected({
      answer: (_, count) => (count === 1 || count === 4 ? "server" : new Error("down")),
    });
    stage.link.cut();
    await stage.clock.advance(10_000);
    expect(stage.of("connectionLost").map((event) => event.error.code)).toEqual(["ERR_CONNECTION_LOST"]);
    expect(stage.of("reconnecting").map((event) => event.attempt)).toEqual([1, 2, 3]);
    await stage.finish();
  });

  test("serverDisconnect tells reason code, text and reference", async () => {
    const stage = await connected({ protocolVersion: 5 });
    stage.link.disconnect(0x8b, { reasonString: "maintenance", serverReference: "elsewhere" });
    await stage.clock.settle();
    expect(stage.of("serverDisconnect")).toEqual([
      { type: "serverDisconnect", reasonCode: 0x8b, reasonString: "maintenance", serverReference: "elsewhere" },
    ]);
    expect(stage.of("connectionLost")[0]?.error).toMatchObject({
      code: "ERR_SERVER_DISCONNECT",
      peer: { protocol: "mqtt", code: 0x8b, text: "maintenance" },
    });
    await stage.finish();
  });

  test("a listener that throws or rejects stops nobody and is told on the warning channel", async () => {
    const warnings: WarningTrace[] = [];
    const listen = (message: unknown): void => void warnings.push(message as WarningTrace);
    subscribeChannel("polymq:warning", listen);
    const stage = setup();
    stage.client.on("connect", () => {
      throw new Error("thrown");
    });
    stage.client.on("connect", () => Promise.reject(new Error("rejected")));
    let told = 0;
    stage.client.on("connect", () => told++);
    await stage.now(stage.client.connect());
    unsubscribeChannel("polymq:warning", listen);
    expect(told).toBe(1);
    expect(stage.client.state).toBe("connected");
    expect(warnings.map((warning) => (warning.error as Error).message)).toEqual(["thrown", "rejected"]);
    await stage.finish();
  });

  test("on() returns what stops it, once() stops by itself", async () => {
    const stage = setup();
    const told: string[] = [];
    const off = stage.client.on("state", (event) => told.push(event.state));
    stage.client.once("state", (event) => told.push(`once ${event.state}`));
    const connecting = stage.client.connect();
    off();
    await stage.now(connecting);
    expect(told).toEqual(["connecting", "once connecting"]);
    await stage.finish();
  });

  test("events() gives all of them as one stream that ends with the client", async () => {
    const stage = setup();
    const types: string[] = [];
    const reading = (async (): Promise<void> => {
      for await (const event of stage.client.events() as AsyncIterable<MqttClientEvent>) types.push(event.type);
    })();
    await stage.now(stage.client.connect());
    await stage.finish();
    await stage.now(reading);
    expect(types).toEqual(stage.events.map((event) => event.type));
    expect(types.at(-1)).toBe("closed");
  });

  test("a listener may end the client from inside any event", async () => {
    for (const type of ["state", "serverCapabilities", "connect"] as const) {
      const stage = setup({ protocolVersion: 5 });
      stage.client.on(type, () => {
        if (stage.client.state === "connected") void stage.client.destroy();
      });
      const connecting = stage.promises.track(stage.client.connect());
      const publishing = stage.promises.track(stage.client.publish("t", "x", { qos: 1 }));
      publishing.catch(() => undefined);
      connecting.catch(() => undefined);
      await stage.clock.settle();
      expect(stage.client.state).toBe("closed");
      await stage.finish();
    }
  });
});

describe("diagnostics", () => {
  test("polymq:connect tells each step of a connection, without credentials", async () => {
    const traces: ConnectTrace[] = [];
    const listen = (message: unknown): void => void traces.push(message as ConnectTrace);
    subscribeChannel("polymq:connect", listen);
    const stage = setup({
      servers: "mqtt://user:secret@server",
      answer: (_, count) => (count === 1 ? new Error("down") : "server"),
    });
    await stage.refused(stage.client.connect(), "ERR_CONNECT_FAILED");
    await stage.now(stage.client.connect());
    stage.link.cut();
    await stage.clock.settle();
    await stage.finish();
    unsubscribeChannel("polymq:connect", listen);
    expect(traces.map((trace) => trace.phase)).toEqual([
      "dialing",
      "failed",
      "dialing",
      "connected",
      "lost",
      "dialing",
      "connected",
      "closed",
    ]);
    expect(traces[3]).toEqual({
      protocol: "mqtt",
      clientId: "c",
      server: "mqtt://server:1883",
      phase: "connected",
      attempt: 1,
      error: null,
    });
    expect(traces[4]?.error).toMatchObject({ code: "ERR_CONNECTION_LOST" });
    expect(JSON.stringify(traces)).not.toContain("secret");
  });

  test("polymq:publish tells each message handed to a connection", async () => {
    const stage = await connected();
    const traces = await traced("polymq:publish", async () => {
      await stage.now(stage.client.publish("a", "12"));
      await stage.now(stage.client.publish("b", "345", { qos: 1 }));
    });
    await stage.now(stage.client.publish("unheard", "6"));
    const about = { protocol: "mqtt", clientId: "c" };
    expect(traces).toEqual([
      { ...about, address: "a", payloadBytes: 2, deliveryId: 0 },
      { ...about, address: "b", payloadBytes: 3, deliveryId: 1 },
    ]);
    await stage.finish();
  });

  test("polymq:deliver tells each message that came in", async () => {
    const stage = await connected();
    await stage.now(stage.client.subscribe("t", { qos: 1, handler: () => undefined }));
    const traces = await traced("polymq:deliver", async () => {
      stage.link.publish("t", "12", { qos: 1 });
      await stage.clock.settle();
    });
    expect(traces).toEqual([{ protocol: "mqtt", clientId: "c", address: "t", payloadBytes: 2, deliveryId: 1 }]);
    await stage.finish();
  });

  test("polymq:settle tells how each message ended, in both directions", async () => {
    const stage = await connected({
      protocolVersion: 5,
      server: { onMessage: ({ topic }) => (topic === "no" ? 0x87 : 0) },
    });
    const handler = (message: MqttMessage): void => {
      if (message.text() === "bad") throw new Error("the handler fails");
    };
    await stage.now(stage.client.subscribe("t", { qos: 1, handler }));
    const traces = await traced("polymq:settle", async () => {
      await stage.now(stage.client.publish("yes", "1", { qos: 1 }));
      await stage.refused(stage.client.publish("no", "2", { qos: 1 }), "ERR_PUBLISH_REJECTED");
      stage.link.publish("t", "good", { qos: 1 });
      stage.link.publish("t", "bad", { qos: 1 });
      await stage.clock.settle();
    });
    expect(traces).toMatchObject([
      { direction: "out", outcome: "accepted", error: null },
      { direction: "out", outcome: "rejected", error: { code: "ERR_PUBLISH_REJECTED", peer: { code: 0x87 } } },
      { direction: "in", outcome: "accepted", error: null },
      { direction: "in", outcome: "released", error: null },
    ]);
    await stage.finish();
  });
});
