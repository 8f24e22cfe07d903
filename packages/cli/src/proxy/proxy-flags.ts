import { InvalidArgumentError, type Option } from "commander";
import type { CutRule, Direction, Faults } from "polymq/testing";
import { option, parseCount, parsePort, parseSeconds, wordOption } from "../options/parse.ts";

/** A range of whole numbers, or one of them twice. */
export type Range = readonly [least: number, most: number];

/** Flags of `polymq proxy`. */
export interface ProxyFlags {
  readonly to: Target;
  readonly listen?: Target;
  readonly delay?: Range;
  readonly pieces?: Range;
  readonly throughput?: number;
  readonly stall?: Direction | "both";
  readonly cutAfterBytes?: number;
  readonly cutDirection?: Direction;
  readonly cutMode?: "fin" | "rst";
  readonly cutEvery?: number;
  readonly halfCloseAfter?: number;
  readonly halfCloseDirection?: Direction;
  readonly seed?: number;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** A host and its port. */
export interface Target {
  readonly host: string;
  readonly port: number;
}

const DIRECTIONS: readonly Direction[] = ["toServer", "toClient"];

/** The options behind {@link ProxyFlags}. */
export function proxyOptions(): readonly Option[] {
  return [
    option("--to <host:port>", "the server behind it").makeOptionMandatory().argParser(parseTarget),
    option("--listen <[host:]port>", "where it listens (default: 127.0.0.1 and any free port)", parseListen),
    option("--delay <ms>", "every chunk arrives this much later; a range such as 10-50 is drawn from", parseRange),
    option(
      "--pieces <bytes>",
      "chunks are split into pieces of this size; a range such as 1-7 is drawn from",
      parseRange,
    ),
    option("--throughput <bytes>", "the most bytes a second in each direction", parseCount),
    wordOption("--stall <direction>", "nothing passes in this direction", [...DIRECTIONS, "both"]),
    option("--cut-after-bytes <number>", "cut the first connection that has passed so many bytes", parseCount),
    wordOption("--cut-direction <direction>", "the direction that is counted (default: toServer)", DIRECTIONS),
    option("--cut-every <seconds>", "cut all connections again and again", parseSeconds),
    wordOption("--cut-mode <mode>", "cut in order (fin) or by a reset (rst) (default: rst)", ["fin", "rst"]),
    option("--half-close-after <seconds>", "end one direction of all connections of then", parseSeconds),
    wordOption("--half-close-direction <direction>", "the direction that is ended (default: toClient)", DIRECTIONS),
    option("--seed <number>", "of all that is random (default: 1)", parseCount),
    option("--json", "print lines of JSON"),
    option("--quiet", "print nothing but where it listens"),
  ];
}

/** The faults that hold from the start. */
export function faultsOf({ delay, pieces, throughput, stall }: ProxyFlags): Faults {
  return {
    ...(delay === undefined ? {} : { delayMs: delay }),
    ...(pieces === undefined ? {} : { pieceBytes: pieces }),
    ...(throughput === undefined ? {} : { bytesPerSecond: throughput }),
    ...(stall === undefined ? {} : { stall }),
  };
}

/** The cut that counts bytes, or null. */
export function cutRuleOf({ cutAfterBytes, cutDirection = "toServer", cutMode = "rst" }: ProxyFlags): CutRule | null {
  if (cutAfterBytes === undefined) return null;
  return { direction: cutDirection, unit: "bytes", count: cutAfterBytes, mode: cutMode };
}

/** One whole number, or two with a dash. */
export function parseRange(text: string): Range {
  const range = rangeOf(text);
  if (range === null) throw new InvalidArgumentError("A whole number, or a range such as 10-50.");
  return range;
}

/** The same, or null for a text that is neither. */
export function rangeOf(text: string): Range | null {
  const [, least = "", most = least] = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(text) ?? [];
  return least === "" || Number(most) < Number(least) ? null : [Number(least), Number(most)];
}

function parseTarget(text: string): Target {
  const [, host = "", port = ""] = /^(?:\[(?=.*\]))?([^\][]+)\]?:(\d+)$/.exec(text) ?? [];
  if (host === "") throw new InvalidArgumentError("The form is host:port.");
  return { host, port: parsePort(port) };
}

function parseListen(text: string): Target {
  return /^\d+$/.test(text) ? { host: "127.0.0.1", port: parsePort(text) } : parseTarget(text);
}
