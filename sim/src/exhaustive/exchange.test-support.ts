import { describe, expect, test } from "vitest";
import type { CutKind } from "../world/link.ts";
import { numbers, runScript, runScripts } from "./exhaustive.ts";
import type { Script } from "./scripted-trouble.ts";

const TIME_MS = 300_000;

const CRASHES: readonly Pick<Extract<Script, { at: "commit" }>, "kind" | "leaves">[] = [
  { kind: "power lost", leaves: "lost" },
  { kind: "power lost", leaves: "torn" },
  { kind: "killed", leaves: "kept" },
  { kind: "killed", leaves: "synced" },
];

const CUTS: readonly CutKind[] = ["both", "client late", "server late", "client flushed", "server flushed"];

/** Breaks the exchange of a seed at every place where it can break, in every way. */
export function describeExchange(seed: number): void {
  describe(`the exchange of seed ${seed}`, () => exchangeTests(seed));
}

function exchangeTests(seed: number): void {
  async function places(): Promise<{ commits: number; packets: number }> {
    const { violations, trouble } = await runScript(seed, { at: "nowhere" });
    expect(violations).toEqual([]);
    return { commits: trouble["commits"] ?? 0, packets: trouble["packets"] ?? 0 };
  }

  test.each(CRASHES)(
    "keeps every promise when the broker crashes at any of its commits: $kind, the batch is $leaves",
    async (crash) => {
      const { commits } = await places();
      expect(commits).toBeGreaterThan(15);
      expect(
        await runScripts(
          seed,
          numbers(commits).map((number) => ({ at: "commit", number, ...crash })),
        ),
      ).toEqual([]);
    },
    TIME_MS,
  );

  test.each(CUTS)(
    "keeps every promise when the link is cut before any packet: %s [MQTT-4.1.0-1] [MQTT-4.4.0-1]",
    async (cut) => {
      const { packets } = await places();
      expect(packets).toBeGreaterThan(40);
      expect(
        await runScripts(
          seed,
          numbers(packets).map((number) => ({ at: "packet", number, cut })),
        ),
      ).toEqual([]);
    },
    TIME_MS,
  );
}
