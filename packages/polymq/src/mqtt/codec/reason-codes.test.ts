import { describe, expect, test } from "vitest";
import { type ErrorCode, MessagingError } from "../../base/errors.ts";
import { codeFrom } from "./codec.test-support.ts";
import { LEVEL_5 } from "./level-5.ts";
import {
  ConnectReturnCode,
  checkReason,
  expectReason,
  ReasonCode,
  type ReasonCodePacket,
  reasonName,
  returnCodeName,
} from "./reason-codes.ts";
import {
  mayCarryReason,
  reasonCodeOf,
  reasonCodesOf,
  reasonOfReturnCode,
  reasonSender,
  returnCodeOfReason,
} from "./reason-rules.ts";

/** MQTT 5.0 §2.4, table 2-6, typed in from there: code, then the packets that have it. */
const TABLE: readonly (readonly [code: number, packets: readonly ReasonCodePacket[]])[] = [
  [0x00, ["connack", "puback", "pubrec", "pubrel", "pubcomp", "suback", "unsuback", "disconnect", "auth"]],
  [0x01, ["suback"]],
  [0x02, ["suback"]],
  [0x04, ["disconnect"]],
  [0x10, ["puback", "pubrec"]],
  [0x11, ["unsuback"]],
  [0x18, ["auth"]],
  [0x19, ["auth"]],
  [0x80, ["connack", "puback", "pubrec", "suback", "unsuback", "disconnect"]],
  [0x81, ["connack", "disconnect"]],
  [0x82, ["connack", "disconnect"]],
  [0x83, ["connack", "puback", "pubrec", "suback", "unsuback", "disconnect"]],
  [0x84, ["connack"]],
  [0x85, ["connack"]],
  [0x86, ["connack"]],
  [0x87, ["connack", "puback", "pubrec", "suback", "unsuback", "disconnect"]],
  [0x88, ["connack"]],
  [0x89, ["connack", "disconnect"]],
  [0x8a, ["connack"]],
  [0x8b, ["disconnect"]],
  [0x8c, ["connack", "disconnect"]],
  [0x8d, ["disconnect"]],
  [0x8e, ["disconnect"]],
  [0x8f, ["suback", "unsuback", "disconnect"]],
  [0x90, ["connack", "puback", "pubrec", "disconnect"]],
  [0x91, ["puback", "pubrec", "suback", "unsuback"]],
  [0x92, ["pubrel", "pubcomp"]],
  [0x93, ["disconnect"]],
  [0x94, ["disconnect"]],
  [0x95, ["connack", "disconnect"]],
  [0x96, ["disconnect"]],
  [0x97, ["connack", "puback", "pubrec", "suback", "disconnect"]],
  [0x98, ["disconnect"]],
  [0x99, ["connack", "puback", "pubrec", "disconnect"]],
  [0x9a, ["connack", "disconnect"]],
  [0x9b, ["connack", "disconnect"]],
  [0x9c, ["connack", "disconnect"]],
  [0x9d, ["connack", "disconnect"]],
  [0x9e, ["suback", "disconnect"]],
  [0x9f, ["connack", "disconnect"]],
  [0xa0, ["disconnect"]],
  [0xa1, ["suback", "disconnect"]],
  [0xa2, ["suback", "disconnect"]],
];

const PACKETS = TABLE[0]?.[1] ?? [];

