import fc from "fast-check";
import { expect } from "vitest";
import { bytesOf } from "../session.test-support.ts";
import { commonSteps, comparing, runModel } from "./model-steps.test-support.ts";
import type { SettleOutcome, StreamPosition } from "./queue-port.ts";
import { TestConsumer } from "./queue-scene.test-support.ts";
import type { QueueDefinition } from "./queue-settings.ts";
import { lettersIn, pickFrom, type RealQueues } from "./queue-world.test-support.ts";
import { StreamModel, type StreamModelSettings } from "./stream-model.test-support.ts";

const STREAM: StreamModelSettings = {
  name: "s",
  autoCommitIntervalMs: 400,
  messagesMax: 12,
  pendingMax: 4,
  deliveryLimit: 3,
};

function compare(model: StreamModel, real: RealQueues): void {
  expect(real.errors).toEqual([]);
  for (const [id, { consumer }] of real.consumers) {
    const got = consumer.got.map((one) => `${one.offset}/${one.deliveryCount}`);
    expect({ id, got }).toEqual({ id, got: model.consumers.get(id)?.got });
  }
  const queue = real.hub.queues.get(STREAM.name);
  const groups = (queue?.groups ?? []).map(({ id, committed, cursor, pending, returned }) => ({
    id,
    committed,
    cursor,
    pending,
    returned,
  }));
  const { first, next } = model.state;
  expect({ first: queue?.first, next: queue?.next, groups }).toEqual({ first, next, groups: model.figures() });
  expect(lettersIn(real, "dead").sort()).toEqual(model.state.letters.slice().sort());
}

const step = comparing(compare);

const common = commonSteps(step);

const small = fc.nat({ max: 40 });

const publish = fc.constantFrom("", "a", "b").map((key) => {
  return step(`publish ${key}`, (model, real) => {
    const view = real.hub.transientMessage();
    view.begin(key === "" ? "$queue/s" : `$queue/s/${key}`, bytesOf("x"));
    expect(real.hub.queues.publish(view)).toBeNull();
    model.publish(key);
  });
});

/** A position, its offset or time as far behind the end. */
type Where = (model: StreamModel) => StreamPosition;

const positions: fc.Arbitrary<Where> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Where>(() => ({ at: "resume" })) },
  {
    weight: 2,
    arbitrary: fc.constantFrom("first" as const, "last" as const, "next" as const).map(
      (at): Where =>
        () => ({ at }),
    ),
  },
  fc.nat({ max: 20 }).map(
    (back): Where =>
      (model) => ({ at: "offset", offset: Math.max(0, model.state.next + 2 - back) }),
  ),
  fc.nat({ max: 900 }).map(
    (back): Where =>
      (model) => ({ at: "timestamp", epochMs: model.nowMs - back }),
  ),
);

const wishes = fc.record({
  name: fc.constantFrom("g", "h"),
  filter: fc.constantFrom("", "", "a"),
  commit: fc.constantFrom("auto" as const, "manual" as const, "settled" as const, "settled" as const),
});

const subscribe = fc.tuple(wishes, fc.nat({ max: 5 }), positions).map(([wish, credit, position]) => {
  return step(`subscribe ${JSON.stringify(wish)} credit ${credit}`, (model, real) => {
    if (real.consumers.size >= 5) return;
    const id = `c${real.nextConsumer++}`;
    const consumer = new TestConsumer(id, credit);
    const from = position(model);
    const startMs = real.clock.epochMs() - model.nowMs;
    const realFrom = from.at === "timestamp" ? { ...from, epochMs: from.epochMs + startMs } : from;
    const { name, filter, commit } = wish;
    const request = { consumer, group: name, filter, commit, from: realFrom };
    const subscription = real.hub.queues.subscribe(STREAM.name, request);
    real.consumers.set(id, { consumer, subscription });
    expect(subscription.groupId).toBe(model.subscribe(id, credit, wish));
    model.seek(subscription.groupId, from);
    subscription.wake();
    model.give(id, 0);
  });
});

const outcomes: fc.Arbitrary<SettleOutcome> = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ is: "ack" } as const) },
  { weight: 2, arbitrary: fc.constantFrom(0, 0, 120, 600).map((delayMs) => ({ is: "nack", delayMs }) as const) },
  { weight: 1, arbitrary: fc.constant({ is: "reject" } as const) },
);

const settle = fc.tuple(small, small, outcomes).map(([pick, back, outcome]) => {
  return step(`${outcome.is} ${back} behind the end, group ${pick}`, (model, real) => {
    const group = pickFrom(model.state.groups, pick)?.id;
    if (group === undefined) return;
    const offset = Math.max(0, model.state.next + 1 - (back % 15));
    const delayMs = outcome.is === "nack" ? (outcome.delayMs ?? 0) : 0;
    expect(real.hub.queues.settle(STREAM.name, group, offset, outcome)).toBe(
      model.settle(group, offset, outcome.is, delayMs),
    );
  });
});

const commit = fc.tuple(small, small).map(([pick, back]) => {
  return step(`commit ${back} behind the end, group ${pick}`, (model, real) => {
    const group = pickFrom(model.state.groups, pick)?.id;
    if (group === undefined) return;
    const offset = Math.max(model.state.first, model.state.next + 1 - (back % 15));
    expect(real.hub.queues.commit(STREAM.name, group, offset)).toBe(model.commit(group, offset));
  });
});

const STEPS = [
  ...Array.from({ length: 6 }, () => publish),
  ...Array.from({ length: 5 }, () => common.turn),
  ...Array.from({ length: 3 }, () => common.credit),
  subscribe,
  subscribe,
  settle,
  settle,
  settle,
  commit,
  common.leave,
  common.pass(500),
  common.pass(500),
  common.restart,
  common.crash,
  common.crashInCommit,
];

const DECLARED: readonly QueueDefinition[] = [
  { name: "dead", maxDepth: 0 },
  {
    name: STREAM.name,
    kind: "stream",
    autoCommitIntervalMs: STREAM.autoCommitIntervalMs,
    pendingMax: STREAM.pendingMax,
    deliveryLimit: STREAM.deliveryLimit,
    retention: { messages: STREAM.messagesMax },
    deadLetter: { queue: "dead" },
  },
];

/** Compares at least `steps` steps of a stream with those of its model, as {@link runModel} does. */
export function checkStreamAgainstModel(steps: number): number {
  return runModel({ makeModel: () => new StreamModel(STREAM), queues: DECLARED, steps: STEPS }, steps);
}
