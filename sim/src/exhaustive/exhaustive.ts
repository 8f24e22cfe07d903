import { type RunReport, simulate } from "../run/simulation.ts";
import type { Profile } from "../world/profile.ts";
import { type Script, ScriptedTrouble } from "./scripted-trouble.ts";

/** A short quiet run with everything in it: nothing is slow, nothing is split, and only what the script says breaks. */
export const QUIET: Profile = {
  calmMs: 0,
  runMs: 600,
  workloads: { topics: true, retained: true, queues: true, tasks: true, stream: true },
  load: 0.2,
  network: { chunkBytesMax: Number.POSITIVE_INFINITY, delayMsMax: 0, highWaterBytes: 65_536, refuses: 0 },
  faultEveryMs: 1,
  faults: { cut: 0, "half open": 0, stall: 0, crash: 0, "power loss": 0, "sync failure": 0 },
  syncDelayMsMax: 0,
  broker: { sysIntervalSeconds: 0 },
  queueWires: ["mqtt"],
  protocolVersions: [5],
  maxInflight: 10,
  keepAliveSeconds: 600,
};

/** The same with nothing in it but queues over AMQP 0-9-1. */
export const QUIET_AMQP091: Profile = {
  ...QUIET,
  workloads: { topics: false, retained: false, queues: false, tasks: true, stream: false },
  queueWires: ["amqp091"],
};

/** And over AMQP 1.0, with a stream. */
export const QUIET_AMQP10: Profile = {
  ...QUIET_AMQP091,
  workloads: { ...QUIET_AMQP091.workloads, stream: true },
  queueWires: ["amqp10"],
};

/** One exchange: what is in it, and the seed that draws it. */
export interface Exchange {
  readonly seed: number;
  readonly profile: Profile;
}

/** Runs an exchange with one thing breaking. */
export function runScript({ seed, profile }: Exchange, script: Script): Promise<RunReport> {
  return simulate(seed, { profile, trouble: (world) => new ScriptedTrouble(world, script) });
}

/** Runs every script and returns what was wrong, with the script that brought it about. */
export async function runScripts(exchange: Exchange, scripts: readonly Script[]): Promise<string[]> {
  const wrong: string[] = [];
  for (const script of scripts) {
    const { violations } = await runScript(exchange, script);
    if (violations.length > 0) wrong.push(`${JSON.stringify(script)}: ${violations.slice(0, 5).join("; ")}`);
  }
  return wrong;
}

/** Numbers from 1 to `count`. */
export function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}
