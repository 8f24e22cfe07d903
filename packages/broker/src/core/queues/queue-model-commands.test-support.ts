import fc from "fast-check";
import { expect } from "vitest";
import { bytesOf } from "../session.test-support.ts";
import { commonSteps, comparing, runModel } from "./model-steps.test-support.ts";
import { type ModelSettings, QueueModel } from "./queue-model.test-support.ts";
import type { SettleOutcome } from "./queue-port.ts";
import { TestConsumer } from "./queue-scene.test-support.ts";
import type { QueueDefinition } from "./queue-settings.ts";
import { lettersIn, pickFrom, type RealQueues } from "./queue-world.test-support.ts";

/** One queue that refuses when it is full, and one with priorities that drops its oldest. */
const QUEUES: readonly ModelSettings[] = [
  {
    name: "plain",
    priorityMax: 0,
    maxDepth: 25,
    overflow: "reject",
    deliveryLimit: 3,
    visibilityTimeoutMs: 1_000,
    pendingMax: 4,
  },
  {
    name: "ranked",
    priorityMax: 2,
    maxDepth: 15,
    overflow: "drop-head",
    deliveryLimit: 0,
    visibilityTimeoutMs: 700,
    pendingMax: 3,
  },
];

const DECLARED: readonly QueueDefinition[] = [
  { name: "dead", maxDepth: 0 },
  ...QUEUES.map((settings) => ({ ...settings, ttlMs: 0, deadLetter: { queue: "dead" } })),
];

function compare(model: QueueModel, real: RealQueues): void {
  expect(real.errors).toEqual([]);
  for (const [id, { consumer }] of real.consumers) {
    const got = consumer.got.map((one) => `${one.offset}/${one.deliveryCount}`);
    expect({ id, got }).toEqual({ id, got: model.consumers.get(id)?.got });
  }
  for (const { name } of QUEUES) {
    const queue = real.hub.queues.get(name);
    const expected = model.figures(name);
    const groups = (queue?.groups ?? []).map(({ id, pending, returned, committed, depth }) => [
      id,
      { pending, returned, committed, depth },
    ]);
    const { first, next, depth } = queue ?? {};
    expect({ name, first, next, depth, groups: Object.fromEntries(groups) }).toEqual({ name, ...expected });
  }
  expect(lettersIn(real, "dead").sort()).toEqual(model.letters.slice().sort());
}

const step = comparing(compare);

const common = commonSteps(step);

const queueNames = fc.constantFrom("plain", "ranked");
const keys = fc.constantFrom("", "a", "a/b", "b");
const small = fc.nat({ max: 40 });

const publish = fc
  .tuple(queueNames, keys, fc.nat({ max: 3 }), fc.constantFrom(Number.POSITIVE_INFINITY, 300, 2_000))
  .map(([name, key, priority, lifeMs]) => {
    return step(`publish ${name}/${key} priority ${priority} for ${lifeMs} ms`, (model, real) => {
      const view = real.hub.transientMessage();
      view.begin(key === "" ? `$queue/${name}` : `$queue/${name}/${key}`, bytesOf("x"));
      view.expiresAtMs = real.clock.epochMs() + lifeMs;
      const refused = real.hub.queues.publish(view, { priority });
      expect(refused === null).toBe(model.publish(name, key, priority, model.nowMs + lifeMs));
    });
  });

const subscribe = fc
  .tuple(queueNames, fc.constantFrom("g", "h"), fc.constantFrom("", "", "a/#", "+"), fc.nat({ max: 6 }))
  .map(([name, group, filter, credit]) => {
    return step(`subscribe ${name} ${group} ${filter} credit ${credit}`, (model, real) => {
      if (real.consumers.size >= 6) return;
      const id = `c${real.nextConsumer++}`;
      const consumer = new TestConsumer(id, credit);
      const subscription = real.hub.queues.subscribe(name, { consumer, group, filter });
      real.consumers.set(id, { consumer, subscription });
      expect(subscription.groupId).toBe(model.subscribe(name, group, filter, id, credit));
      subscription.wake();
    });
  });

const outcomes: fc.Arbitrary<SettleOutcome> = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ is: "ack" } as const) },
  { weight: 2, arbitrary: fc.constantFrom(0, 0, 150, 900).map((delayMs) => ({ is: "nack", delayMs }) as const) },
  { weight: 1, arbitrary: fc.constant({ is: "reject" } as const) },
);

const settle = fc.tuple(queueNames, small, small, outcomes).map(([name, pick, at, outcome]) => {
  return step(`${outcome.is} ${at} of ${name}, group ${pick}`, (model, real) => {
    const { first, next, groups } = model.figures(name);
    const group = pickFrom(Object.keys(groups), pick);
    if (group === undefined) return;
    // Mostly what is there, sometimes what was or will be.
    const offset = Math.max(0, first - 1) + (at % (next - first + 3));
    const result = real.hub.queues.settle(name, group, offset, outcome);
    const delayMs = outcome.is === "nack" ? (outcome.delayMs ?? 0) : 0;
    expect(result).toBe(model.settle(name, group, offset, outcome.is, delayMs));
  });
});

const purge = queueNames.map((name) => {
  return step(`purge ${name}`, (model, real) => expect(real.hub.queues.purge(name)).toBe(model.purge(name)));
});

const clear = fc.constant(
  step("clear dead letters", (model, real) => {
    real.hub.queues.purge("dead");
    model.clearLetters();
  }),
);

const sweep = fc.constant(
  step("sweep", (model, real) => {
    for (const { name } of QUEUES) model.sweep(name);
    real.hub.queues.sweep(real.clock.epochMs());
  }),
);

const STEPS = [
  ...Array.from({ length: 6 }, () => publish),
  ...Array.from({ length: 5 }, () => common.turn),
  ...Array.from({ length: 6 }, () => settle),
  ...Array.from({ length: 3 }, () => common.credit),
  subscribe,
  subscribe,
  common.leave,
  common.pass(1_200),
  common.pass(1_200),
  purge,
  sweep,
  clear,
  common.restart,
  common.crash,
  common.crashInCommit,
];

/** Compares at least `steps` steps of queues with those of their model, as {@link runModel} does. */
export function checkAgainstModel(steps: number): number {
  return runModel({ makeModel: () => new QueueModel(QUEUES), queues: DECLARED, steps: STEPS }, steps);
}
