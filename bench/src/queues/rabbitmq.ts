import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";

const { PATH = "" } = process.env;
/** Debian's own start script first: the one on the path wants to be another user. */
const SEARCH_PATH = ["/usr/lib/rabbitmq/bin", PATH, "/usr/sbin"].join(delimiter);
const START_TIMEOUT_MS = 60_000;

/** A running RabbitMQ node. */
export interface Rabbitmq {
  readonly port: number;
  readonly pid: number;
  stop(): void;
}

/** RabbitMQ's version as Debian names it, or null where it is not installed. */
export function rabbitmqVersion(): string | null {
  const { stdout, status } = spawnSync("dpkg-query", ["-W", "-f", "${" + "Version}", "rabbitmq-server"], {
    encoding: "utf8",
  });
  return status === 0 && stdout !== "" ? stdout : null;
}

/** Starts a node of its own with default settings, on free ports and in a directory that goes with it. */
export async function startRabbitmq(): Promise<Rabbitmq> {
  const directory = mkdtempSync(join(tmpdir(), "polymq-bench-rabbitmq-"));
  const ports = await freePorts(3);
  const [port = 0, distribution = 0, mapper = 0] = ports;
  for (const folder of ["data", "log"]) mkdirSync(join(directory, folder));
  writeFileSync(join(directory, "rabbitmq.conf"), configuration(port));
  writeFileSync(join(directory, "rabbitmq-env.conf"), "");
  writeFileSync(join(directory, "enabled_plugins"), "[].\n");
  const env = environment(directory, distribution, mapper);
  const processes: ChildProcess[] = [spawn("epmd", ["-port", `${mapper}`], { env, stdio: "ignore" })];
  const stop = (): void => {
    for (const child of processes) endGroup(child);
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    process.off("exit", stop);
  };
  process.once("exit", stop);
  const node = spawn("rabbitmq-server", [], { env, stdio: ["ignore", "pipe", "ignore"], detached: true });
  processes.push(node);
  try {
    await ready(node);
  } catch (error) {
    stop();
    throw error;
  }
  return { port, pid: node.pid ?? 0, stop };
}

/** Defaults, but for the places, and limits that small machines are below. */
function configuration(port: number): string {
  return [
    `listeners.tcp.1 = 127.0.0.1:${port}`,
    "disk_free_limit.absolute = 50MB",
    "vm_memory_high_watermark.relative = 0.8",
    "log.console = true",
    "log.console.level = info",
    "log.file = false",
    "",
  ].join("\n");
}

function environment(directory: string, distribution: number, mapper: number): NodeJS.ProcessEnv {
  return {
    ...process.env,
    PATH: SEARCH_PATH,
    HOME: directory,
    ERL_EPMD_PORT: `${mapper}`,
    ERL_EPMD_ADDRESS: "127.0.0.1",
    ERL_CRASH_DUMP_SECONDS: "0",
    RABBITMQ_NODENAME: `bench-${randomBytes(4).toString("hex")}@localhost`,
    RABBITMQ_DIST_PORT: `${distribution}`,
    RABBITMQ_CONFIG_FILE: join(directory, "rabbitmq.conf"),
    RABBITMQ_CONF_ENV_FILE: join(directory, "rabbitmq-env.conf"),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(directory, "enabled_plugins"),
    RABBITMQ_MNESIA_BASE: join(directory, "data"),
    RABBITMQ_LOG_BASE: join(directory, "log"),
    RABBITMQ_PID_FILE: join(directory, "pid"),
    // The start script becomes the Erlang machine, so that its process id is the one to measure.
    RABBITMQ_ALLOW_INPUT: "1",
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "-kernel inet_dist_use_interface {127,0,0,1} -noinput",
  };
}

async function ready(node: ChildProcess): Promise<void> {
  const lines = createInterface({ input: node.stdout ?? process.stdin });
  const up = new Promise<void>((resolve) => {
    lines.on("line", (line) => {
      if (/completed with \d+ plugins/.test(line)) resolve();
    });
  });
  const failed = once(node, "exit").then(() => Promise.reject(new Error("RabbitMQ ended at once")));
  const late = once(AbortSignal.timeout(START_TIMEOUT_MS), "abort").then(() => {
    throw new Error("RabbitMQ did not start");
  });
  try {
    await Promise.race([up, failed, late]);
  } finally {
    failed.catch(() => undefined); // its end later is ours
    late.catch(() => undefined);
  }
}

/** Its helpers are in its process group. */
function endGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null) return;
  try {
    process.kill(child.spawnfile === "epmd" ? child.pid : -child.pid, "SIGKILL");
  } catch {
    // It has ended meanwhile.
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  });
  for (const server of servers) server.close();
  return ports;
}
