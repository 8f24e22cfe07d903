import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startEpmd } from "./start-epmd.ts";
import { makeTempDir } from "./temp-dir.ts";

/** What the RabbitMQ nodes of one cluster share: a home with the Erlang cookie, and a port mapper. */
export interface RabbitmqSite {
  /** HOME of every node and of `rabbitmqctl`; holds `.erlang.cookie`. */
  readonly home: string;
  readonly epmdPort: number;
  /** Ends the port mapper and deletes the home; to be called after the nodes have stopped. */
  stop(): Promise<void>;
}

/**
 * Makes the ground for nodes that are to form a cluster. A single node makes one for itself.
 *
 * ```ts
 * const site = await makeRabbitmqSite();
 * const first = await startRabbitmq({ site });
 * const second = await startRabbitmq({ site });
 * await second.joinCluster(first);
 * ```
 */
export async function makeRabbitmqSite(): Promise<RabbitmqSite> {
  const directory = await makeTempDir("rabbitmq-site");
  const cookie = randomBytes(20).toString("hex");
  // Erlang refuses a cookie that others may read.
  await writeFile(join(directory.path, ".erlang.cookie"), cookie, { mode: 0o400 });
  const epmd = await startEpmd();
  return {
    home: directory.path,
    epmdPort: epmd.port,
    stop: async () => {
      await epmd.stop();
      await directory.remove();
    },
  };
}
