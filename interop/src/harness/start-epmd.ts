import { freePorts, waitForPort } from "./ports.ts";
import { spawnTool } from "./spawn-tool.ts";

/** Erlang's port mapper, through which the nodes of one cluster find each other. */
export interface Epmd {
  readonly port: number;
  readonly pid: number;
  /** Ends it; to be called after its nodes have stopped. Calling it again does nothing. */
  stop(): Promise<void>;
}

const READY_TIMEOUT_MS = 10_000;

/** Starts an epmd of our own on a free loopback port, apart from any that the machine runs on 4369. */
export async function startEpmd(): Promise<Epmd> {
  const [port = 0] = await freePorts(1);
  const tool = await spawnTool("epmd", ["-port", `${port}`, "-address", "127.0.0.1"]);
  try {
    await waitForPort(port, READY_TIMEOUT_MS);
  } catch (error) {
    await tool.stop();
    throw new Error(`epmd did not start:\n${tool.tail()}`, { cause: error });
  }
  return {
    port,
    pid: tool.pid,
    stop: async () => {
      await tool.stop();
    },
  };
}
