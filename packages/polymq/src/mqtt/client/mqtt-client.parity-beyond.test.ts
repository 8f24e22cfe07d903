import { describe, expect, test } from "vitest";
import { isMessagingError, MessagingError } from "../../base/errors.ts";
import type { MqttMessage } from "./message.ts";
import { ack, Lab, message } from "./parity-lab.test-support.ts";
import { userPropertyValues } from "./user-properties.ts";

describe("choosing a version and a server", () => {
  test("protocolVersion auto falls back to 3.1.1 when the server refuses 5.0", async () => {
    const lab = new Lab({ protocolVersion: "auto" });
    const connecting = lab.client.connect();
    await lab.clock.settle();
    expect(lab.server.next("connect").level).toBe(5);
    // It answers in its own form.
    lab.server.level = 4;
    await lab.send({ type: "connack", sessionPresent: false, reasonCode: 1, properties: null });
    expect((await lab.accept()).level).toBe(4);
    await connecting;
    expect(lab.client.protocolVersion).toBe(4);
  });

  test("a server that sends the client elsewhere is followed (MQTT 5.0 §4.11)", async () => {
    const lab = new Lab({ protocolVersion: 5 });
    const connecting = lab.client.connect();
    await lab.clock.settle();
    lab.server.next("connect");
    const properties = { serverReference: "other:1999" };
    await lab.send({ type: "connack", sessionPresent: false, reasonCode: 0x9d, properties });
    await lab.accept();
    await connecting;
    expect(lab.dials.map(({ endpoint }) => `${endpoint.host}:${endpoint.port}`)).toEqual(["server:1883", "other:1999"]);
  });

  test("ws:// is dialled with the subprotocol mqtt and the WebSocket options given", async () => {
    const headers = { authorization: "token" };
    const lab = new Lab({ servers: "ws://server/mqtt", webSocket: { headers } });
    await lab.connect();
    expect(lab.dials[0]).toMatchObject({
      endpoint: { port: 80, path: "/mqtt" },
      options: { kind: "ws", webSocket: { protocols: ["mqtt"], headers } },
    });
  });

  test("retryFirstConnect puts the first connect under the rules of reconnecting", async () => {
    const lab = new Lab({ reconnect: { retryFirstConnect: true, jitter: "none" } });
    lab.refusing = true;
    const connecting = lab.client.connect();
    await lab.clock.advance(500);
    lab.refusing = false;
    await lab.clock.advance(500);
    await lab.accept();
    expect(await lab.outcome(connecting)).toBe("resolved");
  });

  test("shouldReconnect may give up, delay replaces the doubling", async () => {
    const delays: number[] = [];
    const lab = new Lab({
      reconnect: {
        shouldReconnect: (_error, attempt) => attempt < 2,
        delay: (attempt) => {
          delays.push(attempt);
          return 10;
        },
      },
    });
    await lab.connect();
    lab.refusing = true;
    await lab.cut();
    await lab.clock.advance(100);
    expect(lab.dials).toHaveLength(3);
    expect(delays).toEqual([1]);
    expect(lab.client.state).toBe("disconnected");
  });
});

describe("reading with for await", () => {
  test("gives messages in order and acknowledges each when the next one is asked for", async () => {
    const lab = new Lab();
    await lab.connect();
    const reader = (await lab.subscribe("#", { qos: 1 }))[Symbol.asyncIterator]();
    await lab.send(message("1", 1, 1), message("2", 1, 2));
    expect((await reader.next()).value?.topic).toBe("1");
    await lab.clock.settle();
    expect(lab.types).toEqual([]);
    expect((await reader.next()).value?.topic).toBe("2");
    await lab.clock.settle();
    expect(lab.server.next("puback").packetId).toBe(1);
  });

  test("leaving the loop unsubscribes and leaves the message in hand unacknowledged", async () => {
    const lab = new Lab();
    await lab.connect();
    const subscription = await lab.subscribe("#", { qos: 1 });
    const reader = subscription[Symbol.asyncIterator]();
    await lab.send(message("1", 1, 1));
    await reader.next();
    const leaving = reader.return?.() ?? Promise.reject(new Error("no return"));
    await lab.clock.settle();
    const { packetId, filters } = lab.server.next("unsubscribe");
    expect(filters).toEqual(["#"]);
    await lab.send({ type: "unsuback", packetId, reasonCodes: [], properties: null });
    expect(await lab.outcome(leaving)).toBe("resolved");
    expect(lab.types).toEqual([]);
    expect(subscription).toMatchObject({ ended: true, received: 1, dropped: 0, buffered: 0 });
  });
});

