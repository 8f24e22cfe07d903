import type { Socket } from "node:net";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { deferred } from "../../base/deferred.ts";
import { systemClock } from "../../base/system-clock.ts";
import { type LeakCheck, leakCheck } from "../../testing/node/leak-check.ts";
import { resetSocket } from "../../testing/node/reset-socket.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { parseEndpoint } from "../endpoint.ts";
import { parseLocalEndpoint } from "../local-endpoint.ts";
import type { DialOptions } from "../platform.ts";
import type { Transport } from "../transport.ts";
import { type ContractLink, Recorder, transportContract } from "../transport-contract.ts";
import { wrapSocket } from "./socket-transport.ts";
import { dialTcp, type Listener, listenTcp } from "./tcp.ts";

const clock = systemClock();
const tcp: DialOptions = { kind: "tcp", connectTimeoutMs: 5_000 };

function at(port: number): ReturnType<typeof parseEndpoint> {
  return parseEndpoint(`tcp://127.0.0.1:${port}`, "tcp", { tcp: 1 });
}

let listener: Listener;
let accepted = deferred<Socket>();
let leaks: LeakCheck;

beforeEach(async () => {
  leaks = leakCheck();
  accepted = deferred();
  listener = await listenTcp({ host: "127.0.0.1", port: 0 }, (socket) => accepted.resolve(socket));
});

afterEach(async () => {
  await listener.close();
  await leaks.check();
});

/** The end under test is made by polymq; the peer's raw socket is kept, to be ended and broken as a foreign program would. */
async function link(subject: "client" | "server"): Promise<ContractLink> {
  const heard = { subject: new Recorder(), peer: new Recorder() };
  let raw: Socket;
  let transport: Transport;
  if (subject === "client") {
    transport = await dialTcp(clock, at(listener.port), tcp, heard.subject);
    raw = await accepted.promise;
  } else {
    raw = connect(listener.port, "127.0.0.1");
    transport = wrapSocket(await accepted.promise, heard.subject);
  }
  return {
    subject: { transport, heard: heard.subject },
    peer: { transport: wrapSocket(raw, heard.peer), heard: heard.peer },
    endPeer: () => raw.end(),
    breakPeer: () => resetSocket(raw),
  };
}

describe.each(["client", "server"] as const)("TCP transport, %s side", (side) => {
  for (const item of transportContract) {
    test(item.name, async () => {
      const connection = await link(side);
      await item.run(connection);
      connection.subject.transport.destroy();
      connection.peer.transport.destroy();
    });
  }
});

describe("a peer that sends more than others can wait for", () => {
  test("hands over half a MiB a turn, and all of it in the end", async () => {
    const { subject, peer } = await link("server");
    let thisTurn = 0;
    let most = 0;
    let before = 0;
    subject.heard.react = () => {
      if (thisTurn === 0) setImmediate(() => (thisTurn = 0));
      thisTurn += subject.heard.bytes - before;
      before = subject.heard.bytes;
      most = Math.max(most, thisTurn);
    };
    subject.transport.pause();
    peer.transport.write(new Uint8Array(8_388_608));
    subject.transport.resume();
    await subject.heard.until(() => subject.heard.bytes === 8_388_608);
    expect(most).toBeGreaterThan(65_536);
    expect(most).toBeLessThanOrEqual(524_288 + 65_536);
    subject.transport.destroy();
    peer.transport.destroy();
  });

  test("is not read on by itself where the owner has paused meanwhile", async () => {
    const { subject, peer } = await link("server");
    subject.heard.react = () => {
      if (subject.heard.bytes >= 524_288) subject.transport.pause();
    };
    peer.transport.write(new Uint8Array(8_388_608));
    await subject.heard.until(() => subject.heard.bytes >= 524_288);
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    expect(subject.heard.bytes).toBeLessThanOrEqual(524_288 + 131_072);
    subject.heard.react = () => undefined;
    subject.transport.resume();
    await subject.heard.until(() => subject.heard.bytes === 8_388_608);
    subject.transport.destroy();
    peer.transport.destroy();
  });
});

