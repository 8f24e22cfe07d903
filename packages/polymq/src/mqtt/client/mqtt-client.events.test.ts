import { subscribe as subscribeChannel, unsubscribe as unsubscribeChannel } from "node:diagnostics_channel";
import { describe, expect, test } from "vitest";
import type { ConnectTrace, WarningTrace } from "../../base/diagnostics.ts";
import { connected, setup } from "./client-setup.test-support.ts";
import type { MqttClientEvent } from "./events.ts";

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
});
