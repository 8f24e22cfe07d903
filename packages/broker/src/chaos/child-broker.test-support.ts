import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { MetricsSnapshot } from "../metrics/broker-metrics.ts";
import type { BrokerOptions } from "../options.ts";
import type { BrokerQuestion } from "./broker-process.test-support.ts";

/** What the process says. */
export type BrokerAnswer =
  | { readonly type: "listening"; readonly port: number }
  | {
      readonly type: "picture";
      readonly rssBytes: number;
      /** On the heap and beside it, without garbage. */
      readonly heldBytes: number;
      readonly metrics: MetricsSnapshot;
      readonly statistics: Readonly<Record<string, number>>;
    }
  | { readonly type: "metrics"; readonly metrics: MetricsSnapshot };

const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));

/** Bundles the broker's process from the sources, so that it is the code under test and needs no build; returns the program's path. */
export function brokerProgram(): Promise<string> {
  return bundledProgram("broker-process");
}

/** Bundles `<name>.test-support.ts` of this folder; returns the program's path. */
export async function bundledProgram(name: string): Promise<string> {
  const outfile = `${ROOT}.cache/chaos/${name}.mjs`;
  await build({
    entryPoints: [fileURLToPath(new URL(`./${name}.test-support.ts`, import.meta.url))],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    external: ["lmdb", "ws"],
    tsconfig: `${ROOT}tsconfig.test.json`,
    logLevel: "error",
  });
  return outfile;
}

/** A broker in a process of its own. */
export class ChildBroker {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  /** Starts one and resolves when it listens. */
  static async start(program: string, options: BrokerOptions): Promise<ChildBroker> {
    const child = fork(program, [JSON.stringify(options)], { execArgv: ["--expose-gc"] });
    const ended = once(child, "exit").then(() => Promise.reject(new Error("the broker's process ended early")));
    const first = await Promise.race([answerOf(child, "listening"), ended]);
    return new ChildBroker(child, first.port);
  }

  /** What the broker counts and how much memory it has, after collecting garbage. */
  async picture(): Promise<BrokerAnswer & { type: "picture" }> {
    const answer = answerOf(this.#child, "picture");
    this.#ask("picture");
    return await answer;
  }

  /** What the broker counts; costs next to nothing. */
  async metrics(): Promise<MetricsSnapshot> {
    const answer = answerOf(this.#child, "metrics");
    this.#ask("metrics");
    return (await answer).metrics;
  }

  /** Ends the process as a crash does. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await ended;
  }

  /** Ends it in order. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#ask("close");
    await ended;
  }

  #ask(question: BrokerQuestion): void {
    this.#child.send(question);
  }
}

function answerOf<T extends BrokerAnswer["type"]>(child: ChildProcess, type: T): Promise<BrokerAnswer & { type: T }> {
  return new Promise((resolve) => {
    const listen = (message: BrokerAnswer): void => {
      if (message.type !== type) return;
      child.off("message", listen);
      resolve(message as BrokerAnswer & { type: T });
    };
    child.on("message", listen);
  });
}
