import { describe, expect, test } from "vitest";
import { isMessagingError } from "../../base/errors.ts";
import { codeFrom, outcomeOf, readerOf } from "./codec.test-support.ts";
import { decodeConnect, peekConnectLevel, readConnectLevel } from "./connect.ts";
import { rulesOf } from "./level-5.ts";
import { packetBytes } from "./packet-bytes.test-support.ts";

describe("readConnectLevel", () => {
  test.each([
    ["10 [ ('MQTT') 04 02 003c ('a') ]", 4],
    ["10 [ ('MQTT') 05 02 003c [] ('a') ]", 5],
  ])("learns the level from %s", (notation, level) => {
    expect(readConnectLevel(readerOf(notation))).toBe(level);
  });

  test.each([
    ["10 [ ('MQIsdp') 03 02 003c ('a') ]", "MQIsdp", 3],
    ["10 [ ('MQTT') 06 02 003c ('a') ]", "MQTT", 6],
    ["10 [ ('mqtt') 04 02 003c ('a') ]", "mqtt", 4],
    ["10 [ () 04 02 003c ('a') ]", "", 4],
  ])(
    "refuses %s as ERR_INVALID_PROTOCOL and tells name and level [MQTT-3.1.2-1] [MQTT3-3.1.2-1]",
    (notation, name, level) => {
      const error = outcomeOf(() => readConnectLevel(readerOf(notation)));
      expect(isMessagingError(error) && [error.code, error.peer]).toEqual([
        "ERR_INVALID_PROTOCOL",
        { protocol: "mqtt", code: level, text: name },
      ]);
    },
  );
});

describe("peekConnectLevel", () => {
  test.each([
    ["10 [ ('MQTT') 04 02 003c ('a') ]", 4],
    ["10 [ ('MQTT') 05 ff ]", 5],
    ["10 [ ('MQIsdp') 03 02 003c ('a') ]", 3],
    ["1f [ ('MQTT') 05 ]", 5],
    [`10 [ ('MQTT') 05 ${"00".repeat(200)} ]`, 5],
    ["10 [ ('MQTT') ]", 0],
    ["10 [ ffff 'MQTT' 05 ]", 0],
    ["10", 0],
    ["10 80", 0],
    ["", 0],
    ["30 [ ('MQTT') 05 ]", 0],
  ])("finds in %.40s level %i", (notation, level) => {
    expect(peekConnectLevel(packetBytes(notation))).toBe(level);
  });
});

describe("decodeConnect", () => {
  test("decodes at the level that the packet names", () => {
    expect(decodeConnect(readerOf("10 [ ('MQTT') 04 02 003c ('a') ]"), rulesOf).level).toBe(4);
    expect(decodeConnect(readerOf("10 [ ('MQTT') 05 02 003c [] ('a') ]"), rulesOf).level).toBe(5);
  });

  test("takes an empty client id without a clean session: that is for the server to refuse", () => {
    const packet = decodeConnect(readerOf("10 [ ('MQTT') 04 00 003c () ]"), rulesOf);
    expect([packet.clientId, packet.cleanStart]).toEqual(["", false]);
  });

  test("takes client ids of 23 bytes and of many more [MQTT-3.1.3-5] [MQTT3-3.1.3-5]", () => {
    for (const length of [1, 23, 24, 10_000]) {
      const packet = decodeConnect(readerOf(`10 [ ('MQTT') 04 02 003c ('${"x".repeat(length)}') ]`), rulesOf);
      expect(packet.clientId).toHaveLength(length);
    }
  });

  test("reads its payload in the order that the specification gives [MQTT-3.1.3-1] [MQTT3-3.1.3-1]", () => {
    const packet = decodeConnect(
      readerOf("10 [ ('MQTT') 04 c6 003c ('id') ('topic') ('will') ('user') ('pass') ]"),
      rulesOf,
    );
    expect(packet).toMatchObject({
      clientId: "id",
      username: "user",
      password: packetBytes("'pass'"),
      will: { topic: "topic", payload: packetBytes("'will'") },
    });
  });

  test("an empty user name and password are not the same as none", () => {
    const packet = decodeConnect(readerOf("10 [ ('MQTT') 04 c2 003c ('id') () () ]"), rulesOf);
    expect([packet.username, packet.password]).toEqual(["", new Uint8Array(0)]);
  });

  test("a password without a user name is allowed in 5.0, and not in 3.1.1 [MQTT3-3.1.2-22]", () => {
    expect(codeFrom(() => decodeConnect(readerOf("10 [ ('MQTT') 05 42 003c [] ('a') ('p') ]"), rulesOf))).toBe(null);
    const old = "10 [ ('MQTT') 04 42 003c ('a') ('p') ]";
    expect(codeFrom(() => decodeConnect(readerOf(old), rulesOf))).toBe("ERR_MALFORMED_PACKET");
  });
});
