import type { Qos } from "../wire/frames.ts";

/** The rows of the broker benchmark that have a load: quality of service and number of subscribers. */
export const LOAD_ROWS = ["qos0-1to1", "qos0-1to10", "qos1-1to1", "qos1-1to10"] as const;
export type LoadRow = (typeof LOAD_ROWS)[number];

/** The row of `startBroker`'s start-up time; it concerns our broker alone. */
export const STARTUP_ROW = "broker-startup";

/** All rows of the broker benchmark. */
export const BROKER_ROWS: readonly (LoadRow | typeof STARTUP_ROW)[] = [...LOAD_ROWS, STARTUP_ROW];

/** The contenders of the broker benchmark. */
export const BROKER_CONTENDERS = ["ours", "aedes", "mosquitto"] as const;
export type BrokerName = (typeof BROKER_CONTENDERS)[number];

/** The payload size of the full run. */
export const BROKER_SIZE = 256;

/** What the load generator's process is to do; counts are of published messages. */
export interface LoadPlan {
  readonly port: number;
  readonly size: number;
  readonly qos: Qos;
  readonly subscribers: number;
  readonly warmup: number;
  readonly measured: number;
  readonly tail: number;
}

/** Deliveries/s to expect of each broker (2 cores, Node 20, 256 B); they only set how long a measurement takes. */
const EXPECTED_DELIVERIES: Readonly<Record<LoadRow, Readonly<Record<BrokerName, number>>>> = {
  "qos0-1to1": { ours: 3.5e6, aedes: 1.8e5, mosquitto: 1.8e5 },
  "qos0-1to10": { ours: 5e6, aedes: 1.2e5, mosquitto: 1.5e5 },
  "qos1-1to1": { ours: 1.9e6, aedes: 1.1e5, mosquitto: 9e4 },
  "qos1-1to10": { ours: 3.8e6, aedes: 1.6e5, mosquitto: 2.1e5 },
};
const EXPECTED_BYTES_PER_SECOND = 1e9;

/** The load of a row, for about `seconds`; the warm-up takes half of that again. */
export function loadFor(row: LoadRow, broker: BrokerName, size: number, seconds: number): Omit<LoadPlan, "port"> {
  const subscribers = row.endsWith("1to10") ? 10 : 1;
  const deliveries = Math.min(EXPECTED_DELIVERIES[row][broker], EXPECTED_BYTES_PER_SECOND / size);
  const measured = Math.max(100, Math.round((deliveries * seconds) / subscribers));
  const qos = row.startsWith("qos1") ? 1 : 0;
  return { size, qos, subscribers, measured, warmup: Math.ceil(measured / 2), tail: Math.min(1000, measured) };
}
