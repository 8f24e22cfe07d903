import { afterEach, describe, expect, test } from "vitest";
import { memoryPair } from "../transport/memory.ts";
import type { Transport } from "../transport/transport.ts";
import { Recorder } from "../transport/transport-contract.ts";
import { leakCheck } from "./node/leak-check.ts";
import { scriptedServer } from "./node/scripted-server.ts";
import { ScriptedPeer } from "./scripted-peer.ts";
import { VirtualClock } from "./virtual-clock.ts";

/** One length byte, then so many bytes. */
function measure(buffer: Uint8Array, at: number, end: number): number {
  const length = buffer[at] ?? 0;
  if (length === 0xff) throw new Error("no such frame");
  return end > at ? 1 + length : 0;
}

function frame(...body: number[]): Uint8Array {
  return Uint8Array.from([body.length, ...body]);
}

interface Setup {
  readonly clock: VirtualClock;
  readonly peer: ScriptedPeer;
  readonly heard: Recorder;
  readonly transport: Transport;
  readonly cut: () => void;
}

function setup(): Setup {
  const clock = new VirtualClock();
  const pair = memoryPair({ clock });
  const peer = new ScriptedPeer(measure);
  peer.use(pair.server.attach(peer));
  const heard = new Recorder();
  return { clock, peer, heard, transport: pair.client.attach(heard), cut: pair.cut };
}

describe("ScriptedPeer over memory", () => {
  test("plays a script: expects frames, however they were cut, and sends bytes", async () => {
    const { clock, peer, heard, transport } = setup();
    const script = peer.run([
      { expect: frame(1, 2, 3) },
      { send: frame(9) },
      { expect: (bytes) => bytes.length === 1, what: "an empty frame" },
      { end: "close" },
      { await: "closed" },
    ]);
    transport.write(Uint8Array.of(3, 1));
    await clock.settle();
    expect(heard.bytes).toBe(0);
    transport.write(Uint8Array.of(2, 3, 0));
    await clock.settle();
    await script;
    expect([...heard.all()]).toEqual([1, 9]);
    expect(heard.ends).toEqual([null]);
  });

  test("frames that came early wait for their step", async () => {
    const { clock, peer, transport } = setup();
    transport.write(Uint8Array.of(1, 7, 1, 8));
    await clock.settle();
    expect(peer.pendingFrames).toBe(2);
    await peer.expect(frame(7));
    await peer.expect(frame(8));
  });

  test("another frame than expected is an error that shows both", async () => {
    const { clock, peer, transport } = setup();
    transport.write(frame(0xab));
    await clock.settle();
    await expect(peer.expect(frame(0xcd), "greeting")).rejects.toThrow(/greeting[\s\S]*01cd[\s\S]*01ab/);
  });

  test("a predicate that says no is an error that shows the frame", async () => {
    const { clock, peer, transport } = setup();
    transport.write(frame(0xab));
    await clock.settle();
    await expect(peer.expect(() => false)).rejects.toThrow("01ab");
  });

  test("an end of the connection rejects the frame that is waited for", async () => {
    const { clock, peer, cut } = setup();
    const waiting = expect(peer.nextFrame()).rejects.toMatchObject({ cause: { code: "ERR_CONNECTION_LOST" } });
    cut();
    await clock.settle();
    await waiting;
    await expect(peer.nextFrame()).rejects.toThrow("ended before the next frame");
    expect(await peer.closed).toMatchObject({ code: "ERR_CONNECTION_LOST" });
  });

  test("bytes that are no frame end the connection", async () => {
    const { clock, peer, transport, heard } = setup();
    transport.write(Uint8Array.of(0xff));
    await clock.settle();
    await expect(peer.nextFrame()).rejects.toMatchObject({ cause: { message: "no such frame" } });
    expect(heard.ends.length).toBe(1);
  });

  test("without a connection it says so", () => {
    expect(() => new ScriptedPeer(measure).send(frame())).toThrow("no connection yet");
  });
});

describe("scriptedServer", () => {
  const leaks = leakCheck();
  afterEach(() => leaks.check());

  test("plays each connection, in order of arrival, and leaves nothing behind", async () => {
    const { connect } = await import("node:net");
    const server = await scriptedServer(measure);
    const first = server.accept();
    const sockets = [connect(server.port, "127.0.0.1"), connect(server.port, "127.0.0.1")];
    for (const [index, socket] of sockets.entries()) {
      await new Promise((resolve) => socket.once("connect", resolve));
      socket.resume();
      socket.write(frame(index));
    }
    const peers = [await first, await server.accept()];
    const bodies = await Promise.all(peers.map(async (peer) => (await peer.nextFrame())[1]));
    expect(bodies.sort()).toEqual([0, 1]);
    const waiting = expect(server.accept()).rejects.toThrow("was closed");
    await server.close();
    await waiting;
    expect(await Promise.all(peers.map((peer) => peer.closed))).toEqual([null, null]);
  });
});
