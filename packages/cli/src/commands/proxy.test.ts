import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runCli } from "../cli.ts";
import { FakeEnvironment } from "../environment.test-support.ts";

let server: Server;
let accepted: Promise<Socket>;
const sockets: Socket[] = [];

beforeEach(async () => {
  server = createServer();
  accepted = once(server, "connection").then(([socket]) => socket as Socket);
  server.on("connection", (socket) => socket.on("error", () => {}).pipe(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

function target(): string {
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("no address");
  return `127.0.0.1:${address.port}`;
}

interface Proxied {
  readonly env: FakeEnvironment;
  readonly code: Promise<number>;
  readonly client: Socket;
}

/** A proxy to a server that echoes, and a connection through it. */
async function proxied(args: readonly string[], env: FakeEnvironment = new FakeEnvironment()): Promise<Proxied> {
  const code = runCli(["proxy", "--to", target(), "--json", ...args], env);
  await env.until(({ stdout }) => stdout.includes("\n"));
  const ready = JSON.parse(env.stdout.split("\n", 1)[0] ?? "") as { listen: string };
  const client = connect(Number(ready.listen.split(":")[1]), "127.0.0.1");
  sockets.push(client);
  client.on("error", () => {});
  await once(client, "connect");
  return { env, code, client };
}

async function echoed(client: Socket, text: string): Promise<string> {
  client.write(text);
  let got = "";
  for await (const [chunk] of on(client)) {
    got += String(chunk);
    if (got.length >= text.length) break;
  }
  return got;
}

/** However it ends. */
function closeOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => void socket.on("close", resolve));
}

async function* on(client: Socket): AsyncGenerator<[Buffer], void, void> {
  for (;;) yield (await once(client, "data")) as [Buffer];
}

describe("polymq proxy", () => {
  test("passes bytes on in pieces, and tells how many when it is stopped", async () => {
    const { env, code, client } = await proxied(["--pieces", "1", "--delay", "1-2"]);
    expect(await echoed(client, "hello")).toBe("hello");
    env.stop();
    expect(await code).toBe(0);
    const closed = JSON.parse(env.stdout.trimEnd().split("\n").at(-1) ?? "") as object;
    expect(closed).toMatchObject({
      event: "closed",
      connections: 1,
      bytesToServer: 5,
      bytesToClient: 5,
      piecesToServer: 5,
    });
  });

  test("cuts after a number of bytes", async () => {
    const { env, code, client } = await proxied(["--cut-after-bytes", "3", "--cut-mode", "fin"]);
    const socket = await accepted;
    const closed = closeOf(socket);
    client.resume().write("hello");
    await closed;
    expect(socket.bytesRead).toBe(3);
    env.stop();
    expect(await code).toBe(0);
  });

  test("cuts again and again", async () => {
    const { env, code, client } = await proxied(["--cut-every", "10"]);
    expect(await echoed(client, "x")).toBe("x");
    const closed = closeOf(client);
    await env.clock.advance(10_000);
    await closed;
    env.stop();
    expect(await code).toBe(0);
    expect(env.stdout).toContain('"cuts":1');
  });

  test("half closes", async () => {
    const { env, code, client } = await proxied(["--half-close-after", "5"]);
    expect(await echoed(client, "x")).toBe("x");
    const ended = once(client, "end");
    client.resume();
    await env.clock.advance(5_000);
    await ended;
    env.stop();
    expect(await code).toBe(0);
  });

  test("is changed by lines of standard input", async () => {
    const env = new FakeEnvironment();
    const lines: ((line: string) => void)[] = [];
    const next = (): Promise<string> => new Promise((resolve) => lines.push(resolve));
    env.stdin = {
      async *[Symbol.asyncIterator]() {
        for (;;) yield new TextEncoder().encode(`${await next()}\n`);
      },
    };
    const { code, client } = await proxied([], env);
    expect(await echoed(client, "x")).toBe("x");
    const say = async (line: string, answer: (env: FakeEnvironment) => boolean): Promise<void> => {
      lines.shift()?.(line);
      await env.until(answer);
    };
    await say("pieces 1", ({ stdout }) => stdout.includes('{"pieceBytes":[1,1]}'));
    const wrong: readonly (readonly [line: string, said: string])[] = [
      ["explode", "nobody knows what explode is"],
      ["delay soon", "delay: a whole number, or a range such as 10-50"],
      ["throughput", "throughput: a whole number, or a range such as 10-50"],
      ["cut twice", "cut: fin or rst"],
      ["half-close up", "half-close: toServer or toClient"],
      ["stall up", "stall: toServer, toClient or both"],
      ["stats please now", "stats takes no more than one word"],
    ];
    for (const [line, said] of wrong) {
      await say(line, ({ stderr }) => stderr.endsWith(`polymq: ERR_INVALID_ARGUMENT: ${said}\n`));
    }
    expect(await echoed(client, "abc")).toBe("abc");
    await say("stats", ({ stdout }) => stdout.includes('"piecesToServer":4'));
    const closed = closeOf(client);
    lines.shift()?.("cut");
    await closed;
    env.stop();
    expect(await code).toBe(0);
  });

  test("a port in use ends it with 1", async () => {
    const env = new FakeEnvironment();
    expect(await runCli(["proxy", "--to", target(), "--listen", target()], env)).toBe(1);
    expect(env.stderr).toMatch(/^polymq: ERR_LISTEN_FAILED: .*EADDRINUSE.*\n$/);
  });

  test.each([
    [[]],
    [["--to", "nowhere"]],
    [["--to", "h:1", "--delay", "5-1"]],
    [["--to", "h:1", "--stall", "upwards"]],
    [["--to", "h:99999"]],
  ])("%j is wrong usage", async (args) => {
    const env = new FakeEnvironment();
    expect(await runCli(["proxy", ...args], env)).toBe(2);
    expect(env.stdout).toBe("");
  });
});
