import type { StreamPosition } from "../../core/queues/queue-port.ts";
import type { ArgumentReader } from "./arguments.ts";
import { durationMs } from "./queue-arguments.ts";

const NAME = "x-stream-offset";

/** Numbers above this are milliseconds, below it seconds. */
const SECONDS_MAX = 1_000_000_000_000;

/**
 * Where `x-stream-offset` asks to begin: `first`, `last`, `next`; an offset as an integer, as digits or as `offset=<n>`; a moment as a timestamp or as
 * `timestamp=<seconds or milliseconds>`; or how far back, such as `1h`. Undefined when it is missing.
 * @throws {ReplyError} 406 for anything else
 */
export function streamPositionOf(reader: ArgumentReader, nowEpochMs: number): StreamPosition | undefined {
  const value = reader.value(NAME);
  if (value === undefined) return undefined;
  if (value instanceof Date) return { at: "timestamp", epochMs: value.getTime() };
  if (reader.tag(NAME) === "T") return { at: "timestamp", epochMs: Number(value) * 1000 };
  if (typeof value === "number" || typeof value === "bigint") return offsetAt(Number(value), reader);
  if (typeof value === "string") return positionOfText(value, reader, nowEpochMs);
  throw reader.invalid(NAME, "it is an offset, a timestamp, or first, last or next");
}

function positionOfText(text: string, reader: ArgumentReader, nowEpochMs: number): StreamPosition {
  if (text === "first" || text === "last" || text === "next") return { at: text };
  const [, word = "offset", digits = ""] = /^(?:(offset|timestamp)=)?(\d{1,16})$/.exec(text) ?? [];
  if (digits !== "") {
    const number = Number(digits);
    if (word === "offset") return offsetAt(number, reader);
    return { at: "timestamp", epochMs: number > SECONDS_MAX ? number : number * 1000 };
  }
  const ago = durationMs(text);
  if (ago !== null) return { at: "timestamp", epochMs: Math.max(0, nowEpochMs - ago) };
  throw reader.invalid(NAME, `there is no position '${text}'`);
}

function offsetAt(offset: number, reader: ArgumentReader): StreamPosition {
  if (Number.isSafeInteger(offset) && offset >= 0) return { at: "offset", offset };
  throw reader.invalid(NAME, "an offset is a whole number from 0 on");
}
