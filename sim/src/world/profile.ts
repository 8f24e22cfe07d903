import type { BrokerOptions } from "@polymq/broker";
import type { Chance } from "./chance.ts";
import type { NetworkShape } from "./network.ts";
import type { Wire } from "./wire-tap.ts";

/** Kinds of faults that a run can have. */
export type FaultKind = "cut" | "half open" | "stall" | "crash" | "power loss" | "sync failure";

/** Which workloads a run has; at least one. */
export interface WorkloadChoice {
  readonly topics: boolean;
  readonly retained: boolean;
  /** Queues whose consumers live in the broker's process. */
  readonly queues: boolean;
  /** Queues that are worked off by clients. */
  readonly tasks: boolean;
  readonly stream: boolean;
}

/** What one run has in it: drawn from its seed, so that no two runs stress the same places. */
export interface Profile {
  /** Time before the trouble, in which clients can make themselves at home. */
  readonly calmMs: number;
  /** Virtual time in which there is work and trouble. */
  readonly runMs: number;
  readonly workloads: WorkloadChoice;
  /** How much is done in it, as a part of the usual. */
  readonly load: number;
  readonly network: NetworkShape;
  /** Time between two faults, at most. */
  readonly faultEveryMs: number;
  /** How often each kind comes; kinds that a run does not have are at 0. */
  readonly faults: Readonly<Record<FaultKind, number>>;
  readonly syncDelayMsMax: number;
  readonly broker: BrokerOptions;
  /** What clients of queues speak: each draws one of them. */
  readonly queueWires: readonly [Wire, ...Wire[]];
  readonly protocolVersions: readonly (4 | 5)[];
  readonly maxInflight: number;
  readonly keepAliveSeconds: number;
}

/** A count that follows the run's load; 1 at least. */
export function scaled(profile: Profile, count: number): number {
  return Math.max(1, Math.round(count * profile.load));
}

const NONE: WorkloadChoice = { topics: false, retained: false, queues: false, tasks: false, stream: false };

const CHOICES: readonly WorkloadChoice[] = [
  { ...NONE, topics: true },
  { ...NONE, topics: true, retained: true },
  { ...NONE, queues: true },
  { ...NONE, tasks: true },
  { ...NONE, tasks: true, topics: true },
  { ...NONE, queues: true, stream: true },
  { ...NONE, topics: true, queues: true },
  { ...NONE, retained: true, stream: true },
];

const QUEUE_WIRES = [["mqtt"], ["amqp091"], ["amqp10"], ["mqtt", "amqp091"], ["mqtt", "amqp091", "amqp10"]] as const;

/** Draws a profile. */
export function drawProfile(chance: Chance): Profile {
  const has = (weight: number): number => (chance.happens(0.6) ? weight : 0);
  const faults = {
    cut: chance.integer(1, 6),
    "half open": has(3),
    stall: has(3),
    crash: has(3),
    "power loss": has(2),
    "sync failure": has(1),
  };
  return {
    calmMs: chance.pick([0, 2_000, 5_000]),
    runMs: chance.pick([3_000, 10_000, 30_000]),
    workloads: chance.pick(CHOICES),
    load: 1,
    network: {
      chunkBytesMax: chance.pick([Number.POSITIVE_INFINITY, 200, 20, 3]),
      delayMsMax: chance.pick([0, 3, 30, 300]),
      highWaterBytes: chance.pick([65_536, 2_048, 200]),
      refuses: chance.pick([0, 0.2]),
    },
    faultEveryMs: chance.pick([200, 1_000, 5_000]),
    faults,
    syncDelayMsMax: chance.pick([0, 2, 20, 200]),
    broker: {
      sysIntervalSeconds: 0,
      mqtt: {
        receiveMaximum: chance.pick([1, 5, 100, 1_024]),
        maxInflight: chance.pick([1, 5, 100, 1_024]),
        connectTimeoutMs: 10_000,
      },
    },
    queueWires: chance.pick(QUEUE_WIRES),
    protocolVersions: chance.pick([[4], [5], [4, 5]] as const),
    maxInflight: chance.pick([1, 4, 50]),
    keepAliveSeconds: chance.pick([2, 10, 60]),
  };
}
