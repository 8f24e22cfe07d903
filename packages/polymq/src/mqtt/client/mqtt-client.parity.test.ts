import { describe, expect, test } from "vitest";
import type { MessagingError } from "../../base/errors.ts";
import type { MqttPublishMessage } from "./call-options.ts";
import type { MqttMessage } from "./message.ts";
import { ack, Lab, message } from "./parity-lab.test-support.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe("before and after", () => {
  test("every operation before connect and after disconnect is ERR_NOT_CONNECTED", async () => {
    const lab = new Lab();
    const { client } = lab;
    const calls: (() => Promise<unknown>)[] = [
      () => client.publish("a", "b"),
      () => client.publish("a", "b", { qos: 1 }),
      () => client.subscribe("a"),
      () => client.unsubscribe("a"),
      () => client.request("a", "b"),
      () => client.reauthenticate(),
    ];
    for (const call of calls) expect(await lab.outcome(call())).toBe("ERR_NOT_CONNECTED");
    await lab.connect();
    expect(await lab.outcome(client.disconnect())).toBe("resolved");
    for (const call of calls) expect(await lab.outcome(call())).toBe("ERR_NOT_CONNECTED");
  });

  test("disconnect says goodbye with code, expiry and reason (MQTT 5.0 §3.14), and connect may follow", async () => {
    const lab = new Lab({ protocolVersion: 5, sessionExpirySeconds: 60 });
    await lab.connect();
    const leaving = lab.client.disconnect({
      reasonCode: 0x04,
      sessionExpirySeconds: 5,
      reasonString: "Going offline",
      userProperties: { a: "b" },
    });
    expect(await lab.outcome(leaving)).toBe("resolved");
    expect(lab.server.next("disconnect")).toMatchObject({
      reasonCode: 0x04,
      properties: { sessionExpirySeconds: 5, reasonString: "Going offline", userProperties: [["a", "b"]] },
    });
    expect(lab.client.state).toBe("disconnected");
    await lab.connect();
    expect(lab.client.connected).toBe(true);
  });

  test("disconnect without a connection does nothing", async () => {
    const lab = new Lab();
    expect(await lab.outcome(lab.client.disconnect())).toBe("resolved");
    expect(lab.client.state).toBe("disconnected");
  });

  test("close refuses new publishes with ERR_DRAINING while it waits", async () => {
    const lab = new Lab();
    await lab.connect();
    lab.client.publish("a", "b", { qos: 1 }).catch(() => undefined);
    lab.client.close().catch(() => undefined);
    expect(lab.client.state).toBe("disconnecting");
    expect(await lab.outcome(lab.client.publish("a", "late"))).toBe("ERR_DRAINING");
    expect(await lab.outcome(lab.client.publish("a", "late", { qos: 1 }))).toBe("ERR_DRAINING");
  });

  test("close waits for what is in flight and is final", async () => {
    const lab = new Lab();
    await lab.connect();
    const publishing = lab.client.publish("a", "b", { qos: 1 });
    const closing = lab.client.close();
    expect(await lab.outcome(closing)).toBe("open");
    await lab.send(ack("puback", lab.server.next("publish").packetId));
    expect(await lab.outcome(publishing)).toBe("resolved");
    expect(await lab.outcome(closing)).toBe("resolved");
    expect(lab.types).toEqual(["disconnect"]);
    expect(await lab.outcome(lab.client.publish("a", "b"))).toBe("ERR_CLIENT_CLOSED");
    expect(await lab.outcome(lab.client.connect())).toBe("ERR_CLIENT_CLOSED");
    expect(await lab.client.closed).toBeNull();
  });

  test("close gives up after timeoutMs and rejects what is left with ERR_CLIENT_CLOSED", async () => {
    const lab = new Lab();
    await lab.connect();
    const publishing = lab.client.publish("a", "b", { qos: 1 });
    publishing.catch(() => undefined);
    const closing = lab.client.close({ timeoutMs: 2_000 });
    await lab.clock.advance(2_000);
    expect(await lab.outcome(publishing)).toBe("ERR_CLIENT_CLOSED");
    expect(await lab.outcome(closing)).toBe("resolved");
  });

  test("destroy ends at once, without DISCONNECT", async () => {
    const lab = new Lab();
    await lab.connect();
    expect(await lab.outcome(lab.client.destroy())).toBe("resolved");
    expect(lab.types).toEqual([]);
    expect(lab.server.ended).not.toBe("open");
    expect(lab.client.state).toBe("closed");
  });
});

