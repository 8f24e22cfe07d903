import type { Work } from "../amqp/plan.ts";

/** The rows of the AMQP 0-9-1 client benchmark. */
export const AMQP091_ROWS = ["publish", "publish-confirm", "receive", "receive-ack", "round-trip"] as const;
export type Amqp091Row = (typeof AMQP091_ROWS)[number];

export const AMQP091_CONTENDERS = ["ours", "amqplib", "amqp-client", "rabbitmq-client", "raw"] as const;
export type Amqp091Contender = (typeof AMQP091_CONTENDERS)[number];

/** The payload sizes of the full run. */
export const AMQP091_SIZES: readonly number[] = [16, 256, 4096, 65_536];

export const AMQP091_WORK: Readonly<Record<Amqp091Row, Work>> = {
  publish: { is: "publish", isAnswered: false },
  "publish-confirm": { is: "publish", isAnswered: true },
  receive: { is: "receive", isAnswered: false },
  "receive-ack": { is: "receive", isAnswered: true },
  "round-trip": { is: "round-trip", isAnswered: false },
};

/** Messages/s to expect at small sizes; they only set how long a measurement takes. */
export const AMQP091_RATES: Readonly<Record<Amqp091Row, Readonly<Record<Amqp091Contender, number>>>> = {
  publish: { ours: 4.5e6, amqplib: 2e5, "amqp-client": 4e5, "rabbitmq-client": 1.4e5, raw: 5e6 },
  "publish-confirm": { ours: 3e6, amqplib: 1.5e5, "amqp-client": 2.6e5, "rabbitmq-client": 1e5, raw: 5e6 },
  receive: { ours: 3.3e6, amqplib: 8e5, "amqp-client": 5e5, "rabbitmq-client": 1.5e5, raw: 5e6 },
  "receive-ack": { ours: 3e6, amqplib: 1.7e5, "amqp-client": 2.5e5, "rabbitmq-client": 8e4, raw: 4e6 },
  "round-trip": { ours: 2.5e4, amqplib: 2e4, "amqp-client": 2e4, "rabbitmq-client": 1.5e4, raw: 2.5e4 },
};
