import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { deferred } from "../../base/deferred.ts";
import { systemClock } from "../../base/system-clock.ts";
import { type LeakCheck, leakCheck } from "../../testing/node/leak-check.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { parseEndpoint } from "../endpoint.ts";
import { wrapWebSocket } from "../node/websocket.ts";
import type { DialOptions, WebSocketDialOptions, WebSocketLike } from "../platform.ts";
import type { Transport } from "../transport.ts";
import { Recorder, transportContract } from "../transport-contract.ts";
import { dialWebWebSocket } from "./websocket.ts";

function endpointAt(port: number, path = "/mqtt"): ReturnType<typeof parseEndpoint> {
  return parseEndpoint(`ws://127.0.0.1:${port}${path}`, "ws", { ws: 80, wss: 443 });
}

/** `ws` has the standard's interface, too. */
function createWebSocket(url: string, protocols: readonly string[]): WebSocketLike {
  return new WebSocket(url, [...protocols], { perMessageDeflate: false }) as unknown as WebSocketLike;
}

describe("web WebSocket transport, against a real server", () => {
  let server: WebSocketServer;
  let leaks: LeakCheck;

  beforeEach(async () => {
    leaks = leakCheck();
    server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
    await new Promise((resolve) => server.once("listening", resolve));
  });

  afterEach(async () => {
    for (const client of server.clients) client.terminate();
    await new Promise((resolve) => server.close(resolve));
    await leaks.check();
  });

  for (const item of transportContract) {
    if (item.needsBackpressure) continue;
    test(item.name, async () => {
      const heard = { subject: new Recorder(), peer: new Recorder() };
      const accepted = deferred<WebSocket>();
      const wrapped = accepted.promise.then((socket) => wrapWebSocket(socket, heard.peer));
      server.once("connection", (socket) => accepted.resolve(socket));
      const options: DialOptions = {
        kind: "ws",
        connectTimeoutMs: 5_000,
        webSocket: { protocols: ["mqtt"], createWebSocket },
      };
      const { port } = server.address() as AddressInfo;
      const transport = await dialWebWebSocket(systemClock(), endpointAt(port), options, heard.subject);
      const socket = await accepted.promise;
      await item.run({
        subject: { transport, heard: heard.subject },
        peer: { transport: await wrapped, heard: heard.peer },
        endPeer: () => socket.close(),
        breakPeer: () => socket.terminate(),
      });
      transport.destroy();
    });
  }
});

/** A WebSocket whose network is the test. */
class FakeSocket implements WebSocketLike {
  binaryType = "blob";
  readyState = 0;
  bufferedAmount = 0;
  closes: (number | undefined)[] = [];
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;

  send(data: Uint8Array): void {
    this.bufferedAmount += data.length;
  }

  close(code?: number): void {
    this.closes.push(code);
    this.readyState = 2;
  }

  open(): void {
    this.readyState = 1;
    this.onopen?.({} as never);
  }

  receive(data: unknown): void {
    this.onmessage?.({ data } as never);
  }

  ended(code: number, reason = ""): void {
    this.readyState = 3;
    this.onclose?.({ code, reason } as never);
  }
}

function bytes(length: number): ArrayBuffer {
  return new ArrayBuffer(length);
}

interface Opened {
  readonly clock: VirtualClock;
  readonly socket: FakeSocket;
  readonly heard: Recorder;
  readonly transport: Transport;
}

async function opened(): Promise<Opened> {
  const clock = new VirtualClock();
  const socket = new FakeSocket();
  const heard = new Recorder();
  const webSocket: WebSocketDialOptions = { protocols: ["mqtt"], createWebSocket: () => socket };
  const dial = dialWebWebSocket(clock, endpointAt(1), { kind: "ws", connectTimeoutMs: 100, webSocket }, heard);
  await clock.settle();
  socket.open();
  return { clock, socket, heard, transport: await dial };
}

