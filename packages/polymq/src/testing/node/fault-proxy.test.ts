import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type FaultProxy, type FaultProxyOptions, faultProxy } from "./fault-proxy.ts";
import { type LeakCheck, leakCheck } from "./leak-check.ts";

/** One length byte, then so many bytes. */
function measure(buffer: Uint8Array, at: number, end: number): number {
  return end > at ? 1 + (buffer[at] ?? 0) : 0;
}

/** A socket of the test and what it saw. */
class Party {
  readonly socket: Socket;
  readonly chunks: Buffer[] = [];
  error: Error | null = null;
  ended = false;
  closed = false;
  #wake: () => void = () => undefined;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.chunks.push(chunk);
      this.#wake();
    });
    socket.on("error", (error) => {
      this.error = error;
    });
    socket.on("end", () => {
      this.ended = true;
      this.#wake();
    });
    socket.on("close", () => {
      this.closed = true;
      this.#wake();
    });
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }

  async until(ready: () => boolean): Promise<void> {
    while (!ready()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

let leaks: LeakCheck;
let server: Server;
let proxy: FaultProxy;
const arrived: Party[] = [];
const parties: Party[] = [];
let onArrival: () => void = () => undefined;

beforeEach(async () => {
  leaks = leakCheck();
  server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    arrived.push(new Party(socket));
    onArrival();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});

afterEach(async () => {
  await proxy.close();
  for (const party of [...arrived.splice(0), ...parties.splice(0)]) party.socket.destroy();
  server.close();
  await leaks.check();
});

async function start(options: Partial<FaultProxyOptions> = {}): Promise<void> {
  const { port } = server.address() as { port: number };
  proxy = await faultProxy({ target: { host: "127.0.0.1", port }, ...options });
}

/** A connection through the proxy: the client's and the server's end. */
async function link(): Promise<[client: Party, server: Party]> {
  const before = arrived.length;
  const client = new Party(connect({ port: proxy.port, host: proxy.host, allowHalfOpen: true, noDelay: true }));
  parties.push(client);
  await new Promise((resolve) => client.socket.once("connect", resolve));
  while (arrived.length === before) {
    await new Promise<void>((resolve) => {
      onArrival = resolve;
    });
  }
  return [client, arrived[before] as Party];
}

function pattern(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 0xff));
}

describe("FaultProxy without faults", () => {
  test("passes bytes both ways unchanged and counts them", async () => {
    await start();
    const [client, peer] = await link();
    client.socket.write(pattern(300_000));
    await peer.until(() => peer.bytes.length === 300_000);
    peer.socket.write(pattern(1_000));
    await client.until(() => client.bytes.length === 1_000);
    expect(peer.bytes.equals(pattern(300_000))).toBe(true);
    expect(client.bytes.equals(pattern(1_000))).toBe(true);
    expect(proxy.stats).toMatchObject({
      connections: 1,
      liveConnections: 1,
      bytesToServer: 300_000,
      bytesToClient: 1_000,
    });
  });

  test("passes the end of one direction on and keeps the other open", async () => {
    await start();
    const [client, peer] = await link();
    client.socket.end("last");
    await peer.until(() => peer.ended);
    expect(peer.bytes.toString()).toBe("last");
    peer.socket.end("answer");
    await client.until(() => client.closed);
    expect(client.bytes.toString()).toBe("answer");
    expect(client.error).toBeNull();
  });

  test("does not read faster than the other side takes", async () => {
    await start();
    const [client, peer] = await link();
    peer.socket.pause();
    const block = pattern(262_144);
    let sent = 0;
    let stalledTurns = 0;
    while (stalledTurns < 20) {
      if (sent > 268_435_456) expect.unreachable("no backpressure");
      if (client.socket.writableLength > 0) stalledTurns++;
      else {
        client.socket.write(block);
        sent += block.length;
        stalledTurns = 0;
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(proxy.stats.bytesToServer).toBeLessThan(sent);
    peer.socket.resume();
    let got = 0;
    peer.socket.on("data", (chunk: Buffer) => {
      got += chunk.length;
    });
    got = peer.chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    await peer.until(() => got === sent);
  });

  test("a target that refuses resets the client", async () => {
    await start();
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
    });
    const client = new Party(connect(proxy.port, proxy.host));
    parties.push(client);
    await client.until(() => client.closed);
    expect(client.error).toMatchObject({ code: "ECONNRESET" });
  });
});

