import type { Option } from "commander";
import { UsageError } from "../failure.ts";
import type { ConnectionFlags } from "../options/connection.ts";
import { option, parseCount, parseQos, parseSeconds, wholeNumber } from "../options/parse.ts";

/** Flags of `polymq bench` besides the connection's. */
export interface BenchFlags extends ConnectionFlags {
  readonly all?: boolean;
  readonly topic?: string;
  readonly queue?: string;
  readonly publishers?: number;
  readonly subscribers?: number;
  readonly qos?: 0 | 1 | 2;
  readonly size?: number;
  readonly rate?: number;
  readonly inflight?: number;
  readonly count?: number;
  readonly duration?: number;
  readonly warmup?: number;
  readonly json?: boolean;
}

/** What is measured. */
export interface BenchPlan {
  /** Where messages go. */
  readonly target: { readonly topic: string } | { readonly queue: string };
  readonly publishers: number;
  readonly subscribers: number;
  readonly qos: 0 | 1 | 2;
  /** Bytes of a payload, 16 at least: it carries the time at which it was sent. */
  readonly size: number;
  /** Messages a second of all publishers together; null for as many as possible. */
  readonly rate: number | null;
  /** Publishes of each publisher that may wait for their confirmation. */
  readonly inflight: number;
  /** Messages of all publishers together; null for as long as `durationMs`. */
  readonly count: number | null;
  readonly durationMs: number;
  readonly warmupMs: number;
}

/** Bytes that a payload has at least. */
export const SIZE_MIN = 16;

/** The options behind {@link BenchFlags}. */
export function benchOptions(): readonly Option[] {
  return [
    option("--all", "measure every protocol at --host and --port, one after the other"),
    option("-t, --topic <topic>", "topic of the messages (default: polymq/bench/ and something random)"),
    option("--queue <name>", "use this queue instead of a topic"),
    option("--publishers <number>", "connections that publish (default: 1)", wholeNumber(0, 10_000)),
    option(
      "--subscribers <number>",
      "connections that subscribe, or consume the queue (default: 1)",
      wholeNumber(0, 10_000),
    ),
    option("-q, --qos <level>", "of a topic's messages: 0, 1, or 2 (MQTT) (default: 1)", parseQos),
    option("--size <bytes>", "bytes of a payload (default: 256)", wholeNumber(SIZE_MIN, 16_777_216)),
    option(
      "--rate <number>",
      "messages a second of all publishers together (default: as many as possible)",
      parseCount,
    ),
    option(
      "--inflight <number>",
      "publishes of each that may wait for their confirmation (default: 256)",
      wholeNumber(1, 65_535),
    ),
    option("-C, --count <number>", "messages of all publishers together (default: those of --duration)", parseCount),
    option("--duration <seconds>", "how long to measure (default: 5)", parseSeconds),
    option("--warmup <seconds>", "how long to publish before that (default: 1; with --count 0)", parseSeconds),
    option("--json", "print one line of JSON for each protocol"),
  ];
}

/** What the flags ask for. @throws {UsageError} */
export function benchPlan(flags: BenchFlags): BenchPlan {
  const { topic, queue, publishers = 1, subscribers = 1, qos = 1, size = 256, rate = null, inflight = 256 } = flags;
  const { count = null, duration = 5_000, warmup = count === null ? 1_000 : 0, all } = flags;
  if (topic !== undefined && queue !== undefined) throw new UsageError("--topic and --queue exclude each other");
  if (publishers + subscribers === 0) throw new UsageError("somebody has to publish or subscribe");
  if (all === true && (flags.url !== undefined || flags.protocol !== undefined)) {
    throw new UsageError("--all goes with --host and --port, not with --url or --protocol");
  }
  if (publishers === 0 && topic === undefined && queue === undefined) {
    throw new UsageError("without publishers say what to listen to: --topic or --queue");
  }
  const target = queue === undefined ? { topic: topic ?? `polymq/bench/${crypto.randomUUID()}` } : { queue };
  return { target, publishers, subscribers, qos, size, rate, inflight, count, durationMs: duration, warmupMs: warmup };
}
