import { writeFile } from "node:fs/promises";
import {
  assignPorts,
  MOSQUITTO_PORTS_MAX,
  type MosquittoOptions,
  type MosquittoPorts,
  mosquittoConfig,
  mosquittoFiles,
} from "./mosquitto-config.ts";
import { freePorts, waitForPort } from "./ports.ts";
import { runTool } from "./run-tool.ts";
import { type SpawnedTool, spawnTool } from "./spawn-tool.ts";
import { makeTempDir, type TempDir } from "./temp-dir.ts";

/** A running Mosquitto. The ports stay the same over a restart; asking for one that was not configured throws. */
export interface Mosquitto {
  /** As the binary says it, such as `2.0.11`. */
  readonly version: string;
  readonly host: "127.0.0.1";
  /** Plain TCP. */
  readonly port: number;
  /** TLS with a server certificate alone. */
  readonly tlsPort: number;
  /** TLS that also requires a client certificate. */
  readonly mutualTlsPort: number;
  /** Plain WebSocket. */
  readonly wsPort: number;
  /** WebSocket over TLS. */
  readonly wssPort: number;
  readonly pid: number;
  /** The last lines of its log. */
  logTail(): string;
  /**
   * Stops and starts it on the same ports with the same files; with `persistence` it knows its sessions again.
   * `"kill"` ends it with SIGKILL, so that what it had not yet saved is lost (it saves when it stops in order).
   */
  restart(how?: "stop" | "kill"): Promise<void>;
  /** Ends it and deletes its directory; resolves once the process is gone. Calling it again does nothing. */
  stop(): Promise<void>;
}

const READY_TIMEOUT_MS = 10_000;
const START_ATTEMPTS = 3;

/** Starts the mosquitto of this machine on free ports of 127.0.0.1 and resolves when every listener accepts. */
export async function startMosquitto(options: MosquittoOptions = {}): Promise<Mosquitto> {
  const directory = await makeTempDir("mosquitto");
  try {
    await writeAccessFiles(options, directory.path);
    const version = await mosquittoVersion();
    for (let attempt = 1; ; attempt++) {
      const ports = assignPorts(options, await freePorts(MOSQUITTO_PORTS_MAX));
      await writeFile(mosquittoFiles(directory.path).config, mosquittoConfig(options, ports, directory.path));
      try {
        return new RunningMosquitto(version, ports, directory, await launch(directory.path, ports));
      } catch (error) {
        // Another process may take a port between our look and Mosquitto's.
        if (attempt >= START_ATTEMPTS || !String(error).includes("Address already in use")) throw error;
      }
    }
  } catch (error) {
    await directory.remove();
    throw error;
  }
}

async function writeAccessFiles(options: MosquittoOptions, directory: string): Promise<void> {
  const files = mosquittoFiles(directory);
  if (options.acl !== undefined) await writeFile(files.acl, `${options.acl.join("\n")}\n`, { mode: 0o600 });
  if (options.passwords === undefined) return;
  const plain = Object.entries(options.passwords).map(([user, password]) => `${user}:${password}\n`);
  await writeFile(files.passwords, plain.join(""), { mode: 0o600 });
  await runTool("mosquitto_passwd", ["-U", files.passwords]);
}

async function mosquittoVersion(): Promise<string> {
  // Mosquitto has no option for it; its help begins with the version and ends with exit code 3.
  const help = await runTool("mosquitto", ["-h"], { exit: "any" });
  return /mosquitto version (\S+)/.exec(help.stdout + help.stderr)?.[1] ?? "unknown";
}

async function launch(directory: string, ports: MosquittoPorts): Promise<SpawnedTool> {
  const tool = await spawnTool("mosquitto", ["-c", mosquittoFiles(directory).config]);
  const open = Object.values(ports).filter((port) => port !== undefined);
  const ended = tool.exited.then((exit): never => {
    throw new Error(`mosquitto ended at once with code ${exit.code}`);
  });
  try {
    await Promise.race([Promise.all(open.map((port) => waitForPort(port, READY_TIMEOUT_MS))), ended]);
    ended.catch(() => {});
    return tool;
  } catch (error) {
    await tool.stop();
    throw new Error(`mosquitto did not start; its log:\n${tool.tail()}`, { cause: error });
  }
}

class RunningMosquitto implements Mosquitto {
  readonly version: string;
  readonly host = "127.0.0.1";
  readonly #ports: MosquittoPorts;
  readonly #directory: TempDir;
  #tool: SpawnedTool;

  constructor(version: string, ports: MosquittoPorts, directory: TempDir, tool: SpawnedTool) {
    this.version = version;
    this.#ports = ports;
    this.#directory = directory;
    this.#tool = tool;
  }

  get port(): number {
    return this.#ports.tcp;
  }
  get tlsPort(): number {
    return configured(this.#ports.tls, "tls");
  }
  get mutualTlsPort(): number {
    return configured(this.#ports.mutualTls, "tls");
  }
  get wsPort(): number {
    return configured(this.#ports.ws, "websocket");
  }
  get wssPort(): number {
    return configured(this.#ports.wss, "tls and websocket");
  }
  get pid(): number {
    return this.#tool.pid;
  }

  logTail(): string {
    return this.#tool.tail();
  }

  async restart(how: "stop" | "kill" = "stop"): Promise<void> {
    await this.#tool.stop({ signal: how === "kill" ? "SIGKILL" : "SIGTERM" });
    this.#tool = await launch(this.#directory.path, this.#ports);
  }

  async stop(): Promise<void> {
    await this.#tool.stop();
    await this.#directory.remove();
  }
}

function configured(port: number | undefined, options: string): number {
  if (port === undefined) throw new Error(`this Mosquitto was started without ${options}`);
  return port;
}
