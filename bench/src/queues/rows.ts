/** The rows of the queue benchmark that have a load: what is done, and how many messages are outstanding. */
export const LOAD_ROWS = [
  "publish-w1",
  "publish-w64",
  "publish-w1000",
  "consume-w1",
  "consume-w64",
  "consume-w1000",
] as const;
export type LoadRow = (typeof LOAD_ROWS)[number];

/** Memory with, and restart over, a million queued messages of 256 B; it concerns our broker alone. */
export const MILLION_ROW = "million";

export const QUEUE_ROWS: readonly (LoadRow | typeof MILLION_ROW)[] = [...LOAD_ROWS, MILLION_ROW];

/** One synced write for each message, and nothing else: the most that a broker can reach with one message outstanding. */
export const DEVICE: QueueContender = "device";
export const DEVICE_ROW: LoadRow = "publish-w1";

/** Our broker by its durability, and over AMQP 0-9-1 with `fsync`; RabbitMQ by its kind of queue. */
export const QUEUE_CONTENDERS = [
  "ours-fsync",
  "ours-buffered",
  "ours-amqp091",
  "rabbitmq-quorum",
  "rabbitmq-classic",
  "device",
] as const;
export type QueueContender = (typeof QUEUE_CONTENDERS)[number];

export const QUEUE_SIZES = [256, 4096] as const;

/** What the load generator's process is to do. */
export interface QueuePlan {
  readonly protocol: "mqtt" | "amqp";
  readonly port: number;
  readonly queue: string;
  /** Over AMQP. */
  readonly queueType: "quorum" | "classic";
  readonly size: number;
  readonly window: number;
  readonly work: "publish" | "consume";
  readonly warmup: number;
  readonly measured: number;
}

/** Messages/s to expect of a window of 1 and of a large one; they only set how long a measurement takes. */
const EXPECTED = {
  "ours-fsync": { one: 2_500, many: 200_000 },
  "ours-buffered": { one: 10_000, many: 200_000 },
  "ours-amqp091": { one: 2_500, many: 200_000 },
  "rabbitmq-quorum": { one: 500, many: 30_000 },
  "rabbitmq-classic": { one: 500, many: 20_000 },
  device: { one: 2_500, many: 2_500 },
} as const;

/** The load of a row, for about `seconds`; the warm-up takes half of that again. */
export function queueLoad(
  row: LoadRow,
  contender: QueueContender,
  size: number,
  seconds: number,
): Omit<QueuePlan, "port" | "queue"> {
  const window = Number(row.slice(row.indexOf("-w") + 2));
  const { one, many } = EXPECTED[contender];
  const rate = Math.min(many, one * window) * (size > 1024 ? 0.25 : 1);
  const measured = Math.max(window * 2, 100, Math.round(rate * seconds));
  return {
    protocol: contender.startsWith("rabbitmq") || contender === "ours-amqp091" ? "amqp" : "mqtt",
    queueType: contender === "rabbitmq-quorum" ? "quorum" : "classic",
    work: row.startsWith("publish") ? "publish" : "consume",
    size,
    window,
    measured,
    warmup: Math.ceil(measured / 2),
  };
}
