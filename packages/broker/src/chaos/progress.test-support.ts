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

/** How often {@link until} asks. */
const ASK_MS = 100;

/** Asks until the answer is yes, one question at a time. */
export function until(isSo: () => Promise<boolean>): Promise<void> {
  return new Promise((resolve, reject) => {
    const ask = (): void => {
      isSo().then((so) => {
        if (so) resolve();
        else setTimeout(ask, ASK_MS);
      }, reject);
    };
    ask();
  });
}
