import { describe, expect, test } from "vitest";
import type { Connect } from "../codec/packets.ts";
import { connected, type Setup, type Stage, setup } from "./client-setup.test-support.ts";
import type { ConnectAnswer } from "./fake-server.test-support.ts";

const USE_ANOTHER = 0x9c;
const MOVED = 0x9d;

/** Answers of servers by host: where each sends its clients. Hosts that are not named take them. */
function moving(rules: Readonly<Record<string, readonly [code: number, to: string]>>, options: Setup = {}): Stage {
  const hosts: string[] = [];
  const onConnect = (_: Connect): ConnectAnswer => {
    const rule = rules[hosts.at(-1) ?? ""];
    return rule === undefined ? {} : { refuse: rule[0], properties: { serverReference: rule[1] } };
  };
  return setup({
    protocolVersion: 5,
    servers: "mqtt://a",
    ...options,
    server: { onConnect },
    answer: (endpoint) => {
      hosts.push(endpoint.host);
      return "server";
    },
  });
}

function hosts(stage: Stage): string[] {
  return stage.dials.map((dial) => dial.endpoint.host);
}

describe("CONNACK with a server reference (MQTT 5.0 §4.11)", () => {
  test.each([
    ["Use Another Server", USE_ANOTHER, ["a", "b", "a", "b"]],
    ["Server Moved", MOVED, ["a", "b", "b"]],
  ])("%s is followed within the same attempt; only a move holds for later ones", async (_, code, wanted) => {
    const stage = moving({ a: [code, "b"] });
    await stage.now(stage.client.connect());
    expect(stage.of("connect")[0]?.server).toBe("mqtt://b:1883");
    stage.link.cut();
    await stage.clock.settle();
    expect(hosts(stage)).toEqual(wanted);
    await stage.finish();
  });

  test("is followed at most three times in one attempt", async () => {
    const stage = moving({ a: [USE_ANOTHER, "b"], b: [USE_ANOTHER, "a"] });
    const error = await stage.refused(stage.client.connect(), "ERR_CONNECT_REJECTED");
    expect(error.peer?.code).toBe(USE_ANOTHER);
    expect(hosts(stage)).toEqual(["a", "b", "a", "b"]);
    await stage.finish();
  });

  test("goes to the first usable address of several, with port", async () => {
    const stage = moving({ a: [USE_ANOTHER, "http://x b:1999 c"] });
    await stage.now(stage.client.connect());
    expect(stage.dials[1]?.endpoint).toMatchObject({ host: "b", port: 1_999 });
    await stage.finish();
  });

  test("is not followed from an encrypted connection to one in the clear", async () => {
    const stage = moving({ a: [USE_ANOTHER, "mqtt://b"] }, { servers: "mqtts://a" });
    await stage.refused(stage.client.connect(), "ERR_CONNECT_REJECTED");
    expect(hosts(stage)).toEqual(["a"]);
    await stage.finish();
  });

  test("keeps the credentials of the URL", async () => {
    const stage = moving({ a: [USE_ANOTHER, "b"] }, { servers: "mqtt://user:pw@a" });
    await stage.now(stage.client.connect());
    expect(stage.link.connectPacket?.username).toBe("user");
    await stage.finish();
  });

  test("without a usable address is an ordinary refusal", async () => {
    const stage = moving({ a: [USE_ANOTHER, ""] });
    await stage.refused(stage.client.connect(), "ERR_CONNECT_REJECTED");
    expect(hosts(stage)).toEqual(["a"]);
    await stage.finish();
  });

  test("is an ordinary refusal with serverRedirect: ignore", async () => {
    const stage = moving({ a: [MOVED, "b"] }, { serverRedirect: "ignore" });
    await stage.refused(stage.client.connect(), "ERR_CONNECT_REJECTED");
    expect(hosts(stage)).toEqual(["a"]);
    await stage.finish();
  });

  test("a server that moved and does not answer any more is given up for the configured ones", async () => {
    const stage = moving({ a: [MOVED, "b"] });
    await stage.now(stage.client.connect());
    const down = new Set(["b"]);
    stage.server.options = {
      onConnect: () => (down.has(stage.dials.at(-1)?.endpoint.host ?? "") ? { refuse: 0x88 } : {}),
    };
    stage.link.cut();
    await stage.clock.advance(5_000);
    expect(hosts(stage)).toEqual(["a", "b", "b", "a"]);
    expect(stage.client.state).toBe("connected");
    await stage.finish();
  });
});

describe("DISCONNECT with a server reference", () => {
  async function told(code: number, options: Setup = {}): Promise<Stage> {
    const stage = await connected({
      protocolVersion: 5,
      servers: ["mqtt://down", "mqtt://a"],
      answer: ({ host }) => (host === "down" ? new Error("down") : "server"),
      ...options,
    });
    stage.link.disconnect(code, { serverReference: "b" });
    await stage.clock.settle();
    stage.link.cut();
    await stage.clock.advance(2_000);
    return stage;
  }

  test.each([
    ["Use Another Server holds for the next attempt", USE_ANOTHER, ["down", "a", "b", "a"]],
    ["Server Moved holds from then on", MOVED, ["down", "a", "b", "b"]],
  ])("%s", async (_, code, wanted) => {
    const stage = await told(code);
    expect(hosts(stage)).toEqual(wanted);
    await stage.finish();
  });

  test("is told and not followed with serverRedirect: ignore", async () => {
    const stage = await told(MOVED, { serverRedirect: "ignore" });
    expect(hosts(stage)).toEqual(["down", "a", "a", "a"]);
    expect(stage.of("serverDisconnect")[0]?.serverReference).toBe("b");
    await stage.finish();
  });

  test("takes the scheme of the server that sent it", async () => {
    const stage = await connected({
      protocolVersion: 5,
      servers: ["mqtts://down", "ws://a"],
      answer: ({ host }) => (host === "down" ? new Error("down") : "server"),
    });
    stage.link.disconnect(USE_ANOTHER, { serverReference: "b:9001" });
    await stage.clock.settle();
    expect(stage.dials.at(-1)?.endpoint).toMatchObject({ scheme: "ws", host: "b", port: 9_001 });
    await stage.finish();
  });
});
