import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { webText } from "../bytes/text.ts";
import { CHUNK_BYTES, type Chunk, ChunkPool, Outbox } from "./outbox.ts";
import type { Transport, TransportInfo } from "./transport.ts";

/** A transport that takes bytes at once, or holds them until told to let go. */
class FakeTransport implements Transport {
  readonly info: TransportInfo = {
    kind: "memory",
    remoteAddress: "",
    remotePort: 0,
    secure: false,
    peerCommonName: "",
  };
  /** Each write as the peer would see it: read when the bytes leave, not when they are given. */
  readonly left: Uint8Array[] = [];
  /** Writes taken before the transport starts to hold. */
  accepts = Number.POSITIVE_INFINITY;
  writes = 0;
  readonly held: Uint8Array[] = [];

  get bufferedBytes(): number {
    return this.held.reduce((sum, bytes) => sum + bytes.length, 0);
  }

  write(bytes: Uint8Array): boolean {
    this.writes++;
    if (this.held.length === 0 && this.accepts > 0) {
      this.accepts--;
      this.left.push(bytes.slice());
      return true;
    }
    this.held.push(bytes);
    return false;
  }

  letGo(accepts: number): void {
    for (const bytes of this.held.splice(0)) this.left.push(bytes.slice());
    this.accepts = accepts;
  }

  all(): number[] {
    return this.left.flatMap((bytes) => [...bytes]);
  }

  pause(): void {}
  resume(): void {}
  close(): void {}
  destroy(): void {}
}

interface Setup {
  readonly outbox: Outbox;
  readonly transport: FakeTransport;
  readonly pool: CountingPool;
  armed: number;
}

class CountingPool extends ChunkPool {
  taken = 0;
  given: Uint8Array[] = [];

  override take(): Uint8Array {
    this.taken++;
    return super.take();
  }

  override give(chunk: Uint8Array): void {
    if (chunk.length === CHUNK_BYTES) this.given.push(chunk);
    super.give(chunk);
  }
}

function setup(highWaterBytes = 1_000_000): Setup {
  const pool = new CountingPool();
  const transport = new FakeTransport();
  const made: Setup = {
    outbox: new Outbox({ pool, text: webText(), armFlush: () => made.armed++, highWaterBytes }),
    transport,
    pool,
    armed: 0,
  };
  made.outbox.open(transport);
  return made;
}

function put(outbox: Outbox, length: number, value: number): void {
  outbox.reserve(length);
  outbox.bytes(new Uint8Array(length).fill(value));
  outbox.commit();
}

