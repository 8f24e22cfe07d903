import type { ProtocolLevel, Qos } from "../wire/frames.ts";
import { WINDOW } from "../wire/publish-ring.ts";

/** The rows of the client benchmark. */
export const CLIENT_ROWS = [
  "publish-qos0",
  "publish-qos1",
  "publish-qos2",
  "receive-qos0",
  "receive-qos1",
  "round-trip",
] as const;
export type ClientRow = (typeof CLIENT_ROWS)[number];

/** The libraries of the client benchmark. */
export const CLIENT_LIBRARIES = ["ours", "mqttjs", "raw"] as const;
export type ClientLibrary = (typeof CLIENT_LIBRARIES)[number];

/** The contenders: the libraries, MQTT.js in both of its ordinary ways to publish. */
export const CLIENT_CONTENDERS = ["ours", "mqttjs", "mqttjs-batch", "raw"] as const;
export type ClientContenderName = (typeof CLIENT_CONTENDERS)[number];

/** Who takes part in a row for the given libraries. */
export function contendersOf(row: ClientRow, libraries: readonly ClientLibrary[]): ClientContenderName[] {
  return CLIENT_CONTENDERS.filter((name) =>
    name === "mqttjs-batch" ? row.startsWith("publish") && libraries.includes("mqttjs") : libraries.includes(name),
  );
}

/** The payload sizes of the full run. */
export const CLIENT_SIZES: readonly number[] = [16, 256, 4096, 65_536];

/** The one topic of the client benchmark. */
export const TOPIC = "bench/data";

/** How many messages a measurement takes: `measured` count, `warmup` go before them and `tail` after them in the same run. */
export interface Counts {
  readonly warmup: number;
  readonly measured: number;
  readonly tail: number;
}

/** What a client asks the stub server to expect or send next: `count` messages, the clock stopping at message `mark`. */
export interface Phase {
  readonly count: number;
  readonly mark: number;
}

/** Everything a client process needs to know. */
export interface ClientPlan {
  readonly row: ClientRow;
  readonly contender: ClientContenderName;
  readonly size: number;
  readonly level: ProtocolLevel;
  readonly port: number;
  readonly counts: Counts;
}

/** What a client process reports. Times are of the machine's monotonic clock. */
export interface ClientResult {
  readonly startNs: number;
  readonly markNs: number;
  readonly cpuMicros: number;
  readonly maxRssKib: number;
  /** Of round trips only, in microseconds. */
  readonly p50Us: number | null;
  readonly p99Us: number | null;
}

/** The quality of service of a row. */
export function qosOf(row: ClientRow): Qos {
  if (row.endsWith("qos1")) return 1;
  return row.endsWith("qos2") ? 2 : 0;
}

/** Messages/s to expect at small sizes (2 cores, Node 20); they only set how long a measurement takes. */
const EXPECTED_RATES: Readonly<Record<ClientRow, Readonly<Record<ClientLibrary, number>>>> = {
  "publish-qos0": { ours: 7e6, mqttjs: 6e5, raw: 15e6 },
  "publish-qos1": { ours: 3.2e6, mqttjs: 1.6e5, raw: 1e7 },
  "publish-qos2": { ours: 2.4e6, mqttjs: 1e5, raw: 7e6 },
  "receive-qos0": { ours: 6e6, mqttjs: 7e5, raw: 2e7 },
  "receive-qos1": { ours: 5e6, mqttjs: 2e5, raw: 15e6 },
  "round-trip": { ours: 2.5e4, mqttjs: 2.5e4, raw: 2.5e4 },
};
const EXPECTED_BYTES_PER_SECOND = 1.5e9;
const TAIL_BYTES = 256 * 1024;

/** The fixed number of messages that takes a contender about `seconds`, a third of it again for the warm-up. */
export function countsFor(row: ClientRow, contender: ClientContenderName, size: number, seconds: number): Counts {
  const library = contender === "mqttjs-batch" ? "mqttjs" : contender;
  const rate = Math.min(EXPECTED_RATES[row][library], EXPECTED_BYTES_PER_SECOND / size);
  const measured = Math.max(100, Math.round(rate * seconds));
  const hasTail = row.startsWith("publish") || row === "receive-qos1";
  const tail = Math.min(measured, Math.max(WINDOW, Math.ceil(TAIL_BYTES / size)));
  return { measured, warmup: Math.ceil(measured / 3), tail: hasTail ? tail : 0 };
}
