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
  protocolVersions: [5],
  maxInflight: 10,
  keepAliveSeconds: 600,
};

/** Runs the exchange of a seed with one thing breaking. */
export function runScript(seed: number, script: Script): Promise<RunReport> {
  return simulate(seed, { profile: QUIET, trouble: (world) => new ScriptedTrouble(world, script) });
}

/** Runs every script and returns what was wrong, with the script that brought it about. */
export async function runScripts(seed: number, scripts: readonly Script[]): Promise<string[]> {
  const wrong: string[] = [];
  for (const script of scripts) {
    const { violations } = await runScript(seed, script);
    if (violations.length > 0) wrong.push(`${JSON.stringify(script)}: ${violations.slice(0, 5).join("; ")}`);
  }
  return wrong;
}

/** Numbers from 1 to `count`. */
export function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}