describe("Outbox", () => {
  test("the messages of one turn leave in one write", () => {
    const { outbox, transport } = setup();
    for (let i = 0; i < 100; i++) put(outbox, 10, i);
    expect(transport.writes).toBe(0);
    outbox.flush();
    expect(transport.writes).toBe(1);
    expect(transport.all()).toEqual(Array.from({ length: 1_000 }, (_, i) => Math.floor(i / 10)));
  });

  test("a flush is armed once a turn", () => {
    const made = setup();
    put(made.outbox, 1, 1);
    put(made.outbox, 1, 2);
    expect(made.armed).toBe(1);
    made.outbox.flush();
    put(made.outbox, 1, 3);
    expect(made.armed).toBe(2);
  });

  test("a flush with nothing written writes nothing", () => {
    const { outbox, transport } = setup();
    outbox.flush();
    expect(transport.writes).toBe(0);
  });

  test("a full chunk leaves before the turn ends", () => {
    const { outbox, transport } = setup();
    for (let i = 0; i < 7; i++) put(outbox, 10_000, i);
    expect(transport.left.map((bytes) => bytes.length)).toEqual([60_000]);
  });

  test("a message larger than a chunk gets one of its own size", () => {
    const { outbox, transport, pool } = setup();
    put(outbox, 5, 1);
    put(outbox, 200_000, 2);
    put(outbox, 5, 3);
    outbox.flush();
    expect(runs(transport)).toEqual([
      [1, 5],
      [2, 200_000],
      [3, 5],
    ]);
    expect(pool.taken).toBe(1);
  });

  test("an idle outbox holds no chunk", () => {
    const { outbox, pool } = setup();
    put(outbox, 5, 1);
    outbox.flush();
    expect(pool.given.length).toBe(pool.taken);
    expect(outbox.buffer.length).toBe(0);
  });

  test("bytes that the transport holds are not written over", () => {
    const { outbox, transport } = setup();
    transport.accepts = 0;
    put(outbox, 100, 1);
    outbox.flush();
    for (let i = 0; i < 20; i++) put(outbox, 30_000, 2);
    transport.letGo(Number.POSITIVE_INFINITY);
    outbox.drained();
    expect(runs(transport)).toEqual([
      [1, 100],
      [2, 600_000],
    ]);
  });

  test("what was written in many turns while blocked leaves in one write at the drain", () => {
    const { outbox, transport } = setup();
    transport.accepts = 0;
    put(outbox, 10, 0);
    outbox.flush();
    for (let turn = 1; turn <= 50; turn++) {
      put(outbox, 10, turn);
      outbox.flush();
    }
    expect(transport.writes).toBe(1);
    transport.letGo(Number.POSITIVE_INFINITY);
    outbox.drained();
    expect(transport.writes).toBe(2);
    expect(transport.all()).toEqual(Array.from({ length: 510 }, (_, i) => Math.floor(i / 10)));
  });

  test("a drain that ends in another block goes on at the next drain", () => {
    const { outbox, transport } = setup();
    transport.accepts = 0;
    for (let i = 0; i < 5; i++) put(outbox, 60_000, i);
    outbox.flush();
    for (let drains = 0; transport.held.length > 0; drains++) {
      expect(drains).toBeLessThan(10);
      transport.letGo(1);
      outbox.drained();
    }
    expect(runs(transport)).toEqual([0, 1, 2, 3, 4].map((i) => [i, 60_000]));
    expect(outbox.blocked).toBe(false);
    expect(outbox.unsentBytes).toBe(0);
  });

  test("chunks that the transport held go back to the pool once it has drained", () => {
    const { outbox, transport, pool } = setup();
    transport.accepts = 0;
    for (let i = 0; i < 5; i++) put(outbox, 60_000, i);
    outbox.flush();
    expect(pool.given.length).toBe(0);
    transport.letGo(Number.POSITIVE_INFINITY);
    outbox.drained();
    expect(new Set(pool.given).size).toBe(pool.taken);
    expect(pool.given.length).toBe(pool.taken);
  });

  test("a chunk goes back to the pool once, though there are more drains", () => {
    const { outbox, transport, pool } = setup();
    for (let round = 0; round < 3; round++) {
      transport.accepts = 0;
      for (let i = 0; i < 3; i++) put(outbox, 60_000, i);
      outbox.flush();
      transport.letGo(Number.POSITIVE_INFINITY);
      outbox.drained();
      expect(pool.given.length).toBe(pool.taken);
    }
  });

  test("chunks that an earlier transport may still read do not come back with the next one's drain", () => {
    const { outbox, transport, pool } = setup();
    transport.accepts = 0;
    for (let i = 0; i < 3; i++) put(outbox, 60_000, i);
    outbox.close();
    const next = new FakeTransport();
    next.accepts = 0;
    outbox.open(next);
    put(outbox, 10, 1);
    outbox.flush();
    next.letGo(Number.POSITIVE_INFINITY);
    outbox.drained();
    const held = transport.held.map((bytes) => bytes.buffer);
    expect(pool.given.filter((chunk) => held.includes(chunk.buffer)).length).toBe(0);
  });

  test("chunks that a transport may still read are not reused after close", () => {
    const { outbox, transport, pool } = setup();
    transport.accepts = 0;
    for (let i = 0; i < 3; i++) put(outbox, 60_000, i);
    outbox.flush();
    outbox.close();
    const held = transport.held.map((bytes) => bytes.buffer);
    expect(held.length).toBe(1);
    expect(pool.given.filter((chunk) => held.includes(chunk.buffer)).length).toBe(0);
  });

  test("a pinned chunk's sent bytes stay as they are until unpin", () => {
    const { outbox } = setup();
    put(outbox, 100, 1);
    const kept = outbox.buffer.subarray(0, 100);
    outbox.pin();
    outbox.flush();
    for (let turn = 0; turn < 2_000; turn++) {
      put(outbox, 50, 9);
      outbox.flush();
    }
    expect(kept).toEqual(new Uint8Array(100).fill(1));
  });

  test("after unpin the chunk is written anew from its start", () => {
    const { outbox, pool } = setup();
    put(outbox, 100, 1);
    const chunk = outbox.pin();
    outbox.flush();
    expect(outbox.at).toBe(100);
    outbox.unpin(chunk);
    expect(outbox.at).toBe(0);
    put(outbox, 100, 2);
    outbox.flush();
    expect(pool.taken).toBe(1);
    expect(pool.given.length).toBe(1);
  });

  test("a pinned chunk that was left goes to the pool with its last unpin, not before", () => {
    const { outbox, pool } = setup();
    put(outbox, 60_000, 1);
    const chunk = outbox.pin();
    outbox.pin();
    put(outbox, 60_000, 2);
    outbox.flush();
    outbox.unpin(chunk);
    expect(pool.given).not.toContain(chunk.bytes);
    outbox.unpin(chunk);
    expect(pool.given).toContain(chunk.bytes);
  });

  test("a chunk that the transport still holds is not given away by its last unpin", () => {
    const { outbox, pool, transport } = setup();
    transport.accepts = 0;
    put(outbox, 60_000, 1);
    const chunk = outbox.pin();
    put(outbox, 60_000, 2);
    outbox.unpin(chunk);
    expect(pool.given).not.toContain(chunk.bytes);
  });

  test("unpin with unsent bytes in the chunk loses none of them", () => {
    const { outbox, transport } = setup();
    put(outbox, 3, 1);
    const chunk = outbox.pin();
    outbox.flush();
    put(outbox, 3, 2);
    outbox.unpin(chunk);
    outbox.flush();
    expect(transport.all()).toEqual([1, 1, 1, 2, 2, 2]);
  });

  test("full counts what was written in this turn, before any of it is handed over", () => {
    const { outbox } = setup(1_000);
    put(outbox, 999, 1);
    expect(outbox.full).toBe(false);
    put(outbox, 1, 1);
    expect(outbox.full).toBe(true);
  });

  test("full ends with the turn when the transport took everything", () => {
    const { outbox } = setup(1_000);
    put(outbox, 200_000, 1);
    expect(outbox.full).toBe(true);
    outbox.flush();
    expect(outbox.full).toBe(false);
  });

  test("full lasts while the transport holds more than the mark, and ends with the drain", () => {
    const { outbox, transport } = setup(1_000);
    transport.accepts = 0;
    put(outbox, 900, 1);
    outbox.flush();
    expect(outbox.full).toBe(false);
    put(outbox, 100, 1);
    outbox.flush();
    expect(outbox.full).toBe(true);
    transport.letGo(Number.POSITIVE_INFINITY);
    outbox.drained();
    expect(outbox.full).toBe(false);
  });

  test("close drops what is unsent, and the next connection starts clean", () => {
    const { outbox, transport } = setup();
    transport.accepts = 0;
    put(outbox, 70_000, 1);
    put(outbox, 10, 2);
    outbox.flush();
    put(outbox, 10, 3);
    outbox.close();
    expect([outbox.unsentBytes, outbox.blocked, outbox.full]).toEqual([0, false, false]);
    const next = new FakeTransport();
    outbox.open(next);
    put(outbox, 2, 4);
    outbox.flush();
    expect(next.all()).toEqual([4, 4]);
  });

  test("a flush after close sends nothing", () => {
    const { outbox, transport } = setup();
    put(outbox, 10, 1);
    outbox.close();
    outbox.flush();
    expect(transport.writes).toBe(0);
  });

  test("a failed encoding can go back to its mark", () => {
    const { outbox, transport } = setup();
    put(outbox, 2, 1);
    outbox.reserve(50);
    const mark = outbox.at;
    outbox.bytes(new Uint8Array(20).fill(9));
    outbox.at = mark;
    put(outbox, 2, 2);
    outbox.flush();
    expect(transport.all()).toEqual([1, 1, 2, 2]);
  });

  test("lent bytes leave from where they lie, behind what was encoded and before what follows", () => {
    const { outbox, transport } = setup();
    const lent = Uint8Array.of(2, 2);
    put(outbox, 1, 1);
    transport.accepts = 1;
    outbox.large(lent, true);
    put(outbox, 1, 3);
    outbox.flush();
    expect(transport.held.map((bytes) => bytes === lent)).toEqual([true]);
    expect(outbox.unsentBytes).toBe(3);
    letGo(outbox, transport, Number.POSITIVE_INFINITY);
    expect(transport.all()).toEqual([1, 2, 2, 3]);
  });

  test("a large payload is copied into chunks from the pool, and may be used again at once", () => {
    const { outbox, transport, pool } = setup();
    const payload = new Uint8Array(150_000).fill(2);
    put(outbox, 1, 1);
    outbox.large(payload, false);
    payload.fill(9);
    put(outbox, 1, 3);
    outbox.flush();
    expect(runs(transport)).toEqual([
      [1, 1],
      [2, 150_000],
      [3, 1],
    ]);
    // What has left makes room: one chunk does for all.
    expect([pool.taken, pool.lentBytes]).toEqual([1, 0]);
  });

  test("lent bytes count towards the mark of their turn", () => {
    const { outbox } = setup(100);
    outbox.large(new Uint8Array(99), true);
    expect(outbox.full).toBe(false);
    put(outbox, 1, 1);
    expect(outbox.full).toBe(true);
    outbox.flush();
    expect(outbox.full).toBe(false);
  });

  test("whatever the order of writes, turns, blocks, drains and pins: all bytes leave once, in order, unharmed", () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ put: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.nat(140_000)) }) },
      {
        weight: 4,
        arbitrary: fc.record({ large: fc.record({ length: fc.nat(140_000), lent: fc.boolean() }) }),
      },
      { weight: 3, arbitrary: fc.constant("flush" as const) },
      { weight: 2, arbitrary: fc.record({ drain: fc.nat(3) }) },
      { weight: 1, arbitrary: fc.record({ block: fc.nat(2) }) },
      { weight: 1, arbitrary: fc.constantFrom("pin" as const, "unpin" as const) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { outbox, transport, pool } = setup();
        const sizes: number[] = [];
        const pinned: Chunk[] = [];
        for (const step of steps) {
          if (step === "flush") outbox.flush();
          else if (step === "pin") pinned.push(outbox.pin());
          else if (step === "unpin") pinned.splice(0, 1).forEach((chunk) => void outbox.unpin(chunk));
          else if ("put" in step) sizes.push(putNumbered(outbox, sizes.length, step.put));
          else if ("large" in step) sizes.push(largeNumbered(outbox, sizes.length, step.large));
          else if ("block" in step) transport.accepts = step.block;
          else letGo(outbox, transport, step.drain);
        }
        outbox.flush();
        letGo(outbox, transport, Number.POSITIVE_INFINITY);
        outbox.flush();
        expect(runs(transport)).toEqual(sizes.map((length, index) => [index & 0xff, length]));
        expect(outbox.unsentBytes).toBe(0);
        expect(new Set(pool.given).size).toBeLessThanOrEqual(pool.taken);
      }),
      { numRuns: 150 },
    );
  });
});