describe("publish", () => {
  test("QoS 0 resolves at once, QoS 1 at PUBACK, QoS 2 at PUBCOMP", async () => {
    const lab = new Lab();
    await lab.connect();
    expect(await lab.outcome(lab.client.publish("a", "b"))).toBe("resolved");
    lab.server.next("publish");
    const once = lab.client.publish("a", "b", { qos: 1, retain: true });
    expect(await lab.outcome(once)).toBe("open");
    const publish = lab.server.next("publish");
    expect(publish).toMatchObject({ topic: "a", qos: 1, retain: true, dup: false });
    expect(text(publish.payload)).toBe("b");
    await lab.send(ack("puback", publish.packetId));
    expect(await lab.outcome(once)).toBe("resolved");
    const exactly = lab.client.publish("a", "b", { qos: 2 });
    await lab.clock.settle();
    const { packetId } = lab.server.next("publish");
    await lab.send(ack("pubrec", packetId));
    lab.server.next("pubrel");
    expect(await lab.outcome(exactly)).toBe("open");
    await lab.send(ack("pubcomp", packetId));
    expect(await lab.outcome(exactly)).toBe("resolved");
  });

  test("a message object carries every publish property of MQTT 5.0 (§3.3.2.3)", async () => {
    const lab = new Lab({ protocolVersion: 5 });
    await lab.connect();
    const properties = {
      payloadFormat: 1,
      messageExpirySeconds: 60,
      contentType: "text/plain",
      responseTopic: "responses/temp",
      correlationData: Uint8Array.of(1, 2),
    } as const;
    const userProperties = { unit: "celsius", tag: ["a", "b"] };
    const sent: MqttPublishMessage = {
      topic: "sensors/temp",
      payload: "22.5",
      properties: { ...properties, userProperties },
    };
    await lab.client.publish(sent);
    await lab.clock.settle();
    expect(lab.server.next("publish")).toMatchObject({
      topic: "sensors/temp",
      payload: new TextEncoder().encode("22.5"),
      properties: {
        ...properties,
        userProperties: [
          ["unit", "celsius"],
          ["tag", "a"],
          ["tag", "b"],
        ],
      },
    });
  });

  test("the reason code of PUBACK reaches the caller: 0x10 as result, 0x80 and above as ERR_PUBLISH_REJECTED", async () => {
    const lab = new Lab({ protocolVersion: 5 });
    await lab.connect();
    const answered = async (reasonCode: number): Promise<unknown> => {
      const publishing = lab.client.publish("a", "b", { qos: 1 }).catch((error: MessagingError) => error);
      await lab.clock.settle();
      const properties = { reasonString: "because" };
      await lab.send({ ...ack("puback", lab.server.next("publish").packetId, reasonCode), properties });
      return publishing;
    };
    expect(await answered(0x10)).toMatchObject({ reasonCode: 0x10, reasonString: "because" });
    expect(await answered(0x87)).toMatchObject({ code: "ERR_PUBLISH_REJECTED", peer: { code: 0x87, text: "because" } });
  });

  test("a wrong QoS, topic or message is refused: ERR_INVALID_QOS, ERR_INVALID_TOPIC, ERR_INVALID_MESSAGE", async () => {
    const lab = new Lab({ protocolVersion: 5 });
    await lab.connect();
    const codes = async (...calls: Promise<unknown>[]): Promise<string[]> =>
      Promise.all(calls.map((call) => lab.outcome(call)));
    const { client } = lab;
    expect(await codes(client.publish("a", "b", { qos: 3 as 2 }))).toEqual(["ERR_INVALID_QOS"]);
    expect(await codes(client.publish("", "b"), client.publish("a/#", "b"))).toEqual([
      "ERR_INVALID_TOPIC",
      "ERR_INVALID_TOPIC",
    ]);
    const none = client.publish(null as unknown as MqttPublishMessage);
    expect(await codes(none, client.publish("a", 7 as unknown as string))).toEqual([
      "ERR_INVALID_MESSAGE",
      "ERR_INVALID_MESSAGE",
    ]);
  });

  test("no acknowledgement within ackTimeoutMs is ERR_TIMEOUT", async () => {
    const lab = new Lab({ ackTimeoutMs: 2_000 });
    await lab.connect();
    const publishing = lab.client.publish("a", "b", { qos: 1 });
    const subscribing = lab.client.subscribe("a");
    for (const call of [publishing, subscribing]) call.catch(() => undefined);
    await lab.clock.advance(1_900);
    expect(await lab.outcome(publishing)).toBe("open");
    await lab.clock.advance(1_000);
    expect(await lab.outcome(publishing)).toBe("ERR_TIMEOUT");
    expect(await lab.outcome(subscribing)).toBe("ERR_TIMEOUT");
  });

  test("a signal gives up waiting with ERR_ABORTED", async () => {
    const lab = new Lab();
    await lab.connect();
    const abort = new AbortController();
    const publishing = lab.client.publish("a", "b", { qos: 1, signal: abort.signal });
    expect(await lab.outcome(publishing)).toBe("open");
    abort.abort();
    expect(await lab.outcome(publishing)).toBe("ERR_ABORTED");
  });

  test("a repeated topic travels as an alias, and the aliases start anew after a reconnect (MQTT 5.0 §3.3.2.3.4)", async () => {
    const lab = new Lab({ protocolVersion: 5 });
    const properties = { topicAliasMaximum: 2 };
    await lab.connect({ properties });
    const topics = async (): Promise<(string | number | undefined)[]> => {
      await lab.clock.settle();
      const { topic, properties: sent } = lab.server.next("publish");
      return [topic, sent?.topicAlias];
    };
    await lab.client.publish("a/topic/worth/an/alias", "b");
    expect(await topics()).toEqual(["a/topic/worth/an/alias", 1]);
    await lab.client.publish("a/topic/worth/an/alias", "b");
    expect(await topics()).toEqual(["", 1]);
    await lab.cut();
    await lab.accept({ properties });
    await lab.client.publish("a/topic/worth/an/alias", "b");
    expect(await topics()).toEqual(["a/topic/worth/an/alias", 1]);
  });
});

