import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePorts, waitForPort } from "./ports.ts";
import {
  enabledPlugins,
  listeningPorts,
  RABBITMQ_PORTS_COUNT,
  type RabbitmqOptions,
  type RabbitmqPorts,
  rabbitmqConfig,
  rabbitmqEnvironment,
  rabbitmqPorts,
} from "./rabbitmq-config.ts";
import { makeRabbitmqSite, type RabbitmqSite } from "./rabbitmq-site.ts";
import { runTool } from "./run-tool.ts";
import { type SpawnedTool, spawnTool } from "./spawn-tool.ts";
import { makeTempDir, type TempDir } from "./temp-dir.ts";

/** A running RabbitMQ node. User `guest` with password `guest` has every right on virtual host `/`. */
export interface Rabbitmq {
  /** Such as `3.10.8`. */
  readonly version: string;
  /** Erlang's name of the node. */
  readonly nodeName: string;
  readonly host: "127.0.0.1";
  /** Its ports stay the same over a restart. Those of plugins that are off have no listener. */
  readonly ports: RabbitmqPorts;
  readonly pid: number;
  /** The last lines of its log. */
  logTail(): string;
  /** Runs `rabbitmqctl` against this node and resolves with its output; each call takes about a second. */
  rabbitmqctl(...args: readonly string[]): Promise<string>;
  /** Adds a user with configure, write and read rights on everything in virtual host `/`. */
  addUser(user: string, password: string): Promise<void>;
  /** Makes this node forget what it holds and become a member of the other's cluster; both need the same `site`. */
  joinCluster(other: Rabbitmq): Promise<void>;
  /** Stops and starts it on the same ports and data. `"kill"` ends it with SIGKILL. */
  restart(how?: "stop" | "kill"): Promise<void>;
  /** Kills the node (and the port mapper, if it made one) and deletes its directory. Calling it again does nothing. */
  stop(): Promise<void>;
}

/** Some seconds on a machine at rest, a minute on one that has much else to do. */
const READY_TIMEOUT_MS = 120_000;
const STOP_GRACE_MS = 20_000;
/** A failed start ends in a page of Erlang's crash reports; what went wrong stands before it. */
const START_LOG_LINES = 150;
const CTL_TIMEOUT_MS = 60_000;

/** Starts a RabbitMQ node of its own on free ports of 127.0.0.1 and resolves when it is up and every listener accepts. */
export async function startRabbitmq(options: RabbitmqOptions = {}): Promise<Rabbitmq> {
  const site = options.site ?? (await makeRabbitmqSite());
  const directory = await makeTempDir("rabbitmq");
  try {
    const ports = rabbitmqPorts(await freePorts(RABBITMQ_PORTS_COUNT));
    const name = `polymq-${randomBytes(4).toString("hex")}@localhost`;
    const plan: NodePlan = {
      name,
      ports,
      options,
      environment: rabbitmqEnvironment({ name, directory: directory.path, site, ports }),
    };
    await writeNodeFiles(plan, directory.path);
    const tool = await launch(plan);
    return new RunningRabbitmq(plan, directory, options.site === undefined ? site : undefined, tool);
  } catch (error) {
    await directory.remove();
    if (options.site === undefined) await site.stop();
    throw error;
  }
}

interface NodePlan {
  readonly name: string;
  readonly ports: RabbitmqPorts;
  readonly options: RabbitmqOptions;
  readonly environment: Readonly<Record<string, string>>;
}

async function writeNodeFiles(plan: NodePlan, directory: string): Promise<void> {
  await mkdir(join(directory, "data"));
  await mkdir(join(directory, "log"));
  await writeFile(join(directory, "rabbitmq.conf"), rabbitmqConfig(plan.options, plan.ports));
  await writeFile(join(directory, "rabbitmq-env.conf"), "");
  await writeFile(join(directory, "advanced.config"), "[].\n");
  await writeFile(join(directory, "enabled_plugins"), enabledPlugins(plan.options));
}

async function launch(plan: NodePlan): Promise<SpawnedTool> {
  // A group of its own: the Erlang machine has helper processes that a SIGKILL of it alone would leave for a while.
  const tool = await spawnTool("rabbitmq-server", [], { env: plan.environment, group: "own" });
  try {
    await tool.waitForLine(/completed with \d+ plugins/, READY_TIMEOUT_MS);
    await Promise.all(listeningPorts(plan.options, plan.ports).map((port) => waitForPort(port, READY_TIMEOUT_MS)));
    return tool;
  } catch (error) {
    await tool.stop({ graceMs: STOP_GRACE_MS });
    throw new Error(`rabbitmq did not start; its log:\n${tool.tail(START_LOG_LINES)}`, { cause: error });
  }
}

class RunningRabbitmq implements Rabbitmq {
  readonly version: string;
  readonly host = "127.0.0.1";
  readonly #plan: NodePlan;
  readonly #directory: TempDir;
  /** Set when the node made the site and so must end it. */
  readonly #ownSite: RabbitmqSite | undefined;
  #tool: SpawnedTool;

  constructor(plan: NodePlan, directory: TempDir, ownSite: RabbitmqSite | undefined, tool: SpawnedTool) {
    this.#plan = plan;
    this.#directory = directory;
    this.#ownSite = ownSite;
    this.#tool = tool;
    this.version = tool.lines.map((line) => /RabbitMQ (\d+\.\d+\.\d+)/.exec(line)?.[1]).find((v) => v) ?? "unknown";
  }

  get nodeName(): string {
    return this.#plan.name;
  }
  get ports(): RabbitmqPorts {
    return this.#plan.ports;
  }
  get pid(): number {
    return this.#tool.pid;
  }

  logTail(): string {
    return this.#tool.tail();
  }

  async rabbitmqctl(...args: readonly string[]): Promise<string> {
    const env = this.#plan.environment;
    const result = await runTool("rabbitmqctl", ["--node", this.nodeName, ...args], { env, timeoutMs: CTL_TIMEOUT_MS });
    return result.stdout;
  }

  async addUser(user: string, password: string): Promise<void> {
    await this.rabbitmqctl("add_user", user, password);
    await this.rabbitmqctl("set_permissions", "--vhost", "/", user, ".*", ".*", ".*");
  }

  async joinCluster(other: Rabbitmq): Promise<void> {
    await this.rabbitmqctl("stop_app");
    await this.rabbitmqctl("reset");
    await this.rabbitmqctl("join_cluster", other.nodeName);
    await this.rabbitmqctl("start_app");
  }

  async restart(how: "stop" | "kill" = "stop"): Promise<void> {
    await this.#tool.stop({ signal: how === "kill" ? "SIGKILL" : "SIGTERM", graceMs: STOP_GRACE_MS });
    this.#tool = await launch(this.#plan);
  }

  async stop(): Promise<void> {
    // An orderly stop takes seconds to save what is deleted next.
    await this.#tool.stop({ signal: "SIGKILL" });
    await this.#ownSite?.stop();
    await this.#directory.remove();
  }
}
