import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isMessagingError } from "../../base/errors.ts";
import { ByteReader } from "../../bytes/reader.ts";
import { ByteWriter, varintBytes } from "../../bytes/writer.ts";
import { codeFrom, outcomeOf, text } from "./codec.test-support.ts";
import { MALFORMED_PACKETS } from "./malformed-corpus.test-support.ts";
import { NO_PROPERTIES } from "./no-properties.ts";
import { publishProperties } from "./packet-arbitraries.test-support.ts";
import { packetBytes } from "./packet-bytes.test-support.ts";
import { decodeProperties } from "./properties.ts";
import { PublishHead } from "./publish-head.ts";
import { decodePublishProperties, encodePublishProperties, readPublishProperties } from "./publish-properties.ts";
import { scanPublishProperties } from "./publish-property-scan.ts";

/** The hand-written twin on a block with its length in front. */
function byHand(block: Uint8Array): unknown {
  const r = new ByteReader(text, block);
  const head = new PublishHead();
  scanPublishProperties(r, head);
  return { properties: readPublishProperties(r, head), at: r.at, end: r.end };
}

/** The same by the table. */
function byTable(block: Uint8Array): unknown {
  const r = new ByteReader(text, block);
  const properties = decodeProperties(r, "publish");
  return { properties, at: r.at, end: r.end };
}

function sameOutcome(block: Uint8Array): void {
  const hand = outcomeOf(() => byHand(block));
  const table = outcomeOf(() => byTable(block));
  if (isMessagingError(table)) expect(isMessagingError(hand) && hand.code).toBe(table.code);
  else expect(hand).toEqual(table);
}

function withLength(block: Uint8Array): Uint8Array {
  const w = new ByteWriter(text, varintBytes(block.length) + block.length);
  w.varint(block.length);
  w.bytes(block);
  return w.buffer;
}

describe("the hand-written reader of a PUBLISH's properties", () => {
  test("reads any properties as the table does", () => {
    fc.assert(
      fc.property(publishProperties, (properties) => {
        const block = withLength(encodePublishProperties(text, properties));
        expect(byHand(block)).toEqual(byTable(block));
        expect(byHand(block)).toMatchObject({ properties });
      }),
      { numRuns: 300 },
    );
  });

  test("refuses what the table refuses, with the same code, when any byte is another", () => {
    const change = fc.tuple(fc.nat({ max: 10_000 }), fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(publishProperties, fc.array(change, { minLength: 1, maxLength: 3 }), (properties, changes) => {
        const block = withLength(encodePublishProperties(text, properties));
        for (const [at, value] of changes) block[at % block.length] = value;
        sameOutcome(block);
      }),
      { numRuns: 3_000 },
    );
  });

  test("refuses what the table refuses, with the same code, for bytes that were never properties", () => {
    const id = fc.constantFrom(1, 2, 3, 8, 9, 11, 35, 38, 0x81);
    const bytes = fc.array(fc.oneof(id, fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 255 })), {
      maxLength: 24,
    });
    fc.assert(
      fc.property(bytes, (block) => sameOutcome(withLength(Uint8Array.from(block)))),
      { numRuns: 5_000 },
    );
  });

  test("agrees with the table on every forbidden PUBLISH", () => {
    const prefix = packetBytes("('t')").length + 2;
    const blocks = MALFORMED_PACKETS.filter(({ name, level }) => level === 5 && name.startsWith("PUBLISH"))
      .map(({ bytes }) => bytes.subarray(prefix))
      .filter((block) => block.length > 0);
    expect(blocks.length).toBeGreaterThan(30);
    for (const block of blocks) sameOutcome(block);
  });
});

describe("scanPublishProperties", () => {
  test("notes what a receiver needs at once", () => {
    const r = new ByteReader(text, packetBytes("[ 02 00000e10 0b 01 0b 02 23 0007 ] 'payload'"));
    const head = new PublishHead();
    scanPublishProperties(r, head);
    expect(head).toMatchObject({
      messageExpirySeconds: 3_600,
      subscriptionIdentifiers: 2,
      topicAlias: 7,
      propertiesStart: 1,
      propertiesEnd: 13,
    });
    expect([r.at, r.left]).toEqual([13, 7]);
  });

  test("reads a message expiry above 2^31 seconds", () => {
    const head = new PublishHead();
    scanPublishProperties(new ByteReader(text, packetBytes("[ 02 ffffffff ]")), head);
    expect(head.messageExpirySeconds).toBe(4_294_967_295);
  });
});

describe("encodePublishProperties", () => {
  test("is the shared empty block when there are none", () => {
    expect(encodePublishProperties(text, null)).toBe(NO_PROPERTIES);
    expect(encodePublishProperties(text, {})).toBe(NO_PROPERTIES);
    expect(decodePublishProperties(text, NO_PROPERTIES)).toBe(null);
  });

  test("puts the sender's topic alias in front of the properties", () => {
    expect(encodePublishProperties(text, { contentType: "t" }, 5)).toEqual(packetBytes("23 0005 03 ('t')"));
    expect(encodePublishProperties(text, null, 65_535)).toEqual(packetBytes("23 ffff"));
  });

  test("refuses a topic alias twice, and one that does not exist", () => {
    expect(codeFrom(() => encodePublishProperties(text, { topicAlias: 1 }, 2))).toBe("ERR_INVALID_ARGUMENT");
    expect(codeFrom(() => encodePublishProperties(text, null, 65_536))).toBe("ERR_INVALID_ARGUMENT");
  });

  test("makes blocks that decodePublishProperties reads again", () => {
    fc.assert(
      fc.property(publishProperties, (properties) => {
        expect(decodePublishProperties(text, encodePublishProperties(text, properties))).toEqual(properties);
      }),
    );
  });

  test("leaves a stored block that was damaged to a typed error", () => {
    expect(codeFrom(() => decodePublishProperties(text, packetBytes("01 02")))).toBe("ERR_PROTOCOL_VIOLATION");
    expect(codeFrom(() => decodePublishProperties(text, packetBytes("02 00")))).toBe("ERR_MALFORMED_PACKET");
  });
});

test("user properties keep their order and reach the receiver unchanged", () => {
  const userProperties = [
    ["b", "1"],
    ["a", "é"],
    ["b", "1"],
    ["", ""],
  ] as const;
  const block = encodePublishProperties(text, { userProperties });
  expect(decodePublishProperties(text, block)?.userProperties).toEqual(userProperties);
});
