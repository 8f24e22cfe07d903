import { createServer, type IncomingMessage, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { deferred } from "../../base/deferred.ts";
import { systemClock } from "../../base/system-clock.ts";
import { testCertificates as certificates } from "../../testing/certificates.ts";
import { type LeakCheck, leakCheck } from "../../testing/node/leak-check.ts";
import { resetSocket } from "../../testing/node/reset-socket.ts";
import { parseEndpoint } from "../endpoint.ts";
import type { DialOptions, WebSocketDialOptions } from "../platform.ts";
import type { Transport } from "../transport.ts";
import { type ContractLink, Recorder, transportContract } from "../transport-contract.ts";
import { dialWebSocket, wrapWebSocket } from "./websocket.ts";
import { type AcceptedWebSocket, type AcceptWebSocketOptions, acceptWebSocket } from "./websocket-server.ts";

const clock = systemClock();

interface Accepted extends AcceptedWebSocket {
  readonly stream: Duplex;
}

let server: Server;
let accepted = deferred<Accepted>();
let leaks: LeakCheck;
const streams = new Set<Duplex>();

beforeEach(() => {
  leaks = leakCheck();
  accepted = deferred();
});

afterEach(async () => {
  for (const stream of streams) stream.destroy();
  streams.clear();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await leaks.check();
});

async function serve(options: Partial<AcceptWebSocketOptions> = {}, secure = false): Promise<void> {
  const acceptor = acceptWebSocket({ protocols: ["mqtt"], ...options });
  server = secure ? createSecureServer({ cert: certificates.serverCert, key: certificates.serverKey }) : createServer();
  server.on("upgrade", (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    streams.add(stream);
    acceptor.upgrade(request, stream, head, (web) => accepted.resolve({ ...web, stream }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
}

function portOf(): number {
  return (server.address() as AddressInfo).port;
}

function dial(
  web: Partial<WebSocketDialOptions> = {},
  heard: Recorder = new Recorder(),
  more: Partial<DialOptions> & { path?: string } = {},
): Promise<Transport> {
  const kind = more.kind ?? "ws";
  const endpoint = parseEndpoint(`${kind}://127.0.0.1:${portOf()}${more.path ?? "/mqtt"}`, "ws", { ws: 80, wss: 443 });
  const webSocket = { protocols: ["mqtt"], ...web };
  return dialWebSocket(clock, endpoint, { connectTimeoutMs: 5_000, ...more, kind, webSocket }, heard);
}

async function serverSide(heard: Recorder): Promise<Transport> {
  const { socket, stream } = await accepted.promise;
  return wrapWebSocket(socket, heard, { stream });
}

async function link(subject: "client" | "server"): Promise<ContractLink> {
  await serve();
  const heard = { subject: new Recorder(), peer: new Recorder() };
  if (subject === "client") {
    const transport = await dial({}, heard.subject);
    const { socket, stream } = await accepted.promise;
    return {
      subject: { transport, heard: heard.subject },
      peer: { transport: await serverSide(heard.peer), heard: heard.peer },
      endPeer: () => socket.close(),
      breakPeer: () => resetSocket(stream as Socket),
    };
  }
  const raw = new WebSocket(`ws://127.0.0.1:${portOf()}/mqtt`, ["mqtt"], { perMessageDeflate: false });
  let stream: Socket | null = null;
  raw.once("upgrade", (response) => {
    stream = response.socket;
  });
  await new Promise((resolve) => raw.once("open", resolve));
  return {
    subject: { transport: await serverSide(heard.subject), heard: heard.subject },
    peer: { transport: wrapWebSocket(raw, heard.peer), heard: heard.peer },
    endPeer: () => raw.close(1000),
    breakPeer: () => resetSocket(stream as unknown as Socket),
  };
}

describe.each(["client", "server"] as const)("WebSocket transport, %s side", (side) => {
  for (const item of transportContract) {
    test(item.name, async () => {
      const connection = await link(side);
      await item.run(connection);
      connection.subject.transport.destroy();
      connection.peer.transport.destroy();
    });
  }
});

describe("dialWebSocket", () => {
  test("asks for the path, the subprotocols and the headers it was given [MQTT-6.0.0-3]", async () => {
    await serve({ protocols: ["mqtt"] });
    const transport = await dial({ protocols: ["amqp", "mqtt"], headers: { authorization: "Bearer x" } }, undefined, {
      path: "/broker?tenant=1",
    });
    const { request, protocol } = await accepted.promise;
    expect(request.url).toBe("/broker?tenant=1");
    expect(request.headers["sec-websocket-protocol"]).toBe("amqp,mqtt");
    expect(request.headers.authorization).toBe("Bearer x");
    expect(request.headers["sec-websocket-extensions"]).toBeUndefined();
    expect(protocol).toBe("mqtt");
    transport.destroy();
  });

  test("the transport says who is on the other side", async () => {
    await serve();
    const transport = await dial();
    expect(transport.info).toEqual({
      kind: "websocket",
      remoteAddress: "127.0.0.1",
      remotePort: portOf(),
      secure: false,
      peerCommonName: "",
    });
    transport.destroy();
  });

  test("wss checks the server against the given authority", async () => {
    await serve({}, true);
    const refused = dial({}, undefined, { kind: "wss" });
    await expect(refused).rejects.toMatchObject({ code: "ERR_CONNECT_FAILED", cause: { code: /UNABLE_TO_VERIFY/ } });
    const transport = await dial({}, undefined, { kind: "wss", tls: { ca: certificates.ca } });
    expect(transport.info).toMatchObject({ kind: "websocket", secure: true, peerCommonName: "localhost" });
    transport.destroy();
  });

  test("a key that OpenSSL cannot read is ERR_INVALID_OPTIONS", async () => {
    await serve({}, true);
    const refused = dial({}, undefined, { kind: "wss", tls: { cert: certificates.clientCert, key: "nonsense" } });
    await expect(refused).rejects.toMatchObject({ code: "ERR_INVALID_OPTIONS" });
  });

  test.each([{ protocols: "mqtt" }, { headers: "a: b" }, { messageBytesMax: "1000" }])(
    "options of a wrong type, as %j, are ERR_INVALID_OPTIONS",
    async (wrong) => {
      await serve();
      await expect(dial(wrong as unknown as Partial<WebSocketDialOptions>)).rejects.toMatchObject({
        code: "ERR_INVALID_OPTIONS",
      });
    },
  );

  test("a status other than 101 is ERR_CONNECT_FAILED and says which", async () => {
    await serve({ paths: ["/mqtt"] });
    const refused = dial({}, undefined, { path: "/elsewhere" });
    await expect(refused).rejects.toMatchObject({ code: "ERR_CONNECT_FAILED", message: /404/ });
  });

  test("a server that chooses no subprotocol is ERR_CONNECT_FAILED [MQTT-6.0.0-4]", async () => {
    await serve();
    server.removeAllListeners("upgrade");
    const raw = acceptWebSocket({ protocols: ["mqtt"] });
    server.on("upgrade", (request: IncomingMessage, stream: Duplex, head: Buffer) => {
      streams.add(stream);
      const write = stream.write.bind(stream) as (text: string) => boolean;
      stream.write = ((text: string) => write(text.replace(/sec-websocket-protocol: mqtt\r\n/i, ""))) as never;
      raw.upgrade(request, stream, head, () => undefined);
    });
    await expect(dial()).rejects.toMatchObject({ code: "ERR_CONNECT_FAILED", message: /subprotocol/ });
  });

  test("a server that answers nothing runs into the deadline", async () => {
    await serve();
    server.removeAllListeners("upgrade");
    server.on("upgrade", (_: IncomingMessage, stream: Duplex) => streams.add(stream));
    const late = dial({}, undefined, { connectTimeoutMs: 40 });
    await expect(late).rejects.toMatchObject({ code: "ERR_CONNECT_TIMEOUT" });
  });

  test("an abort during the handshake is ERR_ABORTED", async () => {
    await serve();
    server.removeAllListeners("upgrade");
    const abort = new AbortController();
    server.on("upgrade", (_: IncomingMessage, stream: Duplex) => {
      streams.add(stream);
      abort.abort();
    });
    const heard = new Recorder();
    await expect(dial({}, heard, { signal: abort.signal })).rejects.toMatchObject({ code: "ERR_ABORTED" });
    expect(heard.ends).toEqual([]);
  });

  test("transformUrl may sign the URL anew for each attempt", async () => {
    await serve();
    let signature = 0;
    const transformUrl = (url: string): Promise<string> => Promise.resolve(`${url}?signature=${++signature}`);
    (await dial({ transformUrl })).destroy();
    accepted = deferred();
    (await dial({ transformUrl })).destroy();
    expect((await accepted.promise).request.url).toBe("/mqtt?signature=2");
  });

  test("a transformUrl that fails is ERR_CONNECT_FAILED with its error as cause", async () => {
    await serve();
    const cause = new Error("no credentials");
    const failed = dial({ transformUrl: () => Promise.reject(cause) });
    await expect(failed).rejects.toMatchObject({ code: "ERR_CONNECT_FAILED", cause });
  });

  test("a transformUrl that never answers runs into the deadline", async () => {
    await serve();
    const never = dial({ transformUrl: () => new Promise<string>(() => undefined) }, undefined, {
      connectTimeoutMs: 20,
    });
    await expect(never).rejects.toMatchObject({ code: "ERR_CONNECT_TIMEOUT" });
  });

  test("bytes that come with the server's handshake reach the handler, after the promise's reactions", async () => {
    await serve();
    void accepted.promise.then(({ socket }) => socket.send(Uint8Array.of(1, 2, 3)));
    const heard = new Recorder();
    const transport = await dial({}, heard);
    expect(heard.bytes).toBe(0);
    await heard.until(() => heard.bytes === 3);
    transport.destroy();
  });
});

describe("WebSocket messages", () => {
  test("a text message ends the connection with ERR_PROTOCOL_VIOLATION and close code 1003 [MQTT-6.0.0-1]", async () => {
    await serve();
    const heard = new Recorder();
    await dial({}, heard);
    const { socket } = await accepted.promise;
    const code = new Promise((resolve) => socket.once("close", resolve));
    socket.send("text");
    socket.send(Uint8Array.of(1));
    await heard.until(() => heard.ends.length > 0);
    expect(heard.ends).toMatchObject([{ code: "ERR_PROTOCOL_VIOLATION" }]);
    expect(heard.bytes).toBe(0);
    expect(await code).toBe(1003);
  });

  test("message boundaries mean nothing: fragments and several messages are one stream [MQTT-6.0.0-2]", async () => {
    await serve();
    const heard = new Recorder();
    const transport = await dial({}, heard);
    const { socket } = await accepted.promise;
    socket.send(Uint8Array.of(1), { fin: false, binary: true });
    socket.send(Uint8Array.of(2), { fin: true });
    socket.send(new Uint8Array(0));
    socket.send(Uint8Array.of(3, 4));
    await heard.until(() => heard.bytes === 4);
    expect([...heard.all()]).toEqual([1, 2, 3, 4]);
    transport.destroy();
  });

  test("a message above messageBytesMax ends the connection with an error", async () => {
    await serve();
    const heard = new Recorder();
    await dial({ messageBytesMax: 1_000 }, heard);
    (await accepted.promise).socket.send(new Uint8Array(1_001));
    await heard.until(() => heard.ends.length > 0);
    expect(heard.ends).toMatchObject([{ code: "ERR_CONNECTION_LOST" }]);
    expect(heard.bytes).toBe(0);
  });

  test("the server takes no message above its own messageBytesMax", async () => {
    await serve({ messageBytesMax: 1_000 });
    const heard = { client: new Recorder(), server: new Recorder() };
    const transport = await dial({}, heard.client);
    await serverSide(heard.server);
    transport.write(new Uint8Array(1_001));
    await heard.server.until(() => heard.server.ends.length > 0);
    await heard.client.until(() => heard.client.ends.length > 0);
    expect(heard.server.bytes).toBe(0);
    expect(heard.client.ends).toMatchObject([{ code: "ERR_CONNECTION_LOST", message: /1009/ }]);
  });

  test("a peer's close code other than an orderly one is an error that carries code and reason", async () => {
    await serve();
    const heard = new Recorder();
    await dial({}, heard);
    (await accepted.promise).socket.close(1008, "not you");
    await heard.until(() => heard.ends.length > 0);
    expect(heard.ends).toMatchObject([{ code: "ERR_CONNECTION_LOST", message: /1008: not you/ }]);
  });

  test("a dropped TCP connection without a closing frame is an error", async () => {
    await serve();
    const heard = new Recorder();
    await dial({}, heard);
    (await accepted.promise).stream.end();
    await heard.until(() => heard.ends.length > 0);
    expect(heard.ends).toMatchObject([{ code: "ERR_CONNECTION_LOST" }]);
  });

  test("a frame that breaks RFC 6455 is an error", async () => {
    await serve();
    const heard = new Recorder();
    await dial({}, heard);
    (await accepted.promise).stream.write(Uint8Array.of(0xf2, 0x01, 0x00));
    await heard.until(() => heard.ends.length > 0);
    expect(heard.ends).toMatchObject([{ code: "ERR_CONNECTION_LOST", cause: { code: /^WS_ERR_/ } }]);
  });
});

describe("acceptWebSocket", () => {
  test.each<[number, string, Partial<AcceptWebSocketOptions>, Record<string, string>]>([
    [404, "a path that is not served", { paths: ["/amqp"] }, {}],
    [403, "an origin that may not connect", { origins: ["https://good.example"] }, { origin: "https://evil.example" }],
    [400, "no subprotocol that is spoken [MQTT-6.0.0-3]", { protocols: ["amqp"] }, {}],
  ])("answers %i to %s", async (status, _, options, headers) => {
    await serve(options);
    await expect(dial({ headers })).rejects.toMatchObject({ message: new RegExp(String(status)) });
  });

  test("lets an origin that may connect through, and clients without one", async () => {
    await serve({ origins: ["https://good.example"] });
    (await dial({ headers: { origin: "https://good.example" } })).destroy();
    (await dial()).destroy();
  });

  test("takes a request without a subprotocol only where that is said", async () => {
    await serve({ withoutProtocol: "accept" });
    const ask = (): Promise<string> =>
      new Promise((resolve) => {
        const socket = new WebSocket(`ws://127.0.0.1:${portOf()}/mqtt`);
        socket.on("error", (error) => resolve(error.message));
        socket.on("open", () => {
          resolve(`open ${socket.protocol}`);
          socket.terminate();
        });
      });
    expect(await ask()).toBe("open ");
    expect((await accepted.promise).protocol).toBe("");
    await expect(dial({ protocols: ["other"] })).rejects.toMatchObject({ message: /400/ });
    server.removeAllListeners("upgrade");
    const strict = acceptWebSocket({ protocols: ["mqtt"] });
    server.on("upgrade", (request, stream, head) => strict.upgrade(request, stream, head, () => expect.unreachable()));
    expect(await ask()).toMatch(/400/);
  });

  test("chooses its own best subprotocol of those offered [MQTT-6.0.0-4]", async () => {
    await serve({ protocols: ["mqtt", "mqttv3.1"] });
    const transport = await dial({ protocols: ["mqttv3.1", "mqtt"] });
    expect((await accepted.promise).protocol).toBe("mqtt");
    transport.destroy();
  });

  test("bytes that came with the upgrade request are not lost", async () => {
    await serve();
    const heard = new Recorder();
    const wrapped = deferred<Transport>();
    const acceptor = acceptWebSocket({ protocols: ["mqtt"] });
    server.removeAllListeners("upgrade");
    server.on("upgrade", (upgrade: IncomingMessage, stream: Duplex, head: Buffer) => {
      expect(head.length).toBe(8);
      acceptor.upgrade(upgrade, stream, head, (web) => wrapped.resolve(wrapWebSocket(web.socket, heard, { stream })));
    });
    const socket = connect(portOf(), "127.0.0.1");
    const request = [
      "GET /mqtt HTTP/1.1",
      "Host: x",
      "Upgrade: websocket",
      "Connection: Upgrade",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
      "Sec-WebSocket-Protocol: mqtt",
      "",
      "",
    ].join("\r\n");
    // One masked binary frame of two bytes, in the same segment as the request.
    socket.write(Buffer.concat([Buffer.from(request), Buffer.from([0x82, 0x82, 0, 0, 0, 0, 9, 8])]));
    socket.resume();
    await heard.until(() => heard.bytes === 2);
    expect([...heard.all()]).toEqual([9, 8]);
    (await wrapped.promise).destroy();
    socket.destroy();
  });
});