describe("dialTcp", () => {
  test("the transport says who is on the other side", async () => {
    const connection = await link("client");
    const { info } = connection.subject.transport;
    expect(info).toEqual({
      kind: "tcp",
      remoteAddress: "127.0.0.1",
      remotePort: listener.port,
      secure: false,
      peerCommonName: "",
    });
    connection.subject.transport.destroy();
    connection.peer.transport.destroy();
  });

  test("a small write leaves at once and write returns true", async () => {
    const { subject, peer } = await link("client");
    expect(subject.transport.write(new Uint8Array([1]))).toBe(true);
    expect(subject.transport.bufferedBytes).toBe(0);
    subject.transport.destroy();
    peer.transport.destroy();
  });

  test("chunks are plain Uint8Array, not Buffer", async () => {
    const { subject, peer } = await link("client");
    peer.transport.write(new Uint8Array([1, 2]));
    await subject.heard.until(() => subject.heard.bytes > 0);
    expect(Object.getPrototypeOf(subject.heard.chunks[0])).toBe(Uint8Array.prototype);
    subject.transport.destroy();
    peer.transport.destroy();
  });

  test("a refused connection is ERR_CONNECT_FAILED with the system's error as cause", async () => {
    const unused = await listenTcp({ host: "127.0.0.1", port: 0 }, () => undefined);
    await unused.close();
    const dial = dialTcp(clock, at(unused.port), tcp, new Recorder());
    await expect(dial).rejects.toMatchObject({ code: "ERR_CONNECT_FAILED", cause: { code: "ECONNREFUSED" } });
  });

  test("a signal that fires while connecting is ERR_ABORTED and leaves no socket", async () => {
    const abort = new AbortController();
    // 203.0.113.0/24 is set aside for documents (RFC 5737): nobody answers there, or the network says so at once.
    const endpoint = { ...at(9), host: "203.0.113.1" };
    const heard = new Recorder();
    const dial = dialTcp(clock, endpoint, { ...tcp, signal: abort.signal }, heard);
    abort.abort(new Error("changed my mind"));
    await expect(dial).rejects.toMatchObject({ code: "ERR_ABORTED", cause: { message: "changed my mind" } });
    expect(heard.ends).toEqual([]);
  });

  test("a signal that has fired already opens nothing", async () => {
    const dial = dialTcp(clock, at(listener.port), { ...tcp, signal: AbortSignal.abort() }, new Recorder());
    await expect(dial).rejects.toMatchObject({ code: "ERR_ABORTED" });
  });

  test("the deadline is ERR_CONNECT_TIMEOUT", async () => {
    const virtual = new VirtualClock();
    const endpoint = { ...at(9), host: "203.0.113.1" };
    const dial = dialTcp(virtual, endpoint, { ...tcp, connectTimeoutMs: 700 }, new Recorder());
    const outcome = expect(dial).rejects.toMatchObject({ code: "ERR_CONNECT_TIMEOUT" });
    virtual.advanceSync(700);
    await outcome;
    expect(virtual.pendingTimers).toBe(0);
  });

  test("a local socket is dialled by its path", async () => {
    const path = join(tmpdir(), `polymq-test-${process.pid}.sock`);
    const local = await listenTcp({ host: "", port: 0, path }, (socket) => accepted.resolve(socket));
    const endpoint = parseLocalEndpoint(`unix:${path}`);
    const heard = new Recorder();
    const transport = await dialTcp(clock, endpoint, { ...tcp, kind: "unix" }, heard);
    const server = wrapSocket(await accepted.promise, new Recorder());
    server.write(new Uint8Array([7]));
    await heard.until(() => heard.bytes === 1);
    transport.destroy();
    server.destroy();
    await local.close();
  });
});

describe("wrapSocket", () => {
  test("bytes read before are handed over first", async () => {
    const heard = { client: new Recorder(), server: new Recorder() };
    const client = await dialTcp(clock, at(listener.port), tcp, heard.client);
    const socket = await accepted.promise;
    client.write(new Uint8Array([1, 2, 3]));
    const head = await new Promise<Uint8Array>((resolve) => socket.once("data", resolve));
    socket.pause();
    client.write(new Uint8Array([4]));
    const server = wrapSocket(socket, heard.server, { head });
    server.resume();
    await heard.server.until(() => heard.server.bytes === 4);
    expect([...heard.server.all()]).toEqual([1, 2, 3, 4]);
    client.destroy();
    server.destroy();
  });

  test("a socket that is closed already is told as closed", async () => {
    const client = await dialTcp(clock, at(listener.port), tcp, new Recorder());
    const socket = await accepted.promise;
    client.destroy();
    socket.resume();
    await new Promise((resolve) => socket.once("close", resolve));
    const heard = new Recorder();
    const server = wrapSocket(socket, heard);
    expect(server.write(new Uint8Array(1))).toBe(true);
    await heard.until(() => heard.ends.length === 1);
    expect(heard.ends).toEqual([null]);
  });

  test("close gives up on a peer that has read everything and never hangs up", async () => {
    const heard = new Recorder();
    const transport = await dialTcp(clock, at(listener.port), tcp, heard);
    const stubborn = await accepted.promise;
    stubborn.allowHalfOpen = true;
    stubborn.resume();
    transport.close();
    await heard.until(() => heard.ends.length === 1);
    expect(heard.ends).toEqual([null]);
    stubborn.destroy();
  });

  test("no listener is added per write or read", async () => {
    const { subject, peer } = await link("client");
    const socket = await accepted.promise;
    const before = socket.eventNames().map((name) => socket.listenerCount(name));
    for (let i = 1; i <= 20; i++) {
      peer.transport.write(new Uint8Array(100));
      await subject.heard.until(() => subject.heard.bytes >= i * 100);
    }
    expect(socket.eventNames().map((name) => socket.listenerCount(name))).toEqual(before);
    subject.transport.destroy();
    peer.transport.destroy();
  });
});

describe("listenTcp", () => {
  test("a port that is taken is ERR_LISTEN_FAILED", async () => {
    const second = listenTcp({ host: "127.0.0.1", port: listener.port }, () => undefined);
    await expect(second).rejects.toMatchObject({ code: "ERR_LISTEN_FAILED", cause: { code: "EADDRINUSE" } });
  });

  test("close frees the port although a connection is still open", async () => {
    const client = await dialTcp(clock, at(listener.port), tcp, new Recorder());
    const socket = await accepted.promise;
    await listener.close();
    const again = createServer();
    await new Promise<void>((resolve) => again.listen(listener.port, "127.0.0.1", resolve));
    again.close();
    client.destroy();
    socket.destroy();
  });
});
