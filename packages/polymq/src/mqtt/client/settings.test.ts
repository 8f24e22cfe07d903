import { describe, expect, test } from "vitest";
import { MemoryStore } from "../../store/memory-store.ts";
import { codeOf } from "./client-setup.test-support.ts";
import { MQTT_5 } from "./mqtt5.ts";
import type { MqttClientOptions } from "./options.ts";
import { settingsOf } from "./settings.ts";

const LEAST: MqttClientOptions = { servers: "mqtt://server", clientId: "c" };

/** The code with which options are refused; what is given may be of a wrong type. */
function refusal(options: object): string {
  return codeOf(() => settingsOf({ ...LEAST, ...options } as MqttClientOptions));
}

describe("defaults", () => {
  test("are filled in for everything that was left out", () => {
    expect(settingsOf(LEAST)).toEqual({
      servers: ["mqtt://server"],
      clientId: "c",
      protocolVersion: 4,
      username: null,
      password: null,
      credentials: null,
      tls: null,
      webSocket: null,
      authentication: null,
      dial: null,
      cleanStart: true,
      sessionExpirySeconds: 0,
      topicAliasMaximum: 0,
      receiveMaximum: 65_535,
      outboundTopicAliases: "auto",
      requestResponseInformation: null,
      requestProblemInformation: null,
      serverRedirect: "follow",
      given: LEAST,
      userProperties: null,
      keepAliveSeconds: 60,
      connectTimeoutMs: 10_000,
      writeTimeoutMs: 5_000,
      ackTimeoutMs: 10_000,
      pingTimeoutMs: 5_000,
      maximumPacketSize: 268_435_460,
      maxInflight: 100,
      maxDeliveryRetries: 5,
      whenInflightFull: "wait",
      whenOffline: null,
      waitingMessagesMax: 10_000,
      waitingBytesMax: 67_108_864,
      highWaterBytes: 1_048_576,
      will: null,
      reconnect: {},
      store: null,
      onMessage: null,
    });
  });

  test("are frozen, so that nothing changes them behind the client's back", () => {
    expect(Object.isFrozen(settingsOf(LEAST))).toBe(true);
  });

  test("make no CONNECT property of what is the protocol's own default", async () => {
    const settings = settingsOf({
      ...LEAST,
      sessionExpirySeconds: 0,
      topicAliasMaximum: 0,
      requestProblemInformation: true,
    });
    expect(await MQTT_5.connectProperties(settings)).toBeNull();
  });

  test("reconnect: false turns reconnecting off", () => {
    expect(settingsOf({ ...LEAST, reconnect: false }).reconnect).toBeNull();
    expect(settingsOf({ ...LEAST, will: null } as unknown as MqttClientOptions).will).toBeNull();
  });

  test("a list of servers is copied", () => {
    const servers = ["mqtt://a", "mqtt://b"];
    const settings = settingsOf({ ...LEAST, servers });
    servers.pop();
    expect(settings.servers).toEqual(["mqtt://a", "mqtt://b"]);
  });
});

