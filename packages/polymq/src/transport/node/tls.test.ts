import { connect as netConnect } from "node:net";
import { type TLSSocket, connect as tlsConnect } from "node:tls";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { deferred } from "../../base/deferred.ts";
import { systemClock } from "../../base/system-clock.ts";
import { testCertificates as certificates } from "../../testing/certificates.ts";
import { type FaultProxy, faultProxy } from "../../testing/node/fault-proxy.ts";
import { type LeakCheck, leakCheck } from "../../testing/node/leak-check.ts";
import { parseEndpoint } from "../endpoint.ts";
import type { DialOptions, TlsOptions } from "../platform.ts";
import type { Transport } from "../transport.ts";
import { type ContractLink, Recorder, transportContract } from "../transport-contract.ts";
import { wrapSocket } from "./socket-transport.ts";
import type { Listener } from "./tcp.ts";
import { listenTcp } from "./tcp.ts";
import { dialTls, listenTls, type TlsListenOptions } from "./tls.ts";

const clock = systemClock();
const { ca, serverCert: cert, serverKey: key } = certificates;

let listener: Listener | null = null;
let proxy: FaultProxy | null = null;
let accepted = deferred<TLSSocket>();
let leaks: LeakCheck;
const open: Transport[] = [];

beforeEach(() => {
  leaks = leakCheck();
  accepted = deferred();
});

afterEach(async () => {
  for (const transport of open.splice(0)) transport.destroy();
  await listener?.close();
  listener = null;
  await proxy?.close();
  proxy = null;
  await leaks.check();
});

async function serve(options: Partial<TlsListenOptions> = {}): Promise<void> {
  const where = { host: "127.0.0.1", port: 0, tls: { cert, key } };
  listener = await listenTls({ ...where, ...options }, (socket) => accepted.resolve(socket));
}

async function dial(tls: TlsOptions, heard: Recorder = new Recorder(), port = listener?.port): Promise<Transport> {
  const options: DialOptions = { kind: "tls", connectTimeoutMs: 5_000, tls };
  const endpoint = parseEndpoint(`tls://127.0.0.1:${port}`, "tls", { tls: 1 });
  const transport = await dialTls(clock, endpoint, options, heard);
  open.push(transport);
  return transport;
}

async function serverSide(heard: Recorder = new Recorder()): Promise<Transport> {
  const transport = wrapSocket(await accepted.promise, heard);
  open.push(transport);
  return transport;
}

/** Goes through a proxy, for a TLS socket cannot reset its connection by itself. */
async function link(subject: "client" | "server"): Promise<ContractLink> {
  await serve();
  const port = listener?.port ?? 0;
  proxy = await faultProxy({ target: { host: "127.0.0.1", port } });
  const breakPeer = (): void => proxy?.cut("rst");
  const heard = { subject: new Recorder(), peer: new Recorder() };
  if (subject === "client") {
    const transport = await dial({ ca }, heard.subject, proxy.port);
    const raw = await accepted.promise;
    return {
      subject: { transport, heard: heard.subject },
      peer: { transport: await serverSide(heard.peer), heard: heard.peer },
      endPeer: () => raw.end(),
      breakPeer,
    };
  }
  const raw = tlsConnect({ host: "127.0.0.1", port: proxy.port, ca });
  await new Promise((resolve) => raw.once("secureConnect", resolve));
  const peer = wrapSocket(raw, heard.peer);
  open.push(peer);
  return {
    subject: { transport: await serverSide(heard.subject), heard: heard.subject },
    peer: { transport: peer, heard: heard.peer },
    endPeer: () => raw.end(),
    breakPeer,
  };
}

describe.each(["client", "server"] as const)("TLS transport, %s side", (side) => {
  for (const item of transportContract) test(item.name, async () => item.run(await link(side)));
});

