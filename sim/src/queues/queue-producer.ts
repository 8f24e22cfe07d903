import { isMessagingError } from "polymq/mqtt";
import { untilDone } from "../run/actor-client.ts";
import type { Stage } from "../run/workload.ts";
import { scaled } from "../world/profile.ts";
import { passed } from "../world/world.ts";
import { makeActor } from "./make-actor.ts";
import type { Addressed, Destination, Guarantee, QueueActor, TogetherEnd } from "./queue-actor.ts";
import type { Queued, QueueLedger } from "./queue-ledger.ts";
import { capturedTopic, type QueuePlan } from "./queue-plan.ts";

/** How messages end that are published together, and how often. */
const ENDS: Readonly<Record<TogetherEnd, number>> = { commit: 7, rollback: 2, leave: 1 };

/** Where a producer publishes to: queues, and the routing keys that it takes. */
type ProducedTo = Pick<QueuePlan, "name" | "keys">;

/** A client that publishes to queues, as surely as its protocol can, and now and then several messages in one transaction. */
export class QueueProducer {
  readonly client: QueueActor;
  readonly #stage: Stage;
  readonly #ledger: QueueLedger;
  #count = 0;
  #transactions = 0;

  constructor(name: string, stage: Stage, ledger: QueueLedger) {
    this.#stage = stage;
    this.#ledger = ledger;
    this.client = makeActor(name, stage, "producer");
  }

  /** Connects, and publishes now and then; resolves after the last call, whatever becomes of it. */
  async run(plans: readonly ProducedTo[], ready: Promise<unknown>): Promise<void> {
    const { world, profile } = this.#stage;
    const { chance } = world;
    await untilDone(this.#stage, `${this.client.name} connects`, () => this.client.connect());
    await ready;
    const bursts = scaled(profile, chance.integer(2, 10));
    for (let burst = 0; burst < bursts; burst++) {
      await passed(world, chance.integer(0, Math.ceil((2 * profile.runMs) / bursts)));
      if (this.client.publishTogether !== undefined && chance.happens(0.7)) this.#publishTogether(plans);
      for (let i = scaled(profile, chance.integer(1, 8)); i > 0; i--) this.#publish(chance.pick(plans));
    }
  }

  #publish(plan: ProducedTo): void {
    const guarantee = this.#stage.world.chance.pick(this.client.guarantees);
    const { to, payload, queued } = this.#message(plan, { guarantee, together: null });
    this.#stage.world.trace.note(
      this.client.name,
      `queues ${queued.id} in ${plan.name} under "${queued.key}", ${guarantee} once`,
    );
    const done = this.#tracked(`publish of ${queued.id}`, this.client.publish(to, payload, guarantee));
    void done.then((error) => {
      queued.state = error === null ? "confirmed" : "unknown";
    });
  }

  /** What was not committed leaves nothing; of what nobody knows, all or nothing is there. */
  #publishTogether(plans: readonly ProducedTo[]): void {
    const { chance, trace } = this.#stage.world;
    const together = `${this.client.name} transaction ${this.#transactions++}`;
    const messages = Array.from({ length: chance.integer(1, 5) }, () =>
      this.#message(chance.pick(plans), { guarantee: "exactly", together }),
    );
    const end = chance.weighted(ENDS);
    trace.note(this.client.name, `${end} of ${messages.map(({ queued }) => queued.id)} in ${together}`);
    const publishing = this.client.publishTogether?.(messages, end) ?? Promise.resolve();
    void this.#tracked(together, publishing).then((error) => {
      const isUnknown = isMessagingError(error) && error.code === "ERR_TRANSACTION_UNKNOWN";
      const state = isUnknown ? "unknown" : error === null && end === "commit" ? "confirmed" : "refused";
      for (const { queued } of messages) queued.state = state;
    });
  }

  #message(
    plan: ProducedTo,
    { guarantee, together }: { readonly guarantee: Guarantee; readonly together: string | null },
  ): Addressed & { readonly queued: Queued } {
    const { chance } = this.#stage.world;
    const isCaptured = chance.happens(0.2);
    const key = isCaptured ? "" : chance.pick(plan.keys);
    const number = this.#count++;
    const id = `${this.client.name}-${number}`;
    const to: Destination = isCaptured
      ? { is: "topic", topic: capturedTopic(plan.name) }
      : { is: "queue", queue: plan.name, key };
    const from = together ?? `${this.client.name} ${this.client.row(to, guarantee)}`;
    const facts = { id, queue: plan.name, key, guarantee, from, number, ...(together === null ? {} : { together }) };
    const payload = `${id}|${"x".repeat(chance.pick([0, 10, 400]))}`;
    return { to, payload, queued: this.#ledger.publish(facts) };
  }

  /** Resolves with the error, or with null. */
  async #tracked(what: string, done: Promise<void>): Promise<unknown> {
    const { world } = this.#stage;
    try {
      await world.promises.track(what, done);
      world.trace.note(this.client.name, `${what} is done`);
      return null;
    } catch (error) {
      world.trace.note(this.client.name, `${what} failed: ${String(error)}`);
      if (!isMessagingError(error)) world.violations.push(`${what}: an untyped error: ${String(error)}`);
      return error;
    }
  }
}
