import type { Option } from "commander";
import { option, parseCount, parseSeconds } from "./parse.ts";

/** Flags about when to stop taking messages. */
export interface LimitFlags {
  readonly count?: number;
  readonly timeout?: number;
}

/** The options behind {@link LimitFlags}. */
export function limitOptions(): readonly Option[] {
  return [
    option("-C, --count <number>", "exit after so many messages (default: run until stopped)", parseCount),
    option("-W, --timeout <seconds>", "exit with 124 after this time", parseSeconds),
  ];
}