describe("subscribe", () => {
  test("takes one filter, or a QoS or options for each of several", async () => {
    const lab = new Lab({ protocolVersion: 5 });
    await lab.connect();
    const one = await lab.subscribe("sensors/temp", { qos: 1 });
    expect(one.filters).toEqual([{ filter: "sensors/temp", reasonCode: 1 }]);
    const several = await lab.subscribe({ "sensors/#": 1, "devices/+/status": { qos: 2, noLocal: true } });
    expect(several.filters.map(({ reasonCode }) => reasonCode)).toEqual([1, 2]);
  });

  test("sends no local, retain as published, retain handling and the identifier (MQTT 5.0 §3.8)", async () => {
    const lab = new Lab({ protocolVersion: 5 });
    await lab.connect();
    const options = { qos: 1, noLocal: true, retainAsPublished: true, retainHandling: 1 } as const;
    void lab.client.subscribe("sensors/temp", { ...options, subscriptionIdentifier: 42, userProperties: { a: "b" } });
    await lab.clock.settle();
    expect(lab.server.next("subscribe")).toMatchObject({
      filters: [{ filter: "sensors/temp", ...options }],
      properties: { subscriptionIdentifier: 42, userProperties: [["a", "b"]] },
    });
  });

  test("options that make no sense are ERR_INVALID_SUBSCRIBE_OPTION", async () => {
    const lab = new Lab({ protocolVersion: 5 });
    await lab.connect();
    for (const options of [{ retainHandling: 3 as 2 }, { subscriptionIdentifier: 0 }, { highWaterMark: 0 }]) {
      expect(await lab.outcome(lab.client.subscribe("a", options))).toBe("ERR_INVALID_SUBSCRIBE_OPTION");
    }
  });

  test("a refusal in SUBACK is ERR_SUBSCRIBE_FAILED with the server's code", async () => {
    const lab = new Lab({ protocolVersion: 5 });
    await lab.connect();
    const subscribing = lab.client.subscribe("a").catch((error: unknown) => error);
    await lab.clock.settle();
    const { packetId } = lab.server.next("subscribe");
    await lab.send({ type: "suback", packetId, reasonCodes: [0x87], properties: null });
    expect(await subscribing).toMatchObject({ code: "ERR_SUBSCRIBE_FAILED", peer: { code: 0x87 } });
  });

  test("unsubscribe gives the server's codes, and ERR_UNSUBSCRIBE_FAILED for a refusal", async () => {
    const lab = new Lab({ protocolVersion: 5 });
    await lab.connect();
    const answered = async (reasonCode: number): Promise<unknown> => {
      const leaving = lab.client.unsubscribe("a").catch((error: MessagingError) => error.code);
      await lab.clock.settle();
      const { packetId, filters } = lab.server.next("unsubscribe");
      expect(filters).toEqual(["a"]);
      await lab.send({ type: "unsuback", packetId, reasonCodes: [reasonCode], properties: null });
      return leaving;
    };
    expect(await answered(0x11)).toEqual([0x11]);
    expect(await answered(0x87)).toBe("ERR_UNSUBSCRIBE_FAILED");
  });
});

