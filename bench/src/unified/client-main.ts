import { nowNs } from "../harness/clock.ts";
import type { Metrics } from "../harness/metrics.ts";
import { type Parent, runChild } from "../harness/parent.ts";
import { Tally } from "../mqtt/client/message-sink.ts";
import { publishWindowed } from "../mqtt/client/window.ts";
import { makePayloads } from "../mqtt/wire/payloads.ts";
import { openNative } from "./native.ts";
import { type UnifiedPlan, WINDOW } from "./rows.ts";
import type { Session } from "./session.ts";
import { openUnified } from "./unified.ts";

/** The client's process: a warm-up, then the measured messages, then "result" with the metrics. */
runChild<UnifiedPlan>(async (parent: Parent<UnifiedPlan>) => {
  const plan = parent.config;
  const payloads = makePayloads(plan.size);
  if (plan.work === "queue-consume") await fill(plan, payloads);
  const session = await (plan.layer === "unified" ? openUnified(plan) : openNative(plan));
  const metrics = await (plan.work === "queue-consume" ? consume : publish)(plan, session, payloads);
  await session.close();
  parent.send({ type: "result", data: metrics });
});

/** Puts into the queue what is to be consumed, the same way for both. */
async function fill(plan: UnifiedPlan, payloads: readonly Uint8Array[]): Promise<void> {
  const session = await openNative({ ...plan, work: "queue-publish" });
  const one = (index: number): Promise<unknown> => session.send(payloads[index % payloads.length] ?? new Uint8Array(0));
  await publishWindowed(0, plan.warmup + plan.measured, WINDOW, one);
  await session.close();
}

async function publish(
  { warmup, measured }: UnifiedPlan,
  session: Session,
  payloads: readonly Uint8Array[],
): Promise<Metrics> {
  const one = (index: number): Promise<unknown> => session.send(payloads[index % payloads.length] ?? new Uint8Array(0));
  await publishWindowed(0, warmup, WINDOW, one);
  const usage = startUsage();
  await publishWindowed(warmup, measured, WINDOW, one);
  return usage(measured);
}

async function consume(
  { warmup, measured }: UnifiedPlan,
  session: Session,
  payloads: readonly Uint8Array[],
): Promise<Metrics> {
  const tally = new Tally(payloads);
  let usage = startUsage();
  let seen = 0;
  const over = tally.begin(warmup + measured, warmup + measured, "quick");
  await session.consume((payload) => {
    tally.onPayload(payload);
    seen += 1;
    if (seen === warmup) usage = startUsage();
  });
  await over;
  return usage(measured);
}

function startUsage(): (messages: number) => Metrics {
  const cpu = process.cpuUsage();
  const startNs = nowNs();
  return (messages) => {
    const { user, system } = process.cpuUsage(cpu);
    const seconds = (nowNs() - startNs) / 1e9;
    return { rate: messages / seconds, cpu: (user + system) / messages, memory: process.resourceUsage().maxRSS };
  };
}
