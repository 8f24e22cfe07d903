import type { Option } from "commander";
import { option, parseCount, parseSeconds, wholeNumber } from "./parse.ts";

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

/** Flags about what a group gets. */
export interface GroupFlags {
  readonly group?: string;
  readonly filter?: string;
  readonly prefetch?: number;
}

/** The options behind {@link GroupFlags}. */
export function groupOptions(noGroup: string): readonly Option[] {
  return [
    option("-g, --group <name>", `members of a group share the messages (default: ${noGroup})`),
    option("--filter <filter>", "only messages whose routing key matches; + and # as in topics"),
    option("--prefetch <number>", "messages held unsettled at most (default: 100, or --count)", wholeNumber(1, 65_535)),
  ];
}

/** What a group gets, as the client wants it. */
export interface GroupChoice {
  readonly prefetch: number;
  /** Settlements that may be under way at a time. */
  readonly concurrency: number;
  readonly group?: string;
  readonly filter?: string;
}

/** What these flags choose: no more is fetched than is to be printed. */
export function groupChoice({ group, filter, prefetch, count = PREFETCH }: GroupFlags & LimitFlags): GroupChoice {
  const held = prefetch ?? Math.min(PREFETCH, count);
  return {
    prefetch: held,
    concurrency: held,
    ...(group === undefined ? {} : { group }),
    ...(filter === undefined ? {} : { filter }),
  };
}

const PREFETCH = 100;