describe("messages", () => {
  test("carry topic, payload, QoS, retain, DUP and every publish property (MQTT 5.0 §3.3)", async () => {
    const lab = new Lab({ protocolVersion: 5 });
    await lab.connect();
    const received: MqttMessage[] = [];
    await lab.subscribe("a/+", { qos: 1, handler: (each) => void received.push(each) });
    const properties = {
      payloadFormat: 1,
      messageExpirySeconds: 9,
      contentType: "text/plain",
      responseTopic: "r",
      correlationData: Uint8Array.of(1),
      userProperties: [
        ["k", "1"],
        ["k", "2"],
      ],
      subscriptionIdentifiers: [4, 5],
    } as const;
    await lab.send(message("a/b", 1, 7, { retain: true, dup: true, properties }));
    const { payloadFormat, messageExpirySeconds, contentType, responseTopic, correlationData } = properties;
    const { userProperties, subscriptionIdentifiers } = properties;
    expect(received[0]).toMatchObject({ topic: "a/b", qos: 1, retain: true, dup: true });
    expect(received[0]?.text()).toBe("x");
    expect(received[0]).toMatchObject({ payloadFormat, messageExpirySeconds, contentType, responseTopic });
    expect(received[0]).toMatchObject({ correlationData, userProperties, subscriptionIdentifiers });
  });

  test("are handled one after the other and in order by default, up to concurrency at a time if asked", async () => {
    const run = async (concurrency: number | undefined): Promise<string[]> => {
      const lab = new Lab();
      await lab.connect();
      const steps: string[] = [];
      const handler = async ({ topic }: MqttMessage): Promise<void> => {
        steps.push(`begin ${topic}`);
        await new Promise<void>((resolve) => lab.clock.setTimer(10, resolve));
        steps.push(`end ${topic}`);
      };
      await lab.subscribe("#", { handler, ...(concurrency === undefined ? {} : { concurrency }) });
      await lab.send(message("1"), message("2"));
      await lab.clock.advance(100);
      return steps;
    };
    expect(await run(undefined)).toEqual(["begin 1", "end 1", "begin 2", "end 2"]);
    expect(await run(2)).toEqual(["begin 1", "begin 2", "end 1", "end 2"]);
  });

  test("are acknowledged after their handler, not before it", async () => {
    const lab = new Lab();
    await lab.connect();
    let finish: () => void = () => undefined;
    const handler = (): Promise<void> => new Promise((resolve) => (finish = resolve));
    await lab.subscribe("#", { qos: 2, handler });
    await lab.send(message("a", 1, 1));
    expect(lab.types).toEqual([]);
    finish();
    await lab.clock.settle();
    expect(lab.types).toEqual(["puback"]);
    await lab.send(message("a", 2, 2));
    expect(lab.types).toEqual(["puback"]);
    finish();
    await lab.clock.settle();
    expect(lab.types).toEqual(["puback", "pubrec"]);
    await lab.send(ack("pubrel", 2));
    expect(lab.types).toEqual(["puback", "pubrec", "pubcomp"]);
  });

  test("that match no subscription of this client go to onMessage", async () => {
    const topics: string[] = [];
    const lab = new Lab({ cleanStart: false, onMessage: ({ topic }) => void topics.push(topic) });
    await lab.connect({ sessionPresent: true });
    await lab.send(message("from/the/old/session", 1, 3));
    expect(topics).toEqual(["from/the/old/session"]);
    expect(lab.server.next("puback").packetId).toBe(3);
  });

  test("with an alias that was never given end the connection with ERR_TOPIC_ALIAS_INVALID, they are not dropped in silence", async () => {
    const lab = new Lab({ protocolVersion: 5, topicAliasMaximum: 5 });
    await lab.connect();
    await lab.send(message("", 0, 0, { properties: { topicAlias: 3 } }));
    expect(lab.told("connectionLost")).toMatchObject([{ error: { code: "ERR_TOPIC_ALIAS_INVALID" } }]);
  });

  test("are told in handlerError and left unacknowledged when their handler fails", async () => {
    const lab = new Lab();
    await lab.connect();
    const handler = (): Promise<void> => Promise.reject(new Error("boom"));
    await lab.subscribe("#", { qos: 1, handler });
    await lab.send(message("a", 1, 1));
    expect(lab.told("handlerError")).toMatchObject([{ message: { topic: "a" }, error: { message: "boom" } }]);
    expect(lab.types).toEqual([]);
  });
});
