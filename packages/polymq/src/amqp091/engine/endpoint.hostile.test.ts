import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { anyMethod, METHOD_NAMES, mutated } from "../codec/amqp091-arbitraries.test-support.ts";
import { protocolHeader } from "../codec/frame.ts";
import { BodyAssembly } from "./channel.ts";
import {
  clientWithChannel,
  contentFrames,
  DrivenClient,
  DrivenServer,
  deliver,
  frameOf,
  frames,
  hex,
  joined,
  methodFrame,
  publish,
  START,
  START_OK,
  serverWithChannel,
} from "./engine-pair.test-support.ts";

/** Field tables nested deeper than is taken, as arguments of a queue.declare. */
function nestedDeclare(): Uint8Array {
  let inner = hex("00000000");
  for (let i = 0; i < 40; i++) {
    const length = inner.length + 3;
    inner = joined(Uint8Array.of(0, 0, length >> 8, length), hex("01 'a' 'F'"), inner);
  }
  return frameOf(1, 1, joined(hex("0032 000a 0000 01 'q' 00"), inner));
}

/** What a hostile client sends on an open connection with channel 1, and what it must be told: reply code, class and method. */
const AT_SERVER: [name: string, bytes: () => Uint8Array, replyCode: number, classId?: number, methodId?: number][] = [
  ["a frame that ends in another octet", () => hex("01 0001 00000004 003c 006e 00"), 501],
  [
    "a body frame that ends in another octet",
    () => joined(publish(), contentFrames(1, [], 1), hex("03 0001 00000001 07 cd")),
    501,
    60,
    40,
  ],
  [
    "a frame larger than negotiated, and than clients that forget what stands around a payload make it",
    () => frameOf(3, 1, new Uint8Array(4097)),
    501,
  ],
  ["a frame of 2^32 - 1 bytes", () => hex("03 0001 ffffffff"), 501],
  ["a frame of an unknown type", () => frameOf(4, 0, hex("")), 501],
  ["a heartbeat on a channel", () => frameOf(8, 1, hex("")), 501],
  ["a heartbeat on a channel that is not open", () => frameOf(8, 2, hex("")), 501],
  ["a heartbeat with a payload", () => frameOf(8, 0, hex("00")), 501],
  [
    "a header of another class",
    () => joined(publish(), frameOf(2, 1, hex("003d 0000 0000000000000000 0000"))),
    501,
    60,
    40,
  ],
  [
    "a header with a weight",
    () => joined(publish(), frameOf(2, 1, hex("003c 0001 0000000000000000 0000"))),
    501,
    60,
    40,
  ],
  [
    "a body of 2^64 - 1 bytes",
    () => joined(publish(), frameOf(2, 1, hex("003c 0000 ffffffffffffffff 0000"))),
    502,
    60,
    40,
  ],
  ["a header that is cut short", () => joined(publish(), frameOf(2, 1, hex("003c 0000"))), 502, 60, 40],
  [
    "properties with an unknown type octet",
    () => joined(publish(), frameOf(2, 1, hex("003c 0000 0000000000000000 2000 00000003 01'a''z'"))),
    502,
    60,
    40,
  ],
  [
    "headers of 2^32 - 1 bytes",
    () => joined(publish(), frameOf(2, 1, hex("003c 0000 0000000000000000 2000 ffffffff"))),
    502,
    60,
    40,
  ],
  ["arguments of 2^32 - 1 bytes", () => frameOf(1, 1, hex("0032 000a 0000 01 'q' 00 ffffffff")), 502, 50, 10],
  ["tables nested too deep", nestedDeclare, 502, 50, 10],
  ["a method that is cut short", () => frameOf(1, 1, hex("0032 000a 0000 05 'q'")), 502, 50, 10],
  ["a method with bytes too many", () => frameOf(1, 1, hex("005a 000a 00")), 502, 90, 10],
  ["a method frame without a method", () => frameOf(1, 1, hex("00")), 502],
  ["an exchange of ill-formed UTF-8", () => frameOf(1, 1, hex("003c 0028 0000 01 ff 01 'k' 00")), 502, 60, 40],
  ["an acknowledgement with bytes too many", () => frameOf(1, 1, hex("003c 0050 0000000000000001 00 00")), 502, 60, 80],
  ["a delivery from a client", () => deliver(1), 503, 60, 60],
  ["an answer from a client", () => methodFrame({ method: "basic.qos-ok" }, 1), 503, 60, 11],
  ["an answer to nothing", () => methodFrame({ method: "channel.close-ok" }, 1), 503, 20, 41],
  ["a method of the connection on a channel", () => methodFrame({ method: "connection.close-ok" }, 1), 503, 10, 51],
  ["a method of a channel on channel 0", () => methodFrame({ method: "tx.select" }, 0), 503, 90, 10],
  ["a handshake in the middle", () => methodFrame(START_OK, 0), 503, 10, 11],
  ["a method on a channel that is not open", () => methodFrame({ method: "tx.select" }, 2), 504, 90, 10],
  ["content on a channel that is not open", () => frameOf(3, 2, hex("00")), 504],
  ["content on channel 0", () => frameOf(2, 0, hex("003c 0000 0000000000000000 0000")), 504],
  ["a channel opened twice", () => methodFrame({ method: "channel.open" }, 1), 504, 20, 10],
  ["a channel above channel-max", () => methodFrame({ method: "channel.open" }, 11), 504, 20, 10],
  ["a header without a method", () => contentFrames(1, []), 505],
  ["a body without a header", () => frameOf(3, 1, hex("01")), 505],
  ["a body where a header is due", () => joined(publish(), frameOf(3, 1, hex("01"))), 505, 60, 40],
  ["a method in the middle of content", () => joined(publish(), publish()), 505, 60, 40],
  [
    "a close in the middle of content",
    () => joined(publish(), contentFrames(1, [], 5), methodFrame({ method: "tx.select" }, 1)),
    505,
    60,
    40,
  ],
  [
    "a body longer than announced",
    () => joined(publish(), contentFrames(1, [hex("0102"), hex("0304")], 3)),
    505,
    60,
    40,
  ],
  ["a protocol header in the middle", protocolHeader, 505],
  ["an unknown class", () => frameOf(1, 1, hex("0063 000a")), 540, 99, 10],
  ["an unknown method", () => frameOf(1, 1, hex("003c 0063")), 540, 60, 99],
  ["an unknown method on channel 0", () => frameOf(1, 0, hex("000a 0063")), 540, 10, 99],
];

