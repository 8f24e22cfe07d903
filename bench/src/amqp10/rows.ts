import type { Work } from "../amqp/plan.ts";

/** The rows of the AMQP 1.0 client benchmark. */
export const AMQP10_ROWS = ["send-settled", "send", "receive", "receive-accept"] as const;
export type Amqp10Row = (typeof AMQP10_ROWS)[number];

export const AMQP10_CONTENDERS = ["ours", "rhea", "rhea-promise", "go-amqp", "raw"] as const;
export type Amqp10Contender = (typeof AMQP10_CONTENDERS)[number];

/** The payload sizes of the full run. */
export const AMQP10_SIZES: readonly number[] = [16, 256, 4096, 65_536];

export const AMQP10_WORK: Readonly<Record<Amqp10Row, Work>> = {
  "send-settled": { is: "publish", isAnswered: false },
  send: { is: "publish", isAnswered: true },
  receive: { is: "receive", isAnswered: false },
  "receive-accept": { is: "receive", isAnswered: true },
};

/** Messages/s to expect at small sizes; they only set how long a measurement takes. */
export const AMQP10_RATES: Readonly<Record<Amqp10Row, Readonly<Record<Amqp10Contender, number>>>> = {
  "send-settled": { ours: 4.5e6, rhea: 1e5, "rhea-promise": 1e5, "go-amqp": 2e5, raw: 5e6 },
  send: { ours: 3.5e6, rhea: 9e4, "rhea-promise": 8e4, "go-amqp": 1.5e5, raw: 4e6 },
  receive: { ours: 3.5e6, rhea: 3.8e5, "rhea-promise": 3.8e5, "go-amqp": 4e5, raw: 5e6 },
  "receive-accept": { ours: 3e6, rhea: 3.5e5, "rhea-promise": 3.5e5, "go-amqp": 1.5e5, raw: 4e6 },
};
