import fc from "fast-check";
import type { QueueDefinition } from "./queue-settings.ts";
import { type BatchModel, pickFrom, RealQueues, Step } from "./queue-world.test-support.ts";

/** A model of queues whose consumers have credit and may leave. */
export interface ConsumerModel extends BatchModel {
  give(consumer: string, credit: number): void;
  leave(consumer: string): void;
}

/** Makes a step of a text and of what is done to both; it compares them afterwards. */
export type MakeStep<Model extends BatchModel> = (
  text: string,
  run: (model: Model, real: RealQueues) => void,
) => Step<Model>;

/** Makes steps after each of which the two are compared. */
export function comparing<Model extends BatchModel>(
  compare: (model: Model, real: RealQueues) => void,
): MakeStep<Model> {
  return (text, run) =>
    new Step(text, (model, real) => {
      run(model, real);
      compare(model, real);
    });
}

/** What happens to consumers, to time and to the broker, whatever the queues are. */
export interface CommonSteps<Model extends BatchModel> {
  readonly credit: fc.Arbitrary<Step<Model>>;
  readonly leave: fc.Arbitrary<Step<Model>>;
  readonly turn: fc.Arbitrary<Step<Model>>;
  readonly restart: fc.Arbitrary<Step<Model>>;
  readonly crash: fc.Arbitrary<Step<Model>>;
  readonly crashInCommit: fc.Arbitrary<Step<Model>>;
  /** 1 to `msMax` milliseconds pass. */
  pass(msMax: number): fc.Arbitrary<Step<Model>>;
}

/** The steps that all models have in common. */
export function commonSteps<Model extends ConsumerModel>(step: MakeStep<Model>): CommonSteps<Model> {
  const small = fc.nat({ max: 40 });
  return {
    credit: fc.tuple(small, fc.integer({ min: 1, max: 5 })).map(([pick, count]) =>
      step(`credit ${count} for consumer ${pick}`, (model, real) => {
        const id = pickFrom([...real.consumers.keys()], pick);
        const one = real.consumers.get(id ?? "");
        if (id === undefined || one === undefined) return;
        one.consumer.credit += count;
        one.subscription.wake();
        model.give(id, count);
      }),
    ),
    leave: small.map((pick) =>
      step(`consumer ${pick} leaves`, (model, real) => {
        const id = pickFrom([...real.consumers.keys()], pick);
        if (id === undefined) return;
        real.consumers.get(id)?.subscription.close();
        real.consumers.delete(id);
        model.leave(id);
      }),
    ),
    turn: fc.constant(step("turn", (_model, real) => real.run())),
    restart: fc.constant(step("restart", (_model, real) => real.stop())),
    crash: fc.constant(step("crash", (_model, real) => real.crash())),
    crashInCommit: fc
      .constantFrom("before" as const, "after" as const)
      .map((when) => step(`crash ${when} the commit`, (_model, real) => real.crashInCommit(when))),
    pass: (msMax) => fc.integer({ min: 1, max: msMax }).map((ms) => step(`${ms} ms`, (_model, real) => real.pass(ms))),
  };
}

/** What is checked against what. */
export interface ModelCheck<Model extends BatchModel> {
  makeModel(): Model;
  readonly queues: readonly QueueDefinition[];
  readonly steps: fc.Arbitrary<Step<Model>>[];
}

/** Runs at least `count` steps on queues and on their model; a failure is thrown with its seed and the shortest way to it. Returns the steps made. */
export function runModel<Model extends BatchModel>(check: ModelCheck<Model>, count: number): number {
  let made = 0;
  const sequences = fc.commands(check.steps, { maxCommands: 100, size: "max" });
  const property = fc.property(sequences, (commands) => {
    const model = check.makeModel();
    fc.modelRun(() => ({ model, real: new RealQueues(model, check.queues) }), commands);
    for (const _ of commands) made++;
  });
  // The same sequences on every run: what is found once stays found. Others: POLYMQ_MODEL_SEED=<number>.
  for (let seed = Number(process.env["POLYMQ_MODEL_SEED"] ?? 1); made < count; seed++) {
    fc.assert(property, { numRuns: 20, seed });
  }
  return made;
}