describe("settling by hand", () => {
  async function received(protocolVersion: 4 | 5): Promise<{ lab: Lab; all: MqttMessage[] }> {
    const lab = new Lab({ protocolVersion });
    await lab.connect();
    const all: MqttMessage[] = [];
    await lab.subscribe("#", { qos: 1, ack: "manual", concurrency: 10, handler: (each) => void all.push(each) });
    await lab.send(message("1", 1, 1), message("2", 1, 2));
    return { lab, all };
  }

  test("ack: manual waits for message.ack(), and PUBACKs leave in the order of arrival [MQTT-4.6.0-2]", async () => {
    const { lab, all } = await received(4);
    all[1]?.ack();
    await lab.clock.settle();
    expect(lab.types).toEqual([]);
    all[0]?.ack();
    await lab.clock.settle();
    expect([lab.server.next("puback").packetId, lab.server.next("puback").packetId]).toEqual([1, 2]);
    expect(() => all[0]?.ack()).toThrow(expect.objectContaining({ code: "ERR_ALREADY_SETTLED" }));
  });

  test("message.reject answers with its reason code (MQTT 5.0 §3.4.2.1), and is ERR_UNSUPPORTED with 3.1.1", async () => {
    const { lab, all } = await received(5);
    all[0]?.reject(0x97);
    await lab.clock.settle();
    expect(lab.server.next("puback")).toMatchObject({ packetId: 1, reasonCode: 0x97 });
    const old = await received(4);
    expect(() => old.all[0]?.reject()).toThrow(expect.objectContaining({ code: "ERR_UNSUPPORTED" }));
  });

  test("message.withhold leaves it unacknowledged, and later ones are not held back", async () => {
    const { lab, all } = await received(5);
    all[0]?.withhold();
    all[1]?.ack();
    await lab.clock.settle();
    expect(lab.server.next("puback").packetId).toBe(2);
    expect(lab.types).toEqual([]);
  });

  test("json() gives what the payload holds, or ERR_INVALID_MESSAGE", async () => {
    const lab = new Lab();
    await lab.connect();
    const all: MqttMessage[] = [];
    await lab.subscribe("#", { handler: (each) => void all.push(each) });
    await lab.send(message("1", 0, 0, { payload: new TextEncoder().encode('{"a":1}') }), message("2"));
    expect(all[0]?.json()).toEqual({ a: 1 });
    expect(() => all[1]?.json()).toThrow(expect.objectContaining({ code: "ERR_INVALID_MESSAGE" }));
  });
});

describe("request and response (MQTT 5.0 §4.10)", () => {
  /** Answers the client's SUBSCRIBE to its response topic and returns what it publishes next. */
  async function requested(lab: Lab): Promise<{ responseTopic: string; correlationData: Uint8Array }> {
    await lab.clock.settle();
    const { packetId, filters } = lab.server.next("subscribe");
    await lab.send({ type: "suback", packetId, reasonCodes: [1], properties: null });
    const publish = lab.server.next("publish");
    await lab.send(ack("puback", publish.packetId));
    const { responseTopic = "", correlationData = new Uint8Array(0) } = publish.properties ?? {};
    expect(filters).toMatchObject([{ filter: responseTopic }]);
    return { responseTopic, correlationData };
  }

  test("request resolves with the answer that carries its correlation data", async () => {
    const lab = new Lab({ protocolVersion: 5 });
    await lab.connect();
    const answer = lab.client.request("math/double", "21");
    const { responseTopic, correlationData } = await requested(lab);
    await lab.send(message(responseTopic, 0, 0, { properties: { correlationData: Uint8Array.of(0) } }));
    expect(await lab.outcome(answer)).toBe("open");
    await lab.send(message(responseTopic, 0, 0, { properties: { correlationData } }));
    expect((await answer).text()).toBe("x");
  });

  test("request without an answer within timeoutMs is ERR_TIMEOUT", async () => {
    const lab = new Lab({ protocolVersion: 5 });
    await lab.connect();
    const answer = lab.client.request("a", "b", { timeoutMs: 100 });
    answer.catch(() => undefined);
    await requested(lab);
    await lab.clock.advance(101);
    expect(await lab.outcome(answer)).toBe("ERR_TIMEOUT");
  });

  test("respond publishes what it returns to the response topic, with the correlation data", async () => {
    const lab = new Lab({ protocolVersion: 5 });
    await lab.connect();
    const responding = lab.client.respond("a", (request) => `${request.text()}!`);
    await lab.clock.settle();
    const { packetId } = lab.server.next("subscribe");
    await lab.send({ type: "suback", packetId, reasonCodes: [1], properties: null });
    await responding;
    const properties = { responseTopic: "back", correlationData: Uint8Array.of(7) };
    await lab.send(message("a", 0, 0, { properties }));
    expect(lab.server.next("publish")).toMatchObject({
      topic: "back",
      payload: new TextEncoder().encode("x!"),
      properties: { correlationData: Uint8Array.of(7) },
    });
  });
});

