import { describe, expect, test } from "vitest";
import { seededRandom } from "../testing/seeded-random.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { type MemoryPairOptions, memoryPair } from "./memory.ts";
import { type ContractLink, Recorder, transportContract } from "./transport-contract.ts";

function link(options: MemoryPairOptions): ContractLink {
  const pair = memoryPair(options);
  const heard = { client: new Recorder(), server: new Recorder() };
  return {
    subject: { transport: pair.client.attach(heard.client), heard: heard.client },
    peer: { transport: pair.server.attach(heard.server), heard: heard.server },
    endPeer: () => pair.server.close(),
    breakPeer: () => pair.cut(),
  };
}

describe.each([
  ["plain", {}],
  ["with split chunks", { chunkBytes: 1_000 }],
  ["with delays", { delayMs: 1, chunkBytes: 30_000 }],
] as const)("memory transport, %s", (_, options) => {
  for (const item of transportContract) test(item.name, () => item.run(link(options)));
});

describe("memoryPair on a virtual clock", () => {
  test("nothing arrives inside write", () => {
    const clock = new VirtualClock();
    const { subject, peer } = link({ clock });
    subject.transport.write(new Uint8Array([1]));
    expect(peer.heard.bytes).toBe(0);
    clock.advanceSync(0);
    expect(peer.heard.bytes).toBe(1);
  });

  test("bytes arrive after the delay, not before", () => {
    const clock = new VirtualClock();
    const { subject, peer } = link({ clock, delayMs: 50 });
    subject.transport.write(new Uint8Array([1]));
    clock.advanceSync(49);
    expect(peer.heard.bytes).toBe(0);
    clock.advanceSync(1);
    expect(peer.heard.bytes).toBe(1);
  });

  test("order is kept when delays vary", () => {
    const clock = new VirtualClock();
    const random = seededRandom(5);
    const { subject, peer } = link({ clock, delayMs: () => random() * 20, chunkBytes: () => 1 + random() * 3 });
    for (let i = 0; i < 200; i++) subject.transport.write(new Uint8Array([i, i, i, i, i]));
    clock.advanceSync(1_000);
    expect([...peer.heard.all()]).toEqual(Array.from({ length: 1_000 }, (_, i) => Math.floor(i / 5)));
  });

  test("the high-water mark decides when write returns false", () => {
    const clock = new VirtualClock();
    const { subject } = link({ clock, highWaterBytes: 10 });
    expect(subject.transport.write(new Uint8Array(9))).toBe(true);
    expect(subject.transport.write(new Uint8Array(1))).toBe(false);
    expect(subject.transport.bufferedBytes).toBe(10);
    clock.advanceSync(0);
    expect(subject.heard.drains).toBe(1);
    expect(subject.transport.write(new Uint8Array(9))).toBe(true);
  });

  test("bytes written before the other side has a handler wait for it", () => {
    const clock = new VirtualClock();
    const pair = memoryPair({ clock });
    pair.client.write(new Uint8Array([1, 2]));
    pair.client.close();
    clock.advanceSync(100);
    const heard = new Recorder();
    pair.server.attach(heard);
    clock.advanceSync(0);
    expect([...heard.all()]).toEqual([1, 2]);
    expect(heard.ends).toEqual([null]);
  });

  test("an end that came before the handler is told once there is one", () => {
    const clock = new VirtualClock();
    const pair = memoryPair({ clock });
    pair.client.destroy();
    clock.advanceSync(100);
    const heard = new Recorder();
    pair.server.attach(heard);
    expect(heard.ends).toEqual([]);
    clock.advanceSync(0);
    expect(heard.ends).toEqual([null]);
  });

  test("a cut tells both sides and loses what is on its way", () => {
    const clock = new VirtualClock();
    const pair = memoryPair({ clock, delayMs: 10 });
    const heard = { client: new Recorder(), server: new Recorder() };
    pair.client.attach(heard.client).write(new Uint8Array(5));
    pair.server.attach(heard.server);
    pair.cut();
    clock.advanceSync(100);
    expect(heard.server.bytes).toBe(0);
    expect(heard.client.ends).toMatchObject([{ code: "ERR_CONNECTION_LOST" }]);
    expect(heard.server.ends).toMatchObject([{ code: "ERR_CONNECTION_LOST" }]);
  });

  test("a silenced pair carries nothing more and tells no end of the other's, only of its own", () => {
    const clock = new VirtualClock();
    const pair = memoryPair({ clock, delayMs: 10 });
    const heard = { client: new Recorder(), server: new Recorder() };
    pair.client.attach(heard.client).write(new Uint8Array(5));
    pair.server.attach(heard.server);
    pair.silence();
    pair.server.write(new Uint8Array(5));
    pair.client.destroy();
    clock.advanceSync(100);
    expect([heard.server.bytes, heard.client.bytes]).toEqual([0, 0]);
    expect([heard.server.ends, heard.client.ends]).toEqual([[], [null]]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("a silenced end is full some time", () => {
    const pair = memoryPair({ clock: new VirtualClock(), highWaterBytes: 8 });
    pair.silence();
    expect([pair.client.write(new Uint8Array(5)), pair.client.write(new Uint8Array(5))]).toEqual([true, false]);
  });

  test("the server's end is told the client's port", () => {
    expect(memoryPair({ clientPort: 7 }).server.info.remotePort).toBe(7);
  });

  test("an ended pair leaves no timer behind", () => {
    const clock = new VirtualClock();
    const { subject } = link({ clock, delayMs: 1_000 });
    subject.transport.write(new Uint8Array(5));
    subject.transport.destroy();
    clock.advanceSync(0);
    expect(clock.pendingTimers).toBe(0);
  });
});
