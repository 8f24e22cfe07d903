import { connect } from "polymq/amqp10";
import { pollUntil } from "./deadline.ts";
import { freePorts, waitForPort } from "./ports.ts";
import type { SpawnedTool } from "./spawn-tool.ts";
import { makeTempDir } from "./temp-dir.ts";

/** A running broker of AMQP 1.0. */
export interface Amqp10Server {
  /** Such as `amqp://127.0.0.1:20000`. */
  readonly url: string;
  /** Stops it and starts it on the same port and data. `"kill"` ends it with SIGKILL. */
  restart(how?: "stop" | "kill"): Promise<void>;
  /** The last lines of its log. */
  log(): string;
  /** Kills it and deletes its folder. */
  stop(): Promise<void>;
}

/** Java takes its time on a machine that has much else to do. */
export const JAVA_READY_MS: number = 180_000;
/** Enough for tests, whatever the machine has. */
export const JAVA_MEMORY: readonly string[] = ["-Xms64m", "-Xmx512m"];
const STOP_GRACE_MS = 20_000;

/** Makes a folder, has a broker prepared in it, starts it, and resolves when it takes connections. `login` goes before the host in its URL. */
export async function startAmqp10Server(
  name: string,
  login: string,
  prepare: (port: number, directory: string) => Promise<() => Promise<SpawnedTool>>,
): Promise<Amqp10Server> {
  const directory = await makeTempDir(name);
  const [port = 0] = await freePorts(1);
  try {
    const start = await prepare(port, directory.path);
    const url = `amqp://${login}127.0.0.1:${port}`;
    const launch = (): Promise<SpawnedTool> => launched(name, start, () => takesConnections(port, url));
    let tool = await launch();
    return {
      url,
      log: () => tool.tail(),
      restart: async (how = "stop") => {
        await tool.stop({ signal: how === "kill" ? "SIGKILL" : "SIGTERM", graceMs: STOP_GRACE_MS });
        tool = await launch();
      },
      stop: async () => {
        await tool.stop({ signal: "SIGKILL" });
        await directory.remove();
      },
    };
  } catch (error) {
    await directory.remove();
    throw error;
  }
}

async function launched(
  name: string,
  start: () => Promise<SpawnedTool>,
  isReady: () => Promise<void>,
): Promise<SpawnedTool> {
  const tool = await start();
  try {
    const ended = tool.exited.then(() => Promise.reject(new Error(`${name} has ended`)));
    await Promise.race([isReady(), ended]);
    return tool;
  } catch (error) {
    await tool.stop({ signal: "SIGKILL" });
    throw new Error(`${name} did not start; its log:\n${tool.tail()}`, { cause: error });
  }
}

/** A port may be open before what is behind it: Broker-J's virtual host comes later. */
async function takesConnections(port: number, url: string): Promise<void> {
  await waitForPort(port, JAVA_READY_MS);
  let refusal: unknown = null;
  const opens = async (): Promise<boolean> => {
    try {
      const connection = await connect(url, { reconnect: false });
      await connection.close();
      return true;
    } catch (error) {
      refusal = error;
      return false;
    }
  };
  await pollUntil(opens, JAVA_READY_MS, () => `no connection is taken: ${String(refusal)}`, 200);
}
