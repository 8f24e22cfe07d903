import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Child } from "../harness/child.ts";
import type { Metrics } from "../harness/metrics.ts";
import { anonymousKibOf, cpuMicrosOf } from "../harness/process-usage.ts";
import type { BrokerPlan } from "./broker-main.ts";
import type { DevicePlan } from "./device-main.ts";
import type { Rabbitmq } from "./rabbitmq.ts";
import type { QueuePlan } from "./rows.ts";

const MILLION = 1_000_000;

/** Our broker, fresh, under a fresh generator. */
export async function measureOurs(
  durability: "fsync" | "buffered",
  load: Omit<QueuePlan, "port" | "queue">,
): Promise<Metrics> {
  return await withDirectory(async (dataDir) => {
    const broker = await OurBroker.start({ dataDir, durability, window: load.window });
    try {
      return await measure({ ...load, port: broker.port, queue: "bench" }, broker.pid);
    } finally {
      await broker.kill();
    }
  });
}

/** RabbitMQ as it runs, with a fresh queue, under a fresh generator. */
export async function measureRabbitmq(node: Rabbitmq, load: Omit<QueuePlan, "port" | "queue">): Promise<Metrics> {
  return await measure({ ...load, port: node.port, queue: `bench-${process.hrtime.bigint()}` }, node.pid);
}

/** One synced write for each message, under a fresh generator. */
export async function measureDevice(load: Omit<QueuePlan, "port" | "queue">): Promise<Metrics> {
  return await withDirectory(async (directory) => {
    const queue = "bench";
    const plan: DevicePlan = { path: join(directory, "device"), queue, size: load.size };
    const server = Child.start(new URL("./device-main.js", import.meta.url), plan);
    try {
      const { port } = await server.next<{ port: number }>("listening");
      return await measure({ ...load, port, queue }, server.pid);
    } finally {
      await server.stop();
    }
  });
}

/** Memory with a million messages of 256 B in a queue and nobody who consumes, and the time to start over them after a SIGKILL. */
export async function measureMillion(): Promise<Metrics> {
  return await withDirectory(async (dataDir) => {
    const plan = { dataDir, durability: "fsync", window: 1000 } as const;
    const first = await OurBroker.start(plan);
    let memory: number | null = null;
    try {
      const load = { protocol: "mqtt", queueType: "classic", work: "publish", size: 256, window: 1000 } as const;
      await measure({ ...load, warmup: 1000, measured: MILLION - 1000, port: first.port, queue: "bench" }, first.pid);
      memory = anonymousKibOf(first.pid);
    } finally {
      await first.kill();
    }
    const second = await OurBroker.start(plan);
    await second.kill();
    return { startup: second.startMs, ...(memory === null ? {} : { memory }) };
  });
}

async function measure(plan: QueuePlan, pid: number): Promise<Metrics> {
  const generator = Child.start(new URL("./load-main.js", import.meta.url), rounded(plan));
  try {
    await generator.next("warm");
    const before = cpuMicrosOf(pid);
    generator.send({ type: "go" });
    const durationNs = await generator.next<number>("done");
    const after = cpuMicrosOf(pid);
    generator.send({ type: "finish" });
    await generator.next("final");
    const { measured, warmup, work } = rounded(plan);
    const messages = work === "publish" ? measured : measured + warmup;
    return {
      rate: measured / (durationNs / 1e9),
      ...(before !== null && after !== null ? { cpu: (after - before) / messages } : {}),
    };
  } finally {
    await generator.stop();
  }
}

/** Whole cycles of payloads, so that what one call publishes continues what the last one did. */
function rounded(plan: QueuePlan): QueuePlan {
  return { ...plan, warmup: Math.ceil(plan.warmup / 8) * 8, measured: Math.ceil(plan.measured / 8) * 8 };
}

class OurBroker {
  readonly port: number;
  readonly startMs: number;
  readonly #child: Child;

  private constructor(child: Child, port: number, startMs: number) {
    this.#child = child;
    this.port = port;
    this.startMs = startMs;
  }

  static async start(plan: BrokerPlan): Promise<OurBroker> {
    const child = Child.start(new URL("./broker-main.js", import.meta.url), plan);
    const { port, startMs } = await child.next<{ port: number; startMs: number }>("listening");
    return new OurBroker(child, port, startMs);
  }

  get pid(): number {
    return this.#child.pid;
  }

  kill(): Promise<void> {
    return this.#child.stop();
  }
}

async function withDirectory<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "polymq-bench-"));
  try {
    return await work(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
