import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { deferred } from "../../base/deferred.ts";
import { leakCheck } from "../../testing/node/leak-check.ts";
import { type Endpoint, parseEndpoint } from "../endpoint.ts";
import { memoryPair } from "../memory.ts";
import type { DialKind, DialOptions, Platform } from "../platform.ts";
import type { Transport, TransportHandler } from "../transport.ts";
import { Recorder } from "../transport-contract.ts";
import { webPlatform } from "../web/platform.ts";
import { nodePlatform } from "./platform.ts";
import { type Listener, listenTcp } from "./tcp.ts";

const leaks = leakCheck();
let listener: Listener;

beforeEach(async () => {
  listener = await listenTcp({ host: "127.0.0.1", port: 0 }, (socket) => {
    socket.on("error", () => undefined);
    socket.end("nonsense\r\n\r\n");
    socket.resume();
  });
});

afterEach(async () => {
  await listener.close();
});

afterAll(() => leaks.check());

function endpoint(): Endpoint {
  return parseEndpoint(`tcp://127.0.0.1:${listener.port}`, "tcp", { tcp: 1 });
}

describe.each<[string, Platform]>([
  ["nodePlatform", nodePlatform()],
  ["webPlatform", webPlatform()],
])("%s", (_, platform) => {
  test("random bytes are as many as asked for, and not the same twice", () => {
    expect(platform.randomBytes(16).length).toBe(16);
    expect(platform.randomBytes(16)).not.toEqual(platform.randomBytes(16));
  });

  test("random numbers are in [0, 1)", () => {
    for (let i = 0; i < 100; i++) expect(platform.random()).toSatisfy((n: number) => n >= 0 && n < 1);
  });

  test("a kind that it has not is ERR_UNSUPPORTED", async () => {
    for (const kind of ["tcp", "tls", "unix", "pigeon"] as DialKind[]) {
      if (platform.kinds.includes(kind)) continue;
      const dial = platform.dial(endpoint(), { kind, connectTimeoutMs: 1_000 }, new Recorder());
      await expect(dial).rejects.toMatchObject({ code: "ERR_UNSUPPORTED" });
    }
  });

  test("a dial hook replaces every kind and gets endpoint, options and handler", async () => {
    const pair = memoryPair();
    const heard = new Recorder();
    const seen: unknown[] = [];
    const dial = (where: Endpoint, options: DialOptions, handler: TransportHandler): Promise<Transport> => {
      seen.push(where.port, options.kind);
      return Promise.resolve(pair.client.attach(handler));
    };
    const transport = await platform.dial(endpoint(), { kind: "ws", connectTimeoutMs: 1_000, dial }, heard);
    expect(transport).toBe(pair.client);
    expect(seen).toEqual([listener.port, "ws"]);
    pair.server.write(Uint8Array.of(1));
    await heard.until(() => heard.bytes === 1);
    pair.server.attach(new Recorder());
    pair.cut();
    await heard.until(() => heard.ends.length === 1);
  });

  test("a dial hook that throws or rejects is ERR_CONNECT_FAILED with its error as cause", async () => {
    const cause = new Error("no route");
    const throws = (): Promise<Transport> => {
      throw cause;
    };
    for (const dial of [throws, () => Promise.reject(cause)]) {
      const failed = platform.dial(endpoint(), { kind: "ws", connectTimeoutMs: 1_000, dial }, new Recorder());
      await expect(failed).rejects.toMatchObject({ code: "ERR_CONNECT_FAILED", cause });
    }
  });

  test("a dial hook that comes too late has its transport destroyed, and the handler hears nothing", async () => {
    const pair = memoryPair();
    const peer = new Recorder();
    pair.server.attach(peer);
    const heard = new Recorder();
    const late = deferred<Transport>();
    const dial = (_: Endpoint, __: DialOptions, handler: TransportHandler): Promise<Transport> => {
      pair.client.attach(handler);
      return late.promise;
    };
    const failed = platform.dial(endpoint(), { kind: "ws", connectTimeoutMs: 10, dial }, heard);
    await expect(failed).rejects.toMatchObject({ code: "ERR_CONNECT_TIMEOUT" });
    late.resolve(pair.client);
    await peer.until(() => peer.ends.length === 1);
    expect(heard.ends).toEqual([]);
  });
});

describe("nodePlatform", () => {
  test("dials TCP, TLS and WebSocket by kind", async () => {
    const platform = nodePlatform();
    const heard = new Recorder();
    const transport = await platform.dial(endpoint(), { kind: "tcp", connectTimeoutMs: 1_000 }, heard);
    expect(transport.info.kind).toBe("tcp");
    await heard.until(() => heard.ends.length === 1);
    for (const [kind, cause] of [
      ["tls", /^ERR_SSL/],
      ["ws", /^HPE_/],
      ["wss", /^ERR_SSL/],
    ] as const) {
      const dial = platform.dial(endpoint(), { kind, connectTimeoutMs: 1_000 }, new Recorder());
      await expect(dial).rejects.toMatchObject({ code: "ERR_CONNECT_FAILED", cause: { code: cause } });
    }
  });
});
