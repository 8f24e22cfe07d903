import { describe, expect, test } from "vitest";
import type { Connack, ReasonProperties, Suback } from "../codec/packets.ts";
import { lighten, withoutReasons } from "./lighten.ts";

const BOTH: ReasonProperties = { reasonString: "why", userProperties: [["a", "b"]] };

function suback(properties: ReasonProperties | null): Suback {
  return { type: "suback", packetId: 1, reasonCodes: [0], properties };
}

describe("lighten", () => {
  test("the reason string goes first [MQTT-3.9.2-1]", () => {
    expect(lighten(suback(BOTH))).toEqual(suback({ userProperties: [["a", "b"]] }));
  });

  test("the user properties go next [MQTT-3.9.2-2]", () => {
    expect(lighten(suback({ userProperties: [["a", "b"]] }))).toEqual(suback(null));
    expect(lighten(suback({ reasonString: "why" }))).toEqual(suback(null));
  });

  test("then nothing is left to leave out", () => {
    expect(lighten(suback(null))).toBeNull();
    expect(lighten(suback({}))).toBeNull();
  });

  test("everything else stays [MQTT-3.2.2-19] [MQTT-3.2.2-20]", () => {
    const connack: Connack = {
      type: "connack",
      sessionPresent: false,
      reasonCode: 0,
      properties: { ...BOTH, receiveMaximum: 5 },
    };
    expect(withoutReasons(connack)).toEqual({ ...connack, properties: { receiveMaximum: 5 } });
  });

  test.each(["puback", "pubrec", "pubrel", "pubcomp"] as const)(
    "%s can do without them [MQTT-3.4.2-2] [MQTT-3.4.2-3] [MQTT-3.5.2-2] [MQTT-3.5.2-3] [MQTT-3.6.2-2] [MQTT-3.6.2-3] [MQTT-3.7.2-2] [MQTT-3.7.2-3]",
    (type) => {
      const packet = { type, packetId: 1, reasonCode: 0, properties: null };
      expect(withoutReasons({ ...packet, properties: BOTH })).toEqual(packet);
    },
  );

  test("AUTH keeps its method and UNSUBACK its codes [MQTT-3.15.2-2] [MQTT-3.15.2-3] [MQTT-3.11.2-1] [MQTT-3.11.2-2]", () => {
    const auth = { type: "auth", reasonCode: 0x18, properties: { authenticationMethod: "m" } } as const;
    expect(withoutReasons({ ...auth, properties: { ...BOTH, authenticationMethod: "m" } })).toEqual(auth);
    const unsuback = { type: "unsuback", packetId: 1, reasonCodes: [0], properties: null } as const;
    expect(withoutReasons({ ...unsuback, properties: BOTH })).toEqual(unsuback);
  });

  test("what the application gave a message or a subscription is not touched", () => {
    const userProperties = [["a", "b"]] as const;
    expect(lighten({ type: "unsubscribe", packetId: 1, filters: ["a"], properties: { userProperties } })).toBeNull();
    expect(lighten({ type: "subscribe", packetId: 1, filters: [], properties: { userProperties } })).toBeNull();
  });
});
