import { checkedOptions, type OptionRule } from "../base/option-rules.ts";

/** The longest delay that runtimes keep. */
const TIMER_MAX_MS = 2_147_483_647;

/** `maxAttempts` has no limit unless it is given. */
const RECONNECT = {
  initialDelayMs: [0, TIMER_MAX_MS, 1_000],
  maxDelayMs: [0, TIMER_MAX_MS, 120_000],
  maxAttempts: [1, 0xffff_ffff, 1],
  jitter: ["full", "none"],
  shouldReconnect: "function",
  delay: "function",
  retryFirstConnect: "boolean",
} as const satisfies Readonly<Record<string, OptionRule>>;

/** Checks the option `reconnect`, which all clients have in common: how to reconnect, or null for not at all. @throws {MessagingError} ERR_INVALID_OPTIONS */
export function reconnectOptions<T extends object>(wanted: boolean | T): T | null {
  if (wanted === false) return null;
  const options = wanted === true ? ({} as T) : wanted;
  const code = "ERR_INVALID_OPTIONS";
  checkedOptions({ code, options: { reconnect: options } }, { reconnect: "object" });
  checkedOptions({ code, options, prefix: "reconnect." }, RECONNECT);
  return options;
}
