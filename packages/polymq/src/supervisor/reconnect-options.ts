import { type NumberRule, numbersOf, type OptionSource, wordsOf } from "../base/option-rules.ts";

/** The longest delay that runtimes keep. */
const TIMER_MAX_MS = 2_147_483_647;

/** Numbers among the options of `reconnect`. `maxAttempts` has no limit unless it is given. */
const RECONNECT = {
  initialDelayMs: [0, TIMER_MAX_MS, 1_000],
  maxDelayMs: [0, TIMER_MAX_MS, 120_000],
  maxAttempts: [1, 0xffff_ffff, 1],
} as const satisfies Readonly<Record<string, NumberRule>>;

/** Checks the option `reconnect`, which all clients have in common: how to reconnect, or null for not at all. @throws {MessagingError} ERR_INVALID_OPTIONS */
export function reconnectOptions<T extends object>(wanted: boolean | T): T | null {
  if (wanted === false) return null;
  const options = wanted === true ? ({} as T) : wanted;
  const source: OptionSource = { code: "ERR_INVALID_OPTIONS", options, prefix: "reconnect." };
  numbersOf(source, RECONNECT);
  wordsOf(source, { jitter: ["full", "none"] });
  return options;
}
