import { isMessagingError } from "polymq/mqtt";
import { untilDone } from "../run/actor-client.ts";
import type { Stage } from "../run/workload.ts";
import { scaled } from "../world/profile.ts";
import { passed } from "../world/world.ts";
import { makeActor } from "./make-actor.ts";
import type { Destination, QueueActor } from "./queue-actor.ts";
import type { QueueLedger } from "./queue-ledger.ts";
import { capturedTopic, type QueuePlan } from "./queue-plan.ts";

/** A client that publishes to queues, as surely as its protocol can. */
export class QueueProducer {
  readonly client: QueueActor;
  readonly #stage: Stage;
  readonly #ledger: QueueLedger;
  #count = 0;

  constructor(name: string, stage: Stage, ledger: QueueLedger) {
    this.#stage = stage;
    this.#ledger = ledger;
    this.client = makeActor(name, stage, "producer");
  }

  /** Connects, and publishes now and then; resolves after the last call, whatever becomes of it. */
  async run(plans: readonly QueuePlan[], ready: Promise<unknown>): Promise<void> {
    const { world, profile } = this.#stage;
    const { chance } = world;
    await untilDone(this.#stage, `${this.client.name} connects`, () => this.client.connect());
    await ready;
    const bursts = scaled(profile, chance.integer(2, 10));
    for (let burst = 0; burst < bursts; burst++) {
      await passed(world, chance.integer(0, Math.ceil((2 * profile.runMs) / bursts)));
      for (let i = scaled(profile, chance.integer(1, 8)); i > 0; i--) this.#publish(chance.pick(plans));
    }
  }

  #publish(plan: QueuePlan): void {
    const { world } = this.#stage;
    const { chance } = world;
    const isCaptured = chance.happens(0.2);
    const key = isCaptured ? "" : chance.pick(plan.keys);
    const guarantee = chance.pick(this.client.guarantees);
    const number = this.#count++;
    const id = `${this.client.name}-${number}`;
    const to: Destination = isCaptured
      ? { is: "topic", topic: capturedTopic(plan.name) }
      : { is: "queue", queue: plan.name, key };
    const from = `${this.client.name} ${this.client.row(to, guarantee)}`;
    const queued = this.#ledger.publish({ id, queue: plan.name, key, guarantee, from, number });
    world.trace.note(this.client.name, `queues ${id} in ${plan.name} under "${key}", ${guarantee} once`);
    const payload = `${id}|${"x".repeat(chance.pick([0, 10, 400]))}`;
    const done = this.client.publish(to, payload, guarantee);
    world.promises.track(`publish of ${id}`, done).then(
      () => {
        queued.state = "confirmed";
        world.trace.note(this.client.name, `${id} is confirmed`);
      },
      (error: unknown) => {
        queued.state = "unknown";
        world.trace.note(this.client.name, `${id} failed: ${String(error)}`);
        if (!isMessagingError(error)) world.violations.push(`publish of ${id}: an untyped error`);
      },
    );
  }
}
