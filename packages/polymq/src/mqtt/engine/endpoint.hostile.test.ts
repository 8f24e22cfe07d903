import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ByteReader } from "../../bytes/reader.ts";
import { webText } from "../../bytes/text.ts";
import { decodePacket } from "../codec/decode.ts";
import type { Packet, ProtocolLevel } from "../codec/packets.ts";
import {
  bytes,
  connackPacket,
  connectPacket,
  DrivenClient,
  DrivenServer,
  encoded,
  LEVELS,
  opened,
} from "./engine-pair.test-support.ts";

const PAYLOAD = Uint8Array.of(1, 2, 3);

/** One of each packet, and some more whose ids and flags meet exchanges that are under way. */
function packets(level: ProtocolLevel): Uint8Array[] {
  const v5 = level === 5;
  const filters = [{ filter: "a/+", qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 }] as const;
  const publish = { type: "publish", topic: "t", payload: PAYLOAD, retain: false, dup: false } as const;
  const all: Packet[] = [
    connectPacket(level, { username: "u", password: PAYLOAD, properties: v5 ? { authenticationMethod: "m" } : null }),
    connackPacket({ properties: v5 ? { receiveMaximum: 3, reasonString: "r" } : null }),
    { ...publish, qos: 0, packetId: 0, properties: v5 ? { topicAlias: 1, contentType: "c" } : null },
    { ...publish, qos: 1, packetId: 7, properties: null },
    { ...publish, qos: 2, packetId: 8, properties: v5 ? { userProperties: [["a", "b"]] } : null },
    { ...publish, qos: 1, packetId: 7, dup: true, properties: null },
    { ...publish, qos: 2, packetId: 8, dup: true, properties: null },
    ...(["puback", "pubrec", "pubrel", "pubcomp"] as const).flatMap((type) =>
      [1, 2, 8].map((packetId) => ({ type, packetId, reasonCode: 0, properties: null })),
    ),
    ...(v5 ? [{ type: "pubrec", packetId: 2, reasonCode: 0x80, properties: { reasonString: "r" } } as const] : []),
    { type: "subscribe", packetId: 9, filters, properties: v5 ? { subscriptionIdentifier: 5 } : null },
    { type: "suback", packetId: 3, reasonCodes: [0], properties: null },
    { type: "unsubscribe", packetId: 10, filters: ["a/+"], properties: null },
    { type: "unsuback", packetId: 3, reasonCodes: v5 ? [0] : [], properties: null },
    { type: "pingreq" },
    { type: "pingresp" },
    { type: "disconnect", reasonCode: v5 ? 0x04 : 0, properties: v5 ? { sessionExpirySeconds: 5 } : null },
  ];
  if (v5) all.push({ type: "auth", reasonCode: 0x18, properties: { authenticationMethod: "m" } });
  return all.map((packet) => encoded(packet, level));
}

/** A packet with some bytes changed, cut off or doubled; most stay close to what they were. */
function mutated(level: ProtocolLevel): fc.Arbitrary<Uint8Array> {
  const change = fc.record({ at: fc.nat(40), to: fc.nat(255), how: fc.constantFrom("set", "drop", "insert") });
  return fc.tuple(fc.constantFrom(...packets(level)), fc.array(change, { maxLength: 3 })).map(([packet, changes]) => {
    const out = Array.from(packet);
    for (const { at, to, how } of changes) {
      if (how === "set") out[at % out.length] = to;
      else out.splice(at % out.length, how === "drop" ? 1 : 0, ...(how === "drop" ? [] : [to]));
    }
    return Uint8Array.from(out);
  });
}

/** What comes in, cut into chunks without regard to packets. */
function input(level: ProtocolLevel): fc.Arbitrary<Uint8Array[]> {
  const piece = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...packets(level)) },
    { weight: 3, arbitrary: mutated(level) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 30 }) },
  );
  return fc
    .tuple(fc.array(piece, { maxLength: 25 }), fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }))
    .map(([pieces, cuts]) => {
      const whole = Uint8Array.from(pieces.flatMap((each) => Array.from(each)));
      const chunks: Uint8Array[] = [];
      for (let at = 0, i = 0; at < whole.length; i++) {
        const length = cuts[i % cuts.length] ?? 1;
        chunks.push(whole.slice(at, at + length));
        at += length;
      }
      return chunks;
    });
}