describe("refusals", () => {
  test.each([
    ["no servers", { servers: [] }, "ERR_NO_SERVERS"],
    ["servers of a wrong type", { servers: undefined }, "ERR_NO_SERVERS"],
    ["an empty server address", { servers: [""] }, "ERR_INVALID_OPTIONS"],
    ["a missing client id", { clientId: undefined }, "ERR_EMPTY_CLIENT_ID"],
    ["a client id with U+0000 [MQTT-1.5.4-2] [MQTT3-1.5.3-2]", { clientId: "a\0b" }, "ERR_INVALID_OPTIONS"],
    ["a client id with a lone surrogate [MQTT-3.1.3-4] [MQTT3-3.1.3-4]", { clientId: "\ud800" }, "ERR_INVALID_OPTIONS"],
    ["protocol version 3", { protocolVersion: 3 }, "ERR_INVALID_PROTOCOL"],
    ["a protocol version in words", { protocolVersion: "5" }, "ERR_INVALID_PROTOCOL"],
    ["a user name that is no text", { username: 7 }, "ERR_INVALID_OPTIONS"],
    ["a password that is neither text nor bytes", { username: "u", password: 7 }, "ERR_INVALID_OPTIONS"],
    ["a password without a user name in 3.1.1 [MQTT3-3.1.2-22]", { password: "p" }, "ERR_INVALID_OPTIONS"],
    [
      "an empty client id without a clean start in 3.1.1 [MQTT3-3.1.3-7]",
      { clientId: "", cleanStart: false },
      "ERR_INVALID_OPTIONS",
    ],
    ["a negative session expiry", { sessionExpirySeconds: -1 }, "ERR_INVALID_OPTIONS"],
    ["a session expiry above 32 bits", { sessionExpirySeconds: 2 ** 32 }, "ERR_INVALID_OPTIONS"],
    ["a keep alive above 16 bits", { keepAliveSeconds: 65_536 }, "ERR_INVALID_OPTIONS"],
    ["a broken keep alive", { keepAliveSeconds: 1.5 }, "ERR_INVALID_OPTIONS"],
    ["a receive maximum of 0", { receiveMaximum: 0 }, "ERR_INVALID_OPTIONS"],
    ["a maximum packet size of 0", { maximumPacketSize: 0 }, "ERR_INVALID_OPTIONS"],
    ["a topic alias maximum above 16 bits", { topicAliasMaximum: 65_536 }, "ERR_INVALID_OPTIONS"],
    ["an unknown word for outbound topic aliases", { outboundTopicAliases: "on" }, "ERR_INVALID_OPTIONS"],
    ["an unknown word for redirection", { serverRedirect: "no" }, "ERR_INVALID_OPTIONS"],
    ["a connect timeout of 0", { connectTimeoutMs: 0 }, "ERR_INVALID_OPTIONS"],
    ["a timeout that is not a number", { ackTimeoutMs: Number.NaN }, "ERR_INVALID_OPTIONS"],
    ["a timeout in text", { writeTimeoutMs: "5000" }, "ERR_INVALID_OPTIONS"],
    ["a timeout beyond what timers can do", { ackTimeoutMs: 2 ** 31 }, "ERR_INVALID_OPTIONS"],
    ["a ping timeout of 0", { pingTimeoutMs: 0 }, "ERR_INVALID_OPTIONS"],
    ["an in-flight window of 0", { maxInflight: 0 }, "ERR_INVALID_OPTIONS"],
    ["an unknown word for a full window", { whenInflightFull: "drop" }, "ERR_INVALID_OPTIONS"],
    ["an unknown offline policy", { whenOffline: "queue" }, "ERR_INVALID_OPTIONS"],
    ["a negative limit of waiting messages", { waiting: { maxMessages: -1 } }, "ERR_INVALID_OPTIONS"],
    ["a broken limit of waiting bytes", { waiting: { maxBytes: 0.5 } }, "ERR_INVALID_OPTIONS"],
    ["a high-water mark of 0", { highWaterBytes: 0 }, "ERR_INVALID_OPTIONS"],
    ["a negative first delay", { reconnect: { initialDelayMs: -1 } }, "ERR_INVALID_OPTIONS"],
    ["a longest delay beyond what timers can do", { reconnect: { maxDelayMs: 2 ** 31 } }, "ERR_INVALID_OPTIONS"],
    ["a limit of 0 attempts", { reconnect: { maxAttempts: 0 } }, "ERR_INVALID_OPTIONS"],
    ["an unknown jitter", { reconnect: { jitter: "half" } }, "ERR_INVALID_OPTIONS"],
    ["user properties that are no text", { userProperties: { a: 1 } }, "ERR_INVALID_MESSAGE"],
    ["a will with a wildcard [MQTT-3.3.2-2]", { will: { topic: "a/#" } }, "ERR_INVALID_TOPIC"],
    ["a will without a topic [MQTT-4.7.3-1] [MQTT3-4.7.3-1]", { will: { topic: "" } }, "ERR_INVALID_TOPIC"],
    [
      "a will topic with a lone surrogate [MQTT-3.1.3-11] [MQTT3-3.1.3-10]",
      { will: { topic: "\udc00" } },
      "ERR_INVALID_TOPIC",
    ],
    ["will QoS 3 [MQTT-3.1.2-12] [MQTT3-3.1.2-14]", { will: { topic: "t", qos: 3 } }, "ERR_INVALID_QOS"],
    ["a will payload that is neither text nor bytes", { will: { topic: "t", payload: 7 } }, "ERR_INVALID_OPTIONS"],
    ["a negative will delay", { will: { topic: "t", delaySeconds: -1 } }, "ERR_INVALID_OPTIONS"],
    ["a will expiry above 32 bits", { will: { topic: "t", messageExpirySeconds: 2 ** 32 } }, "ERR_INVALID_OPTIONS"],
    ["an unknown will payload format", { will: { topic: "t", payloadFormat: 2 } }, "ERR_INVALID_OPTIONS"],
    [
      "enhanced authentication in 3.1.1",
      { authentication: { method: "m", respond: () => new Uint8Array() } },
      "ERR_AUTH_NOT_V5",
    ],
    [
      "enhanced authentication without a method",
      { protocolVersion: 5, authentication: { respond: () => new Uint8Array() } },
      "ERR_AUTH_METHOD_MISSING",
    ],
    [
      "enhanced authentication without an answer",
      { protocolVersion: 5, authentication: { method: "m" } },
      "ERR_AUTH_NO_HANDLER",
    ],
  ])("%s", (_, options, code) => {
    expect(refusal(options)).toBe(code);
  });

  // The values that JavaScript callers give by mistake, by what is asked for.
  test.each([
    ["boolean", ["cleanStart", "requestResponseInformation", "requestProblemInformation"], ["no", 0, {}]],
    ["function", ["credentials", "dial", "onMessage"], ["no", 0, {}, true]],
    ["object", ["tls", "webSocket", "store", "waiting", "will", "authentication", "reconnect"], ["no", 0, () => 1]],
    ["string", ["username"], [0, {}, true]],
  ])("an option of type %s refuses values of others, naming option and value", (type, names, values) => {
    for (const name of names) {
      for (const value of values) {
        const options = { ...LEAST, protocolVersion: 5, [name]: value } as unknown as MqttClientOptions;
        const message = `${name} must be of type ${type}, not ${String(value)}`;
        expect(() => settingsOf(options)).toThrow(expect.objectContaining({ code: "ERR_INVALID_OPTIONS", message }));
      }
    }
  });

  test.each([
    ["will.retain", { will: { topic: "t", retain: "yes" } }],
    ["will.contentType", { will: { topic: "t", contentType: 7 } }],
    ["will.responseTopic", { will: { topic: "t", responseTopic: true } }],
    ["will.correlationData", { will: { topic: "t", correlationData: "id" } }],
    ["reconnect.shouldReconnect", { reconnect: { shouldReconnect: true } }],
    ["reconnect.delay", { reconnect: { delay: 1_000 } }],
    ["reconnect.retryFirstConnect", { reconnect: { retryFirstConnect: "yes" } }],
  ])("%s of a wrong type", (name, options) => {
    const wrong = { ...LEAST, ...options } as unknown as MqttClientOptions;
    expect(() => settingsOf(wrong)).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_OPTIONS", message: expect.stringContaining(`${name} must be`) }),
    );
  });

  test.each([["text"], [7], [null], [["a", "b"]]])("user properties of %j", (userProperties) => {
    expect(refusal({ userProperties })).toBe("ERR_INVALID_MESSAGE");
    if (userProperties !== null) expect(refusal({ will: { topic: "t", userProperties } })).toBe("ERR_INVALID_MESSAGE");
  });

  test("null counts as not given where no number or word is asked for", () => {
    const none = { tls: null, cleanStart: null, will: null, store: null, authentication: null };
    expect(settingsOf({ ...LEAST, ...none } as unknown as MqttClientOptions)).toMatchObject({
      cleanStart: true,
      tls: null,
    });
  });

  test("options that are no object", () => {
    expect(codeOf(() => settingsOf(null as unknown as MqttClientOptions))).toBe("ERR_INVALID_OPTIONS");
  });
});

describe("what is allowed", () => {
  test.each([
    ["an empty client id with a clean start", { clientId: "" }],
    ["a password without a user name in 5.0", { protocolVersion: 5, password: "p" }],
    ["a password for credentials that bring the user name", { password: "p", credentials: () => ({}) }],
    ["a session that never ends", { sessionExpirySeconds: 0xffff_ffff }],
    ["keep alive turned off", { keepAliveSeconds: 0 }],
    ["timeouts turned off", { writeTimeoutMs: 0, ackTimeoutMs: 0 }],
    ["no room for waiting messages at all", { waiting: { maxMessages: 0, maxBytes: 0 } }],
    ["a store", { store: new MemoryStore() }],
  ])("%s", (_, options) => {
    expect(refusal(options)).toBe("no error");
  });
});
