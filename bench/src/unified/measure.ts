import { Child } from "../harness/child.ts";
import type { Metrics } from "../harness/metrics.ts";
import type { UnifiedPlan } from "./rows.ts";

/** Takes one measurement: a fresh broker and a fresh client, which both end with it. */
export async function measureUnified(plan: Omit<UnifiedPlan, "port">): Promise<Metrics> {
  const broker = Child.start(new URL("./broker-main.js", import.meta.url), {});
  let client: Child | null = null;
  try {
    const port = await broker.next<number>("listening");
    client = Child.start(new URL("./client-main.js", import.meta.url), { ...plan, port } satisfies UnifiedPlan);
    return await client.next<Metrics>("result", [broker]);
  } finally {
    await Promise.all([client?.stop(), broker.stop()]);
  }
}
