import { faultsOf, type Verdict } from "./ledger.ts";

/** All that there is to report. */
export interface Totals {
  readonly verdict: Verdict;
  /** From the first publish to the last delivery. */
  readonly elapsedMs: number;
  /** True when publishing was slowed down to spread it over time. */
  readonly paced: boolean;
  readonly cuts: number;
  readonly cutsWanted: number;
  /** Connections that the cuts broke. */
  readonly broken: number;
  readonly reconnects: number;
  /** Processes that were killed in the middle. */
  readonly kills: readonly string[];
}

/** Processes that are to be killed: a worker of each protocol and the broker. */
export const KILLS = 4;

/** What is wrong with the outcome, a line each; nothing when all is well. */
export function allFaults({ verdict, cuts, cutsWanted, kills }: Totals): string[] {
  const faults = faultsOf(verdict);
  if (verdict.holds === 0) faults.push("of no record it is known for how long it was one worker's");
  // Without its cuts the demo has shown nothing.
  if (cuts < cutsWanted) faults.push(`links were cut ${cuts} times instead of ${cutsWanted}: too few records for that`);
  if (kills.length < KILLS) faults.push(`${kills.length} processes were killed instead of ${KILLS}`);
  return faults;
}

const PACED = ", slowed down to watch (--seconds 0 goes as fast as it can)";

/** The report of the demo, a line each, with a line break after the last. */
export function reportLines(totals: Totals): string[] {
  const { verdict, elapsedMs } = totals;
  const faults = allFaults(totals);
  const rate = Math.round((verdict.published * 1_000) / elapsedMs);
  const letters = [...verdict.deadLetters].map(([reason, count]) => `${count} ${reason}`).sort();
  const rows: [what: string, value: string][] = [
    ["published", `${verdict.published} of ${verdict.records} acknowledged`],
    ["done", `${verdict.done} by the workers of one group`],
    ["retried", `${verdict.nacked} given back`],
    ["redelivered", `${verdict.redelivered}, for that or because a worker, a link or the broker was gone`],
    ["dead letters", letters.length === 0 ? "none" : `${letters.join(", ")}; read from the dead-letter queue`],
    ["duplicates", `${verdict.duplicatesQoS1} at QoS 1 (allowed), ${verdict.duplicatesQoS2.length} at QoS 2`],
    ["lost", `${verdict.lost.length}`],
    [
      "at once",
      `${verdict.shared.length} given to two workers at once, of ${verdict.holds} that were somebody's until settled`,
    ],
    ["killed", totals.kills.join(", ")],
    ["cuts", `${totals.cuts}, which broke ${totals.broken} connections`],
    ["reconnects", `${totals.reconnects}`],
    ["throughput", `${rate} records/s over ${(elapsedMs / 1_000).toFixed(1)} s${totals.paced ? PACED : ""}`],
    ["latency", `p50 ${verdict.p50Ms.toFixed(1)} ms, p99 ${verdict.p99Ms.toFixed(1)} ms, cuts included`],
  ];
  return [
    "",
    ...rows.map(([what, value]) => `${what.padEnd(14)}${value}`),
    "",
    ...(faults.length === 0
      ? ["OK: nothing was lost, nothing given to two at once"]
      : faults.map((fault) => `FAILED: ${fault}`)),
    "",
  ];
}