describe("FaultProxy faults", () => {
  test("splits at random places, the same ones for the same seed", async () => {
    const splits: number[][] = [];
    for (let run = 0; run < 2; run++) {
      await start({ seed: 11, faults: { pieceBytes: [1, 40] } });
      const [client, peer] = await link();
      client.socket.write(pattern(2_000));
      await peer.until(() => peer.bytes.length === 2_000);
      expect(peer.bytes.equals(pattern(2_000))).toBe(true);
      splits.push([proxy.stats.piecesToServer]);
      await proxy.close();
    }
    expect(splits[0]).toEqual(splits[1]);
    expect(splits[0]?.[0]).toBeGreaterThan(50);
  });

  test("pieces arrive as pieces", async () => {
    await start({ faults: { pieceBytes: [1, 3] } });
    const [client, peer] = await link();
    client.socket.write(pattern(100));
    await peer.until(() => peer.bytes.length === 100);
    expect(peer.chunks.length).toBeGreaterThan(10);
  });

  test("delays, and keeps the order when the delay varies", async () => {
    await start({ faults: { delayMs: [20, 40] } });
    const [client, peer] = await link();
    const startedMs = performance.now();
    for (let i = 0; i < 10; i++) {
      client.socket.write(Buffer.from([i]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await peer.until(() => peer.bytes.length === 10);
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(19);
    expect([...peer.bytes]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test("stalls one direction until the faults are set anew, while the other passes", async () => {
    await start({ faults: { stall: "toServer" } });
    const [client, peer] = await link();
    client.socket.write("held");
    peer.socket.write("passes");
    await client.until(() => client.bytes.toString() === "passes");
    expect(proxy.stats.bytesToServer).toBe(0);
    proxy.setFaults({});
    await peer.until(() => peer.bytes.toString() === "held");
  });

  test("throttles to the given rate", async () => {
    await start({ faults: { bytesPerSecond: 100_000, pieceBytes: [1_000, 1_000] } });
    const [client, peer] = await link();
    const startedMs = performance.now();
    client.socket.write(pattern(10_000));
    await peer.until(() => peer.bytes.length === 10_000);
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(89);
  });
});

describe("FaultProxy cuts", () => {
  test.each([
    ["rst", "ECONNRESET"],
    ["fin", undefined],
  ] as const)("cut(%s) ends both sides in that way", async (mode, code) => {
    await start();
    const [client, peer] = await link();
    proxy.cut(mode);
    await client.until(() => (mode === "fin" ? client.ended : client.closed));
    await peer.until(() => (mode === "fin" ? peer.ended : peer.closed));
    for (const party of [client, peer]) expect((party.error as NodeJS.ErrnoException | null)?.code).toBe(code);
    expect(proxy.stats.cuts).toBe(1);
  });

  test("an orderly cut does not wait for sides that never hang up", async () => {
    await start();
    const [client, peer] = await link();
    proxy.cut("fin");
    await client.until(() => client.ended);
    await peer.until(() => peer.ended);
    await proxy.idle();
  });

  test.each(["toServer", "toClient"] as const)("cuts after exactly so many bytes, %s", async (direction) => {
    await start();
    const [client, peer] = await link();
    proxy.cutAfter({ direction, unit: "bytes", count: 150, mode: "fin" });
    const [from, to] = direction === "toServer" ? [client, peer] : [peer, client];
    from.socket.write(pattern(100));
    await to.until(() => to.bytes.length === 100);
    from.socket.write(pattern(100));
    await to.until(() => to.ended);
    expect(to.bytes.length).toBe(150);
    expect(proxy.stats.cuts).toBe(1);
  });

  test("cuts after exactly so many frames, though they came in one piece", async () => {
    await start({ measure });
    proxy.cutAfter({ direction: "toServer", unit: "frames", count: 2, mode: "fin" });
    const [client, peer] = await link();
    client.socket.write(Buffer.from([2, 7, 7, 0, 3, 9, 9, 9]));
    await peer.until(() => peer.ended);
    expect([...peer.bytes]).toEqual([2, 7, 7, 0]);
  });

  test("cuts at a frame whose bytes come one by one", async () => {
    await start({ measure });
    proxy.cutAfter({ direction: "toServer", unit: "frames", count: 1, mode: "fin" });
    const [client, peer] = await link();
    for (const byte of [2, 7, 7]) {
      client.socket.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await peer.until(() => peer.ended);
    expect([...peer.bytes]).toEqual([2, 7, 7]);
  });

  test("a rule cuts one connection and is used up", async () => {
    await start();
    proxy.cutAfter({ direction: "toServer", unit: "bytes", count: 5, mode: "rst" });
    const [first] = await link();
    first.socket.write("123456");
    await first.until(() => first.closed);
    const [second, peer] = await link();
    second.socket.write("1234567890");
    await peer.until(() => peer.bytes.length === 10);
    expect(proxy.stats.cuts).toBe(1);
  });

  test("a connection that has come near a rule's count is spared once another one was cut", async () => {
    await start();
    const [first, firstPeer] = await link();
    const [second] = await link();
    proxy.cutAfter({ direction: "toServer", unit: "bytes", count: 5, mode: "rst" });
    first.socket.write("1234");
    await firstPeer.until(() => firstPeer.bytes.length === 4);
    second.socket.write("12345");
    await second.until(() => second.closed);
    first.socket.write("56789");
    await firstPeer.until(() => firstPeer.bytes.length === 9);
  });

  test("a rule that was replaced holds nothing back", async () => {
    await start();
    const [client, peer] = await link();
    proxy.cutAfter({ direction: "toServer", unit: "bytes", count: 5, mode: "rst" });
    proxy.cutAfter({ direction: "toClient", unit: "bytes", count: 1_000, mode: "rst" });
    client.socket.write("1234567890");
    await peer.until(() => peer.bytes.length === 10);
    expect(proxy.stats.cuts).toBe(0);
  });

  test("a reset right after an orderly cut still ends the connection", async () => {
    await start();
    await link();
    proxy.cut("fin");
    proxy.cut("rst");
    await proxy.idle();
    expect(proxy.stats.liveConnections).toBe(0);
  });

  test("counting frames without a measure is refused", async () => {
    await start();
    expect(() => proxy.cutAfter({ direction: "toServer", unit: "frames", count: 1, mode: "rst" })).toThrow(TypeError);
  });

  test("a half-close ends one direction after the bytes on their way; the other still passes", async () => {
    await start({ faults: { delayMs: 15 } });
    const [client, peer] = await link();
    client.socket.write("on its way");
    while (proxy.stats.bytesToServer === 0) await new Promise((resolve) => setImmediate(resolve));
    proxy.halfClose("toServer");
    await peer.until(() => peer.ended);
    client.socket.write("nobody gets this");
    expect(peer.bytes.toString()).toBe("on its way");
    peer.socket.write("still here");
    await client.until(() => client.bytes.toString() === "still here");
    expect(client.ended).toBe(false);
  });
});

describe("FaultProxy refusals", () => {
  test("refuses new connections for a while; those open stay, and the port stays the same", async () => {
    await start();
    const [client, peer] = await link();
    const { port } = proxy;
    await proxy.refuse(30);
    const tries: Party[] = [];
    const attempt = async (): Promise<boolean> => {
      const party = new Party(connect(port, proxy.host));
      tries.push(party);
      parties.push(party);
      return new Promise((resolve) => {
        party.socket.once("connect", () => resolve(true));
        party.socket.once("close", () => resolve(false));
      });
    };
    expect(await attempt()).toBe(false);
    expect(tries[0]?.error).toMatchObject({ code: "ECONNREFUSED" });
    client.socket.write("still open");
    await peer.until(() => peer.bytes.toString() === "still open");
    while (!(await attempt()));
    expect(proxy.port).toBe(port);
  });

  test("accept ends a refusal early", async () => {
    await start();
    await proxy.refuse();
    await proxy.accept();
    await link();
  });
});

describe("FaultProxy.close", () => {
  test("ends everything: live connections, bytes held back, timers", async () => {
    await start({ faults: { delayMs: 10_000 } });
    const [client, peer] = await link();
    client.socket.write("never arrives");
    await proxy.refuse(10_000);
    await proxy.close();
    await client.until(() => client.closed || client.ended);
    await peer.until(() => peer.closed || peer.ended);
    expect(proxy.stats.liveConnections).toBe(0);
  });
});
