import { waitForPort } from "./ports.ts";
import { type SpawnedTool, spawnTool } from "./spawn-tool.ts";

/** FluxMQ opens its listeners within a second or two. */
const START_TIMEOUT_MS = 15_000;

/**
 * Starts FluxMQ with the command line in `POLYMQ_FLUXMQ_COMMAND` (a path and arguments, between spaces) and resolves when `address` takes
 * connections; without that variable FluxMQ runs already, and the result is null.
 */
export async function startFluxmq(address: string): Promise<SpawnedTool | null> {
  const [command = "", ...args] = (process.env["POLYMQ_FLUXMQ_COMMAND"] ?? "").split(" ").filter((word) => word !== "");
  if (command === "") return null;
  const tool = await spawnTool(command, args, { group: "own" });
  await waitForPort(Number(address.slice(address.lastIndexOf(":") + 1)), START_TIMEOUT_MS);
  return tool;
}
