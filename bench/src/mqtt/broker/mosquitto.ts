import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { BrokerHost } from "./host.ts";

const START_TIMEOUT_MS = 5_000;

/** Debian puts the daemon where an ordinary user's PATH does not look. */
const { PATH = "" } = process.env;
const SEARCH_PATH = [PATH, "/usr/sbin", "/usr/local/sbin"].join(delimiter);

/** Mosquitto's version, or null where it is not installed. */
export function mosquittoVersion(): string | null {
  const { stdout, error } = spawnSync("mosquitto", ["-h"], {
    env: { ...process.env, PATH: SEARCH_PATH },
    encoding: "utf8",
  });
  if (error !== undefined) return null;
  return /mosquitto version (\S+)/.exec(stdout)?.[1] ?? "unknown";
}

/** Starts Mosquitto, without persistence, on a free port. */
export async function startMosquitto(): Promise<BrokerHost> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "polymq-bench-"));
  const file = join(folder, "mosquitto.conf");
  writeFileSync(file, `${configuration(port).join("\n")}\n`);
  const process_ = spawn("mosquitto", ["-c", file], { env: { ...process.env, PATH: SEARCH_PATH }, stdio: "ignore" });
  const gone = once(process_, "exit");
  const end = (): void => {
    if (process_.exitCode === null && process_.signalCode === null) process_.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  };
  process.once("exit", end); // Mosquitto does not notice the end of this process by itself
  const stop = async (): Promise<void> => {
    end();
    await gone;
    process.off("exit", end);
  };
  try {
    await Promise.race([untilItListens(port), gone.then(() => Promise.reject(new Error("mosquitto ended at once")))]);
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, pid: process_.pid ?? 0, stop };
}

/** Defaults, but for the port, no disk, and as many messages in flight as the closed loop has. TCP_NODELAY makes it slower. */
function configuration(port: number): string[] {
  return [
    `listener ${port} 127.0.0.1`,
    "allow_anonymous true",
    "persistence false",
    "log_type error",
    "max_inflight_messages 1000",
  ];
}

/** Mosquitto cannot choose a port itself: the system gives one away, and it is free again when this resolves. */
async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function untilItListens(port: number): Promise<void> {
  const deadlineMs = performance.now() + START_TIMEOUT_MS;
  while (true) {
    const socket = connect(port, "127.0.0.1");
    try {
      await once(socket, "connect");
      return;
    } catch (error) {
      if (performance.now() > deadlineMs) throw error;
    } finally {
      socket.destroy();
    }
    await wait(10);
  }
}