/** Feeds all of it while the owner settles what it is given, and looks at every promise the engine makes. */
function survive(driven: DrivenClient | DrivenServer, chunks: readonly Uint8Array[]): void {
  let settled = 0;
  const reasons = [0, 0x10, 0x87];
  for (const chunk of chunks) {
    const wasOver = driven.engine.over;
    driven.feed(chunk);
    while (settled < driven.tickets.length) {
      driven.engine.settle(driven.tickets[settled] ?? -1, reasons[settled % 3] ?? 0);
      settled++;
    }
    driven.engine.onTime(driven.nowMs);
    const sent = driven.sent();
    if (wasOver) expect(sent).toEqual([]);
    // What we say is always well-formed, whatever was said to us.
    for (const packet of sent) decodePacket(new ByteReader(webText(), bytes(packet)), driven.engine.protocolLevel);
  }
  const failures = driven.lines.filter((line) => line.startsWith("failed"));
  expect(failures.length).toBeLessThanOrEqual(1);
  if (failures.length === 1) expect([driven.engine.over, driven.lines.at(-1)]).toEqual([true, failures[0]]);
}

/** An engine with a message of QoS 1, one of QoS 2 and, in a client, a request under way. */
function busy(role: "client" | "server", level: ProtocolLevel): DrivenClient | DrivenServer {
  const ours = { receiveMaximum: 4, topicAliasMaximum: 2 };
  const driven = opened({ role, level, cut: "whole chunks" }, { ours, theirs: { maximumPacketSize: 30 } });
  driven.publish("t", 1);
  driven.publish("t", 2);
  if (driven instanceof DrivenClient) {
    driven.engine.request("s", { type: "unsubscribe", filters: ["a"], properties: null });
  }
  driven.sent();
  return driven;
}

const RUNS = { numRuns: 300 };

describe.each(LEVELS)("a hostile peer at level %i", (level) => {
  test("a server survives anything as a handshake [MQTT-4.13.1-1] [MQTT3-4.8.0-1]", () => {
    fc.assert(
      fc.property(input(level), fc.boolean(), (chunks, later) => {
        const server = new DrivenServer("whole chunks", later ? { answer: "later" } : {});
        survive(server, later ? [encoded(connectPacket(level), level), ...chunks] : chunks);
        if (later && !server.engine.over) server.accept();
        survive(server, []);
      }),
      RUNS,
    );
  });

  test("a server survives anything on an open connection [MQTT-4.13.1-1] [MQTT3-4.8.0-1]", () => {
    fc.assert(
      fc.property(input(level), (chunks) => survive(busy("server", level), chunks)),
      RUNS,
    );
  });

  test("a client survives anything as a handshake", () => {
    fc.assert(
      fc.property(input(level), (chunks) => {
        const client = new DrivenClient("whole chunks", { level });
        client.engine.start();
        survive(client, chunks);
      }),
      RUNS,
    );
  });

  test("a client survives anything on an open connection", () => {
    fc.assert(
      fc.property(input(level), (chunks) => survive(busy("client", level), chunks)),
      RUNS,
    );
  });

  test.each(["client", "server"] as const)("a %s behaves the same however the bytes are cut", (role) => {
    fc.assert(
      fc.property(input(level), (chunks) => {
        const whole = busy(role, level);
        const cut = busy(role, level);
        const all = Uint8Array.from(chunks.flatMap((chunk) => Array.from(chunk)));
        whole.feed(all);
        for (const byte of all) cut.feed(Uint8Array.of(byte));
        expect(cut.lines).toEqual(whole.lines);
        expect(cut.sent()).toEqual(whole.sent());
      }),
      { numRuns: 150 },
    );
  });
});
