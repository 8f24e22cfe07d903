import { join } from "node:path";
import { freePorts } from "./ports.ts";
import { type SpawnedTool, spawnTool } from "./spawn-tool.ts";

const SCRIPT = join(import.meta.dirname, "..", "peers", "python", "proton_broker.py");

/** The small broker on Qpid Proton (Python) that stands beside its scripts. */
export interface ProtonBroker {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts it on a free port of 127.0.0.1 and resolves when it takes connections. */
export async function startProtonBroker(): Promise<ProtonBroker> {
  const [port] = await freePorts(1);
  const tool: SpawnedTool = await spawnTool("python3", [SCRIPT, String(port)]);
  await tool.waitForLine(/^listening$/);
  return {
    url: `amqp://127.0.0.1:${port}`,
    stop: async () => {
      await tool.stop();
    },
  };
}