describe("events and the like", () => {
  test("events() gives every event in order and ends with the client", async () => {
    const lab = new Lab();
    const stream = lab.client.events();
    await lab.connect();
    await lab.outcome(lab.client.close());
    const types: string[] = [];
    for await (const event of stream) types.push(event.type === "state" ? event.state : event.type);
    expect(types).toEqual([
      "connecting",
      "connected",
      "serverCapabilities",
      "connect",
      "disconnecting",
      "closed",
      "closed",
    ]);
    expect(stream.dropped).toBe(0);
  });

  test("once tells one event, and what on returns stops it", async () => {
    const lab = new Lab();
    const seen: string[] = [];
    lab.client.once("state", ({ state }) => seen.push(`once ${state}`));
    const off = lab.client.on("state", ({ state }) => seen.push(state));
    lab.client.on("connect", () => off());
    await lab.connect();
    await lab.cut();
    expect(seen).toEqual(["once connecting", "connecting", "connected"]);
  });

  test("await using closes the client", async () => {
    const lab = new Lab();
    await lab.connect();
    expect(await lab.outcome(lab.client[Symbol.asyncDispose]())).toBe("resolved");
    expect(lab.client.state).toBe("closed");
  });

  test("with several filters one refusal fails the call and takes the others back, unless partial says allow", async () => {
    const lab = new Lab({ protocolVersion: 5 });
    await lab.connect();
    const answered = async (partial: "reject" | "allow"): Promise<string> => {
      const subscribing = lab.client.subscribe(["a", "b"], { partial });
      await lab.clock.settle();
      const { packetId } = lab.server.next("subscribe");
      const outcome = lab.outcome(subscribing);
      await lab.send({ type: "suback", packetId, reasonCodes: [0, 0x87], properties: null });
      return outcome;
    };
    expect(await answered("allow")).toBe("resolved");
    expect(lab.types).toEqual([]);
    const other = new Lab({ protocolVersion: 5 });
    await other.connect();
    const refused = other.client.subscribe(["a", "b"]);
    refused.catch(() => undefined);
    await other.clock.settle();
    const { packetId } = other.server.next("subscribe");
    await other.send({ type: "suback", packetId, reasonCodes: [0, 0x87], properties: null });
    expect(await other.outcome(refused)).toBe("ERR_SUBSCRIBE_FAILED");
    expect(other.server.next("unsubscribe").filters).toEqual(["a"]);
  });

  test("userPropertyValues gives all values of a name in order", () => {
    const properties = [
      ["a", "1"],
      ["b", "2"],
      ["a", "3"],
    ] as const;
    expect(userPropertyValues(properties, "a")).toEqual(["1", "3"]);
    expect(userPropertyValues(undefined, "a")).toEqual([]);
  });
});

describe("errors", () => {
  test("say what they end, whether to try again, and what the peer said", () => {
    const peer = { protocol: "mqtt", code: 0x97, text: "full" } as const;
    const error = new MessagingError("ERR_PUBLISH_REJECTED", "refused", { peer, cause: 7 });
    expect(error).toMatchObject({ scope: "message", retry: "later", peer, cause: 7 });
    expect(new MessagingError("ERR_INVALID_QOS", "no")).toMatchObject({ scope: "call", retry: "never", peer: null });
  });

  test("are known to isMessagingError also when another copy of the package made them", () => {
    const foreign = Object.assign(new Error("foreign"), { [Symbol.for("polymq.MessagingError")]: true });
    expect(isMessagingError(foreign)).toBe(true);
    expect(isMessagingError(new MessagingError("ERR_TIMEOUT", "own"))).toBe(true);
    expect(isMessagingError(new Error("other"))).toBe(false);
  });
});
