import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { hostMemoryBytes } from "./host-resources.ts";
import type { BrokerOptions } from "./options.ts";
import { brokerSettings } from "./settings.ts";

function refusal(message: RegExp): unknown {
  return expect.objectContaining({ code: "ERR_INVALID_OPTIONS", message: expect.stringMatching(message) });
}

describe("brokerSettings", () => {
  test("without options it is one open port on this machine, in memory", () => {
    const settings = brokerSettings();
    expect(settings.listeners).toEqual([
      {
        host: "127.0.0.1",
        port: 1883,
        tls: null,
        protocols: null,
        webSocket: { paths: ["/mqtt", "/amqp"], origins: null, messageBytesMax: 1_114_112 + 65_536 },
      },
    ]);
    expect(settings).toMatchObject({
      dataDir: null,
      durability: "memory",
      sysIntervalSeconds: 10,
      drainTimeoutMs: 5_000,
    });
    expect(settings.auth).toMatchObject({
      users: [],
      anonymous: { publish: null, subscribe: null },
      authenticate: null,
    });
  });

  test("every limit has a default", () => {
    const { mqtt, amqp091, virtualHosts, sessions, hub, admission } = brokerSettings();
    expect([amqp091, virtualHosts]).toEqual([
      {
        tuning: { channelMax: 2_047, frameMax: 131_072, heartbeatSeconds: 60 },
        maximumBodyBytes: 16_777_216,
        handshakeTimeoutMs: 10_000,
        consumersMax: 10_000,
        unsettledMax: 100_000,
        transactionMax: 10_000,
        transactionBytesMax: 67_108_864,
      },
      [],
    ]);
    expect(mqtt).toEqual({
      maximumQoS: 2,
      retainAvailable: true,
      wildcardSubscriptionAvailable: true,
      subscriptionIdentifiersAvailable: true,
      sharedSubscriptionAvailable: true,
      receiveMaximum: 1_024,
      maxInflight: 1_024,
      maxInflightBytes: 33_554_432,
      maximumPacketSize: 1_114_112,
      topicAliasMaximum: 32,
      outboundTopicAliasMaximum: 32,
      serverKeepAliveSeconds: 0,
      connectTimeoutMs: 10_000,
      topicLevelsMax: 128,
      responseInformation: "responses/%c",
    });
    expect(sessions).toEqual({
      expirySecondsMax: 4_294_967_295,
      queue: { messagesMax: 10_000, bytesMax: 33_554_432, overflow: "dropOldest" },
      unsentBytesMax: 4_194_304,
      unsentBytesInAllMax: Math.floor(hostMemoryBytes() / 4),
    });
    expect(hub).toEqual({
      sessionsMax: 100_000,
      subscriptionsPerSessionMax: 10_000,
      filterUnitsPerSessionMax: 8_388_608,
      retainedMax: 1_000_000,
      retainedBytesMax: 268_435_456,
      heldBytesMax: Math.floor(hostMemoryBytes() / 2),
    });
    expect(admission).toEqual({
      connectionsMax: 10_000,
      connectionsPerAddressMax: 10_000,
      backlog: 511,
      sniffTimeoutMs: 10_000,
      tlsHandshakeTimeoutMs: 10_000,
    });
  });

  test("what is given arrives", () => {
    const settings = brokerSettings({
      host: "0.0.0.0",
      port: 0,
      webSocket: { paths: ["/a", "/b"], origins: ["https://x.example"], messageBytesMax: 2_048 },
      connections: { countMax: 5, sniffTimeoutMs: 100 },
      mqtt: {
        maximumQoS: 1,
        retainAvailable: false,
        receiveMaximum: 7,
        maximumPacketSize: 2_048,
        responseInformation: "",
      },
      sessions: {
        expirySecondsMax: 60,
        queuedMessagesMax: 3,
        whenQueueFull: "dropNewest",
        subscriptionsMax: 2,
        heldBytesMax: 5,
        unsentBytesInAllMax: 0,
      },
      retained: { countMax: 9 },
      sysIntervalSeconds: 0,
      drainTimeoutMs: 1,
    });
    expect(settings.listeners[0]).toMatchObject({ host: "0.0.0.0", port: 0, webSocket: { paths: ["/a", "/b"] } });
    expect(settings.admission).toMatchObject({ connectionsMax: 5, connectionsPerAddressMax: 5, sniffTimeoutMs: 100 });
    expect(settings.mqtt).toMatchObject({
      maximumQoS: 1,
      retainAvailable: false,
      receiveMaximum: 7,
      responseInformation: "",
    });
    expect(settings.sessions).toMatchObject({
      expirySecondsMax: 60,
      queue: { messagesMax: 3, overflow: "dropNewest" },
      unsentBytesInAllMax: Number.POSITIVE_INFINITY,
    });
    expect(settings.hub).toMatchObject({ subscriptionsPerSessionMax: 2, retainedMax: 9, heldBytesMax: 5 });
    expect(settings).toMatchObject({ sysIntervalSeconds: 0, drainTimeoutMs: 1 });
  });

  test("the settings cannot be changed, at any depth", () => {
    const settings = brokerSettings({ users: [{ username: "ann", password: "x", publish: ["a"] }] });
    const frozen = (value: unknown): boolean =>
      typeof value !== "object" || value === null || (Object.isFrozen(value) && Object.values(value).every(frozen));
    expect(frozen(settings)).toBe(true);
  });

  test("a data directory makes it durable and the path absolute", () => {
    const settings = brokerSettings({ dataDir: "some/where" });
    expect(settings).toMatchObject({ dataDir: resolve("some/where"), durability: "fsync" });
    expect(brokerSettings({ dataDir: "/d", durability: "buffered" }).durability).toBe("buffered");
  });

  test.each<[object, RegExp]>([
    [{ prot: 1883 }, /^prot: is no known option$/],
    [{ mqtt: { maximumQos: 1 } }, /^mqtt\.maximumQos: is no known option$/],
    [{ sessions: { queued: 1 } }, /^sessions\.queued: /],
    [{ retained: { count: 1 } }, /^retained\.count: /],
    [{ connections: { max: 1 } }, /^connections\.max: /],
    [{ auth: { authorise: () => true } }, /^auth\.authorise: /],
    [{ webSocket: { path: "/x" } }, /^webSocket\.path: /],
    [{ mqtt: { maximumQoS: 3 } }, /^mqtt\.maximumQoS: /],
    [{ mqtt: { receiveMaximum: 0 } }, /^mqtt\.receiveMaximum: /],
    [{ mqtt: { maximumPacketSize: 10 } }, /^mqtt\.maximumPacketSize: /],
    [{ mqtt: { topicLevelsMax: 129 } }, /^mqtt\.topicLevelsMax: /],
    [{ sessions: { unsentBytesMax: 1 } }, /^sessions\.unsentBytesMax: /],
    [{ durability: "fsync" }, /^durability: fsync needs a dataDir$/],
    [{ dataDir: "/d", durability: "memory" }, /^durability: /],
    [{ dataDir: "" }, /^dataDir: /],
    [{ durability: "sometimes" }, /^durability: must be one of fsync, buffered, memory$/],
    [{ drainTimeoutMs: 2 ** 31 }, /^drainTimeoutMs: /],
  ])("%j is refused by the name of its field", (options, message) => {
    expect(() => brokerSettings(options as BrokerOptions)).toThrow(refusal(message));
  });

  test.each([null, 7, "port", []])("%j are no options", (options) => {
    expect(() => brokerSettings(options as unknown as BrokerOptions)).toThrow(refusal(/^options: must be an object$/));
  });
});
