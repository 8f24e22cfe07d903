import fc from "fast-check";
import { ByteReader, isMessagingError, webText } from "polymq/internal";
import {
  decodePublishProperties,
  encodePublishProperties,
  PROPERTY_COUNT_MAX,
  PublishHead,
  type PublishProperties,
  readPublishHead,
} from "polymq/mqtt/codec";
import { describe, expect, test } from "vitest";
import { type Message, makeMessage } from "../../core/message.ts";
import { inboundBlock, MQTT_ENCODING, outboundBlock } from "./property-block.ts";
import { encode, publishPacket } from "./scene.test-support.ts";

const text = webText();

/** The block that the broker keeps of a message with these properties. */
function kept(properties: PublishProperties): Uint8Array | null {
  return inboundBlock(encodePublishProperties(text, properties));
}

function message(properties: Uint8Array | null, expiresAtMs = Number.POSITIVE_INFINITY): Message {
  const parts = { topic: "t", payload: new Uint8Array(0), properties, encoding: MQTT_ENCODING, expiresAtMs };
  return makeMessage(parts, { nextSequence: () => 1, takenAtMs: () => 0 });
}

function decoded(block: Uint8Array | null): PublishProperties | null {
  return block === null ? null : decodePublishProperties(text, block);
}

function refused(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (isMessagingError(error)) return error.code;
    throw error;
  }
  return "";
}

const arbitraryProperties: fc.Arbitrary<PublishProperties> = fc.record(
  {
    payloadFormat: fc.constantFrom(0 as const, 1 as const),
    messageExpirySeconds: fc.nat(0xffff_ffff),
    topicAlias: fc.integer({ min: 1, max: 0xffff }),
    responseTopic: fc.stringMatching(/^[a-z/]{1,20}$/),
    correlationData: fc.uint8Array({ maxLength: 300 }),
    contentType: fc.stringMatching(/^[ -~]{0,20}$/),
    userProperties: fc.array(fc.tuple(fc.stringMatching(/^[ -~]{0,9}$/), fc.stringMatching(/^[ -~]{0,300}$/)), {
      minLength: 1,
      maxLength: 5,
    }),
  },
  { requiredKeys: [] },
);

describe("the block of an arrived message", () => {
  test("loses topic alias and expiry, and nothing else", () => {
    fc.assert(
      fc.property(arbitraryProperties, (properties) => {
        const { topicAlias: _alias, messageExpirySeconds: _expiry, ...rest } = properties;
        expect(decoded(kept(properties))).toEqual(Object.keys(rest).length === 0 ? null : rest);
      }),
    );
  });

  test("is cut out of a packet's bytes, which stay as they are", () => {
    const packet = encode(
      publishPacket("t", { properties: { topicAlias: 3, contentType: "a", messageExpirySeconds: 5 } }),
      5,
    );
    const before = packet.slice();
    const head = new PublishHead();
    readPublishHead(new ByteReader(text, packet), 5, head);
    expect(decoded(inboundBlock(packet.subarray(head.propertiesStart, head.propertiesEnd)))).toEqual({
      contentType: "a",
    });
    expect(packet).toEqual(before);
  });
});

describe("the block of a delivery", () => {
  test("is the message's own, not even copied, when there is nothing to add", () => {
    const block = kept({ contentType: "text" });
    expect(outboundBlock(message(block), [], 0)).toBe(block);
    expect(outboundBlock(message(null), [], 0)).toBeNull();
  });

  test("holds what is left of the expiry interval, rounded up, and 0 when it is over [MQTT-3.3.2-6]", () => {
    const left = (epochMs: number): number | undefined =>
      decoded(outboundBlock(message(null, 10_000), [], epochMs))?.messageExpirySeconds;
    expect([0, 1, 1_000, 9_001, 10_000, 20_000].map(left)).toEqual([10, 10, 9, 1, 0, 0]);
  });

  test("can say the longest expiry interval", () => {
    expect(decoded(outboundBlock(message(null, 0xffff_ffff * 1000), [], 0))).toEqual({
      messageExpirySeconds: 0xffff_ffff,
    });
  });

  test("holds the identifiers of all subscriptions, of every length [MQTT-3.3.4-3] [MQTT-3.3.4-4]", () => {
    const identifiers = [1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455];
    expect(decoded(outboundBlock(message(null), identifiers, 0))?.subscriptionIdentifiers).toEqual(identifiers);
  });

  test("is decoded to what went in, with expiry and identifiers", () => {
    const identifiers = fc.array(fc.integer({ min: 1, max: 268_435_455 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(arbitraryProperties, identifiers, (properties, subscriptionIdentifiers) => {
        const { topicAlias: _alias, messageExpirySeconds, ...rest } = properties;
        const expiresAtMs = messageExpirySeconds === undefined ? Number.POSITIVE_INFINITY : messageExpirySeconds * 1000;
        const block = outboundBlock(message(kept(properties), expiresAtMs), subscriptionIdentifiers, 0);
        const expiry = messageExpirySeconds === undefined ? {} : { messageExpirySeconds };
        expect(decoded(block)).toEqual({ ...rest, ...expiry, subscriptionIdentifiers });
      }),
    );
  });

  test("leaves out properties in another encoding", () => {
    const parts = { topic: "t", payload: new Uint8Array(0), properties: new Uint8Array(5), encoding: 99 };
    expect(outboundBlock(makeMessage(parts, { nextSequence: () => 1, takenAtMs: () => 0 }), [], 0)).toBeNull();
  });

  test("has no more properties than a packet may have, one left for a topic alias", () => {
    const users = (count: number): Uint8Array | null =>
      kept({ userProperties: Array.from({ length: count }, () => ["", ""] as const) });
    const most = PROPERTY_COUNT_MAX - 1;
    expect(refused(() => outboundBlock(message(users(most)), [], 0))).toBe("");
    expect(refused(() => outboundBlock(message(users(most + 1)), [], 0))).toBe("ERR_PACKET_TOO_LARGE");
    expect(refused(() => outboundBlock(message(users(most - 2), 5), [7], 0))).toBe("");
    expect(refused(() => outboundBlock(message(users(most - 1), 5), [7], 0))).toBe("ERR_PACKET_TOO_LARGE");
    const identifiers = Array.from({ length: most + 1 }, (_, i) => i + 1);
    expect(refused(() => outboundBlock(message(null), identifiers, 0))).toBe("ERR_PACKET_TOO_LARGE");
    expect(refused(() => outboundBlock(message(null), identifiers.slice(1), 0))).toBe("");
  });
});