/** The reply code, class and method of the connection.close that was sent last. */
function lastClose(sent: readonly string[]): unknown {
  const [, channel, values] = /^(\d+) connection\.close (.*)$/.exec(sent.at(-1) ?? "") ?? [];
  const { replyCode, classId, methodId } = JSON.parse(values ?? "{}") as Record<string, number>;
  return [channel, replyCode, classId, methodId];
}

describe("a hostile client is told why and cut off", () => {
  test.each(AT_SERVER)("for %s", (_, bytes, replyCode, classId, methodId) => {
    for (const cut of ["whole", "byte by byte"]) {
      const server = serverWithChannel();
      const all = bytes();
      if (cut === "whole") server.feed(all);
      else for (const byte of all) server.feed(Uint8Array.of(byte));
      // Without a method of its own, what failed is told with the last method there was.
      expect(lastClose(server.sent())).toEqual(["0", replyCode, classId ?? 20, methodId ?? 10]);
      expect([server.engine.over, server.told()]).toEqual([true, [expect.stringMatching(/^failed: ERR_/)]]);
      server.feed(methodFrame({ method: "tx.select" }, 1));
      expect([server.sent(), server.told()]).toEqual([[], []]);
    }
  });

  test("for bodies of many channels that are never finished (506)", () => {
    const server = serverWithChannel({ options: { bodyBytesMax: 100_000, assemblyBytesMax: 20_000 } });
    for (let id = 1; id <= 10; id++) {
      if (id > 1) server.method(id, { method: "channel.open" });
      const open = {
        method: "basic.publish",
        exchange: "",
        routingKey: "k",
        mandatory: false,
        immediate: false,
      } as const;
      server.feed(methodFrame(open, id), contentFrames(id, [new Uint8Array(3_000)], 90_000));
    }
    expect(lastClose(server.sent())).toEqual(["0", 506, 60, 40]);
  });

  test("and what a closed channel had begun no longer counts", () => {
    const server = serverWithChannel({ options: { bodyBytesMax: 100_000, assemblyBytesMax: 20_000 } });
    for (let i = 0; i < 20; i++) {
      server.feed(publish(), contentFrames(1, [new Uint8Array(3_000)], 90_000));
      server.engine.closeChannel(server.channel, 541, "");
      server.feed(methodFrame({ method: "channel.close-ok" }, 1), methodFrame({ method: "channel.open" }, 1));
    }
    expect(server.engine.over).toBe(false);
  });

  test("a body takes room by what came of it, not by what was announced", () => {
    const assembly = new BodyAssembly();
    for (let i = 1; i <= 1_000; i++) {
      assembly.add(Uint8Array.of(i), 0, 1, 100_000_000);
      expect(assembly.bytes.length).toBeLessThanOrEqual(4 * i);
    }
    expect(Array.from(assembly.bytes.subarray(0, 3))).toEqual([1, 2, 3]);
  });

  test("a first frame that is longer than may be is refused before any limit is agreed", () => {
    const server = new DrivenServer();
    server.feed(protocolHeader(), hex("01 0000 00002000"));
    expect(lastClose(server.sent())).toEqual(["0", 501, 0, 0]);
  });
});

