import fc from "fast-check";
import { expect } from "vitest";
import { bytesOf } from "../session.test-support.ts";
import type { StreamPosition } from "./queue-port.ts";
import { TestConsumer } from "./queue-scene.test-support.ts";
import { pickFrom, RealQueues, Step } from "./queue-world.test-support.ts";
import { StreamModel, type StreamModelSettings } from "./stream-model.test-support.ts";

const STREAM: StreamModelSettings = { name: "s", autoCommitIntervalMs: 400, messagesMax: 12 };

/** One step, after which everything is compared. */
function step(text: string, run: (model: StreamModel, real: RealQueues) => void): Step<StreamModel> {
  return new Step(text, (model, real) => {
    run(model, real);
    compare(model, real);
  });
}

function compare(model: StreamModel, real: RealQueues): void {
  expect(real.errors).toEqual([]);
  for (const [id, { consumer }] of real.consumers) {
    expect({ id, got: consumer.offsets }).toEqual({ id, got: model.consumers.get(id)?.got });
  }
  const queue = real.hub.queues.get(STREAM.name);
  const groups = (queue?.groups ?? []).map(({ id, committed, cursor }) => ({ id, committed, cursor }));
  const expected = model.state.groups.map(({ id, committed, cursor }) => ({ id, committed, cursor }));
  const { first, next } = model.state;
  expect({ first: queue?.first, next: queue?.next, groups }).toEqual({ first, next, groups: expected });
}

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
  commit: fc.constantFrom("auto" as const, "manual" as const),
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

const credit = fc.tuple(small, fc.integer({ min: 1, max: 4 })).map(([pick, count]) => {
  return step(`credit ${count} for consumer ${pick}`, (model, real) => {
    const id = pickFrom([...real.consumers.keys()], pick);
    const one = real.consumers.get(id ?? "");
    if (id === undefined || one === undefined) return;
    one.consumer.credit += count;
    one.subscription.wake();
    model.give(id, count);
  });
});

const leave = small.map((pick) => {
  return step(`consumer ${pick} leaves`, (model, real) => {
    const id = pickFrom([...real.consumers.keys()], pick);
    if (id === undefined) return;
    real.consumers.get(id)?.subscription.close();
    real.consumers.delete(id);
    model.leave(id);
  });
});

const settle = fc.tuple(small, small, fc.constantFrom("ack", "nack", "reject")).map(([pick, back, outcome]) => {
  return step(`${outcome} ${back} behind the end, group ${pick}`, (model, real) => {
    const group = pickFrom(model.state.groups, pick)?.id;
    if (group === undefined) return;
    const offset = Math.max(0, model.state.next + 1 - (back % 15));
    const kind = outcome as "ack" | "nack" | "reject";
    expect(real.hub.queues.settle(STREAM.name, group, offset, { is: kind })).toBe(model.settle(group, offset, kind));
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

const turn = fc.constant(step("turn", (_model, real) => real.run()));
const pass = fc.integer({ min: 1, max: 500 }).map((ms) => step(`${ms} ms`, (_model, real) => real.pass(ms)));
const restart = fc.constant(step("restart", (_model, real) => real.stop()));
const crash = fc.constant(step("crash", (_model, real) => real.crash()));
const crashInCommit = fc
  .constantFrom("before" as const, "after" as const)
  .map((when) => step(`crash ${when} the commit`, (_model, real) => real.crashInCommit(when)));

const ARBITRARIES: fc.Arbitrary<fc.Command<StreamModel, RealQueues>>[] = [
  ...Array.from({ length: 6 }, () => publish),
  ...Array.from({ length: 5 }, () => turn),
  ...Array.from({ length: 3 }, () => credit),
  subscribe,
  subscribe,
  settle,
  settle,
  commit,
  leave,
  pass,
  pass,
  restart,
  crash,
  crashInCommit,
];

/** Runs at least `steps` commands on a stream and on its model; a failure is thrown with its seed and the shortest way to it. Returns the steps made. */
export function checkStreamAgainstModel(steps: number): number {
  let made = 0;
  const declared = {
    name: STREAM.name,
    kind: "stream",
    autoCommitIntervalMs: STREAM.autoCommitIntervalMs,
    retention: { messages: STREAM.messagesMax },
  } as const;
  const sequences = fc.commands(ARBITRARIES, { maxCommands: 100, size: "max" });
  const property = fc.property(sequences, (commands) => {
    const model = new StreamModel(STREAM);
    fc.modelRun(() => ({ model, real: new RealQueues(model, [declared]) }), commands);
    for (const _ of commands) made++;
  });
  // The same sequences on every run: what is found once stays found. Others: POLYMQ_MODEL_SEED=<number>.
  for (let seed = Number(process.env["POLYMQ_MODEL_SEED"] ?? 1); made < steps; seed++) {
    fc.assert(property, { numRuns: 20, seed });
  }
  return made;
}