function putNumbered(outbox: Outbox, index: number, length: number): number {
  put(outbox, length + 1, index & 0xff);
  return length + 1;
}

function largeNumbered(outbox: Outbox, index: number, { length, lent }: { length: number; lent: boolean }): number {
  outbox.large(new Uint8Array(length + 1).fill(index & 0xff), lent);
  return length + 1;
}

/** Everything held leaves, as on a socket; then the transport takes `accepts` more writes at once. */
function letGo(outbox: Outbox, transport: FakeTransport, accepts: number): void {
  if (transport.held.length === 0) return;
  transport.letGo(accepts);
  outbox.drained();
}

/** What left, as runs of equal bytes; neighbouring messages always differ. */
function runs(transport: FakeTransport): [number, number][] {
  const found: [number, number][] = [];
  for (const bytes of transport.left) {
    for (const byte of bytes) {
      const last = found.at(-1);
      if (last?.[0] === byte) last[1]++;
      else found.push([byte, 1]);
    }
  }
  return found;
}

describe("ChunkPool", () => {
  test("keeps so many chunks and no more, and none of another size", () => {
    const pool = new ChunkPool(1);
    const chunk = new Uint8Array(CHUNK_BYTES);
    pool.give(new Uint8Array(10));
    pool.give(chunk);
    pool.give(new Uint8Array(CHUNK_BYTES));
    expect(pool.take() === chunk).toBe(true);
    expect(pool.take() === chunk).toBe(false);
  });
});