describe("a hostile server is told why and left", () => {
  test.each<[string, () => Uint8Array, number]>([
    ["a frame that ends in another octet", () => hex("08 0000 00000000 cd"), 501],
    ["a frame larger than agreed", () => frameOf(3, 1, new Uint8Array(4089)), 501],
    ["a publish from a server", () => publish(), 503],
    ["a request from a server", () => methodFrame({ method: "tx.select" }, 1), 503],
    ["a reject from a server", () => methodFrame({ method: "basic.reject", deliveryTag: 1, requeue: true }, 1), 503],
    [
      "a confirm without confirm mode",
      () => methodFrame({ method: "basic.ack", deliveryTag: 1, multiple: false }, 1),
      503,
    ],
    [
      "a message that answers no basic.get",
      () =>
        methodFrame(
          { method: "basic.get-ok", deliveryTag: 1, redelivered: false, exchange: "", routingKey: "", messageCount: 0 },
          1,
        ),
      503,
    ],
    ["a secret that was never sent", () => methodFrame({ method: "connection.update-secret-ok" }), 503],
    ["a channel opened again", () => methodFrame({ method: "channel.open-ok" }, 1), 503],
    ["a delivery on a channel that is not open", () => deliver(1).map((byte, i) => (i === 2 ? 9 : byte)), 504],
    ["a body without a header", () => frameOf(3, 1, hex("01")), 505],
    ["an unknown method", () => frameOf(1, 1, hex("003c 0063")), 540],
  ])("for %s", (_, bytes, replyCode) => {
    const [client] = clientWithChannel();
    client.feed(bytes());
    expect(client.sent().at(-1)).toMatch(new RegExp(`^0 connection.close {"replyCode":${replyCode},`));
    expect([client.engine.over, client.told()]).toEqual([true, [expect.stringMatching(/^failed: ERR_/)]]);
  });

  test("with a body above the limit its channel is closed with 311", () => {
    const [client] = clientWithChannel();
    client.feed(deliver(1), contentFrames(1, [hex("01")], 100_001));
    expect(client.sent()).toEqual([expect.stringMatching(/^1 channel.close \{"replyCode":311,/)]);
    expect([client.told(), client.engine.over]).toEqual([[expect.stringContaining("channel a closed: 311")], false]);
  });
});

const RUNS = { numRuns: 300 };

/** What comes in, cut into chunks without regard to frames: methods of any kind, content, and both mutated. */
function input(): fc.Arbitrary<Uint8Array[]> {
  const channel = fc.constantFrom(0, 1, 1, 1, 2);
  const method = fc
    .tuple(fc.constantFrom(...METHOD_NAMES).chain(anyMethod), channel)
    .map(([each, id]) => methodFrame(each, id));
  const content = fc.constantFrom(
    joined(publish(), contentFrames(1, [hex("0102")])),
    joined(deliver(1), contentFrames(1, [hex("01"), hex("02")])),
    joined(deliver(2), contentFrames(1, [])),
    methodFrame({ method: "basic.ack", deliveryTag: 1, multiple: false }, 1),
    methodFrame({ method: "basic.nack", deliveryTag: 2, multiple: true, requeue: true }, 1),
    methodFrame({ method: "channel.open" }, 2),
    methodFrame({ method: "channel.close", replyCode: 200, replyText: "", classId: 0, methodId: 0 }, 1),
    frameOf(8, 0, hex("")),
  );
  const piece = fc.oneof(
    { weight: 8, arbitrary: content },
    { weight: 2, arbitrary: method },
    { weight: 3, arbitrary: fc.oneof(content, method).chain(mutated) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 30 }) },
  );
  return fc
    .tuple(
      fc.array(piece, { maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 20 }),
    )
    .map(([pieces, cuts]) => {
      const whole = joined(...pieces);
      const chunks: Uint8Array[] = [];
      for (let at = 0, i = 0; at < whole.length; i++) {
        const length = cuts[i % cuts.length] ?? 1;
        chunks.push(whole.slice(at, at + length));
        at += length;
      }
      return chunks;
    });
}

