import { describe, expect, test } from "vitest";
import { codeOf } from "./client-setup.test-support.ts";
import type { MqttClientOptions } from "./options.ts";
import { settingsOf } from "./settings.ts";

const GIVEN: MqttClientOptions = { servers: "localhost:1883", clientId: "c" };

describe("defaults of the Go client that hold here too", () => {
  test.each([
    ["keepAliveSeconds", 60],
    ["connectTimeoutMs", 10_000],
    ["writeTimeoutMs", 5_000],
    ["ackTimeoutMs", 10_000],
    ["pingTimeoutMs", 5_000],
    ["maxInflight", 100],
    ["protocolVersion", 4],
    ["cleanStart", true],
    ["sessionExpirySeconds", 0],
    ["topicAliasMaximum", 0],
    ["will", null],
    ["store", null],
    ["authentication", null],
    ["tls", null],
  ] as const)("%s is %s by default", (name, value) => {
    expect(settingsOf(GIVEN)[name]).toBe(value);
  });

  test("reconnecting is on by default", () => {
    expect(settingsOf(GIVEN).reconnect).not.toBeNull();
    expect(settingsOf({ ...GIVEN, reconnect: false }).reconnect).toBeNull();
  });
});

describe("options that make no sense", () => {
  test.each<[string, Partial<MqttClientOptions>]>([
    ["keepAliveSeconds", { keepAliveSeconds: -1 }],
    ["connectTimeoutMs", { connectTimeoutMs: 0 }],
    ["writeTimeoutMs", { writeTimeoutMs: -1 }],
    ["ackTimeoutMs", { ackTimeoutMs: 0.5 }],
    ["pingTimeoutMs", { pingTimeoutMs: 0 }],
    ["maxInflight", { maxInflight: 0 }],
    ["receiveMaximum", { receiveMaximum: 0 }],
    ["maximumPacketSize", { maximumPacketSize: 0 }],
    ["topicAliasMaximum", { topicAliasMaximum: 65_536 }],
    ["sessionExpirySeconds", { sessionExpirySeconds: -1 }],
    ["reconnect.initialDelayMs", { reconnect: { initialDelayMs: -1 } }],
    ["reconnect.maxAttempts", { reconnect: { maxAttempts: 0 } }],
    ["waiting.maxBytes", { waiting: { maxBytes: -1 } }],
  ])("%s out of range is refused with ERR_INVALID_OPTIONS, not replaced by its default", (_, options) => {
    expect(codeOf(() => settingsOf({ ...GIVEN, ...options }))).toBe("ERR_INVALID_OPTIONS");
  });

  test("no options at all are refused with ERR_INVALID_OPTIONS", () => {
    expect(codeOf(() => settingsOf(null as unknown as MqttClientOptions))).toBe("ERR_INVALID_OPTIONS");
  });

  test("an unknown policy is refused with ERR_INVALID_OPTIONS", () => {
    const options = { ...GIVEN, whenOffline: "sometimes" } as unknown as MqttClientOptions;
    expect(codeOf(() => settingsOf(options))).toBe("ERR_INVALID_OPTIONS");
  });

  test("no server is ERR_NO_SERVERS", () => {
    expect(codeOf(() => settingsOf({ ...GIVEN, servers: [] }))).toBe("ERR_NO_SERVERS");
  });

  test("a client id that is missing is ERR_EMPTY_CLIENT_ID", () => {
    const options = { servers: "localhost" } as unknown as MqttClientOptions;
    expect(codeOf(() => settingsOf(options))).toBe("ERR_EMPTY_CLIENT_ID");
  });

  test("a protocol version other than 4, 5 and auto is ERR_INVALID_PROTOCOL", () => {
    const options = { ...GIVEN, protocolVersion: 3 } as unknown as MqttClientOptions;
    expect(codeOf(() => settingsOf(options))).toBe("ERR_INVALID_PROTOCOL");
  });

  test("a will with a wildcard in its topic is ERR_INVALID_TOPIC, one with QoS 3 ERR_INVALID_QOS", () => {
    expect(codeOf(() => settingsOf({ ...GIVEN, will: { topic: "a/#" } }))).toBe("ERR_INVALID_TOPIC");
    const will = { topic: "a", qos: 3 } as unknown as { topic: string };
    expect(codeOf(() => settingsOf({ ...GIVEN, will }))).toBe("ERR_INVALID_QOS");
  });

  test("authentication is ERR_AUTH_NOT_V5 with MQTT 3.1.1, without a method ERR_AUTH_METHOD_MISSING", () => {
    const respond = (): Uint8Array => new Uint8Array(0);
    const authentication = { method: "M", respond };
    expect(codeOf(() => settingsOf({ ...GIVEN, protocolVersion: 4, authentication }))).toBe("ERR_AUTH_NOT_V5");
    const nameless = { ...GIVEN, protocolVersion: 5, authentication: { method: "", respond } } as const;
    expect(codeOf(() => settingsOf(nameless))).toBe("ERR_AUTH_METHOD_MISSING");
  });
});
