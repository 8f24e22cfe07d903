import { describe, expect, test } from "vitest";
import type { CutKind } from "../world/link.ts";
import { type Exchange, numbers, QUIET, runScript, runScripts } from "./exhaustive.ts";
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
export function describeExchange(seed: number, profile: Exchange["profile"] = QUIET): void {
  const queues = profile === QUIET ? "" : `, queues over ${profile.queueWires.join(" and ")}`;
  describe(`the exchange of seed ${seed}${queues}`, () => exchangeTests({ seed, profile }));
}

function exchangeTests(exchange: Exchange): void {
  async function places(): Promise<{ commits: number; packets: number }> {
    const { violations, trouble } = await runScript(exchange, { at: "nowhere" });
    expect(violations).toEqual([]);
    return { commits: trouble["commits"] ?? 0, packets: trouble["packets"] ?? 0 };
  }

  test.each(CRASHES)(
    "keeps every promise when the broker crashes at any of its commits: $kind, the batch is $leaves",
    async (crash) => {
      const { commits } = await places();
      expect(commits).toBeGreaterThan(exchange.profile === QUIET ? 15 : 5);
      expect(
        await runScripts(
          exchange,
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
          exchange,
          numbers(packets).map((number) => ({ at: "packet", number, cut })),
        ),
      ).toEqual([]);
    },
    TIME_MS,
  );
}