describe("dialTls", () => {
  test("a server signed by a given authority is trusted, and the transport says it is secure", async () => {
    await serve();
    const { info } = await dial({ ca });
    expect(info).toMatchObject({ kind: "tls", secure: true, remoteAddress: "127.0.0.1", peerCommonName: "localhost" });
  });

  test("a server signed by an unknown authority is ERR_CONNECT_FAILED with OpenSSL's reason as cause", async () => {
    await serve();
    await expect(dial({})).rejects.toMatchObject({
      code: "ERR_CONNECT_FAILED",
      cause: { code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" },
    });
  });

  test("rejectUnauthorized false takes any certificate, whose name then counts for nothing", async () => {
    await serve();
    const { info } = await dial({ rejectUnauthorized: false });
    expect(info).toMatchObject({ secure: true, peerCommonName: "" });
  });

  test.each([{ rejectUnauthorized: "false" }, { serverName: 7 }, { alpnProtocols: "mqtt" }])(
    "options of a wrong type, as %j, are ERR_INVALID_OPTIONS",
    async (wrong) => {
      await serve();
      await expect(dial({ ca, ...wrong } as unknown as TlsOptions)).rejects.toMatchObject({
        code: "ERR_INVALID_OPTIONS",
      });
    },
  );

  test("a certificate for another name is ERR_CONNECT_FAILED", async () => {
    await serve();
    await expect(dial({ ca, serverName: "broker.example" })).rejects.toMatchObject({
      code: "ERR_CONNECT_FAILED",
      cause: { code: "ERR_TLS_CERT_ALTNAME_INVALID" },
    });
  });

  test("serverName is sent as SNI", async () => {
    await serve();
    await dial({ ca, serverName: "localhost" });
    expect(await accepted.promise).toMatchObject({ servername: "localhost" });
    await serverSide();
  });

  test("an IP address is not sent as SNI (RFC 6066 §3)", async () => {
    await serve();
    await dial({ ca });
    expect(await accepted.promise).toMatchObject({ servername: false });
    await serverSide();
  });

  test("both sides agree on an application protocol by ALPN", async () => {
    await serve({ tls: { cert, key, alpnProtocols: ["amqp", "mqtt"] } });
    await dial({ ca, alpnProtocols: ["mqtt"] });
    expect((await accepted.promise).alpnProtocol).toBe("mqtt");
    await serverSide();
  });

  test("a server below minVersion is ERR_CONNECT_FAILED", async () => {
    await serve({ tls: { cert, key, maxVersion: "TLSv1.2" } });
    await expect(dial({ ca, minVersion: "TLSv1.3" })).rejects.toMatchObject({ code: "ERR_CONNECT_FAILED" });
  });

  test("a server that is silent about TLS runs into the deadline", async () => {
    const plain = await listenTcp({ host: "127.0.0.1", port: 0 }, (socket) => socket.resume());
    const endpoint = parseEndpoint(`tls://127.0.0.1:${plain.port}`, "tls", { tls: 1 });
    const dialled = dialTls(clock, endpoint, { kind: "tls", connectTimeoutMs: 50, tls: { ca } }, new Recorder());
    await expect(dialled).rejects.toMatchObject({ code: "ERR_CONNECT_TIMEOUT" });
    await plain.close();
  });

  test("a server that does not speak TLS is ERR_CONNECT_FAILED", async () => {
    const plain = await listenTcp({ host: "127.0.0.1", port: 0 }, (socket) => {
      socket.on("error", () => undefined);
      socket.resume();
      socket.end("220 mail.example ready\r\n");
    });
    const endpoint = parseEndpoint(`tls://127.0.0.1:${plain.port}`, "tls", { tls: 1 });
    const dialled = dialTls(clock, endpoint, { kind: "tls", connectTimeoutMs: 5_000, tls: { ca } }, new Recorder());
    await expect(dialled).rejects.toMatchObject({ code: "ERR_CONNECT_FAILED" });
    await plain.close();
  });

  test("a key that OpenSSL cannot read is ERR_INVALID_OPTIONS", async () => {
    await serve();
    await expect(dial({ ca, cert, key: "nonsense" })).rejects.toMatchObject({ code: "ERR_INVALID_OPTIONS" });
  });
});

describe("client certificates", () => {
  const { clientCert, clientKey, clientKeyEncrypted, clientPfxBase64, passphrase } = certificates;
  const required: Partial<TlsListenOptions> = { tls: { ca, cert, key }, clientCertificate: "require" };

  test.each<[string, TlsOptions]>([
    ["certificate and key", { cert: clientCert, key: clientKey }],
    ["an encrypted key and its passphrase", { cert: clientCert, key: clientKeyEncrypted, passphrase }],
    ["a PKCS#12 document", { pfx: Uint8Array.from(Buffer.from(clientPfxBase64, "base64")), passphrase }],
    ["lists of documents as bytes", { cert: [Buffer.from(clientCert)], key: [Buffer.from(clientKey)] }],
  ])("the server knows the client by %s", async (_, tls) => {
    await serve(required);
    await dial({ ca: [ca], ...tls });
    expect((await serverSide()).info).toMatchObject({ kind: "tls", peerCommonName: "polymq-test-client" });
  });

  test("a client without one is refused, and the server is told why", async () => {
    const failed = deferred<Error>();
    await serve({ ...required, onHandshakeFailed: failed.resolve });
    const heard = new Recorder();
    // In TLS 1.3 the client's handshake is over before the server looks at its certificate.
    await dial({ ca }, heard);
    await heard.until(() => heard.ends.length === 1);
    expect(heard.ends[0]).toMatchObject({ code: "ERR_CONNECTION_LOST" });
    expect(await failed.promise).toMatchObject({ code: "ERR_CONNECT_FAILED" });
  });

  test("ask lets a client without one in as anonymous", async () => {
    await serve({ ...required, clientCertificate: "ask" });
    await dial({ ca });
    expect((await serverSide()).info.peerCommonName).toBe("");
  });

  test("ask does not take the name of a certificate that nobody trusted signed", async () => {
    await serve({ tls: { cert, key }, clientCertificate: "ask" });
    await dial({ ca, cert: clientCert, key: clientKey });
    expect((await serverSide()).info.peerCommonName).toBe("");
  });
});

describe("listenTls", () => {
  test("a certificate that cannot be used is ERR_INVALID_OPTIONS", async () => {
    await expect(serve({ tls: { cert: "nonsense", key } })).rejects.toMatchObject({ code: "ERR_INVALID_OPTIONS" });
  });

  test("a client that speaks no TLS is dropped and told to onHandshakeFailed; the server goes on", async () => {
    const failed = deferred<Error>();
    await serve({ onHandshakeFailed: failed.resolve });
    const socket = netConnect(listener?.port ?? 0, "127.0.0.1");
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.on("error", () => undefined);
    socket.resume();
    socket.write("GET / HTTP/1.1\r\n\r\n");
    expect(await failed.promise).toMatchObject({ code: "ERR_CONNECT_FAILED" });
    await closed;
    await dial({ ca });
    await serverSide();
  });

  test("a client that never finishes its handshake is dropped after handshakeTimeoutMs", async () => {
    const failed = deferred<Error>();
    await serve({ handshakeTimeoutMs: 30, onHandshakeFailed: failed.resolve });
    const socket = netConnect(listener?.port ?? 0, "127.0.0.1");
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.on("error", () => undefined);
    socket.resume();
    expect(await failed.promise).toMatchObject({ cause: { code: "ERR_TLS_HANDSHAKE_TIMEOUT" } });
    await closed;
  });
});
