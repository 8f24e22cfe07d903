import { randomInt } from "node:crypto";

/** Prints a line at once; a test that runs for minutes should not look as if it hung. */
export function say(line: string): void {
  process.stdout.write(`    ${line}\n`);
}

/** The seed of a run: from `POLYMQ_SEED` to repeat one, else random. It is printed. */
export function runSeed(): number {
  const given = process.env["POLYMQ_SEED"];
  const seed = given === undefined ? randomInt(2 ** 31) : Number(given);
  if (!Number.isInteger(seed)) throw new TypeError("POLYMQ_SEED must be a whole number");
  say(`seed ${seed} (POLYMQ_SEED=${seed} repeats it)`);
  return seed;
}