describe("reason codes of MQTT 5.0", () => {
  test("are all there by name (§2.4)", () => {
    expect([...new Set<number>(Object.values(ReasonCode))].sort((a, b) => a - b)).toEqual(TABLE.map(([code]) => code));
  });

  test.each(PACKETS)(
    "a %s carries those of its table and no others [MQTT-3.2.2-8] [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1] [MQTT-3.9.3-2] [MQTT-3.11.3-2] [MQTT-3.15.2-1]",
    (packet) => {
      const wanted = TABLE.filter(([, packets]) => packets.includes(packet)).map(([code]) => code);
      const carried = Array.from({ length: 256 }, (_, code) => code).filter((code) => mayCarryReason(packet, code));
      expect(carried).toEqual(wanted);
      expect(reasonCodesOf(packet)).toEqual(wanted);
    },
  );

  test("a decoder refuses others as a protocol violation, an encoder as an invalid argument", () => {
    expect(codeFrom(() => expectReason(LEVEL_5, "puback", 0x92))).toBe("ERR_PROTOCOL_VIOLATION");
    expect(codeFrom(() => checkReason(LEVEL_5, "puback", 0x92))).toBe("ERR_INVALID_ARGUMENT");
    expect(codeFrom(() => expectReason(LEVEL_5, "puback", 0x87))).toBe(null);
    expect(codeFrom(() => checkReason(LEVEL_5, "puback", 0x87))).toBe(null);
  });

  test("have a name each, and a number where they have none", () => {
    expect(reasonName(0x00)).toBe("Success");
    expect(reasonName(0x87)).toBe("NotAuthorized");
    expect(reasonName(0xa2)).toBe("WildcardSubscriptionsNotSupported");
    expect(reasonName(0x03)).toBe("0x03");
    for (const [code] of TABLE) expect(reasonName(code)).toMatch(/^[A-Z][A-Za-z0-9]+$/);
  });

  test.each([
    [0x00, "client"],
    [0x04, "client"],
    [0x81, "both"],
    [0x93, "both"],
    [0x99, "both"],
    [0x87, "server"],
    [0x8d, "server"],
    [0x8e, "server"],
    [0x9d, "server"],
    [0xa2, "server"],
  ])("a DISCONNECT with code %i comes from %s (§3.14.2.1)", (code, sender) => {
    expect(reasonSender("disconnect", code)).toBe(sender);
  });

  test.each([
    [0x00, "server"],
    [0x18, "both"],
    [0x19, "client"],
  ])("an AUTH with code %i comes from %s (§3.15.2.1)", (code, sender) => {
    expect(reasonSender("auth", code)).toBe(sender);
  });
});

describe("return codes of MQTT 3.1.1", () => {
  test.each(Object.entries(ConnectReturnCode))("%s has a reason code that means the same, and back", (name, code) => {
    expect(returnCodeOfReason(reasonOfReturnCode(code))).toBe(code);
    expect(returnCodeName(code)).toBe(name);
  });

  test("an unknown one becomes an unspecified error", () => {
    expect(reasonOfReturnCode(6)).toBe(ReasonCode.UnspecifiedError);
    expect(returnCodeName(6)).toBe("0x06");
  });

  test.each([
    [ReasonCode.Banned, ConnectReturnCode.NotAuthorized],
    [ReasonCode.ServerBusy, ConnectReturnCode.ServerUnavailable],
    [ReasonCode.QuotaExceeded, ConnectReturnCode.ServerUnavailable],
    [ReasonCode.ServerMoved, ConnectReturnCode.ServerUnavailable],
  ])("reason code %i is said as return code %i", (reason, returned) => {
    expect(returnCodeOfReason(reason)).toBe(returned);
  });

  test.each([ReasonCode.MalformedPacket, ReasonCode.QoSNotSupported, ReasonCode.PacketTooLarge])(
    "reason code %i has none: the server closes without a CONNACK",
    (reason) => {
      expect(returnCodeOfReason(reason)).toBe(null);
    },
  );
});

describe("reasonCodeOf", () => {
  const cases: readonly (readonly [ErrorCode, number])[] = [
    ["ERR_MALFORMED_PACKET", 0x81],
    ["ERR_PROTOCOL_VIOLATION", 0x82],
    ["ERR_UNEXPECTED_PACKET", 0x82],
    ["ERR_INVALID_PROTOCOL", 0x84],
    ["ERR_PACKET_TOO_LARGE", 0x95],
    ["ERR_TOPIC_ALIAS_INVALID", 0x94],
    ["ERR_RECEIVE_MAXIMUM_EXCEEDED", 0x93],
    ["ERR_INVALID_TOPIC", 0x90],
    ["ERR_INVALID_QOS", 0x9b],
    ["ERR_PING_TIMEOUT", 0x8d],
    ["ERR_STORE_FAILED", 0x80],
  ];

  test.each(cases)("%s is told the peer as %i", (code, reason) => {
    expect(reasonCodeOf(new MessagingError(code, "x"))).toBe(reason);
  });
});
