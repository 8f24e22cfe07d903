/**
 * A broker in a process of its own, to be killed and measured: options as JSON in the first argument. Bundled and started by
 * `child-broker.test-support.ts`.
 */
import { startBroker } from "../broker.ts";
import type { BrokerOptions } from "../options.ts";
import type { BrokerAnswer } from "./child-broker.test-support.ts";

/** What is asked of the process. */
export type BrokerQuestion = "picture" | "metrics" | "close";

async function main(): Promise<void> {
  process.on("disconnect", () => process.exit(1));
  const broker = await startBroker(JSON.parse(process.argv[2] ?? "{}") as BrokerOptions);
  process.on("message", (question: BrokerQuestion) => {
    if (question === "close") void broker.close().then(() => process.exit(0));
    else if (question === "metrics") answer({ type: "metrics", metrics: broker.inspect().metrics });
    else answer(picture());
  });
  void broker.closed.then((error) => {
    if (error !== null) throw error;
  });
  answer({ type: "listening", port: broker.port });

  function picture(): BrokerAnswer {
    // Garbage says nothing about a leak.
    globalThis.gc?.();
    const { metrics, statistics } = broker.inspect();
    const { rss, heapUsed, external } = process.memoryUsage();
    return { type: "picture", rssBytes: rss, heldBytes: heapUsed + external, metrics, statistics };
  }
}

function answer(message: BrokerAnswer): void {
  process.send?.(message);
}

await main();
