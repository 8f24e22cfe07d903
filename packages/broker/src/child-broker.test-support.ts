import { type ChildProcess, fork } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { BrokerOptions } from "./options.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const SOURCE = fileURLToPath(new URL(".", import.meta.url));

/** What the child runs: the sources as they are now, in one file. */
const PROGRAM = `
  import { startBroker } from "./broker.ts";
  const broker = await startBroker(JSON.parse(process.argv[2]));
  process.on("disconnect", () => process.exit(1));
  process.send(broker.port);
`;

/** A broker in a process of its own, to be killed. */
export interface ChildBroker {
  readonly port: number;
  /** SIGKILL: nothing of it runs any more when this resolves. */
  kill(): Promise<void>;
}

/** Makes brokers in processes of their own. */
export interface ChildBrokers {
  start(options: BrokerOptions): Promise<ChildBroker>;
  /** Kills those that still run, and removes the program. */
  dispose(): Promise<void>;
}

export async function childBrokers(): Promise<ChildBrokers> {
  const bundled = await build({
    stdin: { contents: PROGRAM, resolveDir: SOURCE, loader: "ts" },
    bundle: true,
    platform: "node",
    format: "esm",
    external: ["lmdb", "ws"],
    tsconfig: join(ROOT, "tsconfig.test.json"),
    write: false,
    logLevel: "silent",
  });
  // Inside the workspace, so that the packages that stay outside of it are found.
  const directory = join(ROOT, ".cache");
  mkdirSync(directory, { recursive: true });
  const program = join(directory, `child-broker-${process.pid}.mjs`);
  writeFileSync(program, bundled.outputFiles[0]?.contents ?? "");
  const running = new Set<ChildBroker>();
  return {
    start: async (options) => {
      const child = fork(program, [JSON.stringify(options)], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
      const port = await portOf(child);
      const broker: ChildBroker = {
        port,
        kill: async () => {
          running.delete(broker);
          await killed(child);
        },
      };
      running.add(broker);
      return broker;
    },
    dispose: async () => {
      await Promise.all([...running].map((broker) => broker.kill()));
      rmSync(program, { force: true });
    },
  };
}

function portOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("message", (port) => resolve(Number(port)));
    child.once("exit", (code) => reject(new Error(`the broker ended with ${code}`)));
  });
}

function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGKILL");
  });
}
