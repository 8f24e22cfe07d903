/**
 * Goal: a process that dies by SIGKILL between PUBLISH and PUBCOMP, at any call of its store, loses nothing that it promised, and
 * the next process sends and takes nothing of QoS 2 twice. A real process is killed at every store call, before and after it; a ledger
 * compares what the process told its application, what its store holds and what the server saw.
 */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ClassicLevel } from "classic-level";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../base/system-clock.ts";
import { LevelStore } from "../../store/level-store.ts";
import { wrapSocket } from "../../transport/node/socket-transport.ts";
import { listenTcp } from "../../transport/node/tcp.ts";
import { MqttClient } from "../index.ts";
import { FakeServer } from "./fake-server.test-support.ts";

const SOURCE = fileURLToPath(new URL("./crash-child.test-support.ts", import.meta.url));
/** Inside the repository, so that the child finds its packages. */
const CHILD = fileURLToPath(new URL(`../../../../../.cache/mqtt-crash-child-${process.pid}.mjs`, import.meta.url));

let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "polymq-crash-"));
  await build({
    entryPoints: [SOURCE],
    outfile: CHILD,
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
    logLevel: "error",
  });
});

afterAll(async () => {
  await rm(folder, { recursive: true });
  await rm(CHILD);
});

/** A server on a real port that sends one message to its client as soon as that has subscribed. */
async function listening(): Promise<{ server: FakeServer; port: number; close: () => Promise<void> }> {
  const server = new FakeServer(systemClock(), {
    onSubscribe: (packet) => {
      // After SUBACK, and once: the session keeps it from then on.
      setImmediate(() => server.route("in", new TextEncoder().encode("hello"), { qos: 2 }));
      return packet.filters.map(({ qos }) => qos);
    },
  });
  const listener = await listenTcp({ host: "127.0.0.1", port: 0 }, (socket) =>
    server.accept({ attach: (handler) => wrapSocket(socket, handler), cut: () => socket.destroy() }),
  );
  return {
    server,
    port: listener.port,
    close: async () => {
      for (const connection of server.connections) connection.cut();
      await listener.close();
    },
  };
}

/** Runs the child until it is dead; returns the lines that it wrote and the signal that ended it. */
function runChild(args: readonly string[]): Promise<{ lines: string[]; signal: string | null }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [CHILD, ...args], { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    child.on("error", reject);
    child.on("close", (_, signal) => resolve({ lines: text.split("\n").filter((line) => line !== ""), signal }));
  });
}

/** What the dead process's store holds. */
async function storedIn(database: string): Promise<{ topics: string[]; receivedIds: readonly number[] }> {
  const level = new ClassicLevel<string, Uint8Array>(database);
  const { publishes, receivedIds } = await new LevelStore({ database: level }).open("crash");
  await level.close();
  const topics = publishes.filter(({ released }) => !released).map(({ payload }) => new TextDecoder().decode(payload));
  return { topics, receivedIds };
}

/** The next process, as far as the client is concerned: the same store, and a handler for what the session still brings. */
async function restart(port: number, database: string): Promise<string[]> {
  const got: string[] = [];
  const level = new ClassicLevel<string, Uint8Array>(database);
  const client = new MqttClient({
    servers: `mqtt://127.0.0.1:${port}`,
    clientId: "crash",
    protocolVersion: 5,
    cleanStart: false,
    sessionExpirySeconds: 3_600,
    store: new LevelStore({ database: level }),
    onMessage: (message) => void got.push(message.text()),
  });
  await client.connect();
  // Both directions have come to rest when a last message of each has made its way.
  await client.publish("out", "restarted", { qos: 2 });
  await client.close();
  await level.close();
  return got;
}

/** The store operations of a run that nobody kills, such as `putPublish 2`. */
async function recordedOperations(): Promise<string[]> {
  const { port, close } = await listening();
  const { lines, signal } = await runChild([String(port), join(folder, "recorded"), "none", "never"]);
  await close();
  expect(signal).toBeNull();
  expect(lines).toContain("end");
  return lines.filter((line) => line.startsWith("store ")).map((line) => line.slice(6));
}

/** Kills a process at `operation`, starts the next one, and compares what was promised with what was seen. */
async function check(operation: string, when: "before" | "after"): Promise<void> {
  const where = `killed ${when} ${operation}`;
  const database = join(folder, where.replaceAll(" ", "-"));
  const { server, port, close } = await listening();
  const { lines, signal } = await runChild([String(port), database, operation, when]);
  expect(signal, `${where}: ${lines.join("; ")}`).toBe("SIGKILL");
  const kept = await storedIn(database);
  const got = await restart(port, database);
  await close();
  const promised = lines.filter((line) => line.startsWith("done ")).map((line) => line.slice(5));
  const seen = (text: string): number => server.payloads.filter((payload) => payload === text).length;
  for (const text of [...promised, ...kept.topics]) expect(seen(text), `${where}: ${text} is lost`).toBeGreaterThan(0);
  expect(seen("two"), `${where}: QoS 2 came twice`).toBeLessThanOrEqual(1);
  expect(seen("restarted"), where).toBe(1);
  // A message whose packet id was stored has been handled: it does not come again.
  const handled = lines.filter((line) => line === "got hello").length;
  if (kept.receivedIds.length > 0) expect([handled, got], where).toEqual([1, []]);
  if (server.sessions.get("crash")?.subscriptions.has("in") === true) {
    expect(handled + got.length, `${where}: what the server sent is lost`).toBeGreaterThan(0);
  }
  expect(handled, where).toBeLessThanOrEqual(1);
}

test("a process killed at any store call loses nothing, and QoS 2 arrives exactly once [MQTT-4.3.3-3] [MQTT-4.3.3-5] [MQTT-4.3.3-6] [MQTT-4.4.0-1]", async () => {
  const operations = await recordedOperations();
  for (const op of ["putPublish", "releasePublish", "deletePublish", "putReceived", "deleteReceived"]) {
    expect(operations).toContain(`${op} 1`);
  }
  const points = operations.flatMap((operation): (readonly [string, "before" | "after"])[] => [
    [operation, "before"],
    [operation, "after"],
  ]);
  // Two at a time, for starting a process is most of the work.
  const worker = async (): Promise<void> => {
    for (let next = points.shift(); next !== undefined; next = points.shift()) await check(...next);
  };
  await Promise.all([worker(), worker()]);
}, 60_000);
