/** What is done with each message: published to a topic, put into a queue, or consumed from one and acknowledged. */
export const WORKS = ["publish", "queue-publish", "queue-consume"] as const;
export type UnifiedWork = (typeof WORKS)[number];

export const PROTOCOLS = ["mqtt", "amqp091", "amqp10"] as const;
export type UnifiedProtocol = (typeof PROTOCOLS)[number];

export type UnifiedRow = `${UnifiedProtocol}-${UnifiedWork}`;

export const UNIFIED_ROWS: readonly UnifiedRow[] = PROTOCOLS.flatMap((protocol) =>
  WORKS.map((work): UnifiedRow => `${protocol}-${work}`),
);

/** The unified client, and the protocol's client beneath it. */
export const LAYERS = ["unified", "native"] as const;
export type Layer = (typeof LAYERS)[number];

/** Messages without an answer that may be on their way. */
export const WINDOW = 1_000;

/** Messages/s to expect; they only set how long a measurement takes. */
const RATES: Readonly<Record<UnifiedWork, number>> = {
  publish: 500_000,
  "queue-publish": 250_000,
  "queue-consume": 150_000,
};

/** The queue, and the topic. */
export const QUEUE = "bench";
export const TOPIC = "bench/topic";

/** What the client's process is to do. */
export interface UnifiedPlan {
  readonly protocol: UnifiedProtocol;
  readonly work: UnifiedWork;
  readonly layer: Layer;
  readonly size: number;
  readonly port: number;
  readonly warmup: number;
  readonly measured: number;
}

/** The work of a row, for about `seconds`; the warm-up takes as long again. */
export function unifiedPlan(row: UnifiedRow, layer: Layer, size: number, seconds: number): Omit<UnifiedPlan, "port"> {
  const protocol = PROTOCOLS.find((each) => row.startsWith(`${each}-`)) ?? "mqtt";
  const work = row.slice(protocol.length + 1) as UnifiedWork;
  const measured = Math.max(8, 8 * Math.round((RATES[work] * seconds) / 8));
  return { protocol, work, layer, size, warmup: measured, measured };
}
