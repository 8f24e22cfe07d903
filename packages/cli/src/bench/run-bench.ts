import type { Client, Message } from "polymq";
import type { Clock } from "polymq/internal";
import type { Environment } from "../environment.ts";
import { serverReport } from "../probe/capabilities.ts";
import { pause } from "../session/pause.ts";
import type { StopRequests } from "../stop-requests.ts";
import type { BenchPlan } from "./bench-flags.ts";
import { Meter } from "./meter.ts";
import { runPublisher } from "./publisher.ts";

/** What a measurement needs. */
export interface BenchParts {
  readonly plan: BenchPlan;
  readonly env: Environment;
  readonly stop: StopRequests;
  readonly connect: () => Promise<Client>;
  /** Told of the counts so far, once a second. */
  readonly onProgress: (meter: Meter) => void;
}

/** What came of it. */
export interface BenchResult {
  /** Of the protocol, with its version. */
  readonly protocol: string;
  readonly meter: Meter;
  /** Messages that did not arrive, as far as one can say. */
  readonly lost: number;
}

/** Longest wait for messages that are on their way. */
const DRAIN_MS = 5_000;

const PROGRESS_MS = 1_000;

/** Connects, warms up, measures, waits for what is on its way, and closes. */
export async function runBench(parts: BenchParts): Promise<BenchResult> {
  const { plan, env, stop, connect, onProgress } = parts;
  const meter = new Meter(env.clock);
  const clients: Client[] = [];
  const over = new AbortController();
  const open = async (): Promise<Client> => {
    const client = await connect();
    clients.push(client);
    return client;
  };
  try {
    for (let i = 0; i < plan.subscribers; i++) await subscribe(await open(), plan, meter);
    const publishers: Client[] = [];
    for (let i = 0; i < plan.publishers; i++) publishers.push(await open());
    void every(PROGRESS_MS, env.clock, over.signal, () => onProgress(meter));
    const { protocol } = serverReport(clients[0] as Client);
    await publishPhases(publishers, parts, meter);
    const expected = plan.publishers === 0 ? 0 : expectedOf(plan, meter);
    const drained = new AbortController();
    await Promise.race([meter.whenReceived(expected), pause(env.clock, DRAIN_MS, drained.signal), stop.first]);
    drained.abort();
    return { protocol, meter, lost: Math.max(0, expected - meter.received) };
  } finally {
    over.abort();
    await Promise.all(clients.map((client) => client.close()));
  }
}

/** Publishes through warm-up and measurement; without publishers it listens that long. */
async function publishPhases(publishers: readonly Client[], parts: BenchParts, meter: Meter): Promise<void> {
  const { plan, env, stop } = parts;
  const controller = new AbortController();
  const { signal } = controller;
  const loops = publishers.map((client) =>
    runPublisher({ plan, meter, clock: env.clock, signal, ...publishing(client, plan) }),
  );
  const working = Promise.all(loops);
  working.catch(() => controller.abort());
  try {
    if (plan.warmupMs > 0) await Promise.race([pause(env.clock, plan.warmupMs, signal), stop.first, working]);
    meter.begin();
    const time = plan.count === null ? [pause(env.clock, plan.durationMs, signal)] : [];
    const done = publishers.length === 0 ? [] : [working];
    await Promise.race([...time, stop.first, ...done]);
  } finally {
    meter.end();
    controller.abort();
  }
  await working;
}

function publishing(
  client: Client,
  { target, qos }: BenchPlan,
): { readonly publish: (payload: Uint8Array) => Promise<unknown>; readonly isConfirmed: boolean } {
  if ("queue" in target) {
    const queue = client.queue(target.queue);
    return { publish: (payload) => queue.publish(payload), isConfirmed: true };
  }
  const { topic } = target;
  const isConfirmed = qos > 0 || client.protocol !== "mqtt";
  if (client.is("mqtt")) return { publish: (payload) => client.publish(topic, payload, { qos }), isConfirmed };
  const options = { qos: qos === 0 ? 0 : 1 } as const;
  return { publish: (payload) => client.publish(topic, payload, options), isConfirmed };
}

async function subscribe(client: Client, { target, qos, inflight }: BenchPlan, meter: Meter): Promise<void> {
  const handler = ({ payload }: Message): void => meter.arrived(payload);
  const prefetch = Math.min(1_000, inflight * 2);
  if ("queue" in target) await client.queue(target.queue).consume({ handler, prefetch });
  else if (client.is("mqtt")) await client.subscribe(target.topic, { handler, qos });
  else await client.subscribe(target.topic, { handler, qos: qos === 0 ? 0 : 1 });
}

/** Each subscriber gets a topic's message, one consumer a queue's. */
function expectedOf({ target, subscribers }: BenchPlan, { published }: Meter): number {
  return "queue" in target ? published * Math.min(1, subscribers) : published * subscribers;
}

/** Calls `fn` again and again until the signal fires. */
async function every(ms: number, clock: Clock, signal: AbortSignal, fn: () => void): Promise<void> {
  for (;;) {
    await pause(clock, ms, signal);
    if (signal.aborted) return;
    fn();
  }
}