/** An engine with deliveries, publishes and requests under way. */
function busy(role: "client" | "server"): DrivenClient | DrivenServer {
  if (role === "server") {
    const server = serverWithChannel();
    server.engine.selectConfirms(server.channel);
    for (const message of ["a", "b", "c"]) {
      server.engine.deliver(server.channel, hex("01 'c'"), false, hex("0000"), hex("0000"), hex("01"), message);
    }
    server.sent();
    return server;
  }
  const [client, channel] = clientWithChannel();
  client.engine.request(channel, { method: "confirm.select", noWait: true }, "select");
  for (const message of ["a", "b", "c"]) client.publish(channel, message);
  client.engine.request(channel, { method: "basic.get", queue: "q", noAck: false }, "get");
  client.sent();
  return client;
}

/** Feeds all of it and looks at every promise the engine makes. */
function survive(driven: DrivenClient | DrivenServer, chunks: readonly Uint8Array[]): void {
  for (const chunk of chunks) {
    const wasOver = driven.engine.over;
    driven.feed(chunk);
    driven.engine.onTime(driven.nowMs);
    // What we say is always well-formed, whatever was said to us: `frames` decodes it.
    const sent = frames(driven.sentBytes());
    if (wasOver) expect(sent).toEqual([]);
  }
  const lines = driven.told();
  const ends = lines.filter((line) => /^(?:failed:|closed:|refused in )/.test(line));
  expect(ends.length).toBe(driven.engine.over ? 1 : 0);
  if (ends.length === 1) expect(lines.at(-1)).toBe(ends[0]);
}

describe("any bytes", () => {
  test.each(["client", "server"] as const)("are survived by an open %s", (role) => {
    fc.assert(
      fc.property(input(), (chunks) => survive(busy(role), chunks)),
      RUNS,
    );
  });

  test("are survived by a server as a handshake", () => {
    fc.assert(
      fc.property(input(), fc.integer({ min: 0, max: 2 }), (chunks, stage) => {
        const server = new DrivenServer({ answer: "by hand" });
        const before = [protocolHeader(), methodFrame(START_OK)].slice(0, stage);
        survive(server, [...before, ...chunks]);
      }),
      RUNS,
    );
  });

  test("are survived by a client as a handshake", () => {
    fc.assert(
      fc.property(input(), fc.boolean(), (chunks, started) => {
        const client = new DrivenClient();
        client.engine.start();
        survive(client, started ? [methodFrame(START), ...chunks] : chunks);
      }),
      RUNS,
    );
  });

  test.each(["client", "server"] as const)("mean the same to a %s however they are cut", (role) => {
    fc.assert(
      fc.property(input(), (chunks) => {
        const whole = busy(role);
        const cut = busy(role);
        const all = joined(...chunks);
        whole.feed(all);
        for (const byte of all) cut.feed(Uint8Array.of(byte));
        expect(cut.told()).toEqual(whole.told());
        expect(cut.sent()).toEqual(whole.sent());
      }),
      { numRuns: 150 },
    );
  });
});
