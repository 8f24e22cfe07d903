import assert from "node:assert/strict";
import { withDeadline } from "../harness/deadline.ts";
import { type RunToolOptions, runTool, type ToolResult } from "../harness/run-tool.ts";
import { type SpawnedTool, spawnTool } from "../harness/spawn-tool.ts";
import { type Need, type PeerTarget, type Scenario, uniqueName } from "./scenario.ts";

const TIMEOUT_MS = 10_000;
/** Tells the lines of messages from those that `-d` prints. */
const MARK = "MSG ";

/** What a scenario written for mosquitto_pub and mosquitto_sub works with. */
export class ToolStage {
  readonly target: PeerTarget;
  readonly version: "mqttv311" | "mqttv5";
  /** A topic of this run alone. */
  readonly topic: string = uniqueName("topic");
  readonly #subscribers: Subscriber[] = [];

  constructor(target: PeerTarget, version: "mqttv311" | "mqttv5") {
    this.target = target;
    this.version = version;
  }

  /** Options that lead to the target's plain listener; later ones win, so that a scenario can name another port. */
  get address(): readonly string[] {
    return ["-h", this.target.host, "-p", `${this.target.port}`, "-V", this.version];
  }

  /** Options for a session that outlives its connection. */
  lasting(clientId: string): readonly string[] {
    return ["-c", "-i", clientId, ...(this.version === "mqttv5" ? ["-x", "300"] : [])];
  }

  /** Runs mosquitto_pub to its end. */
  pub(args: readonly string[], options: RunToolOptions = {}): Promise<ToolResult> {
    return runTool("mosquitto_pub", [...this.address, ...args], options);
  }

  /** Publishes each text as a message of its own, over one connection. */
  async pubLines(args: readonly string[], lines: readonly string[]): Promise<void> {
    await this.pub(["-l", ...args], { stdin: lines.map((line) => `${line}\n`).join("") });
  }

  /** Runs mosquitto_sub to its end, for cases where it finds something waiting or is to be refused. */
  sub(args: readonly string[], options: RunToolOptions = {}): Promise<ToolResult> {
    return runTool("mosquitto_sub", [...this.address, ...args], options);
  }

  /**
   * Starts mosquitto_sub and resolves when its subscriptions are acknowledged. `format` is that of its option -F, of which
   * `%p` (the payload) is the default.
   */
  async subscriber(args: readonly string[], format = "%p"): Promise<Subscriber> {
    // mosquitto_sub prints what it does only with -d, and into a pipe only when its buffer is full: hence stdbuf.
    const command = ["-oL", "mosquitto_sub", ...this.address, "-d", "-F", `${MARK}${format}`, ...args];
    const subscriber = new Subscriber(await spawnTool("stdbuf", command));
    this.#subscribers.push(subscriber);
    await subscriber.tool.waitForLine(/^Subscribed \(mid/, TIMEOUT_MS);
    return subscriber;
  }

  async close(): Promise<void> {
    await Promise.all(this.#subscribers.map((subscriber) => subscriber.tool.stop()));
  }
}

/** A running mosquitto_sub. */
export class Subscriber {
  readonly tool: SpawnedTool;

  constructor(tool: SpawnedTool) {
    this.tool = tool;
  }

  /** Messages so far, in the format asked for. */
  get received(): readonly string[] {
    return this.tool.lines.filter((line) => line.startsWith(MARK)).map((line) => line.slice(MARK.length));
  }

  /** Waits for it to end by itself (after `-C` messages) and gives what it received. */
  async finished(): Promise<readonly string[]> {
    const exit = await withDeadline(this.tool.exited, TIMEOUT_MS, () => `mosquitto_sub goes on:\n${this.tool.tail()}`);
    assert.equal(exit.code, 0, this.tool.tail());
    return this.received;
  }

  /** Waits until a message in this exact form has come. */
  async waitFor(message: string): Promise<void> {
    const pattern = new RegExp(`^${MARK}${message.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`);
    await this.tool.waitForLine(pattern, TIMEOUT_MS);
  }
}

/** The scenario at both protocol levels. */
export function withBothVersions(
  name: string,
  body: (stage: ToolStage) => Promise<void>,
  needs: readonly Need[] = [],
): readonly Scenario[] {
  return [withVersion("mqttv311", name, body, needs), withVersion("mqttv5", name, body, needs)];
}

/** The scenario at one protocol level. */
export function withVersion(
  version: "mqttv311" | "mqttv5",
  name: string,
  body: (stage: ToolStage) => Promise<void>,
  needs: readonly Need[] = [],
): Scenario {
  return {
    name: `mosquitto tools ${version === "mqttv311" ? "3.1.1" : "5.0"}: ${name}`,
    needs,
    run: async (target) => {
      const stage = new ToolStage(target, version);
      try {
        await body(stage);
      } finally {
        await stage.close();
      }
    },
  };
}
