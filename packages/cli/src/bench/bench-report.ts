import type { Histogram } from "../measure/histogram.ts";
import type { BenchPlan } from "./bench-flags.ts";
import type { Meter } from "./meter.ts";
import type { BenchResult } from "./run-bench.ts";

/** One line about what was counted so far. */
export function progressLine({ published, received, elapsedMs }: Meter): string {
  if (elapsedMs === 0) return "warming up";
  const seconds = (elapsedMs / 1_000).toFixed(0);
  return `${seconds} s: ${counted(published)} published, ${counted(received)} received, ${counted(perSecond(published, elapsedMs))}/s`;
}

/** The figures, for JSON. */
export function benchJson(plan: BenchPlan, { protocol, meter, lost }: BenchResult): object {
  const { published, received, elapsedMs, confirmed, arrivals } = meter;
  const { target, publishers, subscribers, qos, size, rate } = plan;
  return {
    protocol,
    ...target,
    ...("topic" in target ? { qos } : {}),
    publishers,
    subscribers,
    size,
    ...(rate === null ? {} : { rateWanted: rate }),
    elapsedMs: Math.round(elapsedMs),
    published,
    publishedPerSecond: perSecond(published, elapsedMs),
    received,
    receivedPerSecond: perSecond(received, elapsedMs),
    lost,
    ...(confirmed.count === 0 ? {} : { confirmedMs: figures(confirmed) }),
    ...(arrivals.count === 0 ? {} : { arrivedMs: figures(arrivals) }),
  };
}

/** The figures, for people. */
export function benchText(plan: BenchPlan, result: BenchResult): string {
  const { meter, lost, protocol } = result;
  const { published, received, elapsedMs, confirmed, arrivals } = meter;
  const { target, publishers, subscribers, qos, size } = plan;
  const where = "topic" in target ? `topic ${target.topic}, QoS ${qos}` : `queue ${target.queue}`;
  return [
    `${protocol}: ${where}, ${size} B, ${publishers} publishing, ${subscribers} subscribing, ${(elapsedMs / 1_000).toFixed(1)} s`,
    `  published  ${rateText(published, elapsedMs, size)}`,
    `  received   ${rateText(received, elapsedMs, size)}${lost === 0 ? "" : `, ${counted(lost)} missing`}`,
    ...(confirmed.count === 0 ? [] : [`  confirmed  ${timesText(confirmed)}`]),
    ...(arrivals.count === 0 ? [] : [`  arrived    ${timesText(arrivals)}`]),
    "",
  ].join("\n");
}

function rateText(count: number, elapsedMs: number, size: number): string {
  const rate = perSecond(count, elapsedMs);
  return `${counted(count)}  ${counted(rate)}/s  ${((rate * size) / 1_000_000).toFixed(1)} MB/s`;
}

function timesText(times: Histogram): string {
  const entries = Object.entries(figures(times)).map(([name, ms]) => `${name} ${ms.toFixed(3)}`);
  return `${entries.join("  ")} ms`;
}

function figures(times: Histogram): Readonly<Record<string, number>> {
  const { p50, p90, p99, p999, max } = times.percentiles();
  const named = { mean: times.meanMs, p50, p90, p99, "p99.9": p999, max };
  return Object.fromEntries(Object.entries(named).map(([name, ms]) => [name, Number(ms.toFixed(3))]));
}

function perSecond(count: number, elapsedMs: number): number {
  return elapsedMs === 0 ? 0 : Math.round((count * 1_000) / elapsedMs);
}

function counted(count: number): string {
  return count.toLocaleString("en-US");
}
