import { type AmqpMap, type AmqpValue, Condition, plain, Typed } from "polymq/amqp10/codec";
import type { StreamPosition } from "../../core/queues/queue-port.ts";
import { Refused } from "./refused.ts";

/** What a receiver's attach says of how it consumes a queue. */
export interface ConsumeTerms {
  /** "" when none is named. */
  readonly group: string;
  readonly from: StreamPosition | undefined;
  /** `manual`: a stream's group commits only what it is told to. */
  readonly commit: "settled" | "manual";
  readonly priority: number | undefined;
}

/** Numbers above this are milliseconds, below it seconds. */
const SECONDS_MAX = 1_000_000_000_000;

/** Reads the properties of an attach; their keys are symbols (§2.7.3), or strings as FluxMQ wants them. @throws {Refused} */
export function consumeTerms(properties: AmqpMap | null, filterPosition: AmqpValue | undefined): ConsumeTerms {
  const said = (names: readonly string[]): AmqpValue | undefined => first(properties, names);
  const group = plain(said(["consumer-group", "x-consumer-group"]) ?? null) ?? "";
  if (typeof group !== "string") throw new Refused(Condition.invalidField, "consumer-group is a string");
  const cursor = said(["cursor", "x-stream-offset"]) ?? filterPosition;
  const auto = plain(said(["auto-commit", "x-auto-commit"]) ?? true);
  const priority = plain(said(["rabbitmq:priority", "x-priority"]) ?? null);
  return {
    group,
    from: cursor === undefined || cursor === null ? undefined : positionOf(cursor),
    commit: auto === false || auto === "false" ? "manual" : "settled",
    priority: typeof priority === "number" && Number.isInteger(priority) ? priority : undefined,
  };
}

/**
 * Where a stream is read from: `first` or `earliest`, `last`, `next` or `latest`; an offset as a number, as digits or as `offset=<n>`; a moment as a
 * timestamp or as `timestamp=<seconds or milliseconds>`.
 * @throws {Refused}
 */
export function positionOf(value: AmqpValue): StreamPosition {
  const bare = plain(value);
  if (value instanceof Typed && value.type === "timestamp") {
    return { at: "timestamp", epochMs: Math.max(0, Number(bare)) };
  }
  if (typeof bare === "number" || typeof bare === "bigint") return offsetAt(Number(bare));
  if (typeof bare === "string") return positionOfText(bare);
  throw new Refused(Condition.invalidField, "there is no such position in a stream");
}

function positionOfText(text: string): StreamPosition {
  switch (text) {
    case "first":
    case "earliest":
      return { at: "first" };
    case "last":
      return { at: "last" };
    case "next":
    case "latest":
      return { at: "next" };
    default:
  }
  const [, word = "offset", digits = ""] = /^(?:(offset|timestamp)=)?(\d{1,16})$/.exec(text) ?? [];
  if (digits === "") throw new Refused(Condition.invalidField, `there is no position ${text} in a stream`);
  const number = Number(digits);
  if (word === "offset") return offsetAt(number);
  return { at: "timestamp", epochMs: number > SECONDS_MAX ? number : number * 1000 };
}

function offsetAt(offset: number): StreamPosition {
  if (Number.isSafeInteger(offset) && offset >= 0) return { at: "offset", offset };
  throw new Refused(Condition.invalidField, "an offset is a whole number from 0 on");
}

function first(properties: AmqpMap | null, names: readonly string[]): AmqpValue | undefined {
  for (const name of names) {
    const value = properties?.get(name);
    if (value !== undefined) return value;
  }
  return undefined;
}
