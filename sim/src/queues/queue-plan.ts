import type { QueueDefinition } from "@polymq/broker";
import type { Chance } from "../world/chance.ts";

/** A group of a queue. */
export interface GroupPlan {
  readonly group: string;
  readonly filter: string;
  readonly workers: number;
}

/** A queue in work mode, its limits drawn, and its groups. */
export interface QueuePlan {
  /** The queue's own and those of its dead letters, which lose none. */
  readonly options: readonly QueueDefinition[];
  readonly name: string;
  readonly deliveryLimit: number;
  /** Reasons for which the queue itself, and no group, buries messages. */
  readonly reasons: readonly string[];
  readonly priorityMax: number;
  readonly visibilityTimeoutMs: number;
  readonly groups: readonly GroupPlan[];
  readonly keys: readonly string[];
}

/** The ordinary topic whose messages a planned queue captures. */
export function capturedTopic(queue: string): string {
  return `captured/${queue}/x`;
}

/** How a group of a stream commits. */
export type StreamCommit = "auto" | "manual" | "settled";

/** A stream and the groups that read it. */
export interface StreamPlan {
  readonly options: readonly QueueDefinition[];
  readonly name: string;
  readonly groups: readonly StreamGroupPlan[];
}

/** A group that reads a stream, inside the broker's process or over AMQP 1.0. */
export interface StreamGroupPlan {
  readonly group: string;
  readonly commit: StreamCommit;
  readonly workers: number;
  readonly over: "core" | "amqp10";
}

/** Draws a stream. */
export function drawStream(chance: Chance): StreamPlan {
  const name = "stream0";
  const groups = Array.from({ length: chance.integer(1, 3) }, (_, i) => drawStreamGroup(`s${i}`, chance));
  const options = {
    name,
    topics: [`captured/${name}/#`],
    kind: "stream",
    autoCommitIntervalMs: chance.pick([0, 100, 5_000]),
    deliveryLimit: 0,
  } as const;
  return { options: [options], name, groups };
}

/** Over AMQP 1.0 a group commits what is settled or by hand; by hand one reader, for commits of several would overtake each other. */
function drawStreamGroup(group: string, chance: Chance): StreamGroupPlan {
  const over = chance.pick(["core", "amqp10"] as const);
  const commit =
    over === "core" ? chance.pick(["auto", "manual", "settled"] as const) : chance.pick(["manual", "settled"] as const);
  const workers = chance.integer(1, 3);
  return { group, commit, workers: over === "amqp10" && commit === "manual" ? 1 : workers, over };
}

const FILTERS = ["", "a/#", "+/b"];
const KEYS = ["a", "a/b", "c/b", "c"];

/** Draws queues; the first group of each sees everything. */
export function drawQueues(chance: Chance, name: string): QueuePlan[] {
  return Array.from({ length: chance.integer(1, 2) }, (_, i) => drawQueue(`${name}${i}`, chance));
}

function drawQueue(name: string, chance: Chance): QueuePlan {
  const deliveryLimit = chance.pick([0, 2, 5]);
  const priorityMax = chance.pick([0, 0, 3]);
  const reasons = chance.pick([[], [], ["expired"], ["maxlen"]]);
  const visibilityTimeoutMs = chance.pick([0, 500, 5_000, 30_000]);
  const own: QueueDefinition = {
    name,
    topics: [`captured/${name}/#`],
    deliveryLimit,
    priorityMax,
    visibilityTimeoutMs,
    retry: { delayMs: chance.pick([0, 0, 100]) },
    pendingMax: chance.pick([1, 5, 100_000]),
    ...(reasons.includes("expired") ? { ttlMs: 2_000 } : {}),
    ...(reasons.includes("maxlen") ? { maxDepth: 8, overflow: "drop-head" } : {}),
  };
  const options = [own, { name: `$dlq/${name}` }];
  const groups = Array.from({ length: chance.integer(1, 3) }, (_, i) => ({
    group: `g${i}`,
    filter: i === 0 ? "" : chance.pick(FILTERS),
    workers: chance.integer(1, 3),
  }));
  return {
    options,
    name,
    deliveryLimit,
    reasons,
    priorityMax,
    visibilityTimeoutMs,
    groups,
    keys: groups.some(({ filter }) => filter !== "") ? KEYS : ["", "a"],
  };
}

/** The effective id of a planned group. */
export function groupId({ group, filter }: GroupPlan): string {
  return filter === "" ? group : `${group}@${filter}`;
}