describe("web WebSocket transport, on a virtual clock", () => {
  test("asks for binary messages as ArrayBuffer", async () => {
    const { socket } = await opened();
    expect(socket.binaryType).toBe("arraybuffer");
  });

  test("a connected transport leaves no timer", async () => {
    const { clock } = await opened();
    expect(clock.pendingTimers).toBe(0);
  });

  test("write returns false from 256 KiB unsent on, and onDrain follows when they are out", async () => {
    const { clock, socket, heard, transport } = await opened();
    expect(transport.write(new Uint8Array(262_143))).toBe(true);
    expect(transport.write(new Uint8Array(1))).toBe(false);
    expect(transport.write(new Uint8Array(1))).toBe(false);
    expect(transport.bufferedBytes).toBe(262_145);
    await clock.advance(1_000);
    expect(heard.drains).toBe(0);
    socket.bufferedAmount = 0;
    await clock.advance(5);
    expect(heard.drains).toBe(1);
    expect(clock.pendingTimers).toBe(0);
  });

  test("a message that comes in tells of a drain before the next look", async () => {
    const { socket, heard, transport } = await opened();
    transport.write(new Uint8Array(300_000));
    socket.bufferedAmount = 0;
    socket.receive(bytes(1));
    expect(heard.drains).toBe(1);
  });

  test("a pause holds what comes in, and resume hands it over in order in a later turn", async () => {
    const { clock, socket, heard, transport } = await opened();
    transport.pause();
    socket.receive(Uint8Array.of(1, 2).buffer);
    socket.receive(Uint8Array.of(3).buffer);
    expect(heard.bytes).toBe(0);
    transport.resume();
    expect(heard.bytes).toBe(0);
    socket.receive(Uint8Array.of(4).buffer);
    await clock.settle();
    expect([...heard.all()]).toEqual([1, 2, 3, 4]);
  });

  test("a pause inside onBytes holds the rest", async () => {
    const { clock, socket, heard, transport } = await opened();
    transport.pause();
    for (let i = 0; i < 3; i++) socket.receive(bytes(1));
    heard.react = () => transport.pause();
    transport.resume();
    await clock.settle();
    expect(heard.bytes).toBe(1);
  });

  test("what is held while paused is bounded: above 64 MiB the connection ends with an error", async () => {
    const { clock, socket, heard, transport } = await opened();
    transport.pause();
    for (let i = 0; i < 64; i++) socket.receive(bytes(1_048_576));
    await clock.settle();
    expect(heard.ends).toEqual([]);
    socket.receive(bytes(1));
    await clock.settle();
    expect(heard.ends).toMatchObject([{ code: "ERR_CONNECTION_LOST" }]);
    expect(heard.bytes).toBe(0);
  });

  test("a text message ends the connection with ERR_PROTOCOL_VIOLATION [MQTT-6.0.0-1]", async () => {
    const { clock, socket, heard } = await opened();
    socket.receive("text");
    socket.receive(bytes(1));
    await clock.settle();
    expect(heard.ends).toMatchObject([{ code: "ERR_PROTOCOL_VIOLATION" }]);
    expect(heard.bytes).toBe(0);
    expect(socket.closes).toEqual([undefined]);
  });

  test("close asks for code 1000 and reports the end that follows", async () => {
    const { clock, socket, heard, transport } = await opened();
    transport.close();
    expect(socket.closes).toEqual([1000]);
    socket.ended(1006);
    expect(heard.ends).toEqual([null]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("close reports the end after two seconds when the server never answers", async () => {
    const { clock, heard, transport } = await opened();
    transport.close();
    await clock.advance(1_999);
    expect(heard.ends).toEqual([]);
    await clock.advance(1);
    expect(heard.ends).toEqual([null]);
  });

  test("destroy after close reports at once and only once", async () => {
    const { clock, socket, heard, transport } = await opened();
    const reason = new Error("now");
    transport.write(new Uint8Array(300_000));
    transport.close();
    transport.destroy(reason);
    await clock.settle();
    socket.ended(1000);
    await clock.advance(10_000);
    expect(heard.ends).toEqual([reason]);
    expect(clock.pendingTimers).toBe(0);
  });

  test.each([1000, 1001, 1005])("code %i from the server is an orderly end", async (code) => {
    const { socket, heard } = await opened();
    socket.ended(code);
    expect(heard.ends).toEqual([null]);
  });

  test.each([1002, 1006, 1008, 1011])("code %i from the server is an error", async (code) => {
    const { socket, heard } = await opened();
    socket.ended(code, "because");
    expect(heard.ends).toMatchObject([{ code: "ERR_CONNECTION_LOST", message: expect.stringContaining("because") }]);
  });
});

describe("dialWebWebSocket", () => {
  const base = { kind: "ws", connectTimeoutMs: 100 } as const;

  test("a socket that fails to open is ERR_CONNECT_FAILED", async () => {
    const clock = new VirtualClock();
    const socket = new FakeSocket();
    const webSocket = { protocols: [], createWebSocket: () => socket };
    const dial = dialWebWebSocket(clock, endpointAt(1), { ...base, webSocket }, new Recorder());
    const outcome = expect(dial).rejects.toMatchObject({ code: "ERR_CONNECT_FAILED" });
    await clock.settle();
    socket.ended(1006);
    await outcome;
    expect(clock.pendingTimers).toBe(0);
  });

  test("the deadline closes the half-open socket, whose later events reach nobody", async () => {
    const clock = new VirtualClock();
    const socket = new FakeSocket();
    const heard = new Recorder();
    const webSocket = { protocols: [], createWebSocket: () => socket };
    const dial = dialWebWebSocket(clock, endpointAt(1), { ...base, webSocket }, heard);
    const outcome = expect(dial).rejects.toMatchObject({ code: "ERR_CONNECT_TIMEOUT" });
    await clock.advance(100);
    await outcome;
    expect(socket.closes).toEqual([undefined]);
    socket.open();
    socket.receive(bytes(1));
    socket.ended(1000);
    expect([heard.bytes, heard.ends.length]).toEqual([0, 0]);
  });

  test("an abort while transformUrl is pending opens no socket", async () => {
    const clock = new VirtualClock();
    const abort = new AbortController();
    const url = deferred<string>();
    let opens = 0;
    const createSocket = (): WebSocketLike => {
      opens++;
      return new FakeSocket();
    };
    const webSocket = { protocols: [], transformUrl: () => url.promise, createWebSocket: createSocket };
    const options = { ...base, webSocket, signal: abort.signal };
    const dial = dialWebWebSocket(clock, endpointAt(1), options, new Recorder());
    const outcome = expect(dial).rejects.toMatchObject({ code: "ERR_ABORTED" });
    abort.abort();
    await outcome;
    url.resolve("ws://late.example");
    await clock.settle();
    expect(opens).toBe(0);
  });

  test("the URL has host, port, path and query, but no credentials", async () => {
    const clock = new VirtualClock();
    let seen = "";
    const createSocket = (url: string): WebSocketLike => {
      seen = url;
      return new FakeSocket();
    };
    const endpoint = parseEndpoint("wss://user:secret@[::1]:8084/mqtt?a=b", "ws", { wss: 443 });
    const options: DialOptions = { ...base, kind: "wss", webSocket: { protocols: [], createWebSocket: createSocket } };
    const dial = dialWebWebSocket(clock, endpoint, options, new Recorder());
    const outcome = expect(dial).rejects.toMatchObject({ code: "ERR_CONNECT_TIMEOUT" });
    await clock.advance(100);
    await outcome;
    expect(seen).toBe("wss://[::1]:8084/mqtt?a=b");
  });

  test.each<[string, Partial<DialOptions>]>([
    ["headers", { webSocket: { protocols: [], headers: { a: "b" } } }],
    ["an agent", { webSocket: { protocols: [], agent: {} } }],
    ["TLS options", { tls: { ca: "x" } }],
  ])("%s are refused with ERR_UNSUPPORTED", async (_, options) => {
    const dial = dialWebWebSocket(new VirtualClock(), endpointAt(1), { ...base, ...options }, new Recorder());
    await expect(dial).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
  });
});
