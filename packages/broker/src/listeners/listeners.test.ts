import { faultProxy, leakCheck, testCertificates, VirtualClock } from "polymq/testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import {
  connectPeer,
  connectTlsPeer,
  type EchoBroker,
  type EchoOptions,
  echoBroker,
  PLAIN,
  TLS,
  WEB,
} from "./listeners.test-support.ts";

let leaks = leakCheck();
const opened: EchoBroker[] = [];

async function open(options: EchoOptions = {}): Promise<EchoBroker> {
  const broker = await echoBroker(options);
  opened.push(broker);
  return broker;
}

beforeEach(() => {
  leaks = leakCheck();
});

afterEach(async () => {
  for (const broker of opened.splice(0)) await broker.listeners.close();
  await leaks.check();
});

describe("the first bytes", () => {
  test("reach the protocol unharmed together with all that follows", async () => {
    const { port, taken } = await open();
    const peer = await connectPeer(port);
    peer.socket.write("\x10 hello");
    expect(await peer.received(7)).toBe("\x10 hello");
    peer.socket.write(", world");
    expect(await peer.received(14)).toBe("\x10 hello, world");
    expect(taken[0]?.arrival).toMatchObject({ host: "127.0.0.1", port, webSocket: null });
    peer.socket.end();
    expect(await taken[0]?.closed).toBe(null);
  });

  test("may come one by one", async () => {
    const { port, metrics } = await open({
      listeners: [{ ...PLAIN, tls: { ...TLS, plaintext: "allow" }, webSocket: WEB }],
    });
    const peer = await connectPeer(port);
    const request = "GET /elsewhere HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for (const c of request) {
      await new Promise<void>((resolve) => {
        peer.socket.write(c, () => setImmediate(resolve));
      });
    }
    expect(await peer.closed).toMatch(/^HTTP\/1\.1 404 /);
    expect(metrics.connectionsUnrecognized).toBe(0);
  });

  test("that are AMQP's reach the other protocol, first bytes included", async () => {
    const { port, taken, metrics } = await open();
    const peer = await connectPeer(port);
    peer.socket.write("AMQP\x00\x00\x09\x01");
    expect(await peer.received(8)).toBe("AMQP\x00\x00\x09\x01");
    expect(taken).toEqual([]);
    expect(metrics.connectionsUnrecognized).toBe(0);
  });

  test("that belong to no protocol end the connection and are counted", async () => {
    const { port, metrics } = await open();
    const peer = await connectPeer(port);
    peer.socket.write("SSH-2.0-");
    await peer.closed;
    expect(metrics.connectionsUnrecognized).toBe(1);
  });

  test("of a protocol that this port does not serve end the connection", async () => {
    const { port, taken, metrics } = await open({ listeners: [{ ...PLAIN, protocols: ["amqp091"] }] });
    const peer = await connectPeer(port);
    peer.socket.write("\x10");
    await peer.closed;
    expect(taken).toEqual([]);
    expect(metrics.connectionsUnrecognized).toBe(1);
  });

  test("have to come in time", async () => {
    const clock = new VirtualClock();
    const { port, metrics } = await open({ clock, limits: { sniffTimeoutMs: 3_000 } });
    const peer = await connectPeer(port);
    while (clock.pendingTimers === 0) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(2_999);
    expect(peer.socket.readyState).toBe("open");
    await clock.advance(1);
    await peer.closed;
    expect(metrics.connectionsTimedOut).toBe(1);
  });

  test("stop the clock once they have come", async () => {
    const clock = new VirtualClock();
    const { port } = await open({ clock });
    const peer = await connectPeer(port);
    peer.socket.write("\x10");
    await peer.received(1);
    expect(clock.pendingTimers).toBe(0);
  });

  test("of a client that left at once trouble nobody", async () => {
    const clock = new VirtualClock();
    const { port, metrics } = await open({ clock });
    const peer = await connectPeer(port);
    peer.socket.write("A");
    peer.socket.resetAndDestroy();
    await peer.closed;
    while (metrics.connectionsAccepted === 0 || metrics.connectionsOpen > 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("limits", () => {
  test("a connection above the total is ended, those before it go on", async () => {
    const { port, metrics } = await open({ limits: { connectionsMax: 1 } });
    const first = await connectPeer(port);
    first.socket.write("\x10a");
    await first.received(2);
    const second = await connectPeer(port);
    await second.closed;
    expect(metrics.connectionsRefused).toBe(1);
    first.socket.write("b");
    expect(await first.received(3)).toBe("\x10ab");
  });

  test("a place is free again when its connection has ended", async () => {
    const { port, taken } = await open({ limits: { connectionsPerAddressMax: 1 } });
    const first = await connectPeer(port);
    first.socket.write("\x10");
    await first.received(1);
    first.socket.end();
    await taken[0]?.closed;
    const second = await connectPeer(port);
    second.socket.write("\x10x");
    expect(await second.received(2)).toBe("\x10x");
  });

  test("hold over all ports together", async () => {
    const { listeners, metrics } = await open({ listeners: [PLAIN, PLAIN], limits: { connectionsMax: 1 } });
    const [one, two] = listeners.addresses;
    const first = await connectPeer(one?.port ?? 0);
    first.socket.write("\x10");
    await first.received(1);
    const second = await connectPeer(two?.port ?? 0);
    await second.closed;
    expect(metrics.connectionsRefused).toBe(1);
  });
});

describe("TLS", () => {
  test("is told by its ClientHello, and the protocol by the first bytes inside", async () => {
    const { port, taken } = await open({ listeners: [{ ...PLAIN, tls: TLS }] });
    const peer = await connectTlsPeer(port);
    peer.socket.write("\x10 secret");
    expect(await peer.received(8)).toBe("\x10 secret");
    expect(taken[0]?.info).toMatchObject({ kind: "tls", secure: true, peerCommonName: "", remoteAddress: "127.0.0.1" });
  });

  test("the ClientHello may come byte by byte", async () => {
    const { port } = await open({ listeners: [{ ...PLAIN, tls: TLS }] });
    const proxy = await faultProxy({ target: { host: "127.0.0.1", port }, faults: { pieceBytes: [1, 1] } });
    const peer = await connectTlsPeer(proxy.port);
    peer.socket.write("\x10");
    expect(await peer.received(1)).toBe("\x10");
    await proxy.close();
  });

  test("shows the protocol who the client's certificate says it is", async () => {
    const { port, taken } = await open({ listeners: [{ ...PLAIN, tls: { ...TLS, clientCertificate: "require" } }] });
    const peer = await connectTlsPeer(port, { cert: testCertificates.clientCert, key: testCertificates.clientKey });
    peer.socket.write("\x10");
    await peer.received(1);
    expect(taken[0]?.info?.peerCommonName).toBe("polymq-test-client");
  });

  test("a client without a certificate is refused where one is required", async () => {
    const { port, taken, metrics } = await open({
      listeners: [{ ...PLAIN, tls: { ...TLS, clientCertificate: "require", maxVersion: "TLSv1.2" } }],
    });
    await expect(connectTlsPeer(port)).rejects.toThrow();
    expect(taken).toEqual([]);
    while (metrics.connectionsOpen > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(metrics.tlsHandshakesFailed).toBe(1);
  });

  test("a client without a certificate stays unknown where one is only asked for", async () => {
    const { port, taken } = await open({ listeners: [{ ...PLAIN, tls: { ...TLS, clientCertificate: "ask" } }] });
    const peer = await connectTlsPeer(port);
    peer.socket.write("\x10");
    await peer.received(1);
    expect(taken[0]?.info?.peerCommonName).toBe("");
  });

  test("nothing but TLS is served on its port", async () => {
    const { port, taken, metrics } = await open({ listeners: [{ ...PLAIN, tls: TLS, webSocket: WEB }] });
    for (const text of ["\x10\x00", "GET /mqtt HTTP/1.1\r\n\r\n"]) {
      const peer = await connectPeer(port);
      peer.socket.write(text);
      expect(await peer.closed).toBe("");
    }
    expect(taken).toEqual([]);
    expect(metrics.connectionsUnrecognized).toBe(2);
  });

  test("can share its port with plain connections when that is asked for", async () => {
    const { port, taken } = await open({ listeners: [{ ...PLAIN, tls: { ...TLS, plaintext: "allow" } }] });
    const plain = await connectPeer(port);
    plain.socket.write("\x10");
    await plain.received(1);
    const secure = await connectTlsPeer(port);
    secure.socket.write("\x10");
    await secure.received(1);
    expect(taken.map((connection) => connection.info?.secure)).toEqual([false, true]);
  });

  test("a handshake that is never finished ends in time", async () => {
    const { port, metrics } = await open({
      listeners: [{ ...PLAIN, tls: TLS }],
      limits: { tlsHandshakeTimeoutMs: 50 },
    });
    const peer = await connectPeer(port);
    peer.socket.write("\x16\x03\x01\x02\x00\x01");
    await peer.closed;
    expect(metrics.tlsHandshakesFailed).toBe(1);
  });

  test("garbage in place of a handshake ends the connection", async () => {
    const { port, metrics } = await open({ listeners: [{ ...PLAIN, tls: TLS }] });
    const peer = await connectPeer(port);
    peer.socket.write("\x16\x03\x01\x00\x05xxxxxxxxxxxx");
    await peer.closed;
    expect(metrics.tlsHandshakesFailed).toBe(1);
  });

  test("a silent client inside TLS has to show its protocol in time, too", async () => {
    const clock = new VirtualClock();
    const { port, metrics } = await open({ clock, listeners: [{ ...PLAIN, tls: TLS }] });
    const peer = await connectTlsPeer(port);
    while (clock.pendingTimers === 0) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(10_000);
    await peer.closed;
    expect(metrics.connectionsTimedOut).toBe(1);
  });

  test("a certificate that cannot be used is an option error, before anything listens", async () => {
    const broken = { ...PLAIN, tls: { ...TLS, cert: "not a certificate" } };
    await expect(echoBroker({ listeners: [PLAIN, broken] })).rejects.toMatchObject({ code: "ERR_INVALID_OPTIONS" });
  });
});

describe("WebSocket", () => {
  const webListener = { ...PLAIN, webSocket: WEB };

  function statusOf(socket: WebSocket): Promise<number> {
    return new Promise((resolve) => {
      socket.on("error", () => {});
      socket.once("unexpected-response", (request, response) => {
        response.resume();
        request.destroy();
        resolve(response.statusCode ?? 0);
      });
    });
  }

  function echoed(socket: WebSocket, text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      socket.once("error", reject);
      socket.once("open", () => socket.send(Buffer.from(text, "latin1")));
      socket.once("message", (data: Buffer) => resolve(data.toString("latin1")));
    });
  }

  test("is served at its path with the subprotocol mqtt [MQTT-6.0.0-3] [MQTT-6.0.0-4]", async () => {
    const { port, taken } = await open({ listeners: [webListener] });
    const socket = new WebSocket(`ws://127.0.0.1:${port}/mqtt?token=1`, ["mqtt"], { origin: "https://example.com" });
    expect(await echoed(socket, "\x10 web")).toBe("\x10 web");
    expect(socket.protocol).toBe("mqtt");
    expect(taken[0]?.arrival.webSocket).toEqual({ path: "/mqtt", origin: "https://example.com" });
    expect(taken[0]?.info).toMatchObject({ kind: "websocket", secure: false, remoteAddress: "127.0.0.1" });
    socket.close();
    expect(await taken[0]?.closed).toBe(null);
  });

  test("is served inside TLS, with the client's certificate known", async () => {
    const tls = { ...TLS, clientCertificate: "require" } as const;
    const { port, taken } = await open({ listeners: [{ ...webListener, tls }] });
    const { ca, clientCert, clientKey } = testCertificates;
    const socket = new WebSocket(`wss://127.0.0.1:${port}/mqtt`, ["mqtt"], { ca, cert: clientCert, key: clientKey });
    expect(await echoed(socket, "\x10")).toBe("\x10");
    expect(taken[0]?.info).toMatchObject({ secure: true, peerCommonName: "polymq-test-client" });
    socket.terminate();
    await taken[0]?.closed;
  });

  test("a wrong path is 404", async () => {
    const { port, metrics } = await open({ listeners: [webListener] });
    expect(await statusOf(new WebSocket(`ws://127.0.0.1:${port}/other`, ["mqtt"]))).toBe(404);
    expect(metrics.httpRequestsRefused).toBe(1);
  });

  test("a wrong subprotocol is 400", async () => {
    const { port } = await open({ listeners: [webListener] });
    expect(await statusOf(new WebSocket(`ws://127.0.0.1:${port}/mqtt`, ["chat"]))).toBe(400);
  });

  test("a page of a foreign origin is 403", async () => {
    const { port } = await open({
      listeners: [{ ...PLAIN, webSocket: { ...WEB, origins: ["https://mine.example"] } }],
    });
    const url = `ws://127.0.0.1:${port}/mqtt`;
    expect(await statusOf(new WebSocket(url, ["mqtt"], { origin: "https://evil.example" }))).toBe(403);
    const own = new WebSocket(url, ["mqtt"], { origin: "https://mine.example" });
    expect(await echoed(own, "\x10")).toBe("\x10");
    own.terminate();
  });

  test("a plain request to its path is told to upgrade", async () => {
    const { port } = await open({ listeners: [webListener] });
    const answer = await fetch(`http://127.0.0.1:${port}/mqtt`);
    expect(answer.status).toBe(426);
    expect(answer.headers.get("upgrade")).toBe("websocket");
    expect(await answer.text()).toContain("mqtt");
  });

  test("a request elsewhere is 404 with a text that helps", async () => {
    const { port } = await open({ listeners: [webListener] });
    const answer = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body: "x" });
    expect(answer.status).toBe(404);
    expect(await answer.text()).toContain("/mqtt");
  });

  test("an open WebSocket has no deadline any more", async () => {
    const clock = new VirtualClock();
    const { port } = await open({ clock, listeners: [webListener] });
    const socket = new WebSocket(`ws://127.0.0.1:${port}/mqtt`, ["mqtt"]);
    expect(await echoed(socket, "\x10")).toBe("\x10");
    expect(clock.pendingTimers).toBe(0);
    socket.terminate();
  });

  test("a request that is never finished ends in time", async () => {
    const clock = new VirtualClock();
    const { port, metrics } = await open({ clock, listeners: [webListener] });
    const peer = await connectPeer(port);
    peer.socket.write("GET /mqtt HTTP/1.1\r\nHost: x\r\n");
    while (clock.pendingTimers === 0 || metrics.connectionsAccepted === 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    await clock.advance(20_000);
    await peer.closed;
    expect(metrics.connectionsTimedOut).toBe(1);
  });

  test("headers without end are refused", async () => {
    const { port, metrics } = await open({ listeners: [webListener] });
    const peer = await connectPeer(port);
    peer.socket.write(`GET /mqtt HTTP/1.1\r\nHost: x\r\nX: ${"y".repeat(20_000)}`);
    expect(await peer.closed).toMatch(/^HTTP\/1\.1 431 /);
    expect(metrics.connectionsTimedOut).toBe(0);
  });

  test("a message above the limit ends the connection with 1009", async () => {
    const { port, taken } = await open({ listeners: [{ ...PLAIN, webSocket: { ...WEB, messageBytesMax: 100 } }] });
    const socket = new WebSocket(`ws://127.0.0.1:${port}/mqtt`, ["mqtt"]);
    socket.once("open", () => socket.send(Buffer.alloc(101)));
    expect(await new Promise((resolve) => socket.once("close", resolve))).toBe(1009);
    expect(await taken[0]?.closed).toMatchObject({ code: "ERR_CONNECTION_LOST" });
  });
});

describe("openListeners", () => {
  test("a port in use is ERR_LISTEN_FAILED with the cause, and nothing stays open", async () => {
    const taken = await open();
    const free = { ...PLAIN, port: 0 };
    const failing = echoBroker({ listeners: [free, { ...PLAIN, port: taken.port }] });
    await expect(failing).rejects.toMatchObject({ code: "ERR_LISTEN_FAILED", cause: { code: "EADDRINUSE" } });
  });

  test("a port can be bound again right after close", async () => {
    const first = await echoBroker();
    await first.listeners.close();
    const second = await open({ listeners: [{ ...PLAIN, port: first.port }] });
    expect(second.port).toBe(first.port);
  });

  test("close ends every connection, of whatever kind, and resolves when no socket is left", async () => {
    const { listeners, port, metrics, taken } = await echoBroker({
      listeners: [{ ...PLAIN, tls: { ...TLS, plaintext: "allow" }, webSocket: WEB }],
    });
    const silent = await connectPeer(port);
    const http = await connectPeer(port);
    http.socket.write("GET /mqtt HTTP");
    const hello = await connectPeer(port);
    hello.socket.write("\x16\x03\x01\x02\x00\x01");
    const plain = await connectPeer(port);
    plain.socket.write("\x10");
    await plain.received(1);
    const secure = await connectTlsPeer(port);
    secure.socket.write("\x10");
    await secure.received(1);
    const web = new WebSocket(`ws://127.0.0.1:${port}/mqtt`, ["mqtt"]);
    web.on("error", () => {});
    await new Promise((resolve) => web.once("open", resolve));
    expect(metrics.connectionsOpen).toBe(6);
    const webClosed = new Promise((resolve) => web.once("close", resolve));
    await Promise.all([listeners.close(), listeners.close()]);
    expect(metrics.connectionsOpen).toBe(0);
    await Promise.all(taken.map((connection) => connection.closed));
    expect(taken).toHaveLength(3);
    await Promise.all([silent.closed, http.closed, hello.closed, plain.closed, secure.closed, webClosed]);
  });

  test("stop frees the port and ends undecided connections, but leaves the others to their protocol", async () => {
    const { listeners, port, taken } = await open({
      listeners: [{ ...PLAIN, tls: { ...TLS, plaintext: "allow" }, webSocket: WEB }],
    });
    const silent = await connectPeer(port);
    const inside = await connectTlsPeer(port);
    const plain = await connectPeer(port);
    plain.socket.write("\x10a");
    await plain.received(2);
    const secure = await connectTlsPeer(port);
    secure.socket.write("\x10a");
    await secure.received(2);
    const web = new WebSocket(`ws://127.0.0.1:${port}/mqtt`, ["mqtt"]);
    await new Promise((resolve) => web.once("open", resolve));
    const { ca } = testCertificates;
    const secureWeb = new WebSocket(`wss://127.0.0.1:${port}/mqtt`, ["mqtt"], { ca });
    await new Promise((resolve) => secureWeb.once("open", resolve));
    await listeners.stop();
    await Promise.all([silent.closed, inside.closed]);
    await expect(connectPeer(port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    plain.socket.write("b");
    secure.socket.write("b");
    expect(await plain.received(3)).toBe("\x10ab");
    expect(await secure.received(3)).toBe("\x10ab");
    for (const socket of [web, secureWeb]) {
      const answer = new Promise((resolve) => socket.once("message", (data: Buffer) => resolve(data.toString())));
      socket.send(Buffer.from("still here"));
      expect(await answer).toBe("still here");
      socket.terminate();
    }
    expect(taken).toHaveLength(4);
  });

  test("each address says where it is", async () => {
    const { listeners } = await open({
      listeners: [
        { ...PLAIN, webSocket: WEB },
        { ...PLAIN, tls: TLS },
      ],
    });
    const [plain, secure] = listeners.addresses;
    const [open1, open2] = [`127.0.0.1:${plain?.port}`, `127.0.0.1:${secure?.port}`];
    expect(plain?.urls).toEqual([`mqtt://${open1}`, `amqp://${open1}`, `ws://${open1}/mqtt`]);
    expect(secure).toMatchObject({ transport: "tls", urls: [`mqtts://${open2}`, `amqps://${open2}`] });
  });
});
